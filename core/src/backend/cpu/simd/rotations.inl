// Sweeps of plane rotations over rows of a matrix for one instruction set; see backend/cpu/linalg/factor.hpp.
#include "kernels/vec.inl"

namespace tenon::TENON_ISA {

/// Columns [c, c + M N) through all sweeps. A sweep is: first row, rotations, then their c and s; its running row stays in registers.
struct RotateRows {
  template <int M, int N>
  [[gnu::always_inline]] static void run(std::int64_t c, double* x, std::int64_t stride, const double* sweep, const double* end) {
    while (sweep != end) {
      double* row = x + std::int64_t(sweep[0]) * stride + c;
      const std::int64_t count = std::int64_t(sweep[1]);
      sweep += 2;
      Vec<double, N> running[M];
      for (int v = 0; v < M; ++v) running[v] = load<N>(row + v * N);
      for (std::int64_t r = 0; r < count; ++r, sweep += 2, row += stride) {
        const Vec<double, N> cosine = splat<double, N>(sweep[0]), sine = splat<double, N>(sweep[1]);
        for (int v = 0; v < M; ++v) {
          const Vec<double, N> next = load<N>(row + stride + v * N);
          store<N>(row + v * N, cosine * running[v] + sine * next);
          running[v] = cosine * next - sine * running[v];
        }
      }
      for (int v = 0; v < M; ++v) store<N>(row + v * N, running[v]);
    }
  }
};

inline void rotate_rows(double* x, std::int64_t stride, std::int64_t columns, const double* sweeps, const double* end) {
  channel_blocks<double, RotateRows>(columns, x, stride, sweeps, end);
}

}  // namespace tenon::TENON_ISA
