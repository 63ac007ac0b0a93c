/// Linear algebra against PyTorch's figures, identities to n epsilon, closed forms, wrong use and broken matrices.
#include "tenon/linalg.hpp"

#include <numbers>

#include "core/ops/gradient_check.hpp"
#include "golden/linalg.inc"
#include "tenon/plan.hpp"

using namespace tenon;
using namespace tenon::linalg;

namespace {

using Values = std::vector<double>;

Tensor irregular(int k, const Shape& shape, DType type = DType::f64) {
  Values v;
  for (std::int64_t i = 0; i < shape.numel(); ++i) v.push_back(std::sin(0.37 * double(i) * double(i) + 1.7 * double(i) + k));
  return Tensor::from(v, shape).to(type);
}

Tensor unit(std::int64_t n) {
  return weigh_triangles(Tensor::full({n, n}, 1, DType::f64), 0, 1, 0);
}
Tensor turned(const Tensor& x) {
  return x.transpose(-1, -2);
}
Tensor positive(const Tensor& x) {
  return matmul(x, turned(x)) + unit(x.size(-2)) * 0.5;
}
Tensor columns(const Tensor& x, const Tensor& s) {
  return x * s.unsqueeze(-2);
}
double largest(const Tensor& x) {
  double m = 0;
  for (double v : x.to_vector()) m = std::isnan(v) ? v : std::max(m, std::abs(v));
  return m;
}
void require_near(const Tensor& got, const Tensor& expected, double tolerance) {
  REQUIRE(got.shape() == expected.shape());
  REQUIRE(largest(got - expected) <= tolerance * (1 + largest(expected)));
}

/// f throws a data error with this code and all of the words.
template <class F>
void breaks(const F& f, const std::string& code, const std::vector<std::string>& words) {
  try {
    f();
  } catch (const Error& e) {
    const std::string what = e.what();
    INFO(what);
    REQUIRE(e.kind() == ErrorKind::data);
    REQUIRE(e.code() == code);
    for (const std::string& w : words) REQUIRE(what.find(w) != std::string::npos);
    return;
  }
  FAIL(code << " was not thrown");
}

/// Orders on both sides of every cut of the kernels.
const std::vector<std::int64_t> kOrders{1, 2, 7, 16, 17, 33, 100, 150};
constexpr double kEpsilon = 2.3e-16;

}  // namespace

