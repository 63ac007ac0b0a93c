#include "backend/cpu/fft/fft_tables.hpp"

#include <cmath>
#include <numbers>

#include "backend/cpu/fft/fft.hpp"
#include "kernels/isa.hpp"

namespace tenon::cpu {
namespace {

constexpr int kOddRadices[] = {13, 11, 7, 5, 3};

/// Radices of a smooth n. Powers of two come last: their passes without twiddle factors are the longest.
std::vector<int> radices(std::int64_t n) {
  std::vector<int> all;
  for (int r : kOddRadices)
    for (; n % r == 0; n /= r) all.push_back(r);
  int twos = 0;
  for (; n % 2 == 0; n /= 2) ++twos;
  const bool wide = isa_level() == 2;  // 32 registers hold a transform of 8 values
  int eights = twos < 3 ? 0 : wide ? (twos % 3 == 1 ? twos / 3 - 1 : twos / 3) : twos % 2;
  int rest = twos - 3 * eights;
  if (rest % 2) all.push_back(2);
  for (int i = 0; i < rest / 2; ++i) all.push_back(4);
  for (int i = 0; i < eights; ++i) all.push_back(8);
  return all;
}

/// pi / 4 * part, in the first eighth of the circle, where sine and cosine lose nothing.
long double eighth(std::int64_t numerator, std::int64_t n) {
  return std::numbers::pi_v<long double> / 4 * static_cast<long double>(numerator) / static_cast<long double>(n);
}

/// at(j) gives cosine and sine of eighth(j, n), 0 <= j <= n.
template <class At>
std::complex<double> root_by_octant(std::int64_t k, std::int64_t n, const At& at) {
  const std::int64_t eight = 8 * k, octant = eight / n;
  const auto [cosine, sine] = at(octant % 2 == 0 ? eight - octant * n : (octant + 1) * n - eight);
  const auto c = double(cosine), s = double(sine);
  switch (octant) {
    case 0: return {c, -s};
    case 1: return {s, -c};
    case 2: return {-s, -c};
    case 3: return {-c, -s};
    case 4: return {-c, s};
    case 5: return {-s, c};
    case 6: return {s, c};
    default: return {c, s};
  }
}

}  // namespace

std::complex<double> unit_root(std::int64_t k, std::int64_t n) {
  return root_by_octant(k, n, [n](std::int64_t j) { return std::pair(std::cos(eighth(j, n)), std::sin(eighth(j, n))); });
}

UnitRoots::UnitRoots(std::int64_t n) : n_(n), fine_size_(1) {
  while (fine_size_ * fine_size_ < n) fine_size_ *= 2;
  auto fill = [n](std::vector<Root>& roots, std::int64_t count, std::int64_t step) {
    for (std::int64_t j = 0; j < count; ++j) roots.push_back({std::cos(eighth(j * step, n)), std::sin(eighth(j * step, n))});
  };
  fill(fine_, fine_size_, 1);
  fill(coarse_, n / fine_size_ + 1, fine_size_);
}

std::complex<double> UnitRoots::operator()(std::int64_t k) const {
  return root_by_octant(k, n_, [this](std::int64_t j) {
    const Root &a = coarse_[std::size_t(j / fine_size_)], &b = fine_[std::size_t(j % fine_size_)];
    return std::pair(a.c * b.c - a.s * b.s, a.s * b.c + a.c * b.s);
  });
}

bool is_smooth(std::int64_t n) {
  for (std::int64_t r : {2, 3, 5, 7, 11, 13})
    while (n % r == 0) n /= r;
  return n == 1;
}

std::int64_t smooth_size(std::int64_t n) {
  std::int64_t best = 1;
  while (best < n) best *= 2;
  for (std::int64_t five = 1; five < best; five *= 5)
    for (std::int64_t three = five; three < best; three *= 3) {
      std::int64_t size = three;
      while (size < n) size *= 2;
      best = std::min(best, size);
    }
  return best;
}

std::vector<std::complex<double>> fft_chirp(std::int64_t n) {
  std::vector<std::complex<double>> chirp;
  chirp.reserve(std::size_t(n));
  const UnitRoots root(2 * n);
  std::int64_t square = 0;  // j^2 modulo 2 n, kept small
  for (std::int64_t j = 0; j < n; ++j) {
    chirp.push_back(root(square));
    square = (square + 2 * j + 1) % (2 * n);
  }
  return chirp;
}

std::vector<std::complex<double>> fft_chirp_kernel(const std::vector<std::complex<double>>& chirp, std::int64_t size) {
  std::vector<std::complex<double>> circle(static_cast<std::size_t>(size));
  for (std::size_t j = 0; j < chirp.size(); ++j) {
    circle[j] = std::conj(chirp[j]);
    if (j > 0) circle[std::size_t(size) - j] = circle[j];
  }
  FftGeometry g;  // `size` is smooth: this asks for no other chirp
  g.scalar = DType::f64;
  g.n = size;
  const auto program = make_fft(g);
  std::vector<double> workspace(program->workspace_bytes() / sizeof(double));
  program->run(circle.data(), circle.data(), workspace.data(), 1 / double(size));
  return circle;
}

template <class T>
FftTables<T>::FftTables(std::int64_t n) {
  line_.n = n;
  auto keep = [&](const std::vector<std::complex<double>>& values) { return numbers_.emplace_back(interleaved<T>(values)).data(); };
  if (!is_smooth(n)) {
    auto chirp = fft_chirp(n);
    convolution_ = of(smooth_size(2 * n - 1));
    line_.convolution = &convolution_->line();
    line_.kernel = keep(fft_chirp_kernel(chirp, convolution_->line().n));
    line_.chirp = keep(chirp);
    return;
  }
  std::int64_t left = n, s = 1;
  for (int r : radices(n)) {
    std::int64_t m = left / r;
    std::vector<std::complex<double>> twiddles, roots;
    twiddles.reserve(std::size_t(m * (r - 1)));
    const UnitRoots root(left);
    for (std::int64_t p = 0; p < m; ++p)
      for (std::int64_t k = 1; k < r; ++k) twiddles.push_back(root(p * k));  // p k < left
    for (std::int64_t j = 0; j < r; ++j) roots.push_back(unit_root(j, r));
    passes_.push_back({r, m, s, keep(twiddles), keep(roots)});
    left = m;
    s *= r;
  }
  line_.passes = int(passes_.size());
  line_.pass = passes_.data();
}

template <class T>
std::shared_ptr<const FftTables<T>> FftTables<T>::of(std::int64_t n) {
  static OfSize<FftTables, 64> made;
  return made.get(n, [n] { return std::make_shared<const FftTables>(n); });
}

template class FftTables<float>;
template class FftTables<double>;

}  // namespace tenon::cpu
