/// The CPU kernels that put elements in order: rows in parallel, or one long row cut among the threads.
#include "ops/dispatch.hpp"
#include "ops/ordering_kernels.hpp"
#include "ops/radix_sort.hpp"
#include "tenon/device.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kLongRow = 1 << 15;  ///< elements from which several threads share a row
constexpr std::int64_t kBlock = 64;         ///< keys made, and compared with the limit, at a time
constexpr std::int64_t kMostPieces = 16;    ///< of one row
constexpr std::int64_t kSpare = 64;         ///< candidates beyond the k best that are collected before the worst are dropped

std::int64_t record_bytes(DType t) {
  return size_of(t) == 8 ? sizeof(WideRecord) : sizeof(NarrowRecord);
}

/// [first, last) of the rows of each task, in parallel.
template <class F>
void for_tasks(const RowOrder& p, const F& body) {
  const std::int64_t tasks = p.tasks(), rows = (p.rows + tasks - 1) / tasks;
  parallel_for(tasks, [&](std::int64_t task) { body(task, task * rows, std::min(p.rows, (task + 1) * rows)); });
}

// ---- element types -------------------------------------------------------------------------------------------------

/// All that sorting asks of an element type; the rest is compiled once a kind of record.
template <class Record>
struct Elements {
  using Keys = void(const void* x, std::int64_t n, bool descending, typename Record::Key* keys);
  using Write = void(const Record* records, std::int64_t n, const void* x, bool descending, void* values, std::int64_t* indices);
  Keys* keys;
  Write* write;
  std::int64_t size;

  const char* at(const void* x, std::int64_t i) const { return static_cast<const char*>(x) + i * size; }
  char* at(void* x, std::int64_t i) const { return static_cast<char*>(x) + i * size; }
};

template <class T>
void keys_of(const void* x, std::int64_t n, bool descending, SortKey<T>* keys) {
  for (std::int64_t i = 0; i < n; ++i) keys[i] = sort_key(static_cast<const T*>(x)[i], descending);
}

template <class T>
void write_order(const SortRecord<T>* records, std::int64_t n, const void* x, bool descending, void* values, std::int64_t* indices) {
  for (std::int64_t i = 0; i < n; ++i) {
    const SortRecord<T> r = records[i];
    const std::int64_t at = r.index();
    indices[i] = at;  // may be where the record itself stood
    static_cast<T*>(values)[i] = shared_key<T>(r.key(), descending) ? static_cast<const T*>(x)[at] : from_sort_key<T>(r.key(), descending);
  }
}

template <template <class> class Make>
Kernel by_record(const RowOrder& p) {
  return dispatch_all(p.dtype, [&](auto tag) -> Kernel {
    using T = typename decltype(tag)::type;
    return Make<SortRecord<T>>()(p, {keys_of<T>, write_order<T>, sizeof(T)});
  });
}

// ---- sort ----------------------------------------------------------------------------------------------------------

template <class Record>
void sort_row(const RowOrder& p, const Elements<Record>& elements, std::int64_t row, std::int64_t chunks, const void* all_x,
              void* all_values, std::int64_t* indices, Record* space) {
  const char* x = elements.at(all_x, row * p.n);
  char* values = elements.at(all_values, row * p.n);
  indices += row * p.n;
  // narrow records have the size of the indices, whose place they take until the end
  Record *a = space + p.n, *b = space;
  if constexpr (sizeof(Record) == sizeof(std::int64_t)) a = reinterpret_cast<Record*>(indices);
  const std::int64_t length = (p.n + chunks - 1) / chunks;
  parallel_for(chunks, [&](std::int64_t c) {
    typename Record::Key keys[kBlock];
    for (std::int64_t i = c * length, end = std::min(p.n, i + length); i < end; i += kBlock) {
      const std::int64_t n = std::min(kBlock, end - i);
      elements.keys(elements.at(x, i), n, p.descending, keys);
      for (std::int64_t k = 0; k < n; ++k) a[i + k] = Record::of(keys[k], i + k);
    }
  });
  const Record* sorted = radix_sort(a, b, p.n, chunks);
  parallel_for(chunks, [&](std::int64_t c) {
    const std::int64_t i = c * length;
    if (i < p.n) elements.write(sorted + i, std::min(length, p.n - i), x, p.descending, elements.at(values, i), indices + i);
  });
}

template <class Record>
struct MakeSort {
  Kernel operator()(const RowOrder& p, const Elements<Record>& elements) const {
    return [p, elements](void* const* o) {
      auto* indices = static_cast<std::int64_t*>(o[2]);
      auto* space = static_cast<Record*>(o[3]);
      const std::int64_t threads = thread_count();
      if (p.rows < threads && p.n >= kLongRow) {
        for (std::int64_t row = 0; row < p.rows; ++row) sort_row(p, elements, row, threads, o[0], o[1], indices, space);
        return;
      }
      const std::int64_t share = std::int64_t(p.sort_bytes(1)) / std::int64_t(sizeof(Record));
      for_tasks(p, [&](std::int64_t task, std::int64_t first, std::int64_t last) {
        for (std::int64_t row = first; row < last; ++row) sort_row(p, elements, row, 1, o[0], o[1], indices, space + task * share);
      });
    };
  }
};

