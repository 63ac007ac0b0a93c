/// Matrix products against loops over the definition, in double; gradients, broadcasting, views, wrong use, and the
/// same bits for every thread count.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "core/ops/gradient_check.hpp"
#include "tenon/autograd.hpp"
#include "tenon/device.hpp"
#include "tenon/error.hpp"
#include "tenon/ops.hpp"

using namespace tenon;

namespace {

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

/// Plain product of dense matrices.
std::vector<double> product(const std::vector<double>& a, const std::vector<double>& b, std::int64_t m, std::int64_t k, std::int64_t n) {
  std::vector<double> c(std::size_t(m * n));
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t p = 0; p < k; ++p)
      for (std::int64_t j = 0; j < n; ++j) c[std::size_t(i * n + j)] += a[std::size_t(i * k + p)] * b[std::size_t(p * n + j)];
  return c;
}

double relative_error(const std::vector<double>& got, const std::vector<double>& want) {
  REQUIRE(got.size() == want.size());
  double error = 0, scale = 1e-30;
  for (std::size_t i = 0; i < got.size(); ++i) {
    error = std::max(error, std::fabs(got[i] - want[i]));
    scale = std::max(scale, std::fabs(want[i]));
  }
  return error / scale;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.nbytes() == b.nbytes() && std::memcmp(a.raw(), b.raw(), a.nbytes()) == 0;
}

struct Threads {
  int before = thread_count();
  explicit Threads(int n) { set_thread_count(n); }
  ~Threads() { set_thread_count(before); }
};

struct Size {
  std::int64_t m, k, n;
};
const std::vector<Size> kSizes{{1, 1, 1},      {3, 5, 7},      {1, 64, 9},    {17, 1, 33},   {32, 32, 64},
                               {100, 70, 130}, {257, 96, 140}, {8, 9000, 12}, {40, 5000, 65}};

double tolerance(DType t) {
  return t == DType::f64 ? 1e-13 : t == DType::f32 ? 5e-6 : 4e-3;
}

}  // namespace

TEST_CASE("matmul equals the definition, of dense and transposed operands", "[matmul]") {
  for (DType dtype : {DType::f64, DType::f32, DType::bf16})
    for (const Size& s : kSizes) {
      INFO(s.m << " x " << s.k << " x " << s.n << ", " << name_of(dtype));
      Tensor a = values({s.m, s.k}, 1, dtype), b = values({s.k, s.n}, 2, dtype);
      std::vector<double> want = product(a.to_vector(), b.to_vector(), s.m, s.k, s.n);
      Tensor at = a.transpose(0, 1).clone().transpose(0, 1), bt = b.transpose(0, 1).clone().transpose(0, 1);
      CHECK(matmul(a, b).dtype() == dtype);
      CHECK(relative_error(matmul(a, b).to_vector(), want) < tolerance(dtype));
      CHECK(relative_error(matmul(at, b).to_vector(), want) < tolerance(dtype));
      CHECK(relative_error(matmul(a, bt).to_vector(), want) < tolerance(dtype));
      CHECK(relative_error(matmul(at, bt).to_vector(), want) < tolerance(dtype));
    }
}

