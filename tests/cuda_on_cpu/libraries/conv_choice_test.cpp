// Who makes a convolution: a stand-in for cuDNN against our kernels.
#include <catch2/catch.hpp>
#include <string>

#include "cuda_on_cpu/libraries/conv_choice.hpp"
#include "cuda_on_cpu/libraries/process.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "tenon/precision.hpp"

using namespace tenon;
using namespace tenon::cuda;
using namespace under_test;
using namespace under_test::convolutions;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using on_cpu::cudnn;

TEST_CASE("which convolutions cuDNN is asked for", "[cuda_on_cpu][conv_choice]") {
  int asked = 0;
  {
    const CudnnScope here([&](const CudnnConvolution&) { return ++asked, List{}; });
    const std::size_t before = choices_made().size();
    for (ConvPass pass : kPasses) {
      CHECK_FALSE(conv_choice(same(DType::f32, {236}, 66, 64, 1), pass, false).graph);
      CHECK_FALSE(conv_choice(small(DType::f64), pass, false).graph);
    }
    CHECK(asked == 0);
    CHECK(choices_made().size() == before);
    // of none: the heuristics' best, then those of last resort
    CHECK_FALSE(conv_choice(small(DType::f32, 1), ConvPass::forward, false).graph);
    CHECK(asked == 2);
    CHECK(last_told() == "forward f32 batch 1, 241 of 66 channels to 241 of 64, kernel 1 stride 1: own kernels: 100.0 us, workspace 0.0 MiB");
  }
  CHECK_FALSE(conv_choice(small(DType::f32, 2), ConvPass::forward, false).graph);
  CHECK(asked == 2);
}

TEST_CASE("of a convolution's plans the fastest that gives the same is taken", "[cuda_on_cpu][conv_choice][slow]") {
  const List plans{{.name = "cannot be built", .deed = Deed::unbuildable, .microseconds = 1}, {.name = "wrong", .deed = Deed::wrong, .microseconds = 1},
                   {.name = "refused", .deed = Deed::refused, .microseconds = 1},             {.name = "unwritten", .deed = Deed::places_unwritten, .microseconds = 1},
                   {.name = "slow", .microseconds = 60},                                       {.name = "fast {k=1}", .microseconds = 20, .workspace = 0},
                   {.name = "slower", .microseconds = 40},                                     {.name = "too late", .microseconds = 1}};
  const int before = cudnn().built;
  int chosen = 0;
  for (DType type : {DType::f32, DType::bf16})
    for (ConvPass pass : kPasses) {
      CAPTURE(name_of(type), int(pass));
      const CudnnScope here([&](const CudnnConvolution& q) { return q.half_weights || q.geometry.in_channels != 66 ? List{} : plans; });
      const ConvChoice c = conv_choice(small(type, 3), pass, false);
      REQUIRE(c.graph);
      CHECK(c.plan.engine == "fast {k=1}");
      CHECK(c.plan.workspace == 0);
      CHECK(c.microseconds == Approx(20).margin(0.1));
      CHECK_THAT(last_told(), Contains(": cuDNN fast {k=1}: 20.0 us, workspace 0.0 MiB (own kernels 10"));  // 100.0 us, or 101.0 us with sums of parts
      CHECK(cudnn().built == before + ++chosen);
      CHECK(plans_run().size() == 2 + 3 * kTrial);
      // one that is not faster than ours is not taken, nor is any that does not give the same
      for (const StandInPlan& plan : {StandInPlan{.microseconds = 102}, plans[0], plans[1], plans[2], plans[3]}) {
        CAPTURE(plan.name);
        static int more = 5;
        cudnn().convolutions = always({plan});
        CHECK_FALSE(conv_choice(small(type, more++), pass, false).graph);
        CHECK_THAT(last_told(), Contains(": own kernels: 10"));
        CHECK(cudnn().built == before + chosen);
      }
    }
  end_run();
}