TEST_CASE("linear algebra equals PyTorch's", "[linalg]") {
  const Tensor a = irregular(1, {2, 4, 4}), b = irregular(2, {2, 4, 3}), spd = positive(a);
  const Tensor tall = irregular(3, {2, 5, 3}), wide = irregular(4, {2, 3, 5}), low = matmul(irregular(5, {5, 2}), irregular(6, {2, 4}));
  const double eps = 1e-11;
  check::require_close(cholesky(spd).to_vector(), kCholesky, eps);
  check::require_close(solve(a, b).to_vector(), kSolve, eps);
  check::require_close(cholesky_solve(cholesky(spd), b).to_vector(), solve(spd, b).to_vector(), eps);
  check::require_close(inv(a).to_vector(), kInverse, eps);
  check::require_close(det(a).to_vector(), kDet, eps);
  check::require_close(slogdet(a).sign.to_vector(), kSign, 0);
  check::require_close(slogdet(a).log_abs.to_vector(), kLogAbs, eps);
  const QR qr_tall = qr(tall), qr_wide = qr(wide);
  check::require_close(qr_tall.q.to_vector(), kQTall, eps);
  check::require_close(qr_tall.r.to_vector(), kRTall, eps);
  check::require_close(qr_wide.q.to_vector(), kQWide, eps);
  check::require_close(qr_wide.r.to_vector(), kRWide, eps);
  const SVD svd_tall = svd(tall), svd_wide = svd(wide);
  check::require_close(svd_tall.u.to_vector(), kUTall, eps);
  check::require_close(svd_tall.s.to_vector(), kSTall, eps);
  check::require_close(svd_tall.vh.to_vector(), kVhTall, eps);
  check::require_close(svd_wide.u.to_vector(), kUWide, eps);
  check::require_close(svd_wide.s.to_vector(), kSWide, eps);
  check::require_close(svd_wide.vh.to_vector(), kVhWide, eps);
  check::require_close(singular_values(wide).to_vector(), kSWide, eps);
  check::require_close(eigh(spd).w.to_vector(), kW, eps);
  check::require_close(eigh(spd).v.to_vector(), kV, eps);
  check::require_close(eigvalsh(spd).to_vector(), kW, eps);
  check::require_close(pinv(low, 1e-9).to_vector(), kPinv, eps);
  check::require_close(lstsq(tall, irregular(7, {2, 5, 2})).to_vector(), kLstsqTall, eps);
  check::require_close(lstsq(wide, irregular(8, {2, 3, 2})).to_vector(), kLstsqWide, eps);
  check::require_close(lstsq(tall, irregular(7, {2, 5, 2}), 1e-9).to_vector(), kLstsqTall, eps);
  check::require_close(lstsq(low, irregular(9, {5, 2}), 1e-9).to_vector(), kLstsqLow, eps);
  Values norms;
  for (auto kind : {MatrixNorm::frobenius, MatrixNorm::nuclear, MatrixNorm::spectral})
    for (double v : matrix_norm(tall, kind).to_vector()) norms.push_back(v);
  check::require_close(norms, kNorms, eps);
  check::require_close(matrix_power(a, 5).to_vector(), kPower, eps);
  check::require_close(matrix_power(a, -2).to_vector(), kPowerMinus, eps);
  check::require_close(matrix_exp(a).to_vector(), kExp, eps);
  check::require_close(matrix_exp(a * 8.0).to_vector(), kExpLarge, eps);
}

TEST_CASE("gradients of linear algebra equal PyTorch's", "[linalg]") {
  const auto gradient = [](const Tensor& x, const std::function<Tensor(const Tensor&)>& f) {
    Tensor leaf = x.clone().detach();
    leaf.set_requires_grad();
    return gradients({f(leaf)}, {leaf})[0].to_vector();
  };
  const Tensor a = irregular(1, {2, 4, 4}), tall = irregular(3, {2, 5, 3});
  check::require_close(gradient(tall,
                                [](const Tensor& x) {
                                  const SVD f = svd(x);
                                  return sum(square(matmul(columns(f.u, sin(f.s)), f.vh))) + sum(pow(f.u, 4.0));
                                }),
                       kGradientSvd, 1e-10);
  check::require_close(gradient(positive(a),
                                [](const Tensor& x) {
                                  const Eigh f = eigh(x);
                                  return sum(columns(pow(f.v, 4.0), f.w));
                                }),
                       kGradientEigh, 1e-10);
  check::require_close(gradient(tall, [](const Tensor& x) { return sum(square(pinv(x))); }), kGradientPinv, 1e-10);
  check::require_close(gradient(a, [](const Tensor& x) { return sum(square(matrix_exp(x))); }), kGradientExp, 1e-10);
}

