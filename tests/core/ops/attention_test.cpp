/// Tiled attention against the plain composition, beyond one tile, with masks, causal; its limits.
#include "tenon/attention.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <cmath>

#include "core/ops/gradient_check.hpp"
#include "tenon/indexing.hpp"
#include "tenon/autograd.hpp"

using namespace tenon;
using List = std::vector<Tensor>;

namespace {

/// softmax(q k^T scale + mask) v with its matrix.
Tensor plain(const Tensor& q, const Tensor& k, const Tensor& v, double scale, const Tensor& mask = {}) {
  Tensor s = matmul(q.transpose(1, 2), k.transpose(1, 2).transpose(-2, -1)) * scale;
  if (mask.defined()) s = s + mask;
  return matmul(softmax(s), v.transpose(1, 2)).transpose(1, 2).contiguous();
}

List inputs(std::int64_t L, std::int64_t S, std::int64_t d, std::int64_t e, DType type) {
  return {random_normal({2, L, 3, d}, 1, 1).to(type), random_normal({2, S, 3, d}, 1, 2).to(type),
          random_normal({2, S, 3, e}, 1, 3).to(type)};
}

void compare(const check::Function& a, const check::Function& b, const List& x, double tolerance) {
  List one = check::with_gradients(a, x), two = check::with_gradients(b, x);
  for (std::size_t i = 0; i < one.size(); ++i) {
    INFO("tensor " << i);
    const std::vector<double> got = one[i].to_vector(), expected = two[i].to_vector();
    REQUIRE(got.size() == expected.size());
    for (std::size_t j = 0; j < got.size(); ++j)  // without a word on the many that are near
      if (!(std::abs(got[j] - expected[j]) <= tolerance * (1 + std::abs(expected[j]))))
        check::require_close({got[j]}, {expected[j]}, tolerance);
  }
}

}  // namespace

TEST_CASE("attention over many tiles equals the plain one, with gradients", "[attention]") {
  const DType type = GENERATE(DType::f32, DType::f64);
  const double tolerance = type == DType::f64 ? 1e-12 : 2e-5;
  // tiles are 64 wide, forward tasks 512 queries
  compare([](const List& x) { return scaled_dot_product_attention(x[0], x[1], x[2], {.scale = 0.3}); },
          [](const List& x) { return plain(x[0], x[1], x[2], 0.3); }, inputs(150, 70, 5, 19, type), tolerance);
  if (type == DType::f32) {
    NoGrad no_grad;
    List x = inputs(515, 64, 4, 4, type);
    check::require_close(scaled_dot_product_attention(x[0], x[1], x[2]).to_vector(), plain(x[0], x[1], x[2], 0.5).to_vector(), tolerance);
  }
  Tensor mask = random_normal({3, 1, 70}, 2, 1).to(type);
  compare([&](const List& x) { return scaled_dot_product_attention(x[0], x[1], x[2], {.mask = mask, .scale = 1}); },
          [&](const List& x) { return plain(x[0], x[1], x[2], 1, mask); }, inputs(66, 70, 4, 4, type), tolerance);
  Tensor row = Tensor::arange(130).reshape({130, 1}), column = Tensor::arange(130).reshape({1, 130});
  Tensor later = where(greater(column, row), Tensor::full({}, -INFINITY, type), Tensor::zeros({}, type));
  compare([](const List& x) { return scaled_dot_product_attention(x[0], x[1], x[2], {.causal = true}); },
          [&](const List& x) { return plain(x[0], x[1], x[2], 0.5, later); }, inputs(130, 130, 4, 4, type), tolerance);
}

TEST_CASE("a mask that is learned has its gradient", "[attention]") {
  const DType type = GENERATE(DType::f32, DType::f64);
  const double tolerance = type == DType::f64 ? 1e-12 : 2e-5;
  for (const Shape& shape : {Shape{3, 1, 70}, Shape{2, 1, 66, 70}, Shape{66, 70}, Shape{}}) {
    List x = inputs(66, 70, 4, 5, type);
    x.push_back(random_normal(shape, 2, 1).to(type));
    compare([](const List& in) { return scaled_dot_product_attention(in[0], in[1], in[2], {.mask = in[3], .scale = 0.7}); },
            [](const List& in) { return plain(in[0], in[1], in[2], 0.7, in[3]); }, x, tolerance);
  }
  compare([](const List& in) { return self_attention(in[0], {.mask = in[1]}); },
          [](const List& in) { return plain(in[0].select(2, 0), in[0].select(2, 1), in[0].select(2, 2), 0.5, in[1]); },
          {random_normal({2, 9, 3, 3, 4}, 1, 1).to(type), random_normal({3, 9, 9}, 1, 2).to(type)}, tolerance);
}

