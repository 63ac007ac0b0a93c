/// Which op's gradient is being computed on this thread (private).
///
/// A gradient may read what its op saw in the forward pass, what came down to it, and what it makes itself. A value written after the op
/// ran and before its gradient began is none of these: the forward pass used other numbers. `launch` asks for every tensor it reads, so
/// whatever a BackwardFn captured is covered without being listed.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tenon/tensor.hpp"

namespace tenon {

class BackwardScope {
 public:
  /// `made`: the op's tick; `d_outputs`: the gradients that came down, which are younger than the op and still good.
  BackwardScope(const char* op, std::uint64_t made, const std::vector<Tensor>& d_outputs) noexcept;
  ~BackwardScope();
  BackwardScope(const BackwardScope&) = delete;
  BackwardScope& operator=(const BackwardScope&) = delete;

  static const BackwardScope* current() noexcept;
  /// Throws autograd.overwritten when `read` was written between the op and its gradient.
  void require_unwritten(const Tensor& read) const;

 private:
  const char* op_;
  std::uint64_t made_, began_;
  const std::vector<Tensor>& d_outputs_;
  const BackwardScope* before_;
};

/// For reads outside launch.
inline void require_unwritten(const Tensor& read) {
  if (const BackwardScope* scope = BackwardScope::current()) scope->require_unwritten(read);
}

/// While one is alive, the detector of numbers that are not finite passes over the ops of this thread: infinities are made on purpose, as
/// masks are.
class DetectorPause {
 public:
  DetectorPause() noexcept;
  ~DetectorPause();
  DetectorPause(const DetectorPause&) = delete;
  DetectorPause& operator=(const DetectorPause&) = delete;

 private:
  bool before_;
};

/// For a BackwardFn whose gradient is a fused kernel, under create_graph: the gradients of `inputs` by way of `f`, which is the op in plain
/// ops and is run now, so that they can be differentiated again.
std::vector<Tensor> gradients_of_ops(const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& f, const std::vector<Tensor>& inputs,
                                     const std::vector<Tensor>& d_outputs);

/// True while recompute() runs its function again: what the function writes (running statistics) was written the first time.
bool is_recomputing() noexcept;
/// True while recompute() runs its function the first time, without history: an op that has one way of computing with it and another without takes the
/// first.
bool will_be_recomputed() noexcept;

}  // namespace tenon
