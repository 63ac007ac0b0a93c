/// What the convolution kernels share: the rows of a result as gathered from a source, and loads of several channels at once (private).
#pragma once

#include <cstdint>
#include <cstring>

#include "backend/conv_geometry.hpp"
#include "backend/cuda/launch.cuh"
#include "kernels/types.hpp"

namespace tenon::cuda {

/// forward reads x and writes y, the input gradient reads y and writes x: a source and a result. Channels are those of all groups,
/// `sources` and `results` those of one.
struct ConvMap {
  std::int64_t batch, taps;
  int result[3], source[3], kernel[3], stride[3], pad[3], dilation[3];
  int result_channels, source_channels, results, sources, groups;

  ConvMap(const ConvGeometry& g, bool forward)
      : batch(g.batch),
        taps(g.taps()),
        result_channels(int(forward ? g.out_channels : g.in_channels)),
        source_channels(int(forward ? g.in_channels : g.out_channels)),
        results(int(result_channels / g.groups)),
        sources(int(source_channels / g.groups)),
        groups(int(g.groups)) {
    for (std::size_t a = 0; a < 3; ++a) {
      result[a] = int(forward ? g.out[a] : g.in[a]);
      source[a] = int(forward ? g.in[a] : g.out[a]);
      kernel[a] = int(g.kernel[a]);
      stride[a] = int(g.stride[a]);
      pad[a] = int(g.pad[a]);
      dilation[a] = int(g.dilation[a]);
    }
  }

  /// The input gradient takes rows of x that leave the same remainder modulo the stride together: they meet the same taps.
  std::int64_t classes(bool forward) const { return forward ? 1 : std::int64_t(stride[0]) * stride[1] * stride[2]; }
  /// Rows of the largest class, which is the first.
  std::int64_t class_rows(bool forward) const {
    std::int64_t rows = batch;
    for (int a = 0; a < 3; ++a) rows *= forward ? result[a] : (result[a] + stride[a] - 1) / stride[a];
    return rows;
  }
  std::int64_t result_voxels() const { return std::int64_t(result[0]) * result[1] * result[2]; }
};

__device__ inline std::int64_t divide(std::int64_t value, int by, int& rest) {
  if (value < (std::int64_t(1) << 31)) {  // 64-bit division is slow
    unsigned v = unsigned(value), q = v / unsigned(by);
    rest = int(v - q * unsigned(by));
    return q;
  }
  std::int64_t q = value / by;
  rest = int(value - q * by);
  return q;
}

/// One class of rows, and where a row's windows lie in the source: row t of an axis is result first + t * step, and reads source t * scale
/// + offset(tap).
template <bool Forward>
struct RowClass {
  int first[3], step[3], count[3], scale[3];
  std::int64_t rows;

  __device__ RowClass(const ConvMap& m, int index) : rows(m.batch) {
    for (int a = 2; a >= 0; --a) {
      step[a] = Forward ? 1 : m.stride[a];
      scale[a] = Forward ? m.stride[a] : 1;
      first[a] = Forward ? 0 : index % m.stride[a];
      if (!Forward) index /= m.stride[a];
      count[a] = first[a] < m.result[a] ? (m.result[a] - first[a] + step[a] - 1) / step[a] : 0;
      rows *= count[a];
    }
  }

  /// Whether these rows meet tap k of the axis, and then where.
  __device__ bool offset(const ConvMap& m, int axis, int k, int& to) const {
    if (Forward) {
      to = k * m.dilation[axis] - m.pad[axis];
      return true;
    }
    int shifted = first[axis] + m.pad[axis] - k * m.dilation[axis];
    to = shifted / m.stride[axis];
    return to * m.stride[axis] == shifted;
  }
};

struct Row {
  std::int64_t sample;
  int t[3];

  template <bool Forward>
  __device__ Row(const RowClass<Forward>& c, std::int64_t index) {
    for (int a = 2; a >= 0; --a) index = divide(index, c.count[a], t[a]);
    sample = index;
  }
  /// The row's voxel of the result, counted over the batch.
  template <bool Forward>
  __device__ std::int64_t result(const ConvMap& m, const RowClass<Forward>& c) const {
    std::int64_t v = sample;
    for (int a = 0; a < 3; ++a) v = v * m.result[a] + c.first[a] + t[a] * c.step[a];
    return v;
  }
  /// The source's voxel at these offsets, counted over the batch; -1 outside.
  template <bool Forward>
  __device__ std::int64_t source(const ConvMap& m, const RowClass<Forward>& c, const int* offset) const {
    std::int64_t v = sample;
    bool inside = true;
    for (int a = 0; a < 3; ++a) {
      int p = t[a] * c.scale[a] + offset[a];
      inside = inside && p >= 0 && p < m.source[a];
      v = v * m.source[a] + p;
    }
    return inside ? v : -1;
  }
};

/// The taps that a class of rows meets, one after the other.
template <bool Forward>
struct TapWalk {
  int k[3] = {0, 0, -1};
  int offset[3] = {0, 0, 0};
  int tap = -1;

