/// Sizes of a tensor's axes: a small vector of at most `kMaxRank` values, kept inline.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "tenon/export.hpp"

namespace tenon {

inline constexpr int kMaxRank = 8;

class TENON_API Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> sizes);
  explicit Shape(std::span<const std::int64_t> sizes);
  explicit Shape(const std::vector<std::int64_t>& sizes) : Shape(std::span<const std::int64_t>(sizes)) {}

  int rank() const noexcept { return rank_; }
  /// Product of all sizes; 1 for a scalar. Throws when it does not fit 63 bits.
  std::int64_t numel() const;
  /// Size of an axis; negative axes count from the end. Throws a usage error for an axis that is not there.
  std::int64_t operator[](int axis) const { return sizes_[place(axis)]; }
  std::int64_t& operator[](int axis) { return sizes_[place(axis)]; }
  const std::int64_t* begin() const noexcept { return sizes_.data(); }
  const std::int64_t* end() const noexcept { return sizes_.data() + rank_; }
  void push_back(std::int64_t size);
  void insert(int axis, std::int64_t size);
  void erase(int axis);
  bool operator==(const Shape& other) const noexcept;
  std::string str() const;  ///< "[2, 40, 56, 40, 32]"

  /// Row-major strides, in elements.
  Shape contiguous_strides() const;
  /// The shape that `a` and `b` broadcast to (trailing axes aligned); throws naming `op` if they do not.
  static Shape broadcast(const Shape& a, const Shape& b, const char* op);

 private:
  std::size_t place(int axis) const {
    const int a = axis < 0 ? axis + rank_ : axis;
    if (unsigned(a) >= unsigned(rank_)) refuse_axis(axis);
    return std::size_t(a);
  }
  [[noreturn]] void refuse_axis(int axis) const;

  std::array<std::int64_t, kMaxRank> sizes_{};
  int rank_ = 0;
};

}  // namespace tenon
