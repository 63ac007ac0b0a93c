/// Largest and smallest numbers along an axis on the CPU: of rows, or of neighbouring columns side by side.
#include <algorithm>
#include <limits>
#include <vector>

#include "ops/dispatch.hpp"
#include "ops/extreme_kernels.hpp"

#define TENON_ISA_FILE "ops/simd/extreme.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kGrain = 16384;  ///< elements a task, about
constexpr std::int64_t kPart = 4096;    ///< rows that columns are cut into, at least
constexpr std::int64_t kFewTasks = 32;
constexpr std::int64_t kMostRows = std::numeric_limits<std::int32_t>::max();

template <Extreme Which, class T>
void along_rows(const AxisSplit& s, const T* x, T* values, std::int64_t* places) {
  const auto rows_of = TENON_BY_ISA(extreme_rows<Which, T>);
  parallel_blocks(s.outer, std::max<std::int64_t>(1, kGrain / s.n), [&](std::int64_t begin, std::int64_t end) {
    rows_of(x + begin * s.n, end - begin, s.n, values + begin, places + begin);
  });
}

/// Of `count` columns of x [n, inner], whose rows are cut into parts; the winners of the parts are compared in order.
template <Extreme Which, class T>
void search_parts(const AxisSplit& s, const T* x, std::int64_t parts, std::int64_t count, std::int64_t* places) {
  using C = isa_base::Compared<T>;
  const auto columns_of = TENON_BY_ISA(extreme_columns<Which, T>);
  const std::int64_t part = (s.n + parts - 1) / parts;
  std::vector<std::int64_t> winners(std::size_t(parts * count));
  parallel_for(parts, [&](std::int64_t p) {
    columns_of(x + p * part * s.inner, p * part, std::min(part, s.n - p * part), s.inner, count, winners.data() + p * count);
  });
  std::copy_n(winners.begin(), count, places);
  for (std::int64_t p = 1; p < parts; ++p)
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t other = winners[std::size_t(p * count + i)];
      const C v = C(x[other * s.inner + i]), best = C(x[places[i] * s.inner + i]);
      if (isa_base::beats<Which>(v, best) || (v != v && best == best)) places[i] = other;
    }
}

template <Extreme Which, class T>
void along_columns(const AxisSplit& s, const T* x, T* values, std::int64_t* places) {
  const auto columns_of = TENON_BY_ISA(extreme_columns<Which, T>);
  constexpr std::int64_t kWidth = isa_base::kExtremeColumns;
  const std::int64_t blocks = (s.inner + kWidth - 1) / kWidth, tasks = s.outer * blocks;
  if (tasks == 0) return;
  // where there are few columns, tasks are parts of their rows
  const std::int64_t parts = std::max({std::int64_t(1), std::min(s.n / kPart, kFewTasks / tasks), (s.n + kMostRows - 1) / kMostRows});
  const auto search = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t column = task % blocks * kWidth, count = std::min(kWidth, s.inner - column), at = task / blocks * s.inner + column;
      const T* from = x + task / blocks * s.n * s.inner + column;
      if (parts > 1)
        search_parts<Which>(s, from, parts, count, places + at);
      else
        columns_of(from, 0, s.n, s.inner, count, places + at);
      for (std::int64_t i = 0; i < count; ++i) values[at + i] = from[places[at + i] * s.inner + i];
    }
  };
  if (parts > 1)
    search(0, tasks);
  else
    parallel_blocks(tasks, std::max<std::int64_t>(1, kGrain / (s.n * std::min(s.inner, kWidth))), search);
}

template <Extreme Which, class T>
Kernel extreme_of(const AxisSplit& s) {
  return [s](void* const* p) {
    const T* x = static_cast<const T*>(p[0]);
    T* values = static_cast<T*>(p[1]);
    auto* places = static_cast<std::int64_t*>(p[2]);
    return s.inner == 1 ? along_rows<Which>(s, x, values, places) : along_columns<Which>(s, x, values, places);
  };
}

Kernel make_extreme(Extreme which, const AxisSplit& s, DType dtype) {
  return dispatch_all(dtype, [&](auto t) {
    using T = typename decltype(t)::type;
    return which == Extreme::max ? extreme_of<Extreme::max, T>(s) : extreme_of<Extreme::min, T>(s);
  });
}

Kernel make_extreme_rows(Extreme which, std::int64_t rows, std::int64_t n, DType dtype) {
  AxisSplit s;
  s.outer = rows, s.n = n;
  return make_extreme(which, s, dtype);
}

}  // namespace

KernelSlot<Extreme, std::int64_t, std::int64_t, DType> extreme_kernel{"max", make_extreme_rows};
KernelSlot<Extreme, const AxisSplit&, DType> extreme_axis_kernel{"max", make_extreme};

}  // namespace tenon
