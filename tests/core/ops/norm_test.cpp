/// Normalisations against PyTorch, naive f64 sums, central differences; wrong use; the same bits for any thread count.
#include "core/ops/gradient_check.hpp"
#include "golden/fused_ops.hpp"
#include "tenon/plan.hpp"

using namespace tenon;
using check::made;

namespace {

/// y, d_x, d_scale, d_shift of f on the golden inputs, with the golden output gradient.
template <class F>
void matches(const F& f, const std::vector<double>& y, const std::vector<double>& d_x, const std::vector<double>& d_scale,
             const std::vector<double>& d_shift) {
  auto in = check::leaves({made(1, {2, 3, 2, 4}), made(2, {4}), made(3, {4})});
  Tensor out = f(in[0], in[1], in[2]);
  check::require_close(out.to_vector(), y, 1e-12);
  auto d = gradients({out}, in, {made(9, out.shape())});
  check::require_close(d[0].to_vector(), d_x, 1e-11);
  check::require_close(d[1].to_vector(), d_scale, 1e-11);
  check::require_close(d[2].to_vector(), d_shift, 1e-11);
}

/// instance norm with leaky ReLU and its gradient by the definition, in double.
struct Naive {
  std::vector<double> y, d_x, d_scale, d_shift;
  Naive(const std::vector<double>& x, const std::vector<double>& dy, const std::vector<double>& scale, const std::vector<double>& shift,
        std::size_t samples, std::size_t voxels, double eps, double slope)
      : y(x.size()), d_x(x.size()), d_scale(scale.size()), d_shift(scale.size()) {
    const std::size_t C = scale.size();
    const double n = double(voxels);
    for (std::size_t s = 0; s < samples; ++s)
      for (std::size_t c = 0; c < C; ++c) {
        auto at = [&](std::size_t v) { return (s * voxels + v) * C + c; };
        double mean = 0, var = 0, g_sum = 0, gx_sum = 0;
        for (std::size_t v = 0; v < voxels; ++v) mean += x[at(v)] / n;
        for (std::size_t v = 0; v < voxels; ++v) var += (x[at(v)] - mean) * (x[at(v)] - mean) / n;
        double r = 1 / std::sqrt(var + eps);
        auto g = [&](std::size_t v) { return dy[at(v)] * ((x[at(v)] - mean) * r * scale[c] + shift[c] > 0 ? 1 : slope); };
        for (std::size_t v = 0; v < voxels; ++v) {
          double pre = (x[at(v)] - mean) * r * scale[c] + shift[c];
          y[at(v)] = pre > 0 ? pre : slope * pre;
          g_sum += g(v);
          gx_sum += g(v) * (x[at(v)] - mean) * r;
        }
        for (std::size_t v = 0; v < voxels; ++v) d_x[at(v)] = scale[c] * r * (g(v) - g_sum / n - (x[at(v)] - mean) * r * gx_sum / n);
        d_shift[c] += g_sum;
        d_scale[c] += gx_sum;
      }
  }
};

double largest_gap(const std::vector<double>& a, const std::vector<double>& b) {
  double gap = 0;
  for (std::size_t i = 0; i < a.size(); ++i) gap = std::max(gap, std::abs(a[i] - b[i]) / (1 + std::abs(b[i])));
  return gap;
}

}  // namespace

