/// What softmax and the losses over it ask of a row that a team of threads reads (private).
#pragma once

#include <limits>

#include "backend/cuda/class_tile.cuh"

namespace tenon::cuda {

/// Largest value of a row and the sum of exponentials over it, for the whole team.
template <class T, int N>
struct RowSoftmax {
  Acc<T> top, sum;
  __device__ RowSoftmax(const RowCut& k, const TeamPlace& at, bool active, const RowPart<T, N, 4>& part, Acc<T>* shared) {
    using A = Acc<T>;
    A high = -std::numeric_limits<A>::infinity(), total = A(0);
    read_packs(k, at.lane, active, part, [&](const A(&v)[N]) {
#pragma unroll
      for (int i = 0; i < N; ++i) high = max_nan(v[i], high);
    });
    high = team_join<A>(high, k.team, shared, MaxValues<A>{});
    read_packs(k, at.lane, active, part, [&](const A(&v)[N]) {
#pragma unroll
      for (int i = 0; i < N; ++i) total += exp_fast(v[i] - high);
    });
    sum = team_sum<A>(total, k.team, shared);
    top = high;
  }
};

}  // namespace tenon::cuda
