// Who computes attention: a stand-in for cuDNN against our kernels.
#include <catch2/catch.hpp>
#include <string>
#include <utility>

#include "cuda_on_cpu/libraries/attention_choice.hpp"
#include "cuda_on_cpu/libraries/process.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "ops/attention_tiles.hpp"

using namespace tenon;
using namespace tenon::cuda;
using namespace under_test;
using namespace under_test::attentions;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;
using on_cpu::cudnn;

TEST_CASE("a gradient's scores decide how many parts it has", "[cuda_on_cpu][attention_choice]") {
  auto part = [](std::int64_t samples, std::int64_t heads, std::int64_t length, AttentionPass pass) {
    const CudnnAttention q = attention_part(made(DType::bf16, samples, heads, length, length, 64, 64, true), pass);
    CHECK(q.backward == (pass == AttentionPass::gradient));
    return std::pair{q.samples, q.heads};
  };
  using Pair = std::pair<std::int64_t, std::int64_t>;
  CHECK(part(6, 20, 16384, AttentionPass::forward) == Pair{6, 20});
  CHECK(part(6, 20, 2048, AttentionPass::gradient) == Pair{3, 20});   // 8 MiB a head: 64 heads
  CHECK(part(7, 20, 2048, AttentionPass::gradient) == Pair{1, 20});
  CHECK(part(6, 20, 4096, AttentionPass::gradient) == Pair{1, 10});   // 16 heads at most
  CHECK(part(2, 16, 4096, AttentionPass::gradient) == Pair{1, 16});
  CHECK(part(2, 16, 16384, AttentionPass::gradient) == Pair{1, 1});
  CHECK(part(2, 16, 40000, AttentionPass::gradient) == Pair{1, 1});   // more than the bound, but no less can be taken
}

TEST_CASE("which attention cuDNN is asked for", "[cuda_on_cpu][attention_choice]") {
  int asked = 0;
  const CudnnScope here([&](const CudnnAttention&) { return ++asked, List{}; });
  auto ask = [&](const Attention& p) {
    for (AttentionPass pass : kPasses) {
      CHECK(attention_workspace(DeviceType::cuda)(p, pass) == own_attention_workspace(p, pass));
      (void)(pass == AttentionPass::forward ? attention_kernel : attention_gradient_kernel)(kDevice, p);
    }
  };
  Attention p = small(DType::bf16);
  auto with = [&](auto change) {
    Attention changed = p;
    change(changed);
    return changed;
  };
  const std::size_t before = choices_made().size();
  ask(made(DType::bf16, 1, 2, 256, 3040, 32, 32, true));  // too few operations
  ask(small(DType::f32));
  ask(small(DType::f64));
  ask(with([](Attention& a) { a.masked = true; }));
  ask(made(DType::bf16, 1, 2, 256, 3056, 36, 32, true));
  ask(made(DType::bf16, 1, 2, 256, 3056, 32, 36, true));
  ask(with([](Attention& a) { a.q.offset = 4; }));
  ask(with([](Attention& a) { a.k.row = 68; }));
  ask(with([](Attention& a) { a.v.head = 0; }));
  ask(with([](Attention& a) { a.samples = 2, a.k.sample = 4; }));
  CHECK(asked == 0);
  CHECK(choices_made().size() == before);
  // a part's log-sum-exp would lie off the 16 bytes; the forward pass has no parts
  const Attention parts = made(DType::bf16, 1, 1 << 20, 258, 2048, 32, 32, false);
  CHECK(attention_part(parts, AttentionPass::gradient).heads < parts.heads);
  CHECK(attention_workspace(DeviceType::cuda)(parts, AttentionPass::gradient) == own_attention_workspace(parts, AttentionPass::gradient));
  CHECK(asked == 0);
  CHECK(choices_made().size() == before);
}

