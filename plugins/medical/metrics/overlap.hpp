/// Overlap of two label images: voxel counts and Dice, one pass for all labels.
///
/// The rule for empty masks is one for the whole toolkit and is printed with each evaluation: a label absent from both
/// images is not scored (NaN, counted); absent from one, its Dice is 0.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tenon::medical {

struct Overlap {
  std::int64_t true_positive = 0, false_positive = 0, false_negative = 0;  ///< voxels
  std::int64_t predicted() const { return true_positive + false_positive; }
  std::int64_t actual() const { return true_positive + false_negative; }
  double dice() const;  ///< 2 TP / (2 TP + FP + FN); NaN when both masks are empty
};

/// One entry a label in [0, labels). Throws a usage error when sizes differ or a value is not below `labels` (<= 256).
std::vector<Overlap> overlaps(std::span<const std::uint8_t> prediction, std::span<const std::uint8_t> truth, int labels);

/// The rule above, for reports.
std::string empty_mask_rule();

}  // namespace tenon::medical
