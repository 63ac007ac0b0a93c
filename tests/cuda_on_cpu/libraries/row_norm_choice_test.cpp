// Who makes a norm of rows: a stand-in for cuDNN against our kernels.
#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/library/row_norm_tune.hpp"
#include "core/ops/gradient_check.hpp"
#include "cuda/twin.hpp"
#include "cuda_on_cpu/libraries/cudnn_scope.hpp"
#include "cuda_on_cpu/libraries/process.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "tenon/norms.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"

using namespace tenon;
using namespace tenon::cuda;
using namespace under_test;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;
using on_cpu::cudnn;
using In = std::vector<Tensor>;
using List = std::vector<StandInPlan>;

namespace {

constexpr RowNormPass kPasses[] = {RowNormPass::layer, RowNormPass::layer_gradient, RowNormPass::rms, RowNormPass::rms_gradient};

/// Of the least bytes for which cuDNN is asked; `more` makes another question.
CudnnRowNorm small(DType type, RowNormPass pass, std::int64_t more = 0) { return {RowNorm{type, std::int64_t(2048 / size_of(type)) + more, 512}, pass}; }
std::size_t outputs_of(RowNormPass pass) { return pass == RowNormPass::layer || pass == RowNormPass::layer_gradient ? 3 : 2; }

on_cpu::Plans<CudnnRowNorm> always(const List& plans) {
  return [=](const CudnnRowNorm&) { return plans; };
}

Tensor operand(int seed, const Shape& shape, DType type = DType::f32) { return check::made(seed, shape, type).to(kDevice); }

/// Gradients and output; x [rows, 512].
In layer(const Tensor& x, double eps = 1e-5) {
  return check::with_gradients([=](const In& v) { return layer_norm(v[0], v[1], v[2], eps); }, {x, operand(2, {512}), operand(3, {512})});
}
In rms(const Tensor& x) {
  return check::with_gradients([](const In& v) { return rms_norm(v[0], v[1]); }, {x, operand(2, {512})});
}

void close(const In& x, const In& y) {
  REQUIRE(x.size() == y.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    CAPTURE(i);
    CHECK(nmse(x[i].detach().to(kCpu), y[i].detach().to(kCpu)) < tolerance_of(x[i].dtype()));
  }
}

}  // namespace

TEST_CASE("which norms of rows cuDNN is asked for", "[cuda_on_cpu][row_norm_choice]") {
  int asked = 0;
  {
    const CudnnScope here([&](const CudnnRowNorm&) { return ++asked, List{}; });
    const std::size_t before = choices_made().size();
    for (RowNormPass pass : kPasses) {
      CHECK_FALSE(row_norm_choice(small(DType::f32, pass, -1)).graph);
      CHECK_FALSE(row_norm_choice(small(DType::f64, pass)).graph);
      CudnnRowNorm q = small(DType::f32, pass);
      q.all.eps = INFINITY;
      CHECK_FALSE(row_norm_choice(q).graph);
    }
    CHECK(asked == 0);
    CHECK(choices_made().size() == before);
    CHECK_FALSE(row_norm_choice(small(DType::f32, RowNormPass::layer)).graph);
    CHECK(asked == 1);
    CHECK(last_told() == "layer norm f32 512 rows of 512 channels: own kernels: 100.0 us, workspace 0.0 MiB");
  }
  CHECK_FALSE(row_norm_choice(small(DType::f32, RowNormPass::layer, 1)).graph);
  CHECK(asked == 1);
}

