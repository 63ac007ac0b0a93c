/// Recorded steps by the shapes and types of their inputs, for work whose sizes change: those that were used last are kept.
///
///     PlanCache plans;
///     for (...) {
///       PlanCache::Entry& e = plans.get({{x.shape(), x.dtype()}}, device, [&](const std::vector<Tensor>& in) { return std::vector{model.forward(in[0])}; });
///       e.inputs[0].copy_from_host(x.raw(), x.nbytes());
///       e.plan.run();
///       e.outputs[0].copy_to_host(...);
///     }
///
/// Each plan has inputs, an arena and (on a GPU) a graph of its own; the plan that is given up for another one gives all of it back. What
/// the step uses besides its inputs (parameters, state of an optimiser, random keys) was made before and is shared by all plans; it must
/// stay where it is. Where memory runs out, the other plans are given up and the step is recorded once more. Not thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <vector>

#include "tenon/device.hpp"
#include "tenon/plan.hpp"
#include "tenon/tensor.hpp"

namespace tenon {

class TENON_API PlanCache {
 public:
  static constexpr std::size_t kCapacity = 8;

  struct Input {
    Shape shape;
    DType dtype = DType::f32;
    bool operator==(const Input&) const = default;
  };
  using Key = std::vector<Input>;
  /// Does the step on `inputs`, on the entry's device; gives what is to be read after a run.
  using Step = std::function<std::vector<Tensor>(const std::vector<Tensor>& inputs)>;

  struct Entry {
    Key key;
    Device device;
    std::vector<Tensor> inputs;  ///< dense; not filled when they are new
    std::vector<Tensor> outputs;
    StepPlan plan;
  };

  /// `capacity`: plans that are kept, at least 1.
  explicit PlanCache(std::size_t capacity = kCapacity);

  /// The plan for such inputs: one that is kept, or `step` recorded now, in place of the plan that was not used for longest where there is no
  /// room. Good until the next call. What recording throws comes to the caller; what was given up for it is gone then.
  Entry& get(const Key& key, Device device, const Step& step);

  std::size_t size() const noexcept { return entries_.size(); }
  std::size_t capacity() const noexcept { return capacity_; }
  std::size_t recorded() const noexcept { return recorded_; }  ///< so far, those given up included
  void clear() { entries_.clear(); }

 private:
  std::size_t capacity_, recorded_ = 0;
  std::list<Entry> entries_;  ///< used last first
};

}  // namespace tenon
