/// The same convolution in another shape, for libraries whose kernels want many channels, in multiples of eight or more (private).
///
/// Padded: channels of zeros are added to both operands; what the result has too many of is left out. Blocked: `block` neighbours of the last
/// axis count as channels of one position, which is how they lie in memory, so that x and y stay where they are. Result j of a block takes
/// input i of the block u - P further with weight
///     w'[(j, o), u, (i, c)] = w[o, block (u - P) + i - j + pad, c], and 0 where that tap does not exist;
/// its kernel has 2 P + 1 taps. Four channels of bases and a kernel of 19 become 32 channels and a kernel of 5.
#pragma once

#include <compare>
#include <vector>

#include "backend/conv_geometry.hpp"

namespace tenon::cuda {

struct ConvForm {
  std::int64_t block = 1;          ///< positions of the last axis in one
  std::int64_t in_pad = 0, out_pad = 0;  ///< channels of zeros

  auto operator<=>(const ConvForm&) const = default;
  bool plain() const { return *this == ConvForm{}; }
};

/// `g` as the form presents it.
ConvGeometry presented(const ConvGeometry& g, const ConvForm& form);
/// Forms that may be faster than the plain one; few, as each is tried out. None where the channels suit a library as they are.
std::vector<ConvForm> conv_forms(const ConvGeometry& g);

/// Weights of `g` (f32) to those of its form, as f32 or a 16-bit type.
void form_weights(const ConvGeometry& g, const ConvForm& form, DType to_type, const void* from, void* to);
/// The gradient of the form's weights (f32 or 16 bits) to that of `g`'s, f32.
void unform_weights(const ConvGeometry& g, const ConvForm& form, DType from_type, const void* from, void* to);
/// Rows of `from_channels` to rows of `to_channels`: the first ones, and zeros. `bias`: f32, one a channel of the result, or null.
void fit_channels(DType type, const void* from, void* to, std::int64_t rows, std::int64_t from_channels, std::int64_t to_channels,
                  const void* bias);
/// to[t * channels + c] = bias[c], f32.
void repeat_bias(const void* bias, void* to, std::int64_t channels, std::int64_t times);

}  // namespace tenon::cuda