TEST_CASE("of a norm's plans the fastest that gives the same is taken", "[cuda_on_cpu][row_norm_choice][slow]") {
  const List plans{{.name = "cannot be built", .deed = Deed::unbuildable, .microseconds = 1}, {.name = "wrong", .deed = Deed::wrong, .microseconds = 1},
                   {.name = "refused", .deed = Deed::refused, .microseconds = 1},             {.name = "unwritten", .deed = Deed::places_unwritten, .microseconds = 1},
                   {.name = "slow", .microseconds = 60},                                       {.name = "fast {k=1}", .microseconds = 20, .workspace = 0},
                   {.name = "slower", .microseconds = 40},                                     {.name = "too late", .microseconds = 1}};
  const int before = cudnn().built;
  int chosen = 0;
  for (DType type : {DType::f32, DType::bf16, DType::f16})
    for (RowNormPass pass : kPasses) {
      CAPTURE(name_of(type), int(pass));
      const CudnnScope here(always(plans));
      const PlanChoice c = row_norm_choice(small(type, pass, 2));
      REQUIRE(c.graph);
      CHECK(c.plan.engine == "fast {k=1}");
      CHECK(c.plan.workspace == 0);
      CHECK(c.microseconds == Approx(20).margin(0.1));
      CHECK_THAT(last_told(), StartsWith(std::string(is_rms(pass) ? "RMS norm " : "layer norm ") + (is_gradient(pass) ? "gradient " : "") + std::string(name_of(type))));
      CHECK_THAT(last_told(), Contains(" rows of 512 channels: cuDNN fast {k=1}: 20.0 us, workspace 0.0 MiB (own kernels 10"));  // 100.0 us, and what adds up parts
      CHECK(cudnn().built == before + ++chosen);
      CHECK(plans_run().size() == 2 + 3 * kTrial);

      // one that is not faster than ours is not taken
      cudnn().norms = always({{.microseconds = 110}});
      CHECK_FALSE(row_norm_choice(small(type, pass, 3)).graph);
      CHECK_THAT(last_told(), Contains(": own kernels: 10"));
      CHECK(cudnn().built == before + chosen);
    }
  end_run();
}

TEST_CASE("a plan of a norm that gives something else is not taken", "[cuda_on_cpu][row_norm_choice][slow]") {
  const int before = cudnn().built;
  for (DType type : {DType::f32, DType::bf16})
    for (RowNormPass pass : kPasses) {
      CAPTURE(name_of(type), int(pass));
      List plans;
      for (Deed deed : {Deed::wrong, Deed::places_unwritten})
        for (std::size_t output = 0; output < outputs_of(pass); ++output) plans.push_back({.deed = deed, .output = output});
      if (pass == RowNormPass::layer) plans.push_back({.deed = Deed::variance_of_squares});
      const CudnnScope here(always(plans));
      CHECK_FALSE(row_norm_choice(small(type, pass, 4)).graph);
      CHECK(plans_run().size() == plans.size());  // once each
      CHECK_THAT(last_told(), Contains(": own kernels: 10"));
      CHECK(cudnn().built == before);
    }
  end_run();
}

TEST_CASE("a plan of a norm that wants a workspace of zeros is not taken", "[cuda_on_cpu][row_norm_choice]") {
  const on_cpu::ZeroedMemory unused;
  const CudnnScope here(always({{.name = "wants zeros", .deed = Deed::wants_zeros, .microseconds = 1}, {.name = "right"}}));
  CHECK(row_norm_choice(small(DType::f32, RowNormPass::rms, 5)).plan.engine == "right");
}

TEST_CASE("norms of rows are a library's where it is faster and gives the same", "[cuda_on_cpu][row_norm_choice][slow]") {
  has_device();
  const DeviceScope on(kDevice);
  const Tensor x = operand(1, {530, 512}), narrow = operand(1, {1030, 512}, DType::bf16);
  const In ours = layer(x), ours_narrow = layer(narrow), ours_rms = rms(x);
  const CudnnScope here(always({{}}));
  const In first = layer(x);
  close(first, ours);
  CHECK_THAT(last_told(), StartsWith("layer norm gradient f32 530 rows of 512 channels: cuDNN stand-in: 10.0 us, workspace 0.0 MiB (own kernels 10"));
  close(layer(narrow), ours_narrow);
  close(rms(x), ours_rms);
  CHECK_THAT(last_told(), StartsWith("RMS norm gradient f32 530 rows of 512 channels: cuDNN stand-in: 10.0 us"));
  CHECK(plans_run().size() == 6 * (kTrial + 1));

  // a recorded step has the choice of the op alone, and its bits
  In recorded;
  const StepPlan plan = StepPlan::record([&] { recorded = layer(x); });
  for (int i = 0; i < 2; ++i) {
    plans_run();
    plan.run();
    CHECK(plans_run().size() == 2);
    for (std::size_t k = 0; k < first.size(); ++k) CHECK(recorded[k].to_vector() == first[k].to_vector());
  }

  // another epsilon is another graph, of the plan that is remembered
  plans_run();
  (void)layer(x, 1e-4);
  CHECK(plans_run().size() == 2);
  CHECK(last_told() == "layer norm gradient f32 530 rows of 512 channels: cuDNN stand-in");
  end_run();
}

