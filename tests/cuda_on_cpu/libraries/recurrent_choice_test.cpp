// Who makes a recurrent layer: a stand-in for cuDNN against our kernels.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/install.hpp"
#include "backend/cuda/library/plan_choice.hpp"
#include "backend/cuda/library/recurrent_tune.hpp"
#include "core/ops/gradient_check.hpp"
#include "cuda/device.hpp"
#include "cuda/twin.hpp"
#include "cuda_on_cpu/libraries/cudnn_recurrent.hpp"
#include "cuda_on_cpu/runtime/device_clock.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "cuda_on_cpu/runtime/work.hpp"
#include "tenon/autograd.hpp"
#include "tenon/embedding.hpp"
#include "tenon/indexing.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"
#include "tenon/plan.hpp"
#include "tenon/precision.hpp"
#include "tenon/recurrent.hpp"

using namespace tenon;
using namespace tenon::cuda;
using namespace under_test;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using check::made;
using on_cpu::LayerDeed;
using on_cpu::recurrent_layers;
using on_cpu::StandInLayer;
using In = std::vector<Tensor>;
using Algorithms = std::map<int, StandInLayer>;

namespace {

constexpr int kStandard = 0, kPersistent = 1, kSmall = 3;
constexpr double kOwn = 100;  ///< microseconds of each kernel of ours that does steps; all others take 1

/// While one is alive cuDNN has these layers, and is asked about all.
class Scope {
 public:
  explicit Scope(Algorithms have) {
    has_device();
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:2", 1);
    on_cpu::count_time([](const std::string& kernel) { return kernel.starts_with("lstm") || kernel.starts_with("gru") ? kOwn : 1.0; });
    recurrent_layers().algorithms = std::move(have);
    recurrent_layers().forward = recurrent_layers().gradient = 0;
    plan_bounds().recurrent_products = 0;
    install_recurrent_cudnn();
  }
  ~Scope() {
    plan_bounds() = {};
    set_library_layer(DeviceType::cuda, nullptr);
    recurrent_layers().algorithms.clear();
    on_cpu::count_time(nullptr);
    ::unsetenv("CUBLAS_WORKSPACE_CONFIG");
  }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
};

Algorithms standard(const StandInLayer& how = {}) { return {{kStandard, how}}; }

/// Another number of samples each time, so that each is asked about.
RecurrentLayer another(DType type = DType::f32, int gates = 4, bool training = true) {
  static std::int64_t batch = 20;
  return {type, 3, batch++, 5, 6, gates, training};
}

std::string last_told() {
  const std::vector<std::string> all = choices_made();
  return all.empty() ? "" : all.back();
}

struct LayerCase {
  bool gru = false, reverse = false, biases = true, states = true;
  std::int64_t batch = 3, steps = 5, features = 4, hidden = 7;

  In operands() const {
    const std::int64_t rows = (gru ? 3 : 4) * hidden;
    In x{made(1, {batch, steps, features}), made(2, {rows, features}), made(3, {rows, hidden})};
    if (biases) x.push_back(made(4, {rows})), x.push_back(made(5, {rows}));
    if (states)
      for (int i = 0; i < (gru ? 1 : 2); ++i) x.push_back(made(6 + i, {batch, hidden}));
    return x;
  }
  In run(const In& x) const {
    std::size_t at = 3;
    const Tensor b_ih = biases ? x[at++] : Tensor{}, b_hh = biases ? x[at++] : Tensor{}, h = states ? x[at++] : Tensor{}, c = states && !gru ? x[at++] : Tensor{};
    const RecurrentOptions options{reverse, {}};
    return gru ? tenon::gru(x[0], h, x[1], x[2], b_ih, b_hh, options) : tenon::lstm(x[0], h, c, x[1], x[2], b_ih, b_hh, options);
  }
  /// All results in one.
  Tensor joined(const In& x) const {
    In all;
    for (const Tensor& t : run(x)) all.push_back(t.reshape({t.numel()}));
    return concat(all, 0);
  }
  std::string str() const {
    return std::string(gru ? "GRU" : "LSTM") + (reverse ? ", reversed" : "") + (biases ? "" : ", no biases") + (states ? "" : ", no states");
  }
};

std::vector<LayerCase> cases() {
  std::vector<LayerCase> all;
  for (bool gru : {false, true})
    for (bool reverse : {false, true})
      for (bool biases : {false, true})
        for (bool states : {false, true}) all.push_back({gru, reverse, biases, states, 3 + std::int64_t(all.size())});
  return all;
}

}  // namespace