TEST_CASE("factors of matrices of any order multiply back", "[linalg]") {
  for (std::int64_t n : kOrders) {
    INFO("order " << n);
    const double eps = 20 * double(n) * kEpsilon;
    const Tensor a = irregular(1, {2, n, n}), b = irregular(2, {2, n, 3}), spd = positive(a) / double(n);
    const Tensor l = cholesky(spd);
    require_near(matmul(l, turned(l)), spd, eps);
    require_near(matmul(l, triangular_solve(l, b)), b, eps);
    require_near(matmul(turned(l), triangular_solve(l, b, {.transposed = true})), b, eps);
    const Tensor x = solve(spd, b);
    require_near(matmul(spd, x), b, eps * largest(x));
    const Eigh e = eigh(spd);
    require_near(matmul(columns(e.v, e.w), turned(e.v)), spd, eps);
    require_near(matmul(turned(e.v), e.v), unit(n).expand({2, n, n}), eps);
    require_near(eigvalsh(spd), e.w, eps);
  }
  for (const Shape& shape : {Shape{1, 1}, Shape{1, 6}, Shape{6, 1}, Shape{40, 40}, Shape{130, 33}, Shape{33, 130}, Shape{100, 100}}) {
    INFO(shape.str());
    const std::int64_t m = shape[0], n = shape[1], k = std::min(m, n);
    const double eps = 20 * double(std::max(m, n)) * kEpsilon;
    const Tensor a = irregular(3, shape);
    for (QRMode mode : {QRMode::reduced, QRMode::complete}) {
      const QR f = qr(a, mode);
      require_near(matmul(f.q, f.r), a, eps);
      require_near(matmul(turned(f.q), f.q), unit(f.q.size(1)), eps);
      require_near(weigh_triangles(f.r, 1, 0, 0), Tensor::zeros(f.r.shape(), DType::f64), 0);
      for (std::int64_t i = 0; i < k; ++i) REQUIRE(f.r.select(0, i).select(0, i).item() >= 0);
    }
    const SVD f = svd(a);
    require_near(matmul(columns(f.u, f.s), f.vh), a, eps);
    require_near(matmul(turned(f.u), f.u), unit(k), eps);
    require_near(matmul(f.vh, turned(f.vh)), unit(k), eps);
    require_near(singular_values(a), f.s, eps);  // without vectors
    const Values s = f.s.to_vector();
    for (std::size_t i = 0; i < s.size(); ++i) REQUIRE((s[i] >= 0 && (i == 0 || s[i] <= s[i - 1])));
    const Tensor p = pinv(a);
    require_near(matmul(a, matmul(p, a)), a, eps * largest(p));
  }
}

TEST_CASE("large matrices are factored alike by any number of threads, and multiply back", "[linalg]") {
  const std::int64_t n = 300;
  const double eps = 20 * double(n) * kEpsilon;
  const Tensor a = irregular(1, {n, n}), b = irregular(2, {n, n}), spd = positive(a) / double(n);
  check::same_bits([&] { return std::vector<Tensor>{cholesky(spd), solve(a, b), qr(a).q, matrix_exp(a * 0.1)}; });
  const Tensor l = cholesky(spd), x = solve(a, b);
  require_near(matmul(l, turned(l)), spd, eps);
  require_near(weigh_triangles(l, 0, 0, 1), Tensor::zeros({n, n}, DType::f64), 0);
  require_near(matmul(a, x), b, eps * largest(x));
  const Tensor half = triangular_solve(l, b), upper = triangular_solve(l, b, {.transposed = true});
  require_near(matmul(l, half), b, eps * largest(half));
  require_near(matmul(turned(l), upper), b, eps * largest(upper));
  REQUIRE(slogdet(a).log_abs.item() == Approx(sum(log(sum(weigh_triangles(qr(a).r, 0, 1, 0), {-1}))).item()).epsilon(1e-11));
}

TEST_CASE("tall matrices have the factors of their blocks of rows", "[linalg]") {
  for (const Shape& shape : {Shape{1024, 1}, Shape{1500, 8}, Shape{9000, 5}, Shape{2, 3000, 33}}) {
    INFO(shape.str());
    const std::int64_t n = shape[-1];
    const Tensor a = irregular(3, shape);
    const QR f = qr(a);
    require_near(matmul(f.q, f.r), a, 1e-12);
    require_near(matmul(turned(f.q), f.q), unit(n).expand(f.r.shape()), 1e-12);
    require_near(f.r, turned(cholesky(matmul(turned(a), a))), 1e-10);  // the only one whose diagonal is positive
    check::same_bits([&] { return std::vector<Tensor>{qr(a).q}; });
  }
  const Tensor low = matmul(irregular(5, {2000, 2}), irregular(6, {2, 6}));
  const QR f = qr(low);
  require_near(matmul(f.q, f.r), low, 1e-12);
  require_near(matmul(turned(f.q), f.q), unit(6), 1e-12);
  Tensor broken = irregular(1, {2000, 4}).clone();
  broken.select(0, 1700).fill(std::nan(""));
  REQUIRE(std::isnan(qr(broken).r.select(0, 0).select(0, 0).item()));
}

