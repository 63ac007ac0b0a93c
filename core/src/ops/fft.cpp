#include "tenon/fft.hpp"

#include <algorithm>
#include <cmath>

#include "ops/check.hpp"
#include "ops/fft_axis.hpp"
#include "ops/fft_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/complex.hpp"
#include "tenon/memory.hpp"
#include "tenon/ops.hpp"

namespace tenon {

FftStep FftStep::adjoint() const {
  FftStep t = *this;
  t.inverse = !inverse;
  if (kind == FftKind::real_forward) {
    t.kind = FftKind::real_inverse;  // which counts every value and its mirror
    t.interior = interior / 2;
  } else if (kind == FftKind::real_inverse) {
    t.kind = FftKind::real_forward;
    t.interior = interior * 2;
  }
  return t;
}

Tensor fft_axis(const char* op, const Tensor& x_given, const FftStep& step) {
  Tensor x = x_given.contiguous();
  FftGeometry g;
  g.kind = step.kind;
  g.inverse = step.inverse;
  g.scalar = part_of(x.dtype());
  g.n = step.n;
  g.low = step.low;
  g.high = step.high;
  g.interior = step.interior;
  for (int a = 0; a < x.rank(); ++a)
    if (a != step.axis) (a < step.axis ? g.outer : g.inner) *= x.size(a);
  const bool to_real = step.kind == FftKind::real_inverse, from_spectrum = to_real || (step.kind == FftKind::complex && step.inverse);
  Shape shape = x.shape();
  shape[step.axis] = from_spectrum ? g.n : g.kept();
  const DType whole = g.scalar == DType::f32 ? DType::c64 : DType::c128;
  Tensor y = Tensor::empty(shape, to_real ? g.scalar : whole, x.device());
  if (y.numel() > 0) {
    std::vector<Tensor> writes{y};
    if (std::size_t bytes = fft_workspace(x.device(), g)) {
      const MemoryScope tag(MemoryTag::workspace);
      writes.push_back(Tensor::empty({std::int64_t(bytes)}, DType::u8, x.device()));
    }
    const Tensor reads[] = {x};
    launch(op, std::span<const Tensor>(reads), std::span<const Tensor>(writes), fft_kernel(x.device(), g, step.scale));
  }
  return differentiable(op, y, {x}, [op, step](const std::vector<Tensor>& d) { return std::vector{fft_axis(op, d[0], step.adjoint())}; });
}

namespace {

void check_type(const char* op, const Tensor& x) {
  check_defined(op, x, "x");
  if (part_of(x.dtype()) != DType::f32 && part_of(x.dtype()) != DType::f64)
    throw_usage(op, x.str() + " is not f32, f64, c64 or c128", "convert with .to(DType::f32)");
}

std::vector<int> check_axes(const char* op, const Tensor& x, std::vector<int> axes) {
  if (axes.empty())
    for (int a = 0; a < x.rank(); ++a) axes.push_back(a);
  if (axes.empty()) throw_usage(op, x.str() + " has no axis");
  for (int& a : axes) {
    a = check_axis(op, x, a);
    if (std::count(axes.begin(), axes.end(), a) > 1) throw_usage(op, "axis " + std::to_string(a) + " of " + x.str() + " is given twice");
    if (x.size(a) == 0) throw_usage(op, "axis " + std::to_string(a) + " of " + x.str() + " is empty");
  }
  return axes;
}

double scale_of(FftNorm norm, bool inverse, std::int64_t n) {
  if (norm == FftNorm::ortho) return 1 / std::sqrt(double(n));
  return (norm == FftNorm::backward) == inverse ? 1 / double(n) : 1.0;
}

Tensor complex_transform(const char* op, const Tensor& x, const std::vector<int>& axes_given, FftNorm norm, bool inverse) {
  check_type(op, x);
  Tensor z = is_complex(x.dtype()) ? x : x.to(x.dtype() == DType::f32 ? DType::c64 : DType::c128);
  for (int a : check_axes(op, x, axes_given))
    z = fft_axis(op, z, {FftKind::complex, inverse, a, x.size(a), scale_of(norm, inverse, x.size(a))});
  return z;
}

Tensor shifted(const char* op, const Tensor& x, std::vector<int> axes, bool back) {
  check_defined(op, x, "x");
  if (axes.empty())
    for (int a = 0; a < x.rank(); ++a) axes.push_back(a);
  Tensor y = x;
  for (int axis : axes) {
    const int a = check_axis(op, x, axis);
    const std::int64_t n = x.size(a), first = back ? n / 2 : n - n / 2;  // values before the cut
    if (n > 1) y = concat({y.narrow(a, first, n - first), y.narrow(a, 0, first)}, a);
  }
  return y;
}

void check_count(const char* op, std::int64_t n, double spacing) {
  if (n < 1 || !(spacing > 0)) throw_usage(op, std::to_string(n) + " values spaced by " + std::to_string(spacing), "both are positive");
}

}  // namespace

Tensor fft(const Tensor& x, const std::vector<int>& axes, FftNorm norm) {
  return complex_transform("fft", x, axes, norm, false);
}
Tensor ifft(const Tensor& x, const std::vector<int>& axes, FftNorm norm) {
  return complex_transform("ifft", x, axes, norm, true);
}

Tensor rfft(const Tensor& x, const std::vector<int>& axes_given, FftNorm norm) {
  check_type("rfft", x);
  if (is_complex(x.dtype())) throw_usage("rfft", x.str() + " is complex", "use fft");
  std::vector<int> axes = check_axes("rfft", x, axes_given);
  const int last = axes.back();
  axes.pop_back();
  Tensor z = fft_axis("rfft", x, {FftKind::real_forward, false, last, x.size(last), scale_of(norm, false, x.size(last))});
  for (int a : axes) z = fft_axis("rfft", z, {FftKind::complex, false, a, x.size(a), scale_of(norm, false, x.size(a))});
  return z;
}

Tensor irfft(const Tensor& z_given, std::int64_t size, const std::vector<int>& axes_given, FftNorm norm) {
  check_type("irfft", z_given);
  if (!is_complex(z_given.dtype())) throw_usage("irfft", z_given.str() + " is real", "it takes what rfft gives");
  std::vector<int> axes = check_axes("irfft", z_given, axes_given);
  const int last = axes.back();
  axes.pop_back();
  const std::int64_t values = z_given.size(last), n = size < 0 ? std::max<std::int64_t>(1, 2 * (values - 1)) : size;
  if (n < 1 || n / 2 + 1 != values)
    throw_usage("irfft", "size " + std::to_string(n) + " from " + std::to_string(values) + " values of " + z_given.str(),
                "a line of n values has n / 2 + 1: pad or narrow the spectrum first");
  Tensor z = z_given;
  for (int a : axes) z = fft_axis("irfft", z, {FftKind::complex, true, a, z.size(a), scale_of(norm, true, z.size(a))});
  return fft_axis("irfft", z, {FftKind::real_inverse, true, last, n, scale_of(norm, true, n)});
}

Tensor fft_frequencies(std::int64_t n, double spacing) {
  check_count("fft_frequencies", n, spacing);
  check_result("fft_frequencies", {n}, DType::f64);
  return within_memory("fft_frequencies", [&] {
    std::vector<double> f;
    f.reserve(std::size_t(n));
    for (std::int64_t k = 0; k < n; ++k) f.push_back(double(k < (n + 1) / 2 ? k : k - n) / (double(n) * spacing));
    return Tensor::from(f, {n});
  });
}

Tensor rfft_frequencies(std::int64_t n, double spacing) {
  check_count("rfft_frequencies", n, spacing);
  check_result("rfft_frequencies", {n / 2 + 1}, DType::f64);
  return within_memory("rfft_frequencies", [&] {
    std::vector<double> f;
    f.reserve(std::size_t(n / 2 + 1));
    for (std::int64_t k = 0; k <= n / 2; ++k) f.push_back(double(k) / (double(n) * spacing));
    return Tensor::from(f, {n / 2 + 1});
  });
}

Tensor fft_shift(const Tensor& x, const std::vector<int>& axes) {
  return shifted("fft_shift", x, axes, false);
}
Tensor ifft_shift(const Tensor& x, const std::vector<int>& axes) {
  return shifted("ifft_shift", x, axes, true);
}

}  // namespace tenon
