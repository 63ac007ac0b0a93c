/// Sorting, the first k, and runs of equals: rows that fit shared memory there, longer ones by digits, the longest by a library.
#include <algorithm>

#include "backend/cuda/divider.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/long_rows.hpp"
#include "backend/cuda/radix_sort.cuh"
#include "backend/cuda/scratch.cuh"
#include "ops/dispatch.hpp"
#include "ops/ordering_kernels.hpp"

namespace tenon::cuda {
namespace {

/// Records that a block sorts: 32 KiB.
template <class Record>
inline constexpr int kSharedRecords = int(32768 / sizeof(Record));

template <class T>
__device__ inline T element_of(const SortRecord<T>& r, const T* row, bool descending) {
  return shared_key<T>(r.key(), descending) ? row[r.index()] : from_sort_key<T>(r.key(), descending);
}

/// `together` rows a block, each filled up to `padded` records.
template <class T>
__global__ void sort_short_rows(const T* x, T* values, std::int64_t* indices, std::int64_t rows, int n, int k, int padded, int together,
                                bool descending) {
  using Record = SortRecord<T>;
  Record* records = dynamic_shared<Record>();
  const std::int64_t first = std::int64_t(blockIdx.x) * together;
  for (int i = int(threadIdx.x); i < padded * together; i += int(blockDim.x)) {
    const std::int64_t row = first + i / padded;
    const int column = i & (padded - 1);
    records[i] = row < rows && column < n ? Record::of(sort_key(x[row * n + column], descending), column) : last_record<Record>();
  }
  __syncthreads();
  sort_shared(records, padded, together);
  for (int i = int(threadIdx.x); i < padded * together; i += int(blockDim.x)) {
    const std::int64_t row = first + i / padded;
    const int column = i & (padded - 1);
    if (row >= rows || column >= k) continue;
    values[row * k + column] = element_of<T>(records[i], x + row * n, descending);
    indices[row * k + column] = records[i].index();
  }
}

template <class T>
void run_short(const char* name, const RowOrder& p, void* const* o) {
  using Record = SortRecord<T>;
  int padded = 2;
  while (padded < p.n) padded *= 2;
  const int together = int(std::clamp<std::int64_t>(512 / padded, 1, p.rows));
  const int threads = std::clamp(padded * together / 2, 32, 1024);
  start(name, dim3(unsigned((p.rows + together - 1) / together)), dim3(unsigned(threads)),
        sizeof(Record) * std::size_t(padded) * std::size_t(together), sort_short_rows<T>, static_cast<const T*>(o[0]),
        static_cast<T*>(o[1]), static_cast<std::int64_t*>(o[2]), p.rows, int(p.n), int(p.k), padded, together, p.descending);
}

// ---- long rows -----------------------------------------------------------------------------------------------------------

// How their records lie: whole, or keys apart from positions, as a library sorts what is wider than a number of 64 bits.

template <class Record>
struct Whole {
  Record* records;
  __device__ void put(std::int64_t i, const Record& r) const { records[i] = r; }
  __device__ Record get(std::int64_t i) const { return records[i]; }
};
struct Apart {
  std::uint64_t* keys;
  std::uint32_t* at;
  __device__ void put(std::int64_t i, const WideRecord& r) const {
    keys[i] = r.key();
    at[i] = std::uint32_t(r.index());
  }
  __device__ WideRecord get(std::int64_t i) const { return WideRecord::of(keys[i], at[i]); }
};

template <class T, class Records>
__global__ void __launch_bounds__(kBlock) make_records(const T* x, Records records, std::int64_t count, LongDivider n, bool descending) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    std::int64_t column = i;
    n.split(column);
    records.put(i, SortRecord<T>::of(sort_key(x[i], descending), column));
  }
}

