/// The seam between the core and what is found on the machine at run time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tenon/device.hpp"

namespace tenon {

bool cpu_has_amx_bf16() noexcept;

/// Loads libtenon_cuda.so (beside this library) once, when it is there, and asks it for its devices. A backend that
/// is absent gives an empty list; one that is there but unusable gives one entry with the reason.
std::vector<DeviceInfo> list_cuda_devices();

/// Throws a device error unless models can run on `device`: it is there, usable, and has the kernels that they need.
void require_for_models(Device device);

/// What a device makes of a recorded step, to be started as one.
class TENON_API ReplayGraph {
 public:
  virtual ~ReplayGraph();
  virtual void launch() = 0;  ///< in order with all other work; does not wait
  virtual std::string describe() const = 0;
};

/// Captures the work that `body` enqueues on this thread, without running it; null, with a reason, where that cannot be.
using CaptureFn = std::function<std::unique_ptr<ReplayGraph>(const std::function<void()>& body, std::string& reason)>;
TENON_API void set_graph_capture(DeviceType type, CaptureFn capture);

/// Waits until a device has done all that was enqueued, for clocks; nothing where no device is in use.
TENON_API void wait_for_device();
TENON_API void set_device_wait(std::function<void()> wait);

/// What a backend chose by measurement so far in this process, one line a choice; for people. Empty where none is in use.
TENON_API std::vector<std::string> device_choices();
TENON_API void set_device_choices(std::function<std::vector<std::string>()> choices);

/// What device_stream() gives for the backend's device.
TENON_API void set_device_stream(void* stream);

/// What libtenon_cuda.so exports, under the name `tenon_cuda_backend`.
struct CudaBackend {
  static constexpr int kAbi = 2;  ///< raised with every change of this struct or of DeviceInfo
  int abi = kAbi;
  std::vector<DeviceInfo> (*devices)() = nullptr;
  void (*install)() = nullptr;  ///< sets allocator and kernel columns; called once, when a device is usable
};

}  // namespace tenon
