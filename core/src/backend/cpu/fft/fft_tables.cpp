#include "backend/cpu/fft/fft_tables.hpp"

#include <cmath>
#include <list>
#include <mutex>
#include <numbers>

#include "kernels/isa.hpp"

namespace tenon::cpu {
namespace {

constexpr std::size_t kMostCached = 64;
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

/// Plain recursive transform in double, for tables.
void transform(std::complex<double>* x, std::int64_t n, std::int64_t stride, std::complex<double>* out) {
  if (n == 1) {
    out[0] = x[0];
    return;
  }
  std::int64_t r = n % 2 == 0 ? 2 : n % 3 == 0 ? 3 : 5, m = n / r;
  for (std::int64_t j = 0; j < r; ++j) transform(x + j * stride, m, stride * r, out + j * m);
  std::complex<double> a[5];
  for (std::int64_t k = 0; k < m; ++k) {
    for (std::int64_t j = 0; j < r; ++j) a[j] = out[j * m + k] * unit_root(j * k, n);
    for (std::int64_t q = 0; q < r; ++q) {
      std::complex<double> sum = a[0];
      for (std::int64_t j = 1; j < r; ++j) sum += a[j] * unit_root(j * q % r, r);
      out[q * m + k] = sum;
    }
  }
}

}  // namespace

std::complex<double> unit_root(std::int64_t k, std::int64_t n) {
  // into the first eighth of the circle, where sine and cosine lose nothing
  std::int64_t eight = 8 * k, octant = eight / n;
  auto at = [&](std::int64_t numerator) { return std::numbers::pi_v<long double> / 4 * static_cast<long double>(numerator) / static_cast<long double>(n); };
  long double angle = at(octant % 2 == 0 ? eight - octant * n : (octant + 1) * n - eight);
  auto c = double(std::cos(angle)), s = double(std::sin(angle));
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
  std::int64_t square = 0;  // j^2 modulo 2 n, kept small
  for (std::int64_t j = 0; j < n; ++j) {
    chirp.push_back(unit_root(square, 2 * n));
    square = (square + 2 * j + 1) % (2 * n);
  }
  return chirp;
}

std::vector<std::complex<double>> fft_chirp_kernel(const std::vector<std::complex<double>>& chirp, std::int64_t size) {
  std::vector<std::complex<double>> circle(static_cast<std::size_t>(size)), kernel(static_cast<std::size_t>(size));
  for (std::size_t j = 0; j < chirp.size(); ++j) {
    circle[j] = std::conj(chirp[j]);
    if (j > 0) circle[std::size_t(size) - j] = circle[j];
  }
  transform(circle.data(), size, 1, kernel.data());
  for (auto& v : kernel) v /= double(size);
  return kernel;
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
    for (std::int64_t p = 0; p < m; ++p)
      for (std::int64_t k = 1; k < r; ++k) twiddles.push_back(unit_root(p * k % left, left));
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
  using Entry = std::shared_ptr<const FftTables>;
  static std::mutex mutex;
  static std::list<Entry> cache;  // latest first
  {
    std::lock_guard lock(mutex);
    for (auto it = cache.begin(); it != cache.end(); ++it)
      if ((*it)->line().n == n) {
        cache.splice(cache.begin(), cache, it);
        return cache.front();
      }
  }
  auto made = std::make_shared<const FftTables>(n);  // outside the lock: it may ask for another size
  std::lock_guard lock(mutex);
  cache.push_front(made);
  if (cache.size() > kMostCached) cache.pop_back();
  return made;
}

template class FftTables<float>;
template class FftTables<double>;

}  // namespace tenon::cpu
