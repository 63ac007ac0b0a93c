#include "backend/cpu/fft/fft.hpp"
#include "ops/fft_kernels.hpp"

namespace tenon {
namespace {

std::array<FftWorkspaceFn, kDeviceTypes>& workspace_sizes() {
  static std::array<FftWorkspaceFn, kDeviceTypes> table{[](const FftGeometry& g) { return cpu::make_fft(g)->workspace_bytes(); }};
  return table;
}

Kernel make_cpu(const FftGeometry& g, double scale) {
  auto program = cpu::make_fft(g);
  const bool workspace = program->workspace_bytes() > 0;
  return [program, scale, workspace](void* const* p) { program->run(p[0], p[1], workspace ? p[2] : nullptr, scale); };
}

}  // namespace

KernelSlot<const FftGeometry&, double> fft_kernel{"fft", make_cpu};

void set_fft_workspace(DeviceType type, FftWorkspaceFn bytes) {
  workspace_sizes()[std::size_t(type)] = std::move(bytes);
}

std::size_t fft_workspace(Device device, const FftGeometry& g) {
  const FftWorkspaceFn& bytes = workspace_sizes()[std::size_t(device.type)];
  return bytes ? bytes(g) : 0;
}

}  // namespace tenon
