/// A step, recorded once and replayed many times.
///
///     StepPlan plan = StepPlan::record([&] { loss = model(x); loss.backward(); optimiser.step(); });
///     for (...) { fill(x); plan.run(); use(loss.item()); }
///
/// While recording, ops check shapes and prepare kernels but nothing is computed and no memory is taken. The
/// plan then knows the life of every buffer made inside the step and lays them into one arena, so replay
/// neither takes tensor memory nor dispatches (libraries that a kernel calls may take small blocks of their own).
/// Buffers that the caller still holds afterwards (`loss` above) get memory of their own and can be read after
/// each run; tensors made before the recording keep their addresses.
///
/// What nobody holds or reads is not computed, and nothing that its kernels would refuse is told; small elementwise results that come from constants alone are computed
/// once, when the plan is made; neighbouring elementwise ops of one shape become one pass over the elements, with the
/// bits of the ops done one by one.
///
/// Inside the recorded function nothing may read values (`item()`, `data()`): such a call throws. What changes
/// from step to step must therefore live in tensors: inputs, and the scalars of `StepScalars` (train/).
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tenon/export.hpp"
#include "tenon/memory.hpp"

namespace tenon {

class TENON_API StepPlan {
 public:
  static StepPlan record(const std::function<void()>& step);
  StepPlan();
  StepPlan(StepPlan&&) noexcept;
  StepPlan& operator=(StepPlan&&) noexcept;
  ~StepPlan();

  bool defined() const noexcept { return impl_ != nullptr; }
  void run() const;
  std::size_t arena_bytes() const;     ///< memory for everything made inside the step, but for small constants, which keep their own
  std::size_t unshared_bytes() const;  ///< what the same buffers would take without sharing
  using ArenaUse = std::array<std::size_t, kMemoryTags>;
  const ArenaUse& arena_use() const;   ///< bytes by MemoryTag at the launch during which most are alive
  std::size_t launches() const;
  /// Where a device can start a step as one: how this one is started, or "launched one by one: " and why it could not be captured. Known
  /// after the second run; empty before it, and on the CPU.
  const std::string& replay_note() const;
  /// One line a launch: index, name, operands with sizes and arena offsets; then what is fused, what is done once and, on a GPU, how convolutions, attention, recurrent layers and norms of rows are computed and why.
  std::string explain() const;
  /// Runs once with a clock around each launch; (name, seconds) in order.
  std::vector<std::pair<std::string, double>> profile() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// True while a step is being recorded on this thread.
TENON_API bool is_recording() noexcept;

}  // namespace tenon
