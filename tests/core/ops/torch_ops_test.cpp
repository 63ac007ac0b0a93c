// Ops and their gradients against PyTorch in f64: tests/golden/make_ops.py, case by case.
#include "core/ops/golden_cases.hpp"
#include "tenon/attention.hpp"
#include "tenon/feed_forward.hpp"
#include "tenon/fft.hpp"
#include "tenon/indexing.hpp"
#include "tenon/linalg.hpp"
#include "tenon/losses.hpp"
#include "tenon/pooling.hpp"
#include "tenon/recurrent.hpp"
#include "tenon/resizing.hpp"
#include "tenon/spectral.hpp"

using namespace tenon;
using golden::Case;
using golden::In;
using golden::made;
using golden::Run;

namespace {

const std::vector<Case> kCases{
#include "golden/ops.inc"
};

using Runs = std::map<std::string, Run>;
using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);
using Reducer = Tensor (*)(const Tensor&, const std::vector<int>&, bool);

Tensor positive(int k, const Shape& shape) {
  return square(made(k, shape)) + 0.3;
}
/// Within (-0.9, 0.9).
Tensor unit(int k, const Shape& shape) {
  return (made(k, shape) - 0.25 * k) * 0.6;
}
Tensor floored(const Tensor& x) {
  return floor(x.detach());
}

void elementwise(Runs& all) {
  const Tensor a = made(1, {2, 3}), b = made(2, {3}), p = positive(1, {2, 3}), u = unit(1, {2, 3});
  const std::map<std::string, Binary> pairs{{"add", add},         {"sub", sub},         {"mul", mul},     {"div", div},
                                            {"maximum", maximum}, {"minimum", minimum}, {"atan2", atan2}, {"hypot", hypot}};
  for (const auto& [name, f] : pairs) all[name] = {{a, b}, [f = f](const In& x) { return f(x[0], x[1]); }};
  all["pow"] = {{p, b}, [](const In& x) { return pow(x[0], x[1]); }};
  all["add scalar"] = {{a}, [](const In& x) { return add(x[0], 0.7); }};
  all["mul scalar"] = {{a}, [](const In& x) { return mul(x[0], -1.7); }};
  all["pow scalar"] = {{p}, [](const In& x) { return pow(x[0], 2.7); }};
  const std::map<std::string, Unary> anywhere{{"neg", neg},   {"abs", abs},   {"exp", exp},   {"expm1", expm1}, {"square", square},
                                              {"sin", sin},   {"cos", cos},   {"tan", tan},   {"atan", atan},   {"sinh", sinh},
                                              {"cosh", cosh}, {"tanh", tanh}, {"erf", erf},   {"relu", relu},   {"sigmoid", sigmoid},
                                              {"gelu", gelu}, {"gelu_tanh", gelu_tanh}, {"silu", silu}, {"softplus", softplus}};
  for (const auto& [name, f] : anywhere) all[name] = {{a}, [f = f](const In& x) { return f(x[0]); }};
  const std::map<std::string, Unary> above_zero{{"log", log},     {"log1p", log1p},   {"sqrt", sqrt},
                                                {"rsqrt", rsqrt}, {"lgamma", lgamma}, {"digamma", digamma}};
  for (const auto& [name, f] : above_zero) all[name] = {{p}, [f = f](const In& x) { return f(x[0]); }};
  all["asin"] = {{u}, [](const In& x) { return asin(x[0]); }};
  all["acos"] = {{u}, [](const In& x) { return acos(x[0]); }};
  all["leaky_relu"] = {{a}, [](const In& x) { return leaky_relu(x[0], 0.1); }};
  all["elu"] = {{a}, [](const In& x) { return elu(x[0], 0.7); }};
  all["clamp"] = {{a}, [](const In& x) { return clamp(x[0], -0.5, 1.1); }};
  const Tensor condition = greater(made(3, {2, 3}), Tensor::full({}, 0.5, DType::f64));
  all["where"] = {{a, b}, [=](const In& x) { return where(condition, x[0], x[1]); }};

  const std::map<std::string, Binary> comparisons{{"equal", equal},         {"less", less},             {"greater", greater},
                                                  {"not_equal", not_equal}, {"less_equal", less_equal}, {"greater_equal", greater_equal}};
  for (const auto& [name, f] : comparisons) all[name] = {{a, b}, [f = f](const In& x) { return f(floored(x[0]), floored(x[1])); }};
  all["is_finite"] = {{a}, [](const In& x) { return is_finite(exp(x[0] * 1000.0)); }};
  all["is_nan"] = {{a}, [](const In& x) { return is_nan(log(x[0])); }};
  all["sign"] = {{a}, [](const In& x) { return sign(x[0]); }};
  all["floor"] = {{a}, [](const In& x) { return floor(x[0]); }};
  all["ceil"] = {{a}, [](const In& x) { return ceil(x[0]); }};
  all["round"] = {{made(1, {3, 5})}, [](const In& x) { return round(floored(x[0]) * 0.5); }};
}