TEST_CASE("attention of few queries equals the plain one, with gradients", "[attention]") {
  const DType type = GENERATE(DType::f32, DType::f64);
  const double tolerance = type == DType::f64 ? 1e-12 : 2e-5;
  for (auto [queries, keys, depth, features] :
       {std::array<std::int64_t, 4>{1, 1, 1, 1}, {1, 2100, 9, 35}, {4, 1025, 67, 4}, {8, 1024, 32, 16}}) {
    INFO(queries << " queries, " << keys << " keys");
    const List x = inputs(queries, keys, depth, features, type);
    compare([](const List& in) { return scaled_dot_product_attention(in[0], in[1], in[2], {.scale = 0.3}); },
            [](const List& in) { return plain(in[0], in[1], in[2], 0.3); }, x, tolerance);
    Tensor mask = random_normal({3, 1, keys}, 2, 1).to(type).clone();
    mask.narrow(2, 0, std::max<std::int64_t>(1, keys - 100)).fill(-INFINITY);  // a piece that sees nothing
    if (keys > 1)
      compare([&](const List& in) { return scaled_dot_product_attention(in[0], in[1], in[2], {.mask = mask, .scale = 0.2}); },
              [&](const List& in) { return plain(in[0], in[1], in[2], 0.2, mask); }, x, tolerance);
    const Tensor row = Tensor::arange(queries).reshape({queries, 1}), column = Tensor::arange(keys).reshape({1, keys});
    const Tensor later = where(greater(column, row), Tensor::full({}, -INFINITY, type), Tensor::zeros({}, type));
    compare([](const List& in) { return scaled_dot_product_attention(in[0], in[1], in[2], {.causal = true, .scale = 0.2}); },
            [&](const List& in) { return plain(in[0], in[1], in[2], 0.2, later); }, x, tolerance);
  }
  List odd = inputs(1, 1100, 4, 3, type);
  odd[1] = odd[1].clone();
  odd[1].narrow(1, 3, 1).narrow(2, 1, 1).fill(NAN);
  const std::vector<double> y = scaled_dot_product_attention(odd[0], odd[1], odd[2]).to_vector();
  for (std::size_t i = 0; i < y.size(); ++i) CHECK(std::isnan(y[i]) == (i / 3 % 3 == 1));
  const Tensor blind = Tensor::full({1, 1100}, -INFINITY, type);
  for (double v : scaled_dot_product_attention(odd[0], odd[2].narrow(3, 0, 1).expand({2, 1100, 3, 4}), odd[2], {.mask = blind}).to_vector())
    CHECK(v == 0);
}

TEST_CASE("self_attention is attention of its three parts", "[attention]") {
  Tensor qkv = random_normal({2, 70, 3, 2, 8}, 3, 1);
  compare(
      [](const List& x) { return self_attention(x[0], {.causal = true}); },
      [](const List& x) { return scaled_dot_product_attention(x[0].select(2, 0), x[0].select(2, 1), x[0].select(2, 2), {.causal = true}); },
      {qkv}, 1e-6);
  Tensor half = qkv.to(DType::bf16);
  CHECK(self_attention(half).to_vector() == self_attention(half.to(DType::f32)).to(DType::bf16).to_vector());
}

TEST_CASE("a query that may see nothing gives 0 and no gradient", "[attention]") {
  List x = check::leaves(inputs(3, 4, 4, 4, DType::f32));
  Tensor allowed = Tensor::from(std::vector<float>{1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 1}, {3, 4});
  Tensor y = scaled_dot_product_attention(x[0], x[1], x[2], {.mask = greater(allowed, Tensor::zeros({}))});
  CHECK(y.select(1, 1).to_vector() == std::vector<double>(24, 0.0));
  List d = gradients({sum(y * y)}, x);
  CHECK(d[0].select(1, 1).to_vector() == std::vector<double>(24, 0.0));
  for (const Tensor& t : d)
    for (double v : t.to_vector()) REQUIRE(std::isfinite(v));
}

