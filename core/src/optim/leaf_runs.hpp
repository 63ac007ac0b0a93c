/// Loops over all elements of a list of f32 tensors, cut by sizes alone (private).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tenon/nn/module.hpp"

namespace tenon {

/// Elements [begin, end) of tensor `leaf`.
struct LeafRun {
  std::size_t leaf;
  std::int64_t begin, end;
};

inline std::vector<LeafRun> leaf_runs(const std::vector<Tensor>& leaves) {
  constexpr std::int64_t kRun = 16384;
  std::vector<LeafRun> runs;
  for (std::size_t i = 0; i < leaves.size(); ++i)
    for (std::int64_t b = 0; b < leaves[i].numel(); b += kRun) runs.push_back({i, b, std::min(leaves[i].numel(), b + kRun)});
  return runs;
}

}  // namespace tenon