TEST_CASE("normalisations agree with PyTorch in double, with all gradients", "[norm]") {
  matches([](auto& x, auto& a, auto& b) { return tenon::instance_norm(x, a, b, 1e-5, 0.1); }, golden::instance_norm,
          golden::instance_norm_d0, golden::instance_norm_d1, golden::instance_norm_d2);
  matches([](auto& x, auto& a, auto& b) { return tenon::group_norm(x, 2, a, b); }, golden::group_norm, golden::group_norm_d0,
          golden::group_norm_d1, golden::group_norm_d2);
  matches([](auto& x, auto& a, auto& b) { return tenon::layer_norm(x, a, b); }, golden::layer_norm, golden::layer_norm_d0,
          golden::layer_norm_d1, golden::layer_norm_d2);

  Tensor mean = Tensor::zeros({4}, DType::f64), var = Tensor::full({4}, 1, DType::f64);
  matches([&](auto& x, auto& a, auto& b) { return tenon::batch_norm(x, a, b, mean, var, true); }, golden::batch_norm, golden::batch_norm_d0,
          golden::batch_norm_d1, golden::batch_norm_d2);
  check::require_close(mean.to_vector(), golden::batch_norm_running_mean, 1e-12);
  check::require_close(var.to_vector(), golden::batch_norm_running_var, 1e-12);
  matches([&](auto& x, auto& a, auto& b) { return tenon::batch_norm(x, a, b, mean, var, false); }, golden::batch_norm_eval,
          golden::batch_norm_eval_d0, golden::batch_norm_eval_d1, golden::batch_norm_eval_d2);
  check::require_close(mean.to_vector(), golden::batch_norm_running_mean, 1e-12);
}

TEST_CASE("instance norm is right for many channel counts and sizes, in f32, bf16 and f16", "[norm]") {
  for (std::int64_t C : {1, 2, 3, 5, 8, 15, 16, 17, 31, 32, 33, 48, 64, 67, 100, 320})
    for (std::int64_t voxels : {1, 7, 128, 129, 1100}) {
      if (C * voxels > 120000) continue;
      INFO(C << " channels, " << voxels << " voxels");
      Tensor x = random_normal({2, voxels, C}, 1, std::uint64_t(C * 10000 + voxels), 0.5, 2),
             dy = random_normal({2, voxels, C}, 2, std::uint64_t(C));
      Tensor scale = random_normal({C}, 3, 0, 1, 0.3), shift = random_normal({C}, 4, 0);
      for (auto [type, tolerance] : {std::pair{DType::f32, 3e-5}, std::pair{DType::bf16, 8e-3}, std::pair{DType::f16, 1.5e-3}}) {
        INFO(name_of(type));
        Tensor xt = x.to(type), dyt = dy.to(type);
        Naive expected(xt.to_vector(), dyt.to_vector(), scale.to_vector(), shift.to_vector(), 2, std::size_t(voxels), 1e-5, 0.01);
        auto in = check::leaves({xt, scale, shift});
        Tensor y = instance_norm(in[0], in[1], in[2], 1e-5, 0.01);
        REQUIRE(y.dtype() == type);
        REQUIRE(largest_gap(y.to_vector(), expected.y) < tolerance);
        auto d = gradients({y}, in, {dyt});
        if (voxels > 1) REQUIRE(largest_gap(d[0].to_vector(), expected.d_x) < 2 * tolerance);
        REQUIRE(largest_gap(d[1].to_vector(), expected.d_scale) < 2e-4);
        REQUIRE(largest_gap(d[2].to_vector(), expected.d_shift) < 2e-4);
      }
    }
}

TEST_CASE("statistics hold when the mean is far above the deviation", "[norm]") {
  // Values near 1e4 with deviation 0.1, where E[x^2] - E[x]^2 in f32 leaves nothing.
  Tensor x = (random_normal({1, 5000, 24}, 7, 0).to(DType::f64) * 0.1 + 1e4).to(DType::f32);
  std::vector<double> v = x.to_vector(), y = instance_norm(x, Tensor::full({24}, 1), Tensor::zeros({24}), 0).to_vector();
  Naive expected(v, v, std::vector<double>(24, 1), std::vector<double>(24, 0), 1, 5000, 0, 1);
  // The mean is kept in f32: half a unit in its last place is 4.9e-4, 0.005 deviations.
  REQUIRE(largest_gap(y, expected.y) < 6e-3);
  double square = 0;
  for (std::size_t i = 0; i < 5000; ++i) square += y[i * 24] * y[i * 24];
  REQUIRE(square / 5000 == Approx(1).epsilon(1e-4));

  Tensor offset = concat({Tensor::full({1, 1, 8}, 0), random_normal({1, 4000, 8}, 8, 0, 1000, 1)}, 1);  // an outlier first
  std::vector<double> o = offset.to_vector();
  Naive far(o, o, std::vector<double>(8, 1), std::vector<double>(8, 0), 1, 4001, 1e-5, 1);
  REQUIRE(largest_gap(instance_norm(offset, Tensor::full({8}, 1), Tensor::zeros({8})).to_vector(), far.y) < 1e-4);
}

