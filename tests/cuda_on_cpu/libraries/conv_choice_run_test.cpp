// What a choice does with the operands of a convolution's slots: a stand-in's plans beside our kernels.
#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "backend/cuda/conv_own.hpp"
#include "cuda_on_cpu/libraries/conv_choice.hpp"
#include "cuda_on_cpu/libraries/numbers.hpp"
#include "cuda_on_cpu/on_device.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "ops/dispatch.hpp"
#include "tenon/plan.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::cuda;
using namespace under_test;
using namespace under_test::convolutions;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;
using on_cpu::cudnn;

namespace {

ConvChoice built(const ConvGeometry& g, ConvPass pass, const ConvForm& form, bool inside, bool half_weights) {
  ConvChoice c;
  const auto graph = CudnnGraph::make({presented(g, form), pass, inside, half_weights, false, false});
  REQUIRE(graph);
  REQUIRE(graph->build(0, c.plan));
  c.graph = graph;
  c.bias_inside = inside, c.half_weights = half_weights, c.form = form;
  return c;
}

/// What a choice makes of a pass beside what our kernel makes of it. The workspace ends with its last byte.
void check_choice(const ConvGeometry& g, ConvPass pass, const ConvForm& form, bool bias, bool inside, bool half_weights) {
  CAPTURE(name_of(g.dtype), int(pass), form.block, form.in_pad, form.out_pad, bias, inside, half_weights);
  const bool forward = pass == ConvPass::forward, weights = pass == ConvPass::weight_gradient, half = size_of(g.dtype) == 2;
  const std::int64_t x_count = g.batch * g.in_voxels() * g.in_channels, y_count = g.batch * g.out_voxels() * g.out_channels;
  const std::int64_t results = weights ? g.weights() : forward ? y_count : x_count;
  const DType result_type = weights ? DType::f32 : g.dtype;
  const Numbers first(g.dtype, pass == ConvPass::input_gradient ? y_count : x_count, 1),
      second(weights ? g.dtype : DType::f32, weights ? y_count : g.weights(), 2), added(DType::f32, forward ? g.out_channels : g.in_channels, 3),
      wanted(result_type, results), result(result_type, results);
  const OnDevice<std::byte> own_workspace(own_conv_buffers(g, pass, ConvSums::none).workspace + 1);
  std::vector<void*> operands{first.get(), second.get()};
  if (bias) operands.push_back(added.get());
  operands.insert(operands.end(), {wanted.get(), own_workspace.at});
  (weights ? own_conv_weights(g, ConvSums::none) : own_conv(g, pass, bias))(operands.data());

  const ConvChoice c = built(g, pass, form, inside, half_weights);
  const bool packing = half && !weights;
  const OnDevice<std::byte> workspace(conv_choice_workspace(c, g, pass)), packed(packing ? conv_choice_weights(c, g) : 1);
  if (packing) pack_conv_choice(c, g, second.get(), packed.at);
  run_conv_choice(c, g, pass, first.get(), packing ? packed.at : second.get(), bias ? added.get() : nullptr, result.get(), workspace.at);
  check_near(result.values(), wanted.values(), half && (!weights || half_weights) ? 1e-5 : 1e-12);
  end_run();
}

void check_choices(const ConvGeometry& g, const ConvForm& form) {
  CAPTURE(g.spatial, g.in_channels, g.out_channels, g.groups);
  check_choice(g, ConvPass::weight_gradient, form, false, false, false);
  if (size_of(g.dtype) == 2) check_choice(g, ConvPass::weight_gradient, form, false, false, true);
  for (ConvPass pass : {ConvPass::forward, ConvPass::input_gradient}) {
    const bool cut = (pass == ConvPass::forward ? form.out_pad : form.in_pad) > 0;
    check_choice(g, pass, form, false, false, false);
    check_choice(g, pass, form, true, false, false);
    if (!cut) check_choice(g, pass, form, true, true, false);
  }
}

/// The layer by cuDNN's plans gives what it gives by our kernels, alone and in a recorded step. Where `recorded_first`, the questions are asked while it is recorded.
void check_layer(const Layer& layer, const ConvPlans& plans, bool recorded_first = false) {
  const In ours = layer.run();
  const CudnnScope here(plans);
  In first, recorded;
  StepPlan plan;
  auto record = [&] { plan = StepPlan::record([&] { recorded = layer.run(); }); };
  if (recorded_first) record();
  plans_run();
  if (recorded_first) plan.run(), first = layer.run();
  else first = layer.run(), record();
  close(first, ours);
  CHECK_THAT(plan.explain(), Contains("# chosen: " + last_told()));
  for (int i = 0; i < 2; ++i) {
    plans_run();
    plan.run();
    CHECK(plans_run().size() == 3);  // forward, input gradient, weight gradient
    for (std::size_t k = 0; k < first.size(); ++k) CHECK(recorded[k].to_vector() == first[k].to_vector());
  }
  end_run();
}

}  // namespace

