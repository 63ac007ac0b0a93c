/// What the kernels that take a few samples through all of time share (private).
///
/// A block keeps the recurrent weights on its multiprocessor for the whole sequence, so a step reads and writes nothing but its own gates
/// and states, and no step is a launch. Four lanes share a hidden unit. A thread multiplies a tile of the weights, the same in every step:
/// forward the gates of its unit by a quarter of the states, backward all gates of a sixteenth of the units by four states. Its
/// sums meet those of its neighbours in shuffles. No sum depends on how many samples a block has.
#pragma once

#include "backend/cuda/launch.cuh"
#include "kernels/recurrent.hpp"

namespace tenon::cuda::sequence {

inline constexpr int kLanes = 4, kChunk = 16, kMostHidden = 128;
/// A full block has the multiprocessor to itself, with 128 registers a thread.
inline constexpr int kMostThreads = kLanes * kMostHidden;

/// Lanes that share a product, so quads that a chunk of a vector has: of four states, or of the gates of one unit backward.
constexpr int product_lanes(bool back) {
  return back ? kChunk : kChunk / 4;
}

/// What a kernel needs to know beside its operands.
struct Run {
  std::int64_t batch;
  int steps, hidden;
  int chunks;  ///< of kChunk units: the state, filled up with zeros
  bool reverse;
  bool aligned;                 ///< weights may be read four at a time
  const std::int64_t* lengths;  ///< null: all samples last to the end
  __device__ int time(int step) const { return reverse ? steps - 1 - step : step; }
  /// From a slot of states to the one of the next step, in samples.
  __device__ std::int64_t stride() const { return reverse ? -batch : batch; }
};

template <class A>
struct alignas(16) Quad {
  A x[4];
};

__device__ inline float multiply_add(float a, float b, float c) {
  return fmaf(a, b, c);
}
__device__ inline double multiply_add(double a, double b, double c) {
  return fma(a, b, c);
}

/// What a thread stands for. Of the four lanes of a unit, 4 / S have the same sample and share its gates.
template <int S>
struct Place {
  int unit, slot, part;  ///< slot: the sample's, in its block
  int end;               ///< steps from here on do not happen
  std::int64_t sample;
  bool live;

  __device__ explicit Place(const Run& run) {
    const int lane = threadIdx.x % kLanes;
    unit = threadIdx.x / kLanes, slot = lane % S, part = lane / S;
    sample = std::int64_t(blockIdx.x) * S + slot;
    live = unit < run.hidden && sample < run.batch;
    const std::int64_t length = live && run.lengths ? run.lengths[sample] : run.steps;
    end = int(length < run.steps ? length < 0 ? 0 : length : run.steps);
  }
  /// The r-th of this lane's S gates, of four.
  __device__ int gate(int r) const { return r * (kLanes / S) + part; }
  /// Of a tensor with a row of `width` for each sample and time.
  __device__ std::int64_t row(std::int64_t time, const Run& run, int width) const { return (time * run.batch + sample) * width + unit; }
};

/// A thread's share of the weights [G H, H]: tiles of G by 4, or of 4 G by 4 backward, one a chunk; R chunks in registers, others in shared
/// memory.
template <class A, int G, int R, bool Back>
class Weights {
 public:
  static constexpr int kWidth = product_lanes(Back);
  /// Between quads of a thread in shared memory, where threads lie side by side. A constant saves the loop instructions; f64 has no room.
  static constexpr int stride(int threads) { return R == 0 ? threads : kMostThreads; }

  __device__ Weights(const Run& run, const A* weights, Quad<A>* shared) : far_(shared + threadIdx.x) {
#pragma unroll
    for (int i = 0; i < R; ++i)
#pragma unroll
      for (int g = 0; g < G; ++g) near_[i][g] = read(run, weights, i, g);
    for (int i = R; i < run.chunks; ++i)
      for (int g = 0; g < G; ++g) far_[((i - R) * G + g) * stride(blockDim.x)] = read(run, weights, i, g);
  }

  /// Adds the products with S vectors to sum, backward [S, 4 states], else [G, S].
  template <int S>
  __device__ void multiply(const Quad<A>* vectors, int chunks, A (&sum)[4 * S]) const {
    const Quad<A>* v = vectors + threadIdx.x % kWidth;
    const int row = kWidth * chunks;
#pragma unroll
    for (int i = 0; i < R; ++i)
#pragma unroll
      for (int s = 0; s < S; ++s) add<S>(near_[i], v[s * row + kWidth * i], s, sum);
    const Quad<A>* far = far_;
#pragma unroll 1
    for (int i = R; i < chunks; ++i, far += G * stride(blockDim.x)) {
      Quad<A> w[G];
#pragma unroll
      for (int g = 0; g < G; ++g) w[g] = far[g * stride(blockDim.x)];
#pragma unroll
      for (int s = 0; s < S; ++s) add<S>(w, v[s * row + kWidth * i], s, sum);
    }
  }

