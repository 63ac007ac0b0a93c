#include "tenon/weight_average.hpp"

#include <algorithm>

#include "optim/optim_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/memory.hpp"

namespace tenon {
namespace {

/// body(pointers of leaf, its count) of each pair of leaves p[i], p[n + i].
template <class Body> void for_pairs(const FlatLeaves& leaves, void* const* p, std::size_t second, const Body& body) {
  for (std::size_t i = 0; i < leaves.count(); ++i) {
    auto *a = static_cast<float*>(p[i]), *b = static_cast<float*>(p[second + i]);
    parallel_blocks(leaves.sizes[i], 65536, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) body(a[k], b[k]);
    });
  }
}

}  // namespace

KernelSlot<const FlatLeaves&> average_update_kernel("weight_average.update", [](const FlatLeaves& leaves) -> Kernel {
  return [leaves](void* const* p) {
    const float keep = *static_cast<const float*>(p[leaves.count()]);
    for_pairs(leaves, p, leaves.count() + 1, [keep](const float& w, float& a) { a = w + keep * (a - w); });
  };
});

KernelSlot<const FlatLeaves&> exchange_kernel("weight_average.exchange", [](const FlatLeaves& leaves) -> Kernel {
  return [leaves](void* const* p) { for_pairs(leaves, p, leaves.count(), [](float& w, float& a) { std::swap(w, a); }); };
});

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
    kept_.push_back(average_.back().second);
  }
  const Device device = source_.empty() ? kCpu : source_.front().device();
  keep_ = Tensor::zeros({1}, DType::f32, device);
  const FlatLeaves leaves(source_);
  blend_ = average_update_kernel(device, leaves);
  exchange_ = exchange_kernel(device, leaves);
}

void WeightAverage::update(std::int64_t step) {
  const auto keep = float(rule_.keep(step));
  keep_.copy_from_host(&keep, sizeof keep);
  std::vector<Tensor> reads = source_;
  reads.push_back(keep_);
  launch("weight_average.update", reads, kept_, blend_);
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
  std::vector<Tensor> both = source_;
  both.insert(both.end(), kept_.begin(), kept_.end());
  launch("weight_average.exchange", {}, both, exchange_);
}

WeightAverage::Scope::Scope(WeightAverage* average) : average_(average) {
  if (average_) average_->swap();
}
WeightAverage::Scope::~Scope() {
  if (average_) average_->swap();
}

}  // namespace tenon
