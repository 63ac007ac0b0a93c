/// Applies regridding weights to a variable, over all its levels and times.
#pragma once

#include <functional>
#include <optional>

#include "climate/grid/weights.hpp"
#include "climate/io/dataset.hpp"
#include "tenon/labelled.hpp"

namespace tenon::climate {

struct RegridOptions {
  Method method = Method::conservative;
  double least_valid = 0.5;  ///< of a target's weights that must fall on values, not on missing ones or outside; below it the target is missing
  std::function<void(const std::string&)> note = [](const std::string&) {};
  std::function<void()> between = [] {};  ///< called between pieces of work; what it throws ends it
};

/// `values` [..., lat, lon] over the source of `weights` -> [..., rows, columns] over its targets, f64 for f64, else f32. Missing values
/// (NaN) are left out and the rest is weighed up to one. A constant stays the same bits. Parallel; the same for any number of threads.
Tensor apply_weights(const Tensor& values, const Weights& weights, std::int64_t rows, std::int64_t columns, double least_valid);

/// The variable on another grid, axes, bounds and attributes put right. Auxiliary arrays of the old grid are dropped with a note, but for terms of formulas, which are regridded.
LabelledArray regrid(const LabelledArray& array, const Grid& target, const RegridOptions& options);
/// The same of a variable read block by block, none kept. Nothing where latitude and longitude are not its last axes, or the first meridian comes twice.
std::optional<LabelledArray> regrid(const VariableBlocks& blocks, const Grid& target, const RegridOptions& options);

}  // namespace tenon::climate
