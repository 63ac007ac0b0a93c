/// Pairs of fields that an operator maps onto each other, from .npy files: a training set and test sets on other grids.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tenon/task.hpp"
#include "tenon/tensor.hpp"

namespace tenon::climate {

/// input f32 [N, rows, columns, channels], target f32 [N, rows, columns, 1], both finite.
struct FieldPairs {
  std::string name;  ///< "16x16"
  Tensor input, target;
  std::int64_t count() const { return input.size(0); }
  std::int64_t rows() const { return input.size(1); }
  std::int64_t columns() const { return input.size(2); }
};

/// [N, rows, columns] or [N, rows, columns, channels] of any real type or bool. Throws climate.fields for another shape and
/// climate.not_finite, naming file and sample.
Tensor read_fields(const std::filesystem::path& file);
FieldPairs read_pairs(const std::string& name, const std::filesystem::path& input, const std::filesystem::path& target);
/// Samples [begin, begin + count).
FieldPairs part_of(const FieldPairs& pairs, const std::string& name, std::int64_t begin, std::int64_t count);
/// Throws climate.leak where an input of `test` (on every k-th point, where its grid is k times as fine) is one of `train`.
void refuse_shared(const FieldPairs& train, const FieldPairs& test);
/// The grid of `test` over the training one, where it is a whole multiple of it along both axes; 0 else.
std::int64_t refinement(const FieldPairs& train, const FieldPairs& test);

/// What a forecaster that learns little reaches: the mean training target, and a ridge regression of all target points on all input
/// points. On a grid k times as fine the input is read at every k-th point and the result interpolated linearly between the points.
class FieldBaselines {
 public:
  FieldBaselines() = default;
  /// `ridge` > 0: added to the diagonal of the Gram matrix of the centred inputs.
  FieldBaselines(const FieldPairs& train, double ridge);
  Tensor mean_field(const FieldPairs& test) const;  ///< f32 like test.target
  Tensor regression(const FieldPairs& test) const;

 private:
  std::int64_t rows_ = 0, columns_ = 0, channels_ = 0;
  Tensor input_mean_, target_mean_, weights_;  ///< f64 [inputs], [points], [inputs, points]
};

}  // namespace tenon::climate