TEST_CASE("matmul broadcasts leading axes", "[matmul]") {
  struct Pair {
    Shape a, b, c;
  };
  for (DType dtype : {DType::f64, DType::f32, DType::bf16})
    for (const Pair& p :
         {Pair{{3, 4, 5}, {5, 6}, {3, 4, 6}}, Pair{{4, 5}, {3, 5, 6}, {3, 4, 6}}, Pair{{2, 1, 4, 5}, {3, 5, 6}, {2, 3, 4, 6}},
          Pair{{2, 3, 4, 5}, {2, 3, 5, 6}, {2, 3, 4, 6}}, Pair{{1, 4, 5}, {7, 5, 1}, {7, 4, 1}}}) {
      INFO(p.a.str() << " x " << p.b.str() << ", " << name_of(dtype));
      Tensor a = values(p.a, 1, dtype).set_requires_grad(), b = values(p.b, 2, dtype).set_requires_grad();
      Tensor c = matmul(a, b);
      REQUIRE(c.shape() == p.c);
      // The same by hand: operands spread out, one matrix at a time.
      Shape lead_a = p.c, lead_b = p.c;
      lead_a[-1] = p.a[-1], lead_b[-2] = p.b[-2];
      Tensor wide_a = a.detach().expand(lead_a).contiguous(), wide_b = b.detach().expand(lead_b).contiguous();
      std::int64_t m = p.c[-2], n = p.c[-1], k = p.a[-1], count = p.c.numel() / (m * n);
      Tensor flat_a = wide_a.reshape({count, m, k}), flat_b = wide_b.reshape({count, k, n});
      std::vector<double> want;
      for (std::int64_t i = 0; i < count; ++i)
        for (double v : product(flat_a.select(0, i).to_vector(), flat_b.select(0, i).to_vector(), m, k, n)) want.push_back(v);
      CHECK(relative_error(c.to_vector(), want) < tolerance(dtype));
      std::vector<Tensor> g = gradients({sum(c)}, {a, b});
      CHECK(g[0].shape() == p.a);
      CHECK(g[1].shape() == p.b);
    }
}

TEST_CASE("linear equals x W^T + b, with gradients", "[matmul]") {
  for (DType dtype : {DType::f64, DType::f32, DType::bf16})
    for (const Size& s : kSizes) {
      INFO(s.m << " x " << s.k << " x " << s.n << ", " << name_of(dtype));
      DType wide = dtype == DType::f64 ? dtype : DType::f32;
      Tensor x = values({s.m, s.k}, 1, dtype).set_requires_grad(), w = values({s.n, s.k}, 2, wide).set_requires_grad();
      Tensor b = values({s.n}, 3, wide).set_requires_grad(), d = values({s.m, s.n}, 4, dtype);
      Tensor y = linear(x, w, b);
      std::vector<Tensor> g = gradients({y}, {x, w, b}, {d});
      Tensor wt = w.detach().transpose(0, 1).contiguous(), dt = d.transpose(0, 1).contiguous();
      std::vector<double> want = product(x.to_vector(), wt.to_vector(), s.m, s.k, s.n), bias = b.to_vector(), d_bias(bias.size());
      std::vector<double> d_y = d.to_vector();
      for (std::size_t i = 0; i < want.size(); ++i) {
        want[i] += bias[i % bias.size()];
        d_bias[i % bias.size()] += d_y[i];
      }
      CHECK(relative_error(y.to_vector(), want) < tolerance(dtype));
      CHECK(relative_error(g[2].to_vector(), d_bias) < 1e-6);
      CHECK(g[1].dtype() == wide);
      CHECK(relative_error(g[0].to_vector(), product(d_y, w.to_vector(), s.m, s.n, s.k)) < tolerance(dtype));
      CHECK(relative_error(g[1].to_vector(), product(dt.to_vector(), x.to_vector(), s.n, s.m, s.k)) < (dtype == DType::f64 ? 1e-13 : 5e-6));
      Tensor batched = linear(x.detach().reshape({1, s.m, s.k}), w, b);
      CHECK(batched.shape() == Shape{1, s.m, s.n});
      CHECK(same_bits(batched.detach().contiguous(), y.detach().contiguous()));
    }
}

