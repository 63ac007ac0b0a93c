/// PNG encoding of 8-bit pictures; the same pixels give the same bytes with the same libpng and zlib.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tenon/export.hpp"

namespace tenon {

/// `pixels`: row major, top row first, `channels` bytes a pixel: 1 gray, 3 RGB, 4 RGBA. Throws a usage error when
/// the sizes do not agree.
TENON_API std::vector<std::uint8_t> encode_png(std::span<const std::uint8_t> pixels, int width, int height, int channels);

}  // namespace tenon
