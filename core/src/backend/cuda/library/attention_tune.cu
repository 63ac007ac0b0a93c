#include "backend/cuda/library/attention_tune.hpp"

#include <compare>

#include "backend/cuda/library/attention_trial.cuh"

namespace tenon::cuda {
namespace {

constexpr double kWorthAsking = 2e8;  // below so many operations our kernels take about as long as a launch
constexpr double kFastEnough = 20;    // microseconds: then there is little to gain

/// Attention of which one asks what makes it (choice_for).
struct AttentionQuestion {
  Attention p;
  AttentionPass pass;

  auto operator<=>(const AttentionQuestion&) const = default;

  std::string key() const {
    std::string text = "attention " + std::to_string(int(pass)) + (p.causal ? "c " : " ") + std::string(name_of(p.dtype));
    for (std::int64_t v : {p.samples, p.heads, p.queries, p.keys, p.depth, p.features}) text += " " + std::to_string(v);
    for (const AttentionStrides* s : {&p.q, &p.k, &p.v})
      for (std::int64_t v : {s->sample, s->row, s->head, s->offset}) text += " " + std::to_string(v);
    return text;
  }

  std::string written(const AttentionChoice& c) const { return c.graph ? "cudnn " + c.plan.engine : "own"; }

  bool recall(const std::string& text, AttentionChoice& choice) const {
    if (text == "own") return true;
    if (!text.starts_with("cudnn ")) return false;
    const CudnnAttention part = attention_part(p, pass);
    choice = {plan_named(CudnnGraph::make(part), text.substr(6)), part.samples, part.heads};
    return choice.graph != nullptr;
  }

  AttentionChoice measure(double& own) const {
    AttentionTrial trial(p, pass);
    own = trial.own_microseconds();
    if (own < kFastEnough) return {};
    const CudnnAttention part = attention_part(p, pass);
    const PlanChoice found = fastest_plan([&] { return CudnnGraph::make(part); },
                                          [&](const PlanChoice& plan) { return trial.microseconds({plan, part.samples, part.heads}); });
    return found.graph && found.microseconds < own ? AttentionChoice{found, part.samples, part.heads} : AttentionChoice{};
  }

  std::string explain(const AttentionChoice& c, double own) const {
    std::string text = std::string(pass == AttentionPass::forward ? "attention " : "attention gradient ") + std::string(name_of(p.dtype)) +
                       " batch " + std::to_string(p.samples) + ", " + std::to_string(p.heads) + " heads, " + std::to_string(p.queries) +
                       " queries, " + std::to_string(p.keys) + " keys of " + std::to_string(p.depth) + " features" +
                       (p.causal ? ", causal" : "");
    const std::int64_t runs = c.graph ? p.samples / c.samples * (p.heads / c.heads) : 1;
    if (runs > 1) text += ", in " + std::to_string(runs) + " parts";
    return text + ": " + told(c, c.plan.workspace, own);
  }
};

}  // namespace

AttentionChoice attention_choice(const Attention& p, AttentionPass pass) {
  if (!cudnn_here() || p.flops() < kWorthAsking) return {};
  return choice_for<AttentionChoice>(AttentionQuestion{p, pass});
}

}  // namespace tenon::cuda
