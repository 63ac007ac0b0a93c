// One mode's product of complex matrices, C = A B: rows of A against rows of B, real and imaginary parts interleaved.
#include "kernels/vec.inl"
#include "ops/mode_matrices.hpp"

namespace tenon::TENON_ISA {

/// R rows by V vectors of N scalars. B's scalars times re(A) and times im(A) are summed apart: the second sums, with the numbers' halves
/// exchanged, are added once at the end.
template <class T, int R, int V, int N>
[[gnu::always_inline]] inline void mode_tile(const ModeMatrices<T>& m, std::int64_t row, std::int64_t column) {
  using Index = Vec<std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>, N>;
  Vec<T, N> by_re[R][V] = {}, by_im[R][V] = {}, sign;
  Index exchanged;
  for (int j = 0; j < N; ++j) {
    exchanged[j] = j ^ 1;
    sign[j] = (j % 2 == 0) == m.conjugate ? T(1) : T(-1);
  }
  const T *a = m.a + row * m.a_row, *b = m.b + column;
  for (std::int64_t k = 0; k < m.depth; ++k, a += m.a_step, b += m.b_row) {
    for (int v = 0; v < V; ++v) {
      const Vec<T, N> w = load<N>(b + v * N);
      for (int r = 0; r < R; ++r) {
        by_re[r][v] += a[r * m.a_row] * w;
        by_im[r][v] += a[r * m.a_row + 1] * w;
      }
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v)
      store<N>(m.c + (row + r) * m.c_row + column + v * N, by_re[r][v] + sign * __builtin_shuffle(by_im[r][v], exchanged));
}

template <class T, int V, int N>
inline void mode_columns(const ModeMatrices<T>& m, std::int64_t column) {
  std::int64_t row = 0;
  for (; row + 2 <= m.rows; row += 2) mode_tile<T, 2, V, N>(m, row, column);
  for (; row < m.rows; ++row) mode_tile<T, 1, V, N>(m, row, column);
}

template <class T, int N>
inline void mode_rest(const ModeMatrices<T>& m, std::int64_t column) {
  for (; m.width - column >= N; column += N) mode_columns<T, 1, N>(m, column);
  if constexpr (N > 2) mode_rest<T, N / 2>(m, column);
}

template <class T>
void mode_matrices(const ModeMatrices<T>& m) {
  constexpr int L = kLanes<T>;
  std::int64_t column = 0;
  for (; m.width - column >= 2 * L; column += 2 * L) mode_columns<T, 2, L>(m, column);
  mode_rest<T, L>(m, column);
}

}  // namespace tenon::TENON_ISA
