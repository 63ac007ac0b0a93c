#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>

#include "tenon/autograd.hpp"
#include "tenon/device.hpp"
#include "tenon/error.hpp"
#include "tenon/ops.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using Catch::Matchers::Contains;
using Values = std::vector<double>;

namespace {

Tensor noise(const Shape& shape, DType dtype = DType::f32, std::uint64_t stream = 0) {
  Random random(3, stream);
  std::vector<double> v(std::size_t(shape.numel()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = double(random.normal(i)) + 0.25;
  return Tensor::from(v, shape).to(dtype);
}

/// Sum over `marked` axes by plain loops in long double.
Values plain_sum(const Tensor& x, const std::vector<bool>& marked) {
  auto values = x.to_vector();
  std::int64_t n = 1;
  std::vector<std::int64_t> steps(marked.size(), 0);
  for (int i = x.rank() - 1; i >= 0; --i)
    if (!marked[std::size_t(i)]) {
      steps[std::size_t(i)] = n;
      n *= x.size(i);
    }
  std::vector<long double> sums(std::size_t(n), 0);
  for (std::size_t e = 0; e < values.size(); ++e) {
    std::int64_t rest = std::int64_t(e), at = 0;
    for (int i = x.rank() - 1; i >= 0; --i) {
      at += rest % x.size(i) * steps[std::size_t(i)];
      rest /= x.size(i);
    }
    sums[std::size_t(at)] += values[e];
  }
  return Values(sums.begin(), sums.end());
}

template <class F>
void same_bits_for_all_thread_counts(F&& f) {
  const int before = thread_count();
  Tensor first;
  for (int threads : {1, 2, 4, 3}) {
    set_thread_count(threads);
    Tensor y = f();
    if (!first.defined()) {
      first = y;
    } else {
      CHECK(std::memcmp(first.raw(), y.raw(), y.nbytes()) == 0);
    }
  }
  set_thread_count(before);
}

}  // namespace

TEST_CASE("sums over any axes of odd shapes equal plain sums", "[reduce]") {
  const std::vector<Shape> shapes{{1}, {7}, {4097}, {3, 5, 7}, {2, 1, 3, 4}, {5, 8193}, {8193, 3}, {2, 4099, 2}, {1, 1, 1}, {3, 2000}};
  for (const Shape& shape : shapes) {
    Tensor x = noise(shape, DType::f64);
    for (unsigned mask = 1; mask < 1u << shape.rank(); ++mask) {
      std::vector<bool> marked;
      std::vector<int> axes, negative;
      Shape kept = shape;
      for (int i = 0; i < shape.rank(); ++i) {
        marked.push_back(mask >> i & 1);
        if (!marked.back()) continue;
        axes.push_back(i);
        negative.push_back(i - shape.rank());
        kept[i] = 1;
      }
      INFO(shape.str() << " axes mask " << mask);
      Tensor y = sum(x, axes);
      auto got = y.to_vector(), expected = plain_sum(x, marked);
      REQUIRE(got.size() == expected.size());
      for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == Approx(expected[i]).epsilon(1e-12).margin(1e-11));
      CHECK(sum(x, negative).to_vector() == got);
      CHECK(sum(x, axes, true).shape() == kept);
      CHECK(sum(x, axes, true).to_vector() == got);
    }
  }
}

TEST_CASE("sums of strided views and wide rows", "[reduce]") {
  Tensor x = noise({6, 2500, 5}, DType::f64);
  Tensor view = x.permute({2, 0, 1}).narrow(2, 3, 2100);
  auto got = sum(view, {1}).to_vector(), expected = plain_sum(view, {false, true, false});
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == Approx(expected[i]).margin(1e-12));
}

TEST_CASE("sums of axes in another order than memory's equal those of a dense copy", "[reduce]") {
  for (DType type : {DType::f64, DType::f32, DType::bf16, DType::i16}) {
    const Tensor x = noise({5, 70, 3, 41}).to(DType::i16).to(type);  // whole numbers, so that every order gives the same
    for (const Tensor& view : {x.permute({3, 1, 0, 2}), x.permute({0, 3, 2, 1}), x.permute({1, 3, 2, 0}).narrow(1, 4, 30), x.permute({3, 0, 1, 2}).narrow(2, 5, 1)})
      for (unsigned mask = 1; mask < 16; ++mask) {
        std::vector<int> axes;
        for (int i = 0; i < 4; ++i)
          if (mask >> i & 1) axes.push_back(i);
        INFO(view.str() << " axes mask " << mask);
        const Tensor got = sum(view, axes);
        CHECK(got.is_contiguous());
        CHECK(got.to_vector() == sum(view.clone(), axes).to_vector());
      }
  }
  Tensor x = noise({4, 6}, DType::f64).set_requires_grad();
  sum(mul(sum(x.transpose(0, 1), {1}), Tensor::arange(6).to(DType::f64))).backward();
  CHECK(x.grad().to_vector() == Tensor::arange(6).to(DType::f64).expand({4, 6}).to_vector());
}

