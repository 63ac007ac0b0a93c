#include "medical/tasks/sliding_window.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"
#include "tenon/plan_cache.hpp"

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

/// Copies a window of `image` [channels, z, y, x] to [z, y, x, channels], zeros beyond the scan, flipped along `flips`.
void cut(const Tensor& image, const Window& w, const std::array<bool, 3>& flips, float* out) {
  const std::int64_t channels = image.size(0), nz = image.size(1), ny = image.size(2), nx = image.size(3);
  const float* from = image.data<float>();
  std::fill(out, out + voxels(w.size) * channels, 0.0f);
  for (std::int64_t z = 0; z < w.size[0]; ++z)
    for (std::int64_t y = 0; y < w.size[1]; ++y) {
      const std::int64_t sz = w.start[0] + (flips[0] ? w.size[0] - 1 - z : z), sy = w.start[1] + (flips[1] ? w.size[1] - 1 - y : y);
      if (sz < 0 || sz >= nz || sy < 0 || sy >= ny) continue;
      for (std::int64_t c = 0; c < channels; ++c) {
        const float* row = from + ((c * nz + sz) * ny + sy) * nx;
        float* to = out + (z * w.size[1] + y) * w.size[2] * channels + c;
        const std::int64_t x0 = std::max<std::int64_t>(0, -w.start[2]), x1 = std::min(w.size[2], nx - w.start[2]);
        for (std::int64_t x = x0; x < x1; ++x) to[(flips[2] ? w.size[2] - 1 - x : x) * channels] = row[w.start[2] + x];
      }
    }
}

/// Adds weight * scores of a window, turned back, to a scan's sums.
void add(const float* scores, const Window& w, const std::array<bool, 3>& flips, const float* weights, std::int64_t classes,
         const Size& scan, float* sums, float* weight_sums) {
  for (std::int64_t z = std::max<std::int64_t>(0, -w.start[0]); z < std::min(w.size[0], scan[0] - w.start[0]); ++z)
    for (std::int64_t y = std::max<std::int64_t>(0, -w.start[1]); y < std::min(w.size[1], scan[1] - w.start[1]); ++y)
      for (std::int64_t x = std::max<std::int64_t>(0, -w.start[2]); x < std::min(w.size[2], scan[2] - w.start[2]); ++x) {
        const std::int64_t here = (z * w.size[1] + y) * w.size[2] + x;
        const std::int64_t there = ((flips[0] ? w.size[0] - 1 - z : z) * w.size[1] + (flips[1] ? w.size[1] - 1 - y : y)) * w.size[2] +
                                   (flips[2] ? w.size[2] - 1 - x : x);
        const std::int64_t at = ((w.start[0] + z) * scan[1] + w.start[1] + y) * scan[2] + w.start[2] + x;
        const float weight = weights ? weights[here] : 1.0f;
        for (std::int64_t k = 0; k < classes; ++k) sums[at * classes + k] += weight * scores[there * classes + k];
        weight_sums[at] += weight;
      }
}

struct InWork {
  Tensor image, sums;
  std::vector<float> weight;
  std::size_t left = 0;  ///< windows still to come
};

}  // namespace

/// Windows are written to `host`, scores are read from `result`: on a CPU these are the plan's own tensors.
struct WindowPlans::Impl {
  PlanCache plans;
  PlanCache::Entry* plan = nullptr;
  Tensor host, result;