/// Whole records may lie where the indices go.
template <class T, class Records>
__global__ void __launch_bounds__(kBlock)
    write_order(Records records, const T* x, T* values, std::int64_t* indices, std::int64_t count, LongDivider n, bool descending) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    const SortRecord<T> r = records.get(i);
    std::int64_t column = i;
    const std::int64_t row = n.split(column);
    values[i] = element_of<T>(r, x + row * n.size, descending);
    indices[i] = r.index();
  }
}

/// Digits of the keys that say anything: a narrow type's others follow from its sign.
std::vector<int> telling_digits(DType t) {
  switch (t) {
    case DType::f16:
      return {8, 16, 24};
    case DType::bf16:
      return {16, 24};
    case DType::i8:
      return {0, 24};
    case DType::i16:
      return {0, 8, 24};
    case DType::u8:
    case DType::boolean:
      return {0};
    case DType::f64:
    case DType::i64:
      return {0, 8, 16, 24, 32, 40, 48, 56};
    default:
      return {0, 8, 16, 24};
  }
}

/// As many rows as the workspace holds.
template <class T>
struct Rows {
  std::int64_t rows, count;  ///< count: of elements
  const T* x;
  T* values;
  std::int64_t* indices;
  void* space;
};
template <class T, class Sort>
void in_groups(const RowOrder& p, void* const* o, const Sort& sort) {
  for (std::int64_t first = 0; first < p.rows; first += p.device_rows()) {
    const std::int64_t rows = std::min(p.device_rows(), p.rows - first), at = first * p.n;
    sort(Rows<T>{rows, rows * p.n, static_cast<const T*>(o[0]) + at, static_cast<T*>(o[1]) + at, static_cast<std::int64_t*>(o[2]) + at,
                 o[3]});
  }
}
template <class T, class Records>
void make_all(const RowOrder& p, const Rows<T>& r, Records records) {
  start_items("sort", r.count, make_records<T, Records>, r.x, records, r.count, LongDivider(p.n), p.descending);
}
template <class T, class Records>
void write_all(const RowOrder& p, const Rows<T>& r, Records sorted) {
  start_items("sort", r.count, write_order<T, Records>, sorted, r.x, r.values, r.indices, r.count, LongDivider(p.n), p.descending);
}
/// Two buffers of records. As on the CPU, narrow ones use the place of the indices.
template <class T>
std::pair<SortRecord<T>*, SortRecord<T>*> buffers_of(const Rows<T>& r) {
  auto* space = static_cast<SortRecord<T>*>(r.space);
  if constexpr (sizeof(SortRecord<T>) == sizeof(std::int64_t)) return {reinterpret_cast<SortRecord<T>*>(r.indices), space};
  return {space + r.count, space};
}

template <class T>
Kernel long_by_own(const RowOrder& p, const std::vector<int>& shifts) {
  using Record = SortRecord<T>;
  return [p, shifts](void* const* o) {
    in_groups<T>(p, o, [&](const Rows<T>& r) {
      const auto [a, b] = buffers_of(r);
      // the counts use the place of the values, which are written last
      auto* counts = reinterpret_cast<std::uint32_t*>((reinterpret_cast<std::uintptr_t>(r.values) + 3) / 4 * 4);
      make_all(p, r, Whole<Record>{a});
      write_all(p, r, Whole<Record>{radix_sort_rows<Record>("sort", a, b, r.rows, p.n, shifts, counts)});
    });
  };
}

