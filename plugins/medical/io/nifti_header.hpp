/// The NIfTI-1 and NIfTI-2 headers: parsed into one struct, checked whole before anything is allocated, and written.
///
/// References: nifti1.h (Cox et al., 2003), nifti2.h (2011). Geometry follows sform if its code is positive, else qform,
/// else pixdim alone; xyzt_units are honoured; shear is kept.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "medical/image/volume.hpp"
#include "medical/io/element.hpp"

namespace tenon::medical {

inline constexpr std::size_t kNifti1Bytes = 348, kNifti2Bytes = 540;

struct NiftiHeader {
  int version = 1;
  bool big_endian = false;
  std::int64_t rank = 3;  ///< dim[0]
  std::array<std::int64_t, 4> size{1, 1, 1, 1};  ///< x, y, z, t
  Element element = Element::f32;
  std::uint64_t data_offset = 352;
  double slope = 1, intercept = 0;  ///< 1, 0 where the file is unscaled
  int sform_code = 0, qform_code = 0;
  Geometry geometry;                 ///< the form that counts
  std::vector<std::string> warnings;
  std::uint64_t data_bytes() const;  ///< checked to fit
};

bool is_nifti(std::span<const std::byte> head);

/// Bytes of the header by its first four bytes: 348, 540, or 0 for something else.
std::size_t nifti_header_size(std::span<const std::byte> head);

/// Throws data errors "nifti.magic", ".pair", ".dim", ".datatype", ".bitpix", ".vox_offset", ".scale", ".affine",
/// ".pixdim", ".units", ".truncated", each with the value found.
NiftiHeader parse_nifti_header(std::span<const std::byte> head);

/// Header bytes (little-endian) for `volume` stored as `element`: those kept in its attributes when they still describe
/// its grid, else a new header with sform and, for an orthogonal grid, qform. Scaling and display range are reset.
std::vector<std::byte> make_nifti_header(const Volume& volume, Element element, std::uint64_t data_offset);

}  // namespace tenon::medical
