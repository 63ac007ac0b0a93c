/// Fourier neural operators (Li et al. 2021) over the spectral convolution, channels last, 1 to 3 spatial axes.
#pragma once

#include <vector>

#include "tenon/nn/layers.hpp"
#include "tenon/spectral.hpp"

namespace tenon::nn {

/// [N, spatial..., in] -> [N, spatial..., out]; see tenon::spectral_conv for `modes`. Weight [kept..., in, out, 2], normal with
/// deviation 1 / sqrt(in out).
class TENON_API SpectralConv : public Module {
 public:
  SpectralConv(std::int64_t in, std::int64_t out, std::vector<std::int64_t> modes);
  Tensor forward(const Tensor& x) override;
  Tensor weight;

 private:
  std::vector<std::int64_t> modes_;
};

struct FnoOptions {
  std::int64_t in = 1, out = 1;
  std::int64_t width = 64;        ///< channels between the layers
  std::int64_t projection = 128;  ///< hidden channels of the lifting and the projecting layers
  int layers = 4;
  std::vector<std::int64_t> modes = {16, 16};  ///< one a spatial axis
};

/// Lifting (dense, GELU, dense), `layers` times x = GELU(spectral(x) + dense(x)) without the GELU after the last, projection (dense, GELU,
/// dense).
class TENON_API Fno : public Module {
 public:
  explicit Fno(const FnoOptions& options);
  Tensor forward(const Tensor& x) override;

 private:
  std::shared_ptr<Linear> lift_[2], project_[2];
  std::vector<std::shared_ptr<SpectralConv>> spectral_;
  std::vector<std::shared_ptr<Linear>> skip_;
};

}  // namespace tenon::nn
