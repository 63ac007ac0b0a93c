// Matrix products of any strides for one instruction set; see backend/cpu/dense_product.hpp.
#include "backend/cpu/dense_product.hpp"
#include "kernels/vec.inl"

namespace tenon::TENON_ISA {

using cpu::DenseProduct;
using cpu::Store;

inline constexpr int kBlockRows = TENON_LANES_BYTES == 64 ? 12 : 6;  ///< with two vectors of columns this fills the registers
template <class T>
inline constexpr int kPanelColumns = 2 * kLanes<T>;

template <int N, class T>
[[gnu::always_inline]] inline void store_sum(T* to, Vec<T, N> sum, Store store_as) {
  if (store_as == Store::set)
    store<N>(to, sum);
  else
    store<N>(to, store_as == Store::add ? load<N>(to) + sum : load<N>(to) - sum);
}

/// kRows x (kVecs vectors) of c, in registers over the whole depth. Rows of a lie a_row apart, rows of b b_row.
template <class T, int kRows, int kVecs>
[[gnu::noinline]] inline void product_block(std::int64_t depth, const T* a, std::int64_t a_row, std::int64_t a_col, const T* b,
                                            std::int64_t b_row, T* c, std::int64_t c_row, Store store_as) {
  constexpr int L = kLanes<T>;
  Vec<T, L> sums[kRows][kVecs] = {};
  for (std::int64_t p = 0; p < depth; ++p, a += a_col, b += b_row) {
    Vec<T, L> row[kVecs];
#pragma GCC unroll 16
    for (int v = 0; v < kVecs; ++v) row[v] = load<L>(b + v * L);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Vec<T, L> s = splat<T, L>(a[r * a_row]);
#pragma GCC unroll 16
      for (int v = 0; v < kVecs; ++v) sums[r][v] += s * row[v];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < kVecs; ++v) store_sum<L>(c + r * c_row + v * L, sums[r][v], store_as);
}

/// All rows of c over kVecs vectors of columns. Heights are chosen so that no remainder is thin where it can be helped.
template <class T, int kVecs>
[[gnu::noinline]] inline void product_columns(std::int64_t rows, std::int64_t depth, const T* a, std::int64_t a_row, std::int64_t a_col,
                                              const T* b, std::int64_t b_row, T* c, std::int64_t c_row, Store store_as) {
  const auto step = [&]<int kRows>() {
    product_block<T, kRows, kVecs>(depth, a, a_row, a_col, b, b_row, c, c_row, store_as);
    rows -= kRows;
    a += kRows * a_row;
    c += kRows * c_row;
  };
  while (rows > 0) {
    if (kBlockRows == 12 && rows >= 12)
      step.template operator()<kBlockRows>();
    else if (rows >= 6 && rows != 8)
      step.template operator()<6>();
    else if (rows >= 4)
      step.template operator()<4>();
    else if (rows >= 2)
      step.template operator()<2>();
    else
      step.template operator()<1>();
  }
}

/// The last columns of c, fewer than a vector: b's are padded in a buffer and c's pass through one, a block of depth at a time.
template <class T>
inline void product_tail(const DenseProduct& g, std::int64_t columns, const T* a, const T* b, T* c, Store store_as) {
  constexpr int L = kLanes<T>;
  constexpr std::int64_t kDepth = 64;
  T padded[kDepth * L] = {}, sums[kBlockRows * L];
  for (std::int64_t p0 = 0; p0 < g.k; p0 += kDepth) {
    const std::int64_t depth = g.k - p0 < kDepth ? g.k - p0 : kDepth;
    for (std::int64_t p = 0; p < depth; ++p)
      for (std::int64_t j = 0; j < columns; ++j) padded[p * L + j] = b[(p0 + p) * g.b_row + j * g.b_col];
    for (std::int64_t i = 0; i < g.m; i += kBlockRows) {
      const std::int64_t rows = g.m - i < kBlockRows ? g.m - i : kBlockRows;
      product_columns<T, 1>(rows, depth, a + i * g.a_row + p0 * g.a_col, g.a_row, g.a_col, padded, L, sums, L, Store::set);
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t j = 0; j < columns; ++j) {
          T& to = c[(i + r) * g.c_row + j];
          const T sum = sums[r * L + j];
          to = store_as == Store::set && p0 == 0 ? sum : store_as == Store::subtract ? to - sum : to + sum;
        }
    }
  }
}

