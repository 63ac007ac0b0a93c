// Factorisations that our own kernels leave to a library (backend/cuda/library/linalg.cu): of order above 64, few of them, or above 128.
#include <cmath>

#include "core/ops/gradient_check.hpp"
#include "cuda/cases.hpp"
#include "tenon/indexing.hpp"
#include "tenon/linalg.hpp"
#include "tenon/ops.hpp"

using namespace tenon;
using namespace under_test;
using In = std::vector<Tensor>;

namespace {

/// Of full rank, its singular values some way apart; not symmetric.
Tensor matrices(const Shape& shape) {
  std::vector<double> v;
  const std::int64_t m = shape[-2], n = shape[-1];
  for (std::int64_t e = 0; e < shape.numel(); ++e) {
    const std::int64_t i = e / n % m, j = e % n;
    const double sign = i % 3 == 0 ? -1 : 1;
    v.push_back((i == j ? sign * (2 + 0.25 * double(i)) : 0) + 0.1 * std::sin(0.37 * double(e) * double(e) + 1.7 * double(e)));
  }
  return Tensor::from(v, shape).to(check::number_type());
}
Tensor symmetric(const Shape& shape) {
  const Tensor x = matrices(shape);
  return (x + x.transpose(-2, -1)) * 0.5;
}
Tensor positive(const Shape& shape) {
  const Tensor x = matrices(shape);
  return matmul(x, x.transpose(-2, -1)) * 0.01;
}

void triangles() {
  check::first_gradients([](const In& x) { return linalg::cholesky(x[0]); }, {positive({2, 70, 70})});
  note("only the lower triangle is read", linalg::cholesky(positive({70, 70}) + triu(Tensor::full({70, 70}, 1, check::number_type()), 1)));
  note("above 128", linalg::cholesky(positive({130, 130})));
  check::first_gradients([](const In& x) { return linalg::solve(x[0], x[1]); }, {matrices({2, 66, 66}), check::made(1, {2, 66, 3})});
  check::first_gradients([](const In& x) { return linalg::slogdet(x[0]).log_abs; }, {matrices({2, 66, 66})});
  note("turned rows", linalg::inv(flip(matrices({2, 67, 67}), {1})));
  note("sign", linalg::slogdet(flip(matrices({67, 67}), {0})).sign);
  note("a singular matrix", linalg::det(concat({matrices({1, 66, 66}), Tensor::zeros({1, 66, 66}, check::number_type())}, 0) * 0.2));
}

/// Of more than 128 rows: halved, down to leaves of 32, the last of which is not whole.
void systems() {
  for (const std::int64_t n : {150, 160}) {
    const Tensor one = matrices({n, n}), two = matrices({2, n, n});
    for (const bool upper : {false, true})
      for (const bool transposed : {false, true}) {
        const Tensor b = check::made(1, {2, n, upper ? 3 : 70});
        note("a matrix each", linalg::triangular_solve(two, b, {upper, transposed, false}));
        note("one of ones on the diagonal for all", linalg::triangular_solve(one * 0.1, b, {upper, transposed, true}));
      }
    note("one right-hand side", linalg::triangular_solve(one, check::made(2, {n, 1}), {.upper = true}));
  }
  check::first_gradients([](const In& x) { return linalg::solve(x[0], x[1]); }, {flip(matrices({2, 150, 150}), {1}), check::made(1, {2, 150, 3})});
  note("one matrix, several systems", linalg::solve(flip(matrices({150, 150}), {0}), check::made(3, {3, 150, 2})));
  note("inverse", linalg::inv(flip(matrices({140, 140}), {1})));
}

void orthogonal() {
  for (const Shape& s : {Shape{2, 90, 66}, Shape{66, 90}, Shape{2, 70, 70}}) {
    check::first_gradients([](const In& x) { return linalg::qr(x[0]).q; }, {matrices(s)});
    check::first_gradients([](const In& x) { return linalg::qr(x[0]).r; }, {matrices(s)});
  }
  const linalg::QR complete = linalg::qr(matrices({90, 66}), linalg::QRMode::complete);
  note("complete", complete.r), note("complete", matmul(complete.q, complete.q.transpose(0, 1))), note("complete", complete.q.narrow(1, 0, 66));
  const linalg::QR large = linalg::qr(matrices({66, 66}) * 1e30), small = linalg::qr(matrices({130, 130}) * 1e-30);
  note("large", large.q), note("large", large.r * 1e-30), note("small", small.q), note("small", small.r * 1e30);
  note("zeros", linalg::qr(Tensor::zeros({66, 66}, check::number_type())).r);
}

/// Cut into leaves of rows, with rows left over, once and again; few and many matrices.
void tall() {
  for (const Shape& s : {Shape{3000, 5}, Shape{2, 1501, 9}, Shape{1, 260, 64}, Shape{701, 33}}) {
    const linalg::QR f = linalg::qr(matrices(s));
    note("orthogonal", matmul(f.q.transpose(-2, -1), f.q)), note("tall", f.q), note("tall", f.r), note("product", matmul(f.q, f.r));
    note("values", linalg::singular_values(matrices(s)));
  }
  check::first_gradients([](const In& x) { return linalg::qr(x[0]).q; }, {matrices({1, 1300, 12})});
  check::first_gradients([](const In& x) { return linalg::svd(x[0]).u; }, {matrices({2, 300, 7})});
  check::first_gradients([](const In& x) { return linalg::svd(x[0]).vh; }, {matrices({7, 1900})});
  check::first_gradients([](const In& x) { return linalg::lstsq(x[0], x[1]); }, {matrices({2500, 6}), check::made(1, {2500, 2})});
  note("zeros", linalg::qr(Tensor::zeros({3000, 5}, check::number_type())).r), note("zeros", linalg::singular_values(Tensor::zeros({300, 50}, check::number_type())));
  const Tensor thin = matmul(matrices({1500, 3}), matrices({3, 9}));
  const linalg::SVD of_thin = linalg::svd(thin);
  note("of rank 3", matmul(of_thin.u * of_thin.s, of_thin.vh)), note("of rank 3", of_thin.s), note("of rank 3", linalg::pinv(thin));
}

void spectra() {
  for (const Shape& s : {Shape{2, 90, 66}, Shape{2, 66, 90}, Shape{70, 70}}) {
    check::first_gradients([](const In& x) { return linalg::svd(x[0]).u; }, {matrices(s)});
    check::first_gradients([](const In& x) { return linalg::svd(x[0]).s; }, {matrices(s)});
    check::first_gradients([](const In& x) { return linalg::svd(x[0]).vh; }, {matrices(s)});
  }
  note("above 128", linalg::singular_values(matrices({140, 130})));
  const Tensor thin = matmul(matrices({70, 8}), matrices({8, 66}));
  const linalg::SVD of_thin = linalg::svd(thin);
  note("of rank 8", matmul(of_thin.u * of_thin.s, of_thin.vh)), note("of rank 8", of_thin.s);
  note("of rank 8", matmul(of_thin.u.transpose(0, 1), of_thin.u)), note("of rank 8", matmul(of_thin.vh, of_thin.vh.transpose(0, 1)));
  note("zeros", linalg::singular_values(Tensor::zeros({66, 70}, check::number_type())));
  const linalg::SVD large = linalg::svd(matrices({66, 70}) * 1e30);
  note("large", large.u), note("large", large.s * 1e-30), note("large", large.vh);

  check::first_gradients([](const In& x) { return linalg::eigh(x[0]).w; }, {symmetric({2, 70, 70})});
  check::first_gradients([](const In& x) { return linalg::eigh(x[0]).v; }, {symmetric({2, 70, 70})});
  note("values alone", linalg::eigvalsh(symmetric({2, 66, 66}) * 1e-30) * 1e30);
  note("above 128", linalg::eigh(symmetric({130, 130})).v);
}

const Register cases(std::vector<Extra>{
    {"large triangular factors", triangles, {DType::f64, DType::f32}},
    {"large systems", systems, {DType::f64, DType::f32}},
    {"large orthogonal factors", orthogonal, {DType::f64, DType::f32}},
    {"tall factors", tall, {DType::f64, DType::f32}},
    {"large spectra", spectra, {DType::f64, DType::f32}},
});

}  // namespace
