/// Triangular systems, Cholesky and LU factors of large order on CUDA: blocks of the diagonal by kernels, what is beside them by matrix products (private).
#pragma once

#include <cstdint>
#include <functional>

#include "ops/linalg_kernels.hpp"

namespace tenon::cuda {

/// One triangle of [matrices, n, n] f64 matrices, as it stands in op(T) X = B.
struct Triangle {
  std::int64_t count, matrices, n, k;  ///< as in linalg::System
  bool upper, unit;                    ///< of op(T)
  bool turned;                         ///< op(T) is T's transpose
  std::int64_t row = 0, step = 0;      ///< values from a row of T, and from a matrix, to the next; 0: dense
};

/// Orders up to this go by one block a system.
inline constexpr std::int64_t kSolvedByOneBlock = 128;

/// Solves in place. x [count, n, k]; space: as large, of no values afterwards; reasons [matrices]: systems of a matrix whose reason is not 0 become NaN, null: none.
using SolveCall = std::function<void(const double* t, double* x, double* space, const std::int64_t* reasons)>;
/// n, k, count > 0. Sums of each value run in an order that sizes, and for the products alignment and the library, decide.
SolveCall make_blocked_solve(const Triangle& t);

/// Lower Cholesky factors of a [count, n, n] in place, from its lower triangles; what is above the diagonal is zero then. bad [count], zero before: the order of the
/// first minor that is not positive; such a matrix is left with values that say nothing. space: factor_space(count, n) values.
using FactorCall = std::function<void(double* a, double* space, std::int64_t* bad)>;
FactorCall make_blocked_cholesky(std::int64_t count, std::int64_t n);
std::int64_t factor_space(std::int64_t count, std::int64_t n);

/// P A = L U of a [count, n, n] in place with partial pivoting; pivots [count, n] from 0. zero [count], zero before: the place of the first pivot that is 0, from 1; what
/// is below it stays. space: lu_space(count, n) values.
using LuCall = std::function<void(double* a, std::int32_t* pivots, double* space, std::int64_t* zero)>;
LuCall make_blocked_lu(std::int64_t count, std::int64_t n);
std::int64_t lu_space(std::int64_t count, std::int64_t n);

}  // namespace tenon::cuda