TEST_CASE("a choice's plan gives what our kernels give, in every form", "[cuda_on_cpu][conv_choice]") {
  std::size_t workspace = 4096;
  const int before = cudnn().built;
  const CudnnScope here([&](const CudnnConvolution&) { return List{{.workspace = workspace}}; });
  for (DType type : {DType::f32, DType::bf16, DType::f16}) {
    ConvGeometry strided = same(type, {9, 8}, 5, 6, 3, 2), spread = same(type, {9, 11}, 4, 8, 3), grouped = same(type, {3, 4, 5}, 6, 4, 3);
    strided.stride = {2, 1, 1}, strided.out[0] = 5;
    spread.dilation = {2, 3, 1}, spread.pad = {2, 3, 0}, spread.stride = {3, 2, 1}, spread.out = {3, 6, 1};
    grouped.groups = 2;
    workspace = workspace == 0 ? 1000 : 0;
    check_choices(grouped, {});
    check_choices(spread, {});
    check_choices(same(type, {13}, 4, 6, 5, 2), {});
    if (type == DType::f32) continue;  // other forms are of 16 bits
    check_choices(same(type, {12}, 4, 6, 5, 2), {2, 0, 0});
    check_choices(strided, {4, 0, 0});
    check_choices(strided, {1, 3, 2});
    workspace = workspace == 0 ? 1000 : 0;
    check_choices(same(type, {3, 2, 8}, 2, 3, 3), {4, 0, 0});
    check_choices(same(type, {7}, 5, 6, 3, 2), {1, 3, 0});
    check_choices(same(type, {4, 3}, 4, 3, 1), {1, 0, 5});
  }
  CHECK(cudnn().built == before);
}

TEST_CASE("a plan that writes past its workspace is told", "[cuda_on_cpu][conv_choice]") {
  const CudnnScope here(always({{.deed = Deed::past_workspace}}));
  const ConvGeometry g = same(DType::f32, {7}, 5, 6, 3);
  const Numbers x(DType::f32, 35, 1), w(DType::f32, g.weights(), 2), y(DType::f32, 42);
  const ConvChoice c = built(g, ConvPass::forward, {}, false, false);
  const OnDevice<std::byte> workspace(conv_choice_workspace(c, g, ConvPass::forward));
  run_conv_choice(c, g, ConvPass::forward, x.get(), w.get(), nullptr, y.get(), workspace.at);
  CHECK_THROWS_WITH(end_run(), Contains("device memory"));
}

TEST_CASE("convolutions are a library's where it is faster and gives the same", "[cuda_on_cpu][conv_choice][slow]") {
  has_device();
  const DeviceScope on(kDevice);
  const ConvOptions padded{{}, {1, 1}, {}, 1};
  check_layer({DType::f32, {2, 24, 24, 8}, {16, 3, 3, 8}, padded}, always({{.workspace = 1000}}));
  CHECK_THAT(last_told(), StartsWith("input gradient f32 batch 2, 24x24 of 8 channels to 24x24 of 16, kernel 3x3 stride 1x1: cuDNN stand-in: 10.0 us, workspace 0.0 MiB (own kernels "));
  check_layer({DType::f16, {2, 24, 25, 8}, {16, 3, 3, 8}, padded}, always({{}}), true);
  check_layer({DType::bf16, {1, 1100, 16}, {12, 7, 16}, {{1}, {3}, {}, 1}}, always({{.workspace = 0}}));
  check_layer({DType::bf16, {2, 8, 9, 10, 16}, {16, 3, 3, 3, 8}, {{1, 2, 2}, {1, 1, 1}, {}, 2}}, always({{}}));
  CHECK_THAT(last_told(), Contains("kernel 3x3x3 stride 1x2x2 groups 2: cuDNN stand-in"));
  check_layer({DType::f32, {2, 40, 44, 16}, {16, 3, 3, 8}, {{2, 1}, {2, 1}, {2, 1}, 2}}, always({{}}));
  check_layer({DType::f32, {1, 14, 13, 32}, {32, 3, 2, 32}, {{2, 2}, {1, 0}, {}, 1}, true}, always({{}}), true);
  check_layer({DType::bf16, {1, 20, 13, 32}, {32, 3, 2, 24}, {{2, 2}, {1, 0}, {}, 1}, true}, always({{}}));
}

