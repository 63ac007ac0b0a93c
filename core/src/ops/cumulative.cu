/// Running sums and their kin. Lines are scanned by blocks, neighbouring columns by a thread each; where there are too few of them to fill
/// the device they are cut into pieces, whose totals are joined in order.
#include "ops/cumulative_kernels.hpp"

#include <algorithm>

#include "backend/cuda/divider.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/launch.cuh"
#include "backend/cuda/long_rows.hpp"
#include "backend/cuda/scratch.cuh"
#include "kernels/running.hpp"

namespace tenon::cuda {
namespace {

// ---- what is carried along a line ------------------------------------------------------------------------------------------
// `load` gives the element at `at`; `add` takes it as the k-th of its line; `put` writes the state there; `join` puts a later run behind an
// earlier one.

template <class T, class S>
struct Total {
  using State = S;
  using Element = T;
  const T* x;
  T* y;
  __device__ T load(std::int64_t at) const { return x[at]; }
  static __device__ void add(State& s, T v, std::int64_t) { s.add(v); }
  __device__ void put(const State& s, std::int64_t at) const { y[at] = s.value(); }
  static __device__ void join(State& s, const State& next) { s.join(next); }
};

template <class T>
struct BestSoFar {
  T best = 0;
  std::int64_t at = -1;  ///< none yet
};
template <class T, bool Max>
struct Extreme {
  using State = BestSoFar<T>;
  using Element = T;
  const T* x;
  T* values;
  std::int64_t* positions;
  /// The first extreme stays, and so does the first NaN.
  static __device__ void join(State& s, const State& next) {
    if (next.at < 0) return;
    const T v = next.best, best = s.best;
    if (s.at < 0 || (Max ? v > best : v < best) || (v != v && best == best)) s = next;
  }
  __device__ T load(std::int64_t at) const { return x[at]; }
  static __device__ void add(State& s, T v, std::int64_t k) { join(s, State{v, k}); }
  __device__ void put(const State& s, std::int64_t at) const {
    values[at] = s.best;
    positions[at] = s.at;
  }
};

/// The map h -> a h + value of a run, of which 0 is the beginning.
struct AffineRun {
  double a = 1, value = 0;
};
template <class T>
struct Recurrence {
  using State = AffineRun;
  struct Element {
    T a, b;
  };
  const T *a, *b;
  T* h;
  __device__ Element load(std::int64_t at) const { return {a[at], b[at]}; }
  static __device__ void add(State& s, const Element& e, std::int64_t) {
    const double factor = double(e.a);
    s.value = factor * s.value + double(e.b);
    s.a *= factor;
  }
  /// A product of factors may overflow where what it would be multiplied with is 0.
  static __device__ void join(State& s, const State& next) {
    s.value = (s.value == 0 ? 0 : next.a * s.value) + next.value;
    s.a *= next.a;
  }
  __device__ void put(const State& s, std::int64_t at) const { h[at] = T(s.value); }
};

// ---- kernels -----------------------------------------------------------------------------------------------------------------

enum class Pass { totals, scan };

struct Lines {
  LongDivider inner, pieces;
  std::int64_t outer, n, length;  ///< of a piece
  bool reverse;
  __device__ std::int64_t at(std::int64_t outer_at, std::int64_t column, std::int64_t k) const {
    return (outer_at * n + (reverse ? n - 1 - k : k)) * inner.size + column;
  }
};

/// Elements that a thread asks for before it takes the first one: a state is written where the next element may lie, as far as a compiler
/// knows, so that each load would wait for the store before it.
constexpr int kAhead = 8;

/// One thread a piece of a column; states are [outer, pieces, inner].
template <class Op>
__global__ void __launch_bounds__(kBlock) scan_columns(Op op, Lines l, typename Op::State* states, Pass pass) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x, total = l.outer * l.pieces.size * l.inner.size;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < total; i += threads) {
    std::int64_t column = i, piece = l.inner.split(column);
    const std::int64_t outer = l.pieces.split(piece), begin = piece * l.length, end = begin + l.length < l.n ? begin + l.length : l.n;
    typename Op::State s;
    if (pass == Pass::scan && piece > 0) s = states[i];
    const std::int64_t step = l.reverse ? -l.inner.size : l.inner.size;
    std::int64_t at = l.at(outer, column, begin), k = begin;
    for (; k + kAhead <= end; k += kAhead, at += kAhead * step) {
      typename Op::Element next[kAhead];
#pragma unroll
      for (int u = 0; u < kAhead; ++u) next[u] = op.load(at + u * step);
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        op.add(s, next[u], k + u);
        if (pass == Pass::scan) op.put(s, at + u * step);
      }
    }
    for (; k < end; ++k, at += step) {
      op.add(s, op.load(at), k);
      if (pass == Pass::scan) op.put(s, at);
    }
    if (pass == Pass::totals) states[i] = s;
  }
}

