/// Convolutions against loops over the definition, in double: values, gradients, second derivatives, wrong use, and
/// the same bits for every thread count.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/ops/gradient_check.hpp"
#include "tenon/autograd.hpp"
#include "tenon/device.hpp"
#include "tenon/error.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"

using namespace tenon;

namespace {

struct Case {
  const char* what;
  Shape x, weight;  ///< of conv; conv_transpose takes x [N, out..., O] of the same geometry
  ConvOptions options;
  std::vector<std::int64_t> output_padding{};
};

/// Odd sizes on purpose. The weight of a transposed convolution reads [I, kernel..., O/groups].
const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"1D", {2, 13, 4}, {5, 3, 4}, {{}, {1}, {}, 1}},
      {"1D, long kernel, padding", {3, 40, 4}, {6, 19, 4}, {{}, {9}, {}, 1}},
      {"1D, stride 3, dilation 2", {1, 31, 3}, {7, 4, 3}, {{3}, {2}, {2}, 1}},
      {"2D", {2, 9, 11, 3}, {16, 3, 3, 3}, {{}, {1, 1}, {}, 1}},
      {"2D, asymmetric everything", {2, 12, 7, 6}, {8, 5, 2, 6}, {{2, 1}, {2, 0}, {1, 2}, 1}},
      {"2D, groups", {2, 8, 9, 12}, {6, 3, 3, 4}, {{}, {1, 1}, {}, 3}},
      {"2D, depthwise", {2, 10, 10, 16}, {16, 3, 3, 1}, {{}, {1, 1}, {}, 16}},
      {"2D, 1x1", {2, 6, 5, 32}, {3, 1, 1, 32}, {}},
      {"2D, stride over kernel", {1, 9, 9, 4}, {4, 1, 1, 4}, {{2, 3}, {}, {}, 1}},
      {"3D", {2, 6, 7, 5, 16}, {32, 3, 3, 3, 16}, {{}, {1, 1, 1}, {}, 1}},
      {"3D, one channel in", {2, 8, 9, 10, 1}, {32, 3, 3, 3, 1}, {{}, {1, 1, 1}, {}, 1}},
      {"3D, stride 2", {2, 10, 8, 6, 16}, {32, 3, 3, 3, 16}, {{2, 2, 2}, {1, 1, 1}, {}, 1}},
      {"3D, stride 2, odd sizes", {1, 9, 7, 11, 8}, {16, 3, 3, 3, 8}, {{2, 2, 2}, {1, 1, 1}, {}, 1}},
      {"3D, kernel 2 stride 2", {2, 8, 6, 4, 16}, {32, 2, 2, 2, 16}, {{2, 2, 2}, {}, {}, 1}},
      {"3D, dilation 2", {1, 9, 9, 9, 4}, {8, 3, 3, 3, 4}, {{}, {2, 2, 2}, {2, 2, 2}, 1}},
      {"3D, no padding, mixed kernel", {2, 7, 8, 9, 5}, {3, 1, 2, 3, 5}, {}},
      {"3D, padding past the kernel", {1, 3, 4, 3, 4}, {4, 2, 2, 2, 4}, {{}, {2, 2, 2}, {}, 1}},
      {"3D, enough work for slabs", {2, 18, 14, 12, 24}, {40, 3, 3, 3, 24}, {{}, {1, 1, 1}, {}, 1}},
      {"3D, slabs with stride", {2, 22, 16, 12, 24}, {40, 3, 3, 3, 24}, {{2, 2, 2}, {1, 1, 1}, {}, 1}},
      {"3D, ragged channels over several tiles", {2, 9, 10, 11, 40}, {70, 3, 3, 3, 40}, {{}, {1, 1, 1}, {}, 1}},
      {"3D, strides and dilation mixed", {1, 12, 13, 14, 33}, {17, 2, 3, 3, 33}, {{1, 2, 3}, {1, 2, 0}, {3, 1, 2}, 1}},
      {"3D, Winograd, odd sizes", {2, 9, 11, 13, 16}, {48, 3, 3, 3, 16}, {{}, {1, 1, 1}, {}, 1}},
      {"3D, Winograd, paddings 0, 1 and 2", {1, 12, 13, 14, 48}, {16, 3, 3, 3, 48}, {{}, {0, 1, 2}, {}, 1}},
      {"3D, Winograd, several tasks a side", {2, 10, 10, 12, 96}, {80, 3, 3, 3, 96}, {{}, {1, 1, 1}, {}, 1}},
      {"3D, Winograd in planes", {2, 3, 17, 15, 16}, {32, 1, 3, 3, 16}, {{}, {0, 1, 2}, {}, 1}},
      {"2D, Winograd", {3, 21, 26, 32}, {16, 3, 3, 32}, {{}, {1, 0}, {}, 1}},
      {"1D, long reach", {2, 200, 20}, {24, 5, 20}, {{}, {40}, {20}, 1}},
      {"1D, fast filtering, ragged taps, channels and length", {5, 43, 41}, {35, 11, 41}, {{}, {5}, {}, 1}},
      {"1D, fast filtering, even kernel, paddings unlike", {3, 70, 32}, {50, 8, 32}, {{}, {7}, {}, 1}},
      {"1D, fast filtering, no padding", {9, 37, 40}, {33, 6, 40}, {}},
      {"1D, fast filtering, one level", {4, 24, 48}, {40, 6, 48}, {{}, {2}, {}, 1}},
      {"many short samples", {70, 30, 4}, {32, 5, 4}, {{}, {2}, {}, 1}},
  };
  return all;
}

