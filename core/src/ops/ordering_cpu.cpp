/// The CPU kernels of the ordering ops: rows in parallel, or one long row cut among the threads.
#include <bit>

#include "kernels/elementwise.hpp"
#include "ops/dispatch.hpp"
#include "ops/index_kernels.hpp"
#include "ops/ordering_kernels.hpp"
#include "ops/radix_sort.hpp"
#include "tenon/device.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kLongRow = 1 << 15;  ///< elements from which several threads share a row
constexpr std::int64_t kBlock = 64;         ///< keys compared with the limit at a time
constexpr std::int64_t kSpare = 64;         ///< candidates beyond the k best that are collected before the worst are dropped

std::int64_t record_bytes(DType t) { return size_of(t) == 8 ? sizeof(WideRecord) : sizeof(NarrowRecord); }

/// [first, last) of the rows of each task, in parallel.
template <class F>
void for_tasks(const RowOrder& p, const F& body) {
  const std::int64_t tasks = p.tasks(), rows = (p.rows + tasks - 1) / tasks;
  parallel_for(tasks, [&](std::int64_t task) { body(task, task * rows, std::min(p.rows, (task + 1) * rows)); });
}

template <class T>
void write_order(const SortRecord<T>* records, std::int64_t n, const T* x, bool descending, T* values, std::int64_t* indices) {
  for (std::int64_t i = 0; i < n; ++i) {
    const SortRecord<T> r = records[i];
    const std::int64_t at = r.index();
    indices[i] = at;  // may be where the record itself stood
    values[i] = shared_key<T>(r.key(), descending) ? x[at] : from_sort_key<T>(r.key(), descending);
  }
}

// ---- sort ----------------------------------------------------------------------------------------------------------

template <class T>
void sort_row(const RowOrder& p, std::int64_t row, std::int64_t chunks, const T* x, T* values, std::int64_t* indices, SortRecord<T>* space) {
  using Record = SortRecord<T>;
  x += row * p.n;
  values += row * p.n;
  indices += row * p.n;
  // narrow records have the size of the indices, whose place they take until the end
  Record *a = space + p.n, *b = space;
  if constexpr (sizeof(Record) == sizeof(std::int64_t)) a = reinterpret_cast<Record*>(indices);
  const std::int64_t length = (p.n + chunks - 1) / chunks;
  parallel_for(chunks, [&](std::int64_t c) {
    for (std::int64_t i = c * length; i < std::min(p.n, (c + 1) * length); ++i) a[i] = Record::of(sort_key(x[i], p.descending), i);
  });
  const Record* sorted = radix_sort(a, b, p.n, chunks);
  parallel_for(chunks, [&](std::int64_t c) {
    const std::int64_t i = c * length;
    if (i < p.n) write_order<T>(sorted + i, std::min(length, p.n - i), x, p.descending, values + i, indices + i);
  });
}

template <class T>
Kernel make_sort(const RowOrder& p) {
  return [p](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* values = static_cast<T*>(o[1]);
    auto* indices = static_cast<std::int64_t*>(o[2]);
    auto* space = static_cast<SortRecord<T>*>(o[3]);
    const std::int64_t threads = thread_count();
    if (p.rows < threads && p.n >= kLongRow) {
      for (std::int64_t row = 0; row < p.rows; ++row) sort_row(p, row, threads, x, values, indices, space);
      return;
    }
    const std::int64_t share = std::int64_t(p.sort_bytes()) / p.tasks() / std::int64_t(sizeof(SortRecord<T>));
    for_tasks(p, [&](std::int64_t task, std::int64_t first, std::int64_t last) {
      for (std::int64_t row = first; row < last; ++row) sort_row(p, row, 1, x, values, indices, space + task * share);
    });
  };
}

// ---- topk ----------------------------------------------------------------------------------------------------------

/// The k smallest records of those offered: candidates are collected up to `capacity`, then all but the best k are dropped, and from then on
/// only what is better than the worst of these is a candidate.
template <class T>
struct Selection {
  using Record = SortRecord<T>;
  Record* held;
  std::int64_t k, capacity, count = 0;
  typename Record::Key limit = ~typename Record::Key(0);

