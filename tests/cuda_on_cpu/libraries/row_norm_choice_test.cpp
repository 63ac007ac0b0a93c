// Who makes a norm of rows: a stand-in for cuDNN, whose plan is said to take 10 us, against our kernels.
#include <catch2/catch.hpp>

#include <cmath>
#include <cstdlib>
#include <vector>

#include "backend/cuda/install.hpp"
#include "backend/cuda/library/row_norm_tune.hpp"
#include "core/ops/gradient_check.hpp"
#include "cuda/twin.hpp"
#include "cuda_on_cpu/libraries/cudnn_scope.hpp"
#include "cuda_on_cpu/libraries/process.hpp"
#include "cuda_on_cpu/runtime/device_clock.hpp"
#include "cuda_on_cpu/runtime/work.hpp"
#include "kernels/types.hpp"
#include "ops/dispatch.hpp"
#include "tenon/norms.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"

using namespace tenon;
using namespace tenon::cuda;
using namespace under_test;
using In = std::vector<Tensor>;

namespace {

enum class Answer { right, from_squares, no_shift_gradient, places_unwritten, refused, larger_than_memory };

/// 1 / deviation as the mean of squares less the square of the mean gives it, in f32.
template <class T>
void variance_from_squares(const RowNorm& p, const T* x, float* rstd) {
  for (std::int64_t r = 0; r < p.rows; ++r) {
    float sum = 0, squares = 0;
    for (std::int64_t c = 0; c < p.channels; ++c) {
      const float v = float(x[r * p.channels + c]);
      sum += v, squares += v * v;
    }
    const float mean = sum / float(p.channels);
    rstd[r] = 1 / std::sqrt(squares / float(p.channels) - mean * mean + float(p.eps));
  }
}

/// A graph of one plan.
class StandIn final : public CudnnGraph {
 public:
  StandIn(const CudnnRowNorm& q, Answer answer) : q_(q), answer_(answer) {}
  static inline int runs = 0;

  std::int64_t plans() const override { return 1; }
  std::string name(std::int64_t) const override { return "stand-in"; }
  bool build(std::int64_t index, CudnnPlan& plan) override { return plan = {index, answer_ == Answer::larger_than_memory ? std::size_t(1) << 40 : 4096, name(index)}, true; }
  void drop(std::int64_t) override {}

  bool run(const CudnnPlan&, std::span<const void* const> operands, void* workspace) const override {
    if (answer_ == Answer::refused) return false;
    const RowNormOperands slot = row_norm_operands(q_.pass);
    REQUIRE(int(operands.size()) == slot.count - (slot.partial >= 0 ? 1 : 0));
    std::vector<void*> all;
    for (const void* operand : operands) all.push_back(const_cast<void*>(operand));
    Kernel kernel;
    for_row_norm_slots([&](auto& of_pass, RowNormPass pass) {
      if (pass == q_.pass) kernel = of_pass(kCpu, q_.all);
    });
    on_cpu::enqueue([q = q_, answer = answer_, slot, kernel, all, workspace] {
      ++runs;
      compute(q, answer, slot, kernel, all, workspace);
      on_cpu::spend(10);
    });
    return true;
  }

 private:
  static void compute(const CudnnRowNorm& q, Answer answer, const RowNormOperands& slot, const Kernel& kernel, std::vector<void*> all, void* workspace) {
    std::fill_n(static_cast<unsigned char*>(workspace), 4096, 0xee);
    std::vector<double> partial(std::size_t(q.all.blocks() * 2 * q.all.channels));
    if (slot.partial >= 0) all.insert(all.begin() + slot.partial, partial.data());
    kernel(all.data());
    if (answer == Answer::no_shift_gradient) std::fill_n(static_cast<float*>(all.back()), q.all.channels, 0.0f);
    dispatch_floating("stand-in", q.all.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      if (answer == Answer::from_squares) variance_from_squares(q.all, static_cast<const T*>(all[0]), static_cast<float*>(all[5]));
      if (answer == Answer::places_unwritten) std::fill_n(static_cast<T*>(all[3]) + q.all.rows * q.all.channels / 2, 9, T(NAN));
    });
  }

  CudnnRowNorm q_;
  Answer answer_;
};

/// While one is alive cuDNN is there, with graphs that answer so.
class Cudnn {
 public:
  explicit Cudnn(Answer answer) {
    has_device();
    on_cpu::cudnn().norms = [answer](const CudnnRowNorm& q) { return std::make_shared<StandIn>(q, answer); };
    install_row_norm_cudnn();
    StandIn::runs = 0;
  }
  ~Cudnn() {
    on_cpu::cudnn().norms = nullptr;
    install_row_norm();
  }
  Cudnn(const Cudnn&) = delete;
  Cudnn& operator=(const Cudnn&) = delete;
};

Tensor operand(int seed, const Shape& shape, DType type = DType::f32) { return check::made(seed, shape, type).to(kDevice); }

