// Products with an activation on the way: a feed-forward block takes them where they are, and a trial tells those that compute something else.
#include <catch2/catch.hpp>

#include <array>
#include <functional>
#include <string>

#include "backend/cuda/install.hpp"
#include "backend/cuda/product.hpp"
#include "core/ops/gradient_check.hpp"
#include "core/plan/same_values.hpp"
#include "cuda/device.hpp"
#include "cuda/twin.hpp"
#include "cuda_on_cpu/libraries/cublaslt.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "tenon/feed_forward.hpp"
#include "tenon/memory.hpp"
#include "tenon/plan.hpp"
#include "tenon/storage.hpp"

using namespace tenon;
using namespace under_test;
using cuda::ProductShape;
using cuda::on_cpu::Epilogues;
using cuda::on_cpu::Fault;
using In = std::vector<Tensor>;

namespace {

struct Having {
  explicit Having(Epilogues e) { cuda::on_cpu::set_epilogues(e); }
  ~Having() { cuda::on_cpu::set_epilogues(Epilogues::all); }
};

/// What a process has found of a product's sizes it knows: other `rows` for another library.
In inputs(DType type, std::int64_t rows = 9) {
  const DType wide = type == DType::f64 ? type : DType::f32;
  auto on = [](const Tensor& t) { return t.to(kDevice); };
  const DeviceScope host(kCpu);
  return {on(check::spread({2, rows, 24}, -1.5, 1.6).to(type)), on(check::spread({51, 24}, -0.4, 0.4).to(wide)), on(check::spread({51}, -0.5, 0.7).to(wide)),
          on(check::spread({16, 51}, -0.3, 0.3).to(wide)), on(check::spread({16}, -0.5, 0.4).to(wide))};
}
Tensor block(const In& x, FeedForwardActivation a) { return feed_forward(x[0], x[1], x[2], x[3], x[4], a); }
Tensor of_ops(const In& x, FeedForwardActivation a) {
  const Tensor h = linear(x[0], x[1], x[2]);
  return linear(a == FeedForwardActivation::relu ? relu(h) : a == FeedForwardActivation::gelu ? gelu(h) : gelu_tanh(h), x[3], x[4]);
}
/// The result, then the gradients of all inputs.
In results(const std::function<Tensor(const In&)>& f, const In& given) {
  const DeviceScope on(kDevice);
  const In x = check::leaves(given);
  const Tensor y = f(x);
  In all{y.detach()};
  for (const Tensor& d : gradients({sum(y * check::made(11, y.shape(), y.dtype()))}, x)) all.push_back(d);
  return all;
}

}  // namespace

TEST_CASE("a feed-forward block does its activation in the products that the device has", "[cuda_on_cpu][feed_forward]") {
  TENON_NEEDS_DEVICE();
  struct Have {
    Epilogues what;
    int relu, gelu;  ///< fused products that run: forward and backward
  };
  const std::vector<Have> all{{Epilogues::all, 2, 2}, {Epilogues::sums_in_f32, 2, 2}, {Epilogues::without_sums, 2, 2}, {Epilogues::without_gradients, 1, 1}, {Epilogues::without_auxiliary, 1, 0}, {Epilogues::none, 0, 0}};
  for (const DType type : {DType::f32, DType::bf16, DType::f16, DType::f64})
    for (const Have& have : all)
      for (const auto a : {FeedForwardActivation::relu, FeedForwardActivation::gelu_tanh, FeedForwardActivation::gelu}) {
        INFO(name_of(type) << ", activation " << int(a) << ", having " << int(have.what));
        const Having has(have.what);
        const In given = inputs(type, 9 + std::int64_t(&have - all.data()));
        const In want = results([=](const In& x) { return of_ops(x, a); }, given);
        (void)results([=](const In& x) { return block(x, a); }, given);  // products are tried
        cuda::on_cpu::fused_products_run();
        const In got = results([=](const In& x) { return block(x, a); }, given);
        const int runs = type == DType::f64 || a == FeedForwardActivation::gelu ? 0 : a == FeedForwardActivation::relu ? have.relu : have.gelu;
        CHECK(cuda::on_cpu::fused_products_run() == runs);
        REQUIRE(got.size() == want.size());
        for (std::size_t i = 0; i < got.size(); ++i) {
          INFO("result " << i);
          CHECK(got[i].dtype() == want[i].dtype());
          if (runs == 0) CHECK(same_values(got[i], want[i]));
          else CHECK(nmse(got[i].to(kCpu), want[i].to(kCpu)) <= tolerance_of(type));
        }
      }
}