TEST_CASE("the largest and smallest numbers of small types sum exactly over long runs", "[reduce]") {
  for (const Shape& shape : {Shape{8192, 1}, Shape{8192, 3}, Shape{2, 5000}}) {
    CHECK(sum(Tensor::full(shape, 255, DType::u8)).item() == 255.0 * double(shape.numel()));
    CHECK(sum(Tensor::full(shape, -32768, DType::i16), {0}).to_vector()[0] == -32768.0 * double(shape[0]));
    CHECK(sum(Tensor::full(shape, -2147483648.0, DType::i32), {0}).to_vector()[0] == -2147483648.0 * double(shape[0]));
    CHECK(sum(Tensor::full(shape, 1, DType::boolean), {1}).to_vector()[0] == double(shape[1]));
  }
}

TEST_CASE("a sum over ten million values is exact to the last bits", "[reduce]") {
  const std::int64_t n = 10'000'000;
  Tensor tenth = Tensor::full({n}, 0.1);
  CHECK(sum(tenth).item() == double(float(double(0.1f) * double(n))));
  CHECK(mean(tenth).item() == Approx(0.1).epsilon(1e-7));
  Tensor bits = Tensor::full({n}, 1, DType::u8);
  CHECK(sum(bits).item() == double(n));
  CHECK(sum(Tensor::full({n}, 0.5, DType::bf16)).item() == double(float(bf16(5e6f))));
}

TEST_CASE("integers and bool sum to i64 exactly", "[reduce]") {
  CHECK(sum(Tensor::full({1000}, 200, DType::u8)).item() == 200000);
  CHECK(sum(Tensor::full({1000}, 200, DType::u8)).dtype() == DType::i64);
  CHECK(sum(Tensor::full({5, 3}, 1, DType::boolean), {0}).to_vector() == Values{5, 5, 5});
  const std::int64_t big = (std::int64_t(1) << 53) + 1;
  Tensor s = sum(Tensor::from(std::vector<std::int64_t>{big, 1, 1}, {3}));
  CHECK(s.data<std::int64_t>()[0] == big + 2);
}

TEST_CASE("16-bit sums are rounded once, also over separate axes", "[reduce]") {
  Tensor x = noise({40, 3, 50}, DType::bf16);
  auto got = sum(x, {0, 2}).to_vector(), exact = plain_sum(x, {true, false, true});
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == double(float(bf16(float(exact[i])))));
}

TEST_CASE("16-bit sums are those of doubles, also where four numbers are beyond f32", "[reduce]") {
  const double big = 3e38;
  std::vector<double> large(4096, big);
  for (std::size_t i = large.size() / 2; i < large.size(); ++i) large[i] = -big;
  CHECK(sum(Tensor::from(large, {4096}).to(DType::bf16)).item() == 0);
  large[7] = std::numeric_limits<double>::infinity();
  CHECK(sum(Tensor::from(large, {4096}).to(DType::bf16)).item() == large[7]);
  for (DType type : {DType::f16, DType::bf16})
    for (std::int64_t n : {163, 5000}) {
      const Tensor x = (noise({3, n}, DType::f64) + 1.0).to(type);
      CHECK(sum(x, {1}).to_vector() == sum(x.to(DType::f64), {1}).to(type).to_vector());
    }
}

TEST_CASE("reductions give the same bits for any thread count", "[reduce]") {
  Tensor x = noise({7, 40000}), y = noise({100000, 3}), z = noise({300001}), w = noise({3, 70000});
  same_bits_for_all_thread_counts([&] { return sum(x, {1}); });
  same_bits_for_all_thread_counts([&] { return sum(y, {0}); });
  same_bits_for_all_thread_counts([&] { return sum(z); });
  same_bits_for_all_thread_counts([&] { return sum(w, {0}); });
  same_bits_for_all_thread_counts([&] { return var(x, {1}); });
  same_bits_for_all_thread_counts([&] { return sum(w.transpose(0, 1), {1}); });
  same_bits_for_all_thread_counts([&] { return max(y, 0); });
  same_bits_for_all_thread_counts([&] { return argmax(y, 1); });
}