TEST_CASE("group norm of small samples of many channels against the definition", "[norm]") {
  for (DType type : {DType::f32, DType::bf16, DType::f64})
    for (std::int64_t C : {6, 520, 1100}) {
      INFO(name_of(type) << ", " << C << " channels");
      const std::int64_t N = 3, V = 20, G = 2, width = C / G;
      const Tensor x = random_normal({N, V, C}, 1, 1, 3, 2).to(type), scale = random_normal({C}, 1, 2), shift = random_normal({C}, 1, 3);
      const auto v = x.to_vector(), a = scale.to_vector(), b = shift.to_vector();
      std::vector<double> expected(v.size());
      for (std::int64_t n = 0; n < N; ++n)
        for (std::int64_t g = 0; g < G; ++g) {
          const auto each = [&](const auto& f) {
            for (std::int64_t i = 0; i < V * width; ++i)
              f(std::size_t((n * V + i / width) * C + g * width + i % width), std::size_t(g * width + i % width));
          };
          double mean = 0, square = 0;
          each([&](std::size_t at, std::size_t) { mean += v[at] / double(V * width); });
          each([&](std::size_t at, std::size_t) { square += (v[at] - mean) * (v[at] - mean) / double(V * width); });
          each([&](std::size_t at, std::size_t c) { expected[at] = (v[at] - mean) / std::sqrt(square + 1e-5) * a[c] + b[c]; });
        }
      const Tensor y = group_norm(x, G, scale.to(type == DType::f64 ? type : DType::f32), shift.to(type == DType::f64 ? type : DType::f32));
      check::require_close(y.to_vector(), expected, type == DType::bf16 ? 2e-2 : type == DType::f32 ? 1e-5 : 1e-12);
    }
}

TEST_CASE("gradients of the normalisations against differences", "[norm][gradient]") {
  std::vector<Tensor> in{made(1, {2, 3, 2, 4}), made(2, {4}), made(3, {4})};
  check::first_gradients([](auto& v) { return instance_norm(v[0], v[1], v[2], 1e-5, 0.1); }, in, 1e-6);
  check::first_gradients([](auto& v) { return group_norm(v[0], 2, v[1], v[2]); }, in, 1e-6);
  check::first_gradients([](auto& v) { return layer_norm(v[0], v[1], v[2]); }, in, 1e-6);
  check::first_gradients([](auto& v) { return batch_norm(v[0], v[1], v[2], {}, {}, true); }, in, 1e-6);
  Tensor mean = made(4, {4}), var = square(made(5, {4})) + 0.5;
  check::first_gradients([&](auto& v) { return batch_norm(v[0], v[1], v[2], mean, var, false); }, in, 1e-6);
}

TEST_CASE("second gradients of instance, group, layer and batch norm", "[norm][gradient]") {
  std::vector<Tensor> in{made(1, {2, 3, 4}), made(2, {4}), made(3, {4})};
  check::second_gradients([](auto& v) { return group_norm(v[0], 2, v[1], v[2]); }, in);
  check::second_gradients([](auto& v) { return layer_norm(v[0], v[1], v[2]); }, in);
  check::second_gradients([](auto& v) { return batch_norm(v[0], v[1], v[2], {}, {}, true); }, in);
  Tensor mean = made(4, {4}), var = square(made(5, {4})) + 0.5;
  check::second_gradients([&](auto& v) { return batch_norm(v[0], v[1], v[2], mean, var, false); }, in);
  check::second_gradients([](auto& v) { return instance_norm(v[0], v[1], v[2], 1e-3, 0.1); }, {made(1, {2, 3, 4}), made(2, {4}), made(3, {4})});
}

