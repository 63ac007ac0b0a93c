// Pooling of a row of voxels (along the last spatial axis); channels innermost. Gathers in both directions.
#include "kernels/vec.inl"
#include "ops/pool_rows.hpp"

namespace tenon::TENON_ISA {

/// Voxels, or windows, that are gathered: [z0, z1) by [y0, y1) by [x0, x1), of axes of these sizes.
struct PoolBox {
  std::int64_t z0, z1, y0, y1, x0, x1, height, width;
  std::int64_t first() const { return (z0 * height + y0) * width + x0; }
};

/// An integer as wide as A: a lane of positions beside one of values.
template <class A>
using Place = std::conditional_t<sizeof(A) == 8, std::int64_t, std::int32_t>;

/// `beats` in lanes: greater, or a NaN over a number.
template <class V>
[[gnu::always_inline]] inline auto beats_in_lanes(V v, V best) {
  return ~(v <= best) & (best == best);
}

/// Whether a voxel's channels are one vector, narrower than the widest: then windows a stride apart are taken one by one.
template <class A>
bool narrow_vectors(const Pooling& p) {
  return std::is_same_v<A, float> && kLanes<float> >= 8 && p.axes[2].stride > 1 && (p.channels == 4 || (p.channels == 8 && kLanes<float> > 8));
}

/// Whether vectors along x and channels together have more lanes to use than those along few channels, although results that a stride
/// leaves out are made too.
template <class A>
bool along_rows(const Pooling& p) {
  return p.axes[2].kernel > 0 && p.channels < kLanes<A> && (narrow_vectors<A>(p) || p.channels * p.axes[2].stride <= 2 * kLanes<A>);
}

/// Windows of the last axis that no edge cuts: [begin, end).
struct WholeWindows {
  std::int64_t begin, end;
  WholeWindows(const PoolAxis& a, const PoolRow& r) {
    const std::int64_t first = (a.padding + a.stride - 1) / a.stride, room = a.in + a.padding - a.kernel;
    begin = first < r.begin ? r.begin : first < r.end ? first : r.end;
    end = room < 0 ? begin : room / a.stride + 1;
    end = end < begin ? begin : end < r.end ? end : r.end;
  }
};

inline constexpr std::int64_t kSpan = 1024;  // elements of a row whose results are held before the stride picks some

/// Maxima of M vectors of windows over `in`, and where they are, in voxels after the box's first; only the maxima where Places is false.
template <int M, int N, bool Places, class T>
[[gnu::always_inline]] inline void max_of_box(const PoolBox& b, std::int64_t C, const T* in, Vec<Acc<T>, N> (&best)[M],
                                              Vec<Place<Acc<T>>, N> (&at)[M]) {
  using Index = Vec<Place<Acc<T>>, N>;
  for (int m = 0; m < M; ++m) best[m] = load<N>(in + m * N), at[m] = Index{};
  for (std::int64_t i = 0; i < b.z1 - b.z0; ++i)
    for (std::int64_t j = 0; j < b.y1 - b.y0; ++j)
      for (std::int64_t k = 0; k < b.x1 - b.x0; ++k) {
        const std::int64_t voxel = (i * b.height + j) * b.width + k;
        for (int m = 0; m < M; ++m) {
          const Vec<Acc<T>, N> v = load<N>(in + voxel * C + m * N);
          const auto take = beats_in_lanes(v, best[m]);
          best[m] = take ? v : best[m];
          if constexpr (Places) at[m] = take ? splat<Place<Acc<T>>, N>(Place<Acc<T>>(voxel)) : at[m];
        }
      }
}

/// Sums likewise.
template <int M, int N, class T>
[[gnu::always_inline]] inline void sum_of_box(const PoolBox& b, std::int64_t C, const T* in, Vec<Acc<T>, N> (&sum)[M]) {
  for (int m = 0; m < M; ++m) sum[m] = Vec<Acc<T>, N>{};
  for (std::int64_t i = 0; i < b.z1 - b.z0; ++i)
    for (std::int64_t j = 0; j < b.y1 - b.y0; ++j)
      for (std::int64_t k = 0; k < b.x1 - b.x0; ++k) {
        const T* from = in + ((i * b.height + j) * b.width + k) * C;
        for (int m = 0; m < M; ++m) sum[m] += load<N>(from + m * N);
      }
}

template <bool Places>
struct MaxPoolBody {
  template <int M, int N, class T>
  static void run(std::int64_t c, const PoolBox* b, std::int64_t C, const T* in, T* out, std::int32_t* index) {
    using A = Acc<T>;
    Vec<A, N> best[M];
    Vec<Place<A>, N> at[M];
    max_of_box<M, N, Places>(*b, C, in + b->first() * C + c, best, at);
    for (int m = 0; m < M; ++m) {
      store<N>(out + c + m * N, best[m]);
      if constexpr (Places) {
        const Vec<std::int32_t, N> places =
            __builtin_convertvector(at[m], Vec<std::int32_t, N>) + splat<std::int32_t, N>(std::int32_t(b->first()));
        std::memcpy(index + c + m * N, &places, sizeof places);
      }
    }
  }
};

/// The same for elements of a row of windows, x and channels together, of which the stride picks some later.
template <bool Places>
struct MaxAlongBody {
  template <int M, int N, class T, class A>
  static void run(std::int64_t e, const PoolBox* b, std::int64_t C, const T* in, A* best_out, Place<A>* at_out) {
    Vec<A, N> best[M];
    Vec<Place<A>, N> at[M];
    max_of_box<M, N, Places>(*b, C, in + e, best, at);
    std::memcpy(best_out + e, best, sizeof best);
    if constexpr (Places) std::memcpy(at_out + e, at, sizeof at);
  }
};

/// `count` windows that no edge cuts, of N channels, the first of them `b`.
template <int N, bool Places, class T>
void max_windows(const PoolBox& b, std::int64_t stride, std::int64_t count, const T* in, T* out, std::int32_t* index) {
  const std::int32_t first = std::int32_t(b.first());
  in += first * N;
  for (std::int64_t x = 0; x < count; ++x) {
    Vec<Acc<T>, N> best[1];
    Vec<Place<Acc<T>>, N> at[1];
    max_of_box<1, N, Places>(b, N, in + x * stride * N, best, at);
    store<N>(out + x * N, best[0]);
    if constexpr (Places) {
      const Vec<std::int32_t, N> places = at[0] + std::int32_t(first + x * stride);
      std::memcpy(index + x * N, &places, sizeof places);
    }
  }
}
template <int N, class T>
void sum_windows(const PoolBox& b, std::int64_t stride, std::int64_t count, const T* in, T* out, Acc<T> share) {
  in += b.first() * N;
  for (std::int64_t x = 0; x < count; ++x) {
    Vec<Acc<T>, N> sum[1];
    sum_of_box<1, N>(b, N, in + x * stride * N, sum);
    store<N>(out + x * N, sum[0] * share);
  }
}

struct SumAlongBody {
  template <int M, int N, class T, class A>
  static void run(std::int64_t e, const PoolBox* b, std::int64_t C, const T* in, A* sums) {
    Vec<A, N> sum[M];
    sum_of_box<M, N>(*b, C, in + e, sum);
    std::memcpy(sums + e, sum, sizeof sum);
  }
};

/// pick(x, c, at) for elements `at` of a row of windows that a stride leaves. Channels 0: known only now.
template <int Channels, class Pick>
[[gnu::always_inline]] inline void pick_of(std::int64_t count, std::int64_t stride, std::int64_t channels, const Pick& pick) {
  const std::int64_t C = Channels ? Channels : channels;
  for (std::int64_t x = 0; x < count; ++x)
    for (std::int64_t c = 0; c < C; ++c) pick(x, x * C + c, x * stride * C + c);
}
template <class Pick>
[[gnu::always_inline]] inline void pick_strided(std::int64_t count, std::int64_t stride, std::int64_t C, const Pick& pick) {
  if (C == 1) return pick_of<1>(count, stride, C, pick);
  if (C == 2) return pick_of<2>(count, stride, C, pick);
  if (C == 3) return pick_of<3>(count, stride, C, pick);
  if (C == 4) return pick_of<4>(count, stride, C, pick);
  pick_of<0>(count, stride, C, pick);
}

inline PoolBox input_box(const Pooling& p, std::int64_t z, std::int64_t y, std::int64_t x) {
  const auto& [az, ay, ax] = p.axes;
  return {az.begin(z), az.end(z), ay.begin(y), ay.end(y), ax.begin(x), ax.end(x), ay.in, ax.in};
}

/// one(x) for results whose window an edge cuts, span(x, count, elements) for runs of others; their box starts at window x.
template <class One, class Span>
[[gnu::always_inline]] inline void whole_and_cut(const Pooling& p, const PoolRow& r, const One& one, const Span& span) {
  const WholeWindows whole(p.axes[2], r);
  const std::int64_t stride = p.axes[2].stride, most = (kSpan / p.channels - 1) / stride + 1;
  for (std::int64_t x = r.begin; x < whole.begin; ++x) one(x);
  for (std::int64_t x = whole.begin; x < whole.end; x += most) {
    const std::int64_t count = whole.end - x < most ? whole.end - x : most;
    span(x, count, ((count - 1) * stride + 1) * p.channels);
  }
  for (std::int64_t x = whole.end; x < r.end; ++x) one(x);
}

/// Outputs of one sample.
template <class T, bool Places>
void max_pool_row(const Pooling& p, const T* in, T* out, std::int32_t* index, const PoolRow& r) {
  using A = Acc<T>;
  const auto& [az, ay, ax] = p.axes;
  const std::int64_t C = p.channels, row = (r.z * ay.out + r.y) * ax.out;
  auto one = [&](std::int64_t x) {
    const PoolBox box = input_box(p, r.z, r.y, x);
    channel_blocks<A, MaxPoolBody<Places>>(C, &box, C, in, out + (row + x) * C, Places ? index + (row + x) * C : nullptr);
  };
  if (!along_rows<A>(p)) {
    for (std::int64_t x = r.begin; x < r.end; ++x) one(x);
    return;
  }
  whole_and_cut(p, r, one, [&](std::int64_t x0, std::int64_t count, std::int64_t elements) {
    A best[kSpan];
    Place<A> at[kSpan];
    const PoolBox box = input_box(p, r.z, r.y, x0);
    T* to = out + (row + x0) * C;
    std::int32_t* places = Places ? index + (row + x0) * C : nullptr;
    if constexpr (std::is_same_v<T, float>)
      if (narrow_vectors<T>(p)) return (C == 4 ? max_windows<4, Places, T> : max_windows<8, Places, T>)(box, ax.stride, count, in, to, places);
    channel_blocks<A, MaxAlongBody<Places>>(elements, &box, C, in + box.first() * C, best, at);
    pick_strided(count, ax.stride, C, [&](std::int64_t x, std::int64_t e, std::int64_t from) {
      to[e] = T(best[from]);
      if constexpr (Places) places[e] = std::int32_t(at[from] + box.first() + x * ax.stride);
    });
  });
}

struct SumPoolBody {
  template <int M, int N, class T>
  static void run(std::int64_t c, const PoolBox* b, std::int64_t C, const T* in, T* out, Acc<T> share) {
    Vec<Acc<T>, N> sum[M];
    sum_of_box<M, N>(*b, C, in + b->first() * C + c, sum);
    for (int m = 0; m < M; ++m) store<N>(out + c + m * N, sum[m] * share);
  }
};

template <class T>
void avg_pool_row(const Pooling& p, const T* in, T* out, const PoolRow& r, Acc<T> share) {
  using A = Acc<T>;
  const auto& [az, ay, ax] = p.axes;
  const std::int64_t C = p.channels, row = (r.z * ay.out + r.y) * ax.out;
  auto one = [&](std::int64_t x) {
    const PoolBox box = input_box(p, r.z, r.y, x);
    channel_blocks<A, SumPoolBody>(C, &box, C, in, out + (row + x) * C, share);
  };
  if (!along_rows<A>(p)) {
    for (std::int64_t x = r.begin; x < r.end; ++x) one(x);
    return;
  }
  whole_and_cut(p, r, one, [&](std::int64_t x0, std::int64_t count, std::int64_t elements) {
    A sums[kSpan];
    const PoolBox box = input_box(p, r.z, r.y, x0);
    T* to = out + (row + x0) * C;
    if constexpr (std::is_same_v<T, float>)
      if (narrow_vectors<T>(p)) return (C == 4 ? sum_windows<4, T> : sum_windows<8, T>)(box, ax.stride, count, in, to, share);
    channel_blocks<A, SumAlongBody>(elements, &box, C, in + box.first() * C, sums);
    pick_strided(count, ax.stride, C, [&](std::int64_t, std::int64_t e, std::int64_t from) { to[e] = T(sums[from] * share); });
  });
}

struct MaxPutBody {
  template <int M, int N, class T>
  static void run(std::int64_t c, const PoolBox* b, std::int64_t C, const T* from, const std::int32_t* index, T* to, std::int32_t voxel) {
    using A = Acc<T>;
    Vec<A, N> sum[M] = {};
    for (std::int64_t i = b->z0; i < b->z1; ++i)
      for (std::int64_t j = b->y0; j < b->y1; ++j)
        for (std::int64_t k = b->x0; k < b->x1; ++k) {
          const std::int64_t at = ((i * b->height + j) * b->width + k) * C + c;
          for (int m = 0; m < M; ++m) {
            Vec<std::int32_t, N> places;
            std::memcpy(&places, index + at + m * N, sizeof places);
            const auto here = __builtin_convertvector(places, Vec<Place<A>, N>) == splat<Place<A>, N>(voxel);
            sum[m] += here ? load<N>(from + at + m * N) : Vec<A, N>{};
          }
        }
    for (int m = 0; m < M; ++m) store<N>(to + c + m * N, sum[m]);
  }
};

/// Inputs of one sample from the windows that hold them; `index` null: every window gives its share. `holders` of the last axis.
template <class T>
void pool_put_row(const Pooling& p, const T* from, const std::int32_t* index, T* to, const PoolRow& r, const PoolHolders* holders,
                  Acc<T> share) {
  const auto& [az, ay, ax] = p.axes;
  const std::int64_t C = p.channels;
  PoolBox box{az.first_window(r.z), az.last_window(r.z) + 1, ay.first_window(r.y), ay.last_window(r.y) + 1, 0, 0, ay.out, ax.out};
  for (std::int64_t x = r.begin; x < r.end; ++x) {
    const std::int64_t voxel = (r.z * ay.in + r.y) * ax.in + x;
    box.x0 = holders[x].first;
    box.x1 = holders[x].last + 1;
    if (index)
      channel_blocks<Acc<T>, MaxPutBody>(C, &box, C, from, index, to + voxel * C, std::int32_t(voxel));
    else
      channel_blocks<Acc<T>, SumPoolBody>(C, &box, C, from, to + voxel * C, share);
  }
}

/// Shares of n values.
template <class T>
void pool_shares(const void* from, void* to, std::int64_t n, double share) {
  const Acc<T> factor = Acc<T>(share);
  for (std::int64_t i = 0; i < n; ++i) static_cast<T*>(to)[i] = T((Acc<T>(0) + Acc<T>(static_cast<const T*>(from)[i])) * factor);
}

}  // namespace tenon::TENON_ISA
