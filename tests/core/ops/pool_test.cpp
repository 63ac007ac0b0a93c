/// Pooling against PyTorch and the definition, gradients against differences, wrong use.
#include <algorithm>
#include <array>
#include <limits>

#include "core/ops/gradient_check.hpp"
#include "golden/fused_ops.hpp"
#include "tenon/pooling.hpp"

using namespace tenon;
using check::made;

TEST_CASE("pooling agrees with PyTorch in double, with gradients", "[pool]") {
  auto x = check::leaves({made(5, {1, 5, 6, 2})});
  Tensor a = max_pool(x[0], {3, 2}, {2, 1}, {1, 1}), b = avg_pool(x[0], {3, 2}, {2, 1}, {1, 1});
  check::require_close(a.to_vector(), golden::max_pool, 1e-13);
  check::require_close(b.to_vector(), golden::avg_pool, 1e-13);
  check::require_close(gradients({a}, x, {made(9, a.shape())})[0].to_vector(), golden::max_pool_d0, 1e-13);
  check::require_close(gradients({b}, x, {made(9, b.shape())})[0].to_vector(), golden::avg_pool_d0, 1e-13);
}

TEST_CASE("3D pooling of every type against the definition", "[pool]") {
  for (DType type : {DType::f32, DType::bf16, DType::f16, DType::f64})
    for (std::int64_t C : {1, 7, 150}) {
      INFO(name_of(type) << ", " << C << " channels");
      Tensor x = random_normal({2, 5, 4, 6, C}, 1, std::uint64_t(C)).to(type);
      std::vector<double> v = x.to_vector(), top, average;
      for (std::int64_t n = 0; n < 2; ++n)
        for (std::int64_t z = 0; z < 2; ++z)
          for (std::int64_t y = 0; y < 2; ++y)
            for (std::int64_t k = 0; k < 3; ++k)
              for (std::int64_t c = 0; c < C; ++c) {
                double best = -INFINITY, sum = 0;
                for (std::int64_t i = 0; i < 8; ++i) {
                  double value = v[std::size_t((((n * 5 + 2 * z + i / 4) * 4 + 2 * y + i / 2 % 2) * 6 + 2 * k + i % 2) * C + c)];
                  best = std::max(best, value);
                  sum += value;
                }
                top.push_back(best);
                average.push_back(sum / 8);
              }
      REQUIRE(max_pool(x, {2, 2, 2}).to_vector() == top);
      check::require_close(avg_pool(x, {2, 2, 2}).to_vector(), average, type == DType::bf16 ? 4e-3 : type == DType::f16 ? 5e-4 : 1e-6);
    }
}

namespace {

struct Plain {
  std::vector<double> top, average, d_top, d_average;
};

/// Windows of one axis of x [N, in, C], and the gradients for d, by their definition.
Plain pooled(const Tensor& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding, const Tensor& d) {
  const std::vector<double> v = x.to_vector(), given = d.to_vector();
  const std::int64_t in = x.size(1), C = x.size(2), out = d.size(1);
  Plain plain{{}, {}, std::vector<double>(v.size()), std::vector<double>(v.size())};
  for (std::int64_t n = 0; n < x.size(0); ++n)
    for (std::int64_t o = 0; o < out; ++o)
      for (std::int64_t c = 0; c < C; ++c) {
        const double d_here = given[std::size_t((n * out + o) * C + c)];
        double sum = 0;
        std::int64_t best = -1;
        for (std::int64_t i = std::max<std::int64_t>(0, o * stride - padding); i < std::min(in, o * stride - padding + kernel); ++i) {
          const std::int64_t at = (n * in + i) * C + c;
          if (best < 0 || v[std::size_t(at)] > v[std::size_t(best)]) best = at;
          sum += v[std::size_t(at)];
          plain.d_average[std::size_t(at)] += d_here / double(kernel);
        }
        plain.top.push_back(v[std::size_t(best)]);
        plain.average.push_back(sum / double(kernel));
        plain.d_top[std::size_t(best)] += d_here;
      }
  return plain;
}

}  // namespace

