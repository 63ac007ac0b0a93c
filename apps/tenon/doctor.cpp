/// `tenon doctor`: ops, their gradients and an optimiser on each usable device, against the CPU in f64; each twice, byte against byte.
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "tenon/attention.hpp"
#include "tenon/autograd.hpp"
#include "tenon/complex.hpp"
#include "tenon/cumulative.hpp"
#include "tenon/error.hpp"
#include "tenon/fft.hpp"
#include "tenon/indexing.hpp"
#include "tenon/linalg.hpp"
#include "tenon/nn/layers.hpp"
#include "tenon/optim.hpp"
#include "tenon/ordering.hpp"
#include "tenon/recurrent.hpp"
#include "tenon/spectral.hpp"
#include "tenon/tenon.hpp"
#include "terminal.hpp"

namespace tenon::command {
namespace {

using Tensors = std::vector<Tensor>;

/// The limit that f32 without TF32 is held to everywhere: mean squared error over mean square.
constexpr double kLimit = 1e-10;

struct Check {
  std::string name;
  std::function<Tensors(const Tensors&)> run;
  std::vector<Shape> shapes;  ///< of the inputs: normal numbers
  bool gradients = true;      ///< of half the sum of squares of the results, too
  double limit = kLimit;
};

Tensor positive_definite(const Tensor& x) {
  const std::int64_t n = x.size(-1);
  return matmul(x, x.transpose(-1, -2)) * (1.0 / double(n)) + one_hot(Tensor::arange(n).to(x.device()), n, x.dtype());
}

std::vector<Check> checks() {
  const auto one = [](auto f) { return [f](const Tensors& x) { return Tensors{f(x)}; }; };
  return {
      {"elementwise", one([](const Tensors& x) { return gelu(x[0]) * sigmoid(x[1]) + tanh(x[0] - x[1]) * exp(x[1] * 0.5) - log(square(x[0]) + 1.0); }), {{257, 129}, {257, 129}}},
      {"sums and extremes", [](const Tensors& x) { return Tensors{sum(x[0], {0}), mean(x[0], {1, 2}), max(x[0], 1), min(x[0], -1)}; }, {{65, 33, 70}}},
      {"softmax", one([](const Tensors& x) { return log_softmax(x[0], -1) + softmax(x[0], 0); }), {{300, 129}}},
      {"matrix product", one([](const Tensors& x) { return linear(x[0], x[1], x[2]); }), {{200, 300}, {250, 300}, {250}}},
      {"feed-forward block", one([](const Tensors& x) { return feed_forward(x[0], x[1] * 0.1, x[2], x[3] * 0.1, x[4], FeedForwardActivation::gelu_tanh); }), {{200, 96}, {256, 96}, {256}, {96, 256}, {96}}},
      {"batched products", one([](const Tensors& x) { return matmul(x[0], x[1]); }), {{12, 65, 48}, {12, 48, 33}}},
      {"convolution, 1 axis", one([](const Tensors& x) { return conv(x[0], x[1], x[2], {{2}, {5}, {}, 1}); }), {{4, 300, 16}, {24, 11, 16}, {24}}},
      {"convolution, 2 axes", one([](const Tensors& x) { return conv(x[0], x[1], x[2], {{}, {1, 1}, {}, 1}); }), {{2, 33, 40, 16}, {32, 3, 3, 16}, {32}}},
      {"convolution, 3 axes", one([](const Tensors& x) { return conv(x[0], x[1], x[2], {{}, {1, 1, 1}, {}, 1}); }), {{1, 16, 18, 20, 16}, {16, 3, 3, 3, 16}, {16}}},
      {"transposed convolution", one([](const Tensors& x) { return conv_transpose(x[0], x[1], x[2], {{2, 2, 2}, {}, {}, 1}); }), {{1, 8, 9, 10, 16}, {16, 2, 2, 2, 8}, {8}}},
      {"instance norm", one([](const Tensors& x) { return instance_norm(x[0], x[1], x[2], 1e-5, 0.01); }), {{2, 12, 14, 16, 20}, {20}, {20}}},
      {"layer norm", one([](const Tensors& x) { return layer_norm(x[0], x[1], x[2]); }), {{300, 96}, {96}, {96}}},
      {"pooling and resizing", one([](const Tensors& x) { return resize(max_pool(x[0], {2, 2}), {40, 30}, Interpolation::linear); }), {{2, 32, 36, 12}}},
      {"attention", one([](const Tensors& x) { return self_attention(x[0], {.causal = true}); }), {{2, 130, 3, 4, 32}}},
      {"LSTM", [](const Tensors& x) { return lstm(x[0], {}, {}, x[1] * 0.2, x[2] * 0.2, x[3] * 0.2, x[3] * 0.1); }, {{8, 30, 12}, {128, 12}, {128, 32}, {128}}},
      {"Fourier transform", one([](const Tensors& x) { return irfft(rfft(x[0], {0, 1}), x[0].size(1), {0, 1}) + real(fft(x[0], {1})) * 0.1; }), {{90, 128, 3}}},
      {"spectral convolution", one([](const Tensors& x) { return spectral_conv(x[0], x[1] * 0.1, {5, 6}); }), {{2, 20, 24, 8}, {10, 6, 8, 8, 2}}},
      {"Cholesky and solve", one([](const Tensors& x) { return linalg::solve(positive_definite(x[0]), x[1]); }), {{3, 40, 40}, {3, 40, 5}}},
      {"sort, gather, cumulative sum", one([](const Tensors& x) { return cumsum(sort(x[0], 0).values, 0) + index_select(x[0], 0, argsort(x[0].select(1, 0), 0)); }), {{500, 7}}},
  };
}

Tensors inputs_of(const Check& check, Device device, DType dtype) {
  Tensors out;
  for (std::size_t i = 0; i < check.shapes.size(); ++i) {
    DeviceScope on(kCpu);
    // f32 numbers in either type: both compute with the same ones
    out.push_back(random_normal(check.shapes[i], 7, i).to(dtype).to(device));
    out.back().set_requires_grad(check.gradients);
  }
  return out;
}

/// Results, then gradients with respect to the inputs.
Tensors results(const Check& check, Device device, DType dtype) {
  DeviceScope on(device);
  const Tensors x = inputs_of(check, device, dtype);
  Tensors out = check.run(x);
  if (check.gradients) {
    Tensor loss;
    for (const Tensor& y : out) {
      const Tensor part = sum(square(y)) * 0.5;
      loss = loss.defined() ? loss + part : part;
    }
    loss.backward();
    for (const Tensor& t : x) out.push_back(t.grad());
  }
  for (Tensor& t : out) t = t.detach().to(kCpu).contiguous();
  return out;
}

/// The largest of the results' normalised mean squared errors.
double error_of(const Tensors& got, const Tensors& reference) {
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const std::vector<double> a = got[i].to_vector(), b = reference[i].to_vector();
    double wrong = 0, all = 0;
    for (std::size_t k = 0; k < a.size(); ++k) wrong += (a[k] - b[k]) * (a[k] - b[k]), all += b[k] * b[k];
    const double e = all > 0 ? wrong / all : wrong;
    worst = std::isnan(e) ? INFINITY : std::max(worst, e);
  }
  return worst;
}

bool same_bytes(const Tensors& a, const Tensors& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i].nbytes() != b[i].nbytes() || std::memcmp(a[i].raw(), b[i].raw(), a[i].nbytes()) != 0) return false;
  return true;
}

