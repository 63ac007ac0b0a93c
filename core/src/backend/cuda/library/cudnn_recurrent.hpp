/// cuDNN's recurrent layers, behind an interface that needs none of its headers (private).
///
/// They are no graphs: descriptors say what a layer is, cuDNN says how much memory it wants and where in a block of weights each gate's matrix lies.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>

#include "ops/recurrent_layer.hpp"

namespace tenon::cuda {

/// A layer of one direction. f32 stays f32 unless `allow_tf32`.
struct CudnnRecurrence {
  RecurrentLayer layer;
  bool allow_tf32 = false;
  auto operator<=>(const CudnnRecurrence&) const = default;
};

/// What one call reads and writes; cells, and what belongs to them, null without them. `kept` and `weights` as CudnnRecurrentLayer sizes them.
struct RecurrentForward {
  const void *x, *h, *c, *weights;
  void *y, *last_h, *last_c, *workspace, *kept;
};
struct RecurrentGradient {
  const void *x, *y, *h, *c, *weights, *d_y, *d_last_h, *d_last_c;
  void *d_x, *d_h, *d_c, *d_weights, *workspace, *kept;
};

class CudnnRecurrentLayer {
 public:
  /// Ways to compute one; not every layer has each.
  static constexpr int kAlgorithms = 3;
  static std::string name(int algorithm);
  /// Null, with a reason, where cuDNN is not here, or has none of these sizes by that way.
  static std::shared_ptr<const CudnnRecurrentLayer> make(const CudnnRecurrence& question, int algorithm, std::string& why);
  /// Whether cuDNN takes its description; needs no device. A device may still have none.
  static bool describable(const CudnnRecurrence& question, int algorithm);
  virtual ~CudnnRecurrentLayer() = default;

  /// Bytes. `kept` is what forward leaves to the gradient, which overwrites it; 0 without training.
  std::size_t weights_bytes() const { return weights_; }
  std::size_t workspace_bytes() const { return workspace_; }
  std::size_t kept_bytes() const { return kept_; }
  /// Where in the weights, in elements, matrix [H, F or H] and bias [H] of each gate lie: first those of the input, then those of the state.
  struct Place {
    std::int64_t matrix = 0, bias = 0;
  };
  const std::array<Place, 8>& places() const { return places_; }

  /// Enqueue it. False where cuDNN refuses.
  virtual bool forward(const RecurrentForward& operands) const = 0;
  virtual bool gradient(const RecurrentGradient& operands) const = 0;

 protected:
  std::size_t weights_ = 0, workspace_ = 0, kept_ = 0;
  std::array<Place, 8> places_{};
};

/// Whether cuDNN's recurrent layers give the same bits each run: NVIDIA documents that they may not where cuBLAS has workspaces of several sizes, so
/// CUBLAS_WORKSPACE_CONFIG must name one size (":4096:2"), and must have done so before the first use of a device.
bool recurrent_layers_repeat();

}  // namespace tenon::cuda