// ---- topk ----------------------------------------------------------------------------------------------------------

/// The k smallest records of those offered: candidates are collected up to `capacity`, then all but the best k are dropped, and from then
/// on only what is no worse than the worst of these is a candidate.
template <class Record>
struct Selection {
  using Key = typename Record::Key;
  Record* held;
  std::int64_t k, capacity, count = 0;
  Key limit = ~Key(0);

  void offer(const Elements<Record>& elements, const void* x, std::int64_t begin, std::int64_t end, bool descending) {
    Key keys[kBlock];
    for (; begin < end; begin += kBlock) {
      const std::int64_t n = std::min(kBlock, end - begin);
      elements.keys(elements.at(x, begin), n, descending, keys);
      Key best = ~Key(0);
      for (std::int64_t i = 0; i < n; ++i) best = std::min(best, keys[i]);
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

std::int64_t topk_capacity(const RowOrder& p) {
  return std::min(p.n, 2 * p.k + kSpare);
}

/// Pieces of a row that is shared among threads; fixed, so that the workspace is known. 1 where the row is not worth it.
std::int64_t topk_pieces(const RowOrder& p) {
  if (p.rows >= 8) return 1;
  return std::clamp<std::int64_t>(p.n / std::max<std::int64_t>(kLongRow, 8 * topk_capacity(p)), 1, kMostPieces);
}

template <class Record>
void topk_row(const RowOrder& p, const Elements<Record>& elements, std::int64_t row, const void* all_x, void* values, std::int64_t* indices,
              Record* space) {
  const std::int64_t capacity = topk_capacity(p), pieces = topk_pieces(p), length = (p.n + pieces - 1) / pieces;
  const char* x = elements.at(all_x, row * p.n);
  std::array<std::int64_t, kMostPieces> found{};
  const auto select = [&](std::int64_t piece) {
    Selection<Record> s{space + piece * capacity, p.k, capacity};
    s.offer(elements, x, piece * length, std::min(p.n, (piece + 1) * length), p.descending);
    s.keep_best();
    found[std::size_t(piece)] = s.count;
  };
  if (pieces == 1)
    select(0);
  else
    parallel_for(pieces, select);
  Selection<Record> all{space, p.k, capacity * pieces, found[0]};
  for (std::int64_t piece = 1; piece < pieces; ++piece) {
    std::copy_n(space + piece * capacity, found[std::size_t(piece)], space + all.count);
    all.count += found[std::size_t(piece)];
  }
  all.keep_best();
  std::sort(space, space + p.k);
  elements.write(space, p.k, x, p.descending, elements.at(values, row * p.k), indices + row * p.k);
}

template <class Record>
struct MakeTopk {
  Kernel operator()(const RowOrder& p, const Elements<Record>& elements) const {
    return [p, elements, share = topk_capacity(p) * topk_pieces(p)](void* const* o) {
      for_tasks(p, [&](std::int64_t task, std::int64_t first, std::int64_t last) {
        for (std::int64_t row = first; row < last; ++row)
          topk_row(p, elements, row, o[0], o[1], static_cast<std::int64_t*>(o[2]), static_cast<Record*>(o[3]) + task * share);
      });
    };
  }
};

// ---- runs of equals ---- ---------------------------------------------------------------------------------------------

template <class Record>
struct MakeRunStarts {
  Kernel operator()(const RowOrder& p, const Elements<Record>& elements) const {
    return [n = p.n, elements](void* const* o) {
      bool* starts = static_cast<bool*>(o[1]);
      parallel_blocks(n, 1 << 15, [&](std::int64_t begin, std::int64_t end) {
        typename Record::Key keys[kBlock + 1];  // from one before the block on
        for (; begin < end; begin += kBlock) {
          const std::int64_t before = begin ? 1 : 0, count = std::min(kBlock, end - begin);
          elements.keys(elements.at(o[0], begin - before), count + before, false, keys + 1 - before);
          if (!before) keys[0] = ~keys[1];
          for (std::int64_t i = 0; i < count; ++i) starts[begin + i] = keys[i + 1] != keys[i];
        }
      });
    };
  }
};

}  // namespace

std::size_t RowOrder::sort_bytes(std::int64_t rows_at_once) const {
  return std::size_t(rows_at_once * n * record_bytes(dtype)) * (size_of(dtype) == 8 ? 2 : 1);
}
std::size_t RowOrder::topk_bytes() const {
  return std::size_t(tasks() * topk_capacity(*this) * topk_pieces(*this) * record_bytes(dtype));
}

KernelSlot<const RowOrder&> sort_kernel("sort", by_record<MakeSort>);
KernelSlot<const RowOrder&> topk_kernel("topk", by_record<MakeTopk>);
KernelSlot<const RowOrder&> run_starts_kernel("unique", by_record<MakeRunStarts>);

}  // namespace tenon
