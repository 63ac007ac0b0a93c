/// What an elementwise launch computes, told to who records it (private).
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>

#include "kernels/elementwise.hpp"
#include "tenon/kernel.hpp"

namespace tenon {

/// What one launch computes for each element of its result.
struct ElementOp {
  enum class Kind : std::uint8_t {
    unary,    ///< kernels::Unary(code) with args
    binary,   ///< kernels::Binary(code)
    choose,   ///< condition ? a : b
    convert,  ///< to the result's type; code is not used
    fill,     ///< from nothing
  };
  Kind kind = Kind::convert;
  int code = 0;
  kernels::UnaryArgs args{};
  std::array<Shape, 3> strides{};  ///< of what is read, over the shape of the result: 0 along what is broadcast
};

/// Like launch(), and tells a recorder what the launch does. `out` is what it writes, and all of it.
void launch_elementwise(const char* name, std::initializer_list<Tensor> reads, const Tensor& out, Kernel kernel, ElementOp op);

}  // namespace tenon
