// Pooling of one row of voxels (along the last spatial axis); channels innermost. Gathers in both directions.
#include "ops/pool_kernels.hpp"
#include "kernels/vec.inl"

namespace tenon::TENON_ISA {

inline constexpr int kPiece = 128;  // channels handled together, their sums kept near

/// Outputs (z, y, all x) of one sample.
template <class T>
void max_pool_row(const Pooling& p, const T* in, T* out, std::int32_t* index, std::int64_t z, std::int64_t y) {
  using A = Acc<T>;
  const auto& [az, ay, ax] = p.axes;
  const std::int64_t C = p.channels;
  for (std::int64_t x = 0; x < ax.out; ++x) {
    const std::int64_t to = ((z * ay.out + y) * ax.out + x) * C;
    for (std::int64_t c0 = 0; c0 < C; c0 += kPiece) {
      const int n = int(C - c0 < kPiece ? C - c0 : kPiece);
      A best[kPiece];
      std::int32_t at[kPiece];
      bool first = true;
      for (std::int64_t i = az.begin(z); i < az.end(z); ++i)
        for (std::int64_t j = ay.begin(y); j < ay.end(y); ++j)
          for (std::int64_t k = ax.begin(x); k < ax.end(x); ++k) {
            const std::int64_t voxel = (i * ay.in + j) * ax.in + k;
            const T* from = in + voxel * C + c0;
            const std::int32_t here = std::int32_t(voxel);
            if (first) {
              for (int c = 0; c < n; ++c) best[c] = A(from[c]), at[c] = here;
              first = false;
              continue;
            }
            for (int c = 0; c < n; ++c) {
              A v = A(from[c]);
              bool take = beats(v, best[c]);
              best[c] = take ? v : best[c];
              at[c] = take ? here : at[c];
            }
          }
      for (int c = 0; c < n; ++c) out[to + c0 + c] = T(best[c]), index[to + c0 + c] = at[c];
    }
  }
}

/// Inputs (z, y, all x) of one sample from the windows that hold them; `index` null: every window gives its share.
template <class T>
void pool_put_row(const Pooling& p, const T* from, const std::int32_t* index, T* to, std::int64_t z, std::int64_t y, Acc<T> share) {
  using A = Acc<T>;
  const auto& [az, ay, ax] = p.axes;
  const std::int64_t C = p.channels;
  for (std::int64_t x = 0; x < ax.in; ++x) {
    const std::int64_t voxel = (z * ay.in + y) * ax.in + x;
    for (std::int64_t c0 = 0; c0 < C; c0 += kPiece) {
      const int n = int(C - c0 < kPiece ? C - c0 : kPiece);
      A sum[kPiece];
      for (int c = 0; c < n; ++c) sum[c] = 0;
      for (std::int64_t i = az.first_window(z); i <= az.last_window(z); ++i)
        for (std::int64_t j = ay.first_window(y); j <= ay.last_window(y); ++j)
          for (std::int64_t k = ax.first_window(x); k <= ax.last_window(x); ++k) {
            const std::int64_t at = ((i * ay.out + j) * ax.out + k) * C + c0;
            if (index) {
              for (int c = 0; c < n; ++c) sum[c] += index[at + c] == std::int32_t(voxel) ? A(from[at + c]) : A(0);
            } else {
              for (int c = 0; c < n; ++c) sum[c] += A(from[at + c]);
            }
          }
      for (int c = 0; c < n; ++c) to[voxel * C + c0 + c] = T(sum[c] * share);
    }
  }
}

template <class T>
void avg_pool_row(const Pooling& p, const T* in, T* out, std::int64_t z, std::int64_t y, Acc<T> share) {
  using A = Acc<T>;
  const auto& [az, ay, ax] = p.axes;
  const std::int64_t C = p.channels;
  for (std::int64_t x = 0; x < ax.out; ++x) {
    T* to = out + ((z * ay.out + y) * ax.out + x) * C;
    for (std::int64_t c0 = 0; c0 < C; c0 += kPiece) {
      const int n = int(C - c0 < kPiece ? C - c0 : kPiece);
      A sum[kPiece];
      for (int c = 0; c < n; ++c) sum[c] = 0;
      for (std::int64_t i = az.begin(z); i < az.end(z); ++i)
        for (std::int64_t j = ay.begin(y); j < ay.end(y); ++j)
          for (std::int64_t k = ax.begin(x); k < ax.end(x); ++k) {
            const T* from = in + ((i * ay.in + j) * ax.in + k) * C + c0;
            for (int c = 0; c < n; ++c) sum[c] += A(from[c]);
          }
      for (int c = 0; c < n; ++c) to[c0 + c] = T(sum[c] * share);
    }
  }
}

}  // namespace tenon::TENON_ISA
