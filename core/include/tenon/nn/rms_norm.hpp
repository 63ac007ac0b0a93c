/// RMS norm as a layer.
#pragma once

#include "tenon/nn/module.hpp"

namespace tenon::nn {

/// [..., features] -> the same (norms.hpp); scale [features], first 1.
class TENON_API RmsNorm : public Module {
 public:
  explicit RmsNorm(std::int64_t features, double eps = 1e-6);
  Tensor forward(const Tensor& x) override;
  Tensor scale;

 private:
  double eps_;
};

}  // namespace tenon::nn
