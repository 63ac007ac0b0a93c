#include <algorithm>
#include <cmath>

#include "backend/cpu/linalg/factor.hpp"
#include "tenon/kernel.hpp"

#define TENON_ISA_FILE "backend/cpu/simd/rotations.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon::cpu::linalg {
namespace {

constexpr std::int64_t kColumnsATask = 64;

}  // namespace

RotationQueue::RotationQueue(std::int64_t n, double* x, std::int64_t columns, double*& memory) : n_(n), columns_(columns), x_(x) {
  start_ = end_ = take(memory, size(n));
}

void RotationQueue::begin(std::int64_t first) {
  if (columns_ == 0) return;
  if (start_ + size(n_) - end_ < 2 * n_ + 2) flush();
  sweep_ = end_;
  *end_++ = double(first);
  ++end_;
}

void RotationQueue::finish() {
  if (columns_ > 0) sweep_[1] = double((end_ - sweep_ - 2) / 2);
}

void RotationQueue::flush() {
  static const auto rotate = TENON_BY_ISA(rotate_rows);
  if (end_ == start_) return;
  parallel_blocks(columns_, kColumnsATask,
                  [&](std::int64_t begin, std::int64_t end) { rotate(x_ + begin, columns_, end - begin, start_, end_); });
  end_ = start_;
}

void RotationQueue::rotate(std::int64_t i, std::int64_t j, double c, double s) {
  flush();
  double *a = x_ + i * columns_, *b = x_ + j * columns_;
  for (std::int64_t k = 0; k < columns_; ++k) {
    const double v = a[k], w = b[k];
    a[k] = c * v + s * w;
    b[k] = c * w - s * v;
  }
}

Rotation Rotation::of(double x, double y) {
  double r = std::sqrt(x * x + y * y);
  if (r < 1e-140) r = std::hypot(x, y);  // the squares have left the range of full precision
  return r == 0 ? Rotation{1, 0, 0} : Rotation{x / r, y / r, r};
}

}  // namespace tenon::cpu::linalg
