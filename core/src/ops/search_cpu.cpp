/// The CPU kernels that look elements up: searches in sorted rows, and counts.
#include <algorithm>
#include <string>
#include <vector>

#include "ops/index_kernels.hpp"
#include "ops/ordering_kernels.hpp"
#include "tenon/device.hpp"

namespace tenon {
namespace {

/// True where a stands before b.
template <class T>
bool stands_before(T a, T b) {
  return a < b || (b != b && a == a);
}

/// out[q] = how many elements at the front of the row satisfy is(element, values[q]), which holds for a front part of it; N searches side
/// by side, whose steps and branches depend on n alone.
template <int N, class T, class F>
void count_front(const T* row, std::int64_t n, const T* values, std::int64_t* out, F is) {
  std::int64_t at[N] = {};
  for (std::int64_t left = n; left > 1;) {
    const std::int64_t half = left / 2;
    for (int q = 0; q < N; ++q) at[q] += half & -std::int64_t(is(row[at[q] + half - 1], values[q]));
    left -= half;
  }
  for (int q = 0; q < N; ++q) out[q] = at[q] + (n > 0 && is(row[at[q]], values[q]));
}
template <class T, class F>
void count_fronts(const T* row, std::int64_t n, const T* values, std::int64_t* out, std::int64_t count, F is) {
  constexpr int kTogether = 8;
  std::int64_t q = 0;
  for (; q + kTogether <= count; q += kTogether) count_front<kTogether>(row, n, values + q, out + q, is);
  for (; q < count; ++q) count_front<1>(row, n, values + q, out + q, is);
}

template <class T>
Kernel make_search(const SortedSearch& p) {
  return [p](void* const* o) {
    const T *sorted = static_cast<const T*>(o[0]), *values = static_cast<const T*>(o[1]);
    auto* out = static_cast<std::int64_t*>(o[2]);
    const std::int64_t lines = p.one_row ? 1 : p.rows;
    parallel_blocks(lines * p.n, 1 << 16, [&](std::int64_t begin, std::int64_t end) {
      bool wrong = false;
      for (std::int64_t i = std::max<std::int64_t>(begin, 1); i < end; ++i) wrong |= !(sorted[i - 1] <= sorted[i]);
      if (!wrong) return;  // otherwise a row's end, NaN, or a place out of order
      for (std::int64_t i = std::max<std::int64_t>(begin, 1); i < end; ++i)
        if (i % p.n && stands_before(sorted[i], sorted[i - 1]))
          throw Error(ErrorKind::data, "searchsorted.not_sorted",
                      "searchsorted: the element at " + std::to_string(i % p.n) + " of row " + std::to_string(i / p.n) + ", " +
                          std::to_string(sorted[i]) + ", stands behind " + std::to_string(sorted[i - 1]),
                      "sort() it along its last axis");
    });
    parallel_blocks(p.rows * p.m, 2048, [&](std::int64_t begin, std::int64_t end) {
      while (begin < end) {  // the part of one row
        const std::int64_t row = begin / p.m, count = std::min(end, (row + 1) * p.m) - begin;
        const T* line = sorted + (p.one_row ? 0 : row * p.n);
        if (p.right)  // NaN, which stands behind all, is not less than anything
          count_fronts(line, p.n, values + begin, out + begin, count, [](T s, T v) { return (s <= v) | (v != v); });
        else
          count_fronts(line, p.n, values + begin, out + begin, count, [](T s, T v) { return (s < v) | ((v != v) & (s == s)); });
        begin += count;
      }
    });
  };
}

/// Each task counts a part for itself; whole numbers add up to the same in any order.
Kernel make_bincount(std::int64_t n, std::int64_t bins) {
  return [n, bins](void* const* o) {
    const auto* x = static_cast<const std::int64_t*>(o[0]);
    auto* counts = static_cast<std::int64_t*>(o[1]);
    constexpr std::int64_t kWorthATask = 1 << 16;
    const std::int64_t tasks = std::clamp<std::int64_t>(n / std::max(kWorthATask, 4 * bins), 1, thread_count()),
                       length = (n + tasks - 1) / tasks;
    std::vector<std::int64_t> others(std::size_t((tasks - 1) * bins), 0);
    std::fill(counts, counts + bins, 0);
    parallel_for(tasks, [&](std::int64_t task) {
      std::int64_t* mine = task ? others.data() + (task - 1) * bins : counts;
      const std::int64_t *at = x + task * length, *end = x + std::min(n, (task + 1) * length);
      const std::uint64_t limit = std::uint64_t(bins);  // by value: the counts could lie where a captured variable does
      for (; at < end; ++at) {
        const std::int64_t place = *at;
        if (std::uint64_t(place) >= limit) refuse_index("bincount", place, at - x, Shape{n}, bins);
        ++mine[place];
      }
    });
    for (std::int64_t task = 1; task < tasks; ++task)
      for (std::int64_t b = 0; b < bins; ++b) counts[b] += others[std::size_t((task - 1) * bins + b)];
  };
}

}  // namespace

KernelSlot<std::int64_t, std::int64_t> bincount_kernel("bincount", make_bincount);
KernelSlot<const SortedSearch&> searchsorted_kernel("searchsorted", [](const SortedSearch& p) -> Kernel {
  return p.dtype == DType::f64 ? make_search<double>(p) : p.dtype == DType::i64 ? make_search<std::int64_t>(p) : make_search<float>(p);
});

}  // namespace tenon
