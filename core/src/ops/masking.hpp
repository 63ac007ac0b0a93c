/// What other ops use of the search for true elements (private).
#pragma once

#include "tenon/tensor.hpp"

namespace tenon {

/// i64: where the bool mask is true, row major: flat positions [count], or coordinates [count, rank]. Reads values: not while recording.
Tensor true_positions(const char* op, const Tensor& mask, bool coordinates);

}  // namespace tenon
