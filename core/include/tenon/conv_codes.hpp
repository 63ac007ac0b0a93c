/// Convolution of letters that are kept as codes: what conv gives on their one-hot vectors, without making those.
#pragma once

#include <cstdint>

#include "tenon/tensor.hpp"

namespace tenon {

/// codes [N, L] u8, weight [O, K, V] (f32 or f64, of an alphabet of V <= 64 letters), bias [O] or undefined -> [N, L + 2 padding - K + 1, O]:
/// y[n, l, o] = bias[o] + sum_k weight[o, k, codes[n, l + k - padding]], places beyond the ends left out. A code of V or more (an unknown
/// letter) gives nothing, as a one-hot vector of zeros would.
///
/// K rows of O numbers are added a position: V times fewer operations than conv's, and a byte a position is read. The gradient adds in an
/// order that the sizes alone decide.
TENON_API Tensor conv_codes(const Tensor& codes, const Tensor& weight, const Tensor& bias = {}, std::int64_t padding = 0);

}  // namespace tenon
