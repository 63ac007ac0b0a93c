// What a choice does with the operands of attention's slots: a stand-in's plans beside our kernels.
#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "core/ops/gradient_check.hpp"
#include "cuda/twin.hpp"
#include "cuda_on_cpu/libraries/attention_choice.hpp"
#include "cuda_on_cpu/libraries/numbers.hpp"
#include "cuda_on_cpu/on_device.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "ops/attention_tiles.hpp"
#include "ops/dispatch.hpp"
#include "tenon/attention.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::cuda;
using namespace under_test;
using namespace under_test::attentions;
using Catch::Matchers::Contains;
using on_cpu::cudnn;
using In = std::vector<Tensor>;

namespace {

/// The same with one tensor for queries, keys and values.
Attention of_one_tensor(DType type, std::int64_t samples, std::int64_t heads, std::int64_t length, std::int64_t depth, bool causal) {
  Attention p = made(type, samples, heads, length, length, depth, depth, causal);
  const std::int64_t part = heads * depth;
  std::int64_t at = 0;
  for (AttentionStrides* s : {&p.q, &p.k, &p.v}) *s = {length * 3 * part, 3 * part, depth, at++ * part};
  return p;
}
std::int64_t span_of(const Attention& p, const AttentionStrides& s, std::int64_t rows, std::int64_t width) {
  return s.offset + (p.samples - 1) * s.sample + (rows - 1) * s.row + (p.heads - 1) * s.head + width;
}

using Memory = std::shared_ptr<Numbers>;

/// What is read and written, in the order of the slot; one memory for q, k and v, and for their gradients, where they lie in one tensor.
struct Operands {
  std::vector<Memory> q_k_v, forward, gradients;
  Memory d_y;

  explicit Operands(const Attention& p) {
    const bool one = p.k.offset > 0;
    auto three = [&](std::uint64_t seed) {
      std::vector<Memory> all;
      if (one) return std::vector<Memory>(3, std::make_shared<Numbers>(p.dtype, p.samples * p.q.sample, seed));
      all.push_back(std::make_shared<Numbers>(p.dtype, span_of(p, p.q, p.queries, p.depth), seed));
      all.push_back(std::make_shared<Numbers>(p.dtype, span_of(p, p.k, p.keys, p.depth), seed ? seed + 1 : 0));
      all.push_back(std::make_shared<Numbers>(p.dtype, span_of(p, p.v, p.keys, p.features), seed ? seed + 2 : 0));
      return all;
    };
    q_k_v = three(1);
    gradients = three(0);
    const std::int64_t rows = p.samples * p.heads * p.queries;
    forward = {std::make_shared<Numbers>(p.dtype, rows * p.features), std::make_shared<Numbers>(DType::f32, rows)};
    d_y = std::make_shared<Numbers>(p.dtype, rows * p.features, 4);
  }
  /// What the pass writes.
  void spoil(AttentionPass pass) const {
    for (const Memory& n : pass == AttentionPass::forward ? forward : gradients) n->spoil();
  }
  std::vector<void*> pointers(AttentionPass pass) const {
    std::vector<void*> all;
    for (const auto* m : {&q_k_v, &forward})
      for (const Memory& n : *m) all.push_back(n->get());
    if (pass == AttentionPass::forward) return all;
    all.push_back(d_y->get());
    for (const Memory& n : gradients) all.push_back(n->get());
    return all;
  }
};

void check_near(const Numbers& given, const Numbers& wanted, double bound) {
  const std::vector<double> a = given.values(), b = wanted.values();
  REQUIRE(a.size() == b.size());
  double error = 0, size = 0;
  std::size_t apart = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != a[i] || b[i] != b[i]) apart += (a[i] != a[i]) != (b[i] != b[i]);  // places between rows, which neither writes
    else error += (a[i] - b[i]) * (a[i] - b[i]), size += b[i] * b[i];
  }
  CHECK(apart == 0);
  CHECK(size > 0);
  CHECK(error <= bound * size);
}