template <class T>
Kernel long_by_library(const RowOrder& p, const std::vector<int>& shifts) {
  if constexpr (sizeof(SortRecord<T>) == sizeof(std::uint64_t)) {
    const NumberSort sort = make_number_sort(p.n, 32 + shifts.front(), 32 + shifts.back() + 8);
    return [p, sort](void* const* o) {
      in_groups<T>(p, o, [&](const Rows<T>& r) {
        const auto [a, b] = buffers_of(r);
        make_all(p, r, Whole<SortRecord<T>>{a});
        bool in_b = false;  // the same for all, whose length is the same
        for (std::int64_t i = 0; i < r.count; i += p.n) in_b = sort(&a[i].bits, &b[i].bits);
        write_all(p, r, Whole<SortRecord<T>>{in_b ? b : a});
      });
    };
  } else {
    return [p, sort = make_pair_sort(p.n)](void* const* o) {
      in_groups<T>(p, o, [&](const Rows<T>& r) {
        auto* keys = static_cast<std::uint64_t*>(r.space);
        auto* at = reinterpret_cast<std::uint32_t*>(keys + 2 * r.count);
        const Apart a{keys, at}, b{keys + r.count, at + r.count};
        make_all(p, r, a);
        bool in_b = false;
        for (std::int64_t i = 0; i < r.count; i += p.n) in_b = sort(a.keys + i, b.keys + i, a.at + i, b.at + i);
        write_all(p, r, in_b ? b : a);
      });
    };
  }
}

// ---- the first k of long rows --------------------------------------------------------------------------------------------

/// What is known of the k-th record: its leading digits.
template <class Key>
struct Leading {
  Key key, key_mask;
  std::uint32_t index, index_mask;
  template <class Record>
  __device__ bool matches(const Record& r) const {
    return (r.key() & key_mask) == key && (std::uint32_t(r.index()) & index_mask) == index;
  }
  template <class Record>
  __device__ bool reaches(const Record& r) const {
    const Key k = r.key() & key_mask;
    return k != key ? k < key : (std::uint32_t(r.index()) & index_mask) <= index;
  }
};

/// Where records come from: a part of a row, or what was selected of its pieces. `load` only asks for what `record` then takes.
template <class T>
struct RowPart {
  using Item = T;
  const T* x;
  std::int64_t first;
  bool descending;
  __device__ RowPart row(std::int64_t at, std::int64_t n) const { return {x + at * n, first, descending}; }
  __device__ T load(std::int64_t i) const { return x[first + i]; }
  __device__ SortRecord<T> record(T v, std::int64_t i) const { return SortRecord<T>::of(sort_key(v, descending), first + i); }
};
template <class Record>
struct Selected {
  using Item = Record;
  const Record* records;
  __device__ Selected row(std::int64_t at, std::int64_t n) const { return {records + at * n}; }
  __device__ Record load(std::int64_t i) const { return records[i]; }
  static __device__ Record record(const Record& r, std::int64_t) { return r; }
};

/// body(record) of each of n, several of which are fetched at once.
template <class From, class Body>
__device__ void each_record(const From& from, std::int64_t n, const Body& body) {
  constexpr int kAhead = 4;
  const std::int64_t step = blockDim.x;
  for (std::int64_t i = threadIdx.x; i < n; i += kAhead * step) {
    typename From::Item item[kAhead];
#pragma unroll
    for (int u = 0; u < kAhead; ++u)
      if (i + u * step < n) item[u] = from.load(i + u * step);
#pragma unroll
    for (int u = 0; u < kAhead; ++u)
      if (i + u * step < n) body(from.record(item[u], i + u * step));
  }
}

/// The digit at which `wanted` of the numbers before it and of its own are reached, and how many are before it. By one warp.
__device__ inline void find_digit(const std::uint32_t* number, std::uint32_t wanted, int& digit, std::uint32_t& before) {
  constexpr int kEach = kDigits / 32;
  const int first = int(threadIdx.x) * kEach;
  std::uint32_t own = 0;
  for (int d = first; d < first + kEach; ++d) own += number[d];
  const std::uint32_t sum = scan_warp(own);
  if (sum < wanted || sum - own >= wanted) return;
  std::uint32_t so_far = sum - own;
  int d = first;
  while (so_far + number[d] < wanted) so_far += number[d++];
  digit = d;
  before = so_far;
}

