// Products of small matrices that lie side by side, one a lane; see ops/batch_product_kernels.hpp.
#include "kernels/vec.inl"
#include "ops/batch_product_kernels.hpp"

namespace tenon::TENON_ISA {

/// M rows by J columns of c at N batch positions, held in registers over the whole depth.
template <class T, int N, int M, int J>
inline void batch_tile(const BatchProduct& p, const T* a, const T* b, T* c) {
  Vec<T, N> sums[M][J] = {};
  for (std::int64_t k = 0; k < p.depth; ++k, a += p.a_depth, b += p.b_depth) {
    Vec<T, N> row[M];
    for (int i = 0; i < M; ++i) row[i] = load<N>(a + i * p.a_row);
    for (int j = 0; j < J; ++j) {
      const Vec<T, N> column = load<N>(b + j * p.b_column);
      for (int i = 0; i < M; ++i) sums[i][j] += row[i] * column;
    }
  }
  for (int i = 0; i < M; ++i)
    for (int j = 0; j < J; ++j) store<N>(c + (i * p.columns + j) * p.batch, sums[i][j]);
}

template <class T, int N, int M>
inline void batch_row(const BatchProduct& p, const T* a, const T* b, T* c) {
  std::int64_t j = 0;
  for (; j + 3 <= p.columns; j += 3) batch_tile<T, N, M, 3>(p, a, b + j * p.b_column, c + j * p.batch);
  for (; j < p.columns; ++j) batch_tile<T, N, M, 1>(p, a, b + j * p.b_column, c + j * p.batch);
}

/// Rows [first, last) at N batch positions from those that a, b and c point to.
template <class T, int N>
inline void batch_rows(const BatchProduct& p, const T* a, const T* b, T* c, std::int64_t first, std::int64_t last) {
  for (; first + 4 <= last; first += 4) batch_row<T, N, 4>(p, a + first * p.a_row, b, c + first * p.columns * p.batch);
  for (; first < last; ++first) batch_row<T, N, 1>(p, a + first * p.a_row, b, c + first * p.columns * p.batch);
}

/// Rows [first, last), batch positions [begin, end).
template <class T>
void batch_block(const BatchProduct& p, const T* a, const T* b, T* c, std::int64_t first, std::int64_t last, std::int64_t begin,
                 std::int64_t end) {
  constexpr int N = kLanes<T>;
  for (; begin + N <= end; begin += N) batch_rows<T, N>(p, a + begin, b + begin, c + begin, first, last);
  for (; begin < end; ++begin) batch_rows<T, 1>(p, a + begin, b + begin, c + begin, first, last);
}

}  // namespace tenon::TENON_ISA
