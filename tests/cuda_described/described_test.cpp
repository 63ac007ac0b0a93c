// What cuDNN can do on a device that is not here, asked by the device's description (h100.json was recorded on one).
//
//   cuda_described_tests "[.record]"     on a machine with a device: prints the description
#include <catch2/catch.hpp>

#include <cuda_runtime.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "backend/cuda/install.hpp"
#include "backend/cuda/library/attention_tune.hpp"
#include "backend/cuda/library/cudnn_recurrent.hpp"
#include "backend/cuda/library/row_norm_tune.hpp"
#include "ops/conv_kernels.hpp"
#include "tenon/dropout.hpp"
#include "tenon/io/file.hpp"
#include "tenon/plan.hpp"
#include "workloads/workload.hpp"

namespace tenon::cuda {
/// Of the backend; a graph that is only described is never started.
cudaStream_t stream() {
  return nullptr;
}
}  // namespace tenon::cuda

using namespace tenon;
using namespace tenon::cuda;

namespace {

constexpr std::size_t kDescribes = 90800;  ///< the first cuDNN that knows devices by description

const std::string& h100() {
  static const std::string text = [] {
    const auto bytes = read_file(std::string(TENON_SOURCE_DIR) + "/tests/cuda_described/h100.json");
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }();
  return text;
}

/// cuDNN needs a driver to build plans of attention; which one must not depend on the machine. Before the first call of CUDA or cuDNN.
bool take_fake_driver() {
  static const bool taken = ::dlopen(TENON_FAKE_DRIVER, RTLD_NOW | RTLD_GLOBAL) != nullptr;
  return taken;
}

bool can_describe() {
  REQUIRE(take_fake_driver());
  if (cudnn_version() >= kDescribes) return true;
  std::cout << "skipped: cuDNN 9.8 or later is not on this machine\n";
  return false;
}

struct Question {
  ConvGeometry geometry;
  ConvPass pass;
  bool bias;
  auto operator<=>(const Question&) const = default;
};

/// While one is alive, every convolution for which a kernel is asked on this CPU is noted.
class Listener {
 public:
  Listener() : forward_(conv_forward_slot), input_(conv_input_gradient_slot), weights_(conv_weight_gradient_slot) {
    conv_forward_slot.set(DeviceType::cpu, [this](const ConvGeometry& g, bool bias) {
      heard.insert({g, ConvPass::forward, bias});
      return forward_(kCpu, g, bias);
    });
    conv_input_gradient_slot.set(DeviceType::cpu, [this](const ConvGeometry& g, bool bias) {
      heard.insert({g, ConvPass::input_gradient, bias});
      return input_(kCpu, g, bias);
    });
    conv_weight_gradient_slot.set(DeviceType::cpu, [this](const ConvGeometry& g, ConvSums sums) {
      heard.insert({g, ConvPass::weight_gradient, false});
      return weights_(kCpu, g, sums);
    });
  }
  ~Listener() {
    conv_forward_slot = forward_;
    conv_input_gradient_slot = input_;
    conv_weight_gradient_slot = weights_;
  }
  std::set<Question> heard;

