/// Many samples into one batch.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tenon/data/dataset.hpp"

namespace tenon::data {

struct CollateOptions {
  /// Tensors whose first axis may differ in length from sample to sample, with the value that fills up the shorter ones.
  std::map<std::string, double> pad;
};

/// Each tensor x [...] of the samples becomes [N, ...]. One that is listed in `pad` becomes [N, longest, ...], followed by
/// "<name>_length", i64 [N]: the true lengths. Samples must have the same names in the same order, types and (but for padding) shapes, and
/// lie on the CPU; else a usage error names the sample and the tensor.
TENON_API Sample collate(const std::vector<Sample>& samples, const CollateOptions& options = {});

}  // namespace tenon::data
