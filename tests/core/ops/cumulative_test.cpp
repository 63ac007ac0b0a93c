/// Running sums and their kin: PyTorch's values and gradients, plain loops along long lines, special numbers, refusals.
#include "tenon/cumulative.hpp"

#include <limits>

#include "core/ops/golden_cases.hpp"
#include "tenon/plan.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using golden::In;
using golden::made;
using golden::Values;

namespace {

const std::vector<golden::Case> kGolden{
#include "golden/cumulative.inc"
};
constexpr double kInf = std::numeric_limits<double>::infinity(), kNaN = std::numeric_limits<double>::quiet_NaN();

std::map<std::string, golden::Run> runs() {
  const Tensor x = made(1, {3, 5, 2}), b = made(2, {3, 5, 2}), zeros = x.clone();
  for (int i : {3, 4, 11, 20, 24}) zeros.data<double>()[i] = 0;
  std::map<std::string, golden::Run> all{
      {"cumprod_zeros", {{zeros}, [](const In& v) { return cumprod(v[0], 1); }}},
      {"logcumsumexp_far", {{x * 300.0}, [](const In& v) { return logcumsumexp(v[0], 1); }}},
      {"recurrence", {{x, b}, [](const In& v) { return linear_recurrence(v[0], v[1], 1); }}},
      {"recurrence_reverse", {{x, b}, [](const In& v) { return linear_recurrence(v[0], v[1], 1, true); }}},
  };
  for (int axis : {0, 1, 2}) {
    const std::string n = std::to_string(axis);
    all["cumsum_" + n] = {{x}, [=](const In& v) { return cumsum(v[0], axis); }};
    all["cumsum_reverse_" + n] = {{x}, [=](const In& v) { return cumsum(v[0], axis - 3, true); }};
    all["cumprod_" + n] = {{x}, [=](const In& v) { return cumprod(v[0], axis); }};
    all["logcumsumexp_" + n] = {{x}, [=](const In& v) { return logcumsumexp(v[0], axis); }};
    all["cummax_" + n] = {{x}, [=](const In& v) { return cummax(v[0], axis).values; }};
    all["cummax_indices_" + n] = {{x}, [=](const In& v) { return cummax(v[0], axis).indices; }};
    all["cummin_" + n] = {{x}, [=](const In& v) { return cummin(v[0], axis).values; }};
    all["cummin_indices_" + n] = {{x}, [=](const In& v) { return cummin(v[0], axis).indices; }};
  }
  return all;
}

}  // namespace

TEST_CASE("cumulative ops and their gradients against PyTorch", "[cumulative]") {
  golden::check_all(kGolden, runs());
}

TEST_CASE("running sums along lines of every length, both ways", "[cumulative]") {
  for (std::int64_t n : {1, 3, 4, 7, 1000, 32767, 32768, 100003}) {
    const Tensor x = random_normal({n}, 7, 1);
    const Tensor y = cumsum(x, 0), back = cumsum(x, 0, true);
    double total = 0, total_back = 0, error = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t j = n - 1 - i;
      total += double(x.data<float>()[i]);
      total_back += double(x.data<float>()[j]);
      error = std::max(error, std::abs(total - double(y.data<float>()[i])) / (1 + std::abs(total)));
      error = std::max(error, std::abs(total_back - double(back.data<float>()[j])) / (1 + std::abs(total_back)));
    }
    CHECK(error < 1.2e-7);  // one rounding to f32
  }
}

TEST_CASE("running logarithms of sums along a long line", "[cumulative]") {
  const std::int64_t n = 40000;
  const Tensor x = random_normal({n}, 7, 2, 0, 3).to(DType::f64), y = logcumsumexp(x, 0);
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    sum += std::exp(x.data<double>()[i]);
    REQUIRE(std::abs(y.data<double>()[i] - std::log(sum)) < 1e-11);
  }
}

TEST_CASE("whole numbers are counted in i64", "[cumulative]") {
  const Tensor flags = Tensor::from(std::vector<std::int64_t>{1, 0, 1, 1}, {4}).to(DType::boolean);
  CHECK(cumsum(flags, 0).dtype() == DType::i64);
  CHECK(cumsum(flags, 0).to_vector() == Values{1, 1, 2, 3});
  const Tensor bytes = Tensor::full({40000}, 200, DType::u8);
  CHECK(cumsum(bytes, 0).to_vector()[39999] == 8000000);
  CHECK(cumprod(Tensor::full({9}, 7, DType::i8), 0).to_vector()[8] == 40353607);
  CHECK(cummax(Tensor::from(std::vector<std::int64_t>{3, 1, 3, 4}, {4}).to(DType::u8), 0).indices.to_vector() == Values{0, 0, 0, 3});
}

TEST_CASE("16-bit lines are summed wide", "[cumulative]") {
  const Tensor y = cumsum(Tensor::full({4096}, 1, DType::bf16), 0);
  CHECK(y.dtype() == DType::bf16);
  CHECK(y.to_vector()[4095] == 4096);
  CHECK(cumprod(Tensor::full({8}, 2, DType::f16), 0).to_vector()[7] == 256);
}

