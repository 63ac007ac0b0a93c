/// One element's optimiser update, for the CPU loop and the CUDA kernel.
///
/// `lr` and `decay` are this step's, with the factors of the parameter's group; `c1`, `c2`: 1 - beta^t.
#pragma once

#include <cmath>

#include "tenon/dtype.hpp"

namespace tenon::kernels {

struct Sgd {
  float momentum;
  bool nesterov;
  TENON_HD void operator()(float& p, float& v, float g, float lr, float decay) const {
    float d = g + decay * p;
    v = momentum * v + d;
    p -= lr * (nesterov ? d + momentum * v : v);
  }
};

struct Adam {
  float beta1, beta2, eps;
  TENON_HD void operator()(float& p, float& m, float& v, float g, float lr, float decay, float c1, float c2) const {
    float d = g + decay * p;
    m = beta1 * m + (1 - beta1) * d;
    v = beta2 * v + (1 - beta2) * d * d;
    p -= lr / c1 * m / (std::sqrt(v) / std::sqrt(c2) + eps);
  }
};

struct AdamW {
  float beta1, beta2, eps;
  TENON_HD void operator()(float& p, float& m, float& v, float g, float lr, float decay, float c1, float c2) const {
    p -= lr * decay * p;
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g * g;
    p -= lr / c1 * m / (std::sqrt(v) / std::sqrt(c2) + eps);
  }
};

/// `a`: mean gradient, used where centred; `b`: velocity.
struct RmsProp {
  float alpha, eps, momentum;
  bool centred;
  TENON_HD void operator()(float& p, float& v, float& a, float& b, float g, float lr, float decay) const {
    float d = g + decay * p;
    v = alpha * v + (1 - alpha) * d * d;
    float spread = v;
    if (centred) {
      a = alpha * a + (1 - alpha) * d;
      spread = v - a * a;
    }
    b = momentum * b + d / (std::sqrt(spread) + eps);
    p -= lr * b;
  }
};

/// LAMB's direction before its scaling by the norms of the tensor; `decay` is added to it.
struct Lamb {
  float beta1, beta2, eps;
  TENON_HD float operator()(float p, float& m, float& v, float g, float decay, float c1, float c2) const {
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g * g;
    return m / c1 / (std::sqrt(v / c2) + eps) + decay * p;
  }
};

}  // namespace tenon::kernels