TEST_CASE("a plan of a convolution that wants a workspace of zeros is not taken", "[cuda_on_cpu][conv_choice]") {
  const on_cpu::ZeroedMemory unused;
  const CudnnScope here(always({{.name = "wants zeros", .deed = Deed::wants_zeros, .microseconds = 1}, {.name = "right"}}));
  CHECK(conv_choice(small(DType::f32, 180), ConvPass::forward, false).plan.engine == "right");
}

TEST_CASE("after its time a process takes the first plan that works", "[cuda_on_cpu][conv_choice][slow]") {
  const CudnnScope here(always({{.name = "wrong", .deed = Deed::wrong, .microseconds = 1}, {.name = "first", .microseconds = 60}, {.name = "second", .microseconds = 20}}));
  auto chosen = [](const PlanBounds& bounds) {
    static int more = 90;
    plan_bounds() = bounds;
    return conv_choice(small(DType::f32, more++), ConvPass::forward, false).plan.engine;
  };
  CHECK(chosen({.candidates = 2, .graph_seconds = 1e9}) == "first");
  CHECK(chosen({.candidates = 3, .graph_seconds = 1e9}) == "second");
  CHECK(chosen({.graph_seconds = 1e9, .all_seconds = 0}) == "first");
  CHECK(chosen({.graph_seconds = 0}).empty());  // not even the first could be tried
}

TEST_CASE("plans that round to TF32 are taken where that is allowed", "[cuda_on_cpu][conv_choice][slow]") {
  const CudnnScope here(always({{.deed = Deed::in_tf32}}));
  for (ConvPass pass : kPasses) {
    const ConvGeometry g = small(DType::f32, 100);
    CHECK_FALSE(conv_choice(g, pass, false).graph);
    const Tf32Scope allowed;
    CHECK(conv_choice(g, pass, false).graph);
    CHECK_THAT(last_told(), Contains(" tf32 batch 1, ") && Contains(": cuDNN stand-in: 10.0 us"));
  }
}

TEST_CASE("a convolution goes by plans of last resort where there are no others", "[cuda_on_cpu][conv_choice]") {
  const CudnnScope here([](const CudnnConvolution& q) { return q.fallback ? List{{.name = "last"}} : List{}; });
  const ConvChoice c = conv_choice(small(DType::f32, 101), ConvPass::forward, true);
  REQUIRE(c.graph);
  CHECK(c.last_resort);
  CHECK(c.bias_inside);
  CHECK(c.plan.engine == "last");
  // not in other forms, where one form has plans
  int last = 0;
  cudnn().convolutions = [&](const CudnnConvolution& q) { return last += q.fallback, q.geometry.in_channels == 66 ? List{{}} : List{}; };
  REQUIRE_FALSE(conv_forms(small(DType::bf16, 101)).empty());
  CHECK(conv_choice(small(DType::bf16, 101), ConvPass::forward, true).graph);
  CHECK(last == 0);
}

TEST_CASE("a weight gradient in 16 bits must be half as fast again as one in f32", "[cuda_on_cpu][conv_choice][slow]") {
  double wide = 0, narrow = 0;
  const CudnnScope here([&](const CudnnConvolution& q) {
    return q.geometry.in_channels != 66 ? List{} : List{{.name = q.half_weights ? "narrow" : "wide", .microseconds = q.half_weights ? narrow : wide}};
  });
  auto made = [&](double f32, double f16) {
    static int more = 102;
    wide = f32, narrow = f16;
    return conv_choice(small(DType::bf16, more++), ConvPass::weight_gradient, false);
  };
  const ConvChoice in_f32 = made(60, 40);  // 41 with its widening
  CHECK(in_f32.plan.engine == "wide");
  CHECK_FALSE(in_f32.half_weights);
  const ConvChoice in_16_bits = made(63, 40);
  CHECK(in_16_bits.plan.engine == "narrow");
  CHECK(in_16_bits.half_weights);
  CHECK_THAT(last_told(), EndsWith(": cuDNN narrow: 41.0 us, workspace 0.0 MiB (own kernels 101.0 us), weights in 16 bits"));
  CHECK_FALSE(made(200, 70).graph);  // ours are in f32, too
}

