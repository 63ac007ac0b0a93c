/// Tensor: a shared buffer seen through a shape, strides, an offset and an element type.
///
/// Layout is channels last throughout: [N, (D, H,) W, C], [N, T, F], [N, L, C]; what the shape says is
/// what memory holds. Copies of a Tensor share the buffer; views (narrow, permute, expand...) share it too.
/// A Tensor is safe to read from several threads; writing needs the caller's own order.
///
/// Autograd: a tensor that requires a gradient, or came from one by a differentiable op, carries a
/// reference to the op that made it (see autograd.hpp).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tenon/device.hpp"
#include "tenon/dtype.hpp"
#include "tenon/export.hpp"
#include "tenon/shape.hpp"

namespace tenon {

class Storage;
struct AutogradMeta;

class TENON_API Tensor {
 public:
  Tensor() = default;  ///< undefined: `defined()` is false and nothing else may be asked

  // ---- making one -------------------------------------------------------------------------
  static Tensor empty(const Shape& shape, DType dtype = DType::f32, Device device = default_device());
  static Tensor zeros(const Shape& shape, DType dtype = DType::f32, Device device = default_device());
  static Tensor full(const Shape& shape, double value, DType dtype = DType::f32, Device device = default_device());
  static Tensor arange(std::int64_t n, DType dtype = DType::i64);
  /// Copies `values` (row major).
  template <class T> static Tensor from(std::span<const T> values, const Shape& shape) {
    Tensor t = empty(shape, dtype_of<T>);
    t.copy_from_host(values.data(), values.size_bytes());
    return t;
  }
  template <class T> static Tensor from(const std::vector<T>& values, const Shape& shape) {
    return from(std::span<const T>(values), shape);
  }
  /// Wraps memory of `device` that is not ours; `release` runs when the last tensor over it is gone.
  static Tensor wrap(void* data, const Shape& shape, DType dtype, std::function<void()> release, Device device = kCpu);

  // ---- asking it --------------------------------------------------------------------------
  bool defined() const noexcept { return storage_ != nullptr; }
  const Shape& shape() const noexcept { return shape_; }
  const Shape& strides() const noexcept { return strides_; }  ///< in elements
  std::int64_t offset() const noexcept { return offset_; }    ///< in elements
  int rank() const noexcept { return shape_.rank(); }
  std::int64_t size(int axis) const { return shape_[axis]; }
  std::int64_t numel() const { return shape_.numel(); }
  std::size_t nbytes() const { return std::size_t(numel()) * size_of(dtype_); }
  DType dtype() const noexcept { return dtype_; }
  Device device() const noexcept;
  bool is_contiguous() const noexcept;
  const std::shared_ptr<Storage>& storage() const noexcept { return storage_; }

  /// First element. Throws when T is not the element type, or inside a recorded step (no data exists yet).
  template <class T> T* data() const { return static_cast<T*>(checked_data(dtype_of<T>)); }
  void* raw() const;  ///< first element, untyped
  /// Elements of a contiguous CPU tensor; the tensor must outlive the span, so a temporary has none.
  template <class T> std::span<T> span() const& {
    require_dense_cpu();
    return {data<T>(), std::size_t(numel())};
  }
  template <class T> std::span<T> span() const&& = delete;
  /// The value of a one-element real tensor (copied from its device).
  double item() const;
  /// All values, row major, as double (any real type, any device, any strides): for tests and reports.
  std::vector<double> to_vector() const;
  std::string str() const;  ///< "f32[2, 3] cpu", for messages

  // ---- views: no copy, differentiable ----------------------------------------------------------
  Tensor reshape(const Shape& shape) const;  ///< one size may be -1; copies only when strides force it
  Tensor permute(std::initializer_list<int> order) const;
  Tensor transpose(int a, int b) const;
  Tensor narrow(int axis, std::int64_t start, std::int64_t length) const;
  /// Places start, start + step.. before `stop`, as numpy's x[start:stop:step]: negative ones count from the end, those beyond the ends are
  /// cut to them, none left gives a size of 0. step >= 1.
  Tensor slice(int axis, std::int64_t start, std::int64_t stop, std::int64_t step = 1) const;
  Tensor select(int axis, std::int64_t index) const;  ///< narrow to one, axis dropped
  Tensor expand(const Shape& shape) const;            ///< broadcast with stride 0
  Tensor unsqueeze(int axis) const;
  Tensor squeeze(int axis) const;

  // ---- copies -----------------------------------------------------------------------------
  Tensor contiguous() const;       ///< itself when dense; differentiable
  Tensor to(DType dtype) const;    ///< itself when equal; differentiable between floating and complex types; no complex one becomes real
  Tensor to(Device device) const;  ///< itself when equal
  Tensor clone() const;            ///< a dense copy; differentiable
  /// Copies bytes of host memory in; the tensor must be contiguous and `bytes` its exact size.
  void copy_from_host(const void* data, std::size_t bytes) const;
  void copy_to_host(void* data, std::size_t bytes) const;
  /// Writes `source` (same shape; converted, but no complex one to real) into this buffer, as if they did not overlap. Not differentiable.
  void assign(const Tensor& source) const;
  void fill(double value) const;

  // ---- autograd ---------------------------------------------------------------------------
  bool requires_grad() const noexcept;
  Tensor& set_requires_grad(bool on = true);
  Tensor grad() const;  ///< undefined until backward() reached this leaf
  void set_grad(const Tensor& g) const;  ///< of this tensor's shape, type and device; undefined: none
  /// Gradients of this scalar with respect to every leaf, accumulated into their grad().
  void backward() const;
  Tensor detach() const;  ///< the same data, no history

  // ---- for ops ---------------------------------------------------------------------------
  const std::shared_ptr<AutogradMeta>& autograd() const noexcept { return autograd_; }
  void set_autograd(std::shared_ptr<AutogradMeta> meta) { autograd_ = std::move(meta); }
  /// A view of the same buffer, unchecked and without history.
  Tensor alias(const Shape& shape, const Shape& strides, std::int64_t offset) const;
  /// The same bytes as elements of another type; strides and offset count those.
  Tensor alias(const Shape& shape, const Shape& strides, std::int64_t offset, DType dtype) const;

 private:
  void* checked_data(DType asked) const;
  void require_dense_cpu() const;

  std::shared_ptr<Storage> storage_;
  Shape shape_, strides_;
  std::int64_t offset_ = 0;
  DType dtype_ = DType::f32;
  std::shared_ptr<AutogradMeta> autograd_;
};

}  // namespace tenon
