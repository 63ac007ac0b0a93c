// Gradients of complex ops, by real inputs that are made their parts, and by real functions of the results.
#include "core/op_table.hpp"
#include "tenon/complex.hpp"
#include "tenon/einsum.hpp"
#include "tenon/fft.hpp"
#include "tenon/spectral.hpp"

using namespace tenon;
using namespace op_table;

namespace {

/// f of complex tensors, as a real function [..., 2] of their parts.
void of_parts(const std::function<Tensor(const In&)>& f, const std::vector<Shape>& shapes, double low = -1, double high = 1) {
  In parts;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    parts.push_back(spread(shapes[i], low + 0.01 * double(i), high));
    parts.push_back(spread(shapes[i], low + 0.07, high + 0.03 * double(i)));
  }
  both(
      [&](const In& x) {
        In z;
        for (std::size_t i = 0; i < x.size(); i += 2) z.push_back(complex(x[i], x[i + 1]));
        Tensor y = f(z);
        return is_complex(y.dtype()) ? view_as_real(y) : y;
      },
      parts);
}

using Unary = Tensor (*)(const Tensor&);

const Register table(
    "complex.hpp",
    {{
         {"view_as_real(Tensor)",
          [] {
            of_parts([](const In& z) { return square(view_as_real(z[0] * z[0])); }, {{2, 3}});
          }},
         {"view_as_complex(Tensor)",
          [] {
            both([](const In& x) { return view_as_real(square(view_as_complex(x[0]))); }, {spread({3, 2})});
            both([](const In& x) { return view_as_real(square(view_as_complex(x[0].transpose(0, 1)))); }, {spread({2, 3})});
          }},
         {"complex(Tensor,Tensor)",
          [] {
            of_parts([](const In& z) { return z[0] * z[1]; }, {{2, 3}, {3}});
            of_parts([](const In& z) { return z[0] / z[1] - z[1]; }, {{2, 3}, {3}}, 0.5, 2);
            for (Unary f : {Unary(exp), Unary(square), Unary(sin), Unary(cos), Unary(sinh), Unary(cosh), Unary(tanh), Unary(neg)})
              of_parts([f](const In& z) { return f(z[0]); }, {{2, 3}});
            for (Unary f : {Unary(log), Unary(sqrt), Unary(rsqrt), Unary(abs)})
              of_parts([f](const In& z) { return f(z[0]); }, {{2, 3}}, 0.4, 2);
            of_parts([](const In& z) { return pow(z[0], 2.7); }, {{2, 3}}, 0.4, 2);
            of_parts([](const In& z) { return add(mul(z[0], 1.7), 0.3) * z[0]; }, {{4}});
            of_parts([](const In& z) { return square(sum(z[0], {1})); }, {{2, 3}});
            of_parts([](const In& z) { return square(mean(z[0])); }, {{2, 3}});
            of_parts([](const In& z) { return matmul(z[0], z[1]); }, {{2, 3}, {3, 4}});
            of_parts([](const In& z) { return matmul(z[0], z[1]); }, {{2, 1, 2, 3}, {2, 3, 2}});
            of_parts([](const In& z) { return einsum("bip,iop->bop", z); }, {{2, 2, 9}, {2, 3, 9}});  // the batch innermost
            of_parts([](const In& z) { return einsum("bij,bjk->bik", z); }, {{2, 2, 3}, {2, 3, 2}});
            of_parts([](const In& z) { return einsum("iij,ij,j->i", z); }, {{2, 2, 3}, {2, 3}, {3}});
            of_parts([](const In& z) { return square(concat({z[0], z[1]}, 0)); }, {{2, 3}, {1, 3}});
          }},
         {"polar(Tensor,Tensor)",
          [] {
            both([](const In& x) { return view_as_real(polar(x[0], x[1])); }, {spread({2, 3}, 0.5, 2), spread({2, 3})});
          }},
         {"real(Tensor)",
          [] {
            of_parts([](const In& z) { return real(z[0] * z[0]); }, {{2, 3}});
          }},
         {"imag(Tensor)",
          [] {
            of_parts([](const In& z) { return imag(z[0] * z[0]); }, {{2, 3}});
          }},
         {"conj(Tensor)",
          [] {
            of_parts([](const In& z) { return conj(z[0]) * z[0] * z[0]; }, {{2, 3}});
          }},
         {"angle(Tensor)",
          [] {
            of_parts([](const In& z) { return angle(z[0]); }, {{2, 3}}, 0.4, 2);
          }},
         {"hypot(Tensor,Tensor)", [] { binary([](auto& a, auto& b) { return hypot(a, b); }, 0.5, 3); }},
     },
     {}});