TEST_CASE("recurrent layers by cuDNN give what ours give", "[cuda_on_cpu][recurrent_choice]") {
  const Scope here(standard());
  for (DType type : {DType::f32, DType::bf16})
    for (const LayerCase& c : cases()) {
      CAPTURE(name_of(type), c.str());
      const int before = recurrent_layers().forward, gradients_before = recurrent_layers().gradient;
      compare(c.str(), [&] { check::first_gradients([&](const In& x) { return c.joined(x); }, c.operands()); }, type);
      CHECK(recurrent_layers().forward > before);
      CHECK(recurrent_layers().gradient > gradients_before);
    }
  end_run();
}

TEST_CASE("in f16 cuDNN computes recurrent layers forward alone", "[cuda_on_cpu][recurrent_choice]") {
  const Scope here(standard());
  for (bool training : {false, true})
    for (bool gru : {false, true}) {
      CAPTURE(training, gru);
      const LayerCase c{.gru = gru, .batch = 30};
      In values;
      for (Device device : {kCpu, kDevice}) {
        In x;
        for (const Tensor& t : c.operands()) x.push_back(t.to(DType::f16).to(device).set_requires_grad(training));
        const int before = recurrent_layers().forward;
        values.push_back(c.joined(x).detach().to(kCpu));
        CHECK((recurrent_layers().forward > before) == (device == kDevice && !training));
      }
      CHECK(nmse(values[1], values[0]) <= 1e-4);
    }
  end_run();
}

TEST_CASE("an error of an earlier op comes through a recurrent layer's trial", "[cuda_on_cpu][recurrent_choice]") {
  const Scope here(standard());
  const LayerCase c{.batch = 31};
  In x;
  for (const Tensor& t : c.operands()) x.push_back(t.to(DType::f32).to(kDevice));
  const Tensor table = made(1, {10, c.features}).to(DType::f32).to(kDevice), index = Tensor::full({c.batch, c.steps}, 99, DType::i64, kDevice);
  const auto run = [&] {
    x[0] = embedding(table, index);
    (void)c.run(x)[0].to_vector();
  };
  CHECK_THROWS_WITH(run(), Contains("index 99 at position 0 of a table of 10 rows"));
  CHECK(plan_memory().find("LSTM f32 of 31 x 5 steps, 4 to 7 units").empty());
  x[0] = embedding(table, Tensor::zeros({c.batch, c.steps}, DType::i64, kDevice));
  (void)c.run(x);
  CHECK_THAT(last_told(), Contains("LSTM f32 of 31 x 5 steps, 4 to 7 units: cuDNN, standard: "));
  end_run();
}

TEST_CASE("a gradient in f32 of a recurrent layer's 16-bit result", "[cuda_on_cpu][recurrent_choice]") {
  const Scope here(standard());
  const LayerCase c{.batch = 32};
  In x;
  for (const Tensor& t : c.operands()) x.push_back(t.to(DType::bf16).to(kDevice).set_requires_grad(true));
  for (bool again : {false, true}) {
    const auto gradients_by = [&](DType type) {
      const Tensor y = c.run(x)[0];
      const Tensor wide = differentiable("wide", y.detach(), {y}, [=](const In& d) { return In{d[0].to(type)}; });
      return gradients({wide}, x, {Tensor::full(wide.shape(), 1, DType::bf16, kDevice)}, again);
    };
    const In wide = gradients_by(DType::f32), narrow = gradients_by(DType::bf16);
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(wide[i].to_vector() == narrow[i].to_vector());
  }
  end_run();
}

