/// Stored numbers into values: what is missing, then scale and offset (CF sections 2.5.1 and 8.1).
///
/// Order: `_Unsigned` first; then missing values are found among the raw numbers (`_FillValue`, every element of `missing_value`, what lies
/// outside `valid_range`, `valid_min` and `valid_max` in packed units, and the default fill value of the type where no `_FillValue` is
/// given; bytes have none); then value = raw * scale_factor + add_offset. Type of the result: that of scale and offset, double for packed int32 and wider;
/// unscaled floats keep theirs; unscaled whole numbers keep theirs unless a value is missing, then f32 (to 16 bits) or f64. Missing is NaN.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "climate/io/netcdf_file.hpp"
#include "tenon/tensor.hpp"

namespace tenon::climate {

/// What the attributes of a variable say about its stored numbers. Throws climate.packing for a scale that is no number or 0.
struct Packing {
  explicit Packing(const Variable& variable, std::span<const double> mask_values = {});

  NcType type;                        ///< after `_Unsigned`
  std::vector<double> missing;        ///< raw values that are missing, as the raw type holds them
  std::vector<std::int64_t> missing_integers;  ///< the same for whole numbers (uint64 as bits)
  bool nan_is_missing = true;         ///< of floats
  double low, high;                   ///< of valid raw numbers, inclusive
  std::vector<double> mask_values;    ///< values, unpacked, that the user wants masked
  double scale = 1, offset = 0;
  bool scaled = false;
  DType scaled_type = DType::f32;     ///< of the result, where scaled
  std::vector<std::string> notes;     ///< impossible fill values and the like
};

struct Unpacked {
  Tensor values;
  std::int64_t missing = 0;
};

/// A box of the variable as values, shape `count`.
Unpacked read_values(const NetcdfFile& file, const Variable& variable, const Packing& packing, std::span<const std::int64_t> start, std::span<const std::int64_t> count);

}  // namespace tenon::climate
