// A driver without a device: cuDNN compiles its kernels of attention when a plan is built and gives them to libcuda, where they end here. Loading
// a kernel succeeds and everything else fails, so that plans can be built on a machine without a driver, and none can run.
#include <cstddef>

namespace {
constexpr int kSuccess = 0, kNoDevice = 100;
char something;  // what handles point to
}  // namespace

extern "C" {

int cuDriverGetVersion(int* version) {
  *version = 13000;
  return kSuccess;
}
int cuLibraryLoadData(void** library, const void*, void*, void**, unsigned, void*, void**, unsigned) {
  *library = &something;
  return kSuccess;
}
int cuLibraryGetKernel(void** kernel, void*, const char*) {
  *kernel = &something;
  return kSuccess;
}
int cuLibraryUnload(void*) {
  return kSuccess;
}
int cuKernelSetAttribute(int, int, void*, int) {
  return kSuccess;
}
int cuKernelGetAttribute(int* value, int, void*, int) {
  *value = 0;
  return kSuccess;
}

#define TENON_FAILS(function) \
  int function() { return kNoDevice; }
TENON_FAILS(cuInit)
TENON_FAILS(cuCtxGetCurrent)
TENON_FAILS(cuCtxGetDevice)
TENON_FAILS(cuCtxGetLimit)
TENON_FAILS(cuCtxPopCurrent)
TENON_FAILS(cuCtxPushCurrent)
TENON_FAILS(cuDeviceGet)
TENON_FAILS(cuDeviceGetAttribute)
TENON_FAILS(cuDeviceGetCount)
TENON_FAILS(cuDevicePrimaryCtxRelease)
TENON_FAILS(cuDevicePrimaryCtxReset)
TENON_FAILS(cuDevicePrimaryCtxRetain)
TENON_FAILS(cuFuncGetAttribute)
TENON_FAILS(cuFuncSetAttribute)
TENON_FAILS(cuGetErrorName)
TENON_FAILS(cuGetErrorString)
TENON_FAILS(cuLaunchCooperativeKernel)
TENON_FAILS(cuLaunchKernel)
TENON_FAILS(cuLaunchKernelEx)
TENON_FAILS(cuLibraryLoadFromFile)
TENON_FAILS(cuLinkAddData)
TENON_FAILS(cuLinkAddData_v2)
TENON_FAILS(cuLinkAddFile_v2)
TENON_FAILS(cuLinkComplete)
TENON_FAILS(cuLinkCreate)
TENON_FAILS(cuLinkCreate_v2)
TENON_FAILS(cuLinkDestroy)
TENON_FAILS(cuMemcpyDtoH_v2)
TENON_FAILS(cuModuleGetFunction)
TENON_FAILS(cuModuleGetGlobal_v2)
TENON_FAILS(cuModuleLoadData)
TENON_FAILS(cuModuleLoadDataEx)
TENON_FAILS(cuModuleLoadFatBinary)
TENON_FAILS(cuModuleUnload)
TENON_FAILS(cuOccupancyMaxActiveBlocksPerMultiprocessor)
TENON_FAILS(cuOccupancyMaxPotentialClusterSize)
TENON_FAILS(cuStreamGetCtx)
TENON_FAILS(cuStreamSynchronize)
TENON_FAILS(cuTensorMapEncodeTiled)
#undef TENON_FAILS

}  // extern "C"