TEST_CASE("a recurrent layer by cuDNN can be differentiated twice and recomputed", "[cuda_on_cpu][recurrent_choice]") {
  const Scope here(standard());
  for (const LayerCase& c : {LayerCase{}, LayerCase{.gru = true}, LayerCase{.reverse = true}}) {
    CAPTURE(c.str());
    In on_cpu_values, on_device_values, recomputed;
    for (Device device : {kCpu, kDevice}) {
      In x;
      for (const Tensor& t : c.operands()) x.push_back(t.to(DType::f32).to(device).set_requires_grad(true));
      const auto loss = [](const In& y) {
        Tensor sum_of_all = sum(square(y[0]));
        for (std::size_t i = 1; i < y.size(); ++i) sum_of_all = sum_of_all + sum(square(y[i]));
        return sum_of_all;
      };
      const In first = gradients({loss(c.run(x))}, x, {}, true);
      const In second = gradients({loss(first)}, x);
      for (const Tensor& t : second) (device == kCpu ? on_cpu_values : on_device_values).push_back(t.to(kCpu));
      if (device == kCpu) continue;
      const In once = gradients({loss(c.run(x))}, x), again = gradients({loss(recompute([&](const In& in) { return c.run(in); }, x))}, x);
      for (std::size_t i = 0; i < x.size(); ++i) CHECK(again[i].to_vector() == once[i].to_vector());
    }
    for (std::size_t i = 0; i < on_cpu_values.size(); ++i) CHECK(nmse(on_device_values[i], on_cpu_values[i]) <= 1e-8);
  }
  end_run();
}

TEST_CASE("operands off 16 bytes and of other strides reach a recurrent layer all the same", "[cuda_on_cpu][recurrent_choice]") {
  const Scope here(standard());
  const LayerCase c;
  compare("shifted", [&] {
    check::first_gradients(
        [&](const In& x) {
          In in = x;
          in[0] = x[0].narrow(1, 1, c.steps).narrow(2, 1, c.features);
          in[1] = x[1].transpose(0, 1);
          in[5] = x[5].narrow(0, 1, c.batch * c.hidden).reshape({c.batch, c.hidden});
          return c.joined(in);
        },
        {made(1, {c.batch, c.steps + 1, c.features + 1}), made(2, {c.features, 4 * c.hidden}), made(3, {4 * c.hidden, c.hidden}), made(4, {4 * c.hidden}), made(5, {4 * c.hidden}),
         made(6, {c.batch * c.hidden + 1}), made(7, {c.batch, c.hidden})});
  }, DType::f32);
  CHECK(recurrent_layers().forward > 0);
  end_run();
}