  void offer(const T* x, std::int64_t begin, std::int64_t end, bool descending) {
    typename Record::Key keys[kBlock];
    for (; begin < end; begin += kBlock) {
      const std::int64_t n = std::min(kBlock, end - begin);
      typename Record::Key best = ~typename Record::Key(0);
      for (std::int64_t i = 0; i < n; ++i) {
        keys[i] = sort_key(x[begin + i], descending);
        best = std::min(best, keys[i]);
      }
      if (best > limit) continue;
      for (std::int64_t i = 0; i < n; ++i) {
        if (keys[i] > limit) continue;
        if (count == capacity) keep_best();
        held[count++] = Record::of(keys[i], begin + i);
      }
    }
  }
  void keep_best() {
    if (count <= k) return;
    std::nth_element(held, held + k - 1, held + count);
    count = k;
    limit = held[k - 1].key();
  }
};

std::int64_t topk_capacity(const RowOrder& p) { return std::min(p.n, 2 * p.k + kSpare); }

/// Pieces of a row that is shared among threads; fixed, so that the workspace is known. 1 where the row is not worth it.
std::int64_t topk_pieces(const RowOrder& p) {
  if (p.rows >= 8) return 1;
  return std::clamp<std::int64_t>(p.n / std::max<std::int64_t>(kLongRow, 8 * topk_capacity(p)), 1, 16);
}

template <class T>
Kernel make_topk(const RowOrder& p) {
  using Record = SortRecord<T>;
  const std::int64_t capacity = topk_capacity(p), pieces = topk_pieces(p);
  return [p, capacity, pieces](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* values = static_cast<T*>(o[1]);
    auto* indices = static_cast<std::int64_t*>(o[2]);
    Record* space = static_cast<Record*>(o[3]);
    for_tasks(p, [&](std::int64_t task, std::int64_t first, std::int64_t last) {
      Record* mine = space + task * capacity * pieces;
      for (std::int64_t row = first; row < last; ++row) {
        const std::int64_t length = (p.n + pieces - 1) / pieces;
        std::array<std::int64_t, 16> found{};
        parallel_for(pieces, [&](std::int64_t piece) {
          Selection<T> s{mine + piece * capacity, p.k, capacity};
          s.offer(x + row * p.n, piece * length, std::min(p.n, (piece + 1) * length), p.descending);
          s.keep_best();
          found[std::size_t(piece)] = s.count;
        });
        Selection<T> all{mine, p.k, capacity * pieces, found[0]};
        for (std::int64_t piece = 1; piece < pieces; ++piece) {
          std::copy_n(mine + piece * capacity, found[std::size_t(piece)], mine + all.count);
          all.count += found[std::size_t(piece)];
        }
        all.keep_best();
        std::sort(mine, mine + p.k);
        write_order<T>(mine, p.k, x + row * p.n, p.descending, values + row * p.k, indices + row * p.k);
      }
    });
  };
}

// ---- runs and searches ---------------------------------------------------------------------------------------------

Kernel make_run_starts(DType dtype, std::int64_t n) {
  return dispatch_all(dtype, [&](auto tag) -> Kernel {
    using T = typename decltype(tag)::type;
    using C = kernels::Computed<T>;
    return [n](void* const* o) {
      const T* x = static_cast<const T*>(o[0]);
      bool* starts = static_cast<bool*>(o[1]);
      parallel_blocks(n, 1 << 15, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          const C before = C(x[i ? i - 1 : 0]), v = C(x[i]);
          starts[i] = i == 0 || (v != before && before == before);  // NaN, all at the end, are one run
        }
      });
    };
  });
}

/// True where a stands before b.
template <class T>
bool stands_before(T a, T b) {
  return a < b || (b != b && a == a);
}