TEST_CASE("norms of operands off the 16 bytes stay with our kernels", "[cuda_on_cpu][row_norm_choice]") {
  const CudnnScope here(always({{}}));
  const DeviceScope on(kDevice);
  constexpr std::int64_t kCount = 531 * 512;
  const Tensor longer = operand(1, {kCount + 1}), scale = operand(2, {512}), shift = operand(3, {512});
  auto from = [&](std::int64_t first) {
    plans_run();
    return layer_norm(longer.narrow(0, first, kCount).reshape({531, 512}), scale, shift).to(kCpu).to_vector();
  };
  const std::vector<double> even = from(0);
  CHECK(plans_run().size() == kTrial + 1);
  CHECK(from(0) == even);
  CHECK(plans_run().size() == 1);
  CHECK(from(1) != even);
  CHECK(plans_run().empty());
  end_run();
}

TEST_CASE("a norm that cuDNN refuses later is told", "[cuda_on_cpu][row_norm_choice]") {
  const CudnnScope here(always({{.name = "moody"}}));
  const DeviceScope on(kDevice);
  const Tensor x = operand(1, {532, 512}), scale = operand(2, {512});
  (void)rms_norm(x, scale);
  cudnn().refuses = true;
  try {
    (void)rms_norm(x, scale);
    FAIL("it ran");
  } catch (const Error& e) {
    CHECK(e.code() == "cuda.cudnn");
    CHECK_THAT(e.what(), Contains("moody") && Contains("TENON_CUDNN=none"));
  }
}

TEST_CASE("a norm's choice is remembered from process to process", "[cuda_on_cpu][row_norm_choice][slow]") {
  {
    const CudnnRowNorm q = small(DType::bf16, RowNormPass::layer, 30);
    const CudnnScope here(always({{.name = "other", .microseconds = 30}, {.name = "a b {1}"}}));
    in_another_process([&] { (void)row_norm_choice(q); });
    CHECK(row_norm_choice(q).plan.engine == "a b {1}");
    CHECK(plans_run().empty());
    CHECK_THAT(last_told(), EndsWith(" 512 channels: cuDNN a b {1}"));
    // of another pass it is another question
    (void)row_norm_choice({q.all, RowNormPass::rms});
    CHECK_FALSE(plans_run().empty());
  }
  {
    const CudnnRowNorm q = small(DType::f32, RowNormPass::rms_gradient, 31);
    const CudnnScope here(always({{.microseconds = 1000}}));
    in_another_process([&] { (void)row_norm_choice(q); });
    cudnn().norms = always({{}});
    CHECK_FALSE(row_norm_choice(q).graph);
    CHECK_THAT(last_told(), EndsWith(" 512 channels: own kernels"));
  }
  // a plan that is not there any more, one that cannot be built any more, and one without a name
  struct Gone {
    List before, after;
  };
  int more = 32;
  for (const Gone& gone : {Gone{{{.name = "old"}}, {{.name = "new"}}}, Gone{{{.name = "old"}}, {{.name = "old", .deed = Deed::unbuildable}, {.name = "new"}}},
                           Gone{{{.name = ""}}, {{.name = ""}, {.name = "new", .microseconds = 5}}}}) {
    CAPTURE(gone.before[0].name);
    const CudnnRowNorm q = small(DType::f32, RowNormPass::layer, more++);
    const CudnnScope here(always(gone.before));
    in_another_process([&] { (void)row_norm_choice(q); });
    cudnn().norms = always(gone.after);
    CHECK(row_norm_choice(q).plan.engine == "new");
    CHECK_THAT(last_told(), Contains(": cuDNN new: ") && Contains("own kernels"));
  }
}

TEST_CASE("a norm whose trial finds no memory goes by our kernels, and nothing is remembered", "[cuda_on_cpu][row_norm_choice]") {
  const CudnnRowNorm q = small(DType::f32, RowNormPass::layer, 40);
  const CudnnScope here(always({{.name = "large", .microseconds = 1, .workspace = std::size_t(1) << 40}}));
  in_another_process([&] { (void)row_norm_choice(q); });
  cudnn().norms = always({{.name = "small"}});
  CHECK(row_norm_choice(q).plan.engine == "small");
}