TEST_CASE("matmul and linear: first and second derivatives by central differences", "[matmul]") {
  Tensor a = values({2, 3, 4}, 1, DType::f64).set_requires_grad(), b = values({4, 5}, 2, DType::f64).set_requires_grad();
  Tensor w = values({3, 5}, 3, DType::f64).set_requires_grad(), bias = values({3}, 4, DType::f64).set_requires_grad();
  std::vector<Tensor> operands{a, b, w, bias};
  auto loss = [&] {
    Tensor y = linear(matmul(a, b), w, bias);
    Tensor z = matmul(y, y.transpose(-1, -2));
    return sum(z * y.narrow(2, 0, 3));
  };
  auto second = [&] {
    std::vector<Tensor> d = gradients({loss()}, operands, {}, true);
    return sum(d[0] * d[0]) + sum(d[1] * d[1]) + sum(d[2] * d[2]) + sum(d[3] * d[3]);
  };
  std::vector<Tensor> d1 = gradients({loss()}, operands), d2 = gradients({second()}, operands);
  const double h = 1e-5;
  for (std::size_t k = 0; k < operands.size(); ++k) {
    double* p = operands[k].data<double>();
    for (std::int64_t i = 0; i < operands[k].numel(); ++i) {
      double before = p[i];
      p[i] = before + h;
      double up1 = loss().item(), up2 = second().item();
      p[i] = before - h;
      double down1 = loss().item(), down2 = second().item();
      p[i] = before;
      CHECK(d1[k].to_vector()[std::size_t(i)] == Approx((up1 - down1) / (2 * h)).epsilon(1e-6).margin(1e-5));
      CHECK(d2[k].to_vector()[std::size_t(i)] == Approx((up2 - down2) / (2 * h)).epsilon(1e-6).margin(1e-1));
    }
  }
}

TEST_CASE("matmul gives the same bits for any number of threads", "[matmul]") {
  for (DType dtype : {DType::f32, DType::f64, DType::bf16})
    for (const Size& s : {Size{2048, 256, 1024}, Size{64, 40000, 96}, Size{300, 300, 300}, Size{1, 3000, 3000}}) {
      INFO(s.m << " x " << s.k << " x " << s.n << ", " << name_of(dtype));
      Tensor a = values({s.m, s.k}, 1, dtype), b = values({s.k, s.n}, 2, dtype), one;
      {
        Threads n(1);
        one = matmul(a, b);
      }
      for (int threads : {2, 3}) {
        Threads n(threads);
        CHECK(same_bits(one, matmul(a, b)));
      }
    }
}

TEST_CASE("matmul takes vectors as numpy does", "[matmul]") {
  Tensor v = values({4}, 1, DType::f64), m = values({2, 3, 4}, 2, DType::f64), right = values({2, 4, 3}, 3, DType::f64);
  Tensor dot = matmul(v, v), columns = matmul(m, v), rows = matmul(v, right);
  REQUIRE(dot.shape() == Shape{});
  REQUIRE(columns.shape() == Shape{2, 3});
  REQUIRE(rows.shape() == Shape{2, 3});
  CHECK(dot.item() == Approx(sum(v * v).item()));
  CHECK(relative_error(columns.to_vector(), sum(m * v, {-1}).to_vector()) < 1e-14);
  CHECK(relative_error(rows.to_vector(), sum(right * v.unsqueeze(1), {-2}).to_vector()) < 1e-14);
  v.set_requires_grad();
  CHECK(gradients({sum(matmul(m, v))}, {v})[0].to_vector() == sum(m, {0, 1}).to_vector());
}

TEST_CASE("many small matrices multiply as one by one", "[matmul]") {
  for (DType dtype : {DType::f32, DType::f64})
    for (const Size& s : {Size{1, 40, 9}, Size{1, 5, 70}, Size{8, 8, 1}, Size{7, 5, 1}, Size{31, 30, 1}, Size{4, 4, 4}, Size{9, 32, 15},
                          Size{8, 8, 8}, Size{16, 16, 16}, Size{7, 3, 33}, Size{96, 20, 95}, Size{3, 300, 5}})
      for (int layout = 0; layout < 4; ++layout) {
        const bool turned = layout & 1;
        INFO(s.m << " x " << s.k << " x " << s.n << ", " << name_of(dtype) << ", layout " << layout);
        Tensor a = layout & 2 ? values({50, s.k, s.m}, 1, dtype).transpose(1, 2) : values({50, s.m, s.k}, 1, dtype),
               b = turned ? values({50, s.n, s.k}, 2, dtype).transpose(1, 2) : values({50, s.k, s.n}, 2, dtype);
        Tensor c = matmul(a, b);
        std::vector<double> want;
        for (std::int64_t i = 0; i < 50; ++i)
          for (double v : product(a.select(0, i).contiguous().to_vector(), b.select(0, i).contiguous().to_vector(), s.m, s.k, s.n))
            want.push_back(v);
        CHECK(relative_error(c.to_vector(), want) < tolerance(dtype));
      }
}

