/// Resizing by separable kernels of any width, and the exchange of channels and space.
#include <algorithm>
#include <cmath>

#include "ops/average.hpp"
#include "ops/named.hpp"
#include "ops/spatial.hpp"
#include "tenon/ops.hpp"
#include "tenon/resizing.hpp"

namespace tenon {
namespace {

/// Keys' cubic convolution kernel.
double keys(double x, double a) {
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((x - 5) * x + 8) * x * a - 4 * a;
  return 0;
}

struct Filter {
  double reach;  ///< zero from here on
  bool cubic;
  double a;
  double operator()(double x) const { return cubic ? keys(x, a) : std::max(0.0, 1 - std::abs(x)); }
};

/// Taps around `src` at the input's spacing; positions beyond the axis read its edge.
Taps plain_taps(const Filter& f, double src, std::int64_t in) {
  Taps taps;
  const std::int64_t low = std::int64_t(std::floor(src)), reach = std::int64_t(f.reach);
  for (std::int64_t i = low - reach + 1; i <= low + reach; ++i) {
    const std::int64_t at = std::clamp<std::int64_t>(i, 0, in - 1);
    const double weight = f(src - double(i));
    if (!taps.empty() && taps.back().first == at)
      taps.back().second += weight;
    else
      taps.emplace_back(at, weight);
  }
  return taps;
}

/// Taps of the filter, stretched by in / out where the axis shrinks, over the positions inside, their sum made 1.
Taps stretched_taps(const Filter& f, std::int64_t o, std::int64_t in, std::int64_t out) {
  const double centre = (double(o) + 0.5) * double(in) / double(out), scale = std::max(double(in) / double(out), 1.0), reach = f.reach * scale;
  const std::int64_t first = std::max<std::int64_t>(std::int64_t(centre - reach + 0.5), 0),
                     last = std::min(std::int64_t(centre + reach + 0.5), in);
  Taps taps;
  double total = 0;
  for (std::int64_t i = first; i < last; ++i) {
    taps.emplace_back(i, f((double(i) + 0.5 - centre) / scale));
    total += taps.back().second;
  }
  for (auto& [at, weight] : taps) weight /= total;
  return taps;
}

AxisMap filtered(const Filter& f, std::int64_t in, std::int64_t out, const ResizeOptions& o) {
  return make_axis_map("resize", in, out, [&](std::int64_t at) {
    if (o.antialias) return stretched_taps(f, at, in, out);
    double src = (double(at) + 0.5) * double(in) / double(out) - 0.5;
    if (o.align_corners) src = out > 1 ? double(at) * double(in - 1) / double(out - 1) : 0;
    if (!f.cubic) src = std::max(src, 0.0);
    return plain_taps(f, src, in);
  });
}

void check_factors(const char* op, const Tensor& x, const std::vector<std::int64_t>& factors) {
  check_defined(op, x, "x");
  const int axes = x.rank() - 2;
  if (axes < 1 || axes > 3) throw_usage(op, "x " + x.str() + " has no 1 to 3 spatial axes", "give it as [N, spatial..., C]");
  check_sizes(op, x, factors, "factors");
}

/// Permutes [N, s1, .., sk, f1, .., fk, C] to [N, s1, f1, .., sk, fk, C] (`together`), or back.
Tensor weave(const Tensor& x, int axes, bool together) {
  switch (axes) {
    case 1:
      return x;
    case 2:
      return x.permute({0, 1, 3, 2, 4, 5});
    default:
      return together ? x.permute({0, 1, 4, 2, 5, 3, 6, 7}) : x.permute({0, 1, 3, 5, 2, 4, 6, 7});
  }
}

}  // namespace

ResizeMode resize_mode(std::string_view name) {
  static const Named<ResizeMode> known{{"nearest", ResizeMode::nearest},
                                       {"linear", ResizeMode::linear},
                                       {"cubic", ResizeMode::cubic},
                                       {"catmull_rom", ResizeMode::catmull_rom},
                                       {"area", ResizeMode::area}};
  return find_named("resize_mode", "resize mode", name, known);
}

Tensor resize(const Tensor& x, const std::vector<std::int64_t>& size, const ResizeOptions& o) {
  const bool kernel = o.mode != ResizeMode::nearest && o.mode != ResizeMode::area;
  if ((o.align_corners || o.antialias) && !kernel) throw_usage("resize", "align_corners and antialias are for linear and cubic kernels");
  if (o.align_corners && o.antialias) throw_usage("resize", "align_corners and antialias do not go together");
  if (o.mode == ResizeMode::nearest) return resize(x, size, Interpolation::nearest);
  if (o.mode == ResizeMode::linear && !o.align_corners && !o.antialias) return resize(x, size, Interpolation::linear);
  if (o.mode == ResizeMode::area) return area_average("resize", x, size);
  const int axes = check_spatial("resize", x);
  check_sizes("resize", x, size, "size");
  const bool cubic = o.mode != ResizeMode::linear;
  const Filter filter{cubic ? 2.0 : 1.0, cubic, o.mode == ResizeMode::catmull_rom || o.antialias ? -0.5 : -0.75};
  std::vector<AxisStep> steps;
  for (int a = 0; a < axes; ++a) {
    const std::int64_t in = x.size(1 + a), out = size[std::size_t(a)];
    if (in < 1) throw_usage("resize", "x " + x.str() + " has an empty spatial axis");
    if (in != out) within_memory("resize", [&] { steps.emplace_back(1 + a, filtered(filter, in, out, o)); });
  }
  return apply_axis_steps("resize", x, std::move(steps));
}

Tensor depth_to_space(const Tensor& x, const std::vector<std::int64_t>& factors) {
  check_factors("depth_to_space", x, factors);
  const int axes = x.rank() - 2;
  std::int64_t all = 1;
  for (std::int64_t f : factors) all = size_times("depth_to_space", all, f);
  if (x.size(-1) % all != 0)
    throw_usage("depth_to_space",
                std::to_string(x.size(-1)) + " channels of x " + x.str() + " do not divide by factors " + list_str(factors));
  Shape apart{x.size(0)}, whole{x.size(0)};
  for (int a = 0; a < axes; ++a) apart.push_back(x.size(1 + a)), whole.push_back(size_times("depth_to_space", x.size(1 + a), factors[std::size_t(a)]));
  for (std::int64_t f : factors) apart.push_back(f);
  apart.push_back(x.size(-1) / all);
  whole.push_back(x.size(-1) / all);
  return weave(x.reshape(apart), axes, true).reshape(whole);
}

Tensor space_to_depth(const Tensor& x, const std::vector<std::int64_t>& factors) {
  check_factors("space_to_depth", x, factors);
  const int axes = x.rank() - 2;
  Shape apart{x.size(0)}, deep{x.size(0)};
  std::int64_t channels = x.size(-1);
  for (int a = 0; a < axes; ++a) {
    const std::int64_t f = factors[std::size_t(a)];
    if (x.size(1 + a) % f != 0)
      throw_usage("space_to_depth",
                  "spatial axis " + std::to_string(a) + " of x " + x.str() + " does not divide by factors " + list_str(factors));
    apart.push_back(x.size(1 + a) / f);
    apart.push_back(f);
    deep.push_back(x.size(1 + a) / f);
    channels = size_times("space_to_depth", channels, f);
  }
  apart.push_back(x.size(-1));
  deep.push_back(channels);
  return weave(x.reshape(apart), axes, false).reshape(deep);
}

}  // namespace tenon
