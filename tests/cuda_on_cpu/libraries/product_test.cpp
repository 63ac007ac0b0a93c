// Matrix products by a library: which of its algorithms, in what memory, and for operands that lie anyhow.
#include <catch2/catch.hpp>

#include <numeric>
#include <string>
#include <vector>

#include "core/ops/gradient_check.hpp"
#include "cuda/device.hpp"
#include "cuda/twin.hpp"
#include "cuda_on_cpu/libraries/cublaslt.hpp"
#include "cuda_on_cpu/libraries/process.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "tenon/feed_forward.hpp"
#include "tenon/ops.hpp"
#include "tenon/precision.hpp"

using namespace tenon;
using namespace under_test;
using cuda::on_cpu::Algorithm;
using cuda::on_cpu::products_run;
using Runs = std::vector<int>;

namespace {

constexpr int kTried = 1 + 1 + 3;  ///< runs of an algorithm that is tried: for its bits, to warm up, under the clock

struct Having {
  explicit Having(std::vector<Algorithm> have) {
    has_device();
    cuda::on_cpu::set_algorithms(std::move(have));
    products_run();
  }
  ~Having() { cuda::on_cpu::set_algorithms({}); }
};

/// A process keeps what it chose for a product's sizes: each test has its own.
struct Operands {
  Tensor a, b;
  explicit Operands(std::int64_t depth, DType type = DType::f32) : a(check::made(1, {33, depth}, type)), b(check::made(2, {depth, 20}, type)) {}
  Tensor on_device() const {
    const DeviceScope on(kDevice);
    return matmul(a.to(kDevice), b.to(kDevice)).to(kCpu);
  }
  bool right(const Tensor& c) const { return nmse(c, matmul(a, b)) < 1e-12; }
};

}  // namespace

TEST_CASE("the fastest algorithm is taken of those that give the first one's bits", "[cuda_on_cpu][product]") {
  TENON_NEEDS_DEVICE();
  const Having has({{.microseconds = 50}, {.microseconds = 10, .other_sums = true}, {.microseconds = 30}, {.microseconds = 1, .fails = true}, {.microseconds = 49}});
  const Operands given(131);
  const Tensor first = given.on_device();
  CHECK(given.right(first));
  CHECK(products_run() == Runs{kTried, 1, kTried + 1, 0, kTried});
  CHECK(given.on_device().to_vector() == first.to_vector());
  CHECK(products_run() == Runs{0, 0, 1});
}

TEST_CASE("an algorithm that is hardly faster than the first one does not replace it", "[cuda_on_cpu][product]") {
  TENON_NEEDS_DEVICE();
  const Having has({{.microseconds = 100}, {.microseconds = 98}});
  const Operands given(132);
  (void)given.on_device();
  products_run();
  (void)given.on_device();
  CHECK(products_run() == Runs{1});
}

TEST_CASE("where the first algorithm fails the others are judged by the next one", "[cuda_on_cpu][product]") {
  TENON_NEEDS_DEVICE();
  {
    const Having has({{.microseconds = 1, .fails = true}, {.microseconds = 20}, {.microseconds = 10, .other_sums = true}});
    const Operands given(133);
    CHECK(given.right(given.on_device()));
    products_run();
    (void)given.on_device();
    CHECK(products_run() == Runs{0, 1});
  }
  const Having none({{.fails = true}, {.fails = true}});
  CHECK_THROWS_WITH(Operands(134).on_device(), Catch::Matchers::StartsWith("cuBLASLt has no algorithm for 33 x 134 x 20 in f32"));
  cuda::on_cpu::set_algorithms({{.workspace = std::size_t(1) << 30}});
  CHECK_THROWS_WITH(Operands(135).on_device(), Catch::Matchers::StartsWith("cuBLASLt has no algorithm for 33 x 135 x 20 in f32"));
}

TEST_CASE("algorithms work in memory of their own", "[cuda_on_cpu][product]") {
  TENON_NEEDS_DEVICE();
  begin_run(0);
  const Having has({{.workspace = 5000, .microseconds = 20}, {.workspace = std::size_t(3) << 20, .microseconds = 10}, {.workspace = std::size_t(65) << 20, .microseconds = 1}});
  for (const DType type : {DType::f32, DType::f64, DType::bf16}) {
    const Operands given(136, type);
    const DeviceScope on(kDevice);
    const Tensor a = given.a.to(kDevice), b = given.b.to(kDevice), c = matmul(a, b);
    products_run();
    CHECK(matmul(a, b).to(kCpu).to_vector() == c.to(kCpu).to_vector());
    CHECK(products_run() == Runs{0, 1});
    CHECK(nmse(c.to(kCpu), matmul(given.a, given.b)) <= tolerance_of(type));
  }
  end_run();
}

