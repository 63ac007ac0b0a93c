#include "medical/metrics/overlap.hpp"

#include <array>
#include <limits>

#include "tenon/error.hpp"

namespace tenon::medical {

double Overlap::dice() const {
  const std::int64_t sum = predicted() + actual();
  return sum == 0 ? std::numeric_limits<double>::quiet_NaN() : 2.0 * double(true_positive) / double(sum);
}

std::vector<Overlap> overlaps(std::span<const std::uint8_t> prediction, std::span<const std::uint8_t> truth, int labels) {
  if (labels < 1 || labels > 256) throw_usage("overlaps", "labels = " + std::to_string(labels), "between 1 and 256");
  if (prediction.size() != truth.size())
    throw_usage("overlaps", std::to_string(prediction.size()) + " predicted voxels against " + std::to_string(truth.size()));
  std::vector<std::int64_t> joint(256 * 256, 0);
  for (std::size_t i = 0; i < truth.size(); ++i) ++joint[std::size_t(prediction[i]) * 256 + truth[i]];

  std::array<std::int64_t, 256> predicted{}, actual{};
  for (std::size_t p = 0; p < 256; ++p)
    for (std::size_t t = 0; t < 256; ++t) {
      predicted[p] += joint[p * 256 + t];
      actual[t] += joint[p * 256 + t];
    }
  for (std::size_t v = std::size_t(labels); v < 256; ++v)
    if (predicted[v] + actual[v] > 0)
      throw_usage("overlaps", "value " + std::to_string(v) + " where labels are 0 to " + std::to_string(labels - 1));
  std::vector<Overlap> result;
  for (std::size_t v = 0; v < std::size_t(labels); ++v) {
    const std::int64_t both = joint[v * 256 + v];
    result.push_back({both, predicted[v] - both, actual[v] - both});
  }
  return result;
}

std::string empty_mask_rule() {
  return "empty masks: a label absent from both truth and prediction is not scored (counted); absent from one of them it scores Dice 0, "
         "NSD 0 and distances of the volume's diagonal";
}

}  // namespace tenon::medical