class Network : public nn::Module {
 public:
  Tensor forward(const Tensor& x) override { return second_->forward(gelu(first_->forward(x))); }

 private:
  std::shared_ptr<nn::Linear> first_ = add_module("first", std::make_shared<nn::Linear>(12, 40));
  std::shared_ptr<nn::Linear> second_ = add_module("second", std::make_shared<nn::Linear>(40, 3));
};

/// Weights after some steps of AdamW on a small network, trained from the same start.
Tensors trained(Device device) {
  DeviceScope on(device);
  Network network;
  network.initialise(1);
  auto optimiser = make_adamw(network, {});
  const Tensor x = random_normal({64, 12}, 3, 0), y = random_normal({64, 3}, 3, 1);
  for (int i = 0; i < 20; ++i) {
    mse_loss(network.forward(x), y).backward();
    optimiser->begin_step(1e-2);
    optimiser->step();
  }
  Tensors out;
  for (const auto& [name, p] : network.parameters()) out.push_back(p.detach().to(kCpu).contiguous());
  return out;
}

struct Finding {
  std::string device, check;
  double error = 0, limit = 0, seconds = 0;
  bool repeats = true;
  std::string failure;  ///< an exception's text
  bool passed() const { return failure.empty() && repeats && error <= limit; }
};