TEST_CASE("special numbers in cumulative ops", "[cumulative]") {
  const Tensor x = Tensor::from(Values{-kInf, -kInf, 1, -kInf, 2, kInf, 3}, {7});
  golden::require_same(logcumsumexp(x, 0).to_vector(), {-kInf, -kInf, 1, 1, std::log(std::exp(1) + std::exp(2)), kInf, kInf});
  golden::require_same(logcumsumexp(Tensor::from(Values{1, kNaN, 2}, {3}), 0).to_vector(), {1, kNaN, kNaN});
  golden::require_same(cummax(Tensor::from(Values{1, kNaN, 2, kNaN}, {4}), 0).values.to_vector(), {1, kNaN, kNaN, kNaN});
  CHECK(cummax(Tensor::from(Values{1, kNaN, 2, kNaN}, {4}), 0).indices.to_vector() == Values{0, 1, 1, 1});
  CHECK(cummin(Tensor::from(Values{1, 1, 0, 0}, {4}), 0).indices.to_vector() == Values{0, 0, 2, 2});
  // terms that are not there get no gradient, and spoil none
  Tensor masked = Tensor::from(Values{-kInf, -kInf, 1, -kInf, 2}, {5});
  masked.set_requires_grad();
  sum(logcumsumexp(masked, 0).narrow(0, 2, 3)).backward();
  const double share = std::exp(1) / (std::exp(1) + std::exp(2));
  golden::require_same(masked.grad().to_vector(), {0, 0, 2 + share, 0, 1 - share});
}

TEST_CASE("cumulative ops give the same bits for any number of threads", "[cumulative]") {
  for (const Shape& shape : {Shape{70001}, Shape{30, 500}, Shape{3, 50, 70}}) {
    const Tensor x = random_normal(shape, 9, 1), a = random_uniform(shape, 9, 2, -1, 1);
    const int axis = shape.rank() == 3 ? 1 : -1;
    check::same_bits([&] {
      In out{cummax(x, axis).values, cummin(x, axis).indices};
      for (const check::Function& f : {check::Function([&](const In& v) { return cumsum(v[0], axis); }),
                                       check::Function([&](const In& v) { return cumprod(v[0], axis); }),
                                       check::Function([&](const In& v) { return logcumsumexp(v[0], axis); }),
                                       check::Function([&](const In& v) { return linear_recurrence(a, v[0], axis); })})
        for (const Tensor& t : check::with_gradients(f, {x})) out.push_back(t);
      return out;
    });
  }
}

TEST_CASE("cumulative ops replay, take empty tensors, and refuse what does not fit", "[cumulative][plan]") {
  using check::refuses;
  Tensor x = made(1, {4}), y;
  StepPlan plan = StepPlan::record([&] { y = cumsum(x, 0); });
  x.assign(Tensor::from(Values{1, 2, 3, 4}, {4}));
  plan.run();
  CHECK(y.to_vector() == Values{1, 3, 6, 10});
  for (const Tensor& none : {Tensor::empty({0, 3}, DType::f64), Tensor::empty({3, 0}, DType::f64)}) {
    CHECK(cumsum(none, 1).shape() == none.shape());
    CHECK(cumprod(none, 0).shape() == none.shape());
    CHECK(logcumsumexp(none, 1).shape() == none.shape());
    CHECK(cummax(none, 1).values.shape() == none.shape());
    CHECK(linear_recurrence(none, none, 1).shape() == none.shape());
  }
  refuses([&] { cumsum(x, 1); }, "cumsum", {"axis 1", "[4]"});
  refuses([&] { cumprod({}, 0); }, "cumprod", {"undefined"});
  refuses([&] { logcumsumexp(x.to(DType::i64), 0); }, "logcumsumexp", {"i64[4]"});
  refuses([&] { cummax(x, -2); }, "cummax", {"axis -2"});
  refuses([&] { cummin({}, 0); }, "cummin", {"undefined"});
  refuses([&] { linear_recurrence(x, made(1, {5}), 0); }, "linear_recurrence", {"[4]", "[5]"});
  refuses([&] { linear_recurrence(x.to(DType::i32), x.to(DType::i32), 0); }, "linear_recurrence", {"i32"});
}

TEST_CASE("cumulative ops refuse complex numbers by name", "[cumulative][misuse]") {
  const Tensor z = Tensor::zeros({4}, DType::c64);
  check::refuses([&] { cumsum(z, 0); }, "cumsum", {"c64[4]"});
  check::refuses([&] { cumprod(z, 0); }, "cumprod", {"c64[4]"});
  check::refuses([&] { cummax(z, 0); }, "cummax", {"c64[4]"});
  check::refuses([&] { cummin(z, 0); }, "cummin", {"c64[4]"});
}