TEST_CASE("closed forms of linear algebra", "[linalg]") {
  SECTION("determinants of Hilbert matrices") {  // Hilbert 1894
    for (auto [n, expected] : {std::pair{2, 1.0 / 12}, {3, 1.0 / 2160}, {4, 1.0 / 6048000}, {5, 1.0 / 266716800000}}) {
      Values h;
      for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j) h.push_back(1.0 / (i + j + 1));
      REQUIRE(det(Tensor::from(h, {n, n})).item() == Approx(expected).epsilon(1e-9));
      REQUIRE(slogdet(Tensor::from(h, {n, n})).log_abs.item() == Approx(std::log(expected)).epsilon(1e-10));
    }
  }
  SECTION("eigenvalues of the second difference") {
    const std::int64_t n = 60;
    Values v(std::size_t(n * n)), expected;
    for (std::int64_t i = 0; i < n; ++i) {
      v[std::size_t(i * n + i)] = 2;
      if (i > 0) v[std::size_t(i * n + i - 1)] = v[std::size_t((i - 1) * n + i)] = -1;
      expected.push_back(2 - 2 * std::cos(std::numbers::pi * double(i + 1) / double(n + 1)));
    }
    check::require_close(eigvalsh(Tensor::from(v, {n, n})).to_vector(), expected, 1e-13);
    check::require_close(flip(singular_values(Tensor::from(v, {n, n})), {0}).to_vector(), expected, 1e-13);
  }
  SECTION("a rotation is the exponential of its generator") {
    for (double angle : {0.3, 2.0, 40.0}) {
      const Tensor g = Tensor::from(Values{0, -angle, angle, 0}, {2, 2});
      check::require_close(matrix_exp(g).to_vector(), {std::cos(angle), -std::sin(angle), std::sin(angle), std::cos(angle)}, 1e-13);
    }
  }
  SECTION("matrices of low rank, zeros, equal values, and sizes far from 1") {
    for (double scale : {1.0, 1e-200, 1e200}) {
      INFO(scale);
      const Tensor a = matmul(irregular(1, {20, 2}), irregular(2, {2, 12})) * scale;
      const SVD f = svd(a);
      require_near(matmul(columns(f.u, f.s), f.vh) * (1 / scale), a * (1 / scale), 1e-13);
      require_near(matmul(turned(f.u), f.u), unit(12), 1e-13);
      REQUIRE(largest(f.s.narrow(0, 2, 10)) <= 1e-13 * scale * 20);
      const QR q = qr(a);
      require_near(matmul(q.q, q.r) * (1 / scale), a * (1 / scale), 1e-13);
      require_near(matmul(turned(q.q), q.q), unit(12), 1e-13);
      const Tensor square = matmul(a.narrow(0, 0, 12) * (1 / scale), turned(a.narrow(0, 0, 12)));
      const Eigh e = eigh(square);
      require_near(matmul(columns(e.v, e.w), turned(e.v)) * (1 / scale), square * (1 / scale), 1e-13);
    }
    REQUIRE(largest(svd(Tensor::zeros({4, 3}, DType::f64)).s) == 0);
    require_near(eigh(unit(5)).v, unit(5), 0);
    require_near(svd(unit(5)).s, Tensor::full({5}, 1, DType::f64), 0);
    REQUIRE(largest(pinv(Tensor::zeros({4, 3}, DType::f64))) == 0);
  }
  SECTION("logarithms of determinants far outside the range of f64") {
    const Tensor sizes = Tensor::from(Values{1e-200, 3e150, -2e120, 1e-310, 5e130, 1e99, 1e-90, 7, 1e140, 1e140}, {10});
    const SignLogDet f = slogdet(unit(10) * sizes);
    REQUIRE(f.sign.item() == -1);
    REQUIRE(f.log_abs.item() == Approx(sum(log(abs(sizes))).item()).epsilon(1e-14));
  }
  SECTION("singular matrices have determinant 0") {
    const Tensor a = Tensor::from(Values{1, 2, 2, 4}, {2, 2});
    REQUIRE(det(a).item() == 0);
    REQUIRE(slogdet(a).sign.item() == 0);
    REQUIRE(std::isinf(slogdet(a).log_abs.item()));
  }
  SECTION("norms of zero have gradient 0") {
    for (auto kind : {MatrixNorm::frobenius, MatrixNorm::nuclear}) {
      Tensor zero = Tensor::zeros({2, 3}, DType::f64);
      zero.set_requires_grad();
      const Tensor d = gradients({matrix_norm(zero, kind)}, {zero})[0];
      REQUIRE(std::isfinite(largest(d)));
      if (kind == MatrixNorm::frobenius) REQUIRE(largest(d) == 0);
    }
  }
}

