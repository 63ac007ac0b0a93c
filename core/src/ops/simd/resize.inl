// One row of output voxels of a separable sparse map; channels innermost.
#include "ops/resize_kernels.hpp"
#include "kernels/vec.inl"

namespace tenon::TENON_ISA {

template <class T>
void resize_row(const MapView* axes, std::int64_t C, const T* in, T* out, std::int64_t z, std::int64_t y) {
  using A = Acc<T>;
  constexpr int kPiece = 128;
  const MapView &az = axes[0], &ay = axes[1], &ax = axes[2];
  for (std::int64_t x = 0; x < ax.out; ++x) {
    T* to = out + ((z * ay.out + y) * ax.out + x) * C;
    for (std::int64_t c0 = 0; c0 < C; c0 += kPiece) {
      const int n = int(C - c0 < kPiece ? C - c0 : kPiece);
      A sum[kPiece];
      for (int c = 0; c < n; ++c) sum[c] = 0;
      for (std::int32_t i = az.first[z]; i < az.first[z + 1]; ++i)
        for (std::int32_t j = ay.first[y]; j < ay.first[y + 1]; ++j)
          for (std::int32_t k = ax.first[x]; k < ax.first[x + 1]; ++k) {
            const A w = A(az.weight[i] * ay.weight[j] * ax.weight[k]);
            const T* from = in + ((std::int64_t(az.source[i]) * ay.in + ay.source[j]) * ax.in + ax.source[k]) * C + c0;
            for (int c = 0; c < n; ++c) sum[c] += w * A(from[c]);
          }
      for (int c = 0; c < n; ++c) to[c0 + c] = T(sum[c]);
    }
  }
}

struct AxisMapBody {
  template <int M, int N, class T, class A>
  static void run(std::int64_t c, const T* in, T* out, std::int64_t inner, const std::int32_t* source, const A* weight, std::int32_t taps) {
    Vec<A, N> sum[M] = {};
    for (std::int32_t k = 0; k < taps; ++k) {
      const T* from = in + std::int64_t(source[k]) * inner + c;
      const Vec<A, N> w = splat<A, N>(weight[k]);
      for (int m = 0; m < M; ++m) sum[m] += w * load<N>(from + m * N);
    }
    for (int m = 0; m < M; ++m) store<N>(out + c + m * N, sum[m]);
  }
};

/// Output positions [begin, end) of a map along one axis of x [in, inner]; `weight` in the accumulation type.
template <class T>
void axis_map_rows(const T* in, T* out, std::int64_t inner, const std::int32_t* first, const std::int32_t* source, const Acc<T>* weight,
                   std::int64_t begin, std::int64_t end) {
  using A = Acc<T>;
  if (inner == 1) {
    for (std::int64_t o = begin; o < end; ++o) {
      A sum = 0;
      for (std::int32_t k = first[o]; k < first[o + 1]; ++k) sum += weight[k] * A(in[source[k]]);
      out[o] = T(sum);
    }
    return;
  }
  for (std::int64_t o = begin; o < end; ++o)
    channel_blocks<A, AxisMapBody>(inner, in, out + o * inner, inner, source + first[o], weight + first[o], first[o + 1] - first[o]);
}

}  // namespace tenon::TENON_ISA
