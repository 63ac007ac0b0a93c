/// Sums on the CPU: runs of rows or columns each by itself, then the runs in order.
#include <algorithm>

#include "ops/dispatch.hpp"
#include "ops/reduce_kernels.hpp"

#define TENON_ISA_FILE "ops/simd/reduce.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kGrain = 16384;  ///< elements a task, about

/// x [outer, reduced, inner] in runs -> sums [outer, runs, inner].
template <class T, class O>
void sum_runs_of(const ReduceShape& s, const T* x, O* sums) {
  const auto columns_of = TENON_BY_ISA(sum_columns<T, O>);
  const auto rows_of = TENON_BY_ISA(sum_rows<T, O>);
  constexpr std::int64_t kColumns = isa_base::kSumColumns;
  const std::int64_t runs = std::max<std::int64_t>(1, s.runs()), blocks = (s.inner + kColumns - 1) / kColumns;
  const std::int64_t task = std::max<std::int64_t>(1, std::min(s.reduced, s.run) * std::min(s.inner, kColumns));
  parallel_blocks(s.outer * runs * blocks, std::max<std::int64_t>(1, kGrain / task), [&](std::int64_t first, std::int64_t last) {
    if (runs == 1 && blocks == 1) {  // neighbours in memory
      const T* from = x + first * s.reduced * s.inner;
      return s.inner == 1 ? rows_of(from, last - first, s.reduced, sums + first)
                          : columns_of(from, last - first, s.reduced, s.inner, s.inner, sums + first * s.inner);
    }
    for (; first < last; ++first) {
      const std::int64_t row_run = first / blocks, column = first % blocks * kColumns, begin = row_run % runs * s.run,
                         n = std::min(s.reduced - begin, s.run);
      const T* from = x + (row_run / runs * s.reduced + begin) * s.inner + column;
      if (s.inner == 1)
        rows_of(from, 1, n, sums + row_run);
      else
        columns_of(from, 1, n, s.inner, std::min(kColumns, s.inner - column), sums + row_run * s.inner + column);
    }
  });
}

/// O: the type of the sums.
template <class T, class O>
Kernel sum_as(ReduceShape s) {
  using Sum = std::conditional_t<std::is_integral_v<T>, std::int64_t, double>;
  return [s](void* const* p) {
    const T* x = static_cast<const T*>(p[0]);
    Sum* partial = static_cast<Sum*>(p[1]);
    O* out = static_cast<O*>(p[2]);
    if (s.runs() <= 1) return sum_runs_of<T, O>(s, x, out);
    sum_runs_of<T, Sum>(s, x, partial);
    sum_runs_of<Sum, O>({s.outer, s.runs(), s.inner, s.runs()}, partial, out);
  };
}

Kernel make_sum(ReduceShape s, DType dtype, DType sums) {
  return dispatch_all(dtype, [&](auto t) -> Kernel {
    using T = typename decltype(t)::type;
    using Wide = WideSum<T>;
    if constexpr (!std::is_same_v<T, Wide> && !std::is_integral_v<T>)
      if (sums == dtype) return sum_as<T, T>(s);
    return sum_as<std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>, Wide>(s);  // a bool is stored as 0 or 1
  });
}

}  // namespace

KernelSlot<ReduceShape, DType, DType> sum_kernel{"sum", make_sum};

}  // namespace tenon