TEST_CASE("f32 results are those of f64, rounded", "[linalg]") {
  const Tensor a = irregular(1, {3, 6, 6}, DType::f32), wide = a.to(DType::f64);
  const auto same = [](const Tensor& got, const Tensor& expected) {
    REQUIRE(got.dtype() == DType::f32);
    REQUIRE(got.to_vector() == expected.to(DType::f32).to_vector());
  };
  same(inv(a), inv(wide));
  same(svd(a).vh, svd(wide).vh);
  same(matrix_exp(a), matrix_exp(wide));
  same(lstsq(a, a), lstsq(wide, wide));
}

TEST_CASE("linear algebra broadcasts its batches", "[linalg]") {
  const Tensor a = irregular(1, {3, 1, 4, 4}), b = irregular(2, {2, 4, 2}), v = irregular(3, {4});
  const Tensor x = solve(a, b), y = solve(a, v);
  REQUIRE(x.shape() == Shape{3, 2, 4, 2});
  REQUIRE(y.shape() == Shape{3, 1, 4});
  require_near(matmul(a, x), b.expand({3, 2, 4, 2}), 1e-12);
  require_near(matmul(a, y.unsqueeze(-1)).squeeze(-1), v.expand({3, 1, 4}), 1e-12);
  REQUIRE(solve(Tensor::zeros({0, 4, 4}, DType::f64), b.narrow(0, 0, 1)).shape() == Shape{0, 4, 2});
  REQUIRE(svd(Tensor::zeros({0, 4, 2})).u.shape() == Shape{0, 4, 2});
}

TEST_CASE("a matrix that cannot be factored is named", "[linalg]") {
  Tensor a = irregular(1, {2, 3, 4, 4}).clone();
  a.narrow(0, 1, 1).narrow(1, 1, 1).fill(1);  // matrix 4 has rank 1
  breaks([&] { solve(a, irregular(2, {4, 1})); }, "linalg.singular", {"solve: matrix 4 of 6 is singular: pivot 2 of 4 is 0", "rcond"});
  breaks([&] { inv(a); }, "linalg.singular", {"inv: matrix 4 of 6"});
  breaks([&] { matrix_power(a, -1); }, "linalg.singular", {"matrix_power: matrix 4 of 6"});
  Tensor spd = positive(irregular(1, {2, 3, 4, 4}));
  spd.narrow(0, 1, 1).narrow(1, 1, 1).fill(1);
  breaks([&] { cholesky(spd); }, "linalg.not_positive_definite", {"cholesky: matrix 4 of 6", "order 2 of 4"});
  breaks(
      [&] {
        triangular_solve(Tensor::zeros({2, 3, 3}), Tensor::zeros({3, 1}));
      },
      "linalg.singular", {"triangular_solve: matrix 0 of 2", "value 1 of 3"});
  breaks(
      [&] {
        lstsq(matmul(irregular(5, {5, 2}), irregular(6, {2, 4})), irregular(7, {5, 1}));
      },
      "linalg.singular", {"lstsq: matrix 0 of 1", "rcond"});
  Tensor leaf = Tensor::from(Values{1, 2, 2, 4}, {2, 2}).set_requires_grad();
  breaks([&] { gradients({det(leaf)}, {leaf}); }, "linalg.singular", {"det.gradient"});
  Tensor nan = irregular(1, {2, 3, 3}).clone();
  nan.select(0, 1).fill(std::nan(""));
  breaks([&] { svd(nan); }, "linalg.not_converged", {"svd: matrix 1 of 2", "NaN"});
  breaks([&] { eigh(nan); }, "linalg.not_converged", {"eigh: matrix 1 of 2"});
  breaks([&] { cholesky(nan); }, "linalg.not_positive_definite", {"cholesky: matrix 0 of 2"});
}