 private:
  decltype(conv_forward_slot) forward_;
  decltype(conv_input_gradient_slot) input_;
  decltype(conv_weight_gradient_slot) weights_;
};

/// The convolutions of a training step of a reference model.
std::set<Question> convolutions_of(const std::string& model, DType compute) {
  Listener listener;
  const bench::Workload w = bench::workloads().at(model)(compute);
  w.model->initialise(0);
  w.model->set_random_key(random_key(0, kCpu));
  (void)StepPlan::record([&] { w.loss().backward(); });
  return listener.heard;
}

std::string text_of(const Question& q) {
  const ConvGeometry& g = q.geometry;
  std::string s = q.pass == ConvPass::forward ? "forward" : q.pass == ConvPass::input_gradient ? "input gradient" : "weight gradient";
  s += " " + std::string(name_of(g.dtype)) + (q.bias ? " with bias" : "");
  for (int a = 0; a < g.spatial; ++a) s += (a ? "x" : " ") + std::to_string(g.in[std::size_t(a)]);
  s += ", " + std::to_string(g.in_channels) + " to " + std::to_string(g.out_channels) + " channels, kernel";
  for (int a = 0; a < g.spatial; ++a) s += (a ? "x" : " ") + std::to_string(g.kernel[std::size_t(a)]);
  return s + ", groups " + std::to_string(g.groups);
}

/// The first plan that can be built, as the backend would take it; -1 where there is none.
std::int64_t first_plan(const Question& q) {
  for (bool fallback : {false, true})
    for (bool inside : q.bias ? std::vector<bool>{true, false} : std::vector<bool>{false})
      for (bool half : q.pass == ConvPass::weight_gradient && size_of(q.geometry.dtype) == 2 ? std::vector<bool>{false, true} : std::vector<bool>{false}) {
        const std::shared_ptr<CudnnGraph> graph = CudnnGraph::make_for(h100(), CudnnConvolution{q.geometry, q.pass, inside, half, false, fallback});
        for (std::int64_t i = 0; graph && i < graph->plans(); ++i)
          if (CudnnPlan plan; graph->build(i, plan)) return i;
      }
  return -1;
}

/// `spatial` axes of 24, 16 channels to 32 (of `groups`), kernel 3.
ConvGeometry geometry(int spatial, DType type, std::int64_t groups, std::int64_t stride, std::int64_t dilation) {
  ConvGeometry g;
  g.spatial = spatial;
  g.dtype = type;
  g.batch = 2, g.in_channels = 32, g.out_channels = 32, g.groups = groups;
  for (std::size_t a = 0; a < std::size_t(spatial); ++a) {
    g.in[a] = 24, g.kernel[a] = 3, g.pad[a] = dilation, g.stride[a] = stride, g.dilation[a] = dilation;
    g.out[a] = (24 + 2 * dilation - g.reach(int(a))) / stride + 1;
  }
  return g;
}

}  // namespace

TEST_CASE("a description of the device here", "[.record]") { std::cout << cudnn_device_description(); }

TEST_CASE("cuDNN has a plan on an H100 for each convolution of the reference models", "[described][slow]") {
  if (!can_describe()) return;
  for (const char* model : {"unet3d", "basset"}) {
    const std::set<Question> all = convolutions_of(model, DType::bf16);
    CHECK(all.size() > 5);
    for (const Question& q : all) {
      INFO(model << ": " << text_of(q));
      CHECK(first_plan(q) >= 0);
    }
  }
}

TEST_CASE("cuDNN has a plan on an H100 for convolutions of each kind", "[described][slow]") {
  if (!can_describe()) return;
  for (int spatial : {1, 2, 3})
    for (DType type : {DType::f32, DType::bf16, DType::f16})
      for (const auto& [groups, stride, dilation] : {std::tuple{1, 1, 1}, {1, 2, 1}, {1, 1, 2}, {4, 1, 1}})
        for (ConvPass pass : {ConvPass::forward, ConvPass::input_gradient, ConvPass::weight_gradient}) {
          const Question q{geometry(spatial, type, groups, stride, dilation), pass, pass == ConvPass::forward};
          INFO(text_of(q) << " stride " << stride << " dilation " << dilation);
          CHECK(first_plan(q) >= 0);
        }
}

TEST_CASE("f32 has plans on an H100's tensor cores where TF32 is allowed, and only there", "[described][slow]") {
  if (!can_describe()) return;
  const auto plans = [](bool tf32) {
    std::set<std::string> names;
    for (ConvPass pass : {ConvPass::forward, ConvPass::input_gradient, ConvPass::weight_gradient}) {
      const auto graph = CudnnGraph::make_for(h100(), CudnnConvolution{geometry(2, DType::f32, 1, 1, 1), pass, false, false, tf32, false});
      REQUIRE(graph != nullptr);
      for (std::int64_t i = 0; i < graph->plans(); ++i)
        if (CudnnPlan plan; graph->build(i, plan)) names.insert(std::to_string(int(pass)) + " " + plan.engine);
    }
    return names;
  };
  const std::set<std::string> exact = plans(false), rounded = plans(true);
  CHECK_FALSE(exact.empty());
  CHECK(std::includes(rounded.begin(), rounded.end(), exact.begin(), exact.end()));
  CHECK(rounded.size() > exact.size());
}