struct Sizes {
  int spatial;
  std::int64_t batch, in_channels, out_channels, groups;
  std::array<std::int64_t, 3> in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, pad{0, 0, 0}, dilation{1, 1, 1};

  explicit Sizes(const Case& c)
      : spatial(c.x.rank() - 2), batch(c.x[0]), in_channels(c.x[-1]), out_channels(c.weight[0]), groups(c.options.groups) {
    for (int a = 0; a < spatial; ++a) {
      auto k = std::size_t(a);
      in[k] = c.x[a + 1];
      kernel[k] = c.weight[a + 1];
      if (!c.options.stride.empty()) stride[k] = c.options.stride[k];
      if (!c.options.padding.empty()) pad[k] = c.options.padding[k];
      if (!c.options.dilation.empty()) dilation[k] = c.options.dilation[k];
      out[k] = (in[k] + 2 * pad[k] - dilation[k] * (kernel[k] - 1) - 1) / stride[k] + 1;
    }
  }
  Shape output() const {
    Shape s{batch};
    for (int a = 0; a < spatial; ++a) s.push_back(out[std::size_t(a)]);
    s.push_back(out_channels);
    return s;
  }

  /// Calls term(x index, weight index, y index) for each product in the definition.
  template <class F>
  void each_product(F term) const {
    std::int64_t ins = in_channels / groups, outs = out_channels / groups;
    for (std::int64_t n = 0; n < batch; ++n)
      for (std::int64_t a = 0; a < out[0]; ++a)
        for (std::int64_t b = 0; b < out[1]; ++b)
          for (std::int64_t c = 0; c < out[2]; ++c)
            for (std::int64_t i = 0; i < kernel[0]; ++i)
              for (std::int64_t j = 0; j < kernel[1]; ++j)
                for (std::int64_t k = 0; k < kernel[2]; ++k) {
                  std::int64_t p = a * stride[0] - pad[0] + i * dilation[0], q = b * stride[1] - pad[1] + j * dilation[1];
                  std::int64_t r = c * stride[2] - pad[2] + k * dilation[2];
                  if (p < 0 || q < 0 || r < 0 || p >= in[0] || q >= in[1] || r >= in[2]) continue;
                  std::int64_t x0 = (((n * in[0] + p) * in[1] + q) * in[2] + r) * in_channels;
                  std::int64_t y0 = (((n * out[0] + a) * out[1] + b) * out[2] + c) * out_channels;
                  std::int64_t tap = (i * kernel[1] + j) * kernel[2] + k, taps = kernel[0] * kernel[1] * kernel[2];
                  for (std::int64_t o = 0; o < out_channels; ++o)
                    for (std::int64_t ic = 0; ic < ins; ++ic) term(x0 + o / outs * ins + ic, (o * taps + tap) * ins + ic, y0 + o);
                }
  }
};

