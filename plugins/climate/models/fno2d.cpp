#include <cmath>

#include "climate/models/models.hpp"
#include "tenon/error.hpp"
#include "tenon/nn/ensemble.hpp"
#include "tenon/nn/fno.hpp"
#include "tenon/ops.hpp"

namespace tenon::climate {
namespace {

/// nn::Fno on a field that is continued with zeros along both axes, for a field that is not periodic; the same share of any grid, so
/// that a model trained on one resolution can be asked at another.
class Fno2d : public nn::Module {
 public:
  Fno2d(const nn::FnoOptions& options, double margin) : margin_(margin) {
    fno_ = add_module("fno", std::make_shared<nn::Fno>(options));
  }
  Tensor forward(const Tensor& x) override {
    if (x.rank() != 4) throw_usage("climate.fno2d", "expected [N, latitude, longitude, channels], got " + x.str());
    if (margin_ <= 0) return fno_->forward(x);
    const std::int64_t rows = x.size(1), columns = x.size(2);
    const Tensor y = fno_->forward(pad(x, {0, 0, 0, 0}, {0, extra(rows), extra(columns), 0}));
    return y.narrow(1, 0, rows).narrow(2, 0, columns).contiguous();
  }

 private:
  std::int64_t extra(std::int64_t size) const { return std::llround(margin_ * double(size)); }
  double margin_;
  std::shared_ptr<nn::Fno> fno_;
};

}  // namespace

ModelEntry fno2d_model() {
  ModelEntry entry;
  entry.name = "fno2d";
  entry.help = "Fourier neural operator on two axes (Li et al. 2021): learns on one resolution, can be asked at another";
  entry.params = ParamSpec{
      integer_param("width", 32, "channels between the Fourier layers", 1, 1024),
      integer_param("layers", 4, "Fourier layers", 1, 64),
      integers_param("modes", {8, 8}, "waves kept along latitude (of either sign) and longitude", 1, 1024),
      integer_param("projection", 64, "hidden channels of the first and the last pointwise layers", 1, 4096),
      real_param("margin", 0, "zeros added at the end of both axes, as a share of their length: for fields that are not periodic", 0, 1),
      integer_param("members", 1, "networks trained side by side; their mean is the forecast", 1, 64),
  };
  entry.make = [](const ParamValues& v, const ModelContext& context) -> nn::ModulePtr {
    nn::FnoOptions options;
    options.in = context.in_channels;
    options.out = context.out_channels;
    options.width = v.integer("width");
    options.projection = v.integer("projection");
    options.layers = int(v.integer("layers"));
    options.modes = v.integers("modes");
    if (options.modes.size() != 2)
      throw Error(ErrorKind::usage, "climate.fno2d", "model.modes: " + std::to_string(options.modes.size()) + " values",
                  "give two: along latitude and longitude", "model.modes");
    const double margin = v.real("margin");
    for (std::size_t a = 0; a < 2 && a < context.spatial.size(); ++a) {
      const std::int64_t size = context.spatial[a] + std::llround(margin * double(context.spatial[a]));
      const std::int64_t most = a == 0 ? size / 2 : size / 2 + 1;
      if (options.modes[a] > most)
        throw Error(ErrorKind::usage, "climate.fno2d",
                    std::to_string(options.modes[a]) + " modes on " + std::to_string(size) + " points (axis " + std::to_string(a) + ")",
                    "keep at most " + std::to_string(most) + " there", "model.modes");
    }
    if (context.compute != DType::f32)
      throw Error(ErrorKind::usage, "climate.fno2d", "spectral layers compute in f32", "set train.precision = \"f32\"", "train.precision");
    return nn::ensemble(v.integer("members"), [&] { return std::make_shared<Fno2d>(options, margin); });
  };
  entry.computes = {DType::f32};
  entry.example = ModelExample{{.in_channels = 3, .out_channels = 1, .spatial = {16, 20}}, {}, {}};
  return entry;
}

}  // namespace tenon::climate
