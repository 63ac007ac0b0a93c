/// What libtenon_cuda.so offers the core: its devices, an allocator, and the CUDA column of the kernel slots.
#include <map>
#include <mutex>

#include "backend/backend.hpp"
#include "backend/cuda/check.cuh"
#include "backend/cuda/faults.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/launch.cuh"
#include "backend/cuda/staging.hpp"
#include "tensor/memory.hpp"
#include "tenon/storage.hpp"

namespace tenon::cuda {

cudaStream_t stream() {
  static cudaStream_t s = [] {
    cudaStream_t made = nullptr;
    check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    return made;
  }();
  return s;
}

#if !defined(TENON_CUDA_ON_CPU)
void allow_shared_bytes(const char* name, const void* kernel, std::size_t bytes) {
  static std::mutex& mutex = *new std::mutex;
  static auto& allowed = *new std::map<const void*, std::size_t>;
  std::lock_guard lock(mutex);
  std::size_t& most = allowed[kernel];
  if (bytes <= most) return;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(bytes)), name);
  most = bytes;
}
#endif

std::string device_name() {
  cudaDeviceProp p{};
  check(cudaGetDeviceProperties(&p, 0), "cudaGetDeviceProperties");
  return p.name;
}

namespace {

/// Stream-ordered allocation from the device's own pool, which keeps freed memory for reuse.
class CudaAllocator final : public Allocator {
 public:
  CudaAllocator() {
    cudaMemPool_t pool{};
    check(cudaDeviceGetDefaultMemPool(&pool, 0), "cudaDeviceGetDefaultMemPool");
    std::uint64_t keep_all = ~std::uint64_t(0);
    check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep_all), "cudaMemPoolSetAttribute");
    pool_ = pool;
  }

  void* allocate(std::size_t bytes, int index) override {
    if (index != 0)
      throw Error(ErrorKind::device, "device.not_available", "cuda:" + std::to_string(index) + ": a process works on one GPU, cuda:0",
                  "choose which with CUDA_VISIBLE_DEVICES=" + std::to_string(index));
    void* p = nullptr;
    std::size_t size = bytes ? bytes : 1;
    cudaError_t status = cudaMallocAsync(&p, size, stream());
    if (status == cudaErrorMemoryAllocation) {
      (void)cudaGetLastError();
      trim();
      status = cudaMallocAsync(&p, size, stream());
    }
    if (status == cudaErrorMemoryAllocation) (void)cudaGetLastError();  // whoever catches what is thrown goes on: no later launch failed
    std::lock_guard lock(mutex_);
    if (status == cudaErrorMemoryAllocation) throw_out_of_memory(DeviceType::cuda, bytes, stats_.in_use);
    check(status, "cudaMallocAsync");
    stats_.in_use += bytes;
    if (stats_.in_use > stats_.peak) stats_.peak = stats_.in_use;
    ++stats_.allocations;
    return p;
  }

  void deallocate(void* data, std::size_t bytes, int) override {
    cudaFreeAsync(data, stream());  // a failure here would be one of an earlier launch and is reported by the next check
    std::lock_guard lock(mutex_);
    stats_.in_use -= bytes;
  }

  void copy(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes) override {
    if (from_device.type == DeviceType::cpu && to_device.type != DeviceType::cpu) {
      staging_.copy_in(to, from, bytes);
      return;
    }
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream()), "cudaMemcpyAsync");
    if (to_device.type == DeviceType::cpu) check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
    if (to_device.type != DeviceType::cpu && from_device.type != DeviceType::cpu) return;
    check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
    throw_faults();
  }

  void trim() override {
    check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
    check(cudaMemPoolTrimTo(pool_, 0), "cudaMemPoolTrimTo");
  }

  Stats stats() const override {
    std::lock_guard lock(mutex_);
    return stats_;
  }

 private:
  cudaMemPool_t pool_{};
  Staging staging_;
  mutable std::mutex mutex_;
  Stats stats_;
};