TEST_CASE("matmul of empty operands", "[matmul]") {
  CHECK(matmul(Tensor::zeros({3, 0}), Tensor::zeros({0, 4})).to_vector() == std::vector<double>(12, 0.0));
  CHECK(matmul(Tensor::zeros({0, 3}), Tensor::zeros({3, 4})).shape() == Shape{0, 4});
  CHECK(linear(Tensor::zeros({2, 0, 3}), Tensor::zeros({4, 3})).shape() == Shape{2, 0, 4});
}

TEST_CASE("matmul and linear name what is wrong with their operands", "[matmul]") {
  using Catch::Matchers::Contains;
  using Catch::Matchers::StartsWith;
  auto says = [](auto call, const char* op, const char* text) {
    try {
      call();
      FAIL("no error: " << text);
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::usage);
      CHECK_THAT(std::string(e.what()), StartsWith(op) && Contains(text));
    }
  };
  Tensor a = Tensor::zeros({2, 3, 4}), b = Tensor::zeros({5, 6});
  says([&] { matmul(a, b); }, "matmul", "[2, 3, 4] x [5, 6]: 4 columns against 5 rows");
  says([&] { matmul(Tensor::zeros({4}), b); }, "matmul", "[4] x [5, 6]: 4 columns against 5 rows");
  says([&] { matmul(Tensor::zeros({}), b); }, "matmul", "a scalar is no matrix");
  says([&] { matmul(a, Tensor::zeros({4, 2}, DType::f64)); }, "matmul", "the types differ");
  says([&] { matmul(a, Tensor::zeros({3, 4, 2})); }, "matmul", "[2]");
  says([&] { matmul(a.to(DType::i32), b.to(DType::i32)); }, "matmul", "not f32, f64, bf16, f16 or complex");
  says([&] { linear(a, b); }, "linear", "input [2, 3, 4], weight [5, 6]: the weight reads 6 features, the input has 4");
  says([&] { linear(a, Tensor::zeros({6, 4}), Tensor::zeros({5})); }, "linear", "bias [5]");
  says([&] { linear(a, Tensor{}); }, "linear", "undefined");
}

TEST_CASE("large products, packed on the way, equal f64 for every layout, with a bias and without", "[matmul]") {
  // widths of a task's columns, tails along every axis, rows of a that meet in the cache (a multiple of 512 apart)
  for (const auto& [m, n, k] :
       {std::array<std::int64_t, 3>{70, 300, 600}, std::array<std::int64_t, 3>{530, 270, 257}, std::array<std::int64_t, 3>{150, 65, 1024},
        std::array<std::int64_t, 3>{650, 130, 64}, std::array<std::int64_t, 3>{67, 35, 8300}})
    for (int layout = 0; layout < 8; ++layout) {
      const bool a_turned = layout & 1, b_turned = layout & 2, with_bias = layout & 4;
      if (with_bias && (a_turned || !b_turned)) continue;  // linear's own
      INFO(m << " x " << n << " x " << k << ", layout " << layout);
      Tensor a = random_normal(a_turned ? Shape{k, m} : Shape{m, k}, 1, 1), b = random_normal(b_turned ? Shape{n, k} : Shape{k, n}, 1, 2), bias = random_normal({n}, 1, 3);
      auto f = [&](const std::vector<Tensor>& x) {
        if (with_bias) return linear(x[0], x[1], x[2]);
        return matmul(a_turned ? x[0].transpose(0, 1) : x[0], b_turned ? x[1].transpose(0, 1) : x[1]);
      };
      NoGrad no_grad;
      std::vector<double> narrow = f({a, b, bias}).to_vector(), wide = f({a.to(DType::f64), b.to(DType::f64), bias.to(DType::f64)}).to_vector();
      double worst = 0;
      for (std::size_t i = 0; i < wide.size(); ++i) worst = std::max(worst, std::abs(narrow[i] - wide[i]));
      CHECK(worst < 2e-4);
      check::same_bits([&] { return std::vector<Tensor>{f({a, b, bias})}; });
    }
}