TEST_CASE("a feed-forward block without history takes products that keep nothing", "[cuda_on_cpu][feed_forward]") {
  TENON_NEEDS_DEVICE();
  const Having has(Epilogues::without_auxiliary);
  for (const auto a : {FeedForwardActivation::relu, FeedForwardActivation::gelu_tanh}) {
    const DeviceScope on(kDevice);
    const In x = inputs(DType::f32, 30);
    (void)block(x, a);
    cuda::on_cpu::fused_products_run();
    const Tensor got = block(x, a);
    CHECK(cuda::on_cpu::fused_products_run() == 1);
    CHECK(nmse(got.to(kCpu), of_ops(x, a).to(kCpu)) <= tolerance_of(DType::f32));
  }
}

TEST_CASE("a feed-forward block that is computed again takes the same products both times", "[cuda_on_cpu][feed_forward]") {
  TENON_NEEDS_DEVICE();
  const DeviceScope on(kDevice);
  In x = check::leaves(inputs(DType::f32, 31));
  auto f = [](const In& v) { return In{block(v, FeedForwardActivation::gelu_tanh)}; };
  sum(f(x)[0]).backward();
  cuda::on_cpu::fused_products_run();
  Tensor y = recompute(f, x)[0];
  CHECK(cuda::on_cpu::fused_products_run() == 1);
  sum(y).backward();
  CHECK(cuda::on_cpu::fused_products_run() == 2);
  const Having has(Epilogues::without_auxiliary);  // which history needs
  x = check::leaves(inputs(DType::f32, 32));
  y = recompute(f, x)[0];
  CHECK(cuda::on_cpu::fused_products_run() == 0);
  // a block that needs no gradient itself, but whose result does: the second time as the first
  const In frozen = inputs(DType::f32, 33);
  const Tensor scale = Tensor::full({}, 2, DType::f32).set_requires_grad(true);
  sum(recompute([&](const In& v) { return In{f(frozen)[0] * v[0]}; }, {scale})[0]).backward();
  CHECK(cuda::on_cpu::fused_products_run() == 0);
}

TEST_CASE("second derivatives of a fused feed-forward block are those of its ops", "[cuda_on_cpu][feed_forward]") {
  TENON_NEEDS_DEVICE();
  auto second = [](const std::function<Tensor(const In&)>& f, const In& given) {
    const DeviceScope on(kDevice);
    const In x = check::leaves(given);
    const Tensor y = f(x);
    Tensor total = Tensor::zeros({}, DType::f32);
    for (const Tensor& d : gradients({sum(square(y))}, x, {}, true)) total = total + sum(square(d));
    return gradients({total}, x);
  };
  for (const auto a : {FeedForwardActivation::relu, FeedForwardActivation::gelu_tanh}) {
    const In given = inputs(DType::f32), got = second([=](const In& x) { return block(x, a); }, given), want = second([=](const In& x) { return of_ops(x, a); }, given);
    for (std::size_t i = 0; i < got.size(); ++i) CHECK(nmse(got[i].to(kCpu), want[i].to(kCpu)) <= 1e-8);
  }
}

TEST_CASE("a recorded feed-forward block has the bits of the eager one", "[cuda_on_cpu][feed_forward]") {
  TENON_NEEDS_DEVICE();
  for (const DType type : {DType::f32, DType::bf16})
    for (const auto a : {FeedForwardActivation::relu, FeedForwardActivation::gelu_tanh}) {
      const In given = inputs(type), eager = results([=](const In& x) { return block(x, a); }, given);
      In planned;
      StepPlan plan = StepPlan::record([&] { planned = results([=](const In& x) { return block(x, a); }, given); });
      for (int run = 0; run < 2; ++run) {
        plan.run();
        for (std::size_t i = 0; i < eager.size(); ++i) CHECK(same_values(eager[i], planned[i]));
      }
    }
}

