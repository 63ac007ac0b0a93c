/// Kernel columns of the reductions (private).
#pragma once

#include <type_traits>

#include "tenon/kernel.hpp"

namespace tenon {

enum class Extreme { max, min };

/// x dense [outer, reduced, inner] -> out [outer, inner]; sums carried in f64, in runs of `run` combined in order.
inline constexpr std::int64_t kSumRun = 4096;
struct ReduceShape {
  std::int64_t outer, reduced, inner, run = kSumRun;
  std::int64_t runs() const { return (reduced + run - 1) / run; }
};
using SumRunFn = std::function<std::int64_t(const ReduceShape&, DType)>;
/// The length of a run on a device, by the shape alone; kSumRun unless set along with its kernel.
TENON_API void set_sum_run(DeviceType type, SumRunFn run);
/// What elements are summed to without a second rounding: i64, f32 or f64.
template <class T>
using WideSum = std::conditional_t<std::is_integral_v<T>, std::int64_t, std::conditional_t<sizeof(T) == 2, float, T>>;
/// Operands: x; partial sums f64 (i64 for integers, which are summed exactly) [outer, runs, inner]; out. The types of x and of out, i64 for integers,
/// the type of x or f32 for 16 bits, else that of x.
TENON_API extern KernelSlot<ReduceShape, DType, DType> sum_kernel;
/// Operands: x dense [rows, n]; values [rows] of x's type; positions i64 [rows].
TENON_API extern KernelSlot<Extreme, std::int64_t, std::int64_t, DType> extreme_kernel;

}  // namespace tenon
