/// Kernel slots of the normalisations (private).
///
/// Channel norms (instance, group, batch) see x as [samples, voxels, channels] with statistics shared by each sample's
/// group of channels; batch norm is one sample. Row norms (layer) see [rows, channels], statistics a row. Statistics,
/// scale and shift are in the accumulation type (f32; f64 for f64), partial sums in f64.
#pragma once

#include <compare>

#include "tenon/kernel.hpp"

namespace tenon {

struct ChannelNorm {
  DType dtype;
  std::int64_t samples, voxels, channels, groups;
  double eps = 1e-5, slope = 1;
  bool frozen = false;  ///< statistics are constants: no gradient flows through them

  /// Voxels of one partial sum: a function of the shape alone, so the bits do not depend on threads.
  TENON_API std::int64_t chunk() const;
  std::int64_t chunks() const { return (voxels + chunk() - 1) / chunk(); }
};

/// x -> partial f64 [samples, chunks, 2, channels], mean, var (biased), rstd [samples, groups]
extern TENON_API KernelSlot<const ChannelNorm&> channel_norm_stats_kernel;
/// x, mean, rstd, scale, shift -> y
extern TENON_API KernelSlot<const ChannelNorm&> channel_norm_apply_kernel;
/// x, d_y, mean, rstd, scale, shift -> partial f64 [samples, chunks, 2, channels], d_scale, d_shift, pull [samples, 2, channels]
extern TENON_API KernelSlot<const ChannelNorm&> channel_norm_sums_kernel;
/// x, d_y, mean, rstd, scale, shift, pull -> d_x
extern TENON_API KernelSlot<const ChannelNorm&> channel_norm_gradient_kernel;
/// mean, var (biased, of `count` values) -> running_mean, running_var, in place: r += momentum (batch - r), var unbiased
extern TENON_API KernelSlot<DType, DType, std::int64_t, std::int64_t, double> running_stats_kernel;

struct RowNorm {
  DType dtype;
  std::int64_t rows, channels;
  double eps = 1e-5;
  std::int64_t block() const { return 64; }  ///< rows of one partial sum
  std::int64_t blocks() const { return (rows + block() - 1) / block(); }

  auto operator<=>(const RowNorm&) const = default;
};
/// x, scale, shift -> y, mean, rstd [rows]
extern TENON_API KernelSlot<const RowNorm&> row_norm_kernel;
/// x, d_y, mean, rstd, scale -> d_x, partial f64 [blocks, 2, channels], d_scale, d_shift
extern TENON_API KernelSlot<const RowNorm&> row_norm_gradient_kernel;

}  // namespace tenon
