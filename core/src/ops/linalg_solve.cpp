/// Cholesky, triangles, LU: systems, inverses and determinants.
#include "ops/linalg_kernels.hpp"
#include "ops/linalg_shared.hpp"
#include "tenon/autograd.hpp"

namespace tenon::linalg {
namespace {

void check_pair(const char* op, const Tensor& a, const char* a_name, const Tensor& b) {
  check_matrix(op, a, true, a_name);
  check_matrix(op, b, false, "b");
  if (a.dtype() != b.dtype())
    throw_usage(op, std::string(a_name) + " is " + a.str() + ", b is " + b.str() + ": the types differ", "cast one with to()");
  check_same_device(op, a, b);
  if (a.size(-1) != b.size(-2))
    throw_usage(op, std::string(a_name) + " is " + a.str() + ", b is " + b.str() + ": the rows of b differ from those of " + a_name);
  Shape::broadcast(leading(a), leading(b), op);  // before any work: throws where they do not go together
}

Matrices matrices(const char* op, const Tensor& a, bool flag = false) {
  return {op, a.numel() / (a.size(-1) * a.size(-2)), a.size(-2), a.size(-1), flag};
}

/// The sizes of a system, and its operands dense over the common leading axes. A single matrix is not copied for every right-hand side.
struct SystemOperands {
  System system;
  Tensor a, b, x;

