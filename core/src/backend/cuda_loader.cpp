#include <dlfcn.h>

#include <filesystem>
#include <mutex>
#include <string>

#include "backend/backend.hpp"

namespace tenon {
namespace {

/// The folder this library was loaded from: the backend is taken from there and from nowhere else.
std::filesystem::path own_folder() {
  Dl_info info{};
  if (!dladdr(reinterpret_cast<void*>(&list_cuda_devices), &info) || !info.dli_fname) return {};
  std::error_code ec;
  return std::filesystem::canonical(info.dli_fname, ec).parent_path();
}

/// The backend brings NVIDIA's libraries along, and they take a tenth of a second to load: not where there is no driver for them.
/// Empty where there is one.
std::string driver_missing() {
  if (dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL)) return {};  // stays: the backend's runtime loads it, too
  const std::string why = dlerror();
  return why.find("No such file") != std::string::npos ? "no NVIDIA driver on this machine" : "NVIDIA's driver cannot be loaded: " + why;
}

DeviceInfo unusable(std::string reason, std::string name = "CUDA backend") {
  DeviceInfo d;
  d.device = {DeviceType::cuda, 0};
  d.name = std::move(name);
  d.usable = false;
  d.reason = std::move(reason);
  return d;
}

std::vector<DeviceInfo> probe() {
  std::filesystem::path file = own_folder() / "libtenon_cuda.so";
  std::error_code ec;
  if (!std::filesystem::exists(file, ec)) {
    if (!driver_missing().empty()) return {};
    return {unusable("there is a driver, but no " + file.string() + ": Tenon was built without a CUDA toolkit (docs/gpu.md)")};
  }
  if (const std::string why = driver_missing(); !why.empty()) return {unusable(why, "CUDA")};
  void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) return {unusable(dlerror())};
  auto* backend = static_cast<CudaBackend*>(dlsym(handle, "tenon_cuda_backend"));
  if (!backend || backend->abi != CudaBackend::kAbi) return {unusable(file.string() + " was built for another core")};
  std::vector<DeviceInfo> found = backend->devices();
  for (const DeviceInfo& d : found)
    if (d.usable) {
      backend->install();
      break;
    }
  return found;
}

}  // namespace

std::vector<DeviceInfo> list_cuda_devices() {
  static std::once_flag once;
  static std::vector<DeviceInfo> devices;
  std::call_once(once, [] { devices = probe(); });
  return devices;
}

}  // namespace tenon
