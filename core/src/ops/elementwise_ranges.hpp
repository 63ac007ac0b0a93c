/// Dense loops of the elementwise ops that are little work a value, in the stored type, for this CPU (private).
///
/// No operand is the result.
#pragma once

#include <cstdint>

#include "ops/elementwise_loops.hpp"

namespace tenon {

template <class T>
using CompareLoop = void (*)(std::int64_t n, const T* x, const T* y, bool* z);
template <class Bytes>
using ChoiceLoop = void (*)(std::int64_t n, const bool* condition, const Bytes* x, const Bytes* y, Bytes* z);

/// z = op(x, y) over `rows` rows of n: x and y go along a row by 1, or one of them not at all; z by 1.
template <class T>
struct BinaryRows {
  std::int64_t rows, n;
  const T *x, *y;
  T* z;
  std::int64_t x_step, y_step, x_row, y_row, z_row;
};
template <class T>
using RowsLoop = void (*)(BinaryRows<T> r);

/// Null for ops that have none. T: f32, f64, bf16 and the integers (bool as u8); of integers those that 64-bit arithmetic cut to the type
/// would give.
template <class T>
BinaryLoop<T> binary_range_of(kernels::Binary kind);
template <class T>
CompareLoop<T> compare_range_of(kernels::Binary kind);
/// T: f32, f64 or f16.
template <class T>
RowsLoop<T> binary_rows_of(kernels::Binary kind);
/// T: f32, f64 or bf16.
template <class T>
UnaryLoop<T> unary_range_of(kernels::Unary kind);
/// Bytes: of dispatch_size.
template <class Bytes>
ChoiceLoop<Bytes> choice_range();

}  // namespace tenon