TEST_CASE("where the library adds no bias and gives no sums, we do", "[cuda_on_cpu][product]") {
  TENON_NEEDS_DEVICE();
  begin_run(0);
  const Having has(std::vector<Algorithm>{{.side = false}});
  for (const DType type : {DType::f32, DType::f64, DType::bf16, DType::f16}) {
    const DType wide = type == DType::f64 ? type : DType::f32;
    const Tensor x = check::made(1, {33, 151}, type), w = check::made(2, {20, 151}, wide), b = check::made(3, {20}, wide);
    auto all = [&](Device device) {
      const DeviceScope on(device);
      const auto given = check::leaves({x.to(device), w.to(device), b.to(device)});
      const Tensor y = linear(given[0], given[1], given[2]);
      const auto d = gradients({sum(y)}, {given[1], given[2]});
      return std::vector<Tensor>{y.detach().to(kCpu), d[0].to(kCpu), d[1].to(kCpu)};
    };
    const std::vector<Tensor> found = all(kDevice), expected = all(kCpu);
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(nmse(found[i], expected[i]) <= tolerance_of(type));
  }
  end_run();
}

TEST_CASE("where there is no memory to try algorithms the first one is taken", "[cuda_on_cpu][product]") {
  TENON_NEEDS_DEVICE();
  const Having has({{.microseconds = 50}, {.microseconds = 10}});
  const Operands given(152);
  const DeviceScope on(kDevice);
  const Tensor a = given.a.to(kDevice), b = given.b.to(kDevice);
  cuda::on_cpu::set_memory_size(cuda::on_cpu::bytes_in_use() + 33 * 20 * 4 + 1000);
  const Tensor c = matmul(a, b);
  cuda::on_cpu::set_memory_size(0);
  CHECK(products_run() == Runs{1});
  CHECK(given.right(c.to(kCpu)));
}

TEST_CASE("operands that lie on no more than their own size have an algorithm for that", "[cuda_on_cpu][product]") {
  TENON_NEEDS_DEVICE();
  begin_run(0);
  for (const bool area : {false, true}) {
    const Having has({{.alignment = 16, .microseconds = 1}, {.workspace = area ? std::size_t(4096) : 0, .microseconds = 10}});
    const std::int64_t depth = area ? 144 : 140;
    const Tensor numbers = check::made(1, {33 * depth + 1}, DType::f32), right = check::made(2, {depth, 20}, DType::f32);
    auto left = [&](const Tensor& from, std::int64_t first) { return from.narrow(0, first, 33 * depth).reshape({33, depth}); };
    const DeviceScope on(kDevice);
    const Tensor there = numbers.to(kDevice), a = left(there, 0), moved = left(there, 1), b = right.to(kDevice);
    REQUIRE(reinterpret_cast<std::uintptr_t>(moved.raw()) % 16 == 4);
    CHECK(nmse(matmul(a, b).to(kCpu), matmul(left(numbers, 0), right)) < 1e-12);
    CHECK(nmse(matmul(moved, b).to(kCpu), matmul(left(numbers, 1), right)) < 1e-12);
    products_run();
    (void)matmul(a, b), (void)matmul(moved, b), (void)matmul(a, b);
    CHECK(products_run() == Runs{2, 1});
  }
  // so has a bias
  {
    const Having has({{.alignment = 16, .microseconds = 1}, {.microseconds = 10}});
    const Tensor x = check::made(1, {33, 148}, DType::f32), w = check::made(2, {20, 148}, DType::f32), numbers = check::made(3, {21}, DType::f32);
    const DeviceScope on(kDevice);
    const Tensor there = numbers.to(kDevice);
    for (const std::int64_t first : {0, 1}) {
      products_run();
      const Tensor y = linear(x.to(kDevice), w.to(kDevice), there.narrow(0, first, 20));
      CHECK(nmse(y.to(kCpu), linear(x, w, numbers.narrow(0, first, 20))) < 1e-12);
      CHECK(products_run().size() == 2);
    }
  }
  // rows that are no multiple of 16 bytes have but that one
  const Having has({{.alignment = 16, .microseconds = 1}, {.microseconds = 10}});
  CHECK(Operands(143).right(Operands(143).on_device()));
  CHECK(products_run()[0] == 0);
  end_run();
}

