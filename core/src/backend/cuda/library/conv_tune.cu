#include "backend/cuda/library/conv_tune.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <mutex>
#include <sstream>
#include <tuple>
#include <vector>

#include "backend/cuda/install.hpp"
#include "backend/cuda/library/conv_trial.cuh"
#include "backend/cuda/library/plan_memory.hpp"
#include "tenon/precision.hpp"

namespace tenon::cuda {
namespace {

constexpr double kWorthAsking = 2e6;      // below so many operations a launch is all there is to it
constexpr double kOwnMayWin = 1e9;        // above, the general kernels here do not come near tensor cores
constexpr double kHalfWeightsGain = 1.5;  // a weight gradient rounded to 16 bits must be so much faster than one in f32
constexpr int kCandidates = 6;
constexpr double kGraphSeconds = 0.5, kAllSeconds = 15;  // then no more candidates of a graph; then only the first of each

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double all_spent = 0;

double weighed(const ConvChoice& c) {
  return c.microseconds * (c.half_weights ? kHalfWeightsGain : 1);
}

/// Times the plans of one graph; the best one replaces `best` where it is better. True when any plan worked.
bool try_graph(Trial& trial, const CudnnQuestion& q, const ConvForm& form, ConvChoice& best) {
  const auto start = Clock::now();
  std::shared_ptr<CudnnGraph> graph = CudnnGraph::make(q);
  bool worked = false;
  int tried = 0;
  std::int64_t kept = -1;
  for (std::int64_t i = 0; graph && i < graph->plans(); ++i) {
    const double spent = seconds_since(start);
    if (worked && (tried >= kCandidates || spent > kGraphSeconds || all_spent > kAllSeconds)) break;
    if (spent > 4 * kGraphSeconds) break;
    ConvChoice c{graph, {}, q.bias, q.half_weights, 0, q.fallback, form};
    if (!graph->build(i, c.plan)) continue;
    ++tried;
    c.microseconds = trial.microseconds(c);
    const bool good = c.microseconds >= 0;
    worked = worked || good;
    if (good && (!best.graph || weighed(c) < weighed(best))) {
      if (kept >= 0) graph->drop(kept);
      kept = i;
      best = c;
    } else {
      graph->drop(i);
    }
  }
  all_spent += seconds_since(start);
  return worked;
}

std::string sizes(const ConvGeometry& g, const ConvGeometry::Sizes& s) {
  std::string text;
  for (int a = 0; a < g.spatial; ++a) {
    if (a > 0) text += 'x';
    text += std::to_string(s[std::size_t(a)]);
  }
  return text;
}

/// Everything that the choice depends on.
std::string key_of(const ConvGeometry& g, ConvPass pass, bool bias, bool tf32) {
  std::string key = std::to_string(int(pass)) + (bias ? "b " : " ") + std::string(name_of(g.dtype));
  for (std::int64_t v : {std::int64_t(g.spatial), g.batch, g.in_channels, g.out_channels, g.groups}) key += " " + std::to_string(v);
  for (const ConvGeometry::Sizes* s : {&g.in, &g.out, &g.kernel, &g.stride, &g.pad, &g.dilation})
    for (std::int64_t v : *s) key += " " + std::to_string(v);
  return tf32 ? key + " tf32" : key;
}

PlanMemory& memory() {
  static PlanMemory& m = *new PlanMemory(device_name() + " cudnn " + std::to_string(cudnn_version()) + " 2");
  return m;
}

/// "own", or words: graph of last resort, bias inside, weights in 16 bits as 0 and 1; the form's three numbers; the plan's name.
std::string written(const ConvChoice& c) {
  if (!c.graph) return "own";
  std::ostringstream text;
  text << c.last_resort << ' ' << c.bias_inside << ' ' << c.half_weights << ' ' << c.form.block << ' ' << c.form.in_pad << ' ' << c.form.out_pad << ' '
       << c.plan.engine;
  return text.str();
}

/// The plan that was chosen before, if it is still there.
bool recall(const std::string& text, const ConvGeometry& g, ConvPass pass, bool tf32, ConvChoice& choice) {
  if (text == "own") return true;
  std::istringstream words(text);
  bool last_resort = false, inside = false, half_weights = false;
  ConvForm form;
  std::string engine;
  words >> last_resort >> inside >> half_weights >> form.block >> form.in_pad >> form.out_pad >> engine;
  const std::vector<ConvForm> forms = conv_forms(g);
  if (!words || (!form.plain() && std::find(forms.begin(), forms.end(), form) == forms.end())) return false;
  std::shared_ptr<CudnnGraph> graph = CudnnGraph::make({presented(g, form), pass, inside, half_weights, tf32, last_resort});
  if (!graph) return false;
  for (std::int64_t i = 0; i < graph->plans(); ++i) {
    if (graph->name(i) != engine) continue;
    choice = {graph, {}, inside, half_weights, 0, last_resort, form};
    return graph->build(i, choice.plan);
  }
  return false;
}

std::string explain(const ConvGeometry& g, ConvPass pass, bool bias, bool tf32, const ConvChoice& c, double own) {
  static constexpr const char* kNames[] = {"forward", "input gradient", "weight gradient"};
  std::string text = std::string(kNames[std::size_t(pass)]) + " " + std::string(tf32 ? "tf32" : name_of(g.dtype)) + " batch " + std::to_string(g.batch) +
                     ", " + sizes(g, g.in) + " of " + std::to_string(g.in_channels) + " channels to " + sizes(g, g.out) + " of " +
                     std::to_string(g.out_channels) + ", kernel " + sizes(g, g.kernel) + " stride " + sizes(g, g.stride);
  if (g.groups > 1) text += " groups " + std::to_string(g.groups);
  if (bias) text += c.graph && !c.bias_inside ? " bias after" : " bias";
  char numbers[160];
  const double shown = c.graph ? c.microseconds : own;
  std::snprintf(numbers, sizeof numbers, ": %.1f us, workspace %.1f MiB", shown, double(conv_choice_workspace(c, g, pass)) / 1048576);
  text += (c.graph ? ": cuDNN " + c.plan.engine : std::string(": own kernels")) + (shown > 0 ? numbers : "");
  if (c.half_weights) text += ", weights in 16 bits";
  if (c.form.block > 1) text += ", " + std::to_string(c.form.block) + " positions as channels of one";
  if (c.form.in_pad + c.form.out_pad > 0)
    text += ", channels filled up to " + std::to_string(g.in_channels + c.form.in_pad) + " and " + std::to_string(g.out_channels + c.form.out_pad);
  if (c.graph && own > 0) {
    std::snprintf(numbers, sizeof numbers, " (own kernels %.1f us)", own);
    text += numbers;
  }
  return text;
}

struct Choices {
  std::mutex mutex;
  std::map<std::tuple<ConvGeometry, ConvPass, bool, bool>, ConvChoice> made;
  std::vector<std::string> explained;
};

Choices& choices() {
  static Choices& c = *new Choices;  // never destroyed: its plans belong to a library that may be gone by then
  return c;
}

ConvChoice measure(const ConvGeometry& g, ConvPass pass, bool bias, bool tf32, double& own) {
  Trial trial(g, pass, bias, tf32);
  ConvChoice best;
  auto ask = [&](const ConvForm& form, bool inside, bool half_weights) {
    CudnnQuestion q{presented(g, form), pass, inside, half_weights, tf32, false};
    if (try_graph(trial, q, form, best)) return;
    q.fallback = true;
    if (!best.graph) try_graph(trial, q, form, best);
  };
  std::vector<ConvForm> forms = conv_forms(g);
  forms.insert(forms.begin(), ConvForm{});
  for (const ConvForm& form : forms) {
    if (pass == ConvPass::weight_gradient) {
      ask(form, false, false);
      if (size_of(g.dtype) == 2) ask(form, false, true);
    } else {
      // where the result is cut out of a wider one, the bias is added on the way
      const bool cut = (pass == ConvPass::forward ? form.out_pad : form.in_pad) > 0;
      if (bias && !cut) ask(form, true, false);
      if (!bias || cut || form.plain()) ask(form, false, false);
    }
  }
  if (!best.graph || g.dtype == DType::f32 || g.groups > 1 || g.flops() < kOwnMayWin || own_conv_is_special(g, pass)) {
    own = trial.own_microseconds();
    if (best.graph && own <= weighed(best)) best = {};
  }
  return best;
}

}  // namespace

ConvChoice conv_choice(const ConvGeometry& g, ConvPass pass, bool bias) {
  if (!cudnn_here() || g.dtype == DType::f64 || g.flops() < kWorthAsking) return {};
  const bool tf32 = g.dtype == DType::f32 && tf32_allowed();
  std::lock_guard lock(choices().mutex);
  const std::tuple key(g, pass, bias, tf32);
  if (auto found = choices().made.find(key); found != choices().made.end()) return found->second;
  cudaStreamCaptureStatus capturing = cudaStreamCaptureStatusNone;
  if (cudaStreamIsCapturing(stream(), &capturing) != cudaSuccess || capturing != cudaStreamCaptureStatusNone) return {};
  ConvChoice choice;
  double own = 0;
  try {
    const std::string memory_key = key_of(g, pass, bias, tf32), known = memory().find(memory_key);
    if (known.empty() || !recall(known, g, pass, tf32, choice)) {
      choice = measure(g, pass, bias, tf32, own);
      memory().keep(memory_key, written(choice));
    }
  } catch (const Error&) {  // no memory for a trial: the kernels here need none
    (void)cudaGetLastError();
    choice = {};
  }
  choices().explained.push_back(explain(g, pass, bias, tf32, choice, own));
  choices().made.emplace(key, choice);
  return choice;
}

std::vector<std::string> conv_choices() {
  std::lock_guard lock(choices().mutex);
  return choices().explained;
}

}  // namespace tenon::cuda
