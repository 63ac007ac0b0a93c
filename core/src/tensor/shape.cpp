#include "tenon/shape.hpp"

#include <algorithm>

#include "tenon/error.hpp"

namespace tenon {

Shape::Shape(std::initializer_list<std::int64_t> sizes) : Shape(std::span<const std::int64_t>(sizes.begin(), sizes.size())) {}

Shape::Shape(std::span<const std::int64_t> sizes) {
  if (sizes.size() > kMaxRank) throw_usage("Shape", "rank " + std::to_string(sizes.size()) + " is over the limit of " + std::to_string(kMaxRank));
  std::copy(sizes.begin(), sizes.end(), sizes_.begin());
  rank_ = int(sizes.size());
}

void Shape::refuse_axis(int axis) const {
  throw_usage("Shape", "axis " + std::to_string(axis) + " is not within the " + std::to_string(rank_) + " axes of " + str(), "axes count from 0, or from -1 at the end");
}

std::int64_t Shape::numel() const {
  std::int64_t n = 1;
  for (std::int64_t s : *this)
    if (__builtin_mul_overflow(n, s, &n)) {
      if (std::find(begin(), end(), 0) != end()) return 0;
      throw_usage("Shape", "the number of elements of " + str() + " does not fit 63 bits");
    }
  return n;
}

void Shape::push_back(std::int64_t size) { insert(rank_, size); }

void Shape::insert(int axis, std::int64_t size) {
  if (rank_ == kMaxRank) throw_usage("Shape", "rank " + std::to_string(kMaxRank + 1) + " is over the limit of " + std::to_string(kMaxRank));
  std::copy_backward(sizes_.begin() + axis, sizes_.begin() + rank_, sizes_.begin() + rank_ + 1);
  sizes_[std::size_t(axis)] = size;
  ++rank_;
}

void Shape::erase(int axis) {
  std::copy(sizes_.begin() + axis + 1, sizes_.begin() + rank_, sizes_.begin() + axis);
  sizes_[std::size_t(--rank_)] = 0;
}

bool Shape::operator==(const Shape& other) const noexcept { return std::equal(begin(), end(), other.begin(), other.end()); }

std::string Shape::str() const {
  std::string s = "[";
  for (int i = 0; i < rank_; ++i) s += (i ? ", " : "") + std::to_string(sizes_[std::size_t(i)]);
  return s + "]";
}

Shape Shape::contiguous_strides() const {
  Shape strides = *this;
  std::uint64_t step = 1;  // unsigned: beside a size of 0 the others may multiply to anything
  for (int i = rank_ - 1; i >= 0; --i) {
    strides[i] = std::int64_t(step);
    step *= std::uint64_t(std::max<std::int64_t>(sizes_[std::size_t(i)], 1));
  }
  return strides;
}

Shape Shape::broadcast(const Shape& a, const Shape& b, const char* op) {
  Shape out = a.rank() >= b.rank() ? a : b;
  const Shape& small = a.rank() >= b.rank() ? b : a;
  for (int i = 1; i <= small.rank(); ++i) {
    std::int64_t &x = out[-i], y = small[-i];
    if (x == y || y == 1) continue;
    if (x != 1) throw_usage(op, "shapes " + a.str() + " and " + b.str() + " do not broadcast", "trailing axes must be equal or 1");
    x = y;
  }
  return out;
}

}  // namespace tenon