TEST_CASE("rows of few channels, cut by edges or not, and long ones against the definition", "[pool]") {
  for (DType type : {DType::f32, DType::bf16, DType::f64})
    for (std::int64_t C : {1, 3, 4, 7, 33})
      for (const auto& w : std::vector<std::array<std::int64_t, 4>>{
               {2, 2, 0, 37}, {3, 2, 1, 50}, {5, 1, 2, 41}, {4, 4, 0, 600}, {4, 9, 2, 77}, {3, 40, 1, 90}, {7, 1, 3, 7}}) {
        INFO(name_of(type) << ", " << C << " channels, kernel " << w[0] << ", stride " << w[1] << ", padding " << w[2] << " on " << w[3]);
        // few distinct values, so that maxima are often equal
        Tensor x = floor(random_normal({2, w[3], C}, 1, std::uint64_t(C), 0, 2)).to(type);
        const Tensor unasked = max_pool(x, {w[0]}, {w[1]}, {w[2]});
        auto leaf = check::leaves({x});
        Tensor y = max_pool(leaf[0], {w[0]}, {w[1]}, {w[2]}), z = avg_pool(leaf[0], {w[0]}, {w[1]}, {w[2]}),
               d = floor(random_normal(y.shape(), 1, 5, 0, 4)).to(type);
        const Plain plain = pooled(x, w[0], w[1], w[2], d);
        REQUIRE(unasked.to_vector() == plain.top);
        REQUIRE(y.to_vector() == plain.top);
        REQUIRE(gradients({y}, leaf, {d})[0].to_vector() == plain.d_top);
        const double bound = type == DType::bf16 ? 1e-2 : type == DType::f32 ? 1e-6 : 1e-14;
        check::require_close(z.to_vector(), plain.average, bound);
        check::require_close(gradients({z}, leaf, {d})[0].to_vector(), plain.d_average, bound);
      }
}

TEST_CASE("gradients of windows apart in three axes, cut by edges, are those of windows one by one", "[pool]") {
  for (DType type : {DType::f32, DType::f16, DType::f64})
    for (std::int64_t C : {1, 3, 20}) {
      INFO(name_of(type) << ", " << C << " channels");
      const std::vector<std::int64_t> kernel{2, 3, 2}, stride{3, 3, 2}, padding{1, 1, 0};
      const Tensor x = random_normal({2, 6, 8, 9, C}, 1, std::uint64_t(C)).to(type);
      const auto leaf = check::leaves({x});
      const Tensor y = max_pool(leaf[0], kernel, stride, padding), z = avg_pool(leaf[0], kernel, stride, padding),
                   d = (floor(random_normal(y.shape(), 1, 5, 0, 4)) * 12.0).to(type);
      const std::vector<double> v = x.to_vector(), given = d.to_vector();
      std::vector<double> top(v.size()), average(v.size());
      const Shape out = y.shape();
      for (std::int64_t i = 0; i < d.numel(); ++i) {
        const std::int64_t c = i % C, ox = i / C % out[3], oy = i / C / out[3] % out[2], oz = i / C / out[3] / out[2] % out[1],
                           n = i / C / out[3] / out[2] / out[1];
        std::size_t best = v.size();
        for (std::int64_t k = 0; k < 12; ++k) {
          const std::int64_t a = oz * 3 - 1 + k / 6, b = oy * 3 - 1 + k / 2 % 3, w = ox * 2 + k % 2;
          if (a < 0 || a >= 6 || b < 0 || b >= 8 || w >= 9) continue;
          const std::size_t at = std::size_t((((n * 6 + a) * 8 + b) * 9 + w) * C + c);
          if (best == v.size() || v[at] > v[best]) best = at;
          average[at] += given[std::size_t(i)] / 12;
        }
        top[best] += given[std::size_t(i)];
      }
      REQUIRE(gradients({y}, leaf, {d})[0].to_vector() == top);
      REQUIRE(gradients({z}, leaf, {d})[0].to_vector() == average);
    }
}

TEST_CASE("an average's gradient beyond the caches is whole", "[pool][slow]") {
  const auto x = check::leaves({Tensor::zeros({3, 1001, 1000, 3})});
  const Tensor y = avg_pool(x[0], {2, 2}), d = floor(random_normal(y.shape(), 1, 5, 0, 4)), got = gradients({y}, x, {d})[0].contiguous();
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < got.numel(); ++i) {
    const std::int64_t c = i % 3, w = i / 3 % 1000, b = i / 3000 % 1001, n = i / 3000 / 1001;
    wrong += got.data<float>()[i] != (b < 1000 ? d.data<float>()[((n * 500 + b / 2) * 500 + w / 2) * 3 + c] / 4 : 0);
  }
  REQUIRE(wrong == 0);
}