TEST_CASE("linear algebra refuses what are no matrices", "[linalg]") {
  const Tensor flat = Tensor::zeros({3}), wide = Tensor::zeros({2, 3}), square = Tensor::zeros({3, 3});
  check::refuses([&] { cholesky(wide); }, "cholesky", {"[2, 3]", "not square"});
  check::refuses([&] { inv(flat); }, "inv", {"[3]", "last two axes"});
  check::refuses([&] { det(square.to(DType::i32)); }, "det", {"i32", "not f32 or f64"});
  check::refuses([&] { svd(Tensor::zeros({2, 0})); }, "svd", {"[2, 0]"});
  check::refuses([&] { qr(Tensor{}); }, "qr", {"undefined"});
  check::refuses([&] { solve(square, wide); }, "solve", {"[3, 3]", "[2, 3]", "rows of b"});
  check::refuses([&] { solve(square, square.to(DType::f64)); }, "solve", {"types differ"});
  check::refuses([&] { solve(Tensor::zeros({2, 3, 3}), Tensor::zeros({4, 3, 1})); }, "solve", {"[2]", "[4]"});
  check::refuses([&] { triangular_solve(square, flat); }, "triangular_solve", {"b is", "[3]"});
  check::refuses([&] { lstsq(wide, square); }, "lstsq", {"rows of b"});
  check::refuses([&] { pinv(wide, -1.0); }, "pinv", {"rcond is -1"});
  Tensor tall = irregular(1, {4, 2}).set_requires_grad();
  check::refuses([&] { gradients({sum(qr(tall, QRMode::complete).q)}, {tall}); }, "qr", {"complete", "reduced"});
}

TEST_CASE("linear algebra gives the same bits for any number of threads", "[linalg]") {
  const auto all = [](const Shape& shape) {
    return check::with_gradients(
        [](const std::vector<Tensor>& x) {
          const Tensor spd = positive(x[0]);
          const SVD f = svd(x[0]);
          const Tensor systems = cholesky(spd) + solve(spd, x[0]) + eigh(spd).v + matmul(f.u, f.vh) + qr(x[0]).q + matrix_exp(x[0] * 0.1);
          return systems + linalg::det(x[0]).unsqueeze(-1).unsqueeze(-1);
        },
        {irregular(1, shape)});
  };
  check::same_bits([&] { return all({40, 9, 9}); });
  check::same_bits([&] { return all({90, 90}); });
}

TEST_CASE("linear algebra runs in a recorded step, and fails there by value", "[linalg]") {
  Tensor a = positive(irregular(1, {3, 5, 5})).detach(), x, d;
  a.set_requires_grad();
  const StepPlan plan = StepPlan::record([&] {
    const SVD f = svd(a);
    x = solve(a, matmul(f.u, cholesky(a))) + eigh(a).v;
    d = gradients({sum(square(x)) + sum(slogdet(a).log_abs)}, {a})[0];
  });
  plan.run();
  const SVD f = svd(a);
  const Tensor again = solve(a, matmul(f.u, cholesky(a))) + eigh(a).v;
  REQUIRE(x.to_vector() == again.to_vector());
  REQUIRE(d.to_vector() == gradients({sum(square(again)) + sum(slogdet(a).log_abs)}, {a})[0].to_vector());
  a.fill(0);
  breaks([&] { plan.run(); }, "linalg.not_positive_definite", {"matrix 0 of 3"});
}
