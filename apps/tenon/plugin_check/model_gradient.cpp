/// Gradients against central differences, each parameter tensor along a random direction.
#include <algorithm>
#include <array>
#include <chrono>

#include "plugin_check/model_tried.hpp"

namespace tenon::command {
namespace {

/// +1 or -1, the same for the same arguments (splitmix64).
float sign_of(std::uint64_t tensor, std::uint64_t element) {
  std::uint64_t z = (tensor << 40 ^ element) + 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (z ^ z >> 31) & 1 ? 1.0f : -1.0f;
}

double norm(const std::vector<float>& v) {
  double sum = 0;
  for (float x : v) sum += double(x) * x;
  return std::sqrt(sum);
}

std::vector<float> values_of(const Tensor& t) {
  const Tensor dense = t.contiguous();
  const auto all = dense.span<float>();
  return {all.begin(), all.end()};
}

/// One parameter: where it is, and its claimed gradient.
struct Parameter {
  std::string name;
  Tensor tensor;
  std::uint64_t index = 0;
  std::vector<float> at = {}, gradient = {};
  double unit = 0;       ///< a step of 1: its values' root mean square, 0.05 at least
  double weight = 0;     ///< by how much a step of 1 along a random direction changes the loss, about
};

/// What the differences say and what the gradient says of the same displacement, both by the length of the step.
struct Slope {
  double measured = 0, claimed = 0, step = 0;
};

class Trial {
 public:
  explicit Trial(const TriedModel& t) {
    ModelContext precise = t.example.context;
    precise.compute = DType::f64;
    try {
      prepare(t, precise);
      expect(std::isfinite(loss()), "");
    } catch (const std::exception&) {  // it computes in f32 alone, which is its right
      prepare(t, t.example.context);
    } catch (const CheckFailed&) {
      prepare(t, t.example.context);
    }
    for (const auto& [name, tensor] : model_->parameters())
      if (tensor.dtype() == DType::f32 && tensor.numel() > 0) parameters_.push_back({name, tensor, parameters_.size()});
    // A fresh model may have layers of zeros, behind which every gradient is zero: all are moved a little, whatever they are.
    for (Parameter& p : parameters_) {
      p.at = values_of(p.tensor);
      const double size = norm(p.at) / std::sqrt(double(p.at.size()));
      const std::vector<float> noise = values_of(random_normal(p.tensor.shape(), 71, p.index));
      for (std::size_t k = 0; k < p.at.size(); ++k) p.at[k] += float(size > 0 ? 0.05 * size : 0.01) * noise[k];
      p.unit = std::max(0.05, norm(p.at) / std::sqrt(double(p.at.size())));
      assign(p, p.at);
    }
    distance(model_->forward(x_)).backward();
    for (Parameter& p : parameters_) {
      const Tensor g = p.tensor.grad();
      p.gradient = g.defined() ? values_of(g.to(DType::f32)) : std::vector<float>(p.at.size(), 0.0f);
      p.weight = p.unit * norm(p.gradient);
      largest_ = std::max(largest_, p.weight);
    }
    base_ = loss();
  }

  const std::vector<Parameter>& parameters() const { return parameters_; }
  double largest() const { return largest_; }

