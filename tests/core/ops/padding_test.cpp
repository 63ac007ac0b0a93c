/// Padding by rule against PyTorch and the definition, every element size, wrong use.
#include "tenon/padding.hpp"

#include <limits>

#include "core/grid_golden.hpp"

using namespace tenon;
using check::made;

namespace {

std::vector<AxisPadding> both(PaddingMode mode, std::int64_t b1, std::int64_t a1, std::int64_t b2, std::int64_t a2) {
  return {{1, {b1, mode}, {a1, mode}}, {2, {b2, mode}, {a2, mode}}};
}

}  // namespace

TEST_CASE("padding agrees with PyTorch in double, with gradients", "[padding]") {
  const Shape s{1, 5, 4, 2};
  golden::matches(
      "pad_reflect", [](auto& x) { return pad_axes(x, both(PaddingMode::reflect, 2, 0, 1, 3)); }, 5, s);
  golden::matches(
      "pad_edge", [](auto& x) { return pad_axes(x, both(PaddingMode::edge, 2, 0, 1, 3)); }, 5, s);
  golden::matches(
      "pad_circular", [](auto& x) { return pad_axes(x, both(PaddingMode::circular, 2, 0, 1, 3)); }, 5, s);
  golden::matches(
      "pad_constant", [](auto& x) { return pad_axes(x, both(PaddingMode::constant, 2, 0, 1, 2), 0.75); }, 5, s);
  golden::matches("pad_circular_3d",
                  [](auto& x) {
                    const PaddingMode c = PaddingMode::circular;
                    return pad_axes(x, {{-2, {1, c}, {0, c}}, {1, {0, c}, {3, c}}, {2, {2, c}, {1, c}}});
                  },
                  6, {1, 3, 4, 2, 1});
}

TEST_CASE("padding moves every element type, with a rule for each side", "[padding]") {
  for (DType type :
       {DType::u8, DType::i8, DType::i16, DType::i32, DType::i64, DType::f16, DType::bf16, DType::f32, DType::f64, DType::boolean}) {
    INFO(name_of(type));
    Tensor x = Tensor::arange(4, type == DType::boolean ? DType::i32 : type);
    if (type == DType::boolean) x = greater(x, Tensor::full({}, 1, DType::i32));
    const auto at = [&](int i) { return type == DType::boolean ? double(i > 1) : double(i); };
    Tensor y = pad_axes(x, {{0, {2, PaddingMode::circular}, {3, PaddingMode::reflect}}});
    REQUIRE(y.dtype() == type);
    REQUIRE(y.to_vector() == std::vector<double>{at(2), at(3), at(0), at(1), at(2), at(3), at(2), at(1), at(0)});
    Tensor z =
        pad_axes(x.reshape({1, 4}), {{0, {1, PaddingMode::constant}, {}}, {1, {1, PaddingMode::edge}, {1, PaddingMode::constant}}}, 1);
    REQUIRE(z.to_vector() == std::vector<double>{1, 1, 1, 1, 1, 1, at(0), at(0), at(1), at(2), at(3), 1});
  }
  Tensor view = made(1, {3, 4}).transpose(0, 1);
  REQUIRE(pad_axes(view, {{1, {1, PaddingMode::circular}, {}}}).select(1, 0).to_vector() == view.select(1, 2).to_vector());
  Tensor x = made(1, {2, 3});
  REQUIRE(pad_axes(x, {{0, {}, {}}}).to_vector() == x.to_vector());
  REQUIRE(pad_axes(Tensor::zeros({0, 3}), {{0, {2, PaddingMode::constant}, {}}}, 3).to_vector() == std::vector<double>(6, 3));
}

TEST_CASE("the gradient of padding is its transpose", "[padding]") {
  Tensor x = random_normal({2, 5, 6, 3}, 1, 1).to(DType::f64);
  const std::vector<AxisPadding> rule{{1, {3, PaddingMode::reflect}, {4, PaddingMode::circular}},
                                      {2, {2, PaddingMode::edge}, {6, PaddingMode::circular}}};
  auto leaf = check::leaves({x});
  Tensor y = pad_axes(leaf[0], rule), v = made(4, y.shape());
  REQUIRE(sum(y * v).item() == Approx(sum(x * gradients({y}, leaf, {v})[0]).item()).epsilon(1e-13));
}

TEST_CASE("padding gives the same bits for every thread count", "[padding][determinism]") {
  for (DType type : {DType::f32, DType::bf16}) {
    Tensor x = random_normal({2, 31, 40, 33}, 1, 1).to(type);
    check::same_bits(
        [&] { return check::with_gradients([](auto& v) { return pad_axes(v[0], both(PaddingMode::reflect, 3, 5, 2, 7)); }, {x}); });
  }
}

TEST_CASE("padding says what is wrong", "[padding][misuse]") {
  Tensor x = made(1, {2, 5, 4, 3}, DType::f32);
  const PaddingMode r = PaddingMode::reflect, c = PaddingMode::circular, e = PaddingMode::edge;
  check::refuses(
      [&] {
        pad_axes(x, {{1, {5, r}, {}}});
      },
      "pad_axes", {"5 reflect values before axis 1", "[2, 5, 4, 3]", "shorter", "at most 4"});
  check::refuses([&] { pad_axes(x, {{2, {}, {5, c}}}); }, "pad_axes", {"5 circular values after axis 2", "longer"});
  check::refuses([&] { pad_axes(x, {{2, {}, {-1, c}}}); }, "pad_axes", {"-1", "negative"});
  check::refuses([&] { pad_axes(x, {{4, {1, c}, {}}}); }, "pad_axes", {"axis 4", "[2, 5, 4, 3]"});
  check::refuses([&] { pad_axes(x, {{1, {1, c}, {}}, {-3, {1, c}, {}}}); }, "pad_axes", {"given twice"});
  check::refuses([&] { pad_axes(Tensor::zeros({0, 2}), {{0, {1, e}, {}}}); }, "pad_axes", {"nothing to repeat"});
  check::refuses([&] { pad_axes(Tensor(), {}); }, "pad_axes", {"undefined"});
  check::refuses([&] { padding_mode("circulr"); }, "padding_mode", {"circulr", "did you mean 'circular'"});
  REQUIRE(padding_mode("zero") == PaddingMode::constant);
  REQUIRE(padding_mode("replicate") == e);
}

TEST_CASE("padding beyond all sizes is refused by its name", "[padding][misuse]") {
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max(), half = std::int64_t(1) << 62;
  const Tensor x = made(1, {4}, DType::f32);
  for (std::int64_t n : {huge, half, std::int64_t(10000000000)}) {
    check::refuses([&] { pad_axes(x, {{0, {n}, {0}}}); }, "pad_axes", {"does not fit"});
    check::refuses([&] { pad_axes(x, {{0, {0}, {n, PaddingMode::edge}}}); }, "pad_axes", {"does not fit"});
    check::refuses([&] { pad_axes(x, {{0, {n}, {n}}}); }, "pad_axes", {"does not fit"});
  }
}