/// A row times b whose rows are dense, a few rows of b at a time from end to end: memory is read in its own order.
template <class T, int kRows>
[[gnu::noinline]] inline void product_row(std::int64_t columns, const T* a, std::int64_t a_col, const T* b, std::int64_t b_row, T* c,
                                          Store store_as) {
  constexpr int L = kLanes<T>;
  Vec<T, L> factors[kRows];
  for (int r = 0; r < kRows; ++r) factors[r] = splat<T, L>(a[r * a_col]);
  for (std::int64_t j = 0; columns - j >= L; j += L) {
    Vec<T, L> sum = factors[0] * load<L>(b + j);
#pragma GCC unroll 16
    for (int r = 1; r < kRows; ++r) sum += factors[r] * load<L>(b + r * b_row + j);
    store_sum<L>(c + j, sum, store_as);
  }
}

/// Operands where they lie; b's rows are dense.
template <class T>
inline void product_in_place(const DenseProduct& g, const T* a, const T* b, T* c, Store store_as) {
  constexpr int L = kLanes<T>;
  std::int64_t j = 0;
  constexpr std::int64_t kInCache = 32768;  // elements of b up to which its order in memory does not matter
  if (g.m == 1 && g.n >= 8 * L && g.n * g.k > kInCache) {
    constexpr int kRows = 8;
    for (std::int64_t p = 0, step; p < g.k; p += step) {
      step = g.k - p >= kRows ? kRows : 1;
      const auto rows = step == kRows ? &product_row<T, kRows> : &product_row<T, 1>;
      rows(g.n, a + p * g.a_col, g.a_col, b + p * g.b_row, g.b_row, c, p > 0 && store_as == Store::set ? Store::add : store_as);
    }
    j = g.n / L * L;
  } else if (g.m == 1) {
    for (; g.n - j >= 8 * L; j += 8 * L) product_block<T, 1, 8>(g.k, a, g.a_row, g.a_col, b + j, g.b_row, c + j, g.c_row, store_as);
  }
  for (; g.n - j >= 2 * L; j += 2 * L) product_columns<T, 2>(g.m, g.k, a, g.a_row, g.a_col, b + j, g.b_row, c + j, g.c_row, store_as);
  for (; g.n - j >= L; j += L) product_columns<T, 1>(g.m, g.k, a, g.a_row, g.a_col, b + j, g.b_row, c + j, g.c_row, store_as);
  if (j < g.n) product_tail(g, g.n - j, a, b + j, c + j, store_as);
}

/// c_ij as products of lines that are dense along the depth, kColumns of them at a time.
template <class T, int kColumns>
[[gnu::noinline]] inline void product_dots_block(std::int64_t depth, const T* a, const T* b, std::int64_t b_col, T* c, Store store_as) {
  constexpr int L = kLanes<T>;
  Vec<T, L> sums[kColumns] = {};
  std::int64_t p = 0;
  for (; depth - p >= L; p += L) {
    const Vec<T, L> v = load<L>(a + p);
#pragma GCC unroll 16
    for (int j = 0; j < kColumns; ++j) sums[j] += v * load<L>(b + j * b_col + p);
  }
#pragma GCC unroll 16
  for (int j = 0; j < kColumns; ++j) {
    T sum = sum_lanes<T, L>(sums[j]);
    for (std::int64_t q = p; q < depth; ++q) sum += a[q] * b[j * b_col + q];
    c[j] = store_as == Store::set ? sum : store_as == Store::add ? c[j] + sum : c[j] - sum;
  }
}
template <class T>
inline void product_dots(const DenseProduct& g, const T* a, const T* b, T* c, Store store_as) {
  for (std::int64_t i = 0; i < g.m; ++i) {
    std::int64_t j = 0;
    for (; g.n - j >= 8; j += 8) product_dots_block<T, 8>(g.k, a + i * g.a_row, b + j * g.b_col, g.b_col, c + i * g.c_row + j, store_as);
    for (; j < g.n; ++j) product_dots_block<T, 1>(g.k, a + i * g.a_row, b + j * g.b_col, g.b_col, c + i * g.c_row + j, store_as);
  }
}

