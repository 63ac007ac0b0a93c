/// QR of one matrix as a caller wants it: scaled, the diagonal of R not negative, tall matrices by blocks of rows.
#include <algorithm>
#include <cmath>

#include "backend/cpu/linalg/factor.hpp"
#include "tenon/kernel.hpp"

namespace tenon::cpu::linalg {
namespace {

/// Rows of a block of a matrix of n columns: they stay in the cache, and the factors R of all blocks are a small part of the matrix.
std::int64_t block_rows(std::int64_t n) {
  return std::max<std::int64_t>(16 * n, 256);
}
/// 0: in one piece.
std::int64_t blocks_of(std::int64_t m, std::int64_t n) {
  return n <= 256 && m >= 4 * block_rows(n) ? m / block_rows(n) : 0;
}

struct RowBlocks {
  std::int64_t m, n, count;
  std::int64_t begin(std::int64_t i) const { return m * i / count; }
  std::int64_t rows(std::int64_t i) const { return begin(i + 1) - begin(i); }
  std::int64_t most() const { return (m + count - 1) / count; }
  std::int64_t share() const { return most() * n + Reflectors::size(most(), n, n); }
};

void in_one_piece(std::int64_t m, std::int64_t n, std::int64_t columns, const double* given, double scale, double* q, double* r,
                  double* memory) {
  const std::int64_t k = std::min(m, n);
  double *a = take(memory, m * n), *signs = take(memory, columns);
  Reflectors h(m, k, 0, std::max(m, n), memory);
  divide(m * n, given, scale, a);
  qr(n, a, n, h);
  std::fill(signs, signs + columns, 1.0);
  std::fill(r, r + columns * n, 0.0);
  for (std::int64_t row = 0; row < k; ++row) {
    signs[row] = std::copysign(1.0, a[row * (n + 1)]);
    for (std::int64_t j = row; j < n; ++j) r[row * n + j] = signs[row] * a[row * n + j];
  }
  if (q) form_q(h, columns, signs, q);
}

/// Each block's R below the other, that tall matrix's QR, and the blocks' reflectors applied to its Q (Demmel, Grigori, Hoemmen and
/// Langou 2012).
void by_blocks(const RowBlocks& blocks, const double* given, double scale, double* q, double* r, double* memory) {
  const std::int64_t n = blocks.n, stacked = blocks.count * n;
  double *shares = take(memory, blocks.count * blocks.share()), *of_blocks = take(memory, stacked * n), *q_top = take(memory, stacked * n);
  const auto reflectors = [&](std::int64_t i, double*& a) {
    double* share = shares + i * blocks.share();
    a = take(share, blocks.most() * n);
    return Reflectors(blocks.rows(i), n, 0, n, share);
  };
  parallel_for(blocks.count, [&](std::int64_t i) {
    double *a, *to = of_blocks + i * n * n;
    const Reflectors h = reflectors(i, a);
    divide(h.m * n, given + blocks.begin(i) * n, scale, a);
    qr(n, a, n, h);
    for (std::int64_t row = 0; row < n; ++row)
      for (std::int64_t j = 0; j < n; ++j) to[row * n + j] = j < row ? 0 : a[row * n + j];
  });
  orthogonalise(stacked, n, n, of_blocks, 1, q ? q_top : nullptr, r, memory);
  if (!q) return;
  parallel_for(blocks.count, [&](std::int64_t i) {
    double *a, *to = q + blocks.begin(i) * n;
    const Reflectors h = reflectors(i, a);
    std::copy(q_top + i * n * n, q_top + (i + 1) * n * n, to);
    std::fill(to + n * n, to + h.m * n, 0.0);
    apply_q(h, n, to);
  });
}

}  // namespace

std::int64_t orthogonalise_size(std::int64_t m, std::int64_t n) {
  const std::int64_t count = blocks_of(m, n);
  if (count == 0) return m * n + std::max(m, n) + Reflectors::size(m, std::min(m, n), std::max(m, n));
  return count * RowBlocks{m, n, count}.share() + 2 * count * n * n + orthogonalise_size(count * n, n);
}

void orthogonalise(std::int64_t m, std::int64_t n, std::int64_t columns, const double* a, double scale, double* q, double* r,
                   double* memory) {
  const std::int64_t count = columns == n ? blocks_of(m, n) : 0;
  if (count == 0)
    in_one_piece(m, n, columns, a, scale, q, r, memory);
  else
    by_blocks({m, n, count}, a, scale, q, r, memory);
}

}  // namespace tenon::cpu::linalg