/// out[e] = how many elements at the front of the row satisfy is(element, values[e]), which holds for a front part of it. Neither the steps nor
/// their branches depend on values, and eight searches go side by side.
template <class T, class F>
void count_fronts(const T* row, std::int64_t n, const T* values, std::int64_t* out, std::int64_t count, F is) {
  constexpr std::int64_t kTogether = 8;
  for (; count > 0; count -= kTogether, values += kTogether, out += kTogether) {
    const std::int64_t together = std::min(count, kTogether);
    std::int64_t at[kTogether] = {};
    for (std::int64_t left = n; left > 1;) {
      const std::int64_t half = left / 2;
      for (std::int64_t q = 0; q < together; ++q) at[q] += half & -std::int64_t(is(row[at[q] + half - 1], values[q]));
      left -= half;
    }
    for (std::int64_t q = 0; q < together; ++q) out[q] = at[q] + (n > 0 && is(row[at[q]], values[q]));
  }
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
                      "searchsorted: the element at " + std::to_string(i % p.n) + " of row " + std::to_string(i / p.n) + ", " + std::to_string(sorted[i]) +
                          ", stands behind " + std::to_string(sorted[i - 1]),
                      "sort() it along its last axis");
    });
    parallel_blocks(p.rows * p.m, 2048, [&](std::int64_t begin, std::int64_t end) {
      while (begin < end) {  // the part of one row
        const std::int64_t row = begin / p.m, count = std::min(end, (row + 1) * p.m) - begin;
        const T* line = sorted + (p.one_row ? 0 : row * p.n);
        if (p.right)  // NaN, which stands behind all, is not less than anything
          count_fronts(line, p.n, values + begin, out + begin, count, [](T s, T v) { return s <= v || v != v; });
        else
          count_fronts(line, p.n, values + begin, out + begin, count, [](T s, T v) { return s < v || (v != v && s == s); });
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
    const std::int64_t tasks = std::clamp<std::int64_t>(n / std::max(kWorthATask, 4 * bins), 1, thread_count()), length = (n + tasks - 1) / tasks;
    std::vector<std::int64_t> others(std::size_t((tasks - 1) * bins), 0);
    std::fill(counts, counts + bins, 0);
    parallel_for(tasks, [&](std::int64_t task) {
      std::int64_t* mine = task ? others.data() + (task - 1) * bins : counts;
      for (std::int64_t i = task * length; i < std::min(n, (task + 1) * length); ++i) {
        if (std::uint64_t(x[i]) >= std::uint64_t(bins)) refuse_index("bincount", x[i], i, Shape{n}, bins);
        ++mine[x[i]];
      }
    });
    for (std::int64_t task = 1; task < tasks; ++task)
      for (std::int64_t b = 0; b < bins; ++b) counts[b] += others[std::size_t((task - 1) * bins + b)];
  };
}

}  // namespace

std::size_t RowOrder::sort_bytes() const {
  return std::size_t(tasks() * n * record_bytes(dtype)) * (size_of(dtype) == 8 ? 2 : 1);
}
std::size_t RowOrder::topk_bytes() const { return std::size_t(tasks() * topk_capacity(*this) * topk_pieces(*this) * record_bytes(dtype)); }

KernelSlot<const RowOrder&> sort_kernel("sort", [](const RowOrder& p) -> Kernel {
  return dispatch_all(p.dtype, [&](auto tag) -> Kernel { return make_sort<typename decltype(tag)::type>(p); });
});
KernelSlot<const RowOrder&> topk_kernel("topk", [](const RowOrder& p) -> Kernel {
  return dispatch_all(p.dtype, [&](auto tag) -> Kernel { return make_topk<typename decltype(tag)::type>(p); });
});
KernelSlot<DType, std::int64_t> run_starts_kernel("unique", make_run_starts);
KernelSlot<std::int64_t, std::int64_t> bincount_kernel("bincount", make_bincount);
KernelSlot<const SortedSearch&> searchsorted_kernel("searchsorted", [](const SortedSearch& p) -> Kernel {
  return p.dtype == DType::f64 ? make_search<double>(p) : p.dtype == DType::i64 ? make_search<std::int64_t>(p) : make_search<float>(p);
});

}  // namespace tenon
