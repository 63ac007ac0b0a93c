/// Padding by tables of positions; the gradient is the transposed map, an axis at a time.
#include "tenon/padding.hpp"

#include <array>
#include <optional>

#include "ops/axis_map.hpp"
#include "ops/check.hpp"
#include "ops/named.hpp"
#include "ops/padding_kernels.hpp"
#include "ops/scalar_bytes.hpp"
#include "tenon/autograd.hpp"

namespace tenon {
namespace {

constexpr const char* kOp = "pad_axes";

const char* name_of_mode(PaddingMode mode) {
  return std::array{"constant", "reflect", "edge", "circular"}[std::size_t(mode)];
}

/// Which position of an axis of n stands `distance` steps beyond its `edge`; `inwards` is the direction back (1 or -1).
std::int64_t beyond(PaddingMode mode, std::int64_t distance, std::int64_t edge, std::int64_t inwards, std::int64_t n) {
  switch (mode) {
    case PaddingMode::constant:
      return -1;
    case PaddingMode::reflect:
      return edge + inwards * distance;
    case PaddingMode::edge:
      return edge;
    case PaddingMode::circular:
      return edge + inwards * (n - distance);
  }
  return -1;
}

PaddedAxis padded_axis(std::int64_t n, const PaddingSide& before, const PaddingSide& after) {
  PaddedAxis axis{n, before.size + n + after.size, {}, {}};
  axis.source.reserve(std::size_t(axis.to));
  for (std::int64_t i = 0; i < axis.to; ++i) {
    std::int64_t at = i - before.size;
    if (at < 0)
      at = beyond(before.mode, -at, 0, 1, n);
    else if (at >= n)
      at = beyond(after.mode, at - n + 1, n - 1, -1, n);
    axis.source.push_back(at);
    if (!axis.runs.empty()) {
      PaddedAxis::Run& run = axis.runs.back();
      if (at < 0 ? run.from < 0 : run.from >= 0 && at == run.from + run.count) {
        ++run.count;
        continue;
      }
    }
    axis.runs.push_back({i, at, 1});
  }
  return axis;
}

void check_side(const Tensor& x, int axis, const PaddingSide& side, const char* name) {
  const std::int64_t n = x.size(axis);
  const std::string what =
      std::to_string(side.size) + " " + name_of_mode(side.mode) + " values " + name + " axis " + std::to_string(axis) + " of " + x.str();
  if (side.size < 0) throw_usage(kOp, what + ": sizes must not be negative", "narrow() cuts");
  if (side.size == 0 || side.mode == PaddingMode::constant) return;
  if (n == 0) throw_usage(kOp, what + ": the axis holds nothing to repeat");
  if (side.mode == PaddingMode::reflect && side.size >= n)
    throw_usage(kOp, what + ": a reflection must be shorter than the axis",
                "pad at most " + std::to_string(n - 1) + ", or by the edge's value");
  if (side.mode == PaddingMode::circular && side.size > n)
    throw_usage(kOp, what + ": a circular side must not be longer than the axis", "pad at most " + std::to_string(n));
}

using Sides = std::array<std::optional<AxisPadding>, kMaxRank>;

Tensor padded(const Tensor& x_given, const Sides& sides, double value);

/// The transpose of padding: what was padded is added to where it was read.
Tensor folded(const Tensor& d, const Sides& sides, const Shape& from) {
  std::vector<AxisStep> steps;
  for (int a = 0; a < from.rank(); ++a)
    if (const auto& side = sides[std::size_t(a)]) {
      const PaddedAxis axis = padded_axis(from[a], side->before, side->after);
      steps.push_back(AxisStep(a, make_axis_map(kOp, axis.from, axis.to,
                                                [&](std::int64_t i) {
                                                  const std::int64_t at = axis.source[std::size_t(i)];
                                                  return at < 0 ? Taps{} : Taps{{at, 1.0}};
                                                }))
                          .reversed());
    }
  NoGrad off;
  return apply_axis_steps(kOp, d, std::move(steps));
}

Tensor unpadded(const Tensor& d, const Sides& sides, const Shape& from) {
  return differentiable(kOp, folded(d, sides, from), {d},
                        [=](const std::vector<Tensor>& g) { return std::vector<Tensor>{padded(g[0], sides, 0)}; });
}

Tensor padded(const Tensor& x_given, const Sides& sides, double value) {
  Tensor x = x_given.contiguous();
  Shape shape = x.shape();
  int kept = x.rank();  // axes from here on are not padded: together they are one element
  while (kept > 1 && !sides[std::size_t(kept - 1)]) --kept;
  for (int a = 0; a < kept; ++a)
    if (const auto& side = sides[std::size_t(a)]) shape[a] += side->before.size + side->after.size;
  check_result(kOp, shape, x.dtype());
  Tensor y = Tensor::empty(shape, x.dtype(), x.device());  // before its tables: what is too large for it is so for them
  std::vector<PaddedAxis> axes;
  std::int64_t element = std::int64_t(size_of(x.dtype()));
  for (int a = kept; a < x.rank(); ++a) element *= x.size(a);
  within_memory(kOp, [&] {
    for (int a = 0; a < kept; ++a) {
      const AxisPadding side = sides[std::size_t(a)].value_or(AxisPadding{a, {}, {}});
      axes.push_back(padded_axis(x.size(a), side.before, side.after));
    }
  });
  if (y.numel() > 0)
    launch(kOp, {x}, {y},
           table_padding_kernel(x.device(), TablePadding{std::make_shared<const std::vector<PaddedAxis>>(std::move(axes)), element,
                                                         std::int64_t(size_of(x.dtype())), bytes_of(value, x.dtype())}));
  return differentiable(
      kOp, y, {x}, [sides, from = x.shape()](const std::vector<Tensor>& d) { return std::vector<Tensor>{unpadded(d[0], sides, from)}; });
}

}  // namespace

PaddingMode padding_mode(std::string_view name) {
  static const Named<PaddingMode> known{{"constant", PaddingMode::constant}, {"zero", PaddingMode::constant},
                                        {"reflect", PaddingMode::reflect},   {"edge", PaddingMode::edge},
                                        {"replicate", PaddingMode::edge},    {"circular", PaddingMode::circular}};
  return find_named("padding_mode", "padding mode", name, known);
}

Tensor pad_axes(const Tensor& x, const std::vector<AxisPadding>& axes, double value) {
  check_defined(kOp, x, "x");
  Sides sides;
  bool any = false;
  for (const AxisPadding& given : axes) {
    const int a = check_axis(kOp, x, given.axis);
    if (sides[std::size_t(a)]) throw_usage(kOp, "axis " + std::to_string(given.axis) + " of " + x.str() + " is given twice");
    check_side(x, a, given.before, "before");
    check_side(x, a, given.after, "after");
    if (given.before.size == 0 && given.after.size == 0) continue;
    check_31_bits(kOp, "an axis of", size_plus(kOp, size_plus(kOp, given.before.size, x.size(a)), given.after.size));
    sides[std::size_t(a)] = given;
    any = true;
  }
  return any ? padded(x, sides, value) : x;
}

}  // namespace tenon
