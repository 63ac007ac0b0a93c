// A CUDA backend of two made-up cards, for what the command says of devices.
#include <cstdlib>

#include "backend/backend.hpp"

namespace {

std::vector<tenon::DeviceInfo> devices() {
  tenon::DeviceInfo card;
  card.device = {tenon::DeviceType::cuda, 0};
  card.name = "Some card";
  card.memory_bytes = std::int64_t(80) << 30;
  card.bandwidth = 3.35232e12;
  card.capability = "9.0";
  card.driver = "CUDA 13.0, runtime 13.0";
  card.libraries = {{"cuBLASLt", "13.1.0"}, {"cuDNN", "9.19.0"}};
  tenon::DeviceInfo old = card;
  old.device.index = 1;
  old.name = "Old card";
  old.bandwidth = 0;
  old.libraries.clear();
  old.usable = false;
  old.reason = "compute capability 7.0 is below 8.0";
  return {card, old};
}

const char* other_abi() { return std::getenv("FAKE_BACKEND_ABI"); }

}  // namespace

extern "C" {
__attribute__((visibility("default"))) tenon::CudaBackend tenon_cuda_backend{
    other_abi() ? std::atoi(other_abi()) : tenon::CudaBackend::kAbi, devices, [] {}};
}
