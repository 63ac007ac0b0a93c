#include "tenon/loss_scale.hpp"

#include <bit>
#include <cmath>

#include "optim/optim_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"
#include "tenon/ops.hpp"

namespace tenon {

KernelSlot<const FlatLeaves&> unscale_kernel("loss_scale.unscale", [](const FlatLeaves& leaves) -> Kernel {
  return [runs = leaves.runs(kOptimiserRun), n = leaves.count()](void* const* p) {
    const auto inverse = float(1.0 / double(*static_cast<const float*>(p[0])));
    auto* good = static_cast<std::uint8_t*>(p[1 + n]);
    parallel_for(std::int64_t(runs.size()), [&](std::int64_t r) {
      const OptimiserRun& run = runs[std::size_t(r)];
      float* g = static_cast<float*>(p[1 + run.leaf]);
      constexpr std::uint32_t exponent = 0x7f800000u;  // all set: infinity or NaN
      std::uint32_t bad = 0;
      for (std::int64_t i = run.begin; i < run.end; ++i) {
        g[i] *= inverse;
        bad |= std::uint32_t((std::bit_cast<std::uint32_t>(g[i]) & exponent) == exponent);
      }
      good[r] = bad == 0;
    });
    bool all = true;
    for (std::size_t r = 0; r < runs.size(); ++r) all &= good[r] != 0;
    *static_cast<float*>(p[2 + n]) = all ? 1.0f : 0.0f;
  };
});

LossScale::LossScale(const LossScaleOptions& o) : options_(o), scale_(Tensor::zeros({1})), finite_(Tensor::full({1}, 1)) {
  if (!(o.initial > 0 && std::isfinite(float(o.initial)))) throw_usage("LossScale", "initial scale " + std::to_string(o.initial), "a number above 0, such as 65536");
  if (!(o.growth > 1)) throw_usage("LossScale", "growth " + std::to_string(o.growth), "a factor above 1, such as 2");
  if (!(o.backoff > 0 && o.backoff < 1)) throw_usage("LossScale", "backoff " + std::to_string(o.backoff), "a factor between 0 and 1, such as 0.5");
  if (o.interval < 1) throw_usage("LossScale", "interval " + std::to_string(o.interval), "at least one step");
  load({double(float(o.initial)), 0});
}

Tensor LossScale::scaled(const Tensor& loss) const {
  if (!loss.defined() || loss.numel() != 1) throw_usage("LossScale::scaled", (loss.defined() ? loss.str() : std::string("an undefined tensor")) + " is not a scalar loss", "reduce it with sum or mean");
  return mul(loss.to(DType::f32), scale_.reshape(loss.shape()));
}

void LossScale::unscale(const std::vector<Tensor>& gradients) const {
  for (const Tensor& g : gradients)
    if (!g.defined() || g.dtype() != DType::f32 || !g.is_contiguous())
      throw_usage("LossScale::unscale", (g.defined() ? g.str() : std::string("an undefined tensor")) + " is not a dense f32 gradient", "give .contiguous().to(DType::f32)");
  NoGrad no_grad;
  const FlatLeaves leaves(gradients);
  std::vector<Tensor> writes = gradients;
  writes.push_back(Tensor::empty({leaves.partials()}, DType::u8, scale_.device()));
  writes.push_back(finite_);
  launch("loss_scale.unscale", std::vector<Tensor>{scale_}, writes, unscale_kernel(scale_.device(), leaves));
}

bool LossScale::finite() const { return finite_.item() != 0; }

void LossScale::update() {
  State next = state_;
  if (!finite()) {
    next = {double(float(state_.scale * options_.backoff)), 0};
  } else if (++next.good == options_.interval) {
    const auto grown = float(state_.scale * options_.growth);
    next = {std::isfinite(grown) ? double(grown) : state_.scale, 0};
  }
  load(next);
}

void LossScale::load(const State& state) {
  state_ = state;
  scale_.fill(state.scale);
}

}  // namespace tenon
