// Transforms that our own sums leave to a library (backend/cuda/library/fft.cu): each way that lines can lie, whole and pruned spectra, lengths even and odd.
#include <cmath>
#include <string>
#include <utility>

#include "core/ops/gradient_check.hpp"
#include "cuda/cases.hpp"
#include "ops/fft_kernels.hpp"
#include "tenon/complex.hpp"
#include "tenon/fft.hpp"
#include "tenon/ops.hpp"
#include "tenon/spectral.hpp"

using namespace tenon;
using namespace under_test;
using In = std::vector<Tensor>;

namespace {

Tensor irregular(const Shape& shape) {
  std::vector<double> v;
  for (std::int64_t i = 0; i < shape.numel(); ++i) v.push_back(std::sin(0.37 * double(i) * double(i) + 1.7 * double(i)));
  return Tensor::from(v, shape).to(check::number_type());
}

/// `first`: where x begins in its memory; 1 is no place for pairs.
void transform(FftGeometry g, double scale, std::int64_t first = 0) {
  g.scalar = check::number_type();
  const bool real_in = g.kind == FftKind::real_forward, real_out = g.kind == FftKind::real_inverse, from_spectrum = real_out || (!real_in && g.inverse);
  const std::int64_t lines = g.outer * g.inner, values = lines * (from_spectrum ? g.kept() : g.n) * (real_in ? 1 : 2);
  const Tensor x = irregular({first + values}).narrow(0, first, values);
  std::vector<Tensor> writes{Tensor::empty({lines * (from_spectrum ? g.n : g.kept()) * (real_out ? 1 : 2)}, g.scalar, x.device())};
  if (const std::size_t bytes = fft_workspace(x.device(), g)) writes.push_back(Tensor::empty({std::int64_t(bytes)}, DType::u8, x.device()));
  const Tensor reads[] = {x};
  launch("fft", std::span<const Tensor>(reads), std::span<const Tensor>(writes), fft_kernel(x.device(), g, scale));
  std::string what = "kind " + std::to_string(int(g.kind)) + (g.inverse ? " inverse" : "");
  for (const std::int64_t v : {g.outer, g.n, g.inner, g.low, g.high}) what += " " + std::to_string(v);
  note(what, writes[0]);
  note("its input, as it was", x);
}

void geometries() {
  for (const auto& [outer, inner] : {std::pair<std::int64_t, std::int64_t>{3, 1}, {1, 5}, {2, 6}, {4, 3}, {5, 4}})
    for (const std::int64_t n : {130, 131}) {
      for (const std::int64_t low : {-1, 50}) {
        transform({.kind = FftKind::real_forward, .outer = outer, .n = n, .inner = inner, .low = low}, 1);
        transform({.kind = FftKind::real_forward, .outer = outer, .n = n, .inner = inner, .low = low, .interior = 2}, 0.3);
        transform({.kind = FftKind::real_inverse, .outer = outer, .n = n, .inner = inner, .low = low}, 1);
        transform({.kind = FftKind::real_inverse, .outer = outer, .n = n, .inner = inner, .low = low, .interior = 0.5}, 0.3);
      }
      for (const bool inverse : {false, true}) {
        transform({.kind = FftKind::complex, .inverse = inverse, .outer = outer, .n = n, .inner = inner}, 1);
        transform({.kind = FftKind::complex, .inverse = inverse, .outer = outer, .n = n, .inner = inner, .low = 30, .high = 25}, 0.3);
      }
    }
  // reals that begin between two pairs
  for (const std::int64_t outer : {2, 5}) transform({.kind = FftKind::real_forward, .outer = outer, .n = 64}, 1, 1);
  transform({.kind = FftKind::real_forward, .outer = 2, .n = 66, .inner = 4}, 0.5, 1);
  // more lines than a tile has rows or columns
  transform({.kind = FftKind::real_inverse, .outer = 70, .n = 40}, 1);
  transform({.kind = FftKind::complex, .outer = 5, .n = 67, .inner = 37}, 1);
}

/// Through the ops, and their gradients.
void operations() {
  for (const std::int64_t n : {66, 75}) {
    check::first_gradients([](const In& x) { return view_as_real(rfft(x[0], {1, 2}, FftNorm::ortho)); }, {irregular({2, 68, n, 3})});
    check::first_gradients([n](const In& x) { return irfft(rfft(x[0], {1}), n, {1}); }, {irregular({5, n, 3})});
  }
  check::first_gradients([](const In& x) { return view_as_real(ifft(view_as_complex(x[0]), {0, 1})); }, {irregular({70, 35, 2})});
  check::first_gradients([](const In& x) { return spectral_conv(x[0], x[1], {50}); }, {irregular({2, 103, 3}), irregular({50, 3, 2, 2})});
  check::first_gradients([](const In& x) { return spectral_conv(x[0], x[1], {30, 5}); }, {irregular({2, 70, 33, 1}), irregular({60, 5, 1, 2, 2})});
}

const Register cases(std::vector<Extra>{
    {"transforms of long lines", geometries, {DType::f64, DType::f32}},
    {"operations of long transforms", operations, {DType::f64, DType::f32}},
});

}  // namespace