TEST_CASE("convolutions in other forms give the same through the slots", "[cuda_on_cpu][conv_choice][slow]") {
  has_device();
  const DeviceScope on(kDevice);
  auto check_form = [](DType type, std::int64_t length, std::int64_t in, std::int64_t out, std::int64_t kernel, const ConvForm& form, const std::string& words) {
    const ConvGeometry g = same(type, {length}, in, out, kernel);
    const std::vector<ConvForm> forms = conv_forms(g);
    REQUIRE(std::find(forms.begin(), forms.end(), form) != forms.end());
    check_layer({type, {1, length, in}, {out, kernel, in}, {{}, {(kernel - 1) / 2}, {}, 1}}, in_form(g, form));
    CHECK_THAT(last_told(), EndsWith(words));
  };
  check_form(DType::bf16, 496, 4, 30, 19, {8, 0, 0}, ", 8 positions as channels of one");
  check_form(DType::f16, 500, 4, 30, 19, {4, 0, 0}, ", 4 positions as channels of one");
  check_form(DType::bf16, 400, 28, 30, 3, {1, 4, 2}, ", channels filled up to 32 and 32");
  check_form(DType::f16, 400, 60, 58, 1, {1, 4, 6}, ", channels filled up to 64 and 64");
}

TEST_CASE("operands of convolutions off the 16 bytes are copied", "[cuda_on_cpu][conv_choice][slow]") {
  has_device();
  const DeviceScope on(kDevice);
  for (DType type : {DType::f32, DType::bf16})
    for (bool inside : {true, false}) {
      CAPTURE(name_of(type), inside);
      const ConvGeometry g = small(type, inside ? 0 : 4);
      auto off = [&](int seed, const Shape& shape, DType t) {
        Tensor view = operand(seed, {shape.numel() + 1}, t).narrow(0, 1, shape.numel()).reshape(shape);
        REQUIRE(reinterpret_cast<std::uintptr_t>(view.raw()) % 16 != 0);
        view.set_requires_grad();
        return view;
      };
      const Tensor x = off(1, {1, g.in[0], g.in_channels}, type), w = off(2, {g.out_channels, 1, g.in_channels}, DType::f32), b = off(3, {g.out_channels}, DType::f32),
                   d_y = off(4, {1, g.out[0], g.out_channels}, type).detach();
      auto layer = [&] {
        const Tensor y = conv(x, w, b);
        In made = gradients({y}, {x, w, b}, {d_y});
        made.push_back(y.detach());
        return made;
      };
      const In ours = layer();
      const CudnnScope here([=](const CudnnConvolution& q) { return q.bias && !inside ? List{} : List{{}}; });
      close(layer(), ours);
      CHECK(conv_choice(g, ConvPass::forward, true).bias_inside == inside);
      plans_run();
      (void)layer();
      CHECK(plans_run().size() == 3);
      In recorded;
      const StepPlan plan = StepPlan::record([&] { recorded = layer(); });
      plan.run();
      close(recorded, ours);
      end_run();
    }
}

TEST_CASE("a convolution that cuDNN refuses later is told", "[cuda_on_cpu][conv_choice]") {
  const CudnnScope here(always({{.name = "moody"}}));
  const DeviceScope on(kDevice);
  const Tensor x = operand(1, {1, 260, 66}, DType::f32), w = operand(2, {64, 1, 66}, DType::f32);
  (void)conv(x, w, {});
  cudnn().refuses = true;
  try {
    (void)conv(x, w, {});
    FAIL("it ran");
  } catch (const Error& e) {
    CHECK(e.code() == "cuda.cudnn");
    CHECK_THAT(e.what(), Contains("moody") && Contains("TENON_CUDNN=none"));
  }
}
