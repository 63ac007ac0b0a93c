/// Kernel slots of the optimisers (private). The CPU column of each stands beside its optimiser; the CUDA library fills its own.
#pragma once

#include <variant>
#include <vector>

#include "kernels/optim.hpp"
#include "optim/flat_leaves.hpp"
#include "tenon/kernel.hpp"

namespace tenon {

/// gradients (dense f32, one a leaf) -> partial sums f64 [partials], norm f32 [1]: the global norm after clipping by value
extern TENON_API KernelSlot<const FlatLeaves&> gradient_norm_kernel;

/// An update reads gradients (dense f32, one a leaf), scalars f32 [4] (learning rate, step) and norm f32 [1]; it writes the leaves and the slots.
struct FlatUpdate {
  FlatLeaves leaves;
  std::size_t slots = 0;
  float decay = 0;  ///< weight decay, before the factors of the leaf's group
};

using ElementMaths = std::variant<kernels::Sgd, kernels::Adam, kernels::AdamW, kernels::RmsProp>;
/// An update. Slots: of Sgd momentum; of Adam and AdamW first and second moment; of RmsProp second moment, momentum and, centred, first moment
extern TENON_API KernelSlot<const FlatUpdate&, const ElementMaths&> element_update_kernel;

/// An update (slots: first and second moment) that also writes directions f32 [elements] and f64 [2 partials]
extern TENON_API KernelSlot<const FlatUpdate&, const kernels::Lamb&> lamb_update_kernel;

struct MuonMomentum {
  std::int64_t count;
  Clipping clipping;
  float keep;
  bool nesterov;
};
/// gradient, norm -> momentum, direction
extern TENON_API KernelSlot<const MuonMomentum&> muon_momentum_kernel;

struct MuonStep {
  std::int64_t count;
  float shape, decay, rate;  ///< decay and rate with the factors of the leaf's group
};
/// orthogonal direction, scalars -> weights
extern TENON_API KernelSlot<const MuonStep&> muon_update_kernel;

struct MuonVector {
  std::int64_t count;
  kernels::AdamW maths;
  Clipping clipping;
  float decay, rate;
};
/// gradient, scalars, norm -> weights, first moment, second moment
extern TENON_API KernelSlot<const MuonVector&> muon_vector_kernel;

/// A leaf as [matrices, rows, columns]; a vector has rows 0 and keeps a second moment an element.
struct MatrixShape {
  std::int64_t matrices = 1, rows = 0, columns = 0;
  explicit MatrixShape(const Tensor& t) {
    if (t.rank() < 2) {
      columns = t.numel();
      return;
    }
    rows = t.size(-2), columns = t.size(-1);
    matrices = rows * columns > 0 ? t.numel() / (rows * columns) : 0;
  }
  bool factored() const { return rows > 0; }
  std::int64_t elements() const { return matrices * std::max<std::int64_t>(rows, 1) * columns; }
};

struct AdafactorUpdate {
  FlatLeaves leaves;
  std::vector<MatrixShape> shapes;  ///< a leaf
  double beta2_decay, eps1, eps2, threshold, decay;

  /// Sums that a device keeps: of squares of weights and of directions, a run each, and a mean a matrix.
  std::int64_t sums() const {
    std::int64_t n = 2 * leaves.partials();
    for (const MatrixShape& s : shapes) n += s.matrices;
    return n;
  }
};
/// An update without slots that also writes the row moments and the column moments, one tensor a leaf each, and f64 [sums]
extern TENON_API KernelSlot<const AdafactorUpdate&> adafactor_kernel;

/// gradients (f32, one a leaf) -> sums (one a leaf), fresh f32 [1]: where fresh is 1 they replace the sums, and it becomes 0
extern TENON_API KernelSlot<const FlatLeaves&> gradient_sum_kernel;
/// scale f32 [1] -> gradients divided by it, u8 [partials], finite f32 [1]: 1 where all are finite
extern TENON_API KernelSlot<const FlatLeaves&> unscale_kernel;

/// weights (one a leaf), keep f32 [1] -> averages (one a leaf), each w + keep (average - w)
extern TENON_API KernelSlot<const FlatLeaves&> average_update_kernel;
/// -> weights, averages (one a leaf each): they change places
extern TENON_API KernelSlot<const FlatLeaves&> exchange_kernel;

}  // namespace tenon