TEST_CASE("of a recurrent layer's algorithms the fastest that gives the same is taken", "[cuda_on_cpu][recurrent_choice]") {
  const int before = recurrent_layers().descriptors;
  int chosen = 0;
  const Scope here({{kStandard, {.microseconds = 20}}, {kPersistent, {.microseconds = 12}}, {kSmall, {.microseconds = 30}}});
  for (DType type : {DType::f32, DType::bf16})
    for (int gates : {4, 3}) {
      CAPTURE(name_of(type), gates);
      recurrent_layers().algorithms = {{kStandard, {.microseconds = 20}}, {kPersistent, {.microseconds = 12}}, {kSmall, {.microseconds = 30}}};
      const RecurrentChoice c = recurrent_choice(another(type, gates));
      REQUIRE(c.layer);
      CHECK(c.algorithm == 1);
      CHECK(c.microseconds > 36);
      CHECK(c.microseconds < 60);
      CHECK_THAT(last_told(), Contains(gates == 4 ? "LSTM " : "GRU ") && Contains(" x 3 steps, 5 to 6 units, trained: cuDNN, persistent: ") && Contains(" us (own kernels 2"));
      CHECK(recurrent_layers().descriptors - before == 5 * ++chosen);
      // one that is not faster than ours is not taken, nor is one that cuDNN does not have
      recurrent_layers().algorithms = standard({.microseconds = 2 * kOwn});
      CHECK_FALSE(recurrent_choice(another(type, gates)).layer);
      CHECK_THAT(last_told(), Contains(", trained: own kernels: 2"));
      recurrent_layers().algorithms = {{2, {}}};
      CHECK_FALSE(recurrent_choice(another(type, gates)).layer);
      CHECK_THAT(last_told(), EndsWith(", trained: own kernels; cuDNN, standard: cudnnSetRNNDescriptor_v8 gave status 3000; cuDNN, persistent: cudnnSetRNNDescriptor_v8 gave status 3000; "
                                       "cuDNN, persistent for few units: cudnnSetRNNDescriptor_v8 gave status 3000"));
      CHECK(recurrent_layers().descriptors - before == 5 * chosen);
    }
  end_run();
}

TEST_CASE("a recurrent layer that gives something else is not taken", "[cuda_on_cpu][recurrent_choice][slow]") {
  const Scope here(standard());
  for (int gates : {4, 3})
    for (int output = 0; output < 7; ++output)
      for (LayerDeed deed : {LayerDeed::wrong, LayerDeed::other_bits_each_run}) {
        if (gates == 3 && (output == 2 || output == 5)) continue;  // cells
        CAPTURE(gates, output, int(deed));
        recurrent_layers().algorithms = {{kStandard, {.deed = deed, .output = output}}, {kPersistent, {.microseconds = 30}}};
        CHECK(recurrent_choice(another(DType::f32, gates)).algorithm == 1);
        CHECK_THAT(last_told(), Contains("; cuDNN, standard: result ") && Contains(deed == LayerDeed::wrong ? " is another, NMSE 1.0e-02" : " has other bits in another run"));
      }
  // after its time a process takes the first that works
  recurrent_layers().algorithms = {{kStandard, {.microseconds = 30}}, {kPersistent, {}}};
  plan_bounds().all_seconds = 0;
  CHECK(recurrent_choice(another()).algorithm == 0);
  plan_bounds().all_seconds = 1e9;
  CHECK(recurrent_choice(another()).algorithm == 1);
  // what is not wanted is not looked at
  recurrent_layers().algorithms = standard({.deed = LayerDeed::wrong, .output = 3});
  const RecurrentChoice forward = recurrent_choice(another(DType::f32, 4, false));
  REQUIRE(forward.layer);
  CHECK(forward.layer->kept_bytes() == 0);
  end_run();
}

TEST_CASE("a recurrent layer that cuDNN refuses, or cannot record, is not taken", "[cuda_on_cpu][recurrent_choice]") {
  const Scope here(standard());
  const std::map<LayerDeed, std::string> deeds{{LayerDeed::refused_forward, "; cuDNN, standard: cuDNN refused a recurrent layer"},
                                               {LayerDeed::refused_gradient, "; cuDNN, standard: cuDNN refused a recurrent layer"},
                                               {LayerDeed::refused_weights, "; cuDNN, standard: cuDNN refused a recurrent layer"},
                                               {LayerDeed::waits_for_device, "; cuDNN, standard: it cannot be captured: "}};
  for (const auto& [deed, why] : deeds) {
    recurrent_layers().algorithms = standard({.deed = deed});
    CHECK_FALSE(recurrent_choice(another()).layer);
    CHECK_THAT(last_told(), Contains(", trained: own kernels: ") && Contains(why));
  }
  recurrent_layers().algorithms = standard();
  recurrent_layers().weights_turned = true;
  CHECK_FALSE(recurrent_choice(another()).layer);
  recurrent_layers().weights_turned = false;
  CHECK_THAT(last_told(), Contains("; cuDNN, standard: its weights do not lie as matrices; "));
  end_run();
}