AttentionChoice built(const Attention& p, AttentionPass pass, std::int64_t samples, std::int64_t heads) {
  AttentionChoice c;
  const auto graph = CudnnGraph::make(CudnnAttention{p, pass == AttentionPass::gradient, samples, heads});
  REQUIRE(graph);
  REQUIRE(graph->build(0, c.plan));
  c.graph = graph;
  c.samples = samples, c.heads = heads;
  return c;
}

using Parts = std::vector<std::pair<std::int64_t, std::int64_t>>;

/// Both passes by runs of so many samples and heads, beside our kernels'; so small attention is theirs.
void check_choices(const Attention& p, const Parts& parts) {
  const Operands wanted(p), given(p);
  for (AttentionPass pass : kPasses) {
    const OnDevice<std::byte> own_workspace(own_attention_workspace(p, pass) + 1);
    std::vector<void*> operands = wanted.pointers(pass);
    operands.push_back(own_workspace.at);
    (pass == AttentionPass::forward ? attention_kernel : attention_gradient_kernel)(kDevice, p)(operands.data());
    for (const auto& [samples, heads] : parts) {
      CAPTURE(int(pass), name_of(p.dtype), p.causal, p.k.offset, samples, heads);
      const AttentionChoice c = built(p, pass, samples, heads);
      const OnDevice<std::byte> workspace(c.plan.workspace);
      plans_run();
      given.spoil(pass);
      run_attention_choice(c, p, pass, given.pointers(pass).data(), workspace.at);
      CHECK(std::int64_t(plans_run().size()) == p.samples / samples * (p.heads / heads));
      if (pass == AttentionPass::forward) {
        check_near(*given.forward[0], *wanted.forward[0], tolerance_of(p.dtype));
        check_near(*given.forward[1], *wanted.forward[1], 1e-10);
      } else {
        for (std::size_t i = 0; i < 3; ++i) check_near(*given.gradients[i], *wanted.gradients[i], tolerance_of(p.dtype));
      }
      end_run();
    }
  }
}

Tensor operand(int seed, const Shape& shape, DType type) { return check::spread(shape, -1, 1 + 0.1 * seed, type).to(kDevice); }

void close(const In& x, const In& y) {
  REQUIRE(x.size() == y.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    CAPTURE(i);
    CHECK(nmse(x[i].detach().to(kCpu), y[i].detach().to(kCpu)) < tolerance_of(x[i].dtype()));
  }
}

/// Attention and its gradients by cuDNN's plans are what they are by our kernels, alone and in a recorded step. `lines`: how many choices that takes.
void check_attention(const check::Function& f, const In& inputs, std::size_t lines, std::size_t runs = 2) {
  auto run = [&] { return check::with_gradients(f, inputs); };
  const In ours = run();
  const std::size_t before = choices_made().size();
  const CudnnScope here(always({{}}));
  const In first = run();
  close(first, ours);
  CHECK(choices_made().size() == before + lines);
  In recorded;
  const StepPlan plan = StepPlan::record([&] { recorded = run(); });
  for (int i = 0; i < 2; ++i) {
    plans_run();
    plan.run();
    CHECK(plans_run().size() == runs);
    for (std::size_t k = 0; k < first.size(); ++k) CHECK(recorded[k].to_vector() == first[k].to_vector());
  }
  end_run();
}

check::Function attention(bool causal, double scale = 0) {
  return [=](const In& x) { return scaled_dot_product_attention(x[0], x[1], x[2], {.causal = causal, .scale = scale}); };
}

}  // namespace

TEST_CASE("a choice's plan gives what our kernels give, part by part", "[cuda_on_cpu][attention_choice]") {
  std::size_t workspace = 4096;
  const CudnnScope here([&](const CudnnAttention&) { return List{{.workspace = workspace}}; });
  for (DType type : {DType::bf16, DType::f16}) {
    const bool causal = type == DType::f16;
    workspace = causal ? 0 : 4096;
    check_choices(made(type, 2, 4, 12, 20, 8, 16, causal), {{2, 4}, {1, 4}, {1, 2}, {1, 1}});
    check_choices(of_one_tensor(type, 2, 2, 12, 8, !causal), {{1, 1}, {2, 2}});
  }
  // rows of queries between others
  Attention p = made(DType::bf16, 2, 2, 8, 12, 8, 8, false);
  p.q = {p.queries * 64, 64, 16, 8};
  check_choices(p, {{1, 1}});
}

