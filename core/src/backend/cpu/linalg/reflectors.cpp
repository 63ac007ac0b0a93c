/// Householder reflectors: QR, and orthogonal matrices from blocks of them.
#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/cpu/linalg/factor.hpp"
#include "tenon/kernel.hpp"

#define TENON_ISA_FILE "backend/cpu/simd/lines.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon::cpu::linalg {
namespace {

constexpr std::int64_t kLineATask = 1 << 15;

template <class Body>
void in_blocks(std::int64_t n, std::int64_t length, const Body& body) {
  if (n <= length) return body(0, n);  // small matrices: no other threads
  parallel_blocks(n, length, body);
}

/// The matrix T of I - V T V^T = H_first ... H_last-1, V's columns being rows of h.v: upper triangular, in h.block.
void make_block(const Reflectors& h, std::int64_t first, std::int64_t width) {
  constexpr std::int64_t B = Reflectors::kBlock;
  const std::int64_t start = first + h.offset, depth = h.m - start;
  const double* v = h.v + first * h.m + start;
  product({width, width, depth, h.m, 1, 1, h.m, B}, v, v, h.scratch, Store::set);
  std::fill(h.block, h.block + B * B, 0.0);
  for (std::int64_t i = 0; i < width; ++i) {
    const double tau = h.tau[first + i];
    for (std::int64_t r = 0; r < i; ++r) {
      double sum = 0;
      for (std::int64_t p = r; p < i; ++p) sum += h.block[r * B + p] * h.scratch[p * B + i];
      h.block[r * B + i] = -tau * sum;
    }
    h.block[i * B + i] = tau;
  }
}

/// c [m - start, columns] -= V T (V^T c), or with T^T; c begins at the block's first row.
void apply_block(const Reflectors& h, bool transposed, std::int64_t first, std::int64_t width, std::int64_t columns, double* c,
                 std::int64_t c_row) {
  constexpr std::int64_t B = Reflectors::kBlock;
  const std::int64_t start = first + h.offset, depth = h.m - start;
  const double* v = h.v + first * h.m + start;
  double *onto = h.scratch, *turned = h.scratch + B * columns;
  product({width, columns, depth, h.m, 1, c_row, 1, columns}, v, c, onto, Store::set);
  product({width, columns, width, transposed ? 1 : B, transposed ? B : 1, columns, 1, columns}, h.block, onto, turned, Store::set);
  product({depth, columns, width, 1, h.m, columns, 1, c_row}, v, turned, c, Store::subtract);
}

/// q -> H_0 H_1 ... q; `unit`: q holds nothing but its diagonal.
void apply_blocks(const Reflectors& h, std::int64_t columns, double* q, bool unit) {
  for (std::int64_t first = (h.count - 1) / Reflectors::kBlock * Reflectors::kBlock; first >= 0; first -= Reflectors::kBlock) {
    if (h.count == 0) return;
    const std::int64_t width = std::min(Reflectors::kBlock, h.count - first), start = first + h.offset, left = unit ? start : 0;
    if (left >= columns) continue;  // acts on columns of the identity that are not asked for
    make_block(h, first, width);
    apply_block(h, false, first, width, columns - left, q + start * columns + left, columns);
  }
}

}  // namespace

double* take(double*& memory, std::int64_t n) {
  double* taken = memory;
  memory += n;
  return taken;
}

Reflectors::Reflectors(std::int64_t order, std::int64_t number, std::int64_t first, std::int64_t columns, double*& memory)
    : m(order), count(number), offset(first) {
  v = take(memory, count * m);
  tau = take(memory, count);
  block = take(memory, kBlock * kBlock);
  scratch = take(memory, scratch_size(columns));
}

double reflect(std::int64_t n, double* x, double& beta) {
  static const auto squares = TENON_BY_ISA(sum_of_squares);
  static const auto multiply = TENON_BY_ISA(multiply_line);
  const double rest = squares(n - 1, x + 1);
  beta = x[0];
  x[0] = 1;
  if (rest == 0) {  // also when the squares vanish beside the matrix's largest entry, which is about 1
    std::fill(x + 1, x + n, 0.0);
    return 0;
  }
  const double alpha = beta;
  beta = -std::copysign(std::sqrt(alpha * alpha + rest), alpha);
  multiply(n - 1, x + 1, 1 / (alpha - beta), x + 1);
  return (beta - alpha) / beta;
}