TEST_CASE("of attention's plans the fastest that gives the same is taken", "[cuda_on_cpu][attention_choice][slow]") {
  int more = 8;
  for (AttentionPass pass : kPasses) {
    CAPTURE(int(pass));
    const std::size_t outputs = pass == AttentionPass::forward ? 2 : 3;
    List plans{{.name = "cannot be built", .deed = Deed::unbuildable}, {.name = "refused", .deed = Deed::refused}, {.name = "slow", .microseconds = 60}, {.name = "fast", .microseconds = 20, .workspace = 0}, {.name = "slower", .microseconds = 40}};
    const CudnnScope here([&](const CudnnAttention&) { return plans; });
    const int before = cudnn().built;
    const AttentionChoice c = attention_choice(small(DType::bf16, more++), pass);
    REQUIRE(c.graph);
    CHECK(c.plan.engine == "fast");
    CHECK(c.microseconds == Approx(20).margin(0.1));
    CHECK(plans_run().size() == 3 * kTrial);
    CHECK(cudnn().built == before + 1);
    CHECK_THAT(last_told(), StartsWith(pass == AttentionPass::forward ? "attention bf16 batch 1, 2 heads, 256 queries, 30" : "attention gradient bf16 batch 1, 2 heads, 256 queries, 30"));
    CHECK_THAT(last_told(), Contains(" keys of 32 features, causal: cuDNN fast: 20.0 us, workspace 0.0 MiB (own kernels ") && EndsWith("00.0 us)"));

    // one that is slower than ours or fails, and any of whose results is wrong or not written
    plans = {{.microseconds = 301}};
    CHECK_FALSE(attention_choice(small(DType::f16, more++), pass).graph);
    CHECK_THAT(last_told(), EndsWith(pass == AttentionPass::forward ? "own kernels: 100.0 us, workspace 0.0 MiB" : "own kernels: 300.0 us, workspace 0.0 MiB"));
    plans = {};
    for (Deed deed : {Deed::wrong, Deed::places_unwritten})
      for (std::size_t output = 0; output < outputs; ++output) plans.push_back({.deed = deed, .output = output});
    CHECK_FALSE(attention_choice(small(DType::bf16, more++), pass).graph);
    CHECK(plans_run().size() == kTrial + 2 * outputs);
    CHECK(cudnn().built == before + 1);
  }
  // where ours take little time none is asked
  const CudnnScope here(always({{.microseconds = 1}}));
  on_cpu::count_time([](const std::string&) { return 19.0; });
  CHECK_FALSE(attention_choice(small(DType::bf16, more++), AttentionPass::forward).graph);
  CHECK_THAT(last_told(), EndsWith("own kernels: 19.0 us, workspace 0.0 MiB"));
  end_run();
}

TEST_CASE("a plan of attention that wants a workspace of zeros is not taken", "[cuda_on_cpu][attention_choice]") {
  const on_cpu::ZeroedMemory unused;
  const CudnnScope here(always({{.name = "wants zeros", .deed = Deed::wants_zeros, .microseconds = 1}, {.name = "right"}}));
  CHECK(attention_choice(small(DType::bf16, 400), AttentionPass::forward).plan.engine == "right");
}

TEST_CASE("attention's choice is remembered from process to process", "[cuda_on_cpu][attention_choice][slow]") {
  int more = 300;
  auto ask = [](const Attention& p) { return attention_choice(p, AttentionPass::forward); };
  {
    const Attention p = small(DType::bf16, more++);
    const CudnnScope here(always({{.name = "other", .microseconds = 30}, {.name = "a b {1}"}}));
    in_another_process([&] { (void)ask(p); });
    const AttentionChoice c = ask(p);
    CHECK(c.plan.engine == "a b {1}");
    CHECK(c.samples == 1);
    CHECK(c.heads == 2);
    CHECK(plans_run().empty());
    CHECK_THAT(last_told(), EndsWith(", causal: cuDNN a b {1}"));
  }
  {
    const Attention p = small(DType::bf16, more++);
    const CudnnScope here(always({{.microseconds = 1000}}));
    in_another_process([&] { (void)ask(p); });
    cudnn().attentions = always({{}});
    CHECK_FALSE(ask(p).graph);
    CHECK_THAT(last_told(), EndsWith(", causal: own kernels"));
  }
  {
    // what differs in where rows lie, in causality or in the pass is another question
    const Attention p = small(DType::bf16, more++);
    const CudnnScope here(always({{}}));
    in_another_process([&] { (void)ask(p); });
    Attention moved = p, all = p;
    moved.k.offset = 8;
    all.causal = false;
    for (const Attention& other : {moved, all}) {
      (void)ask(other);
      CHECK_FALSE(plans_run().empty());
    }
    (void)attention_choice(p, AttentionPass::gradient);
    CHECK_FALSE(plans_run().empty());
    (void)ask(p);
    CHECK(plans_run().empty());
  }
  struct Gone {
    List before, after;
  };
  const StandInPlan fresh{.name = "new", .microseconds = 5};
  for (const Gone& gone : {Gone{{{.name = "old"}}, {fresh}}, Gone{{{.name = "old"}}, {{.name = "old", .deed = Deed::unbuildable}, fresh}},
                           Gone{{{.name = "large", .workspace = std::size_t(1) << 40}}, {fresh}},  // found no memory: nothing is remembered
                           Gone{{{.name = ""}}, {{.name = "", .deed = Deed::wrong}, fresh}}}) {    // without a name it cannot be found again
    CAPTURE(gone.before[0].name);
    const Attention p = small(DType::bf16, more++);
    const CudnnScope here(always(gone.before));
    in_another_process([&] { (void)ask(p); });
    cudnn().attentions = always(gone.after);
    CHECK(ask(p).plan.engine == "new");
    CHECK_THAT(last_told(), Contains(": cuDNN new: ") && Contains("own kernels"));
  }
}