TEST_CASE("scalars and empty axes", "[reduce]") {
  Tensor s = Tensor::full({}, 3);
  Tensor t = sum(s);
  CHECK(t.item() == 3);
  CHECK(t.storage() != s.storage());
  CHECK(sum(Tensor::zeros({0})).item() == 0);
  CHECK(sum(Tensor::zeros({2, 0, 3}), {1}).to_vector() == Values{0, 0, 0, 0, 0, 0});
  CHECK(sum(Tensor::zeros({2, 0, 3}), {0}).shape() == Shape{0, 3});
  CHECK_THROWS_WITH(mean(Tensor::zeros({2, 0}), {1}), Contains("mean: no elements along the axes of f32[2, 0] cpu"));
  CHECK_THROWS_WITH(max(Tensor::zeros({2, 0}), 1), Contains("max: the axis 1 of f32[2, 0] cpu is empty"));
  CHECK(max(Tensor::zeros({0, 3}), 1).numel() == 0);
}

TEST_CASE("mean and var", "[reduce]") {
  Tensor x = Tensor::from(Values{1, 2, 3, 4, 5, 12}, {2, 3});
  CHECK(mean(x, {1}).to_vector() == Values{2, 7});
  CHECK(mean(x).item() == Approx(4.5));
  auto v = var(x, {-1}, true);
  CHECK(v.shape() == Shape{2, 1});
  CHECK(v.to_vector()[0] == Approx(2.0 / 3));
  CHECK(v.to_vector()[1] == Approx(38.0 / 3));
}

TEST_CASE("max, min and argmax take the first of ties and let NaN through", "[reduce]") {
  Tensor x = Tensor::from(Values{1, 3, 3, 2, 5, 5, 5, 0}, {2, 4});
  CHECK(max(x, 1).to_vector() == Values{3, 5});
  CHECK(min(x, 1).to_vector() == Values{1, 0});
  CHECK(argmax(x, 1).to_vector() == Values{1, 0});
  CHECK(argmax(x, 1).dtype() == DType::i64);
  CHECK(max(x, 0).to_vector() == Values{5, 5, 5, 2});
  CHECK(argmax(x, -2).to_vector() == Values{1, 1, 1, 0});
  CHECK(max(x, 0, true).shape() == Shape{1, 4});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Tensor n = Tensor::from(Values{1, nan, 7, nan}, {4});
  CHECK(std::isnan(max(n, 0).item()));
  CHECK(std::isnan(min(n, 0).item()));
  CHECK(argmax(n, 0).item() == 1);
  CHECK(max(Tensor::from(std::vector<std::int32_t>{-5, -2}, {2}), 0).item() == -2);
}

TEST_CASE("extremes along any axis, however x lies, are those of plain loops", "[reduce]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (DType type : {DType::f32, DType::f64, DType::bf16, DType::i8, DType::i64, DType::boolean}) {
    Tensor base = noise({3, 37, 5, 9}, DType::f64).to(DType::i8).to(DType::f64);
    if (is_floating(type))
      for (std::int64_t at : {11, 900, 901, 2500}) base.data<double>()[at] = nan;
    base = base.to(type);
    for (const Tensor& x : {base, base.permute({3, 0, 2, 1}), base.permute({2, 3, 1, 0}).narrow(2, 1, 30), base.narrow(0, 0, 1).expand({2, 37, 5, 9})})
      for (int axis = 0; axis < 4; ++axis) {
        Tensor moved = x;
        for (int i = axis; i < 3; ++i) moved = moved.transpose(i, i + 1);
        const auto values = moved.to_vector(), largest = max(x, axis).to_vector(), smallest = min(x, axis).to_vector(), places = argmax(x, axis).to_vector();
        const std::size_t n = std::size_t(x.size(axis));
        std::int64_t wrong = 0;
        for (std::size_t r = 0; r < places.size(); ++r) {
          const double* row = values.data() + r * n;
          std::size_t best = 0, least = 0;
          for (std::size_t i = 1; i < n; ++i) {
            if (row[i] > row[best] || (std::isnan(row[i]) && !std::isnan(row[best]))) best = i;
            if (row[i] < row[least] || (std::isnan(row[i]) && !std::isnan(row[least]))) least = i;
          }
          const auto differ = [](double a, double b) { return std::isnan(a) ? !std::isnan(b) : a != b; };
          wrong += places[r] != double(best) || differ(largest[r], row[best]) || differ(smallest[r], row[least]);
        }
        INFO(x.str() << " axis " << axis);
        CHECK(wrong == 0);
      }
  }
}

TEST_CASE("the first extreme of a few long columns is found across parts of their rows", "[reduce]") {
  for (std::int64_t columns : {2, 3, 600}) {
    Tensor x = Tensor::zeros({20000, columns});
    for (std::int64_t row : {17000, 9000, 5000}) x.data<float>()[row * columns + 1] = 3;
    CHECK(argmax(x, 0).to_vector()[0] == 0);
    CHECK(argmax(x, 0).to_vector()[1] == 5000);
    x.data<float>()[12000 * columns + 1] = std::numeric_limits<float>::quiet_NaN();
    x.data<float>()[19000 * columns + 1] = std::numeric_limits<float>::quiet_NaN();
    CHECK(argmax(x, 0).to_vector()[1] == 12000);
    CHECK(max(x, 0).to_vector()[0] == 0);
  }
}