/// The first k of n records, sorted, into shared memory; all threads of a block come here. Digits of the k-th record are found one by one,
/// from the first, until so few records reach it that they fit there. All records differ, so that after the last digit of the index there
/// are k.
template <class Record, class From>
__device__ void select_records(const From& from, std::int64_t n, int k, Record* records) {
  using Key = typename Record::Key;
  constexpr int kKeyBits = 8 * int(sizeof(Key));
  constexpr int kCopies = 8;  // most first digits are the same few, and additions at one place wait for each other
  __shared__ std::uint32_t number[kDigits], copies[kDigits * kCopies];
  __shared__ Leading<Key> leading;
  __shared__ std::uint32_t before, below, held;
  __shared__ int digit;
  if (threadIdx.x == 0) {
    leading = Leading<Key>{0, 0, 0, 0};
    before = held = 0;
  }
  std::int64_t reaching = n;
  for (int shift = kKeyBits + 32 - 8; shift >= 0 && reaching > kSharedRecords<Record>; shift -= 8) {
    for (int i = int(threadIdx.x); i < kDigits * kCopies; i += int(blockDim.x)) copies[i] = 0;
    __syncthreads();
    each_record(from, n, [&](const Record& r) {
      const auto at = shift >= 32 ? digit_of(r, shift - 32) : (std::uint32_t(r.index()) >> shift) & (kDigits - 1);
      if (leading.matches(r)) atomicAdd(&copies[at * kCopies + threadIdx.x % kCopies], 1u);
    });
    __syncthreads();
    for (int d = int(threadIdx.x); d < kDigits; d += int(blockDim.x)) {
      std::uint32_t sum = 0;
#pragma unroll
      for (int c = 0; c < kCopies; ++c) sum += copies[d * kCopies + c];
      number[d] = sum;
    }
    __syncthreads();
    if (threadIdx.x < 32) find_digit(number, std::uint32_t(k) - before, digit, below);
    __syncthreads();
    reaching = std::int64_t(before + below) + number[digit];
    __syncthreads();
    if (threadIdx.x == 0) {
      before += below;
      if (shift >= 32) {
        leading.key |= Key(digit) << (shift - 32);
        leading.key_mask |= Key(kDigits - 1) << (shift - 32);
      } else {
        leading.index |= std::uint32_t(digit) << shift;
        leading.index_mask |= std::uint32_t(kDigits - 1) << shift;
      }
    }
  }
  __syncthreads();
  each_record(from, n, [&](const Record& r) {
    if (leading.reaches(r)) records[atomicAdd(&held, 1u)] = r;  // in any order: they are sorted next
  });
  __syncthreads();
  int padded = 2;
  while (padded < int(held)) padded *= 2;
  for (int i = int(held) + int(threadIdx.x); i < padded; i += int(blockDim.x)) records[i] = last_record<Record>();
  __syncthreads();
  sort_shared(records, padded, 1);
}

/// One block a row: the first k of its n records. x: the rows, `length` each.
template <class T, class From>
__global__ void __launch_bounds__(1024)
    select_first(From rows, std::int64_t n, const T* x, std::int64_t length, T* values, std::int64_t* indices, int k, bool descending) {
  using Record = SortRecord<T>;
  Record* records = dynamic_shared<Record>();
  const std::int64_t row = blockIdx.x;
  select_records<Record>(rows.row(row, n), n, k, records);
  for (int i = int(threadIdx.x); i < k; i += int(blockDim.x)) {
    values[row * k + i] = element_of<T>(records[i], x + row * length, descending);
    indices[row * k + i] = records[i].index();
  }
}

/// One block a piece of a row: its first k records. The pieces are no shorter.
template <class T>
__global__ void __launch_bounds__(1024)
    select_of_pieces(const T* x, std::int64_t n, unsigned pieces, SortRecord<T>* first, int k, bool descending) {
  using Record = SortRecord<T>;
  Record* records = dynamic_shared<Record>();
  const std::int64_t piece = blockIdx.x % pieces, row = blockIdx.x / pieces, begin = piece * n / pieces, end = (piece + 1) * n / pieces;
  select_records<Record>(RowPart<T>{x + row * n, begin, descending}, end - begin, k, records);
  for (int i = int(threadIdx.x); i < k; i += int(blockDim.x)) first[std::int64_t(blockIdx.x) * k + i] = records[i];
}