/// Reproducible values in [-1, 1) that bf16 holds exactly.
Tensor values(const Shape& shape, unsigned seed, DType dtype = DType::f32) {
  std::vector<float> v(std::size_t(shape.numel()));
  std::uint32_t state = 12345u + 7919u * seed;
  for (float& f : v) {
    state = state * 1664525u + 1013904223u;
    f = float(int(state >> 24) - 128) / 128.0f;
  }
  return Tensor::from(v, shape).to(dtype);
}

/// Largest difference over the largest magnitude of the reference.
double relative_error(const std::vector<double>& got, const std::vector<double>& want) {
  REQUIRE(got.size() == want.size());
  double error = 0, scale = 1e-30;
  for (std::size_t i = 0; i < got.size(); ++i) {
    error = std::max(error, std::fabs(got[i] - want[i]));
    scale = std::max(scale, std::fabs(want[i]));
  }
  return error / scale;
}

struct Results {
  Tensor y, d_x, d_weight, d_bias;
};

Results run_conv(const Case& c, DType dtype) {
  Sizes s(c);
  Tensor x = values(c.x, 1, dtype).set_requires_grad(),
         w = values(c.weight, 2, dtype == DType::f64 ? dtype : DType::f32).set_requires_grad();
  Tensor b = values({s.out_channels}, 3, w.dtype()).set_requires_grad();
  Results r;
  r.y = conv(x, w, b, c.options);
  std::vector<Tensor> g = gradients({r.y}, {x, w, b}, {values(r.y.shape(), 4, dtype)});
  r.d_x = g[0], r.d_weight = g[1], r.d_bias = g[2];
  return r;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.nbytes() == b.nbytes() && std::memcmp(a.raw(), b.raw(), a.nbytes()) == 0;
}

struct Threads {
  int before = thread_count();
  explicit Threads(int n) { set_thread_count(n); }
  ~Threads() { set_thread_count(before); }
};

}  // namespace

TEST_CASE("conv and its gradients equal the definition", "[conv][slow]") {
  // f32: sums of up to 50,000 products, each within 2^-24. bf16: one rounding of the result to 8 bits, f32 inside.
  struct Precision {
    DType dtype;
    double tolerance, weight_tolerance;
  };
  const Precision precisions[] = {{DType::f64, 1e-13, 1e-13}, {DType::f32, 3e-6, 3e-6}, {DType::bf16, 4e-3, 1e-5}};
  for (const Case& c : cases()) {
    Sizes s(c);
    std::vector<double> x = values(c.x, 1).to_vector(), w = values(c.weight, 2).to_vector(), b = values({s.out_channels}, 3).to_vector();
    std::vector<double> d_y = values(s.output(), 4).to_vector(), y(d_y.size()), d_x(x.size()), d_w(w.size()), d_b(b.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
      y[i] = b[i % b.size()];
      d_b[i % b.size()] += d_y[i];
    }
    s.each_product([&](std::int64_t xi, std::int64_t wi, std::int64_t yi) {
      y[std::size_t(yi)] += x[std::size_t(xi)] * w[std::size_t(wi)];
      d_x[std::size_t(xi)] += d_y[std::size_t(yi)] * w[std::size_t(wi)];
      d_w[std::size_t(wi)] += d_y[std::size_t(yi)] * x[std::size_t(xi)];
    });
    for (const Precision& p : precisions) {
      INFO(c.what << ", " << name_of(p.dtype));
      Results got = run_conv(c, p.dtype);
      REQUIRE(got.y.shape() == s.output());
      REQUIRE(got.y.dtype() == p.dtype);
      REQUIRE(got.d_x.dtype() == p.dtype);
      REQUIRE(got.d_weight.dtype() == (p.dtype == DType::f64 ? DType::f64 : DType::f32));
      CHECK(relative_error(got.y.to_vector(), y) < p.tolerance);
      CHECK(relative_error(got.d_x.to_vector(), d_x) < p.tolerance);
      CHECK(relative_error(got.d_weight.to_vector(), d_w) < p.weight_tolerance);
      CHECK(relative_error(got.d_bias.to_vector(), d_b) < p.weight_tolerance);
    }
  }
}