  /// Goes on with the plan for `batch` windows of this size.
  void use(nn::Module& model, std::int64_t batch, const Size& size, std::int64_t channels, std::int64_t classes) {
    const auto parameters = model.parameters();
    const Device device = parameters.empty() ? kCpu : parameters.front().second.device();
    const Shape shape{batch, size[0], size[1], size[2], channels}, expected{batch, size[0], size[1], size[2], classes};
    plan = &plans.get({{shape}}, device, [&](const std::vector<Tensor>& inputs) {
      NoGrad off;
      Tensor scores = model.forward(inputs[0]).to(DType::f32).contiguous();
      if (!(scores.shape() == expected))
        throw Error(ErrorKind::usage, "medical.model_output",
                    "the model gives scores " + scores.shape().str() + " where the task needs " + expected.str(),
                    "use a model that labels every voxel");
      return std::vector{scores};
    });
    auto on_host = [&](const Tensor& kept, const Tensor& t) {
      return device == kCpu ? t : kept.defined() && kept.shape() == t.shape() ? kept : Tensor::empty(t.shape(), DType::f32, kCpu);
    };
    host = on_host(host, plan->inputs[0]);
    result = on_host(result, plan->outputs[0]);
  }
  const float* run() {
    if (host.storage() != plan->inputs[0].storage()) plan->inputs[0].copy_from_host(host.data<float>(), host.nbytes());
    plan->plan.run();
    if (result.storage() != plan->outputs[0].storage()) plan->outputs[0].copy_to_host(result.data<float>(), result.nbytes());
    return result.data<float>();
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
  std::vector<std::array<bool, 3>> flips{{false, false, false}};
  for (int axis : s.mirror)
    for (std::size_t k = flips.size(); k-- > 0;) {
      auto turned = flips[k];
      turned[std::size_t(axis)] = true;
      flips.push_back(turned);
    }

  struct Mode {
    nn::Module& model;
    bool training;
    ~Mode() { model.train(training); }
  } mode{model, model.training()};
  model.eval();

  std::map<std::size_t, InWork> work;
  std::int64_t done = 0;
  for (const auto& [shape, windows] : by_shape) {
    const std::vector<float> weights = s.gaussian ? gaussian_weights(shape) : std::vector<float>();
    WindowPlans::Impl& kept = plans.impl();
    for (std::size_t begin = 0; begin < windows.size(); begin += std::size_t(s.batch)) {
      const auto n = std::int64_t(std::min(std::size_t(s.batch), windows.size() - begin));
      for (std::int64_t b = 0; b < n; ++b) {
        const std::size_t scan = windows[begin + std::size_t(b)].scan;
        if (work.contains(scan)) continue;
        InWork& w = work[scan];
        w.image = source(scan).contiguous();
        w.sums = Tensor::zeros(Shape{sizes[scan][0], sizes[scan][1], sizes[scan][2], s.classes});
        w.weight.assign(std::size_t(voxels(sizes[scan])), 0.0f);
        w.left = count[scan];
      }
      const std::int64_t channels = work[windows[begin].scan].image.size(0);
      kept.use(model, n, shape, channels, s.classes);
      for (const auto& flip : flips) {
        parallel_for(n, [&](std::int64_t b) {
          const Window& w = windows[begin + std::size_t(b)];
          cut(work.at(w.scan).image, w, flip, kept.host.data<float>() + b * voxels(shape) * channels);
        });
        const float* scores = kept.run();
        // One after the other: two windows of a batch may overlap in the same scan.
        for (std::int64_t b = 0; b < n; ++b) {
          const Window& w = windows[begin + std::size_t(b)];
          InWork& into = work.at(w.scan);
          add(scores + b * voxels(shape) * s.classes, w, flip, weights.empty() ? nullptr : weights.data(), s.classes, sizes[w.scan],
              into.sums.data<float>(), into.weight.data());
        }
      }
      for (std::int64_t b = 0; b < n; ++b) {
        const std::size_t scan = windows[begin + std::size_t(b)].scan;
        InWork& w = work.at(scan);
        if (--w.left > 0) continue;
        float* sums = w.sums.data<float>();
        parallel_blocks(voxels(sizes[scan]), 1 << 14, [&](std::int64_t from, std::int64_t to) {
          for (std::int64_t i = from; i < to; ++i)
            for (std::int64_t k = 0; k < s.classes; ++k) sums[i * s.classes + k] /= w.weight[std::size_t(i)];
        });
        sink(scan, w.sums);
        work.erase(scan);
        monitor.turn("predicting", ++done, std::int64_t(sizes.size()));
      }
    }
  }
}

}  // namespace tenon::medical
