#include "tenon/weight_average.hpp"

#include <algorithm>

#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"
#include "tenon/memory.hpp"

namespace tenon {

double WeightAverage::Rule::keep(std::int64_t step) const {
  const auto t = double(step);
  return share > 0 ? 1.0 - 1.0 / std::max(1.0, share * t) : std::min(decay, (1 + t) / (10 + t));
}

WeightAverage::WeightAverage(const nn::Module& model, Rule rule) : rule_(rule), buffers_(model.buffers()) {
  if (const double v = rule.share > 0 ? rule.share : rule.decay; !(v > 0 && v <= 1))
    throw_usage("WeightAverage", "share or decay " + std::to_string(v), "a number above 0, at most 1");
  MemoryScope tag(MemoryTag::optimiser);
  for (const auto& [name, t] : model.parameters()) {
    source_.push_back(t);
    average_.emplace_back(name, t.detach().clone());
  }
}

void WeightAverage::update(std::int64_t step) {
  const auto keep = float(rule_.keep(step));
  for (std::size_t i = 0; i < source_.size(); ++i) {
    const float* w = source_[i].data<float>();
    float* a = average_[i].second.data<float>();
    parallel_blocks(source_[i].numel(), 65536, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) a[k] = w[k] + keep * (a[k] - w[k]);
    });
  }
}

nn::NamedTensors WeightAverage::weights() const {
  nn::NamedTensors all = average_;
  all.insert(all.end(), buffers_.begin(), buffers_.end());
  return all;
}

void WeightAverage::load(const nn::NamedTensors& saved) {
  std::vector<Tensor> found;
  for (const auto& [name, t] : average_) {
    const auto it = std::find_if(saved.begin(), saved.end(), [&, n = name](const auto& s) { return s.first == n; });
    if (it == saved.end() || !(it->second.shape() == t.shape())) throw_usage("WeightAverage::load", "the state lacks '" + name + "' " + t.shape().str());
    found.push_back(it->second);
  }
  for (std::size_t i = 0; i < found.size(); ++i) average_[i].second.assign(found[i]);
}

void WeightAverage::swap() {
  for (std::size_t i = 0; i < source_.size(); ++i) {
    float *w = source_[i].data<float>(), *v = average_[i].second.data<float>();
    std::swap_ranges(w, w + source_[i].numel(), v);
  }
}

WeightAverage::Scope::Scope(WeightAverage* average) : average_(average) {
  if (average_) average_->swap();
}
WeightAverage::Scope::~Scope() {
  if (average_) average_->swap();
}

}  // namespace tenon
