// The kernels that come from NVIDIA's libraries (core/src/backend/cuda/library) have no source to run here. In their place stand the CPU's:
// "device" memory is host memory.
#include "backend/cuda/install.hpp"
#include "ops/matmul_kernels.hpp"

namespace tenon::cuda {
namespace {

template <class... Args> void borrow(KernelSlot<Args...>& slot) {
  slot.set(DeviceType::cuda, [&slot](Args... args) { return slot(kCpu, args...); });
}

}  // namespace

void install_matmul() {
  borrow(matmul_slot);
  set_matmul_workspace(DeviceType::cuda, matmul_workspace(DeviceType::cpu));
}

void install_conv_cudnn() {}  // the kernels of conv.cu stay

}  // namespace tenon::cuda