void reductions(Runs& all) {
  const Tensor v = made(1, {2, 3, 4});
  const std::map<std::string, Reducer> several{{"sum", sum}, {"mean", mean}, {"var", var}};
  for (const auto& [name, f] : several) {
    all[name] = {{v}, [f = f](const In& x) { return f(x[0], {}, false); }};
    all[name + " axes"] = {{v}, [f = f](const In& x) { return f(x[0], {0, 2}, false); }};
    all[name + " keep"] = {{v}, [f = f](const In& x) { return f(x[0], {1}, true); }};
  }
  all["max"] = {{v}, [](const In& x) { return max(x[0], 1); }};
  all["max keep"] = {{v}, [](const In& x) { return max(x[0], -1, true); }};
  all["min"] = {{v}, [](const In& x) { return min(x[0], 1); }};
  all["min keep"] = {{v}, [](const In& x) { return min(x[0], -1, true); }};
  all["argmax"] = {{v}, [](const In& x) { return argmax(x[0], 1); }};
  all["global_avg_pool"] = {{made(1, {2, 3, 2, 4})}, [](const In& x) { return global_avg_pool(x[0]); }};
  all["global_max_pool"] = {{made(1, {2, 3, 2, 4})}, [](const In& x) { return global_max_pool(x[0]); }};
  all["l2_loss"] = {{made(1, {2, 3}), made(2, {2, 3})}, [](const In& x) { return l2_loss(x[0], x[1]); }};
  all["l2_loss sum"] = {{made(1, {2, 3}), made(2, {2, 3})}, [](const In& x) { return l2_loss(x[0], x[1], Reduction::sum); }};
  all["sum_to"] = {{v}, [](const In& x) { return sum_to(x[0], {3, 1}); }};
}

void shapes(Runs& all) {
  const Tensor v = made(1, {2, 3, 4}), m = made(1, {2, 3});
  auto squared = [&](const std::string& name, const Tensor& x, const std::function<Tensor(const Tensor&)>& f) {
    all[name] = {{x}, [f](const In& t) { return square(f(t[0])); }};
  };
  all["concat"] = {{made(1, {2, 3, 2}), made(2, {2, 1, 2})}, [](const In& x) { return concat({x[0], x[1], x[0]}, 1); }};
  all["split"] = {{made(1, {3, 4})}, [](const In& x) {
                    const auto parts = split(x[0], {1, 2, 1}, -1);
                    return concat({parts[2], parts[1], parts[0]}, -1);
                  }};
  all["pad"] = {{made(1, {2, 3, 2})}, [](const In& x) { return pad(x[0], {1, 0, 2}, {0, 2, 1}, 0.5); }};
  all["flip"] = {{v}, [](const In& x) { return flip(x[0], {0, -1}); }};
  all["one_hot"] = {{m}, [](const In&) { return one_hot(Tensor::from(std::vector<std::int64_t>{2, 0, 3, 3}, {2, 2}), 4); }};
  squared("reshape", v, [](const Tensor& x) { return x.reshape({4, -1}); });
  squared("permute", v, [](const Tensor& x) { return x.permute({2, 0, 1}); });
  squared("transpose", v, [](const Tensor& x) { return x.transpose(0, -1); });
  squared("narrow", v, [](const Tensor& x) { return x.narrow(2, 1, 2); });
  squared("select", v, [](const Tensor& x) { return x.select(1, 2); });
  squared("slice", made(1, {2, 7, 2}), [](const Tensor& x) { return x.slice(1, 1, 6, 2); });
  squared("slice negative", v, [](const Tensor& x) { return x.slice(-1, -3, -1); });
  squared("slice beyond", made(1, {8, 2}), [](const Tensor& x) { return x.slice(0, -99, 99, 3); });
  squared("expand", made(1, {2, 1}), [](const Tensor& x) { return x.expand({4, 2, 3}); });
  squared("unsqueeze", v, [](const Tensor& x) { return x.unsqueeze(1); });
  squared("squeeze", made(1, {2, 1, 3}), [](const Tensor& x) { return x.squeeze(1); });
  squared("contiguous", m, [](const Tensor& x) { return x.transpose(0, 1).contiguous(); });
  squared("clone", m, [](const Tensor& x) { return x.clone(); });
  all["to"] = {{m}, [](const In& x) { return x[0].to(DType::f32).to(DType::f64) * x[0]; }};
  all["depth_to_space"] = {{made(1, {1, 2, 3, 8})}, [](const In& x) { return depth_to_space(x[0], {2, 2}); }};
  all["space_to_depth"] = {{made(1, {1, 4, 6, 2})}, [](const In& x) { return space_to_depth(x[0], {2, 2}); }};
}

