/// Recurrences forward, a few samples a block; see recurrent_sequence.cuh.
#include "ops/recurrent_sequence.hpp"

#include "ops/recurrent_sequence_start.cuh"

namespace tenon::cuda {
namespace {

using namespace sequence;

/// Where this lane's unit is among the first states, and in the slot of states that the first step reads.
template <int S>
__device__ std::int64_t first_slot(const Run& run, const Place<S>& at) {
  return at.row(run.reverse ? run.steps : 0, run, run.hidden);
}

template <class A, int S, int R>
__global__ void __launch_bounds__(kMostThreads, 1)
    lstm_forward(Run run, const A* weights, const A* first_state, const A* first_cell, A* gates, A* states, A* cells) {
  Quad<A>* vectors = dynamic_shared<Quad<A>>();
  const int H = run.hidden, row = kChunk * run.chunks;
  const Place<S> at(run);
  const Weights<A, 4, R, false> w(run, weights, vectors + 2 * S * row / 4);
  A* mine = reinterpret_cast<A*>(vectors) + at.slot * row + at.unit;
  clear(reinterpret_cast<A*>(vectors), 2 * S * row);
  const bool writes = at.live && at.part == 0;
  std::int64_t slot = first_slot(run, at);
  const std::int64_t given = at.row(0, run, H);
  A h = at.live ? first_state[given] : A(0), c = at.live ? first_cell[given] : A(0);
  if (at.part == 0) *mine = h;
  if (writes) states[slot] = h, cells[slot] = c;
  A* gate = gates + at.row(run.time(0), run, 4 * H);
  A x[S];
  for (int r = 0; r < S; ++r) x[r] = at.live ? gate[at.gate(r) * H] : A(0);
  __syncthreads();
  for (int step = 0; step < run.steps; ++step) {
    const int from = step & 1;
    A sum[4 * S] = {}, own[S], all[4];
    w.template multiply<S>(vectors + from * S * row / 4, run.chunks, sum);
    fold_gates<S>(sum);
#pragma unroll
    for (int r = 0; r < S; ++r) own[r] = activate(sum[r] + x[r], at.gate(r) == 2);
    gather_gates<S>(own, at, all);
    const A cell = all[1] * c + all[0] * all[2], state = all[3] * activate(cell, true);
    const bool runs = run.time(step) < at.end;
    if (runs) c = cell, h = state;
    if (at.part == 0) mine[(from ^ 1) * S * row] = h;
    slot += run.stride() * H;
    if (writes) states[slot] = h, cells[slot] = c;
    if (at.live && runs)
      for (int r = 0; r < S; ++r) gate[at.gate(r) * H] = own[r];
    gate += run.stride() * 4 * H;
    if (at.live && step + 1 < run.steps)  // what the next step adds comes while it multiplies
      for (int r = 0; r < S; ++r) x[r] = gate[at.gate(r) * H];
    __syncthreads();
  }
}

/// The fourth of a unit's gates carries the input's share of the new gate, which the third, the state's share, does not meet before the
/// reset gate is known.
template <class A, int S, int R>
__global__ void __launch_bounds__(kMostThreads, 1)
    gru_forward(Run run, const A* weights, const A* bias, const A* first_state, A* gates, A* kept, A* states) {
  Quad<A>* vectors = dynamic_shared<Quad<A>>();
  const int H = run.hidden, row = kChunk * run.chunks;
  const Place<S> at(run);
  const Weights<A, 3, R, false> w(run, weights, vectors + 2 * S * row / 4);
  A* mine = reinterpret_cast<A*>(vectors) + at.slot * row + at.unit;
  clear(reinterpret_cast<A*>(vectors), 2 * S * row);
  const bool writes = at.live && at.part == 0;
  std::int64_t slot = first_slot(run, at);
  A h = at.live ? first_state[at.row(0, run, H)] : A(0);
  if (at.part == 0) *mine = h;
  if (writes) states[slot] = h;
  A *gate = gates + at.row(run.time(0), run, 3 * H), *keep = kept + at.row(run.time(0), run, H);
  const auto offset = [&](int g) { return (g == 3 ? 2 : g) * H; };
  A x[S], b[S];
  for (int r = 0; r < S; ++r) {
    const int g = at.gate(r);
    b[r] = at.live && g != 3 ? bias[g * H + at.unit] : A(0);
    x[r] = at.live && g != 2 ? gate[offset(g)] : A(0);
  }
  __syncthreads();
  for (int step = 0; step < run.steps; ++step) {
    const int from = step & 1;
    A sum[4 * S] = {}, own[S], all[4];
    w.template multiply<S>(vectors + from * S * row / 4, run.chunks, sum);
    fold_gates<S>(sum);
#pragma unroll
    for (int r = 0; r < S; ++r) {
      const A total = (sum[r] + b[r]) + x[r];
      own[r] = at.gate(r) < 2 ? activate(total, false) : total;
    }
    gather_gates<S>(own, at, all);
    const A fresh = activate(all[3] + all[0] * all[2], true), state = fresh + all[1] * (h - fresh);
    const bool runs = run.time(step) < at.end;
    if (runs) h = state;
    if (at.part == 0) mine[(from ^ 1) * S * row] = h;
    slot += run.stride() * H;
    if (writes) states[slot] = h;
    if (at.live && runs)
      for (int r = 0; r < S; ++r) {
        const int g = at.gate(r);
        *(g == 2 ? keep : gate + offset(g)) = g == 3 ? fresh : own[r];
      }
    gate += run.stride() * 3 * H, keep += run.stride() * H;
    if (at.live && step + 1 < run.steps)
      for (int r = 0; r < S; ++r)
        if (at.gate(r) != 2) x[r] = gate[offset(at.gate(r))];
    __syncthreads();
  }
}

struct Lstm {
  static constexpr const char* kName = "lstm_sequence";
  static constexpr int kGates = 4;
  static constexpr bool kBack = false;
  template <class A, int S, int R>
  static auto kernel() {
    return lstm_forward<A, S, R>;
  }
};

struct Gru {
  static constexpr const char* kName = "gru_sequence";
  static constexpr int kGates = 3;
  static constexpr bool kBack = false;
  template <class A, int S, int R>
  static auto kernel() {
    return gru_forward<A, S, R>;
  }
};

template <class A>
Kernel lstm_of(const Recurrence& p) {
  return sequence_of<Lstm, A>(p, [](const Recurrence& q, void* const* o, const auto& start) {
    const int k = 4 + q.lengths;
    start(q.lengths ? o[4] : nullptr, o[0], read<A>(o, 2), read<A>(o, 3), write<A>(o, k), write<A>(o, k + 1), write<A>(o, k + 2));
  });
}

template <class A>
Kernel gru_of(const Recurrence& p) {
  return sequence_of<Gru, A>(p, [](const Recurrence& q, void* const* o, const auto& start) {
    const int k = 4 + q.lengths;
    start(q.lengths ? o[4] : nullptr, o[0], read<A>(o, 1), read<A>(o, 3), write<A>(o, k), write<A>(o, k + 1), write<A>(o, k + 2));
  });
}

}  // namespace

Kernel lstm_sequence(const Recurrence& p) {
  return p.dtype == DType::f64 ? lstm_of<double>(p) : lstm_of<float>(p);
}
Kernel gru_sequence(const Recurrence& p) {
  return p.dtype == DType::f64 ? gru_of<double>(p) : gru_of<float>(p);
}

}  // namespace tenon::cuda