TEST_CASE("recurrent layers that round to TF32 are taken where that is allowed", "[cuda_on_cpu][recurrent_choice]") {
  const Scope here(standard({.deed = LayerDeed::in_tf32}));
  const RecurrentLayer q = another();
  CHECK_FALSE(recurrent_choice(q).layer);
  const Tf32Scope allowed;
  CHECK(recurrent_choice(q).layer);
  CHECK_THAT(last_told(), Contains("LSTM tf32 of ") && Contains(": cuDNN, standard: "));
  CHECK(recurrent_choice(another(DType::bf16)).layer);
  CHECK_THAT(last_told(), Contains("LSTM bf16 of "));
  end_run();
}

TEST_CASE("which recurrent layers cuDNN is asked about", "[cuda_on_cpu][recurrent_choice]") {
  const Scope here(standard());
  const auto asked = [](const std::function<void()>& run) {
    const std::size_t before = choices_made().size();
    run();
    const std::vector<std::string> all = choices_made();
    return std::count_if(all.begin() + std::ptrdiff_t(before), all.end(), [](const std::string& line) { return line.starts_with("LSTM "); });
  };
  const auto layer = [](DType type, bool lengths) {
    const NoGrad off;
    static std::int64_t batch = 1;
    const auto of = [&](const Shape& s) { return made(1, s, type).to(kDevice); };
    ++batch;
    (void)lstm(of({batch, 2, 3}), {}, {}, of({16, 3}), of({16, 4}), {}, {}, {false, lengths ? Tensor::full({batch}, 1, DType::i64, kDevice) : Tensor{}});
  };
  CHECK(asked([&] { layer(DType::f32, false); }) == 1);
  CHECK(asked([&] { layer(DType::bf16, false); }) == 1);
  CHECK(asked([&] { layer(DType::f32, true); }) == 0);
  CHECK(asked([&] { layer(DType::f64, false); }) == 0);
  {
    const LayerCase c{.batch = 50};
    In x;
    for (const Tensor& t : c.operands()) x.push_back(t.to(DType::f32).to(kDevice).set_requires_grad(true));
    // as for a training, with history or without: the second run must compute what the first did
    CHECK(asked([&] { gradients({sum(recompute([&](const In& in) { return c.run(in); }, x)[0])}, x); }) == 1);
    CHECK_THAT(last_told(), Contains("LSTM f32 of 50 x 5 steps, 4 to 7 units, trained: "));
    // and for one whose weights are frozen
    In frozen;
    for (const Tensor& t : LayerCase{.batch = 51}.operands()) frozen.push_back(t.to(DType::f32).to(kDevice));
    const Tensor w = made(9, {7, 7}).to(DType::f32).to(kDevice).set_requires_grad(true);
    CHECK(asked([&] { gradients({sum(recompute([&](const In& in) { return In{matmul(LayerCase{.batch = 51}.run(frozen)[0], in[0])}; }, {w})[0])}, {w}); }) == 1);
  }
  plan_bounds().recurrent_products = 5.0 * 2 * 4 * 4 * 4 + 1;
  CHECK(asked([&] { layer(DType::f32, false); }) == 1);  // 6 samples
  CHECK(asked([&] { (void)recurrent_choice({DType::f32, 2, 5, 3, 4, 4, false}); }) == 0);
  plan_bounds().recurrent_products = 0;
  for (const char* sizes : {"", ":4096:2:16:8", ":4096", "4096:2", ":4096:"}) {  // several sizes, or what says nothing
    ::setenv("CUBLAS_WORKSPACE_CONFIG", sizes, 1);
    install_recurrent_cudnn();
    CAPTURE(sizes);
    CHECK(asked([&] { layer(DType::f32, false); }) == 0);
    CHECK_THAT(last_told(), Contains("recurrent layers: own kernels; CUBLAS_WORKSPACE_CONFIG named no workspaces of one size"));
  }
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8", 1);
  CHECK(asked([&] { layer(DType::f32, false); }) == 0);  // too late
  install_recurrent_cudnn();
  CHECK(asked([&] { layer(DType::f32, false); }) == 1);
  end_run();
}