TEST_CASE("the gradient of max goes to the first maximum", "[reduce]") {
  Tensor x = Tensor::from(Values{1, 3, 3, 5, 2, 5}, {2, 3});
  x.set_requires_grad();
  sum(max(x, 1)).backward();
  CHECK(x.grad().to_vector() == Values{0, 1, 0, 1, 0, 0});
  x.set_grad({});
  sum(max(x, 0, true)).backward();
  CHECK(x.grad().to_vector() == Values{0, 1, 0, 1, 0, 1});
}

TEST_CASE("sum_to undoes a broadcast", "[reduce]") {
  Tensor x = noise({4, 3, 5}, DType::f64);
  CHECK(sum_to(x, {4, 3, 5}).storage() == x.storage());
  CHECK(sum_to(x, {3, 1}).to_vector() == sum(x, {0, 2}).to_vector());
  CHECK(sum_to(x, {5}).shape() == Shape{5});
  CHECK(sum_to(x, {}).item() == Approx(sum(x).item()));
  CHECK_THROWS_WITH(sum_to(Tensor::zeros({3}), {2, 3}), Contains("sum_to: f32[3] cpu has fewer axes"));
  CHECK_THROWS(sum_to(x, {2, 3, 5}));
}

TEST_CASE("reductions refuse wrong axes by name", "[reduce]") {
  Tensor x = Tensor::zeros({2, 3});
  CHECK_THROWS_WITH(sum(x, {2}), Contains("sum: axis 2 is not within the axes of f32[2, 3] cpu"));
  CHECK_THROWS_WITH(mean(x, {-3}), Contains("mean: axis -3"));
  CHECK_THROWS_WITH(argmax(x, 5), Contains("argmax: axis 5"));
  CHECK_THROWS_WITH(min(x, 2), Contains("min: axis 2"));
  CHECK_THROWS_WITH(sum(Tensor()), Contains("sum: the operand is undefined"));
}

TEST_CASE("what a reduction refuses begins with its own name", "[reduce]") {
  Tensor x = Tensor::zeros({2, 3});
  CHECK_THROWS_WITH(var(x, {2}), Catch::Matchers::StartsWith("var: axis 2"));
  CHECK_THROWS_WITH(var(x.to(DType::i32)), Catch::Matchers::StartsWith("var: i32[2, 3] cpu is not floating point"));
  CHECK_THROWS_WITH(mean(Tensor::zeros({0, 3}), {0}), Catch::Matchers::StartsWith("mean: no elements"));
  CHECK_THROWS_WITH(sum(x, {0, 0}), Catch::Matchers::StartsWith("sum: axis 0 of f32[2, 3] cpu is given twice"));
  CHECK_THROWS_WITH(sum(x, {1, -1}), Catch::Matchers::StartsWith("sum: axis -1 of f32[2, 3] cpu is given twice"));
  CHECK_THROWS_WITH(sum_to(x, {4}), Catch::Matchers::StartsWith("sum_to: f32[2, 3] cpu is no broadcast of [4]"));
  CHECK_THROWS_WITH(random_uniform({-1}, 0, 0), Catch::Matchers::StartsWith("random_uniform: negative size"));
}

TEST_CASE("means and variances of halves are summed and divided in f32 and rounded once", "[reduce]") {
  CHECK(mean(Tensor::full({100000}, 1, DType::f16)).to_vector()[0] == 1);  // a sum beyond f16
  CHECK(mean(Tensor::full({1, 64, 64, 3}, 20, DType::f16), {1, 2}).to_vector() == std::vector<double>(3, 20));
  std::vector<float> signs(1000);
  for (std::size_t i = 0; i < signs.size(); ++i) signs[i] = i % 2 ? 20.0f : -20.0f;
  CHECK(var(Tensor::from(signs, {1000}).to(DType::f16)).to_vector()[0] == 400);
  std::vector<float> steps(1000);
  for (std::size_t i = 0; i < steps.size(); ++i) steps[i] = float(i % 7) * 0.37f;
  const Tensor halves = Tensor::from(steps, {1000}).to(DType::bf16);
  CHECK(mean(halves).to_vector()[0] == mean(halves.to(DType::f32)).to(DType::bf16).to_vector()[0]);
  Tensor x = Tensor::full({1000}, 3, DType::f16);
  x.set_requires_grad();
  mean(x).backward();
  CHECK(x.grad().to_vector()[999] == Approx(1e-3).epsilon(1e-3));
}
