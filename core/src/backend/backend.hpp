/// The seam between the core and what is found on the machine at run time.
#pragma once

#include <vector>

#include "tenon/device.hpp"

namespace tenon {

bool cpu_has_amx_bf16() noexcept;

/// Loads libtenon_cuda.so (beside this library) once, when it is there, and asks it for its devices. A backend that
/// is absent gives an empty list; one that is there but unusable gives one entry with the reason.
std::vector<DeviceInfo> list_cuda_devices();

/// Throws a device error unless models can run on `device`: it is there, usable, and has the kernels that they need.
void require_for_models(Device device);

/// What libtenon_cuda.so exports, under the name `tenon_cuda_backend`.
struct CudaBackend {
  int abi = 1;
  std::vector<DeviceInfo> (*devices)() = nullptr;
  void (*install)() = nullptr;  ///< sets allocator and kernel columns; called once, when a device is usable
};

}  // namespace tenon