void qr(std::int64_t n, double* a, std::int64_t a_row, const Reflectors& h) {
  for (std::int64_t first = 0; first < h.count; first += Reflectors::kBlock) {
    const std::int64_t last = std::min(h.count, first + Reflectors::kBlock);
    double* panel = h.v + first * h.m;  // columns of a as rows
    for (std::int64_t j = first; j < last; ++j) std::fill(h.v + j * h.m, h.v + j * h.m + first, 0.0);
    for (std::int64_t i = first; i < h.m; ++i)
      for (std::int64_t j = first; j < last; ++j) panel[(j - first) * h.m + i] = a[i * a_row + j];
    for (std::int64_t j = first; j < last; ++j) {
      double *column = h.v + j * h.m, *v = column + j;
      for (std::int64_t i = first; i < j; ++i) a[i * a_row + j] = column[i], column[i] = 0;
      h.tau[j] = reflect(h.m - j, v, a[j * (a_row + 1)]);
      if (const std::int64_t others = last - j - 1) {
        product({1, others, h.m - j, h.m, 1, 1, h.m, others}, v, v + h.m, h.scratch, Store::set);
        for (std::int64_t l = 0; l < others; ++l) {
          const double f = h.tau[j] * h.scratch[l];
          subtract_lines(h.m - j, 1, &f, v, h.m, v + (l + 1) * h.m);
        }
      }
    }
    if (last == n) break;
    make_block(h, first, last - first);
    apply_block(h, true, first, last - first, n - last, a + first * a_row + last, a_row);
  }
}

void form_q(const Reflectors& h, std::int64_t columns, const double* diagonal, double* q) {
  std::fill(q, q + h.m * columns, 0.0);
  for (std::int64_t i = 0; i < std::min(h.m, columns); ++i) q[i * (columns + 1)] = diagonal ? diagonal[i] : 1;
  apply_blocks(h, columns, q, true);
}

void apply_q(const Reflectors& h, std::int64_t columns, double* q) {
  apply_blocks(h, columns, q, false);
}

double magnitude(std::int64_t n, const double* x) {
  static const auto largest_of = TENON_BY_ISA(largest_size);
  constexpr std::int64_t kBlocks = 64;
  double parts[kBlocks] = {}, largest = 0;
  const std::int64_t length = std::max(kLineATask, (n + kBlocks - 1) / kBlocks);
  in_blocks(n, length, [&](std::int64_t begin, std::int64_t end) { parts[begin / length] = largest_of(end - begin, x + begin); });
  for (double part : parts) largest = part > largest || part != part ? part : largest;
  if (!std::isfinite(largest)) return std::numeric_limits<double>::quiet_NaN();
  return largest == 0 ? 1 : std::ldexp(1.0, std::ilogb(largest));
}

void subtract_lines(std::int64_t n, std::int64_t count, const double* f, const double* x, std::int64_t stride, double* y) {
  static const auto subtract = TENON_BY_ISA(subtract_lines);
  subtract(n, count, f, x, stride, y);
}

void copy(std::int64_t n, const double* from, double* to) {
  in_blocks(n, kLineATask, [&](std::int64_t begin, std::int64_t end) { std::copy(from + begin, from + end, to + begin); });
}

void divide(std::int64_t n, const double* from, double scale, double* to) {
  static const auto multiply = TENON_BY_ISA(multiply_line);
  const double factor = 1 / scale;  // exact, but where it overflows
  in_blocks(n, kLineATask, [&](std::int64_t begin, std::int64_t end) {
    if (std::isfinite(factor)) return multiply(end - begin, from + begin, factor, to + begin);
    for (std::int64_t i = begin; i < end; ++i) to[i] = from[i] / scale;
  });
}

void transpose(std::int64_t rows, std::int64_t columns, const double* from, std::int64_t from_row, double* to, std::int64_t to_row) {
  constexpr std::int64_t kSquare = 16;
  for (std::int64_t i0 = 0; i0 < rows; i0 += kSquare)
    for (std::int64_t j0 = 0; j0 < columns; j0 += kSquare)
      for (std::int64_t i = i0; i < std::min(rows, i0 + kSquare); ++i)
        for (std::int64_t j = j0; j < std::min(columns, j0 + kSquare); ++j) to[j * to_row + i] = from[i * from_row + j];
}

bool make_largest_positive(std::int64_t n, double* line) {
  std::int64_t largest = 0;
  for (std::int64_t i = 1; i < n; ++i)
    if (std::abs(line[i]) > std::abs(line[largest])) largest = i;
  if (line[largest] >= 0) return false;
  for (std::int64_t i = 0; i < n; ++i) line[i] = -line[i];
  return true;
}

}  // namespace tenon::cpu::linalg