TEST_CASE("the versions of the libraries", "[described]") {
  std::map<std::string, std::string> versions;
  for (const auto& [name, version] : library_versions()) {
    INFO(name);
    if (name != "cuDNN" || cudnn_version() > 0) CHECK_THAT(version, Catch::Matchers::Matches("[1-9][0-9]*\\.[0-9]+\\.[0-9]+"));
    CHECK(versions.emplace(name, version).second);
  }
  for (const char* name : {"cuBLASLt", "cuFFT", "cuSOLVER"}) CHECK(versions.contains(name));
  if (!std::getenv("TENON_CUDNN")) CHECK(versions.contains("cuDNN") == (cudnn_version() > 0));
  CHECK(versions["cuBLASLt"].starts_with(std::to_string(CUDART_VERSION / 1000) + "."));
}

namespace {

/// [2, 512, 4, width] and as many keys, dense or as parts of one [2, 512, 3, 4, width].
Attention attention(DType type, std::int64_t width, bool interleaved) {
  Attention p{type, 2, 4, 512, 512, width, width, 0.125, false, false, {}, {}, {}, {}};
  const std::int64_t parts = interleaved ? 3 : 1, row = parts * 4 * width;
  p.q = p.k = p.v = {512 * row, row, width, 0};
  if (interleaved) p.k.offset = 4 * width, p.v.offset = 8 * width;
  return p;
}

/// The same with `keys` keys and `features` features of v, dense.
Attention with_keys(Attention p, std::int64_t keys, std::int64_t features) {
  p.keys = keys, p.features = features;
  p.k = {keys * p.heads * p.depth, p.heads * p.depth, p.depth, 0};
  p.v = {keys * p.heads * features, p.heads * features, features, 0};
  return p;
}

std::string text_of(const Attention& p, AttentionPass pass) {
  return std::string(pass == AttentionPass::forward ? "forward " : "gradient ") + std::string(name_of(p.dtype)) + ", " + std::to_string(p.samples) + " x " +
         std::to_string(p.heads) + " heads, " + std::to_string(p.queries) + " queries, " + std::to_string(p.keys) + " keys of " + std::to_string(p.depth) +
         " and " + std::to_string(p.features) + (p.causal ? ", causal" : "") + (p.k.offset ? ", interleaved" : "");
}

/// The first plan that can be built, as the backend would take it; its index is -1 where there is none.
CudnnPlan first_plan(const Attention& p, AttentionPass pass) {
  const std::shared_ptr<CudnnGraph> graph = CudnnGraph::make_for(h100(), attention_part(p, pass));
  CudnnPlan plan;
  for (std::int64_t i = 0; graph && i < graph->plans(); ++i)
    if (graph->build(i, plan)) return plan;
  return {};
}

constexpr AttentionPass kPasses[] = {AttentionPass::forward, AttentionPass::gradient};

}  // namespace

TEST_CASE("cuDNN has a plan on an H100 for attention of each kind", "[described][attention][slow]") {
  if (!can_describe()) return;
  std::vector<Attention> all;
  for (std::int64_t width : {32, 64, 128}) all.push_back(attention(DType::bf16, width, width != 64));
  all.push_back(attention(DType::f16, 64, true));
  all.push_back(attention(DType::f16, 40, false));
  all.push_back(with_keys(attention(DType::bf16, 64, false), 200, 64));
  all.push_back(with_keys(attention(DType::bf16, 64, false), 1000, 128));
  for (Attention& p : all)
    for (bool causal : {false, true})
      for (AttentionPass pass : kPasses) {
        p.causal = causal;
        INFO(text_of(p, pass));
        const CudnnPlan plan = first_plan(p, pass);
        CHECK(plan.index >= 0);
        CHECK(!plan.engine.empty());
      }
}