/// Blocks for the device; as many records at most in a piece as are left of all pieces; some for each thread of a block.
std::int64_t topk_pieces(const RowOrder& p) {
  constexpr std::int64_t kBlocks = 264, kShortest = 1024;
  std::int64_t pieces = std::min(kBlocks / p.rows, p.n / kShortest);
  while (pieces > 1 && pieces * pieces * p.k > p.n) --pieces;
  return std::max<std::int64_t>(pieces, 1);
}

template <class T>
__global__ void __launch_bounds__(kBlock) find_run_starts(const T* x, bool* starts, std::int64_t n) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += threads)
    starts[i] = i == 0 || sort_key(x[i], false) != sort_key(x[i - 1], false);
}

// ---- kernels ---------------------------------------------------------------------------------------------------------------

Kernel make_sort(const RowOrder& p) {
  return dispatch_all(p.dtype, [&](auto tag) -> Kernel {
    using T = typename decltype(tag)::type;
    if (p.n <= kSharedRecords<SortRecord<T>>) return [p](void* const* o) { run_short<T>("sort", p, o); };
    const std::vector<int> shifts = telling_digits(p.dtype);
    return library_sorts(wanted_long_rows(), p.rows, p.n, shifts) ? long_by_library<T>(p, shifts) : long_by_own<T>(p, shifts);
  });
}

Kernel make_topk(const RowOrder& p) {
  return dispatch_all(p.dtype, [&](auto tag) -> Kernel {
    using T = typename decltype(tag)::type;
    constexpr std::size_t kBytes = sizeof(SortRecord<T>) * std::size_t(kSharedRecords<SortRecord<T>>);
    if (p.n <= kSharedRecords<SortRecord<T>>) return [p](void* const* o) { run_short<T>("topk", p, o); };
    if (p.k > kSharedRecords<SortRecord<T>>)
      throw Error(ErrorKind::internal, "topk.k", "the first " + std::to_string(p.k) + " are sorted, not selected");
    using Record = SortRecord<T>;
    const std::int64_t pieces = topk_pieces(p), left = pieces * p.k;
    auto space = pieces > 1 ? scratch(std::size_t(p.rows * left) * sizeof(Record)) : nullptr;
    return [=](void* const* o) {
      const T* x = static_cast<const T*>(o[0]);
      auto* values = static_cast<T*>(o[1]);
      auto* indices = static_cast<std::int64_t*>(o[2]);
      const RowPart<T> rows{x, 0, p.descending};
      const dim3 threads{1024};
      if (!space)
        return start("topk", dim3(unsigned(p.rows)), threads, kBytes, select_first<T, RowPart<T>>, rows, p.n, x, p.n, values, indices,
                     int(p.k), p.descending);
      auto* first = space->as<Record>();
      start("topk", dim3(unsigned(p.rows * pieces)), threads, kBytes, select_of_pieces<T>, x, p.n, unsigned(pieces), first, int(p.k),
            p.descending);
      start("topk", dim3(unsigned(p.rows)), threads, kBytes, select_first<T, Selected<Record>>, Selected<Record>{first}, left, x, p.n,
            values, indices, int(p.k), p.descending);
    };
  });
}

Kernel make_run_starts(const RowOrder& p) {
  return dispatch_all(p.dtype, [&](auto tag) -> Kernel {
    using T = typename decltype(tag)::type;
    return [n = p.n](void* const* o) {
      start_items("unique", n, find_run_starts<T>, static_cast<const T*>(o[0]), static_cast<bool*>(o[1]), n);
    };
  });
}

}  // namespace

void install_ordering() {
  sort_kernel.set(DeviceType::cuda, make_sort);
  topk_kernel.set(DeviceType::cuda, make_topk);
  run_starts_kernel.set(DeviceType::cuda, make_run_starts);
}

}  // namespace tenon::cuda