TEST_CASE("products are rounded to TF32 where that is allowed, and there alone", "[cuda_on_cpu][product]") {
  TENON_NEEDS_DEVICE();
  const Operands given(150);
  const Tensor exact = given.on_device();
  const Tensor rounded = [&] {
    const Tf32Scope fast;
    return given.on_device();
  }();
  CHECK(nmse(exact, matmul(given.a, given.b)) < 1e-12);
  CHECK(nmse(rounded, exact) > 1e-10);
  CHECK(nmse(rounded, exact) < 1e-6);
  CHECK(given.on_device().to_vector() == exact.to_vector());
}

// ---- what is remembered -----------------------------------------------------------------------------------------------

namespace {

std::string said(const Runs& runs) {
  std::string text = "runs:";
  for (const int n : runs) text += " " + std::to_string(n);
  return text;
}

/// Products that ran, by algorithm, in another process that makes one of a depth.
std::string runs_with(const std::vector<Algorithm>& have, std::int64_t depth) {
  return in_another_process([&] {
    const Having has(have);
    const Operands given(depth);
    return given.right(given.on_device()) ? said(products_run()) : "wrong";
  });
}

/// Products with an activation that ran, trials among them, in another process that makes a feed-forward block of a width, whatever the library has.
std::string fused_runs_with(cuda::on_cpu::Epilogues have, cuda::on_cpu::Fault fault, std::int64_t width) {
  return in_another_process([&] {
    cuda::on_cpu::set_epilogues(have);
    cuda::on_cpu::set_fault(fault);
    cuda::on_cpu::fused_products_run();
    auto block = [&](Device device) {
      const DeviceScope on(device);
      const auto given = [&](int seed, const Shape& shape) { return check::spread(shape, -0.4, 0.5 + 0.1 * seed, DType::f32).to(device); };
      return feed_forward(given(1, {9, 24}), given(2, {width, 24}), given(3, {width}), given(4, {16, width}), given(5, {16}), FeedForwardActivation::gelu_tanh).to(kCpu);
    };
    const bool right = nmse(block(kDevice), block(kCpu)) < 1e-10;
    return right ? said({cuda::on_cpu::fused_products_run()}) : "wrong";
  });
}

}  // namespace

TEST_CASE("whether a product does its activation is remembered from process to process", "[cuda_on_cpu][product]") {
  TENON_NEEDS_DEVICE();
  using cuda::on_cpu::Epilogues;
  using cuda::on_cpu::Fault;
  const std::string tried = fused_runs_with(Epilogues::all, Fault::none, 88);
  CHECK((tried.starts_with("runs:") && tried != "runs: 0" && tried != "runs: 1"));
  CHECK(fused_runs_with(Epilogues::all, Fault::none, 88) == "runs: 1");
  CHECK(fused_runs_with(Epilogues::none, Fault::none, 88) == "runs: 0");  // the library has none any more
  const std::string judged = fused_runs_with(Epilogues::all, Fault::other_gelu, 104);
  CHECK((judged.starts_with("runs:") && judged != "runs: 0"));
  CHECK(fused_runs_with(Epilogues::all, Fault::none, 104) == "runs: 0");  // known to be wrong
}

TEST_CASE("what algorithm is fastest is remembered from process to process", "[cuda_on_cpu][product]") {
  TENON_NEEDS_DEVICE();
  constexpr std::size_t kMoreThanItMay = std::size_t(65) << 20;
  const std::vector<Algorithm> three{{.microseconds = 50}, {.microseconds = 10}, {.microseconds = 30}};
  CHECK(runs_with(three, 160) == said({kTried, kTried + 1, kTried}));
  CHECK(runs_with(three, 160) == "runs: 0 1");
  CHECK(runs_with(std::vector<Algorithm>{{.microseconds = 50}}, 160) == "runs: 1");  // the chosen one is gone
  CHECK(runs_with({{.microseconds = 50}, {.workspace = kMoreThanItMay, .microseconds = 10}, {.microseconds = 30}}, 160) == said({kTried, 0, kTried + 1}));
  CHECK(runs_with({{.workspace = kMoreThanItMay}, {.microseconds = 50}, {.microseconds = 10}}, 160) == said({0, kTried, kTried + 1}));  // another one is proposed first
}
