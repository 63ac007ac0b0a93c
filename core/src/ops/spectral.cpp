#include "tenon/spectral.hpp"

#include "ops/check.hpp"
#include "ops/fft_axis.hpp"
#include "ops/fft_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/complex.hpp"

namespace tenon {
namespace {

/// One of the three products and its gradients, which are the other two (fft_kernels.hpp). `a`, `b`: its factors in the kernel's order.
Tensor run(const char* op, ModeProduct which, const Tensor& a_given, const Tensor& b_given) {
  Tensor a = a_given.contiguous(), b = b_given.contiguous();
  ModeSizes s{a.dtype(), a.size(0), a.size(1), 0, 0};
  Shape shape;
  if (which == ModeProduct::y) {
    s.in = b.size(1), s.out = b.size(2);
    shape = {s.n, s.k, s.out};
  } else if (which == ModeProduct::x) {
    s.in = b.size(1), s.out = b.size(2);
    shape = {s.n, s.k, s.in};
  } else {
    s.in = a.size(2), s.out = b.size(2);
    shape = {s.k, s.in, s.out};
  }
  Tensor c = Tensor::empty(shape, a.dtype(), a.device());
  if (c.numel() > 0) launch(op, {a, b}, {c}, mode_product_kernel(a.device(), which, s));
  return differentiable(op, c, {a, b}, [=](const std::vector<Tensor>& d) {
    const bool first = a.requires_grad(), second = b.requires_grad();
    std::vector<Tensor> out(2);
    switch (which) {
      case ModeProduct::y:
        if (first) out[0] = run(op, ModeProduct::x, d[0], b);
        if (second) out[1] = run(op, ModeProduct::w, a, d[0]);
        break;
      case ModeProduct::x:  // x = y conj(w)
        if (first) out[0] = run(op, ModeProduct::y, d[0], b);
        if (second) out[1] = run(op, ModeProduct::w, d[0], a);
        break;
      case ModeProduct::w:  // w = conj(x) y
        if (first) out[0] = run(op, ModeProduct::x, b, d[0]);
        if (second) out[1] = run(op, ModeProduct::y, a, d[0]);
        break;
    }
    return out;
  });
}

}  // namespace

Tensor mode_product(const Tensor& x, const Tensor& weight) {
  const char* op = "mode_product";
  check_defined(op, x, "x");
  check_defined(op, weight, "weight");
  if (!is_complex(x.dtype()) || x.dtype() != weight.dtype())
    throw_usage(op, x.str() + " and weight " + weight.str() + " are not of one complex type");
  check_same_device(op, x, weight);
  if (x.rank() != 3 || weight.rank() != 3 || weight.size(0) != x.size(1) || weight.size(1) != x.size(2))
    throw_usage(op, "x " + x.str() + " and weight " + weight.str(), "they are [N, K, in] and [K, in, out]");
  return run(op, ModeProduct::y, x, weight);
}

Tensor spectral_conv(const Tensor& x, const Tensor& weight, const std::vector<std::int64_t>& modes) {
  const char* op = "spectral_conv";
  check_defined(op, x, "x");
  check_defined(op, weight, "weight");
  const int axes = int(modes.size());
  if (x.dtype() != DType::f32 && x.dtype() != DType::f64)
    throw_usage(op, "x " + x.str() + " is not f32 or f64", is_complex(x.dtype()) ? "complex numbers are not taken here: give real(z) and imag(z)" : "convert it with .to(DType::f32)");
  if (weight.dtype() != x.dtype()) throw_usage(op, "weight " + weight.str() + " is not of the type of x " + x.str());
  check_same_device(op, x, weight);
  if (axes < 1 || axes > 3 || x.rank() != axes + 2)
    throw_usage(op, std::to_string(axes) + " mode counts for x " + x.str(),
                "x is [N, spatial..., C] with one count for each of 1 to 3 spatial axes");
  Shape kept, wanted;
  std::int64_t count = 1;
  for (int a = 0; a < axes; ++a) {
    const bool last = a + 1 == axes;
    const std::int64_t m = modes[std::size_t(a)], n = x.size(a + 1), most = last ? n / 2 + 1 : n / 2;
    if (m < 1 || m > most)
      throw_usage(op, std::to_string(m) + " modes along axis " + std::to_string(a + 1) + " of x " + x.str(),
                  "there are 1 to " + std::to_string(most));
    kept.push_back(last ? m : 2 * m);
    count *= kept[a];
  }
  wanted = kept;
  wanted.push_back(x.size(-1));
  const std::int64_t out = weight.rank() == axes + 3 ? weight.size(-2) : 0;
  wanted.push_back(out);
  wanted.push_back(2);
  if (out < 1 || !(weight.shape() == wanted))
    throw_usage(op, "weight " + weight.str() + " for modes " + list_str(modes) + " of x " + x.str(),
                "it is [kept..., in, out, 2], kept 2 m for all but the last axis");

  auto step = [&](int a, bool inverse) {
    const bool last = a + 1 == axes;
    FftStep s{last ? (inverse ? FftKind::real_inverse : FftKind::real_forward) : FftKind::complex, inverse, a + 1, x.size(a + 1)};
    s.low = modes[std::size_t(a)];
    if (!last) s.high = s.low;
    if (inverse) s.scale = 1 / double(s.n);
    return s;
  };
  Tensor z = x;
  for (int a = axes - 1; a >= 0; --a) z = fft_axis(op, z, step(a, false));
  Shape shape = z.shape();
  z = run(op, ModeProduct::y, z.reshape({x.size(0), count, x.size(-1)}), view_as_complex(weight).reshape({count, x.size(-1), out}));
  shape[-1] = out;
  z = z.reshape(shape);
  for (int a = 0; a < axes; ++a) z = fft_axis(op, z, step(a, true));
  return z;
}

}  // namespace tenon
