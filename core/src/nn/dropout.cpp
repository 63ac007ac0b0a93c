#include "tenon/nn/dropout.hpp"

#include "tenon/dropout.hpp"
#include "tenon/error.hpp"

namespace tenon::nn {

Dropout::Dropout(double p) : p_(p) {
  if (!(p >= 0 && p <= 1)) throw_usage("Dropout", "a share of " + std::to_string(p), "p lies in [0, 1]");
}

Tensor Dropout::forward(const Tensor& x) {
  if (!training() || p_ == 0) return x;
  if (!random_key().defined())
    throw_usage("Dropout", "no random key is set for training", "call set_random_key(random_key(seed)) on the model, or eval()");
  return dropout(x, p_, random_key(), random_stream());
}

}  // namespace tenon::nn
