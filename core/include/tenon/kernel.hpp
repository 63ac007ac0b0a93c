/// How work reaches a device: every op, built in or a plugin's own, does its computing through `launch`.
///
/// A Kernel sees nothing but raw pointers, one an operand, in the order given: first the tensors read, then
/// those written. Everything else (sizes, strides, prepared library primitives) it captures by value when it is
/// made. It must not capture tensors. This is what lets a step be recorded once and replayed from an arena:
/// on replay the same kernels get other pointers (see plan.hpp).
#pragma once

#include <array>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "tenon/error.hpp"
#include "tenon/tensor.hpp"

namespace tenon {

using Kernel = std::function<void(void* const* operands)>;

/// Runs `kernel` now, or records it when a step is being recorded on this thread. `name` is static text.
/// A tensor may stand in both lists (read and written in place); one that is written in part, or added to, may stand in the second alone. Throws a usage error, opened by the name, for operands on different devices.
TENON_API void launch(const char* name, std::span<const Tensor> reads, std::span<const Tensor> writes, Kernel kernel);
inline void launch(const char* name, std::initializer_list<Tensor> reads, std::initializer_list<Tensor> writes, Kernel kernel) {
  launch(name, std::span<const Tensor>(reads.begin(), reads.size()), std::span<const Tensor>(writes.begin(), writes.size()),
         std::move(kernel));
}

/// One kernel of the core with an implementation a device type. The CPU column is filled where the op is
/// defined; the CUDA library fills its column when it is loaded.
template <class... Args> class KernelSlot {
 public:
  using Make = std::function<Kernel(Args...)>;
  KernelSlot(const char* name, Make cpu) : name_(name) { make_[0] = std::move(cpu); }
  void set(DeviceType type, Make make) { make_[std::size_t(type)] = std::move(make); }
  /// The kernel for these sizes on `device`; throws a device error that names the kernel where there is none.
  template <class... Given> Kernel operator()(Device device, Given&&... args) const {
    const Make& make = make_[std::size_t(device.type)];
    if (!make) throw Error(ErrorKind::device, "device.no_kernel", std::string(name_) + ": no kernel for " + device.str(), "run it with --device cpu");
    return make(std::forward<Given>(args)...);
  }

 private:
  const char* name_;
  std::array<Make, kDeviceTypes> make_{};
};

/// A callable given for the length of one call: neither copied nor kept, so passing one takes no memory.
template <class Signature>
class FunctionRef;
template <class... Args>
class FunctionRef<void(Args...)> {
 public:
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef> && std::is_invocable_v<F&, Args...>)
  FunctionRef(F&& f) noexcept  // NOLINT(google-explicit-constructor): so that a lambda can stand as the argument
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
        call_([](void* object, Args... args) { (*static_cast<std::remove_reference_t<F>*>(object))(args...); }) {}
  void operator()(Args... args) const { call_(object_, args...); }

 private:
  void* object_;
  void (*call_)(void*, Args...);
};

/// Runs `body(i)` for i in [0, n) on the thread pool. Which thread runs which i is not defined: a result must
/// depend on i alone. Nested calls run serially. An exception in any task is rethrown once, after all are done.
TENON_API void parallel_for(std::int64_t n, FunctionRef<void(std::int64_t)> body);
/// The same over blocks [begin, end) of at most `grain` items; the cut does not depend on the thread count.
TENON_API void parallel_blocks(std::int64_t n, std::int64_t grain, FunctionRef<void(std::int64_t, std::int64_t)> body);

/// While one is alive on a thread, parallel loops started there run serially: for background threads.
class TENON_API SerialScope {
 public:
  SerialScope();
  ~SerialScope();
  SerialScope(const SerialScope&) = delete;
  SerialScope& operator=(const SerialScope&) = delete;

 private:
  bool before_;
};

}  // namespace tenon