TEST_CASE("a maximum over all voxels is the same with a gradient and without", "[pool]") {
  for (DType type : {DType::f32, DType::f16, DType::f64})
    for (std::int64_t N : {1, 40}) {
      Tensor x = random_normal({N, 9, 8, 7, 19}, 1, 3).to(type);
      Tensor hole = x.reshape({x.numel()});
      hole.narrow(0, 700, 1).fill(NAN);
      const std::vector<double> without = global_max_pool(x).to_vector(), with = global_max_pool(check::leaves({x})[0]).to_vector();
      REQUIRE(without.size() == std::size_t(N * 19));
      for (std::size_t i = 0; i < with.size(); ++i) REQUIRE((without[i] == with[i] || (std::isnan(without[i]) && std::isnan(with[i]))));
      REQUIRE(std::count_if(without.begin(), without.end(), [](double v) { return std::isnan(v); }) == 1);
    }
}

TEST_CASE("the first of equal maxima takes the gradient, and NaN is a maximum", "[pool]") {
  auto x = check::leaves({Tensor::full({1, 4, 1}, 2.0)});
  REQUIRE(gradients({sum(max_pool(x[0], {2}))}, x)[0].to_vector() == std::vector<double>{1, 0, 1, 0});
  REQUIRE(gradients({sum(max_pool(x[0], {3}, {1}))}, x)[0].to_vector() == std::vector<double>{1, 1, 0, 0});
  Tensor with_nan = Tensor::from(std::vector<float>{1, NAN, 3, 4}, {1, 4, 1});
  std::vector<double> y = max_pool(with_nan, {2}).to_vector();
  REQUIRE(std::isnan(y[0]));
  REQUIRE(y[1] == 4);
}

TEST_CASE("gradients of pooling, first and second", "[pool][gradient]") {
  std::vector<Tensor> in{made(1, {2, 5, 4, 3})};
  check::first_gradients([](auto& v) { return max_pool(v[0], {3, 2}, {1, 2}, {1, 0}); }, in);
  check::first_gradients([](auto& v) { return avg_pool(v[0], {3, 2}, {1, 2}, {1, 0}); }, in);
  check::first_gradients([](auto& v) { return max_pool(v[0], {2}); }, {made(2, {2, 7, 3})});
  check::second_gradients([](auto& v) { return max_pool(v[0] * v[0], {2, 2}); }, in);
  check::second_gradients([](auto& v) { return square(max_pool(v[0], {3, 2}, {1, 2}, {1, 0})); }, in);
  check::second_gradients([](auto& v) { return square(avg_pool(v[0], {3, 2}, {1, 2}, {1, 0})); }, in);
}

TEST_CASE("pooling gives the same bits for every thread count", "[pool][determinism]") {
  Tensor x = random_normal({2, 11, 12, 13, 17}, 1, 1);
  check::same_bits([&] { return check::with_gradients([](auto& v) { return max_pool(v[0], {3, 3, 3}, {2, 2, 2}, {1, 1, 1}); }, {x}); });
  check::same_bits([&] { return check::with_gradients([](auto& v) { return avg_pool(v[0], {3, 3, 3}, {2, 2, 2}, {1, 1, 1}); }, {x}); });
}

TEST_CASE("pooling says what is wrong", "[pool][misuse]") {
  Tensor x = made(1, {2, 5, 4, 3}, DType::f32);
  check::refuses([&] { max_pool(x, {2}); }, "max_pool", {"[2]", "2 spatial axes", "[2, 5, 4, 3]"});
  check::refuses([&] { avg_pool(x, {6, 1}); }, "avg_pool", {"[6, 1]", "larger", "[2, 5, 4, 3]"});
  check::refuses([&] { max_pool(x, {2, 2}, {}, {2, 0}); }, "max_pool", {"padding [2, 0]", "half"});
  check::refuses([&] { max_pool(x, {2, 2}, {0, 1}); }, "max_pool", {"stride [0, 1]"});
  check::refuses([&] { max_pool(x.to(DType::i32), {2, 2}); }, "max_pool", {"i32"});
  check::refuses([&] { avg_pool(made(1, {2, 3}, DType::f32), {}); }, "avg_pool", {"[2, 3]", "spatial"});
}

TEST_CASE("pooling refuses windows that its sizes cannot hold", "[pool][misuse]") {
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max(), half = std::int64_t(1) << 62;
  const Tensor x = made(1, {1, 10, 2}, DType::f32);
  check::refuses([&] { max_pool(x, {2}, {1}, {huge}); }, "max_pool", {"padding [9223372036854775807]"});
  check::refuses([&] { avg_pool(x, {2}, {1}, {half}); }, "avg_pool", {"padding"});
  check::refuses([&] { max_pool(x, {huge}, {1}, {half}); }, "max_pool", {"kernel 9223372036854775807 does not fit 31 bits"});
  check::refuses([&] { max_pool(x, {2}, {huge}); }, "max_pool", {"stride 9223372036854775807 does not fit 31 bits"});
}