/// Output and gradients; x [rows, 512].
In layer(const Tensor& x, double eps = 1e-5) {
  return check::with_gradients([=](const In& v) { return layer_norm(v[0], v[1], v[2], eps); }, {x, operand(2, {512}), operand(3, {512})});
}
In rms(const Tensor& x) {
  return check::with_gradients([](const In& v) { return rms_norm(v[0], v[1]); }, {x, operand(2, {512})});
}

void close(const In& x, const In& y) {
  REQUIRE(x.size() == y.size());
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(nmse(x[i].detach().to(kCpu), y[i].detach().to(kCpu)) < tolerance_of(x[i].dtype()));
}

}  // namespace

TEST_CASE("norms of rows are a library's where it is faster and gives the same", "[cuda_on_cpu][row_norm_choice][slow]") {
  has_device();
  const DeviceScope on(kDevice);
  const Tensor x = operand(1, {512, 512}), narrow = operand(1, {1024, 512}, DType::bf16);
  const In ours = layer(x), ours_narrow = layer(narrow), ours_rms = rms(x);
  const Cudnn here(Answer::right);
  const In first = layer(x);
  close(first, ours);
  CHECK_THAT(last_told(), Catch::Matchers::StartsWith("layer norm gradient f32 512 rows of 512 channels: cuDNN stand-in: "));
  CHECK_THAT(last_told(), Catch::Matchers::Contains("own kernels"));
  CHECK(StandIn::runs == 2 * (kTrial + 1));
  close(layer(narrow), ours_narrow);
  CHECK_THAT(last_told(), Catch::Matchers::StartsWith("layer norm gradient bf16 1024 rows of 512 channels: cuDNN stand-in: "));
  close(rms(x), ours_rms);
  CHECK_THAT(last_told(), Catch::Matchers::StartsWith("RMS norm gradient f32 512 rows of 512 channels: cuDNN stand-in: "));
  CHECK(StandIn::runs == 6 * (kTrial + 1));

  // a recorded step has the choice of the op alone, and its bits
  In recorded;
  const StepPlan plan = StepPlan::record([&] { recorded = layer(x); });
  for (int i = 0; i < 2; ++i) {
    StandIn::runs = 0;
    plan.run();
    CHECK(StandIn::runs == 2);
    for (std::size_t k = 0; k < first.size(); ++k) CHECK(recorded[k].to_vector() == first[k].to_vector());
  }

  // another epsilon is another graph, of the plan that is remembered
  StandIn::runs = 0;
  (void)layer(x, 1e-4);
  CHECK(StandIn::runs == 2);
  CHECK(last_told() == "layer norm gradient f32 512 rows of 512 channels: cuDNN stand-in");
  end_run();
}

TEST_CASE("small norms, f64 and operands off the 16 bytes stay with our kernels", "[cuda_on_cpu][row_norm_choice][slow]") {
  const Cudnn here(Answer::right);
  const DeviceScope on(kDevice);
  (void)layer(operand(1, {511, 512}));
  (void)check::with_gradients([](const In& v) { return layer_norm(v[0], v[1], v[2]); },
                              {operand(1, {512, 512}, DType::f64), operand(2, {512}, DType::f64), operand(3, {512}, DType::f64)});
  CHECK(StandIn::runs == 0);
  const Tensor longer = operand(1, {512 * 512 + 1});
  auto norm = [&](std::int64_t first) { return layer_norm(longer.narrow(0, first, 512 * 512).reshape({512, 512}), operand(2, {512}), operand(3, {512})); };
  (void)norm(0);
  StandIn::runs = 0;
  (void)norm(0);
  CHECK(StandIn::runs == 1);
  (void)norm(1);
  CHECK(StandIn::runs == 1);
}

TEST_CASE("a library's norm that gives something else is not taken", "[cuda_on_cpu][row_norm_choice][slow]") {
  std::int64_t rows = 513;
  for (const auto& [answer, pass] : {std::pair{Answer::from_squares, RowNormPass::layer}, {Answer::places_unwritten, RowNormPass::layer},
                                     {Answer::refused, RowNormPass::rms}, {Answer::no_shift_gradient, RowNormPass::layer_gradient}})
    for (DType type : {DType::f32, DType::bf16}) {
      if (type == DType::bf16 && answer == Answer::refused) continue;  // RMS norm of the CPU has no bf16
      INFO(int(answer) << " " << name_of(type));
      const Cudnn here(answer);
      const std::size_t before = choices_made().size();
      CHECK(row_norm_choice({RowNorm{type, 2 * rows++, 512}, pass}).graph == nullptr);
      CHECK(choices_made().size() == before + 1);
      CHECK_THAT(last_told(), Catch::Matchers::Contains("own kernels: "));
    }
  end_run();
}

TEST_CASE("a norm whose trial finds no memory goes by our kernels, and nothing is remembered", "[cuda_on_cpu][row_norm_choice][slow]") {
  const CudnnRowNorm q{RowNorm{DType::f32, 1537, 512}, RowNormPass::layer};
  {
    const Cudnn here(Answer::larger_than_memory);
    in_another_process([&] { (void)row_norm_choice(q); });
  }
  const Cudnn here(Answer::right);
  CHECK(row_norm_choice(q).graph);
}