  SystemOperands(const char* op, const Tensor& matrix, const Tensor& right) {
    const Shape lead = Shape::broadcast(leading(matrix), leading(right), op);
    const std::int64_t n = right.size(-2), k = right.size(-1);
    const bool one = leading(matrix).numel() == 1;
    a = one ? matrix.contiguous() : matrix.expand(with_axes(lead, {n, n})).contiguous();
    b = right.expand(with_axes(lead, {n, k})).contiguous();
    x = Tensor::empty(b.shape(), DType::f64, b.device());
    system = {op, lead.numel(), one ? 1 : lead.numel(), n, k};
  }
};

struct Factors {
  Tensor lu, pivots;
};

Factors factor(const char* op, const Tensor& a, bool must_be_regular) {
  const Tensor dense = a.detach().contiguous();
  Factors f{Tensor::empty(a.shape(), DType::f64, a.device()), {}};
  Shape places = a.shape();
  places.erase(a.rank() - 1);
  f.pivots = Tensor::empty(places, DType::i32, a.device());
  if (a.numel() > 0) launch(op, {dense}, {f.lu, f.pivots}, lu_kernel(a.device(), matrices(op, a, must_be_regular)));
  return f;
}

/// a^-1 b or a^-T b, without history.
Tensor solve_factored(const char* op, const Factors& f, const Tensor& b, bool transposed) {
  const Tensor right = b.detach();
  SystemOperands s(op, f.lu, right);
  s.system.transposed = transposed;
  Tensor pivots = f.pivots;
  if (s.system.matrices > 1 || s.system.count == 0) {
    Shape places = s.a.shape();
    places.erase(s.a.rank() - 1);
    pivots = pivots.expand(places).contiguous();
  }
  if (s.x.numel() > 0) launch(op, {s.a, pivots, s.b}, {s.x}, lu_solve_kernel(b.device(), s.system));
  return s.x;
}

Tensor cholesky_f64(const Tensor& a) {
  const Tensor dense = a.detach().contiguous();
  Tensor l = Tensor::empty(a.shape(), DType::f64, a.device());
  if (a.numel() > 0) launch("cholesky", {dense}, {l}, cholesky_kernel(a.device(), matrices("cholesky", a)));
  return differentiable("cholesky", l, {a}, [a, l](const std::vector<Tensor>& d) {
    const Tensor again = wants_grad({d[0], a}) ? cholesky_f64(a) : l;
    const Tensor p = weigh_triangles(matmul(turned(again), d[0]), 1, 0.5, 0);
    const Tensor half = solve_triangle("cholesky.gradient", again, p, {.transposed = true});                  // L^-T P
    const Tensor g = turned(solve_triangle("cholesky.gradient", again, turned(half), {.transposed = true}));  // L^-T P L^-1
    return std::vector<Tensor>{(g + turned(g)) * 0.5};
  });
}

Tensor solve_f64(const Tensor& a, const Tensor& b) {
  const Factors f = factor("solve", a, true);
  const Tensor x = solve_factored("solve", f, b, false);
  return differentiable("solve", x, {a, b}, [=](const std::vector<Tensor>& d) {
    const bool keep = wants_grad({d[0], a, b});
    const Tensor d_b = keep ? solve_f64(turned(a), d[0]) : solve_factored("solve.gradient", f, d[0], true);
    const Tensor again = keep ? solve_f64(a, b) : x;
    return std::vector<Tensor>{sum_to(neg(matmul(d_b, turned(again))), a.shape()), sum_to(d_b, b.shape())};
  });
}

/// sign, log |det|, det of [..., n, n], without history.
std::vector<Tensor> determinants(const char* op, const Tensor& a) {
  const Factors f = factor(op, a, false);
  std::vector<Tensor> out;
  for (int i = 0; i < 3; ++i) out.push_back(Tensor::empty(leading(a), DType::f64, a.device()));
  if (a.numel() > 0) launch(op, {f.lu, f.pivots}, {out[0], out[1], out[2]}, lu_det_kernel(a.device(), matrices(op, a)));
  return out;
}

Tensor on_matrices(const Tensor& values) {
  return values.unsqueeze(-1).unsqueeze(-1);
}

Tensor det_f64(const Tensor& a) {
  const Tensor value = determinants("det", a)[2];
  return differentiable("det", value, {a}, [a, value](const std::vector<Tensor>& d) {
    const Tensor again = wants_grad({d[0], a}) ? det_f64(a) : value;
    return std::vector<Tensor>{on_matrices(d[0] * again) * turned(inverse("det.gradient", a))};
  });
}

}  // namespace

Tensor identity(std::int64_t n, Device device) {
  return weigh_triangles(Tensor::full({n, n}, 1, DType::f64, device), 0, 1, 0);
}

Tensor inverse(const char* op, const Tensor& a) {
  const Tensor x = solve_factored(op, factor(op, a, true), identity(a.size(-1), a.device()), false);
  return differentiable(op, x, {a}, [op, a, x](const std::vector<Tensor>& d) {
    const Tensor again = turned(wants_grad({d[0], a}) ? inverse(op, a) : x);
    return std::vector<Tensor>{neg(matmul(matmul(again, d[0]), again))};
  });
}

Tensor solve_triangle(const char* op, const Tensor& t, const Tensor& b, const Triangle& triangle, double tolerance) {
  SystemOperands s(op, t.detach(), b.detach());
  s.system.upper = triangle.upper;
  s.system.transposed = triangle.transposed;
  s.system.unit = triangle.unit;
  s.system.tolerance = tolerance;
  if (s.x.numel() > 0) launch(op, {s.a, s.b}, {s.x}, triangular_solve_kernel(b.device(), s.system));
  return differentiable(op, s.x, {t, b}, [=, x = s.x](const std::vector<Tensor>& d) {
    const Tensor again = wants_grad({d[0], t, b}) ? solve_triangle(op, t, b, triangle) : x;
    Triangle other = triangle;
    other.transposed = !triangle.transposed;
    const Tensor d_b = solve_triangle(op, t, d[0], other);
    const Tensor d_t = neg(triangle.transposed ? matmul(again, turned(d_b)) : matmul(d_b, turned(again)));
    return std::vector<Tensor>{sum_to(weigh_triangles(d_t, !triangle.upper, !triangle.unit, triangle.upper), t.shape()),
                               sum_to(d_b, b.shape())};
  });
}

Tensor weigh_triangles(const Tensor& x, double lower_weight, double diagonal_weight, double upper_weight) {
  check_matrix("weigh_triangles", x, false, "x");
  return through_f64(x, [&](const Tensor& a) {
    const Tensor dense = a.detach().contiguous();
    Tensor y = Tensor::empty(a.shape(), DType::f64, a.device());
    const TriangleWeights p{a.numel() / (a.size(-1) * a.size(-2)), a.size(-2), a.size(-1), lower_weight, diagonal_weight, upper_weight};
    if (a.numel() > 0) launch("weigh_triangles", {dense}, {y}, triangle_weights_kernel(a.device(), p));
    return differentiable("weigh_triangles", y, {a}, [=](const std::vector<Tensor>& d) {
      return std::vector<Tensor>{weigh_triangles(d[0], lower_weight, diagonal_weight, upper_weight)};
    });
  });
}

Tensor cholesky(const Tensor& a) {
  check_matrix("cholesky", a, true);
  return through_f64(a, cholesky_f64);
}

Tensor triangular_solve(const Tensor& t, const Tensor& b, const Triangle& triangle) {
  check_pair("triangular_solve", t, "t", b);
  return through_f64(b, [&](const Tensor& right) { return solve_triangle("triangular_solve", t.to(DType::f64), right, triangle); });
}

Tensor cholesky_solve(const Tensor& l, const Tensor& b) {
  const char* op = "cholesky_solve";
  check_pair(op, l, "l", b);
  return through_f64(b, [&](const Tensor& right) {
    const Tensor wide = l.to(DType::f64);
    return solve_triangle(op, wide, solve_triangle(op, wide, right, {}), {.transposed = true});
  });
}

Tensor solve(const Tensor& a, const Tensor& b) {
  if (b.defined() && b.rank() == 1) return solve(a, b.unsqueeze(1)).squeeze(-1);
  check_pair("solve", a, "a", b);
  return through_f64(b, [&](const Tensor& right) { return solve_f64(a.to(DType::f64), right); });
}

Tensor inv(const Tensor& a) {
  check_matrix("inv", a, true);
  return through_f64(a, [](const Tensor& wide) { return inverse("inv", wide); });
}

Tensor det(const Tensor& a) {
  check_matrix("det", a, true);
  return through_f64(a, det_f64);
}

SignLogDet slogdet(const Tensor& given) {
  check_matrix("slogdet", given, true);
  const Tensor a = given.to(DType::f64);
  const std::vector<Tensor> values = determinants("slogdet", a);
  const Tensor log_abs = differentiable("slogdet", values[1], {a}, [a](const std::vector<Tensor>& d) {
    return std::vector<Tensor>{on_matrices(d[0]) * turned(inverse("slogdet.gradient", a))};
  });
  return {values[0].to(given.dtype()), log_abs.to(given.dtype())};
}

}  // namespace tenon::linalg
