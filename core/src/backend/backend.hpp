/// The seam between the core and what is found on the machine at run time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tenon/device.hpp"
#include "tenon/tensor.hpp"

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

/// Takes batches to a device while it works on the one before: it has a copy of the batch there, and the recorded step's inputs are made from
/// it once the step's turn has come. And brings back what a step gives, while the device works on the next. For one thread.
class TENON_API BatchFeed {
 public:
  virtual ~BatchFeed();
  /// In the host's memory, such that send() need not wait. May outlive the feed.
  virtual Tensor host_tensor(const Shape& shape, DType dtype) = 0;
  /// Begins to copy dense host tensors, in place of what was sent before. They may not be written, nor given up, until settle() has returned.
  virtual void send(const std::vector<Tensor>& batch) = 0;
  /// Waits until what was sent has been read.
  virtual void settle() = 0;
  /// Copies what was sent into `to`, of the same sizes, in order with all other work of the device; does not wait.
  virtual void deliver(const std::vector<Tensor>& to) = 0;
  /// Takes down some scalars of the device (f64, f32, f16, bf16; at most kScalars), in order with all other work there; does not wait.
  virtual void fetch(const std::vector<Tensor>& scalars) = 0;
  static constexpr std::size_t kScalars = 16;
  /// Waits for the first fetch that was not collected yet; `values` becomes its scalars. Throws what kernels refused up to there.
  virtual void collect(std::vector<double>& values) = 0;
};
/// Null where a device computes in the host's memory.
using MakeBatchFeed = std::function<std::unique_ptr<BatchFeed>()>;
TENON_API void set_batch_feed(DeviceType type, MakeBatchFeed make);
TENON_API std::unique_ptr<BatchFeed> make_batch_feed(DeviceType type);

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
