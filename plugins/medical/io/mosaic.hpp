/// Siemens mosaics: many slices tiled into one picture, described by private elements.
#pragma once

#include "medical/io/dicom_slice.hpp"

namespace tenon::medical {

struct Mosaic {
  std::int64_t slices = 0, tiles = 0;       ///< tiles a side
  std::int64_t rows = 0, columns = 0;       ///< of one tile
  Geometry geometry;
};

/// Throws "dicom.mosaic" when the number of slices, their normal or their distance is not given.
Mosaic mosaic_of(const DicomSlice& picture);
/// Tiles, taken row by row, to [z, y, x]; `bytes` holds elements of `width` bytes.
void unpack_mosaic(const Mosaic& mosaic, std::int64_t picture_columns, std::size_t width, const std::byte* bytes, std::byte* out);

}  // namespace tenon::medical
