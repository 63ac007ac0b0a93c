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

}  // namespace tenon::TENON_ISA
