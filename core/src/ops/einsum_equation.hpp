/// What an einsum equation says about given operands (private).
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tenon/tensor.hpp"

namespace tenon::einsum_detail {

/// Labels are small numbers: 0 to 51 the letters, from 52 on the axes of "...", counted from its end.
using Labels = std::vector<int>;
using LabelSet = std::uint64_t;
inline constexpr int kLetters = 52, kLabels = kLetters + kMaxRank;

inline LabelSet set_of(const Labels& labels) {
  LabelSet set = 0;
  for (int label : labels) set |= LabelSet(1) << label;
  return set;
}

struct Equation {
  std::vector<Labels> operands;  ///< one label an axis
  Labels output;
  std::vector<std::int64_t> sizes;  ///< by label
};

/// Throws a usage error of einsum where the equation is none, does not fit the operands, or its sizes do not agree.
Equation parse(std::string_view equation, const std::vector<Tensor>& operands);

/// An intermediate result must be a tensor.
void check_rank(std::size_t axes);

}  // namespace tenon::einsum_detail