/// Each thread's state becomes the join of those up to its own, of every tx-th thread.
template <class Op>
__device__ void scan_block(typename Op::State* totals, int tx) {
  using State = typename Op::State;
  const int t = int(threadIdx.x);
  __syncthreads();
  for (int step = tx; step < int(blockDim.x); step *= 2) {
    State joined = totals[t];
    if (t >= step) {
      joined = totals[t - step];
      Op::join(joined, totals[t]);
    }
    __syncthreads();
    totals[t] = joined;
    __syncthreads();
  }
}

constexpr int kJoinThreads = 512, kJoinAhead = 4;

/// Totals of pieces become the states before them. A block takes tx lines; the threads of each a run of pieces.
template <class Op>
__global__ void __launch_bounds__(kJoinThreads) join_pieces(Lines l, typename Op::State* states, int tx) {
  using State = typename Op::State;
  State* totals = dynamic_shared<State>();
  const int t = int(threadIdx.x), row = t / tx, rows = int(blockDim.x) / tx;
  std::int64_t column = std::int64_t(blockIdx.x) * tx + t % tx;
  const bool line = column < l.outer * l.inner.size;
  const std::int64_t outer = l.inner.split(column), pieces = line ? l.pieces.size : 0, each = (pieces + rows - 1) / rows;
  const std::int64_t begin = row * each, end = begin + each < pieces ? begin + each : pieces, inner = l.inner.size;
  State* from = states + outer * l.pieces.size * inner + column;
  auto run = [&](State& s, bool put) {
    for (std::int64_t piece = begin; piece < end; piece += kJoinAhead) {
      State own[kJoinAhead];
#pragma unroll
      for (int u = 0; u < kJoinAhead; ++u)
        if (piece + u < end) own[u] = from[(piece + u) * inner];
#pragma unroll
      for (int u = 0; u < kJoinAhead; ++u)
        if (piece + u < end) {
          if (put) from[(piece + u) * inner] = s;
          Op::join(s, own[u]);
        }
    }
  };
  State own;
  run(own, false);
  totals[t] = own;
  scan_block<Op>(totals, tx);
  State before;
  if (row > 0) before = totals[t - tx];
  run(before, true);
}

/// One block a piece of a line (inner = 1), tile after tile: each thread takes a few neighbours, whose totals are scanned across the block.
template <class Op>
__global__ void __launch_bounds__(kBlock) scan_lines(Op op, Lines l, typename Op::State* states, Pass pass) {
  using State = typename Op::State;
  constexpr int kEach = 4;
  State* totals = dynamic_shared<State>();
  const int t = int(threadIdx.x);
  std::int64_t piece = blockIdx.x;
  const std::int64_t outer = l.pieces.split(piece), first = piece * l.length, last = first + l.length < l.n ? first + l.length : l.n;
  State carry;
  if (pass == Pass::scan && piece > 0) carry = states[blockIdx.x];
  for (std::int64_t tile = first; tile < last; tile += kBlock * kEach) {
    const std::int64_t begin = tile + t * kEach, end = begin + kEach < last ? begin + kEach : last;
    typename Op::Element element[kEach];
#pragma unroll
    for (int u = 0; u < kEach; ++u)
      if (begin + u < end) element[u] = op.load(l.at(outer, 0, begin + u));
    State own;
#pragma unroll
    for (int u = 0; u < kEach; ++u)
      if (begin + u < end) op.add(own, element[u], begin + u);
    totals[t] = own;
    scan_block<Op>(totals, 1);
    State run = carry;
    if (t > 0) Op::join(run, totals[t - 1]);
    Op::join(carry, totals[kBlock - 1]);
    __syncthreads();
    if (pass == Pass::scan) {
#pragma unroll
      for (int u = 0; u < kEach; ++u)
        if (begin + u < end) {
          op.add(run, element[u], begin + u);
          op.put(run, l.at(outer, 0, begin + u));
        }
    }
  }
  if (pass == Pass::totals && t == 0) states[blockIdx.x] = carry;
}

// ---- launches ------------------------------------------------------------------------------------------------------------------

