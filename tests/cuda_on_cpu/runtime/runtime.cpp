#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "cuda_on_cpu/runtime/device_clock.hpp"
#include "cuda_on_cpu/runtime/machine.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "cuda_on_cpu/runtime/work.hpp"
#include "cuda_runtime.h"

using namespace tenon::cuda::on_cpu;

namespace {

constexpr int kVersion = 12040;

}  // namespace

const char* cudaGetErrorName(cudaError_t status) {
  switch (status) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration:
      return "cudaErrorInvalidConfiguration";
    case cudaErrorNotSupported:
      return "cudaErrorNotSupported";
    default:
      return "cudaError";
  }
}
const char* cudaGetErrorString(cudaError_t status) {
  return cudaGetErrorName(status);
}

Machine& tenon::cuda::on_cpu::machine() {
  static Machine m;
  return m;
}

cudaError_t cudaDriverGetVersion(int* version) {
  return *version = machine().driver, cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  return *version = kVersion, cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
  return *count = int(machine().majors.size()), machine().counted;
}
cudaError_t cudaGetDevice(int* device) {
  return *device = 0, cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  return device == 0 ? cudaSuccess : cudaErrorInvalidDevice;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int device) {
  if (device < 0 || device >= int(machine().majors.size()) || machine().majors[std::size_t(device)] == 0) return cudaErrorInvalidDevice;
  *p = {};
  std::strcpy(p->name, "CUDA on the CPU");
  p->totalGlobalMem = memory_size();
  p->sharedMemPerBlock = 48 * 1024;
  p->sharedMemPerBlockOptin = 227 * 1024;
  p->sharedMemPerMultiprocessor = 228 * 1024;
  p->major = machine().majors[std::size_t(device)];
  p->multiProcessorCount = 132;
  p->warpSize = 32;
  p->maxThreadsPerBlock = 1024;
  p->maxThreadsPerMultiProcessor = 2048;
  p->l2CacheSize = 50 << 20;
  p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024;
  p->maxThreadsDim[2] = 64;
  p->maxGridSize[0] = 0x7fffffff;
  p->maxGridSize[1] = p->maxGridSize[2] = 65535;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  cudaDeviceProp p;
  if (cudaError_t status = cudaGetDeviceProperties(&p, device)) return status;
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
      *value = p.maxThreadsPerBlock;
      break;
    case cudaDevAttrMaxGridDimX:
      *value = p.maxGridSize[0];
      break;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ:
      *value = p.maxGridSize[1];
      break;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = int(p.sharedMemPerBlock);
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = int(p.sharedMemPerBlockOptin);
      break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      *value = int(p.sharedMemPerMultiprocessor);
      break;
    case cudaDevAttrMultiProcessorCount:
      *value = p.multiProcessorCount;
      break;
    case cudaDevAttrWarpSize:
      *value = p.warpSize;
      break;
    case cudaDevAttrL2CacheSize:
      *value = p.l2CacheSize;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = p.major;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = p.minor;
      break;
    case cudaDevAttrMemoryPoolsSupported:
      *value = 1;
      break;
    case cudaDevAttrMemoryClockRate:
      *value = machine().kilohertz;
      break;
    case cudaDevAttrGlobalMemoryBusWidth:
      *value = machine().bits;
      break;
  }
  return cudaSuccess;
}

namespace {
std::atomic<cudaError_t> last_error{cudaSuccess};  // of all threads: what is thread_local here is the blocks' shared memory
}

cudaError_t cudaGetLastError() { return last_error.exchange(cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }

cudaError_t cudaMalloc(void** at, std::size_t bytes) {
  if (const cudaError_t status = allowed_while_recording()) return status;
  *at = bytes_in_use() + bytes > memory_size() ? nullptr : take(bytes);
  if (!*at) last_error = cudaErrorMemoryAllocation;
  return *at ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind) {
  if (const cudaError_t status = allowed_while_recording()) return status;
  const Open open;
  if (bytes) std::memcpy(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemset(void* at, int value, std::size_t bytes) {
  if (const cudaError_t status = allowed_while_recording()) return status;
  const Open open;
  if (bytes) std::memset(at, value, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* at, int value, std::size_t bytes, cudaStream_t stream) {
  if (!is_first(stream)) return cudaErrorNotSupported;
  enqueue([=] {
    if (bytes) std::memset(at, value, bytes);
    spend(2 + 1e-6 * double(bytes));
  });
  return cudaSuccess;
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  return *pool = nullptr, cudaSuccess;
}