Finding examine(const std::string& device, const std::string& name, double limit, const std::function<Tensors()>& run, const Tensors& reference) {
  Finding f{device, name, 0, limit, 0, true, {}};
  const auto begin = std::chrono::steady_clock::now();
  try {
    const Tensors first = run(), second = run();
    f.error = error_of(first, reference);
    f.repeats = same_bytes(first, second);
  } catch (const std::exception& e) {
    f.failure = e.what();
  }
  f.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return f;
}

std::vector<Finding> examine_all(const std::vector<Device>& devices, Progress& progress) {
  std::vector<Finding> out;
  const std::vector<Check> all = checks();
  const double total = double((all.size() + 2) * devices.size());
  const auto seen = [&](const Device& device, const std::string& what) { progress.update("checking " + device.str(), double(out.size()), total, what); };
  const int threads = thread_count();
  const auto look = [&](Device device, const std::string& name, double limit, const std::function<Tensors()>& run, const Tensors& reference) {
    out.push_back(examine(device.str(), name, limit, run, reference));
    if (device != kCpu || threads < 2 || !out.back().passed()) return;
    set_thread_count(1);  // any number of threads gives the same
    const Tensors alone = run();
    set_thread_count(threads);
    out.back().repeats = same_bytes(alone, run());
  };
  for (const Check& check : all) {
    const Tensors reference = results(check, kCpu, DType::f64);
    for (const Device& device : devices) {
      seen(device, check.name);
      look(device, check.name, check.limit, [&] { return results(check, device, DType::f32); }, reference);
    }
  }
  const Tensors weights = trained(kCpu);
  const auto numbers = [](Device device) {
    DeviceScope on(device);
    return Tensors{random_uniform({100000}, 11, 3).to(kCpu)};
  };
  const Tensors drawn = numbers(kCpu);
  for (const Device& device : devices) {
    seen(device, "training");
    look(device, "AdamW, 20 steps", 1e-7, [&] { return trained(device); }, weights);
    look(device, "random numbers, bit for bit", 0, [&] { return numbers(device); }, drawn);
  }
  progress.finish();
  return out;
}

}  // namespace

int doctor_command(const Common& common) {
  apply_threads(common);
  std::vector<Device> devices;
  std::vector<std::string> unusable;
  for (const DeviceInfo& d : list_devices()) {
    if (d.usable) devices.push_back(d.device);
    else unusable.push_back(d.device.str() + " (" + d.name + "): " + d.reason);
  }
  const auto begin = std::chrono::steady_clock::now();
  Progress progress(common.quiet || common.json);
  const std::vector<Finding> findings = examine_all(devices, progress);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::size_t failed = 0;
  for (const Finding& f : findings) failed += !f.passed();
  if (common.json) {
    nlohmann::ordered_json out{{"passed", findings.size() - failed}, {"failed", failed}, {"seconds", seconds}, {"checks", nlohmann::ordered_json::array()}, {"unusable", unusable}};
    for (const Finding& f : findings) {
      nlohmann::ordered_json item{{"device", f.device}, {"check", f.check}, {"passed", f.passed()}, {"error", std::isfinite(f.error) ? nlohmann::ordered_json(f.error) : nlohmann::ordered_json(nullptr)},
                                  {"limit", f.limit}, {"same_bytes", f.repeats}, {"seconds", f.seconds}};
      if (!f.failure.empty()) item["failure"] = f.failure;
      out["checks"].push_back(std::move(item));
    }
    print(json_text(out));
  } else {
    Table table({"check", "device", "error", "limit", "same bytes", "seconds", ""});
    for (std::size_t c : {1u, 4u, 6u}) table.left(c);
    for (const Finding& f : findings)
      table.row({f.check, f.device, f.failure.empty() ? format_number(f.error, 2) : "", format_number(f.limit, 2), f.failure.empty() ? (f.repeats ? "yes" : "NO") : "", format_number(f.seconds, 2),
                 f.passed() ? "ok" : f.failure.empty() ? "FAILED" : "FAILED: " + f.failure});
    print(table.str());
    print("error: mean squared error of f32 over the mean square of the CPU's f64, results and gradients (AdamW and random numbers: of the CPU's f32)");
    print("same bytes: run twice" + std::string(thread_count() > 1 ? "; on the CPU on one thread, too" : ""));
    for (const std::string& reason : unusable) print("not checked: " + reason);
    print(failed == 0 ? "all " + std::to_string(findings.size()) + " checks passed in " + (seconds < 10 ? format_number(seconds, 2) + " s" : format_seconds(seconds)) : std::to_string(failed) + " of " + std::to_string(findings.size()) + " checks FAILED");
  }
  return failed == 0 ? 0 : 6;
}

}  // namespace tenon::command