TEST_CASE("conv_transpose is the gradient of conv with respect to its input", "[conv][slow]") {
  for (const Case& c : cases()) {
    Sizes s(c);
    std::vector<std::int64_t> extra;  // what conv's rounding down lost
    for (int a = 0; a < s.spatial; ++a) {
      auto k = std::size_t(a);
      extra.push_back(s.in[k] - ((s.out[k] - 1) * s.stride[k] - 2 * s.pad[k] + s.dilation[k] * (s.kernel[k] - 1) + 1));
    }
    std::vector<double> in = values(s.output(), 4).to_vector(), wv = values(c.weight, 2).to_vector(),
                        bias = values({s.in_channels}, 3).to_vector();
    std::vector<double> d_y = values(c.x, 1).to_vector(), want(d_y.size()), d_in(in.size()), d_w(wv.size()), d_b(bias.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      want[i] = bias[i % bias.size()];
      d_b[i % bias.size()] += d_y[i];
    }
    s.each_product([&](std::int64_t xi, std::int64_t wi, std::int64_t yi) {
      want[std::size_t(xi)] += in[std::size_t(yi)] * wv[std::size_t(wi)];
      d_in[std::size_t(yi)] += d_y[std::size_t(xi)] * wv[std::size_t(wi)];
      d_w[std::size_t(wi)] += d_y[std::size_t(xi)] * in[std::size_t(yi)];
    });
    for (DType dtype : {DType::f64, DType::f32, DType::bf16}) {
      INFO(c.what << ", " << name_of(dtype));
      Tensor input = values(s.output(), 4, dtype).set_requires_grad(),
             w = values(c.weight, 2, dtype == DType::f64 ? dtype : DType::f32).set_requires_grad();
      Tensor b = values({s.in_channels}, 3, w.dtype()).set_requires_grad();
      Tensor y = conv_transpose(input, w, b, c.options, extra);
      REQUIRE(y.shape() == c.x);
      std::vector<Tensor> g = gradients({y}, {input, w, b}, {values(c.x, 1, dtype)});
      double tolerance = dtype == DType::f64 ? 1e-13 : dtype == DType::f32 ? 3e-6 : 8e-3;  // bf16: the bias is added after a first rounding
      CHECK(relative_error(y.to_vector(), want) < tolerance);
      CHECK(relative_error(g[0].to_vector(), d_in) < tolerance);
      CHECK(relative_error(g[1].to_vector(), d_w) < std::min(tolerance, 1e-5));
      CHECK(relative_error(g[2].to_vector(), d_b) < std::min(tolerance, 1e-5));
    }
  }
}

TEST_CASE("conv: gradients by central differences, and their gradients", "[conv]") {
  const Case c{"2D", {2, 5, 6, 4}, {6, 3, 2, 2}, {{2, 1}, {1, 0}, {1, 2}, 2}};
  Tensor x = values(c.x, 1, DType::f64).set_requires_grad(), w = values(c.weight, 2, DType::f64).set_requires_grad();
  Tensor b = values({6}, 3, DType::f64).set_requires_grad();
  for (bool transposed : {false, true}) {
    INFO((transposed ? "conv_transpose" : "conv"));
    Tensor input = transposed ? values(conv(x, w, b, c.options).shape(), 5, DType::f64).set_requires_grad() : x;
    Tensor bias = transposed ? values({4}, 3, DType::f64).set_requires_grad() : b;
    // A loss with curvature, so that first derivatives depend on every operand.
    auto loss = [&] {
      Tensor y = transposed ? conv_transpose(input, w, bias, c.options) : conv(input, w, bias, c.options);
      return sum(y * y * y);
    };
    auto first = [&](bool graph) { return gradients({loss()}, {input, w, bias}, {}, graph); };
    auto second = [&] {  // of a scalar made of first derivatives, again curved
      std::vector<Tensor> d = first(true);
      return sum(d[0] * d[0]) + sum(d[1] * d[1]) + sum(d[2] * d[2]);
    };
    std::vector<Tensor> d1 = first(false), d2 = gradients({second()}, {input, w, bias});
    std::vector<Tensor> operands{input, w, bias};
    const double h = 1e-5;
    for (std::size_t k = 0; k < operands.size(); ++k) {
      double* p = operands[k].data<double>();
      for (std::int64_t i = 0; i < operands[k].numel(); i += 7) {
        double before = p[i];
        p[i] = before + h;
        double up1 = loss().item(), up2 = second().item();
        p[i] = before - h;
        double down1 = loss().item(), down2 = second().item();
        p[i] = before;
        double n1 = (up1 - down1) / (2 * h), n2 = (up2 - down2) / (2 * h);
        CHECK(d1[k].to_vector()[std::size_t(i)] == Approx(n1).epsilon(1e-6).margin(1e-5));
        CHECK(d2[k].to_vector()[std::size_t(i)] == Approx(n2).epsilon(1e-6).margin(1e-2));
      }
    }
  }
}