TEST_CASE("a bias is added by the plan or after it, whatever is faster", "[cuda_on_cpu][conv_choice]") {
  double inside = 0;
  const CudnnScope here([&](const CudnnConvolution& q) { return List{{.microseconds = q.bias ? inside : 20.0}}; });
  inside = 20.5;
  CHECK(conv_choice(small(DType::f32, 120), ConvPass::forward, true).bias_inside);
  CHECK_THAT(last_told(), Contains("stride 1 bias: cuDNN stand-in: 20.5 us"));
  inside = 21.5;
  CHECK_FALSE(conv_choice(small(DType::f32, 121), ConvPass::forward, true).bias_inside);
  CHECK_THAT(last_told(), Contains("stride 1 bias after: cuDNN stand-in: 21.0 us"));
}

TEST_CASE("our kernels on tensor cores are tried beside plans", "[cuda_on_cpu][conv_choice][slow]") {
  for (ConvPass pass : kPasses) {
    CAPTURE(int(pass));
    const bool bias = pass == ConvPass::forward;
    const CudnnScope here(always({{.microseconds = 49}}));
    CHECK(conv_choice(of_32(), pass, bias).graph);
    CHECK_THAT(last_told(), Contains(": cuDNN stand-in: 49.0 us"));
    cudnn().convolutions = always({{.microseconds = 52}});
    const ConvChoice c = conv_choice(of_32(1), pass, bias);
    CHECK_FALSE(c.graph);
    CHECK(c.tensor);
    CHECK_THAT(last_told(), Contains(": own kernels: 5") && EndsWith(", tensor cores"));
    cudnn().convolutions = nullptr;
    cudnn().attentions = [](const CudnnAttention&) { return List{}; };
    CHECK(conv_choice(of_32(2), pass, bias).tensor);
    // not where they would be slower than our general ones
    on_cpu::count_time([](const std::string& kernel) { return kernel.starts_with("conv_tensor") ? 150.0 : time_of(kernel); });
    const ConvChoice general = conv_choice(of_32(3), pass, bias);
    CHECK_FALSE(general.tensor);
    CHECK_FALSE(general.graph);
    CHECK_THAT(last_told(), Contains(": own kernels: 10") && !EndsWith("tensor cores"));
  }
  // what is chosen runs
  const DeviceScope on(kDevice);
  Layer layer(DType::bf16, {1, 11, 15, 32}, {32, 3, 3, 32}, {{}, {1, 1}, {}, 1});
  const In ours = layer.run();
  const CudnnScope here(always({{.microseconds = 1000}}));
  close(layer.run(), ours);
  plans_run();
  const In again = layer.run();
  CHECK(plans_run().empty());
  close(again, ours);
  end_run();
}

TEST_CASE("our general kernels are not timed beside a plan for a large convolution of 16-bit numbers", "[cuda_on_cpu][conv_choice][slow]") {
  const CudnnScope here(always({{.microseconds = 5000}}));
  CHECK(conv_choice(large(DType::bf16), ConvPass::input_gradient, false).graph);
  CHECK_THAT(last_told(), Contains(": cuDNN stand-in: 5000.0 us") && !Contains("own kernels"));
  CHECK_FALSE(conv_choice(large(DType::f32), ConvPass::input_gradient, false).graph);
  CHECK_THAT(last_told(), Contains(": own kernels: 100.0 us"));
}

