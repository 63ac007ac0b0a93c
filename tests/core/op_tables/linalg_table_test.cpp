#include "core/op_table.hpp"
#include "tenon/linalg.hpp"

using namespace tenon;
using namespace op_table;

namespace {

/// Element i is sin(0.37 i^2 + 1.7 i + k): full rank.
Tensor irregular(int k, const Shape& shape) {
  std::vector<double> v;
  for (std::int64_t i = 0; i < shape.numel(); ++i) v.push_back(std::sin(0.37 * double(i) * double(i) + 1.7 * double(i) + k));
  return Tensor::from(v, shape).to(check::number_type());
}

Tensor positive(const Tensor& x) {
  return matmul(x, x.transpose(-1, -2)) + linalg::weigh_triangles(Tensor::full({x.size(-2), x.size(-2)}, 1, x.dtype()), 0, 1, 0);
}

/// Of a decomposition; devices are compared in their first gradients alone, as second ones magnify what rounding did to the vectors.
void decomposed(const check::Function& f, const In& inputs) {
  if (check::Twin::active())
    check::first_gradients(f, inputs);
  else
    both(f, inputs);
}

const Register table(
    "linalg.hpp",
    {{
        {"cholesky(Tensor)",
         [] {
           both([](const In& x) { return linalg::cholesky(positive(x[0])); }, {irregular(1, {2, 3, 3})});
         }},
        {"triangular_solve(Tensor,Tensor,Triangle)",
         [] {
           const Tensor t = irregular(2, {3, 3}) * 0.5 + linalg::matrix_power(Tensor::zeros({3, 3}, check::number_type()), 0) * 2;
           for (bool upper : {false, true})
             for (bool transposed : {false, true})
               for (bool unit : {false, true})
                 both(
                     [=](const In& x) {
                       return linalg::triangular_solve(x[0], x[1], {upper, transposed, unit});
                     },
                     {t, irregular(3, {3, 2})});
           both([](const In& x) { return linalg::triangular_solve(x[0], x[1]); }, {t, irregular(3, {2, 3, 2})});
           both([](const In& x) { return linalg::triangular_solve(x[0], x[1], {.upper = true}); },
                {t.expand({2, 3, 3}), irregular(3, {3, 1})});
         }},
        {"cholesky_solve(Tensor,Tensor)",
         [] {
           both([](const In& x) { return linalg::cholesky_solve(linalg::cholesky(positive(x[0])), x[1]); },
                {irregular(1, {3, 3}), irregular(2, {3, 2})});
         }},
        {"solve(Tensor,Tensor)",
         [] {
           auto f = [](const In& x) { return linalg::solve(x[0], x[1]); };
           both(f, {irregular(1, {2, 3, 3}), irregular(2, {2, 3, 2})});
           both(f, {irregular(1, {3, 3}), irregular(2, {2, 3, 1})});
           both(f, {irregular(1, {2, 3, 3}), irregular(2, {3})});
         }},
        {"inv(Tensor)",
         [] {
           both([](const In& x) { return linalg::inv(x[0]); }, {irregular(1, {2, 3, 3})});
         }},
        {"det(Tensor)",
         [] {
           both([](const In& x) { return linalg::det(x[0]); }, {irregular(1, {2, 3, 3})});
         }},
        {"singular_values(Tensor)",
         [] {
           for (const Shape& s : {Shape{2, 3, 3}, Shape{4, 2}, Shape{2, 4}})
             both([](const In& x) { return linalg::singular_values(x[0]); }, {irregular(1, s)});
         }},
        {"eigvalsh(Tensor)",
         [] {
           both([](const In& x) { return linalg::eigvalsh(x[0]); }, {irregular(1, {2, 3, 3})});
         }},
        {"pinv(Tensor,optional<double>)",
         [] {
           for (const Shape& s : {Shape{2, 3, 3}, Shape{4, 2}, Shape{2, 4}})
             both([](const In& x) { return linalg::pinv(x[0]); }, {irregular(1, s)});
           both([](const In& x) { return linalg::pinv(matmul(x[0], x[1]), 1e-5); }, {irregular(1, {4, 2}), irregular(2, {2, 3})});
         }},
        {"lstsq(Tensor,Tensor,optional<double>)",
         [] {
           for (const Shape& s : {Shape{4, 2}, Shape{2, 4}, Shape{3, 3}}) {
             both([](const In& x) { return linalg::lstsq(x[0], x[1]); }, {irregular(1, s), irregular(2, {s[0], 2})});
             both([](const In& x) { return linalg::lstsq(x[0], x[1], 1e-9); }, {irregular(1, s), irregular(2, {s[0], 2})});
           }
         }},
        {"matrix_norm(Tensor,MatrixNorm)",
         [] {
           for (auto kind : {linalg::MatrixNorm::frobenius, linalg::MatrixNorm::nuclear, linalg::MatrixNorm::spectral})
             both([=](const In& x) { return linalg::matrix_norm(x[0], kind); }, {irregular(1, {2, 3, 2})});
         }},
        {"matrix_power(Tensor,int64_t)",
         [] {
           for (int n : {1, 3, 6, -2}) both([n](const In& x) { return linalg::matrix_power(x[0], n); }, {irregular(1, {2, 3, 3}) * 0.7});
         }},
        {"matrix_exp(Tensor)",
         [] {
           both([](const In& x) { return linalg::matrix_exp(x[0]); }, {irregular(1, {2, 3, 3})});
         }},
        {"weigh_triangles(Tensor,double,double,double)",
         [] {
           both([](const In& x) { return square(linalg::weigh_triangles(x[0], 2, -1, 0.5)); }, {irregular(1, {2, 3, 4})});
         }},
        {"qr(Tensor,QRMode)",
         [] {
           for (const Shape& s : {Shape{2, 3, 3}, Shape{4, 2}, Shape{2, 4}}) {
             decomposed([](const In& x) { return linalg::qr(x[0]).q; }, {irregular(1, s)});
             decomposed([](const In& x) { return linalg::qr(x[0]).r; }, {irregular(1, s)});
           }
           decomposed([](const In& x) { return linalg::qr(x[0], linalg::QRMode::complete).q; }, {irregular(1, {2, 4})});
         }},
        {"svd(Tensor)",
         [] {
           for (const Shape& s : {Shape{2, 3, 3}, Shape{4, 2}, Shape{2, 4}}) {
             decomposed([](const In& x) { return linalg::svd(x[0]).u; }, {irregular(2, s)});
             decomposed([](const In& x) { return linalg::svd(x[0]).s; }, {irregular(2, s)});
             decomposed([](const In& x) { return linalg::svd(x[0]).vh; }, {irregular(2, s)});
           }
         }},
        {"eigh(Tensor)",
         [] {
           decomposed([](const In& x) { return linalg::eigh(x[0]).w; }, {irregular(1, {2, 3, 3})});
           decomposed([](const In& x) { return linalg::eigh(x[0]).v; }, {irregular(1, {2, 3, 3})});
         }},
        {"slogdet(Tensor)",
         [] {
           decomposed([](const In& x) { return linalg::slogdet(x[0]).log_abs; }, {irregular(1, {2, 3, 3})});
         }},
    }});

}  // namespace
