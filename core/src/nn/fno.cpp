#include "tenon/nn/fno.hpp"

#include <cmath>

#include "tenon/error.hpp"

namespace tenon::nn {

SpectralConv::SpectralConv(std::int64_t in, std::int64_t out, std::vector<std::int64_t> modes) : modes_(std::move(modes)) {
  if (in < 1 || out < 1 || modes_.empty() || modes_.size() > 3)
    throw_usage("SpectralConv",
                std::to_string(in) + " to " + std::to_string(out) + " channels with " + std::to_string(modes_.size()) + " mode counts",
                "give 1 to 3 counts");
  Shape shape;
  for (std::size_t a = 0; a < modes_.size(); ++a) shape.push_back(a + 1 == modes_.size() ? modes_[a] : 2 * modes_[a]);
  shape.push_back(in);
  shape.push_back(out);
  shape.push_back(2);
  weight = add_parameter("weight", shape, {Init::Kind::normal, 1 / std::sqrt(double(in * out)), in, out});
}

Tensor SpectralConv::forward(const Tensor& x) {
  return spectral_conv(x, weight, modes_);
}

Fno::Fno(const FnoOptions& o) {
  if (o.layers < 1) throw_usage("Fno", std::to_string(o.layers) + " layers", "give 1 or more");
  lift_[0] = add_module("lift.0", std::make_shared<Linear>(o.in, o.projection));
  lift_[1] = add_module("lift.1", std::make_shared<Linear>(o.projection, o.width));
  for (int i = 0; i < o.layers; ++i) {
    spectral_.push_back(add_module("spectral." + std::to_string(i), std::make_shared<SpectralConv>(o.width, o.width, o.modes)));
    skip_.push_back(add_module("skip." + std::to_string(i), std::make_shared<Linear>(o.width, o.width)));
  }
  project_[0] = add_module("project.0", std::make_shared<Linear>(o.width, o.projection));
  project_[1] = add_module("project.1", std::make_shared<Linear>(o.projection, o.out));
}

Tensor Fno::forward(const Tensor& x) {
  Tensor h = (*lift_[1])(gelu((*lift_[0])(x)));
  for (std::size_t i = 0; i < spectral_.size(); ++i) {
    h = (*spectral_[i])(h) + (*skip_[i])(h);
    if (i + 1 < spectral_.size()) h = gelu(h);
  }
  return (*project_[1])(gelu((*project_[0])(h)));
}

}  // namespace tenon::nn
