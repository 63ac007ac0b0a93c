#include "tenon/nn/resizing.hpp"

#include <algorithm>
#include <cmath>

#include "tenon/error.hpp"

namespace tenon::nn {

Resize::Resize(std::vector<std::int64_t> size, ResizeOptions options) : size_(std::move(size)), options_(options) {}
Tensor Resize::forward(const Tensor& x) {
  return resize(x, size_, options_);
}

Upsample::Upsample(std::vector<double> factors, ResizeOptions options) : factors_(std::move(factors)), options_(options) {
  for (double f : factors_)
    if (!(f > 0)) throw_usage("Upsample", "factor " + std::to_string(f) + " is not greater than 0");
}
Tensor Upsample::forward(const Tensor& x) {
  if (int(factors_.size()) != x.rank() - 2)
    throw_usage("Upsample", std::to_string(factors_.size()) + " factors for the spatial axes of x " + x.str());
  std::vector<std::int64_t> size;
  for (std::size_t a = 0; a < factors_.size(); ++a) {
    const double wanted = std::floor(double(x.size(1 + int(a))) * factors_[a]);
    if (!(wanted <= double(1 << 30)))
      throw_usage("Upsample", "factor " + std::to_string(factors_[a]) + " along spatial axis " + std::to_string(a) + " of x " + x.str(), "sizes fit 30 bits");
    size.push_back(std::max<std::int64_t>(1, std::int64_t(wanted)));
  }
  return resize(x, size, options_);
}

PixelShuffle::PixelShuffle(std::vector<std::int64_t> factors) : factors_(std::move(factors)) {}
Tensor PixelShuffle::forward(const Tensor& x) {
  return depth_to_space(x, factors_);
}

}  // namespace tenon::nn
