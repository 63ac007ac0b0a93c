#include "tenon/optim.hpp"

#include <algorithm>
#include <cmath>

#include "tenon/error.hpp"

namespace tenon {

Optimiser::~Optimiser() = default;

Optimiser::Optimiser(nn::Module& module) : leaves_(module.parameters()) {
  if (leaves_.empty()) throw_usage("Optimiser", "the module has no parameters");
  const Device device = leaves_[0].second.device();
  for (const auto& [name, p] : leaves_)
    if (p.device() != device) throw_usage("Optimiser", "'" + name + "' is on " + p.device().str() + ", '" + leaves_[0].first + "' on " + device.str());
  scalars_ = Tensor::zeros({4}, DType::f32, device);
  norm_ = Tensor::zeros({1}, DType::f32, device);
}

void Optimiser::begin_step(double learning_rate) {
  if (!(learning_rate >= 0) || !std::isfinite(learning_rate)) throw_usage("Optimiser::begin_step", "learning rate " + std::to_string(learning_rate), "a number of 0 or more");
  ++steps_;
  float s[4] = {float(learning_rate), float(steps_), 0, 0};
  scalars_.copy_from_host(s, sizeof s);
}

nn::NamedTensors Optimiser::state() const { return {{"steps", Tensor::from(std::vector<std::int64_t>{steps_}, {1})}}; }

void Optimiser::load(const nn::NamedTensors& given) {
  nn::NamedTensors own = state();
  if (given.size() != own.size()) throw Error(ErrorKind::data, "optimiser.state", "the state has " + std::to_string(given.size()) + " tensors, this optimiser " + std::to_string(own.size()), "resume with the run's own recipe");
  std::vector<Tensor> found;
  for (const auto& [name, t] : own) {
    auto it = std::find_if(given.begin(), given.end(), [&, n = name](const auto& g) { return g.first == n; });
    if (it == given.end() || !(it->second.shape() == t.shape())) throw Error(ErrorKind::data, "optimiser.state", "the state lacks '" + name + "' " + t.shape().str(), "resume with the run's own recipe");
    found.push_back(it->second);
  }
  for (std::size_t i = 0; i + 1 < own.size(); ++i) own[i].second.assign(found[i]);
  steps_ = std::int64_t(found.back().item());
}

}  // namespace tenon