TEST_CASE("conv gives the same bits for any number of threads", "[conv]") {
  for (DType dtype : {DType::f32, DType::bf16})
    for (const Case& c : {Case{"3D", {2, 20, 14, 12, 32}, {32, 3, 3, 3, 32}, {{}, {1, 1, 1}, {}, 1}},
                          Case{"3D, stride 2", {2, 20, 14, 12, 32}, {64, 3, 3, 3, 32}, {{2, 2, 2}, {1, 1, 1}, {}, 1}},
                          Case{"1D", {64, 150, 4}, {48, 19, 4}, {{}, {9}, {}, 1}},
                          Case{"1D, fast filtering", {30, 61, 40}, {36, 11, 40}, {{}, {5}, {}, 1}}}) {
      INFO(c.what << ", " << name_of(dtype));
      Results one, other;
      {
        Threads n(1);
        one = run_conv(c, dtype);
      }
      for (int threads : {2, 3, 4}) {
        Threads n(threads);
        other = run_conv(c, dtype);
        CHECK(same_bits(one.y, other.y));
        CHECK(same_bits(one.d_x, other.d_x));
        CHECK(same_bits(one.d_weight, other.d_weight));
        CHECK(same_bits(one.d_bias, other.d_bias));
      }
    }
}

TEST_CASE("conv replays from a plan with the bits of an eager step", "[conv]") {
  for (DType dtype : {DType::f32, DType::bf16}) {
    Tensor x = values({2, 8, 10, 6, 16}, 1, dtype), w = values({32, 3, 3, 3, 16}, 2).set_requires_grad(),
           b = values({32}, 3).set_requires_grad();
    Tensor up = values({32, 2, 2, 2, 8}, 4).set_requires_grad(), y, d_w, d_up;
    auto step = [&] {
      y = conv_transpose(conv(x, w, b, {{2, 2, 2}, {1, 1, 1}, {}, 1}), up, {}, {{2, 2, 2}, {}, {}, 1});
      std::vector<Tensor> g = gradients({sum(y * y)}, {w, up});
      d_w = g[0], d_up = g[1];
    };
    step();
    Tensor y1 = y, d_w1 = d_w, d_up1 = d_up;
    StepPlan plan = StepPlan::record(step);
    for (int i = 0; i < 2; ++i) {
      plan.run();
      CHECK(same_bits(y, y1));
      CHECK(same_bits(d_w, d_w1));
      CHECK(same_bits(d_up, d_up1));
    }
  }
}

TEST_CASE("conv reads views, bf16 weights, and works without a bias", "[conv]") {
  Tensor x = values({2, 8, 6, 10}, 1), w = values({8, 3, 3, 5}, 2);
  Tensor part = x.narrow(3, 5, 5);
  CHECK(same_bits(conv(part, w, {}), conv(part.clone(), w, {})));
  Tensor y16 = conv(part.to(DType::bf16), w.to(DType::bf16), {});  // these weights are exact in bf16
  CHECK(same_bits(y16, conv(part.to(DType::bf16), w, {})));
  Tensor w16 = w.to(DType::bf16).set_requires_grad();
  CHECK(gradients({sum(conv(part.to(DType::bf16), w16, {}))}, {w16})[0].dtype() == DType::bf16);
}

TEST_CASE("conv of an empty batch", "[conv]") {
  Tensor x = Tensor::zeros({0, 8, 4}), w = values({6, 3, 4}, 2).set_requires_grad();
  Tensor y = conv(x, w, {});
  CHECK(y.shape() == Shape{0, 6, 6});
  std::vector<double> d = gradients({sum(y)}, {w})[0].to_vector();
  CHECK(std::all_of(d.begin(), d.end(), [](double v) { return v == 0; }));
}