TEST_CASE("attention is a library's where it is faster and gives the same", "[cuda_on_cpu][attention_choice][slow]") {
  has_device();
  const DeviceScope on(kDevice);
  auto three = [](DType type, std::int64_t samples, std::int64_t queries, std::int64_t keys, std::int64_t heads, std::int64_t depth, std::int64_t features) {
    return In{operand(1, {samples, queries, heads, depth}, type), operand(2, {samples, keys, heads, depth}, type), operand(3, {samples, keys, heads, features}, type)};
  };
  check_attention(attention(true), three(DType::bf16, 1, 256, 3100, 2, 32, 32), 2);
  check_attention(attention(true, 0.2), three(DType::f16, 2, 128, 4100, 2, 16, 32), 2);
  check_attention(attention(false), three(DType::bf16, 1, 420, 960, 2, 64, 64), 2);
  // another scale is another graph, of the plan that is remembered
  {
    const In inputs = three(DType::bf16, 1, 256, 3100, 2, 32, 32);
    const In ours = check::with_gradients(attention(true, 0.3), inputs);
    const CudnnScope here(always({{}}));
    close(check::with_gradients(attention(true, 0.3), inputs), ours);
    CHECK(plans_run().size() == 2);
    CHECK(last_told() == "attention gradient bf16 batch 1, 2 heads, 256 queries, 3100 keys of 32 features, causal: cuDNN stand-in");
  }
  // views: heads before rows
  auto turned = [](const In& x) { return scaled_dot_product_attention(x[0].transpose(1, 2), x[1].transpose(1, 2), x[2].transpose(1, 2), {.causal = true}); };
  check_attention(turned, {operand(1, {1, 2, 256, 32}, DType::bf16), operand(2, {1, 2, 3150, 32}, DType::bf16), operand(3, {1, 2, 3150, 32}, DType::bf16)}, 2);
}

TEST_CASE("self-attention of one tensor is a library's, too", "[cuda_on_cpu][attention_choice][slow]") {
  has_device();
  const DeviceScope on(kDevice);
  check_attention([](const In& x) { return self_attention(x[0], {.causal = true}); }, {operand(1, {1, 640, 3, 2, 64}, DType::bf16)}, 2);
}

TEST_CASE("attention of operands off the 16 bytes stays with our kernels", "[cuda_on_cpu][attention_choice][slow]") {
  const CudnnScope here(always({{}}));
  const DeviceScope on(kDevice);
  const Tensor k = operand(2, {1, 3200, 2, 32}, DType::bf16), v = operand(3, {1, 3200, 2, 32}, DType::bf16), longer = operand(1, {256 * 64 + 8}, DType::bf16);
  auto from = [&](std::int64_t first) {
    plans_run();
    Tensor q = longer.narrow(0, first, 256 * 64).reshape({1, 256, 2, 32});
    q.set_requires_grad();
    const Tensor y = scaled_dot_product_attention(q, k, v, {.causal = true});
    return y.detach().to(kCpu).to_vector();
  };
  (void)from(0);
  (void)from(0);
  CHECK(plans_run().size() == 1);
  const std::vector<double> eight = from(8), off = from(1);
  CHECK(plans_run().empty());
  CHECK(off != eight);
  end_run();
}

TEST_CASE("attention that cuDNN refuses later is told", "[cuda_on_cpu][attention_choice][slow]") {
  const CudnnScope here(always({{.name = "moody"}}));
  const DeviceScope on(kDevice);
  const Tensor q = operand(1, {1, 256, 2, 32}, DType::bf16), k = operand(2, {1, 3250, 2, 32}, DType::bf16);
  (void)scaled_dot_product_attention(q, k, k, {.causal = true});
  cudnn().refuses = true;
  try {
    (void)scaled_dot_product_attention(q, k, k, {.causal = true});
    FAIL("it ran");
  } catch (const Error& e) {
    CHECK(e.code() == "cuda.cudnn");
    CHECK_THAT(e.what(), Contains("moody") && Contains("TENON_CUDNN=none"));
  }
}
