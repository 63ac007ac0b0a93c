/// One element's optimiser update, for the CPU loop and the CUDA kernel.
#pragma once

#include <cmath>

#include "tenon/dtype.hpp"

namespace tenon::kernels {

struct Sgd {
  float momentum, weight_decay;
  bool nesterov;
  TENON_HD void operator()(float& p, float& v, float g, float lr) const {
    float d = g + weight_decay * p;
    v = momentum * v + d;
    p -= lr * (nesterov ? d + momentum * v : v);
  }
};

/// `c1`, `c2`: 1 - beta^t.
struct AdamW {
  float beta1, beta2, eps, weight_decay;
  TENON_HD void operator()(float& p, float& m, float& v, float g, float lr, float c1, float c2) const {
    p -= lr * weight_decay * p;
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g * g;
    p -= lr / c1 * m / (std::sqrt(v) / std::sqrt(c2) + eps);
  }
};

}  // namespace tenon::kernels