/// make(operands) gives the Op.
template <class Op, class Make>
Kernel run_scan(const char* name, const RunningShape& p, const Make& make) {
  using State = typename Op::State;
  constexpr std::int64_t kLongLine = 512, kMostPieces = 8192, kFill = 65536;
  const std::int64_t lines = p.at.outer * p.at.inner;
  const bool by_block = p.at.inner == 1 && p.at.n >= kLongLine;
  // enough work for the device several times over, but no piece so short that joining costs more than it, and one where the lines fill the
  // device: pieces read all twice
  const std::int64_t wanted = by_block ? 8 * kFill / (kBlock * lines) : lines < kFill ? 4 * kFill / lines : 1, shortest = by_block ? 2048 : 64;
  std::int64_t pieces = std::clamp<std::int64_t>(wanted, 1, std::clamp<std::int64_t>(p.at.n / shortest, 1, kMostPieces));
  const std::int64_t length = (p.at.n + pieces - 1) / pieces;
  pieces = (p.at.n + length - 1) / length;
  const Lines l{LongDivider(p.at.inner), LongDivider(pieces), p.at.outer, p.at.n, length, p.reverse};
  int ty = 1;  // a thread joins few pieces, where there are enough of neighbouring lines to fill what is fetched at once
  while (ty * kJoinAhead < pieces && ty < kJoinThreads / 4) ty *= 2;
  const int tx = std::max(4, kBlock / ty);
  auto space = pieces > 1 ? scratch(std::size_t(lines * pieces) * sizeof(State)) : nullptr;
  return [=](void* const* o) {
    const Op op = make(o);
    auto* states = space ? space->as<State>() : nullptr;
    auto run = [&](Pass pass) {
      if (by_block)
        start(name, dim3(unsigned(p.at.outer * pieces)), dim3(kBlock), kBlock * sizeof(State), scan_lines<Op>, op, l, states, pass);
      else
        start_items(name, lines * pieces, scan_columns<Op>, op, l, states, pass);
    };
    if (pieces > 1) {
      run(Pass::totals);
      start(name, dim3(unsigned((lines + tx - 1) / tx)), dim3(unsigned(tx * ty)), std::size_t(tx * ty) * sizeof(State), join_pieces<Op>, l,
            states, tx);
    }
    run(Pass::scan);
  };
}

template <class T, template <class> class S>
Kernel total_of(const char* name, const RunningShape& p) {
  using Op = Total<T, S<T>>;
  return run_scan<Op>(name, p, [](void* const* o) { return Op{static_cast<const T*>(o[0]), static_cast<T*>(o[1])}; });
}
template <template <class> class S>
Kernel total(const char* name, const RunningShape& p) {
  return p.dtype == DType::f64   ? total_of<double, S>(name, p)
         : p.dtype == DType::i64 ? total_of<std::int64_t, S>(name, p)
                                 : total_of<float, S>(name, p);
}

template <class T, bool Max>
Kernel extreme_of(const RunningShape& p) {
  using Op = Extreme<T, Max>;
  return run_scan<Op>(Max ? "cummax" : "cummin", p, [](void* const* o) {
    return Op{static_cast<const T*>(o[0]), static_cast<T*>(o[1]), static_cast<std::int64_t*>(o[2])};
  });
}
template <bool Max>
Kernel extreme(const RunningShape& p) {
  return p.dtype == DType::f64   ? extreme_of<double, Max>(p)
         : p.dtype == DType::i64 ? extreme_of<std::int64_t, Max>(p)
                                 : extreme_of<float, Max>(p);
}

/// Whole numbers wrap, so that any order of additions gives the same.
Kernel sum_by_library(const RunningShape& p) {
  return [lines = p.at.outer, n = p.at.n, sum = make_whole_sum(p.at.n)](void* const* o) {
    for (std::int64_t at = 0; at < lines * n; at += n)
      sum(static_cast<const std::uint64_t*>(o[0]) + at, static_cast<std::uint64_t*>(o[1]) + at);
  };
}

Kernel make_running(Running which, const RunningShape& p) {
  const bool whole_lines = p.dtype == DType::i64 && p.at.inner == 1 && !p.reverse;
  if (which == Running::sum && whole_lines && library_sums(wanted_long_rows(), p.at.outer, p.at.n)) return sum_by_library(p);
  switch (which) {
    case Running::sum:
      return total<RunningSum>("cumsum", p);
    case Running::product:
      return total<RunningProduct>("cumprod", p);
    case Running::maximum:
      return extreme<true>(p);
    case Running::minimum:
      return extreme<false>(p);
    default:
      return p.dtype == DType::f64 ? total_of<double, RunningLogSumExp>("logcumsumexp", p)
                                   : total_of<float, RunningLogSumExp>("logcumsumexp", p);
  }
}

template <class T>
Kernel recurrence_of(const RunningShape& p) {
  using Op = Recurrence<T>;
  return run_scan<Op>("linear_recurrence", p, [](void* const* o) {
    return Op{static_cast<const T*>(o[0]), static_cast<const T*>(o[1]), static_cast<T*>(o[2])};
  });
}

}  // namespace

void install_cumulative() {
  running_kernel.set(DeviceType::cuda, make_running);
  recurrence_kernel.set(DeviceType::cuda,
                        [](const RunningShape& p) { return p.dtype == DType::f64 ? recurrence_of<double>(p) : recurrence_of<float>(p); });
}

}  // namespace tenon::cuda