TEST_CASE("long attention runs in parts whose workspace is bounded", "[described][attention][slow]") {
  struct Case {
    std::int64_t samples, heads, length, width, samples_of_part, heads_of_part;
  };
  for (const Case& c : {Case{4, 16, 2048, 64, 4, 16}, {2, 16, 4096, 128, 1, 16}, {6, 16, 2048, 64, 3, 16}, {1, 8, 16384, 64, 1, 1}, {2, 12, 8192, 64, 1, 4},
                        {2, 3, 5000, 64, 2, 3}}) {
    Attention p = attention(DType::bf16, c.width, true);
    p.samples = c.samples, p.heads = c.heads, p.queries = p.keys = c.length;
    for (AttentionStrides* s : {&p.q, &p.k, &p.v}) {
      s->row = 3 * c.heads * c.width, s->sample = c.length * s->row;
      s->offset = (s == &p.q ? 0 : s == &p.k ? 1 : 2) * c.heads * c.width;
    }
    const CudnnAttention forward = attention_part(p, AttentionPass::forward), gradient = attention_part(p, AttentionPass::gradient);
    CHECK((forward.samples == c.samples && forward.heads == c.heads));
    INFO(text_of(p, AttentionPass::gradient) << " in parts of " << gradient.samples << " x " << gradient.heads);
    CHECK((gradient.samples == c.samples_of_part && gradient.heads == c.heads_of_part));
    if (!can_describe()) continue;
    const CudnnPlan plan = first_plan(p, AttentionPass::gradient);
    CHECK(plan.index >= 0);
    CHECK(plan.workspace < std::size_t(kMostScoreBytes) + (std::size_t(64) << 20));
  }
}

namespace {

/// While one is alive, every norm of rows for which a kernel is asked on this CPU is noted.
class NormListener {
 public:
  NormListener() {
    for_row_norm_slots([this](auto& slot, RowNormPass pass) {
      before_.push_back(slot);
      slot.set(DeviceType::cpu, [this, pass, own = slot](const RowNorm& p) {
        heard.insert({p, pass});
        return own(kCpu, p);
      });
    });
  }
  ~NormListener() {
    std::size_t at = 0;
    for_row_norm_slots([&](auto& slot, RowNormPass) { slot = before_[at++]; });
  }
  NormListener(const NormListener&) = delete;
  NormListener& operator=(const NormListener&) = delete;
  std::set<CudnnRowNorm> heard;

 private:
  std::vector<KernelSlot<const RowNorm&>> before_;
};

constexpr RowNormPass kNormPasses[] = {RowNormPass::layer, RowNormPass::layer_gradient, RowNormPass::rms, RowNormPass::rms_gradient};

std::string text_of(const CudnnRowNorm& q) {
  return std::string(is_rms(q.pass) ? "RMS norm" : "layer norm") + (is_gradient(q.pass) ? " gradient " : " ") + std::string(name_of(q.all.dtype)) + " " +
         std::to_string(q.all.rows) + " rows of " + std::to_string(q.all.channels);
}

/// The first plan that can be built, as the backend would take it; its index is -1 where there is none.
CudnnPlan first_plan(const CudnnRowNorm& q) {
  const std::shared_ptr<CudnnGraph> graph = CudnnGraph::make_for(h100(), q);
  CudnnPlan plan;
  for (std::int64_t i = 0; graph && i < graph->plans(); ++i)
    if (graph->build(i, plan)) return plan;
  return {};
}

/// Norms for which cuDNN has no deterministic plan on an H100: none with 9.19.
const std::set<std::string> kNoPlan{};

}  // namespace

