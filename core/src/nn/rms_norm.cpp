#include "tenon/nn/rms_norm.hpp"

#include "tenon/error.hpp"
#include "tenon/norms.hpp"

namespace tenon::nn {

RmsNorm::RmsNorm(std::int64_t features, double eps) : eps_(eps) {
  if (features < 1) throw_usage("RmsNorm", std::to_string(features) + " features");
  scale = add_parameter("scale", {features}, {Init::Kind::constant, 1});
}

Tensor RmsNorm::forward(const Tensor& x) {
  return rms_norm(x, scale, eps_);
}

}  // namespace tenon::nn
