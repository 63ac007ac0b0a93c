/// What a list of matrix products is, in numbers: c[b] = a[b] x b[b] (+ bias).
#pragma once

#include <cstdint>
#include <vector>

#include "tenon/dtype.hpp"

namespace tenon {

/// What a product does to its values before they are stored: an activation, or the gradient of one, whose inputs' gradient it then makes.
enum class Epilogue : std::uint8_t { none, relu, gelu_tanh, relu_gradient, gelu_tanh_gradient };

constexpr bool is_gradient(Epilogue e) {
  return e == Epilogue::relu_gradient || e == Epilogue::gelu_tanh_gradient;
}
/// What an activation keeps for its gradient, `columns` values a row: of GELU its inputs, in c's type; of ReLU a bit a value, in an order that is
/// the device's own affair. This is the distance of rows in elements (bits), which are as cuBLASLt wants them.
constexpr std::int64_t auxiliary_row(Epilogue e, std::int64_t columns) {
  const std::int64_t unit = e == Epilogue::relu || e == Epilogue::relu_gradient ? 128 : 8;
  return (columns + unit - 1) / unit * unit;
}

struct MatmulGeometry {
  DType in = DType::f32;   ///< of a and b: f32, f64 or bf16; on CUDA f16 too
  DType out = DType::f32;  ///< of c: that of a and b, or f32 for 16-bit ones
  std::int64_t m = 0, n = 0, k = 0;  ///< at least 1
  // Strides in elements; of each pair one is 1 and the other spans at least the other axis. c is dense, row major.
  std::int64_t a_row = 0, a_col = 0, b_row = 0, b_col = 0;
  std::vector<std::int64_t> a_offset{0}, b_offset{0};  ///< in elements, one a matrix of the result
  bool bias = false;                                   ///< one value a column: f32, for f64 f64
  /// Also the sums of a's rows, one a row of c, f32, for f64 f64: what a layer's weight gradient and its bias' have in common. One matrix,
  /// no bias; a is the transpose of a dense matrix (a_row 1, a_col m; of one row a_row k, a_col 1). With an activation's gradient: the sums of c's columns instead, which are
  /// those of the bias before the activation.
  bool sums = false;
  Epilogue epilogue = Epilogue::none;  ///< one matrix, and `out` is `in`
  bool auxiliary = false;              ///< of an activation: also what its gradient reads
};

}  // namespace tenon