void products(Runs& all) {
  auto product = [](const In& x) { return matmul(x[0], x[1]); };
  all["matmul"] = {{made(1, {3, 4}), made(2, {4, 2})}, product};
  all["matmul batch"] = {{made(1, {2, 1, 3, 4}), made(2, {2, 4, 2})}, product};
  all["matmul row"] = {{made(1, {4}), made(2, {4, 2})}, product};
  all["matmul column"] = {{made(1, {3, 4}), made(2, {4})}, product};
  const std::pair<const char*, FeedForwardActivation> activations[] = {{"relu", FeedForwardActivation::relu}, {"gelu", FeedForwardActivation::gelu}, {"gelu_tanh", FeedForwardActivation::gelu_tanh}};
  for (const auto& [name, activation] : activations)
    all[std::string("feed_forward ") + name] = {{made(1, {2, 3, 4}), made(2, {5, 4}) * 0.3, made(3, {5}) - 0.75, made(4, {2, 5}) * 0.3, made(5, {2})},
                                                [a = activation](const In& x) { return feed_forward(x[0], x[1], x[2], x[3], x[4], a); }};
  all["linear"] = {{made(1, {2, 3, 4}), made(2, {5, 4}), made(3, {5})}, [](const In& x) { return linear(x[0], x[1], x[2]); }};
  all["linear plain"] = {{made(1, {3, 4}), made(2, {5, 4})}, [](const In& x) { return linear(x[0], x[1]); }};
}

void convolutions(Runs& all) {
  using Sizes = std::vector<std::int64_t>;
  const std::vector<Shape> inputs{{2, 7, 4}, {1, 5, 6, 4}, {1, 4, 5, 4, 2}};
  const std::vector<Sizes> kernels{{3}, {3, 2}, {2, 3, 2}};
  const Sizes small{3, 2, 2};
  for (std::size_t axes : {1, 2, 3}) {
    const Tensor x = made(1, inputs[axes - 1]);
    const std::int64_t in = x.size(-1), out = axes == 3 ? 2 : 4;
    const Sizes one(axes, 1), two(axes, 2);
    auto weight = [&](std::int64_t rows, std::int64_t last) {
      Sizes shape{rows};
      shape.insert(shape.end(), kernels[axes - 1].begin(), kernels[axes - 1].end());
      shape.push_back(last);
      return made(2, Shape(shape));
    };
    Sizes shorter{1};
    shorter.insert(shorter.end(), small.begin(), small.begin() + std::ptrdiff_t(axes));
    shorter.push_back(in);
    const std::map<std::string, ConvOptions> kinds{{"plain", {}}, {"strided", {two, one, {}, 1}}, {"grouped", {{}, {}, {}, 2}}, {"dilated", {{}, one, two, 1}}};
    for (const auto& [kind, o] : kinds) {
      const std::string name = " " + std::to_string(axes) + "d " + kind;
      all["conv" + name] = {{x, weight(out, in / o.groups), made(3, {out})}, [o = o](const In& v) { return conv(v[0], v[1], v[2], o); }};
      const Sizes extra = kind == "strided" ? one : Sizes{};
      all["conv_transpose" + name] = {{made(1, Shape(shorter)), weight(in, out / o.groups), made(3, {out})},
                                      [o = o, extra](const In& v) { return conv_transpose(v[0], v[1], v[2], o, extra); }};
    }
  }
  all["conv 2d without bias"] = {{made(1, inputs[1]), made(2, {3, 2, 2, 4})}, [](const In& v) { return conv(v[0], v[1], {}); }};
}

