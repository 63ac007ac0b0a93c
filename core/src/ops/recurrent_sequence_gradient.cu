/// Recurrences backward, a few samples a block; see recurrent_sequence.cuh.
#include "ops/recurrent_sequence.hpp"

#include "ops/recurrent_sequence_start.cuh"

namespace tenon::cuda {
namespace {

using namespace sequence;

template <class A, int S, int R>
__global__ void __launch_bounds__(kMostThreads, 1)
    lstm_backward(Run run, const A* weights, const A* cells, const A* d_y, const A* d_last_h, const A* d_last_c, A* gates, A* d_h, A* d_c) {
  Quad<A>* vectors = dynamic_shared<Quad<A>>();
  const int H = run.hidden, row = kChunk * run.chunks;
  const Place<S> at(run);
  const Weights<A, 4, R, true> w(run, weights, vectors + 2 * S * row);
  clear(reinterpret_cast<A*>(vectors), 2 * S * row * 4);
  Quad<A>* mine = vectors + at.slot * row + at.unit;
  const int last = run.time(run.steps - 1), move = run.stride();
  A* gate = gates + at.row(last, run, 4 * H);
  const A *dy = d_y + at.row(last, run, H), *cell = cells + at.row(run.reverse ? last : last + 1, run, H);
  A g[4] = {}, after = A(0), before = A(0), d = A(0), dh = A(0), dc = A(0);
  const auto load = [&] {
    cell -= move * H;
    if (!at.live) return;
#pragma unroll
    for (int i = 0; i < 4; ++i) g[i] = gate[i * H];
    before = *cell, d = *dy;
  };
  if (at.live) after = *cell, dh = d_last_h[at.row(0, run, H)], dc = d_last_c[at.row(0, run, H)];
  load();
  __syncthreads();  // other lanes write what this one has read
  for (int step = run.steps - 1; step >= 0; --step) {
    const bool runs = run.time(step) < at.end;
    if (runs) {
      lstm_unit_gradient<A>(g, g + 1, g + 2, g + 3, &before, &after, &d, &dh, &dc);
    } else {
      g[0] = g[1] = g[2] = g[3] = A(0);
      dh += d;
    }
    Quad<A>* to = mine + (step & 1) * S * row;
    if (at.part == 0) *to = {g[0], g[1], g[2], g[3]};
    if (at.live)
      for (int r = 0; r < S; ++r) gate[at.gate(r) * H] = pick(g, at.gate(r));
    after = before;
    gate -= move * 4 * H, dy -= move * H;
    if (step > 0) load();  // what the next step needs comes while this one multiplies
    __syncthreads();
    A sum[4 * S] = {};
    w.template multiply<S>(vectors + (step & 1) * S * row, run.chunks, sum);
    const A total = fold_state<S>(sum);
    if (runs) dh = total;
  }
  if (!at.live || at.part != 0) return;
  d_h[at.row(0, run, H)] = dh;
  d_c[at.row(0, run, H)] = dc;
}

template <class A, int S, int R>
__global__ void __launch_bounds__(kMostThreads, 1)
    gru_backward(Run run, const A* weights, const A* states, const A* d_y, const A* d_last_h, A* gates, A* kept, A* d_h) {
  Quad<A>* vectors = dynamic_shared<Quad<A>>();
  const int H = run.hidden, row = kChunk * run.chunks;
  const Place<S> at(run);
  const Weights<A, 3, R, true> w(run, weights, vectors + 2 * S * row);
  clear(reinterpret_cast<A*>(vectors), 2 * S * row * 4);
  Quad<A>* mine = vectors + at.slot * row + at.unit;
  const int last = run.time(run.steps - 1), move = run.stride();
  A *gate = gates + at.row(last, run, 3 * H), *keep = kept + at.row(last, run, H);
  const A *dy = d_y + at.row(last, run, H), *state = states + at.row(run.reverse ? last + 1 : last, run, H);
  A g[4] = {}, before = A(0), d = A(0), dh = A(0);  // g: reset, update, new and the state's share of new
  const auto load = [&] {
    if (!at.live) return;
#pragma unroll
    for (int i = 0; i < 3; ++i) g[i] = gate[i * H];
    g[3] = *keep, before = *state, d = *dy;
  };
  if (at.live) dh = d_last_h[at.row(0, run, H)];
  load();
  __syncthreads();  // other lanes write what this one has read
  for (int step = run.steps - 1; step >= 0; --step) {
    const bool runs = run.time(step) < at.end;
    if (runs) {
      gru_unit_gradient<A>(g, g + 1, g + 2, g + 3, &before, &d, &dh);
    } else {
      g[0] = g[1] = g[2] = g[3] = A(0);
      dh += d;
    }
    Quad<A>* to = mine + (step & 1) * S * row;
    if (at.part == 0) *to = {g[0], g[1], g[3], A(0)};
    if (at.live)
      for (int r = 0; r < S; ++r) *(at.gate(r) == 3 ? keep : gate + at.gate(r) * H) = pick(g, at.gate(r));
    gate -= move * 3 * H, keep -= move * H, dy -= move * H, state -= move * H;
    if (step > 0) load();
    __syncthreads();
    A sum[4 * S] = {};
    w.template multiply<S>(vectors + (step & 1) * S * row, run.chunks, sum);
    const A total = fold_state<S>(sum);
    if (runs) dh += total;
  }
  if (at.live && at.part == 0) d_h[at.row(0, run, H)] = dh;
}

struct Lstm {
  static constexpr const char* kName = "lstm_sequence_gradient";
  static constexpr int kGates = 4;
  static constexpr bool kBack = true;
  template <class A, int S, int R>
  static auto kernel() {
    return lstm_backward<A, S, R>;
  }
};

struct Gru {
  static constexpr const char* kName = "gru_sequence_gradient";
  static constexpr int kGates = 3;
  static constexpr bool kBack = true;
  template <class A, int S, int R>
  static auto kernel() {
    return gru_backward<A, S, R>;
  }
};

template <class A>
Kernel lstm_of(const Recurrence& p) {
  return sequence_of<Lstm, A>(p, [](const Recurrence& q, void* const* o, const auto& start) {
    const int k = 6 + q.lengths;
    start(q.lengths ? o[6] : nullptr, o[0], read<A>(o, 2), read<A>(o, 3), read<A>(o, 4), read<A>(o, 5), write<A>(o, k), write<A>(o, k + 1),
          write<A>(o, k + 2));
  });
}

template <class A>
Kernel gru_of(const Recurrence& p) {
  return sequence_of<Gru, A>(p, [](const Recurrence& q, void* const* o, const auto& start) {
    const int k = 6 + q.lengths;
    start(q.lengths ? o[6] : nullptr, o[0], read<A>(o, 3), read<A>(o, 4), read<A>(o, 5), write<A>(o, k), write<A>(o, k + 1),
          write<A>(o, k + 2));
  });
}

}  // namespace

Kernel lstm_sequence_gradient(const Recurrence& p) {
  return p.dtype == DType::f64 ? lstm_of<double>(p) : lstm_of<float>(p);
}
Kernel gru_sequence_gradient(const Recurrence& p) {
  return p.dtype == DType::f64 ? gru_of<double>(p) : gru_of<float>(p);
}

}  // namespace tenon::cuda
