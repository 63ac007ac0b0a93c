// A row of output voxels of a separable sparse map; channels innermost.
#include "kernels/vec.inl"
#include "ops/resize_rows.hpp"

namespace tenon::TENON_ISA {

struct AxisMapBody {
  template <int M, int N, class From, class T, class A>
  static void run(std::int64_t c, const From* in, T* out, std::int64_t inner, const std::int32_t* source, const A* weight,
                  std::int32_t taps, std::int64_t low) {
    Vec<A, N> sum[M] = {};
    for (std::int32_t k = 0; k < taps; ++k) {
      const From* from = in + (source[k] - low) * inner + c;
      const Vec<A, N> w = splat<A, N>(weight[k]);
      for (int m = 0; m < M; ++m) sum[m] += w * load<N>(from + m * N);
    }
    for (int m = 0; m < M; ++m) store<N>(out + c + m * N, sum[m]);
  }
};

template <int Channels, class From, class T>
[[gnu::always_inline]] inline void map_few(const From* in, T* out, const std::int32_t* first, const std::int32_t* source,
                                           const Acc<T>* weight, std::int64_t begin, std::int64_t end, std::int64_t low) {
  using A = Acc<T>;
  for (std::int64_t o = begin; o < end; ++o) {
    const std::int32_t start = first[o], taps = first[o + 1] - start;
    A sum[Channels] = {};
    if (taps == 2) {  // as most positions of a linear map have
      const From *a = in + (source[start] - low) * Channels, *b = in + (source[start + 1] - low) * Channels;
      for (int c = 0; c < Channels; ++c) sum[c] = weight[start] * A(a[c]) + weight[start + 1] * A(b[c]);
    } else {
      for (std::int32_t k = start; k < start + taps; ++k) {
        const From* from = in + (source[k] - low) * Channels;
        for (int c = 0; c < Channels; ++c) sum[c] += weight[k] * A(from[c]);
      }
    }
    for (int c = 0; c < Channels; ++c) out[o * Channels + c] = T(sum[c]);
  }
}

/// Output positions [begin, end) of a map along one axis of x [in, inner], of which `in` holds those from `low` on; `weight` in the
/// accumulation type.
template <class From, class T>
void map_along(const From* in, T* out, std::int64_t inner, const std::int32_t* first, const std::int32_t* source, const Acc<T>* weight,
               std::int64_t begin, std::int64_t end, std::int64_t low = 0) {
  switch (inner) {
    case 1:
      return map_few<1>(in, out, first, source, weight, begin, end, low);
    case 2:
      return map_few<2>(in, out, first, source, weight, begin, end, low);
    case 3:
      return map_few<3>(in, out, first, source, weight, begin, end, low);
    case 4:
      return map_few<4>(in, out, first, source, weight, begin, end, low);
    default:
      for (std::int64_t o = begin; o < end; ++o)
        channel_blocks<Acc<T>, AxisMapBody>(inner, in, out + o * inner, inner, source + first[o], weight + first[o],
                                            first[o + 1] - first[o], low);
  }
}

template <class T>
void axis_map_rows(const T* in, T* out, std::int64_t inner, const std::int32_t* first, const std::int32_t* source, const Acc<T>* weight,
                   std::int64_t begin, std::int64_t end) {
  map_along(in, out, inner, first, source, weight, begin, end);
}

/// The taps of the first two axes at one output row.
struct RowTaps {
  const MapView *z, *y;
  std::int32_t z_begin, z_end, y_begin, y_end;
  std::int64_t row;  ///< elements of an input row
  std::int64_t from(std::int32_t i, std::int32_t j) const { return (std::int64_t(z->source[i]) * y->in + y->source[j]) * row; }
  double weight(std::int32_t i, std::int32_t j) const { return z->weight[i] * y->weight[j]; }
};

/// Elements e.. of the rows' sum.
struct BlendRowsBody {
  template <int M, int N, class T>
  static void run(std::int64_t e, const RowTaps* t, const T* in, Acc<T>* out) {
    Vec<Acc<T>, N> sum[M] = {};
    for (std::int32_t i = t->z_begin; i < t->z_end; ++i)
      for (std::int32_t j = t->y_begin; j < t->y_end; ++j) {
        const Vec<Acc<T>, N> w = splat<Acc<T>, N>(Acc<T>(t->weight(i, j)));
        const T* from = in + t->from(i, j) + e;
        for (int m = 0; m < M; ++m) sum[m] += w * load<N>(from + m * N);
      }
    for (int m = 0; m < M; ++m) store<N>(out + e + m * N, sum[m]);
  }
};

/// Channels c.. of an output voxel from all its taps at once.
struct AllTapsBody {
  template <int M, int N, class T>
  static void run(std::int64_t c, const RowTaps* t, const MapView* ax, std::int64_t x, std::int64_t C, const T* in, T* out) {
    Vec<Acc<T>, N> sum[M] = {};
    for (std::int32_t i = t->z_begin; i < t->z_end; ++i)
      for (std::int32_t j = t->y_begin; j < t->y_end; ++j)
        for (std::int32_t k = ax->first[x]; k < ax->first[x + 1]; ++k) {
          const Vec<Acc<T>, N> w = splat<Acc<T>, N>(Acc<T>(t->weight(i, j) * ax->weight[k]));
          const T* from = in + t->from(i, j) + ax->source[k] * C + c;
          for (int m = 0; m < M; ++m) sum[m] += w * load<N>(from + m * N);
        }
    for (int m = 0; m < M; ++m) store<N>(out + c + m * N, sum[m]);
  }
};

/// One piece of output row (z, y) of one sample; `weight` of the last axis in the accumulation type.
template <class T>
void resize_row(const MapView* axes, std::int64_t C, const Acc<T>* weight, const T* in, T* out, std::int64_t z, std::int64_t y,
                const ResizePiece& p) {
  using A = Acc<T>;
  const MapView &az = axes[0], &ay = axes[1], &ax = axes[2];
  const RowTaps t{&az, &ay, az.first[z], az.first[z + 1], ay.first[y], ay.first[y + 1], ax.in * C};
  T* row = out + (z * ay.out + y) * ax.out * C;
  if (t.z_end - t.z_begin == 1 && t.y_end - t.y_begin == 1 && t.weight(t.z_begin, t.y_begin) == 1)
    return map_along(in + t.from(t.z_begin, t.y_begin), row, C, ax.first, ax.source, weight, p.begin, p.end);
  if (!p.buffered) {
    for (std::int64_t x = p.begin; x < p.end; ++x) channel_blocks<A, AllTapsBody>(C, &t, &ax, x, C, in, row + x * C);
    return;
  }
  A buffer[kResizeBuffer];
  channel_blocks<A, BlendRowsBody>((p.high - p.low) * C, &t, in + p.low * C, buffer);
  map_along(buffer, row, C, ax.first, ax.source, weight, p.begin, p.end, p.low);
}

}  // namespace tenon::TENON_ISA