void sequences(Runs& all) {
  const Tensor x = made(1, {3, 2}), h = made(2, {3, 2});
  all["lstm_cell"] = {{x, h, made(3, {3, 2}), made(4, {8, 2}), made(5, {8, 2}), made(6, {8}), made(7, {8})},
                      [](const In& v) { return concat(lstm_cell(v[0], v[1], v[2], v[3], v[4], v[5], v[6]), 1); }};
  all["gru_cell"] = {{x, h, made(4, {6, 2}), made(5, {6, 2}), made(6, {6}), made(7, {6})},
                     [](const In& v) { return gru_cell(v[0], v[1], v[2], v[3], v[4], v[5]); }};
  all["self_attention"] = {{made(1, {2, 3, 3, 2, 2})}, [](const In& v) { return self_attention(v[0]); }};
  all["self_attention causal"] = {{made(1, {2, 3, 3, 2, 2})}, [](const In& v) { return self_attention(v[0], {.causal = true}); }};
}

void complex_numbers(Runs& all) {
  const Tensor re = made(1, {2, 3}), im = made(2, {2, 3});
  auto parts = [&](const std::string& name, const std::function<Tensor(const Tensor&)>& f) {
    all[name] = {{re, im}, [f](const In& x) {
                   Tensor y = f(complex(x[0], x[1]));
                   return is_complex(y.dtype()) ? view_as_real(y) : y;
                 }};
  };
  parts("complex", [](const Tensor& z) { return z * z; });
  parts("view_as_real", [](const Tensor& z) { return square(view_as_real(z)); });
  parts("real", [](const Tensor& z) { return real(z * z); });
  parts("imag", [](const Tensor& z) { return imag(z * z); });
  parts("conj", [](const Tensor& z) { return conj(z) * z * z; });
  parts("angle", [](const Tensor& z) { return angle(z); });
  parts("fft", [](const Tensor& z) { return fft(z, {0, 1}); });
  parts("ifft", [](const Tensor& z) { return ifft(z, {0, 1}); });
  parts("irfft", [](const Tensor& z) { return irfft(z, 4); });
  parts("irfft odd", [](const Tensor& z) { return irfft(z, 5); });
  all["view_as_complex"] = {{made(1, {3, 2})}, [](const In& x) { return view_as_real(square(view_as_complex(x[0]))); }};
  all["polar"] = {{positive(1, {2, 3}), im}, [](const In& x) { return view_as_real(polar(x[0], x[1])); }};
  all["rfft"] = {{made(1, {2, 6})}, [](const In& x) { return view_as_real(rfft(x[0])); }};
  all["rfft odd"] = {{made(1, {2, 5})}, [](const In& x) { return view_as_real(rfft(x[0])); }};
  all["fft_shift"] = {{made(1, {3, 4})}, [](const In& x) { return square(fft_shift(x[0])); }};
  all["ifft_shift"] = {{made(1, {3, 4})}, [](const In& x) { return square(ifft_shift(x[0], {0})); }};
  all["fft_frequencies"] = {{re}, [](const In&) { return fft_frequencies(5, 0.5); }};
  all["rfft_frequencies"] = {{re}, [](const In&) { return rfft_frequencies(6, 0.5); }};
  all["mode_product"] = {{made(1, {2, 3, 2}), made(2, {2, 3, 2}), made(3, {3, 2, 2}), made(4, {3, 2, 2})},
                         [](const In& x) { return view_as_real(mode_product(complex(x[0], x[1]), complex(x[2], x[3]))); }};
}

void linear_algebra(Runs& all) {
  const Tensor a = made(1, {3, 3}), b = made(2, {3, 2});
  auto lower = [](const Tensor& x) {
    return tril(x, -1) + Tensor::from(std::vector<double>{3, 0, 0, 0, 3, 0, 0, 0, 3}, {3, 3});
  };
  all["triangular_solve"] = {{a, b}, [=](const In& x) { return linalg::triangular_solve(lower(x[0]), x[1]); }};
  all["triangular_solve transposed"] = {{a, b}, [=](const In& x) {
                                          return linalg::triangular_solve(lower(x[0]), x[1], {.upper = false, .transposed = true});
                                        }};
  all["weigh_triangles"] = {{made(1, {2, 3, 4})}, [](const In& x) { return linalg::weigh_triangles(x[0], 2, -1, 0.5); }};
  all["cholesky_solve"] = {{a, b}, [=](const In& x) { return linalg::cholesky_solve(lower(x[0]), x[1]); }};
}

}  // namespace

TEST_CASE("ops and their gradients against PyTorch", "[golden]") {
  Runs all;
  for (auto fill : {elementwise, reductions, shapes, products, convolutions, sequences, complex_numbers, linear_algebra}) fill(all);
  golden::check_all(kCases, all);
}