TEST_CASE("a query that may see nothing has second derivatives of 0, and masks do not alarm the detector", "[attention][autograd]") {
  const DetectNotFinite detect;
  const auto column = [](std::vector<double> v) { return Tensor::from(v, {1, std::int64_t(v.size()), 1, 1}); };
  const auto slopes = [&](const AttentionOptions& o) {
    Tensor q = column({1, 2});
    const Tensor k = column({3, -1}), v = column({0.5, 2});
    q.set_requires_grad();
    const Tensor g = gradients({sum(square(scaled_dot_product_attention(q, k, v, o)))}, {q}, {}, true)[0];
    return gradients({sum(square(g))}, {q})[0].to_vector();
  };
  AttentionOptions all, first_blind;
  const auto wanted = slopes(all);
  first_blind.mask = Tensor::from(std::vector<double>{0, 0, 1, 1}, {2, 2}).to(DType::boolean);
  CHECK(slopes(first_blind) == std::vector<double>{0, wanted[1]});
  first_blind.mask = Tensor::from(std::vector<double>{-INFINITY, -INFINITY, 0, 0}, {2, 2});
  CHECK(slopes(first_blind) == std::vector<double>{0, wanted[1]});
  AttentionOptions hidden;  // causal, and the first key hidden: the first query sees nothing
  hidden.causal = true;
  hidden.mask = Tensor::from(std::vector<double>{0, 1}, {1, 2}).to(DType::boolean);
  CHECK(slopes(hidden)[0] == 0);
  CHECK(std::isfinite(slopes(hidden)[1]));
  Tensor x = column({1, 2});
  CHECK_NOTHROW(masked_fill(x, equal(x, x), -INFINITY));
}

TEST_CASE("attention gives the same bits for any number of threads", "[attention][threads]") {
  check::same_bits([] {
    return check::with_gradients([](const List& x) { return scaled_dot_product_attention(x[0], x[1], x[2], {.causal = true}); },
                                 inputs(140, 140, 8, 8, DType::f32));
  });
  check::same_bits([] {
    return check::with_gradients([](const List& x) { return scaled_dot_product_attention(x[0], x[1], x[2]); },
                                 inputs(2, 3000, 8, 8, DType::f32));
  });
}

TEST_CASE("one head is cut by tiles of queries and of keys, to the same bits", "[attention][threads]") {
  for (DType type : {DType::f32, DType::f64})
    for (bool causal : {false, true})
      for (std::int64_t keys : {70, 650}) {
        INFO(name_of(type) << ", " << keys << " keys, causal " << causal);
        const Tensor mask = random_normal({1, 1, 130, keys}, 1, 7).to(type);
        check::same_bits([&] {
          return check::with_gradients(
              [&](const List& x) {
                const auto one = [](const Tensor& t) { return t.narrow(0, 0, 1).narrow(2, 0, 1); };
                AttentionOptions o{.causal = causal};
                if (!causal) o.mask = mask;
                return scaled_dot_product_attention(one(x[0]), one(x[1]), one(x[2]), o);
              },
              inputs(130, keys, 24, 40, type));
        });
      }
}

TEST_CASE("attention refuses what does not fit", "[attention]") {
  const std::string op = "scaled_dot_product_attention";
  List x = inputs(3, 4, 4, 4, DType::f32);
  check::refuses([&] { scaled_dot_product_attention(x[0].select(0, 0), x[1], x[2]); }, op, {"[3, 3, 4]", "[N, L, heads, d]"});
  check::refuses([&] { scaled_dot_product_attention(x[0], x[1], x[2].narrow(1, 0, 3)); }, op, {"[2, 3, 3, 4]", "length of k and v"});
  check::refuses([&] { scaled_dot_product_attention(x[0], x[1], x[2].to(DType::f64)); }, op, {"f64", "one type"});
  check::refuses([&] { scaled_dot_product_attention(x[0], x[1], x[2], {.mask = Tensor::zeros({2, 4})}); }, op, {"[2, 4]", "[2, 3, 3, 4]"});
  check::refuses([&] { scaled_dot_product_attention(x[0], x[1], x[2], {.mask = Tensor::zeros({3, 4}, DType::i32)}); }, op, {"i32"});
  check::refuses([&] { self_attention(x[0]); }, "self_attention", {"[2, 3, 3, 4]"});
}
