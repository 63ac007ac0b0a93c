/// A model run over whole scans: windows with overlap, Gaussian weights, batched over windows and scans.
///
/// A scan that exceeds the patch by no more than `whole_factor` along every axis is one window, padded to a size the
/// model takes; a larger one is covered by patches whose starts are spread evenly (nnU-Net's rule), and the scores are
/// averaged with Gaussian weights. Windows of one shape share a recorded plan. Scans are handed to the consumer in
/// order of completion, from the calling thread; only scans in work hold scores, so memory is that of a few scans: image
/// and scores lie on the model's device, so that windows never cross to the host, or in host memory where the device's does
/// not take them. Results do not depend on the order of scans, on the batch or on where the scores lie.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "tenon/nn/module.hpp"
#include "tenon/task.hpp"

namespace tenon::medical {

/// Starts of windows along an axis: step = patch * overlap_step at most, spread evenly, the last one flush with the end.
std::vector<std::int64_t> window_starts(std::int64_t size, std::int64_t patch, double step);

/// Weights of a window, (z, y, x): a Gaussian of sigma patch/8 about patch/2 along each axis, peak 1, never 0.
std::vector<float> gaussian_weights(const std::array<std::int64_t, 3>& patch);

struct WindowSettings {
  std::array<std::int64_t, 3> patch{};  ///< (z, y, x)
  double step = 0.5;                    ///< of the patch
  bool gaussian = true;
  std::vector<int> mirror;  ///< axes whose flips (all subsets of them) are averaged
  double whole_factor = 1.25;
  std::int64_t batch = 2;    ///< windows a run of the model
  std::int64_t divisor = 8;  ///< sizes the model takes are multiples of this
  std::int64_t classes = 2;
};

/// f32 [channels, z, y, x].
using ScanSource = std::function<Tensor(std::size_t scan)>;
/// Scores of one scan: f32 [z, y, x, classes], mean logits, on the model's device or the CPU.
using ScoreSink = std::function<void(std::size_t scan, const Tensor& scores)>;

/// Recorded runs of one model, by window shape, the last few of them: kept by a caller that labels scans one after the other. The model's
/// parameters must stay where they are while it lives (their values may change). Not thread-safe.
class WindowPlans {
 public:
  WindowPlans();
  ~WindowPlans();
  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// `sizes`: of each scan, (z, y, x). The model is put in evaluation mode and left in the mode it was in.
void run_windows(nn::Module& model, const WindowSettings& settings, const std::vector<std::array<std::int64_t, 3>>& sizes,
                 const ScanSource& source, const ScoreSink& sink, const Monitor& monitor, WindowPlans& plans);

}  // namespace tenon::medical