const Register transforms(
    "fft.hpp", {{
                    {"fft(Tensor,vector<int>,FftNorm)",
                     [] {
                       of_parts([](const In& z) { return square(fft(z[0])); }, {{2, 5}});
                       of_parts([](const In& z) { return square(fft(z[0], {0, 2}, FftNorm::ortho)); }, {{3, 2, 4}});
                       both([](const In& x) { return view_as_real(square(fft(x[0], {}))); }, {spread({3, 4})});
                     }},
                    {"ifft(Tensor,vector<int>,FftNorm)",
                     [] {
                       of_parts([](const In& z) { return square(ifft(z[0])); }, {{2, 5}});
                       of_parts([](const In& z) { return square(ifft(z[0], {1}, FftNorm::forward)); }, {{2, 6, 2}});
                     }},
                    {"rfft(Tensor,vector<int>,FftNorm)",
                     [] {
                       for (std::int64_t n : {1, 2, 5, 6, 8})
                         both([](const In& x) { return view_as_real(square(rfft(x[0]))); }, {spread({2, n})});
                       both([](const In& x) { return view_as_real(square(rfft(x[0], {2, 1}, FftNorm::ortho))); }, {spread({2, 5, 4})});
                     }},
                    {"irfft(Tensor,int64_t,vector<int>,FftNorm)",
                     [] {
                       for (std::int64_t n : {1, 2, 5, 6, 8})
                         of_parts([n](const In& z) { return square(irfft(z[0], n)); }, {{2, n / 2 + 1}});
                       of_parts([](const In& z) { return square(irfft(z[0], -1, {0, 1})); }, {{3, 4, 2}});
                     }},
                    {"fft_shift(Tensor,vector<int>)",
                     [] {
                       both([](const In& x) { return square(fft_shift(x[0])); }, {spread({3, 4})});
                     }},
                    {"ifft_shift(Tensor,vector<int>)",
                     [] {
                       both([](const In& x) { return square(ifft_shift(x[0], {0})); }, {spread({3, 4})});
                     }},
                },
                {"fft_frequencies(int64_t,double)", "rfft_frequencies(int64_t,double)"}});

const Register spectral(
    "spectral.hpp",
    {{
         {"spectral_conv(Tensor,Tensor,vector<int64_t>)",
          [] {
            both([](const In& x) { return square(spectral_conv(x[0], x[1], {3})); }, {spread({2, 7, 2}), spread({3, 2, 3, 2})});
            both([](const In& x) { return square(spectral_conv(x[0], x[1], {2, 2})); }, {spread({1, 4, 5, 2}), spread({4, 2, 2, 1, 2})});
            both(
                [](const In& x) {
                  return square(spectral_conv(x[0], x[1], {1, 1, 2}));
                },
                {spread({1, 3, 2, 3, 1}), spread({2, 2, 2, 1, 2, 2})});
          }},
         {"mode_product(Tensor,Tensor)",
          [] {
            of_parts([](const In& z) { return square(mode_product(z[0], z[1])); }, {{2, 3, 2}, {3, 2, 4}});
          }},
     },
     {}});

}  // namespace