  /// To the next one; false after the last.
  __device__ bool next(const ConvMap& m, const RowClass<Forward>& c) {
    for (;;) {
      ++tap;
      if (++k[2] == m.kernel[2]) {
        k[2] = 0;
        if (++k[1] == m.kernel[1]) {
          k[1] = 0;
          ++k[0];
        }
      }
      if (k[0] >= m.kernel[0]) return false;
      if (c.offset(m, 0, k[0], offset[0]) && c.offset(m, 1, k[1], offset[1]) && c.offset(m, 2, k[2], offset[2])) return true;
    }
  }
};

template <int Bytes>
struct Word;
template <>
struct Word<2> {
  using type = std::uint16_t;
};
template <>
struct Word<4> {
  using type = std::uint32_t;
};
template <>
struct Word<8> {
  using type = uint2;
};
template <>
struct Word<16> {
  using type = uint4;
};

/// N neighbours as Acc<T>, in words of up to 16 bytes; `from` is aligned to the word.
template <class T, int N>
__device__ inline void load_words(const T* from, Acc<T>* to) {
  constexpr int kBytes = int(sizeof(T)) * N < 16 ? int(sizeof(T)) * N : 16, kEach = kBytes / int(sizeof(T));
  using W = typename Word<kBytes>::type;
#pragma unroll
  for (int i = 0; i < N / kEach; ++i) {
    W word = reinterpret_cast<const W*>(from)[i];
    T values[kEach];
    memcpy(values, &word, sizeof word);
#pragma unroll
    for (int j = 0; j < kEach; ++j) to[i * kEach + j] = Acc<T>(values[j]);
  }
}

template <class T, int N>
__device__ inline void store_words(T* to, const Acc<T>* from) {
  constexpr int kBytes = int(sizeof(T)) * N < 16 ? int(sizeof(T)) * N : 16, kEach = kBytes / int(sizeof(T));
  using W = typename Word<kBytes>::type;
#pragma unroll
  for (int i = 0; i < N / kEach; ++i) {
    T values[kEach];
#pragma unroll
    for (int j = 0; j < kEach; ++j) values[j] = T(from[i * kEach + j]);
    W word;
    memcpy(&word, values, sizeof word);
    reinterpret_cast<W*>(to)[i] = word;
  }
}

/// The first `count` of N neighbours, zeros behind them; `whole`: all N are there and aligned.
template <class T, int N>
__device__ inline void load_some(const T* from, Acc<T>* to, int count, bool whole) {
  if constexpr ((N & (N - 1)) == 0) {
    if (whole) return load_words<T, N>(from, to);
  }
#pragma unroll
  for (int j = 0; j < N; ++j) to[j] = j < count ? Acc<T>(from[j]) : Acc<T>(0);
}

template <class T, int N>
__device__ inline void store_some(T* to, const Acc<T>* from, int count, bool whole) {
  if (whole) return store_words<T, N>(to, from);
#pragma unroll
  for (int j = 0; j < N; ++j)
    if (j < count) to[j] = T(from[j]);
}

/// A weight as 16-bit products take it: rounded to the type of the activations, as libraries' kernels and the CPU's have it.
template <class T>
__device__ inline Acc<T> as_weight(Acc<T> w) {
  if constexpr (sizeof(T) == 2) return Acc<T>(T(w));
  return w;
}

/// w[out, tap, in] seen from the pass: the weight between a source and a result channel of one group.
template <bool Forward>
__device__ inline std::int64_t weight_at(const ConvMap& m, int group, int tap, int source, int result) {
  return Forward ? ((std::int64_t(group) * m.results + result) * m.taps + tap) * m.sources + source
                 : ((std::int64_t(group) * m.sources + source) * m.taps + tap) * m.results + result;
}

inline bool aligned(const void* p, std::size_t bytes) {
  return reinterpret_cast<std::uintptr_t>(p) % bytes == 0;
}

}  // namespace tenon::cuda