 private:
  __device__ static Quad<A> read(const Run& run, const A* weights, int chunk, int gate) {
    const int part = threadIdx.x % kWidth, unit = threadIdx.x / kLanes, H = run.hidden;
    const int row = Back ? kChunk * chunk + part : unit, column = Back ? unit / 4 * 4 : kChunk * chunk + 4 * part;
    Quad<A> w = {};
    if (row >= H || column >= H) return w;
    const A* from = weights + (gate * H + row) * H + column;
    if (run.aligned) return *reinterpret_cast<const Quad<A>*>(from);
    for (int e = 0; e < 4; ++e)
      if (column + e < H) w.x[e] = from[e];
    return w;
  }

  template <int S>
  __device__ static void add(const Quad<A> (&w)[G], const Quad<A>& v, int s, A (&sum)[4 * S]) {
#pragma unroll
    for (int g = 0; g < G; ++g)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        A& to = Back ? sum[4 * s + e] : sum[S * g + s];
        to = multiply_add(w[g].x[e], Back ? v.x[g] : v.x[e], to);
      }
  }

  Quad<A> near_[R == 0 ? 1 : R][G];
  Quad<A>* far_;
};

/// Adds over lanes that differ in `bit`; each keeps half of the values: the even ones where its bit is 0, else the odd ones.
template <class A, int Count>
__device__ void halve(A* v, int bit) {
  const bool odd = threadIdx.x & bit;
#pragma unroll
  for (int i = 0; i < Count / 2; ++i) {
    const A kept = odd ? v[2 * i + 1] : v[2 * i], given = odd ? v[2 * i] : v[2 * i + 1];
    v[i] = kept + __shfl_xor_sync(~0u, given, bit);
  }
}

/// The first S values become the sums of this lane's gates; see Place::gate.
template <int S, class A>
__device__ void fold_gates(A (&sum)[4 * S]) {
  halve<A, 4 * S>(sum, 1);
  halve<A, 2 * S>(sum, 2);
}

/// The sum of this lane's unit and sample.
template <int S, class A>
__device__ A fold_state(A (&sum)[4 * S]) {
  halve<A, 4 * S>(sum, 4);
  halve<A, 2 * S>(sum, 8);
  if constexpr (S > 1) halve<A, S>(sum, 1);
  if constexpr (S == 1) sum[0] += __shfl_xor_sync(~0u, sum[0], 1);
  if constexpr (S == 4) halve<A, 2>(sum, 2);
  if constexpr (S < 4) sum[0] += __shfl_xor_sync(~0u, sum[0], 2);
  return sum[0];
}

/// All four gates of this lane's sample.
template <int S, class A>
__device__ void gather_gates(const A (&own)[S], const Place<S>& at, A (&all)[4]) {
#pragma unroll
  for (int g = 0; g < 4; ++g) all[g] = S == 4 ? own[g % S] : __shfl_sync(~0u, own[g / (4 / S)], at.slot + S * (g % (4 / S)), kLanes);
}

/// all[i], without an address.
template <class A>
__device__ A pick(const A (&all)[4], int i) {
  const A low = i & 1 ? all[1] : all[0], high = i & 1 ? all[3] : all[2];
  return i & 2 ? high : low;
}

/// tanh(x), or sigmoid(x), by the same instructions, so that lanes with different gates need not wait for each other. With m = e^y - 1,
/// y = 2 x gives m / (m + 2), and y = -x gives 1 / (m + 2); see tanh_fast, whose precision it has.
__device__ inline float activate(float x, bool tangent) {
  constexpr float kRound = 12582912.0f;  // 1.5 2^23: adding it leaves the nearest integer in the low bits
  const float most = tangent ? 20.0f : 80.0f;
  float y = tangent ? x + x : -x;
  y = y < -20.0f ? -20.0f : y;
  y = y > most ? most : y;
  const float shifted = multiply_add(y, 1.44269504088896341f, kRound), n = shifted - kRound;
  const float r = multiply_add(n, 2.12194440e-4f, multiply_add(n, -0.693359375f, y));
  float p = 1.98412698e-4f;
  p = multiply_add(p, r, 1.38888889e-3f);
  p = multiply_add(p, r, 8.33333333e-3f);
  p = multiply_add(p, r, 4.16666667e-2f);
  p = multiply_add(p, r, 1.66666667e-1f);
  p = multiply_add(p, r, 0.5f);
  p = multiply_add(p, r * r, r);
  const std::int32_t whole = std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(kRound);
  const float power = std::bit_cast<float>((whole + 127) << 23), m = multiply_add(power, p, power - 1.0f);
  return __fdividef(tangent ? m : 1.0f, m + 2.0f);
}
__device__ inline double activate(double x, bool tangent) {
  return tangent ? tanh_fast(x) : sigmoid_fast(x);
}

template <class A>
__device__ void clear(A* at, int count) {
  for (int i = threadIdx.x; i < count; i += blockDim.x) at[i] = A(0);
  __syncthreads();
}

}  // namespace tenon::cuda::sequence
