/// Matrix products without history, for ops that are made of them (private).
#pragma once

#include <optional>

#include "tenon/tensor.hpp"

namespace tenon {

/// Strides of a matrix as products take it: one is 1, the other spans that axis.
struct MatrixStrides {
  std::int64_t row = 0, col = 0;
};
/// Of a matrix of these sizes and strides; nothing where it is neither row nor column major.
std::optional<MatrixStrides> matrix_strides(std::int64_t rows, std::int64_t columns, std::int64_t row, std::int64_t column);

/// The last two axes of a tensor as an operand. Copies only when the view is neither row nor column major.
struct MatrixOperand {
  Tensor tensor;
  MatrixStrides strides;
  explicit MatrixOperand(const Tensor& t);
};

/// The last two axes exchanged, as a view.
Tensor swap_last(const Tensor& t);
/// f32, for f64 f64: of a bias beside operands of type `t`, and of sums.
DType bias_type(DType t);

/// a x b (+ bias) in type `out`, which is a's or f32. `op`: named in errors and profiles.
Tensor run_product(const char* op, const Tensor& a, const Tensor& b, const Tensor& bias, DType out);

struct SummedProduct {
  Tensor product, sums;
};
/// y^T x in type `out`, and the sums of y's columns. y [k, m] is dense; only where matmul_gives_sums().
SummedProduct run_summed_product(const char* op, const Tensor& y, const Tensor& x, DType out);

/// Whether x's products are computed in f32 and rounded, as those of f16 on a CPU.
bool through_f32(const Tensor& x);
/// Throws linear()'s usage errors, in the name of `op`, for an input of this shape and of the type and device of `x`.
void check_linear(const char* op, const Tensor& x, const Shape& input, const Tensor& weight, const Tensor& bias);

}  // namespace tenon
