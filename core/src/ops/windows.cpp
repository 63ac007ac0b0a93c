#include "tenon/windows.hpp"

#include <algorithm>
#include <utility>

#include "kernels/resize.hpp"
#include "ops/check.hpp"
#include "ops/windows_kernels.hpp"

namespace tenon {
namespace {

constexpr int kSpatial = 3;

/// Of `x` [size..., C] and `window` [window..., C].
WindowGeometry geometry(const char* op, const Shape& array, const Shape& window, const WindowPlace& at) {
  const int axes = array.rank() - 1;
  if (axes < 1 || axes > kSpatial) throw_usage(op, "takes 1 to 3 spatial axes and the channels, got " + array.str());
  if (window.rank() != axes + 1 || window[axes] != array[axes]) throw_usage(op, "a window " + window.str() + " of " + array.str());
  if (at.corner.size() != std::size_t(axes))
    throw_usage(op, "a corner " + list_str(at.corner) + " in " + std::to_string(axes) + " spatial axes", "give one number an axis");
  WindowGeometry g;
  g.channels = array[axes];
  for (int a = 0; a < axes; ++a) {
    const int to = a + kSpatial - axes;
    g.size[to] = array[a];
    g.window[to] = window[a];
    g.corner[to] = at.corner[std::size_t(a)];
    check_31_bits(op, "an axis of", std::max(array[a], window[a]));
    constexpr std::int64_t kFar = std::int64_t(1) << 40;
    if (g.corner[to] > kFar || g.corner[to] < -kFar) throw_usage(op, "a corner " + list_str(at.corner) + " is out of reach");
  }
  for (int axis : at.flipped) {
    if (axis < 0 || axis >= axes) throw_usage(op, "flipped axis " + std::to_string(axis) + " of " + std::to_string(axes) + " spatial ones");
    g.flipped[axis + kSpatial - axes] = true;
  }
  check_31_bits(op, "a window of elements numbering", window.numel());
  return g;
}

void require_dense(const char* op, const Tensor& t, const char* what) {
  check_defined(op, t, what);
  if (!t.is_contiguous()) throw_usage(op, std::string(what) + " " + t.str() + " is not contiguous", "give what .contiguous() gives");
}

void require(const char* op, const Tensor& t, const char* what, DType dtype) {
  require_dense(op, t, what);
  if (t.dtype() != dtype) throw_usage(op, std::string(what) + " is " + t.str() + ", not " + std::string(name_of(dtype)), "convert it with .to()");
}

Shape with_channels(const Shape& spatial, std::int64_t channels) {
  Shape s = spatial;
  s.push_back(channels);
  return s;
}

std::vector<BlendTaps> taps_of(std::int64_t in, std::int64_t out, bool linear) {
  std::vector<BlendTaps> taps;
  taps.reserve(std::size_t(out));
  for (std::int64_t o = 0; o < out; ++o) {
    // An axis that keeps its size has one tap of weight 1 in either mode.
    const ResizeTaps t = resize_taps(o, in, out, linear && in != out);
    BlendTaps b{std::int32_t(t.low), 1, {1, 0}};
    if (t.high != t.low) b = {std::int32_t(t.low), 2, {float(1 - t.high_weight), float(t.high_weight)}};
    taps.push_back(b);
  }
  return taps;
}

}  // namespace

void cut_window(const Tensor& x, const WindowPlace& at, const Tensor& window) {
  constexpr const char* op = "cut_window";
  require_dense(op, x, "x");
  require_dense(op, window, "the window");
  check_same_device(op, x, window);
  if (x.dtype() != window.dtype()) throw_usage(op, "a window " + window.str() + " of " + x.str(), "both have one element type");
  const WindowGeometry g = geometry(op, x.shape(), window.shape(), at);
  check_31_bits(op, "a window of 8-byte parts numbering", window.numel() * (size_of(x.dtype()) == 16 ? 2 : 1));  // as which 16 bytes are moved
  if (window.numel() > 0) launch("windows.cut", {x}, {window}, cut_window_kernel(x.device(), WindowCopy{g, size_of(x.dtype())}));
}

WindowSum::WindowSum(const Shape& size, std::int64_t channels, Device device) {
  if (size.rank() < 1 || size.rank() > kSpatial || channels < 1)
    throw_usage("WindowSum", "size " + size.str() + ", " + std::to_string(channels) + " channels", "1 to 3 spatial axes, a channel or more");
  check_result("WindowSum", with_channels(size, channels), DType::f32);
  sums_ = Tensor::zeros(with_channels(size, channels), DType::f32, device);
  weights_ = Tensor::zeros(size, DType::f32, device);
}

void WindowSum::add(const Tensor& scores, const WindowPlace& at, const Tensor& weights) {
  constexpr const char* op = "WindowSum::add";
  if (taken_) throw_usage(op, "the mean was taken already", "make another WindowSum");
  require(op, scores, "scores", DType::f32);
  check_same_device(op, scores, sums_);
  const WindowGeometry g = geometry(op, sums_.shape(), scores.shape(), at);
  if (scores.numel() == 0) return;
  if (!weights.defined()) return launch("windows.add", {scores}, {sums_, weights_}, add_window_kernel(scores.device(), WindowAdd{g, false}));
  require(op, weights, "weights", DType::f32);
  check_same_device(op, weights, sums_);
  if (!(with_channels(weights.shape(), scores.size(-1)) == scores.shape()))
    throw_usage(op, "weights " + weights.str() + " for scores " + scores.str(), "give one weight a voxel");
  launch("windows.add", {scores, weights}, {sums_, weights_}, add_window_kernel(scores.device(), WindowAdd{g, true}));
}

Tensor WindowSum::mean() {
  if (!taken_ && sums_.numel() > 0)
    launch("windows.mean", {weights_}, {sums_}, window_mean_kernel(sums_.device(), WindowMean{weights_.numel(), sums_.size(-1)}));
  taken_ = true;
  return sums_;
}

Tensor resize_argmax(const Tensor& scores, const std::vector<std::int64_t>& size, const std::vector<ResizeMode>& modes) {
  constexpr const char* op = "resize_argmax";
  require(op, scores, "scores", DType::f32);
  const int axes = scores.rank() - 1;
  if (axes < 1 || axes > kSpatial) throw_usage(op, "takes 1 to 3 spatial axes and the classes, got " + scores.str());
  if (scores.size(-1) < 1 || scores.size(-1) > 256) throw_usage(op, "takes 1 to 256 classes, got " + scores.str());
  if (size.size() != std::size_t(axes) || (!modes.empty() && modes.size() != size.size()))
    throw_usage(op, "size " + list_str(size) + " and " + std::to_string(modes.size()) + " modes for " + scores.str(), "give one a spatial axis");
  auto tables = std::make_shared<std::array<std::vector<BlendTaps>, 3>>();
  tables->fill(std::vector<BlendTaps>(1));
  ResizedClasses p{{1, 1, 1}, scores.size(-1), {}};
  Shape shape;
  for (int a = 0; a < axes; ++a) {
    const std::int64_t in = scores.size(a), out = size[std::size_t(a)];
    const ResizeMode mode = modes.empty() ? ResizeMode::linear : modes[std::size_t(a)];
    if (mode != ResizeMode::linear && mode != ResizeMode::nearest) throw_usage(op, "an axis' mode is neither linear nor nearest");
    if (in < 1 || out < 1) throw_usage(op, scores.str() + " to " + list_str(size) + ": an axis is empty");
    check_31_bits(op, "an axis of", std::max(in, out));
    shape.push_back(out);
    check_result(op, shape, DType::u8);
    const int to = a + kSpatial - axes;
    p.in[to] = in;
    (*tables)[std::size_t(to)] = within_memory(op, [&] { return taps_of(in, out, mode == ResizeMode::linear); });
  }
  p.axes = tables;
  Tensor classes = Tensor::empty(shape, DType::u8, scores.device());
  launch("windows.resize_argmax", {scores}, {classes}, resize_argmax_kernel(scores.device(), p));
  return classes;
}

}  // namespace tenon
