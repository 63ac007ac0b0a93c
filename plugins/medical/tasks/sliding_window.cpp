#include "medical/tasks/sliding_window.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <span>

#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/memory.hpp"
#include "tenon/plan_cache.hpp"
#include "tenon/windows.hpp"

namespace tenon::medical {
namespace {

using Size = std::array<std::int64_t, 3>;

std::int64_t voxels(const Size& s) {
  return s[0] * s[1] * s[2];
}

/// One window of one scan: it starts at `start` (negative where the scan is padded) and has `size` voxels.
struct Window {
  std::size_t scan;
  Size start, size;
};

WindowPlace place_of(const Window& w, const std::vector<int>& flipped) {
  return {{w.start[0], w.start[1], w.start[2]}, flipped};
}

struct Coverage {
  Size window{};
  std::vector<Size> starts;
};

Coverage cover(const Size& scan, const WindowSettings& s) {
  Coverage c;
  auto rounded = [&](std::int64_t n) { return (n + s.divisor - 1) / s.divisor * s.divisor; };
  bool whole = true;
  for (std::size_t a = 0; a < 3; ++a) whole &= double(scan[a]) <= std::max(1.0, s.whole_factor) * double(s.patch[a]);
  std::array<std::vector<std::int64_t>, 3> starts;
  for (std::size_t a = 0; a < 3; ++a) {
    c.window[a] = whole ? std::max(s.patch[a], rounded(scan[a])) : s.patch[a];
    if (scan[a] <= c.window[a])
      starts[a] = {-((c.window[a] - scan[a]) / 2)};
    else
      starts[a] = window_starts(scan[a], c.window[a], s.step);
  }
  for (auto z : starts[0])
    for (auto y : starts[1])
      for (auto x : starts[2]) c.starts.push_back({z, y, x});
  return c;
}

/// A scan while windows of it are still to come. Its image and sums lie where the model does, or in host memory where they do not fit there; the numbers are
/// the same.
struct InWork {
  Tensor image;  ///< [z, y, x, channels]
  WindowSum sum;
  std::size_t left = 0;  ///< windows still to come

  static InWork begin(const Tensor& planes, const Size& size, std::int64_t classes, Device device, std::size_t windows) {
    const Shape spatial{size[0], size[1], size[2]};
    const Tensor image = planes.permute({1, 2, 3, 0}).contiguous();
    try {
      MemoryScope tag(MemoryTag::data);
      return {image.to(device), WindowSum(spatial, classes, device), windows};
    } catch (const Error& e) {
      if (device == kCpu || e.code() != "memory.exhausted") throw;
      return {image, WindowSum(spatial, classes, kCpu), windows};
    }
  }

  void cut(const WindowPlace& at, const Tensor& window) const {
    if (image.device() == window.device()) return cut_window(image, at, window);
    const Tensor here = Tensor::empty(window.shape(), window.dtype(), image.device());
    cut_window(image, at, here);
    window.copy_from_host(here.raw(), here.nbytes());
  }
  void add(const Tensor& scores, const WindowPlace& at, const Tensor& weights) {
    sum.add(scores.to(sum.device()), at, weights.defined() ? weights.to(sum.device()) : weights);
  }
};

}  // namespace

struct WindowPlans::Impl {
  PlanCache plans;
  Device device;

