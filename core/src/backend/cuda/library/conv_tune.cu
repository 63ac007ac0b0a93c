#include "backend/cuda/library/conv_tune.hpp"

#include <algorithm>
#include <compare>
#include <sstream>
#include <vector>

#include "backend/cuda/library/conv_trial.cuh"
#include "tenon/precision.hpp"

namespace tenon::cuda {
namespace {

constexpr double kWorthAsking = 2e6;      // below so many operations a launch is all there is to it
constexpr double kOwnMayWin = 1e9;        // above, the general kernels here do not come near tensor cores
constexpr double kHalfWeightsGain = 1.5;  // a weight gradient rounded to 16 bits must be so much faster than one in f32

double weighed(const ConvChoice& c) {
  return c.microseconds * (c.half_weights ? kHalfWeightsGain : 1);
}

ConvChoice with_plan(const CudnnConvolution& q, const ConvForm& form, const PlanChoice& plan) {
  return {plan, q.bias, q.half_weights, q.fallback, form};
}

/// The best plan of one graph replaces `best` where it is better. True when any plan worked.
bool try_graph(ConvTrial& trial, const CudnnConvolution& q, const ConvForm& form, ConvChoice& best) {
  const PlanChoice found = fastest_plan([&] { return CudnnGraph::make(q); },
                                        [&](const PlanChoice& plan) { return trial.microseconds(with_plan(q, form, plan)); });
  const ConvChoice c = with_plan(q, form, found);
  if (c.graph && (!best.graph || weighed(c) < weighed(best))) best = c;
  return c.graph != nullptr;
}

std::string sizes(const ConvGeometry& g, const ConvGeometry::Sizes& s) {
  std::string text;
  for (int a = 0; a < g.spatial; ++a) {
    if (a > 0) text += 'x';
    text += std::to_string(s[std::size_t(a)]);
  }
  return text;
}

/// A convolution of which one asks what makes it (choice_for).
struct ConvQuestion {
  ConvGeometry g;
  ConvPass pass;
  bool bias, tf32;

  auto operator<=>(const ConvQuestion&) const = default;

  std::string key() const {
    std::string text = std::to_string(int(pass)) + (bias ? "b " : " ") + std::string(name_of(g.dtype));
    for (std::int64_t v : {std::int64_t(g.spatial), g.batch, g.in_channels, g.out_channels, g.groups}) text += " " + std::to_string(v);
    for (const ConvGeometry::Sizes* s : {&g.in, &g.out, &g.kernel, &g.stride, &g.pad, &g.dilation})
      for (std::int64_t v : *s) text += " " + std::to_string(v);
    return tf32 ? text + " tf32" : text;
  }

  /// "own", "own tensor", or words: graph of last resort, bias inside, weights in 16 bits as 0 and 1; the form's three numbers; the plan's name.
  std::string written(const ConvChoice& c) const {
    if (!c.graph) return c.tensor ? "own tensor" : "own";
    std::ostringstream text;
    text << c.last_resort << ' ' << c.bias_inside << ' ' << c.half_weights << ' ' << c.form.block << ' ' << c.form.in_pad << ' '
         << c.form.out_pad << ' ' << c.plan.engine;
    return text.str();
  }

  bool recall(const std::string& text, ConvChoice& choice) const {
    if (text == "own") return true;
    if (text == "own tensor") return choice.tensor = conv_tensor_fits(g, pass);
    std::istringstream words(text);
    bool last_resort = false, inside = false, half_weights = false;
    ConvForm form;
    std::string engine;
    words >> last_resort >> inside >> half_weights >> form.block >> form.in_pad >> form.out_pad;
    std::getline(words >> std::ws, engine);
    const std::vector<ConvForm> forms = conv_forms(g);
    if (!words || (!form.plain() && std::find(forms.begin(), forms.end(), form) == forms.end())) return false;
    const CudnnConvolution q{presented(g, form), pass, inside, half_weights, tf32, last_resort};
    choice = with_plan(q, form, plan_named(CudnnGraph::make(q), engine));
    return choice.graph != nullptr;
  }

  ConvChoice measure(double& own) const {
    ConvTrial trial(g, pass, bias, tf32);
    ConvChoice best;
    auto ask = [&](const ConvForm& form, bool inside, bool half_weights) {
      CudnnConvolution q{presented(g, form), pass, inside, half_weights, tf32, false};
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
    if (conv_tensor_fits(g, pass)) {
      const double tensor = trial.tensor_microseconds();
      if (tensor >= 0 && (best.graph ? tensor <= weighed(best) : own <= 0 || tensor <= own)) {
        best = {};
        best.tensor = true;
        own = tensor;
      }
    }
    return best;
  }

  std::string explain(const ConvChoice& c, double own) const {
    static constexpr const char* kNames[] = {"forward", "input gradient", "weight gradient"};
    std::string text = std::string(kNames[std::size_t(pass)]) + " " + std::string(tf32 ? "tf32" : name_of(g.dtype)) + " batch " + std::to_string(g.batch) +
                       ", " + sizes(g, g.in) + " of " + std::to_string(g.in_channels) + " channels to " + sizes(g, g.out) + " of " +
                       std::to_string(g.out_channels) + ", kernel " + sizes(g, g.kernel) + " stride " + sizes(g, g.stride);
    if (g.groups > 1) text += " groups " + std::to_string(g.groups);
    if (bias) text += c.graph && !c.bias_inside ? " bias after" : " bias";
    text += ": " + told(c, c.tensor ? own_conv_buffers(g, pass, ConvSums::none, true).workspace : conv_choice_workspace(c, g, pass), own) +
            (c.tensor ? ", tensor cores" : "") + (c.half_weights ? ", weights in 16 bits" : "");
    if (c.form.block > 1) text += ", " + std::to_string(c.form.block) + " positions as channels of one";
    if (c.form.in_pad + c.form.out_pad > 0)
      text += ", channels filled up to " + std::to_string(g.in_channels + c.form.in_pad) + " and " + std::to_string(g.out_channels + c.form.out_pad);
    return text;
  }
};

}  // namespace

ConvChoice conv_choice(const ConvGeometry& g, ConvPass pass, bool bias) {
  if (!cudnn_here() || g.dtype == DType::f64 || g.flops() < kWorthAsking) return {};
  return choice_for<ConvChoice>(ConvQuestion{g, pass, bias, g.dtype == DType::f32 && tf32_allowed()});
}

}  // namespace tenon::cuda