/// Bytes a second: two transfers a clock of the width of the bus. 0 where the driver does not tell.
double theoretical_bandwidth(int device) {
  int kilohertz = 0, bits = 0;
  if (cudaDeviceGetAttribute(&kilohertz, cudaDevAttrMemoryClockRate, device) != cudaSuccess ||
      cudaDeviceGetAttribute(&bits, cudaDevAttrGlobalMemoryBusWidth, device) != cudaSuccess) {
    (void)cudaGetLastError();
    return 0;
  }
  return 2.0 * 1000 * kilohertz * (bits / 8.0);
}

std::vector<DeviceInfo> devices() {
  std::vector<DeviceInfo> all;
  auto unusable = [&](std::string reason) {
    DeviceInfo d;
    d.device = {DeviceType::cuda, 0};
    d.name = "CUDA";
    d.usable = false;
    d.reason = std::move(reason);
    all.push_back(d);
  };
  int driver = 0, runtime = 0, count = 0;
  cudaError_t status = cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (status != cudaSuccess || driver == 0) {
    unusable("no NVIDIA driver on this machine");
    return all;
  }
  status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    unusable(std::string("no usable device: ") + cudaGetErrorString(status));
    return all;
  }
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp p{};
    DeviceInfo d;
    d.device = {DeviceType::cuda, i};
    if (cudaGetDeviceProperties(&p, i) != cudaSuccess) {
      d.usable = false;
      d.reason = "its properties cannot be read";
    } else {
      d.name = p.name;
      d.memory_bytes = std::int64_t(p.totalGlobalMem);
      d.bandwidth = theoretical_bandwidth(i);
      d.capability = std::to_string(p.major) + "." + std::to_string(p.minor);
      if (p.major < 8) {
        d.usable = false;
        d.reason = "compute capability " + d.capability + " is below 8.0";
      } else if (i > 0) {
        d.usable = false;
        d.reason = "a process works on one GPU: CUDA_VISIBLE_DEVICES=" + std::to_string(i) + " makes it this one";
      }
    }
    d.driver = "CUDA " + std::to_string(driver / 1000) + "." + std::to_string(driver % 1000 / 10) + ", runtime " + std::to_string(runtime / 1000) + "." + std::to_string(runtime % 1000 / 10);
    if (d.usable) d.libraries = library_versions();
    all.push_back(std::move(d));
  }
  return all;
}

void install() {
  set_allocator(DeviceType::cuda, std::make_unique<CudaAllocator>());
  set_device_stream(stream());
  set_device_wait([] { check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize"); });
  install_graph();
  install_batch_feed();
  install_copy();
  install_elementwise();
  install_chain();
  install_casts();
  install_reduce();
  install_matmul();
  install_feed_forward();
  install_optimisers();
  install_adafactor();
  install_norm();
  install_norm_gradient();
  install_row_norm();
  install_row_norm_cudnn();
  install_softmax();
  install_label_loss();
  install_label_loss_gradient();
  install_mse();
  install_dropout();
  install_embedding();
  install_conv_codes();
  install_pool();
  install_patches();
  install_intensity();
  install_resize();
  install_elementwise_unary();
  install_shape();
  install_arrange();
  install_padding();
  install_windows();
  install_confusion();
  install_error_sums();
  install_ranked_scores();
  install_index();
  install_scatter_add();
  install_random();
  install_sampling();
  install_cumulative();
  install_masking();
  install_ordering();
  install_search();
  install_recurrent();
  install_recurrent_cudnn();
  install_attention();
  install_attention_mma();
  install_attention_cudnn();
  install_batch_product();
  install_fft();
  install_fft_library();
  install_mode_product();
  install_linalg();
  install_linalg_library();
  install_conv();
  install_conv_cudnn();
  install_nvtx();
  set_device_choices(choices_made);
}

}  // namespace
}  // namespace tenon::cuda

extern "C" {
__attribute__((visibility("default"))) tenon::CudaBackend tenon_cuda_backend{tenon::CudaBackend::kAbi, tenon::cuda::devices, tenon::cuda::install};
}
