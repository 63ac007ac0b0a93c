/// Optimisers as recipes name them.
#include "tenon/error.hpp"
#include "tenon/optim.hpp"

namespace tenon {
namespace {

std::vector<ParameterGroup> groups_of(const ParamValues& v) {
  if (v.boolean("decay_vectors")) return {};
  return {{"vectors", 1, 0}};
}

}  // namespace

const ParamSpec& optimiser_params() {
  static const ParamSpec spec{
      text_param("name", "sgd", "optimiser", {"sgd", "adam", "adamw", "lamb", "rmsprop", "adafactor", "muon"}),
      real_param("momentum", 0.99, "sgd: share of the last step's velocity that is kept", 0, 1),
      real_param("muon_momentum", 0.95, "muon: the same of its momentum", 0, 1),
      real_param("rmsprop_momentum", 0, "rmsprop: the same of its velocity", 0, 1),
      boolean_param("nesterov", true, "sgd, muon: look ahead along the velocity"),
      real_param("beta1", 0.9, "adam, adamw, lamb: decay of the first moment", 0, 1),
      real_param("beta2", 0.999, "adam, adamw, lamb: decay of the second moment", 0, 1),
      real_param("alpha", 0.99, "rmsprop: decay of the second moment", 0, 1),
      boolean_param("centred", false, "rmsprop: by the variance in place of the second moment"),
      real_param("eps", 1e-8, "added to the denominator (adam, adamw, lamb, rmsprop)", 0),
      real_param("weight_decay", 3e-5, "weight decay (sgd, adam, rmsprop: added to the gradient; the others: decoupled)", 0),
      boolean_param("decay_vectors", true, "whether biases and the scales of norms decay too"),
      real_param("clip", 12, "largest global norm of the gradient; 0 for no clipping", 0),
      real_param("clip_value", 0, "largest magnitude of an element of the gradient, before its norm is taken; 0 for no clipping", 0),
  };
  return spec;
}

std::unique_ptr<Optimiser> make_optimiser(nn::Module& module, const ParamValues& v) {
  const std::string& name = v.text("name");
  const auto fill = [&](auto o) {
    o.weight_decay = v.real("weight_decay");
    o.clip = v.real("clip");
    o.clip_value = v.real("clip_value");
    o.groups = groups_of(v);
    return o;
  };
  const auto moments = [&](auto o) {
    o.beta1 = v.real("beta1"), o.beta2 = v.real("beta2"), o.eps = v.real("eps");
    return fill(o);
  };
  if (name == "adam") return make_adam(module, moments(AdamOptions{}));
  if (name == "adamw") return make_adamw(module, moments(AdamWOptions{}));
  if (name == "lamb") return make_lamb(module, moments(LambOptions{}));
  if (name == "rmsprop") {
    auto o = fill(RmsPropOptions{});
    o.alpha = v.real("alpha"), o.eps = v.real("eps"), o.centred = v.boolean("centred");
    o.momentum = v.real("rmsprop_momentum");
    return make_rmsprop(module, o);
  }
  if (name == "adafactor") return make_adafactor(module, fill(AdafactorOptions{}));
  if (name == "muon") {
    auto o = fill(MuonOptions{});
    o.momentum = v.real("muon_momentum");
    o.nesterov = v.boolean("nesterov") && o.momentum > 0;
    return make_muon(module, o);
  }
  auto o = fill(SgdOptions{});
  o.momentum = v.real("momentum"), o.nesterov = v.boolean("nesterov") && o.momentum > 0;
  return make_sgd(module, o);
}

}  // namespace tenon
