/// What an op keeps of an input for its gradient (private).
///
/// An activation after a normalisation can be computed again from what the normalisation's own gradient keeps anyway, in one pass over
/// memory. Where memory is scarce, on a GPU, the op that reads it keeps that recipe in place of the values; the bits are the same.
#pragma once

#include <functional>

#include "tenon/tensor.hpp"

namespace tenon {

/// Says how the values of an op's result are computed again, without history. `again` must not hold the result. No effect without history.
void computed_again(const Tensor& result, std::function<Tensor()> again);

/// Made in the forward pass; get() is for the gradient. Values that were written in place since the op that can compute them again are kept.
class Saved {
 public:
  explicit Saved(const Tensor& input);
  /// The input, with its history.
  Tensor get() const;

 private:
  Tensor values_;  ///< undefined where `again_` stands for it
  std::function<Tensor()> again_;
  std::shared_ptr<AutogradMeta> history_;
};

}  // namespace tenon