TEST_CASE("a fused feed-forward block keeps no more than its ops do", "[cuda_on_cpu][feed_forward]") {
  TENON_NEEDS_DEVICE();
  auto kept = [](const std::function<Tensor(const In&)>& f, const In& given) {
    const DeviceScope on(kDevice);
    const In x = check::leaves(given);
    const std::size_t before = allocator(DeviceType::cuda).stats().in_use;
    const Tensor y = f(x);
    return allocator(DeviceType::cuda).stats().in_use - before;
  };
  constexpr std::int64_t kRows = 128;
  for (const DType type : {DType::f32, DType::bf16}) {
    const DType wide = DType::f32;
    const DeviceScope on(kDevice);
    const In given{check::made(1, {kRows, 32}, type), check::made(2, {256, 32}, wide), check::made(3, {256}, wide), check::made(4, {32, 256}, wide), check::made(5, {32}, wide)};
    for (const auto a : {FeedForwardActivation::relu, FeedForwardActivation::gelu_tanh}) {
      const std::size_t fused = kept([=](const In& x) { return block(x, a); }, given), ops = kept([=](const In& x) { return of_ops(x, a); }, given);
      INFO(name_of(type) << ", activation " << int(a) << ": " << fused << " and " << ops);
      CHECK(fused <= ops);
      if (a == FeedForwardActivation::relu) CHECK(fused + kRows * 256 * size_of(type) * 3 / 4 < ops);  // a bit in place of a value
    }
  }
}

// ---- the trial ------------------------------------------------------------------------------------------------------

namespace {

ProductShape shape(DType type, Epilogue e, bool bias, bool auxiliary, bool sums, std::int64_t m = 19, std::int64_t k = 24, std::int64_t n = 53) {
  ProductShape s;
  s.in = s.out = type;
  s.m = m, s.n = n, s.k = k;
  s.a_row = k, s.a_col = 1;
  if (is_gradient(e) || k == 1) s.b_row = n, s.b_col = 1;
  else s.b_row = 1, s.b_col = k;
  s.epilogue = e, s.bias = bias, s.auxiliary = auxiliary, s.sums = sums;
  return s;
}

/// What is told of a product that the process has not seen yet; "": it is taken.
std::string judged(const ProductShape& s, Fault fault) {
  const std::size_t before = cuda::choices_made().size();
  cuda::on_cpu::set_fault(fault);
  const bool taken = bool(cuda::make_fused_product(s));
  cuda::on_cpu::set_fault(Fault::none);
  const std::vector<std::string> told = cuda::choices_made();
  REQUIRE(told.size() == before + 1);
  CHECK(taken == told.back().ends_with(": in one pass"));
  static const std::string kApart = ": apart, ";
  return taken ? "" : told.back().substr(told.back().find(kApart) + kApart.size());
}

const Epilogue kAll[] = {Epilogue::relu, Epilogue::gelu_tanh, Epilogue::relu_gradient, Epilogue::gelu_tanh_gradient};

}  // namespace

TEST_CASE("a trial takes products that do their activation right", "[cuda_on_cpu][epilogue_trial]") {
  TENON_NEEDS_DEVICE();
  const Having has(Epilogues::sums_in_f32);
  begin_run(0);
  for (const DType type : {DType::f32, DType::bf16, DType::f16})
    for (const Epilogue e : kAll)
      for (const bool one : {false, true})
        for (const bool two : {false, true})
          for (const auto& [m, k, n] : {std::array<std::int64_t, 3>{19, 24, 53}, {1, 7, 3}, {40, 1, 8}, {130, 96, 16}, {5, 3, 1}}) {
            if (is_gradient(e) && two) continue;
            const ProductShape s = is_gradient(e) ? shape(type, e, false, false, one, m, k, n) : shape(type, e, one, two, false, m, k, n);
            INFO(name_of(type) << ", epilogue " << int(e) << ", " << one << two << ", " << m << " x " << k << " x " << n);
            CHECK(judged(s, Fault::none) == "");
          }
  end_run();
}

