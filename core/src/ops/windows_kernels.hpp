/// Kernel slots of sliding windows (private).
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "kernels/windows.hpp"
#include "tenon/kernel.hpp"

namespace tenon {

struct WindowCopy {
  WindowGeometry place;
  std::size_t element;  ///< bytes
};
/// x -> window
extern TENON_API KernelSlot<const WindowCopy&> cut_window_kernel;
struct WindowAdd {
  WindowGeometry place;
  bool weighted;
};
/// scores [window..., C] and, where weighted, weights [window...] -> sums [size..., C], weight sums [size...], both added to
extern TENON_API KernelSlot<const WindowAdd&> add_window_kernel;

struct WindowMean {
  std::int64_t voxels, channels;
};
/// weight sums -> sums, divided in place
extern TENON_API KernelSlot<const WindowMean&> window_mean_kernel;

struct ResizedClasses {
  std::int64_t in[3], channels;
  std::shared_ptr<const std::array<std::vector<BlendTaps>, 3>> axes;  ///< one a place of the result
  std::int64_t out(int axis) const { return std::int64_t((*axes)[std::size_t(axis)].size()); }
};
/// scores -> u8 classes
extern TENON_API KernelSlot<const ResizedClasses&> resize_argmax_kernel;

}  // namespace tenon