template <class T>
[[gnu::always_inline]] inline void transpose_four(Vec<T, 4>* r) {
  const Vec<T, 4> a = __builtin_shufflevector(r[0], r[1], 0, 4, 2, 6), b = __builtin_shufflevector(r[0], r[1], 1, 5, 3, 7);
  const Vec<T, 4> c = __builtin_shufflevector(r[2], r[3], 0, 4, 2, 6), d = __builtin_shufflevector(r[2], r[3], 1, 5, 3, 7);
  r[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5), r[1] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
  r[2] = __builtin_shufflevector(a, c, 2, 3, 6, 7), r[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}

/// pack_lines of kWidth lines that are dense along the depth: a cache line of each at a time, for lines may meet in one set.
template <class T, int kWidth>
[[gnu::noinline]] inline void pack_turned(std::int64_t depth, const T* from, std::int64_t step, T* to) {
  constexpr int kTogether = 64 / int(sizeof(T));
  std::int64_t p = 0;
  for (; depth - p >= kTogether; p += kTogether)
    for (int w = 0; w < kWidth; w += 4)
#pragma GCC unroll 16
      for (int q = 0; q < kTogether; q += 4) {
        Vec<T, 4> r[4];
        for (int l = 0; l < 4; ++l) r[l] = load<4>(from + (w + l) * step + p + q);
        transpose_four<T>(r);
        for (int l = 0; l < 4; ++l) store<4>(to + (p + q + l) * kWidth + w, r[l]);
      }
  for (; p < depth; ++p)
    for (int w = 0; w < kWidth; ++w) to[p * kWidth + w] = from[w * step + p];
}

/// Lines of kWidth elements, one for each step of the depth: `count` of them along `step`, padded with zeros to a multiple.
template <class T, int kWidth>
[[gnu::noinline]] inline void pack_lines(std::int64_t count, std::int64_t depth, const T* from, std::int64_t step, std::int64_t along,
                                         T* to) {
  constexpr int L = kLanes<T>;
  for (std::int64_t i = 0; i < count; i += kWidth, from += kWidth * step, to += kWidth * depth) {
    const std::int64_t width = count - i < kWidth ? count - i : kWidth;
    if (width == kWidth && step == 1 && kWidth % L == 0) {
      for (std::int64_t p = 0; p < depth; ++p)
#pragma GCC unroll 16
        for (int w = 0; w < kWidth; w += L) store<L>(to + p * kWidth + w, load<L>(from + p * along + w));
      continue;
    }
    if constexpr (kWidth % 4 == 0)
      if (width == kWidth && along == 1) {
        pack_turned<T, kWidth>(depth, from, step, to);
        continue;
      }
    if (width == kWidth) {
      for (std::int64_t p = 0; p < depth; ++p)
#pragma GCC unroll 16
        for (int w = 0; w < kWidth; ++w) to[p * kWidth + w] = from[w * step + p * along];
      continue;
    }
    for (std::int64_t p = 0; p < depth; ++p)
      for (int w = 0; w < kWidth; ++w) to[p * kWidth + w] = w < width ? from[w * step + p * along] : T(0);
  }
}

/// kBlockRows rows of c over the panels of one packed line of a.
template <class T>
inline void product_packed_block(std::int64_t rows, std::int64_t columns, std::int64_t depth, const T* a, const T* b, T* c,
                                 std::int64_t c_row, Store store_as) {
  constexpr int P = kPanelColumns<T>;
  if (rows == kBlockRows && columns == P) return product_block<T, kBlockRows, 2>(depth, a, 1, kBlockRows, b, P, c, c_row, store_as);
  T sums[kBlockRows * P];
  product_block<T, kBlockRows, 2>(depth, a, 1, kBlockRows, b, P, sums, P, Store::set);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t j = 0; j < columns; ++j) {
      T& to = c[r * c_row + j];
      const T sum = sums[r * P + j];
      to = store_as == Store::set ? sum : store_as == Store::add ? to + sum : to - sum;
    }
}

template <class T>
inline void product_packed(const DenseProduct& g, const T* a, const T* b, T* c, Store store_as, T* packed_a, T* packed_b) {
  constexpr int P = kPanelColumns<T>;
  const auto least = [](std::int64_t x, std::int64_t y) { return x < y ? x : y; };
  for (std::int64_t j0 = 0; j0 < g.n; j0 += cpu::kColumnBlock)
    for (std::int64_t p0 = 0; p0 < g.k; p0 += cpu::kDepthBlock) {
      const std::int64_t columns = least(cpu::kColumnBlock, g.n - j0), depth = least(cpu::kDepthBlock, g.k - p0);
      const Store now = p0 > 0 && store_as == Store::set ? Store::add : store_as;
      pack_lines<T, P>(columns, depth, b + p0 * g.b_row + j0 * g.b_col, g.b_col, g.b_row, packed_b);
      for (std::int64_t i0 = 0; i0 < g.m; i0 += cpu::kRowBlock) {
        const std::int64_t rows = least(cpu::kRowBlock, g.m - i0);
        pack_lines<T, kBlockRows>(rows, depth, a + i0 * g.a_row + p0 * g.a_col, g.a_row, g.a_col, packed_a);
        for (std::int64_t j = 0; j < columns; j += P)
          for (std::int64_t i = 0; i < rows; i += kBlockRows)
            product_packed_block<T>(least(kBlockRows, rows - i), least(P, columns - j), depth, packed_a + i * depth, packed_b + j * depth,
                                    c + (i0 + i) * g.c_row + j0 + j, g.c_row, now);
      }
    }
}