TEST_CASE("a trial finds what products with an activation do wrong", "[cuda_on_cpu][epilogue_trial]") {
  TENON_NEEDS_DEVICE();
  const Having has(Epilogues::sums_in_f32);
  begin_run(0);
  std::int64_t rows = 200;
  auto shape = [&](DType type, Epilogue e, bool bias, bool auxiliary, bool sums) { return ::shape(type, e, bias, auxiliary, sums, ++rows); };
  using Catch::Matchers::Contains;
  const auto far = Contains("times as far off as rounding is");
  for (const DType type : {DType::f32, DType::bf16, DType::f16}) {
    INFO(name_of(type));
    CHECK_THAT(judged(shape(type, Epilogue::relu, true, false, false), Fault::no_bias), far);
    CHECK_THAT(judged(shape(type, Epilogue::gelu_tanh, true, true, false), Fault::no_bias), far);
    CHECK(judged(shape(type, Epilogue::relu, true, false, false), Fault::nan_to_zero) == "a NaN does not stay one");
    CHECK(judged(shape(type, Epilogue::relu, false, true, false), Fault::nan_to_zero) == "a NaN does not stay one");
    CHECK_THAT(judged(shape(type, Epilogue::relu, false, true, false), Fault::bits_at_zero), Contains("where inputs are 0"));
    CHECK_THAT(judged(shape(type, Epilogue::relu, true, true, false), Fault::bits_at_zero), Contains("where inputs are 0"));
    CHECK_THAT(judged(shape(type, Epilogue::relu_gradient, false, false, false), Fault::bits_turned), far);
    CHECK_THAT(judged(shape(type, Epilogue::relu_gradient, false, false, true), Fault::last_sum), far);
    CHECK_THAT(judged(shape(type, Epilogue::gelu_tanh_gradient, false, false, true), Fault::last_sum), far);
  }
  CHECK_THAT(judged(shape(DType::f32, Epilogue::gelu_tanh, true, false, false), Fault::other_gelu), far);
  CHECK_THAT(judged(shape(DType::f32, Epilogue::gelu_tanh_gradient, false, false, false), Fault::other_gelu), far);
  end_run();
}

TEST_CASE("a product with an activation is taken where it takes no longer than the product and passes over its result", "[cuda_on_cpu][epilogue_trial]") {
  TENON_NEEDS_DEVICE();
  begin_run(0);
  const Having has(Epilogues::sums_in_f32);
  std::int64_t rows = 400;
  // a product takes 1 us and a copy a little more than 2: one for an activation, one and a half for its gradient, two for that with its sums
  const auto taken = [&](Epilogue e, bool sums, double microseconds) {
    cuda::on_cpu::set_fused_time(microseconds);
    const std::string why = judged(shape(DType::f32, e, false, false, sums, ++rows), Fault::none);
    cuda::on_cpu::set_fused_time(0);
    if (!why.empty()) CHECK(why == "no faster than the product and a pass over its result");
    return why.empty();
  };
  for (const Epilogue e : {Epilogue::relu, Epilogue::gelu_tanh}) {
    CHECK(taken(e, false, 2.9));
    CHECK_FALSE(taken(e, false, 3.5));
  }
  for (const bool sums : {false, true}) {
    CHECK(taken(Epilogue::gelu_tanh_gradient, sums, 4.9));
    CHECK_FALSE(taken(Epilogue::gelu_tanh_gradient, sums, 5.5));
  }
  end_run();
}

TEST_CASE("a trial tells products whose bits change, and finds no memory", "[cuda_on_cpu][epilogue_trial]") {
  TENON_NEEDS_DEVICE();
  const Having has(Epilogues::sums_in_f32);
  begin_run(0);
  auto product = [](std::int64_t rows) { return shape(DType::bf16, Epilogue::gelu_tanh_gradient, false, false, true, rows); };
  CHECK(judged(product(300), Fault::bits_change) == "its bits do not repeat");
  CHECK(judged(shape(DType::f32, Epilogue::relu, true, true, false, 300), Fault::bits_change) == "its bits do not repeat");
  cuda::on_cpu::set_memory_size(cuda::on_cpu::bytes_in_use() + 1000);
  CHECK(judged(product(302), Fault::none) == "no memory to try it");
  cuda::on_cpu::set_memory_size(0);
  CHECK(judged(product(303), Fault::none) == "");
  cuda::on_cpu::set_epilogues(Epilogues::all);
  CHECK(judged(product(304), Fault::none) == "the library has none");  // sums in f32 beside 16-bit results
  end_run();
}
