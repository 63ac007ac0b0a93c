/// The mean over even cells, under the name of the op that asks for it (private).
#pragma once

#include "ops/axis_map.hpp"

namespace tenon {

Tensor area_average(const char* op, const Tensor& x, const std::vector<std::int64_t>& size);

}  // namespace tenon
