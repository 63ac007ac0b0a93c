/// Embedding and RMS norm beyond the golden values: threads, types, errors.
#include "tenon/embedding.hpp"

#include <catch2/catch.hpp>

#include "core/ops/gradient_check.hpp"
#include "tenon/norms.hpp"

using namespace tenon;
using Catch::Matchers::Contains;
using List = std::vector<Tensor>;

TEST_CASE("embedding takes rows of any type and refuses an index outside", "[embedding]") {
  Tensor index = Tensor::from(std::vector<std::int32_t>{2, 0, 2}, {3});
  for (DType type : {DType::f32, DType::f64, DType::bf16}) {
    Tensor table = check::made(1, {3, 5}, type);
    CHECK(embedding(table, index).to_vector() ==
          concat({table.narrow(0, 2, 1), table.narrow(0, 0, 1), table.narrow(0, 2, 1)}, 0).to_vector());
  }
  Tensor table = Tensor::zeros({3, 5});
  CHECK_THROWS_WITH(embedding(table, Tensor::from(std::vector<std::int64_t>{0, 3}, {2})),
                    Contains("index 3 at position 1") && Contains("3 rows"));
  check::refuses([&] { embedding(table, table); }, "embedding", {"f32[3, 5]"});
  check::refuses([&] { embedding(table.select(0, 0), index); }, "embedding", {"[V, C]"});
  check::refuses([&] { embedding(table, index, 3); }, "embedding", {"padding index 3"});
}

namespace {

/// The gradient of a table against a loop, bit for bit.
void sums_in_order(std::int64_t rows, std::int64_t channels, DType type) {
  INFO(rows << " rows of " << channels);
  std::vector<std::int64_t> at;
  for (std::int64_t i = 0; i < 400; ++i) at.push_back(i * i * 7919 % rows);
  at[3] = rows - 1;
  const Tensor index = Tensor::from(at, {400}), d = random_normal({400, channels}, 1, 1).to(type);
  const List x = check::leaves({Tensor::zeros({rows, channels}, type)});
  const auto got = gradients({embedding(x[0], index, at[0])}, x, {d})[0].contiguous();
  const auto compare = [&](auto number) {
    using T = decltype(number);
    std::vector<T> expected(std::size_t(rows * channels));
    for (std::int64_t i = 0; i < 400; ++i)
      for (std::int64_t c = 0; at[std::size_t(i)] != at[0] && c < channels; ++c)
        expected[std::size_t(at[std::size_t(i)] * channels + c)] += d.data<T>()[i * channels + c];
    REQUIRE(std::equal(expected.begin(), expected.end(), got.data<T>()));
  };
  type == DType::f32 ? compare(float()) : compare(double());
}

}  // namespace

TEST_CASE("the gradient of tables of one block and of many is a sum in order", "[embedding]") {
  sums_in_order(37, 5, DType::f32);
  sums_in_order(700, 70, DType::f32);
  sums_in_order(9, 20000, DType::f64);
  sums_in_order(500, 33, DType::f64);
}

TEST_CASE("the gradient of a table beyond the caches is a sum in order", "[embedding][slow]") {
  sums_in_order(33001, 257, DType::f32);
}

TEST_CASE("embedding's gradient and RMS norm give the same bits for any number of threads", "[embedding][norm][threads]") {
  std::vector<std::int64_t> numbers;
  for (std::int64_t i = 0; i < 3000; ++i) numbers.push_back(i * i % 37);
  Tensor index = Tensor::from(numbers, {3000});
  check::same_bits([&] {
    List out = check::with_gradients([&](const List& x) { return embedding(x[0], index); }, {check::made(1, {37, 40}, DType::f32)});
    for (Tensor& t : check::with_gradients([](const List& x) { return rms_norm(x[0], x[1]); },
                                           {check::made(1, {300, 70}, DType::f32), check::made(2, {70}, DType::f32)}))
      out.push_back(t);
    return out;
  });
}

TEST_CASE("RMS norm in f32 follows f64, bf16 goes through f32", "[norm]") {
  Tensor x = check::made(1, {5, 37}), scale = check::made(2, {37});
  List wide = check::with_gradients([](const List& v) { return rms_norm(v[0], v[1]); }, {x, scale});
  List narrow = check::with_gradients([](const List& v) { return rms_norm(v[0], v[1]); }, {x.to(DType::f32), scale.to(DType::f32)});
  for (std::size_t i = 0; i < wide.size(); ++i) check::require_close(narrow[i].to_vector(), wide[i].to_vector(), 1e-5);
  Tensor half = x.to(DType::bf16), f = scale.to(DType::f32);
  CHECK(rms_norm(half, f).to_vector() == rms_norm(half.to(DType::f32), f).to(DType::bf16).to_vector());
  check::refuses([&] { rms_norm(x, scale.narrow(0, 0, 3)); }, "rms_norm", {"[3]"});
}

TEST_CASE("sinusoidal positions", "[embedding]") {
  std::vector<double> p = sinusoidal_positions(3, 4, 100).to_vector();
  check::require_close(
      p,
      {0, 1, 0, 1, std::sin(1.0), std::cos(1.0), std::sin(0.1), std::cos(0.1), std::sin(2.0), std::cos(2.0), std::sin(0.2), std::cos(0.2)},
      1e-7);
}