TEST_CASE("cuDNN has a deterministic plan on an H100 for the norms of rows of the reference models", "[described][row_norm][slow]") {
  if (!can_describe()) return;
  for (DType type : {DType::f32, DType::bf16}) {
    NormListener listener;
    const bench::Workload w = bench::workloads().at("transformer")(type);
    w.model->initialise(0);
    w.model->set_random_key(random_key(0, kCpu));
    (void)StepPlan::record([&] { w.loss().backward(); });
    CHECK(listener.heard.size() == 2);
    for (const CudnnRowNorm& q : listener.heard) {
      INFO(text_of(q));
      CHECK(first_plan(q).index >= 0);
    }
  }
}

TEST_CASE("cuDNN has a deterministic plan on an H100 for norms of rows of each kind", "[described][row_norm][slow]") {
  if (!can_describe()) return;
  const std::pair<std::int64_t, std::int64_t> sizes[] = {{2048, 256}, {2048, 512}, {2048, 768}, {16384, 1024}, {2048, 4096}, {1000, 8191}, {200000, 3}, {4, 300000}};
  std::set<std::string> without;
  for (DType type : {DType::f32, DType::bf16, DType::f16})
    for (RowNormPass pass : kNormPasses)
      for (const auto& [rows, channels] : sizes) {
        const CudnnRowNorm q{RowNorm{type, rows, channels}, pass};
        const CudnnPlan plan = first_plan(q);
        if (plan.index < 0) without.insert(text_of(q));
        INFO(text_of(q));
        CHECK((plan.index < 0 || !plan.engine.empty()));
        CHECK(plan.workspace <= std::size_t(32 * rows + (64 << 10)));
      }
  CHECK(without == kNoPlan);
}

TEST_CASE("cuDNN takes our descriptions of recurrent layers, of each kind and by each way", "[described][recurrent]") {
  if (!can_describe()) return;
  for (DType type : {DType::f32, DType::bf16, DType::f16})
    for (int gates : {4, 3})
      for (bool tf32 : {false, true})
        for (std::int64_t hidden : {7, 128, 1024})
          for (int way = 0; way < CudnnRecurrentLayer::kAlgorithms; ++way) {
            CAPTURE(name_of(type), gates, tf32, hidden, CudnnRecurrentLayer::name(way));
            CHECK(CudnnRecurrentLayer::describable({{type, 96, 64, 5, hidden, gates, true}, tf32}, way));
          }
  CHECK_FALSE(CudnnRecurrentLayer::describable({{DType::f32, 96, 0, 5, 7, 4, true}, false}, 0));
  CHECK_FALSE(CudnnRecurrentLayer::describable({{DType::f32, std::int64_t(1) << 31, 1, 5, 7, 4, true}, false}, 0));
  CHECK_FALSE(CudnnRecurrentLayer::describable({{DType::f32, 1, std::int64_t(1) << 21, 5, 1 << 10, 4, true}, false}, 0));
}

TEST_CASE("without a device cuDNN computes nothing", "[described]") {
  REQUIRE(take_fake_driver());
  CHECK_FALSE(cudnn_here());
  CHECK(cudnn_device_description().empty());
  CHECK(CudnnGraph::make(CudnnConvolution{geometry(2, DType::bf16, 1, 1, 1), ConvPass::forward, false, false, false, false}) == nullptr);
  CHECK(CudnnGraph::make(attention_part(attention(DType::bf16, 64, false), AttentionPass::forward)) == nullptr);
  CHECK(CudnnGraph::make(CudnnRowNorm{RowNorm{DType::bf16, 2048, 768}, RowNormPass::layer}) == nullptr);
  std::string why;
  CHECK(CudnnRecurrentLayer::make({{DType::bf16, 96, 64, 5, 128, 4, true}, false}, 0, why) == nullptr);
  CHECK(why == "a cuDNN without recurrent layers");
}

TEST_CASE("a description that is none gives no plans", "[described]") {
  if (!can_describe()) return;
  CHECK(CudnnGraph::make_for("{}", CudnnConvolution{geometry(2, DType::bf16, 1, 1, 1), ConvPass::forward, false, false, false, false}) == nullptr);
}
