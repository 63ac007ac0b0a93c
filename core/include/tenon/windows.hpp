/// Sliding windows: an array cut into windows that may overlap, what a model gives for each added up over the array again, and classes read from the
/// scores at another size. On a GPU nothing of it leaves the device.
///
///     WindowSum sum({depth, height, width}, classes, x.device());
///     for (const WindowPlace& at : places) {
///       cut_window(x, at, input);                       // x [depth, height, width, C], input [d, h, w, C]
///       sum.add(model.forward(input), at, weights);     // weights [d, h, w]
///     }
///     Tensor labels = resize_argmax(sum.mean(), original_size);
///
/// Arrays have 1 to 3 spatial axes and the channels last. Nothing here is differentiable. Sums are f32, taken in the order of the calls with one rounding an
/// addition: the same bits on every device and for any number of threads. Stateless but for WindowSum, which belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "tenon/resizing.hpp"
#include "tenon/tensor.hpp"

namespace tenon {

/// Where a window lies, one number a spatial axis: it may begin before the array and end beyond it.
struct WindowPlace {
  std::vector<std::int64_t> corner;
  std::vector<int> flipped = {};  ///< spatial axes, from 0, along which the window runs backwards
};

/// Writes into `window` [window..., C], dense and of x's type, what lies there in x [spatial..., C]; zeros beyond x. Throws usage errors.
TENON_API void cut_window(const Tensor& x, const WindowPlace& at, const Tensor& window);

/// Weighted means of windows over an array.
class TENON_API WindowSum {
 public:
  /// Of [size..., channels], on `device`: channels + 1 numbers of f32 a voxel.
  WindowSum(const Shape& size, std::int64_t channels, Device device);
  /// Adds `scores` f32 [window..., channels], turned back as `at` says, times `weights` f32 [window...] (undefined: 1), which are not flipped. Throws
  /// usage errors.
  void add(const Tensor& scores, const WindowPlace& at, const Tensor& weights = {});
  /// f32 [size..., channels]: sums over weights; NaN where no window lay. The division is done in place, so nothing can be added after it.
  Tensor mean();
  Device device() const noexcept { return sums_.device(); }

 private:
  Tensor sums_, weights_;
  bool taken_ = false;
};

/// u8 [size...]: the class of the largest of the scores f32 [spatial..., C], 1 to 256 classes, after they were resized, the lower of equal ones. `modes`: one a
/// spatial axis, nearest or linear; empty: linear. Scores are resized along the first axis, then the next, in f32, and never exist as a whole; a NaN is not
/// larger than any score. The same on every device. Throws usage errors.
TENON_API Tensor resize_argmax(const Tensor& scores, const std::vector<std::int64_t>& size, const std::vector<ResizeMode>& modes = {});

}  // namespace tenon
