/// Complex tensors by their parts: views, and what is composed from them.
#include "tenon/complex.hpp"

#include "ops/check.hpp"
#include "ops/elementwise.hpp"
#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

using List = std::vector<Tensor>;

void check_complex(const char* op, const Tensor& z) {
  check_defined(op, z, "z");
  if (!is_complex(z.dtype())) throw_usage(op, z.str() + " is not complex", "make it one with .to(DType::c64)");
}

Shape scaled(const Shape& strides, std::int64_t factor) {
  Shape out = strides;
  for (int i = 0; i < out.rank(); ++i) out[i] *= factor;
  return out;
}

}  // namespace

Tensor view_as_real(const Tensor& z) {
  check_complex("view_as_real", z);
  if (z.rank() == kMaxRank) throw_usage("view_as_real", z.str() + " has no room for another axis");
  Shape shape = z.shape(), strides = scaled(z.strides(), 2);
  shape.push_back(2);
  strides.push_back(1);
  return differentiable("view_as_real", z.alias(shape, strides, 2 * z.offset(), part_of(z.dtype())), {z},
                        [](const List& d) { return List{view_as_complex(d[0])}; });
}

Tensor view_as_complex(const Tensor& x) {
  check_defined("view_as_complex", x, "x");
  if ((x.dtype() != DType::f32 && x.dtype() != DType::f64) || x.rank() < 1 || x.size(-1) != 2)
    throw_usage("view_as_complex", x.str() + " does not hold pairs of f32 or f64 in its last axis");
  bool pairs = x.strides()[-1] == 1 && x.offset() % 2 == 0;
  for (int i = 0; i + 1 < x.rank(); ++i) pairs = pairs && (x.strides()[i] % 2 == 0 || x.size(i) == 1);
  if (!pairs) return view_as_complex(x.clone());
  Shape shape = x.shape(), strides = x.strides();
  shape.erase(x.rank() - 1);
  strides.erase(x.rank() - 1);
  for (int i = 0; i < strides.rank(); ++i) strides[i] /= 2;
  const DType whole = x.dtype() == DType::f32 ? DType::c64 : DType::c128;
  return differentiable("view_as_complex", x.alias(shape, strides, x.offset() / 2, whole), {x},
                        [](const List& d) { return List{view_as_real(d[0])}; });
}

Tensor complex(const Tensor& re, const Tensor& im) {
  check_defined("complex", re, "re");
  check_defined("complex", im, "im");
  if (re.dtype() != im.dtype() || (re.dtype() != DType::f32 && re.dtype() != DType::f64))
    throw_usage("complex", "parts " + re.str() + " and " + im.str() + " are not both f32 or both f64");
  check_same_device("complex", re, im);
  const Shape shape = Shape::broadcast(re.shape(), im.shape(), "complex");
  return view_as_complex(concat({re.expand(shape).unsqueeze(-1), im.expand(shape).unsqueeze(-1)}, -1));
}

Tensor polar(const Tensor& size, const Tensor& angle) {
  check_defined("polar", size, "size");
  check_defined("polar", angle, "angle");
  if (size.dtype() != angle.dtype() || (size.dtype() != DType::f32 && size.dtype() != DType::f64))
    throw_usage("polar", "size " + size.str() + " and angle " + angle.str() + " are not both f32 or both f64");
  check_same_device("polar", size, angle);
  Shape::broadcast(size.shape(), angle.shape(), "polar");
  return complex(mul(size, cos(angle)), mul(size, sin(angle)));
}

Tensor real(const Tensor& z) {
  check_defined("real", z, "z");
  return is_complex(z.dtype()) ? view_as_real(z).select(-1, 0) : z;
}

Tensor imag(const Tensor& z) {
  check_complex("imag", z);
  return view_as_real(z).select(-1, 1);
}

Tensor angle(const Tensor& z) {
  check_complex("angle", z);
  return atan2(imag(z), real(z));
}

}  // namespace tenon