/// to[p][j] = b[p b_row + j], b's columns dense, or its rows: then in blocks of four by four.
template <class T>
inline void pack_small(std::int64_t n, std::int64_t k, const T* b, std::int64_t b_row, std::int64_t b_col, T* to) {
  std::int64_t j = 0;
  if (b_row == 1)
    for (; n - j >= 4; j += 4) {
      std::int64_t p = 0;
      for (; k - p >= 4; p += 4) {
        Vec<T, 4> r[4];
        for (int l = 0; l < 4; ++l) r[l] = load<4>(b + (j + l) * b_col + p);
        transpose_four<T>(r);
        for (int l = 0; l < 4; ++l) store<4>(to + (p + l) * n + j, r[l]);
      }
      for (; p < k; ++p)
        for (int l = 0; l < 4; ++l) to[p * n + j + l] = b[(j + l) * b_col + p];
    }
  for (; j < n; ++j)
    for (std::int64_t p = 0; p < k; ++p) to[p * n + j] = b[p * b_row + j * b_col];
}

/// A row times a small b whose lines are dense along the depth, four columns at a time.
template <class T>
inline void product_turned_row(const DenseProduct& g, const T* a, const T* b, T* c) {
  std::int64_t j = 0;
  for (; g.n - j >= 4; j += 4) {
    Vec<T, 4> sums{};
    std::int64_t p = 0;
    for (; g.k - p >= 4; p += 4) {
      Vec<T, 4> r[4];
      for (int l = 0; l < 4; ++l) r[l] = load<4>(b + (j + l) * g.b_col + p);
      transpose_four<T>(r);
      for (int l = 0; l < 4; ++l) sums += splat<T, 4>(a[(p + l) * g.a_col]) * r[l];
    }
    for (; p < g.k; ++p)
      for (int l = 0; l < 4; ++l) sums[l] += a[p * g.a_col] * b[(j + l) * g.b_col + p];
    store<4>(c + j, sums);
  }
  for (; j < g.n; ++j) {
    T sum = 0;
    for (std::int64_t p = 0; p < g.k; ++p) sum += a[p * g.a_col] * b[j * g.b_col + p];
    c[j] = sum;
  }
}

/// N columns of a product whose rows of b are dense.
struct SmallColumns {
  template <int M, int N, class T>
  [[gnu::always_inline]] static void run(std::int64_t j, const DenseProduct& g, const T* a, const T* b, T* c) {
    static_assert(M == 1 || N == kLanes<T>);
    std::int64_t i = 0;
    for (; g.m - i >= 4; i += 4) rows<4, M, N>(g, a + i * g.a_row, b + j, c + i * g.c_row + j);
    for (; i < g.m; ++i) rows<1, M, N>(g, a + i * g.a_row, b + j, c + i * g.c_row + j);
  }
  template <int R, int M, int N, class T>
  [[gnu::always_inline]] static void rows(const DenseProduct& g, const T* a, const T* b, T* c) {
    Vec<T, N> sums[R][M] = {};
    for (std::int64_t p = 0; p < g.k; ++p, a += g.a_col, b += g.b_row)
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < M; ++v) sums[r][v] += splat<T, N>(a[r * g.a_row]) * load<N>(b + v * N);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < M; ++v) store<N>(c + r * g.c_row + v * N, sums[r][v]);
  }
};

/// `count` small products of one shape, matrix i at a_offset[i] and b_offset[i], c's one after the other. c = ab.
template <class T>
inline void product_many(const DenseProduct& g, std::int64_t count, const T* a, const std::int64_t* a_offset, const T* b,
                         const std::int64_t* b_offset, T* c) {
  if (g.m == 1 && g.b_row == 1) {
    for (std::int64_t i = 0; i < count; ++i) product_turned_row(g, a + a_offset[i], b + b_offset[i], c + i * g.n);
    return;
  }
  T packed[cpu::kManyMost * cpu::kManyMost];
  DenseProduct dense = g;
  if (g.b_col != 1) dense.b_row = g.n, dense.b_col = 1;
  for (std::int64_t i = 0; i < count; ++i, c += g.m * g.n) {
    const T* from = b + b_offset[i];
    if (g.b_col != 1) {
      pack_small(g.n, g.k, from, g.b_row, g.b_col, packed);
      from = packed;
    }
    channel_blocks<T, SmallColumns>(g.n, dense, a + a_offset[i], from, c);
  }
}

}  // namespace tenon::TENON_ISA