TEST_CASE("a recorded step with a recurrent layer by cuDNN is one graph with the same bits", "[cuda_on_cpu][recurrent_choice]") {
  const Scope here(standard());
  const LayerCase c{.batch = 40};
  In x, result;
  for (const Tensor& t : c.operands()) x.push_back(t.to(DType::f32).to(kDevice).set_requires_grad(true));
  const auto step = [&] { result = gradients({sum(square(c.run(x)[0]))}, x); };
  const auto values = [&] {
    std::vector<std::vector<double>> all;
    for (const Tensor& t : result) all.push_back(t.to_vector());
    return all;
  };
  const StepPlan plan = StepPlan::record(step);  // asks while it records
  const int asked = recurrent_layers().forward;
  CHECK(asked > 0);
  plan.run();
  const auto once = values();
  for (int i = 0; i < 3; ++i) {
    plan.run();
    CHECK(values() == once);
  }
  CHECK(recurrent_layers().forward - asked == 4);
  CHECK_THAT(plan.replay_note(), Contains("one CUDA graph"));
  CHECK_THAT(plan.explain(), Contains("# chosen: LSTM f32 of 40 x 5 steps, 4 to 7 units, trained: cuDNN, standard: "));
  step();
  CHECK(values() == once);
  end_run();
}

TEST_CASE("without memory for a trial a recurrent layer goes by our kernels, and nothing is remembered", "[cuda_on_cpu][recurrent_choice][slow]") {
  const Scope here(standard());
  // from too little for any trial to enough, by way of too little for cuDNN's part of it
  int without = 0;
  for (std::size_t more = 4096;; more += more / 8) {
    const RecurrentLayer q = another();
    on_cpu::set_memory_size(on_cpu::bytes_in_use() + more);
    const bool chosen = recurrent_choice(q).layer != nullptr;
    on_cpu::set_memory_size(0);
    CAPTURE(more);
    if (chosen) break;
    ++without;
    CHECK_THAT(last_told(), EndsWith(", trained: own kernels"));
    CHECK(plan_memory().find("LSTM f32 of " + std::to_string(q.batch) + " x 3 steps, 5 to 6 units, trained").empty());
  }
  CHECK(without > 5);
  end_run();
}

TEST_CASE("what was chosen for a recurrent layer is remembered and recalled", "[cuda_on_cpu][recurrent_choice]") {
  const Scope here(Algorithms{{kPersistent, {}}});
  const RecurrentLayer q = another();
  REQUIRE(recurrent_choice(q).algorithm == 1);
  const std::string key = "LSTM f32 of " + std::to_string(q.batch) + " x 3 steps, 5 to 6 units, trained";
  CHECK(plan_memory().find(key) == "cudnn persistent");
  // as another process would, of a layer that this one was not asked about
  const auto remembered = [&](const std::string& text) {
    const RecurrentLayer r = another();
    plan_memory().keep("LSTM f32 of " + std::to_string(r.batch) + " x 3 steps, 5 to 6 units, trained", text);
    const int before = recurrent_layers().forward;
    const RecurrentChoice c = recurrent_choice(r);
    return std::pair(c.layer ? c.algorithm : -1, recurrent_layers().forward - before > 0);
  };
  CHECK(remembered("cudnn persistent") == std::pair(1, false));
  CHECK_THAT(last_told(), EndsWith(", trained: cuDNN, persistent"));
  CHECK(remembered("own") == std::pair(-1, false));
  CHECK(remembered("cudnn standard") == std::pair(1, true));  // not there any more
  CHECK(remembered("cudnn of another kind") == std::pair(1, true));
  end_run();
}