TEST_CASE("conv names what is wrong with its operands", "[conv]") {
  using Catch::Matchers::Contains;
  using Catch::Matchers::StartsWith;
  Tensor x = Tensor::zeros({2, 8, 8, 4}), w = Tensor::zeros({6, 3, 3, 4});
  auto says = [](auto call, const char* op, const char* text) {
    try {
      call();
      FAIL("no error: " << text);
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::usage);
      CHECK_THAT(std::string(e.what()), StartsWith(op) && Contains(text));
    }
  };
  says(
      [&] {
        conv(x, Tensor::zeros({6, 3, 3, 5}), {});
      },
      "conv", "input [2, 8, 8, 4], weight [6, 3, 3, 5]: the weight reads 5 channels, the input has 4");
  says([&] { conv(x, Tensor::zeros({6, 3, 4}), {}); }, "conv", "as many axes");
  says([&] { conv(Tensor::zeros({2, 4}), w, {}); }, "conv", "1 to 3 spatial axes");
  says([&] { conv(x, w, Tensor::zeros({5})); }, "conv", "bias [5] for 6 output channels");
  says([&] { conv(x, w, {}, {{1, 1, 1}, {}, {}, 1}); }, "conv", "stride has 3 values for 2 spatial axes");
  says([&] { conv(x, w, {}, {{0, 1}, {}, {}, 1}); }, "conv", "stride 0");
  says([&] { conv(x, w, {}, {{}, {-1, 0}, {}, 1}); }, "conv", "padding -1");
  says([&] { conv(x, w, {}, {{}, {}, {}, 3}); }, "conv", "not divisible into 3 groups");
  says([&] { conv(Tensor::zeros({2, 2, 8, 4}), w, {}); }, "conv", "spatial axis 0 has 2 + 2 x 0 rows, the kernel spans 3");
  says([&] { conv(x, w, {}, {{}, {}, {4, 1}, 1}); }, "conv", "the kernel spans 9");
  says([&] { conv(Tensor::zeros({2, 8, 8, 4}, DType::i32), w, {}); }, "conv", "not f32, bf16, f16 or f64");
  says([&] { conv(x, w.to(DType::f64), {}); }, "conv", "does not go with");
  says([&] { conv(x, Tensor{}, {}); }, "conv", "undefined");
  says([&] { conv_transpose(x, w, {}); }, "conv_transpose", "the weight reads 6 channels, the input has 4");
  says(
      [&] {
        conv_transpose(x, Tensor::zeros({4, 2, 2, 3}), {}, {{2, 2}, {}, {}, 1}, {2, 0});
      },
      "conv_transpose", "output_padding 2 is not less than stride 2");
}

TEST_CASE("convolutions refuse options that their sizes cannot hold", "[conv][misuse]") {
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max(), half = std::int64_t(1) << 62;
  const Tensor x = Tensor::zeros({1, 10, 2}), w = Tensor::zeros({2, 3, 2});
  for (std::int64_t n : {huge, half, std::int64_t(1) << 31}) {
    check::refuses([&] { conv(x, w, {}, {{}, {n}, {}, 1}); }, "conv", {"padding " + std::to_string(n) + " does not fit 31 bits"});
    check::refuses([&] { conv(x, w, {}, {{n}, {}, {}, 1}); }, "conv", {"stride"});
    check::refuses([&] { conv(x, w, {}, {{}, {}, {n}, 1}); }, "conv", {"dilation"});
    check::refuses([&] { conv_transpose(x, w, {}, {{n}, {}, {}, 1}); }, "conv_transpose", {"stride"});
    check::refuses([&] { conv_transpose(x, w, {}, {{}, {n}, {}, 1}); }, "conv_transpose", {"padding"});
    check::refuses([&] { conv_transpose(x, w, {}, {{}, {}, {n}, 1}); }, "conv_transpose", {"dilation"});
  }
  const std::int64_t most = (std::int64_t(1) << 31) - 1;
  const Tensor volume = Tensor::zeros({1, 2, 2, 2, 2}), kernel = Tensor::zeros({2, 1, 1, 1, 2});
  check::refuses([&] { conv(volume, kernel, {}, {{}, {most, most, most}, {}, 1}); }, "conv", {"does not fit an address space"});
}