  /// Along the direction of all tensors of `group`; displacements are those that f32 holds. The asymmetric rest of both steps is left in
  /// `rest`: rounding of the loss, and curvature where the step is long.
  Slope slope(const std::vector<std::size_t>& group, double step, double* rest = nullptr) {
    double claimed[2] = {}, lost[2] = {};
    for (int side : {0, 1}) {
      for (std::size_t i : group) {
        const Parameter& p = parameters_[i];
        std::vector<float> moved(p.at.size());
        for (std::size_t k = 0; k < moved.size(); ++k) {
          moved[k] = float(double(p.at[k]) + (side ? -step : step) * p.unit * sign_of(p.index, k));
          claimed[side] += double(p.gradient[k]) * (double(moved[k]) - double(p.at[k]));
        }
        assign(p, moved);
      }
      lost[side] = loss();
    }
    for (std::size_t i : group) assign(parameters_[i], parameters_[i].at);
    if (rest) *rest = std::abs(lost[0] - base_ - claimed[0] + (lost[1] - base_ - claimed[1]));
    return {(lost[0] - lost[1]) / (2 * step), (claimed[0] - claimed[1]) / (2 * step), step};
  }
  double seconds_of_loss() {
    const auto begin = std::chrono::steady_clock::now();
    for (const Parameter& p : parameters_) assign(p, p.at);
    loss();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

 private:
  void prepare(const TriedModel& t, const ModelContext& c) {
    model_ = t.make(c);
    model_->eval();
    x_ = t.input(c, 3);
    NoGrad off;
    target_ = random_normal(model_->forward(x_).shape(), 99, 0).to(DType::f64);
  }
  Tensor distance(const Tensor& y) const { return mean(square(y.to(DType::f64) - target_)); }
  double loss() const {
    NoGrad off;
    return distance(model_->forward(x_)).item();
  }
  static void assign(const Parameter& p, const std::vector<float>& values) {
    NoGrad off;
    p.tensor.assign(Tensor::from(values, p.tensor.shape()));
  }

  nn::ModulePtr model_;
  Tensor x_, target_;
  std::vector<Parameter> parameters_;
  double largest_ = 0, base_ = 0;
};

std::string names_of(const Trial& trial, const std::vector<std::size_t>& group) {
  std::string out;
  for (std::size_t i : group) out += (out.empty() ? "'" : ", '") + trial.parameters()[i].name + "'";
  return out.size() < 300 ? out : out.substr(0, 300) + "...";
}

}  // namespace

void check_gradient(const TriedModel& t, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::duration<double>(0.6 * seconds);
  Trial trial(t);
  const std::size_t n = trial.parameters().size();
  expect(n > 0, "it has no parameters of f32");
  // One tensor a group while the time allows that; else some share a direction, in which each has its part.
  const double affordable = 0.25 * seconds / (4 * std::max(trial.seconds_of_loss(), 1e-6));
  const std::size_t groups = std::min(n, std::size_t(std::max(affordable, 4.0)));
  std::vector<std::vector<std::size_t>> all(groups);
  for (std::size_t i = 0; i < n; ++i) all[i % groups].push_back(i);

  double noise = 0;  // of one loss: what is left of steps so short that neither slope nor curvature shows
  for (std::size_t g = 0; g < std::min<std::size_t>(groups, 8); ++g) {
    double rest = 0;
    trial.slope(all[g], 1e-6, &rest);
    noise = std::max(noise, rest);
  }

  // Which step suits is not known before: kinks (ReLU, pooling) within a long one bend the slope, rounding hides a short one.
  constexpr std::array<double, 8> kSteps = {1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-2};
  for (std::size_t g = 0; g < all.size(); ++g) {
    std::vector<std::size_t>& group = all[g];
    if (Clock::now() > until)  // the rest go together
      for (; g + 1 < all.size(); all.pop_back()) group.insert(group.end(), all.back().begin(), all.back().end());
    double square_sum = 0;
    for (std::size_t i : group) square_sum += trial.parameters()[i].weight * trial.parameters()[i].weight;
    const double expected = std::sqrt(square_sum);
    Slope nearest = {};
    double nearest_gap = INFINITY, before = NAN;
    bool agrees = false;
    for (std::size_t k = 0; k < kSteps.size() && !agrees; ++k) {
      const Slope slope = trial.slope(group, kSteps[k]);
      expect(std::isfinite(slope.measured), "the loss is not finite beside the example's parameters, at " + names_of(trial, group));
      const double scale = std::max({expected, std::abs(slope.claimed), std::abs(slope.measured)}), rounding = 3 * noise / (2 * slope.step);
      const double off = slope.measured - slope.claimed, gap = std::abs(off), least = 1e-5 * trial.largest();
      if (rounding > 0.1 * scale && gap > least) {  // a step that says nothing; where the longest says nothing, none does
        agrees = k == 0 && gap <= rounding;
        if (k == 0) nearest = slope;
        continue;
      }
      const double bent = std::isnan(before) ? 0 : std::min(std::abs(off - before), 0.2 * scale);  // by kinks: what changes from one step to the next
      before = off;
      agrees = gap <= 0.02 * scale + rounding + bent + least;
      if (gap / scale < nearest_gap) nearest_gap = gap / scale, nearest = slope;
    }
    if (agrees) continue;
    const auto number = [](double v) {
      char text[32];
      std::snprintf(text, sizeof text, "%.4g", v);
      return std::string(text);
    };
    throw CheckFailed{"the gradient of " + names_of(trial, group) + " is wrong: along a random direction differences of the loss give a slope of " + number(nearest.measured) + ", the gradient " + number(nearest.claimed)};
  }
}

}  // namespace tenon::command
