/// Resizing as layers; x [N, spatial..., C] throughout.
#pragma once

#include <vector>

#include "tenon/nn/module.hpp"
#include "tenon/resizing.hpp"

namespace tenon::nn {

/// To a given size, one value a spatial axis.
class TENON_API Resize : public Module {
 public:
  explicit Resize(std::vector<std::int64_t> size, ResizeOptions options = {});
  Tensor forward(const Tensor& x) override;

 private:
  std::vector<std::int64_t> size_;
  ResizeOptions options_;
};

/// By factors, one a spatial axis (greater than 0); sizes are rounded down, and are at least 1.
class TENON_API Upsample : public Module {
 public:
  explicit Upsample(std::vector<double> factors, ResizeOptions options = {});
  Tensor forward(const Tensor& x) override;

 private:
  std::vector<double> factors_;
  ResizeOptions options_;
};

/// depth_to_space: channels become voxels, for super-resolution.
class TENON_API PixelShuffle : public Module {
 public:
  explicit PixelShuffle(std::vector<std::int64_t> factors);
  Tensor forward(const Tensor& x) override;

 private:
  std::vector<std::int64_t> factors_;
};

}  // namespace tenon::nn