TEST_CASE("a convolution's choice is remembered from process to process", "[cuda_on_cpu][conv_choice][slow]") {
  struct Case {
    ConvGeometry g;
    ConvPass pass;
    bool bias;
    ConvPlans plans;
    std::string told;  ///< after the geometry
  };
  const ConvGeometry blocked = same(DType::bf16, {512}, 4, 30, 19), filled = same(DType::bf16, {410}, 28, 30, 3);
  const std::vector<Case> cases{
      {small(DType::f32, 150), ConvPass::forward, true, always({{.name = "other", .microseconds = 30}, {.name = "a b {1}"}}), ": cuDNN a b {1}"},
      {small(DType::f32, 151), ConvPass::forward, true, [](const CudnnConvolution& q) { return q.bias ? List{} : List{{}}; }, " bias after: cuDNN stand-in"},
      {small(DType::f32, 152), ConvPass::input_gradient, false, [](const CudnnConvolution& q) { return q.fallback ? List{{}} : List{}; }, ": cuDNN stand-in"},
      {small(DType::bf16, 153), ConvPass::weight_gradient, false, [](const CudnnConvolution& q) { return q.half_weights && q.geometry.in_channels == 66 ? List{{}} : List{}; }, ": cuDNN stand-in, weights in 16 bits"},
      {blocked, ConvPass::forward, true, in_form(blocked, {8, 0, 0}), ": cuDNN stand-in, 8 positions as channels of one"},
      {filled, ConvPass::weight_gradient, false, in_form(filled, {1, 4, 2}), ": cuDNN stand-in, channels filled up to 32 and 32"},
      {small(DType::f32, 154), ConvPass::forward, false, always({{.microseconds = 200}}), ": own kernels"},
      {of_32(20), ConvPass::forward, false, always({{.microseconds = 200}}), ": own kernels, tensor cores"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.told);
    const CudnnScope here(c.plans);
    in_another_process([&] { (void)conv_choice(c.g, c.pass, c.bias); });
    const ConvChoice choice = conv_choice(c.g, c.pass, c.bias);
    CHECK(plans_run().empty());
    CHECK_THAT(last_told(), EndsWith(c.told));
    CHECK(choice.microseconds == 0);
    const ConvChoice again = conv_choice(c.g, c.pass, c.bias);
    CHECK(again.graph == choice.graph);
    if (choice.graph) {
      // as it was measured: the same would be chosen anew
      CHECK(choice.last_resort == (c.pass == ConvPass::input_gradient));
      CHECK(choice.bias_inside == (c.bias && c.told.find("after") == c.told.npos));
    }
  }

  // with a bias it is another question
  {
    const ConvGeometry g = small(DType::f32, 155);
    const CudnnScope here(always({{}}));
    in_another_process([&] { (void)conv_choice(g, ConvPass::forward, false); });
    (void)conv_choice(g, ConvPass::forward, true);
    CHECK_FALSE(plans_run().empty());
    (void)conv_choice(g, ConvPass::forward, false);
    CHECK(plans_run().empty());
  }

  // a plan that is not there any more, one that cannot be built any more, and a line that says nothing
  struct Gone {
    List before, after;
  };
  int more = 160;
  for (const Gone& gone : {Gone{{{.name = "old"}}, {{.name = "new"}}}, Gone{{{.name = "old"}}, {{.name = "old", .deed = Deed::unbuildable}, {.name = "new"}}}, Gone{{{.name = ""}}, {{.name = ""}, {.name = "new", .microseconds = 5}}}}) {
    const ConvGeometry g = small(DType::f32, more++);
    const CudnnScope here(always(gone.before));
    in_another_process([&] { (void)conv_choice(g, ConvPass::forward, false); });
    cudnn().convolutions = always(gone.after);
    CHECK(conv_choice(g, ConvPass::forward, false).plan.engine == "new");
    CHECK_THAT(last_told(), Contains(": cuDNN new: ") && Contains("own kernels"));
  }
}

TEST_CASE("a convolution whose trial finds no memory goes by our kernels, and nothing is remembered", "[cuda_on_cpu][conv_choice]") {
  const ConvGeometry g = small(DType::f32, 170);
  const CudnnScope here(always({{.name = "large", .microseconds = 1, .workspace = std::size_t(1) << 40}}));
  in_another_process([&] { (void)conv_choice(g, ConvPass::forward, false); });
  cudnn().convolutions = always({{.name = "small"}});
  CHECK(conv_choice(g, ConvPass::forward, false).plan.engine == "small");
}
