/// concat, split, pad, flip and one_hot: values of every element type, gradients, wrong use.
#include <limits>

#include "core/ops/gradient_check.hpp"

using namespace tenon;
using check::made;

namespace {

const DType kAll[] = {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i8, DType::i16, DType::i32, DType::i64, DType::u8};

Tensor counting(const Shape& shape, DType type, std::int64_t start = 0) {
  std::vector<std::int64_t> v(std::size_t(shape.numel()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = start + std::int64_t(i);
  return Tensor::from(v, shape).to(type);
}

}  // namespace

TEST_CASE("concat lays parts side by side along any axis, in every type", "[shape_ops]") {
  for (DType type : kAll) {
    INFO(name_of(type));
    Tensor a = counting({2, 2}, type), b = counting({2, 1}, type, 10);
    REQUIRE(concat({a, b}, 1).to_vector() == std::vector<double>{0, 1, 10, 2, 3, 11});
    REQUIRE(concat({a, b, a}, -1).to_vector() == std::vector<double>{0, 1, 10, 0, 1, 2, 3, 11, 2, 3});
    REQUIRE(concat({a, counting({1, 2}, type, 7)}, 0).to_vector() == std::vector<double>{0, 1, 2, 3, 7, 8});
    REQUIRE(concat({a}, 0).dtype() == type);
  }
  Tensor strided = counting({2, 3}, DType::f32).transpose(0, 1);
  REQUIRE(concat({strided, counting({3, 1}, DType::f32, 50)}, 1).to_vector() == std::vector<double>{0, 3, 50, 1, 4, 51, 2, 5, 52});
  REQUIRE(concat({Tensor::empty({2, 0}), counting({2, 1}, DType::f32)}, 1).to_vector() == std::vector<double>{0, 1});
}

TEST_CASE("concat of channels is right for the sizes with a copy of their own", "[shape_ops]") {
  for (std::int64_t left : {1, 3, 8, 16, 32, 64, 65})
    for (DType type : {DType::f32, DType::bf16}) {
      Tensor a = counting({2, 3, left}, type), b = counting({2, 3, 32}, type, 3);
      Tensor whole = concat({a, b}, 2);
      REQUIRE(whole.narrow(2, 0, left).to_vector() == a.to_vector());
      REQUIRE(whole.narrow(2, left, 32).to_vector() == b.to_vector());
    }
}

TEST_CASE("concat of single elements, and of few long rows, is right", "[shape_ops]") {
  for (DType type : {DType::u8, DType::i16, DType::f32, DType::f64})
    for (int count : {2, 3, 4, 5, 7, 16})
      for (std::int64_t rows : {1, 5, 16, 67}) {
        std::vector<Tensor> parts;
        for (int i = 0; i < count; ++i) parts.push_back(counting({rows, 1}, type, i + 1));
        Tensor whole = concat(parts, 1);
        for (int i = 0; i < count; ++i) REQUIRE(whole.narrow(1, i, 1).contiguous().to_vector() == parts[std::size_t(i)].to_vector());
      }
  Tensor a = counting({2, 40000}, DType::f32), b = counting({2, 3}, DType::f32, 7), c = counting({2, 20001}, DType::f32, 9);
  Tensor whole = concat({a, b, c}, 1);
  REQUIRE(whole.narrow(1, 0, 40000).contiguous().to_vector() == a.to_vector());
  REQUIRE(whole.narrow(1, 40000, 3).contiguous().to_vector() == b.to_vector());
  REQUIRE(whole.narrow(1, 40003, 20001).contiguous().to_vector() == c.to_vector());
  auto x = check::leaves({made(5, {2, 40000}, DType::f32), made(6, {2, 20001}, DType::f32)});
  Tensor d = made(7, {2, 60001}, DType::f32);
  auto g = gradients({concat(x, 1)}, x, {d});
  REQUIRE(g[0].to_vector() == d.narrow(1, 0, 40000).contiguous().to_vector());
  REQUIRE(g[1].to_vector() == d.narrow(1, 40000, 20001).contiguous().to_vector());
}

TEST_CASE("split undoes concat without a copy", "[shape_ops]") {
  Tensor x = counting({3, 7, 2}, DType::f32);
  std::vector<Tensor> parts = split(x, {2, 0, 4, 1}, 1);
  REQUIRE(parts.size() == 4);
  REQUIRE(parts[1].shape() == Shape{3, 0, 2});
  REQUIRE(parts[2].storage() == x.storage());
  REQUIRE(concat(parts, 1).to_vector() == x.to_vector());
}

TEST_CASE("pad surrounds with its value in every type", "[shape_ops]") {
  for (DType type : kAll) {
    INFO(name_of(type));
    Tensor x = counting({2, 2}, type, 1);
    REQUIRE(pad(x, {1, 0}, {0, 2}, 5).to_vector() == std::vector<double>{5, 5, 5, 5, 1, 2, 5, 5, 3, 4, 5, 5});
    REQUIRE(pad(x, {0, 1}, {0, 0}).to_vector() == std::vector<double>{0, 1, 2, 0, 3, 4});
    REQUIRE(pad(x, {1, 0}, {1, 0}, 7).to_vector() == std::vector<double>{7, 7, 1, 2, 3, 4, 7, 7});
  }
  Tensor deep = counting({2, 3, 2, 4}, DType::f32), padded = pad(deep, {0, 1, 2, 0}, {0, 0, 1, 0}, -1);
  REQUIRE(padded.shape() == Shape{2, 4, 5, 4});
  REQUIRE(padded.narrow(1, 1, 3).narrow(2, 2, 2).to_vector() == deep.to_vector());
  REQUIRE(sum(padded).item() == Approx(sum(deep).item() - double(padded.numel() - deep.numel())));
}

TEST_CASE("flip of rows of any length is right", "[shape_ops]") {
  for (DType type : {DType::u8, DType::bf16, DType::f32, DType::f64, DType::c128})
    for (std::int64_t n : {1, 4, 15, 16, 33, 70001}) {
      Tensor x = counting({n}, type == DType::c128 ? DType::f64 : type).to(type), y = flip(x, {0});
      const char *from = static_cast<const char*>(x.raw()), *to = static_cast<const char*>(y.raw());
      const std::size_t bytes = size_of(type);
      bool right = true;
      for (std::size_t i = 0; i < std::size_t(n); ++i)
        right = right && std::memcmp(to + i * bytes, from + (std::size_t(n) - 1 - i) * bytes, bytes) == 0;
      REQUIRE(right);
    }
}

TEST_CASE("flip turns axes round in every type", "[shape_ops]") {
  for (DType type : kAll) {
    INFO(name_of(type));
    Tensor x = counting({2, 3}, type);
    REQUIRE(flip(x, {0}).to_vector() == std::vector<double>{3, 4, 5, 0, 1, 2});
    REQUIRE(flip(x, {1}).to_vector() == std::vector<double>{2, 1, 0, 5, 4, 3});
    REQUIRE(flip(x, {0, -1}).to_vector() == std::vector<double>{5, 4, 3, 2, 1, 0});
    REQUIRE(flip(x, {}).to_vector() == x.to_vector());
  }
  Tensor v = made(1, {2, 3, 4, 5, 2});
  Tensor once = flip(v, {1, 3});
  REQUIRE(flip(once, {3, 1}).to_vector() == v.to_vector());
  REQUIRE(once.select(1, 0).select(2, 1).to_vector() == v.select(1, 2).select(2, 3).to_vector());
}

TEST_CASE("one_hot marks the class, and nothing for a label outside", "[shape_ops]") {
  for (DType labels : {DType::i8, DType::i16, DType::i32, DType::i64})
    for (DType type : kAll) {
      Tensor y = one_hot(Tensor::from(std::vector<std::int64_t>{2, -1, 0, 3}, {2, 2}).to(labels), 3, type);
      REQUIRE(y.shape() == Shape{2, 2, 3});
      REQUIRE(y.dtype() == type);
      REQUIRE(y.to_vector() == std::vector<double>{0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0});
    }
}

TEST_CASE("gradients of the shape ops, first and second", "[shape_ops][gradient]") {
  std::vector<Tensor> two{made(1, {2, 3, 2}), made(2, {2, 1, 2})};
  check::first_gradients([](auto& v) { return concat({v[0], v[1], v[0]}, 1); }, two);
  check::second_gradients([](auto& v) { return square(concat({v[0], v[1], v[0]}, 1)); }, two);
  std::vector<Tensor> one{made(1, {2, 5, 2})};
  auto product = [](auto& v) {
    std::vector<Tensor> p = split(v[0], {2, 1, 2}, 1);
    return p[0] * p[2];  // the middle part is used by nobody
  };
  check::first_gradients(product, one);
  check::second_gradients(product, one);
  check::first_gradients([](auto& v) { return pad(v[0], {1, 0, 2}, {0, 1, 0}, 3); }, one);
  check::second_gradients([](auto& v) { return square(pad(v[0], {1, 0, 2}, {0, 1, 0}, 3)); }, one);
  check::first_gradients([](auto& v) { return flip(v[0], {0, 2}); }, one);
  check::second_gradients([](auto& v) { return square(flip(v[0], {1})); }, one);
}

TEST_CASE("bf16 gradients pass through concat unchanged", "[shape_ops][gradient]") {
  auto x = check::leaves({made(1, {3, 4, 32}, DType::bf16), made(2, {3, 4, 16}, DType::bf16)});
  Tensor whole = concat({x[0], x[1]}, -1), d = made(3, whole.shape(), DType::bf16);
  auto back = gradients({whole}, x, {d});
  REQUIRE(back[0].dtype() == DType::bf16);
  REQUIRE(back[0].to_vector() == d.narrow(2, 0, 32).to_vector());
  REQUIRE(back[1].to_vector() == d.narrow(2, 32, 16).to_vector());
}

TEST_CASE("shape ops give the same bits for every thread count", "[shape_ops][determinism]") {
  Tensor x = random_normal({2, 40, 41, 32}, 1, 1);
  check::same_bits([&] {
    return std::vector<Tensor>{concat({x, x}, -1), pad(x, {0, 1, 2, 3}, {1, 0, 0, 0}), flip(x, {1, 2}),
                               one_hot((x * 3.0).to(DType::i32), 4)};
  });
}

TEST_CASE("shape ops say what is wrong", "[shape_ops][misuse]") {
  Tensor x = made(1, {2, 3}, DType::f32);
  check::refuses([&] { concat({}, 0); }, "concat", {"no tensors"});
  check::refuses([&] { concat({x, made(1, {3, 3}, DType::f32)}, 1); }, "concat", {"part 1", "[3, 3]", "[2, 3]"});
  check::refuses([&] { concat({x, x.to(DType::bf16)}, 1); }, "concat", {"bf16", "f32"});
  check::refuses([&] { concat({x, x}, 2); }, "concat", {"axis 2", "[2, 3]"});
  check::refuses([&] { split(x, {1, 1}, 1); }, "split", {"[1, 1]", "axis 1", "[2, 3]"});
  check::refuses([&] { pad(x, {1}, {1}); }, "pad", {"[1]", "[2, 3]"});
  check::refuses([&] { pad(x, {-1, 0}, {0, 0}); }, "pad", {"[-1, 0]"});
  check::refuses([&] { flip(x, {1, -1}); }, "flip", {"twice", "[2, 3]"});
  check::refuses([&] { one_hot(x, 3); }, "one_hot", {"f32[2, 3]"});
  check::refuses([&] { one_hot(Tensor::arange(3), 0); }, "one_hot", {"0 classes"});
}

TEST_CASE("sizes that do not fit 63 bits are refused by the op's name", "[shape_ops][misuse]") {
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max(), half = std::int64_t(1) << 62;
  const Tensor x = made(1, {4}, DType::f32), wide = x.unsqueeze(0).expand({half, 4});
  check::refuses([&] { pad(x, {huge}, {huge}); }, "pad", {"does not fit"});
  check::refuses([&] { pad(x, {huge}, {0}); }, "pad", {"does not fit"});
  check::refuses([&] { pad(x, {half}, {0}); }, "pad", {"[4611686018427387908]", "does not fit"});
  check::refuses([&] { concat({wide, wide, wide}, 0); }, "concat", {"does not fit"});
  check::refuses([&] { split(x, {huge, huge, 6}, 0); }, "split", {"do not add up"});
  check::refuses([&] { one_hot(Tensor::zeros({4}, DType::i64), huge); }, "one_hot", {"does not fit"});
  check::refuses([&] { x.narrow(0, 1, huge); }, "narrow", {"positions 1 to 9223372036854775807"});
  check::refuses([&] { one_hot(Tensor::zeros({4}, DType::c64), 3); }, "one_hot", {"c64[4]", "integer"});
}