  /// The plan for `batch` windows of this size, with its input and its scores.
  PlanCache::Entry& plan(nn::Module& model, std::int64_t batch, const Size& size, std::int64_t channels, std::int64_t classes) {
    const Shape shape{batch, size[0], size[1], size[2], channels}, expected{batch, size[0], size[1], size[2], classes};
    return plans.get({{shape}}, device, [&](const std::vector<Tensor>& inputs) {
      NoGrad off;
      Tensor scores = model.forward(inputs[0]).to(DType::f32).contiguous();
      if (!(scores.shape() == expected))
        throw Error(ErrorKind::usage, "medical.model_output",
                    "the model gives scores " + scores.shape().str() + " where the task needs " + expected.str(),
                    "use a model that labels every voxel");
      return std::vector{scores};
    });
  }
};
WindowPlans::WindowPlans() : impl_(std::make_unique<Impl>()) {}
WindowPlans::~WindowPlans() = default;

std::vector<std::int64_t> window_starts(std::int64_t size, std::int64_t patch, double step) {
  if (size < patch || patch < 1 || !(step > 0 && step <= 1))
    throw_usage("window_starts", "size " + std::to_string(size) + ", patch " + std::to_string(patch) + ", step " + std::to_string(step));
  const auto count = std::int64_t(std::ceil(double(size - patch) / (double(patch) * step))) + 1;
  std::vector<std::int64_t> starts;
  for (std::int64_t i = 0; i < count; ++i)
    starts.push_back(count == 1 ? 0 : std::int64_t(std::nearbyint(double(size - patch) / double(count - 1) * double(i))));
  return starts;
}

std::vector<float> gaussian_weights(const Size& patch) {
  std::array<std::vector<double>, 3> axis;
  for (std::size_t a = 0; a < 3; ++a)
    for (std::int64_t i = 0; i < patch[a]; ++i) {
      const double d = double(i - patch[a] / 2) / (double(patch[a]) / 8);
      axis[a].push_back(std::exp(-0.5 * d * d));
    }
  std::vector<float> weights;
  weights.reserve(std::size_t(voxels(patch)));
  for (double z : axis[0])
    for (double y : axis[1])
      for (double x : axis[2]) weights.push_back(float(z * y * x));
  return weights;
}

void run_windows(nn::Module& model, const WindowSettings& settings, const std::vector<Size>& sizes, const ScanSource& source,
                 const ScoreSink& sink, const Monitor& monitor, WindowPlans& plans) {
  WindowSettings s = settings;
  s.divisor = std::lcm(s.divisor, model.size_divisor());
  std::map<Size, std::vector<Window>> by_shape;
  std::vector<std::size_t> count(sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const Coverage c = cover(sizes[i], s);
    count[i] = c.starts.size();
    for (const auto& start : c.starts) by_shape[c.window].push_back({i, start, c.window});
  }
  std::vector<std::vector<int>> flips(1);  // all subsets of the axes
  for (int axis : s.mirror)
    for (std::size_t k = flips.size(); k-- > 0;) {
      flips.push_back(flips[k]);
      flips.back().push_back(axis);
    }

  struct Mode {
    nn::Module& model;
    bool training;
    ~Mode() { model.train(training); }
  } mode{model, model.training()};
  model.eval();

  WindowPlans::Impl& kept = plans.impl();
  const auto parameters = model.parameters();
  kept.device = parameters.empty() ? kCpu : parameters.front().second.device();
  std::map<std::size_t, InWork> work;
  std::int64_t done = 0;
  for (const auto& [shape, windows] : by_shape) {
    const Tensor weights = s.gaussian ? Tensor::from(gaussian_weights(shape), Shape{shape[0], shape[1], shape[2]}).to(kept.device) : Tensor();
    for (std::size_t begin = 0; begin < windows.size(); begin += std::size_t(s.batch)) {
      const auto n = std::min(std::size_t(s.batch), windows.size() - begin);
      const std::span batch(&windows[begin], n);
      PlanCache::Entry* plan = nullptr;
      const auto need_plan = [&](std::int64_t channels) {
        if (!plan) plan = &kept.plan(model, std::int64_t(n), shape, channels, s.classes);
      };
      for (const Window& w : batch) {
        if (work.contains(w.scan)) continue;
        const Tensor planes = source(w.scan);
        need_plan(planes.size(0));  // first: a scan can lie in the host's memory, the model cannot
        work.emplace(w.scan, InWork::begin(planes, sizes[w.scan], s.classes, kept.device, count[w.scan]));
      }
      need_plan(work.at(batch.front().scan).image.size(3));
      for (const auto& flip : flips) {
        for (std::size_t b = 0; b < n; ++b) work.at(batch[b].scan).cut(place_of(batch[b], flip), plan->inputs[0].select(0, std::int64_t(b)));
        plan->plan.run();
        // One after the other: two windows of a batch may overlap in the same scan.
        for (std::size_t b = 0; b < n; ++b) work.at(batch[b].scan).add(plan->outputs[0].select(0, std::int64_t(b)), place_of(batch[b], flip), weights);
      }
      for (const Window& w : batch) {
        InWork& in = work.at(w.scan);
        if (--in.left > 0) continue;
        sink(w.scan, in.sum.mean());
        work.erase(w.scan);
        monitor.turn("predicting", ++done, std::int64_t(sizes.size()));
      }
    }
  }
}

}  // namespace tenon::medical
