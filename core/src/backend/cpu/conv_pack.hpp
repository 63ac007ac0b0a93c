/// Weights between the public layout [O, kernel..., I/groups] and oneDNN's blocked formats.
///
/// A blocked offset is a sum of one term an axis, so three small tables describe any format: no library reorder is
/// needed, packing runs in parallel, rounds to bf16 on the way, and the sum of partial weight gradients is unpacked
/// while it is added up.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "backend/conv_geometry.hpp"

namespace tenon::cpu {

struct PackedWeights {
  std::vector<std::int64_t> out;  ///< offset by output channel, all groups
  std::vector<std::int64_t> in;   ///< offset by input channel within a group
  std::vector<std::int64_t> tap;  ///< offset by kernel position, row major
  std::int64_t elements = 0;      ///< with padding
  bool padded = false;
  bool bf16 = false;
};

/// Tables of a weights descriptor [(groups,) O, I/groups, kernel...] as a library primitive of `g` uses it.
/// `swapped`: the primitive is a forward convolution that computes the input gradient of `g` (its outputs are our
/// inputs, its taps mirrored); the tables are still indexed by our own channels and taps.
PackedWeights packed_weights(const dnnl::memory::desc& desc, const ConvGeometry& g, bool swapped);

void pack_weights(const PackedWeights& layout, const ConvGeometry& g, const float* weights, void* packed);

/// weights[o, tap, i] = sum over p of partials[p * layout.elements + offset], added in order of p.
void sum_packed_weights(const PackedWeights& layout, const ConvGeometry& g, const float* partials, std::int64_t count, float* weights);

}  // namespace tenon::cpu
