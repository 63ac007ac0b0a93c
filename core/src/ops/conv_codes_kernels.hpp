/// Kernel slots of conv_codes (private). The weight comes as a table [kernel, letters, channels], so that what a letter adds is a row.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tenon/kernel.hpp"

namespace tenon {

struct CodeRows {
  DType dtype;
  std::int64_t samples, length, kernel, letters, channels, padding;
  bool bias;

  std::int64_t positions() const { return length + 2 * padding - kernel + 1; }
  std::int64_t table() const { return kernel * letters * channels; }
  /// Runs of samples whose gradients are summed apart and then added in order.
  std::int64_t pieces() const { return std::clamp<std::int64_t>(samples, 1, 16); }
  std::int64_t piece() const { return std::max<std::int64_t>(1, (samples + pieces() - 1) / pieces()); }
};

/// table, codes, bias (any tensor where there is none) -> y
extern TENON_API KernelSlot<const CodeRows&> conv_codes_kernel;
/// d_y, codes -> d_table, workspace [pieces, kernel, letters, channels]
extern TENON_API KernelSlot<const CodeRows&> conv_codes_gradient_kernel;

using CodePiecesFn = std::function<std::int64_t(const CodeRows&)>;
/// Pieces of a device's workspace, CodeRows::pieces unless set; set along with its kernel.
TENON_API void set_code_pieces(DeviceType type, CodePiecesFn pieces);

}  // namespace tenon