TEST_CASE("normalisations give the same bits for every thread count", "[norm][determinism]") {
  for (DType type : {DType::f32, DType::bf16}) {
    Tensor x = random_normal({2, 20, 22, 18, 33}, 1, 1).to(type), scale = random_normal({33}, 1, 2), shift = random_normal({33}, 1, 3);
    check::same_bits([&] {
      return check::with_gradients([](auto& v) { return instance_norm(v[0], v[1], v[2], 1e-5, 0.01); }, {x, scale, shift});
    });
    check::same_bits([&] { return check::with_gradients([](auto& v) { return group_norm(v[0], 11, v[1], v[2]); }, {x, scale, shift}); });
    check::same_bits([&] { return check::with_gradients([](auto& v) { return layer_norm(v[0], v[1], v[2]); }, {x, scale, shift}); });
    check::same_bits([&] {
      return check::with_gradients([](auto& v) { return batch_norm(v[0], v[1], v[2], {}, {}, true); }, {x, scale, shift});
    });
  }
}

TEST_CASE("a NaN goes through instance norm to its own sample and channel only", "[norm]") {
  for (DType type : {DType::f32, DType::bf16}) {
    Tensor x = random_normal({2, 50, 20}, 1, 1).to(type);
    x.narrow(0, 1, 1).narrow(1, 7, 1).narrow(2, 3, 1).fill(std::nan(""));
    std::vector<double> y = instance_norm(x, Tensor::full({20}, 1), Tensor::zeros({20})).to_vector();
    for (std::size_t i = 0; i < y.size(); ++i) REQUIRE(std::isnan(y[i]) == (i >= 1000 && i % 20 == 3));
  }
}

TEST_CASE("a recorded instance norm replays to the same bits", "[norm][plan]") {
  auto in = check::leaves({random_normal({2, 9, 8, 7, 20}, 1, 1), random_normal({20}, 1, 2), random_normal({20}, 1, 3)});
  auto step = [&] { return gradients({sum(instance_norm(in[0], in[1], in[2], 1e-5, 0.01))}, in); };
  std::vector<Tensor> eager = step(), planned;
  StepPlan plan = StepPlan::record([&] { planned = step(); });
  for (int round = 0; round < 2; ++round) {
    plan.run();
    for (std::size_t i = 0; i < eager.size(); ++i) REQUIRE(eager[i].to_vector() == planned[i].to_vector());
  }
}

TEST_CASE("normalisations say what is wrong", "[norm][misuse]") {
  Tensor x = made(1, {2, 3, 4}, DType::f32), four = Tensor::full({4}, 1), five = Tensor::full({5}, 1);
  check::refuses([&] { instance_norm(x, five, four); }, "instance_norm", {"scale", "[5]", "[4]", "[2, 3, 4]"});
  check::refuses([&] { instance_norm(made(1, {2, 4}, DType::f32), four, four); }, "instance_norm", {"[2, 4]", "spatial"});
  check::refuses([&] { instance_norm(x.to(DType::i32), four, four); }, "instance_norm", {"i32"});
  check::refuses([&] { instance_norm(x, four.to(DType::f64), four); }, "instance_norm", {"f64", "f32"});
  check::refuses([&] { instance_norm(Tensor(), four, four); }, "instance_norm", {"undefined"});
  check::refuses([&] { group_norm(x, 3, four, four); }, "group_norm", {"4 channels", "3 groups"});
  check::refuses([&] { layer_norm(x, four, five); }, "layer_norm", {"shift", "[5]"});
  check::refuses([&] { batch_norm(x, four, four, {}, {}, false); }, "batch_norm", {"running_mean", "undefined"});
  check::refuses([&] { batch_norm(x, four, four, five, four, true); }, "batch_norm", {"running_mean", "[5]"});
  check::refuses([&] { batch_norm(made(1, {1, 4}, DType::f32), four, four, {}, {}, true); }, "batch_norm", {"one value a channel"});
}
