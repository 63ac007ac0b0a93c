/// Elementwise ops in a row, computed in one pass over the elements (private).
///
/// While a step is recorded, each elementwise op says what it computes (`ElementOp`); the plan joins neighbours (tensor/plan_passes.hpp) and
/// asks for one kernel of the whole chain. Every value is rounded to its own type, as it would be on its way through memory: a chain gives
/// the bits of its ops done one by one. What is read once and what nobody else reads stays out of memory.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <vector>

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
    fill,     ///< args.a, from nothing
  };
  Kind kind = Kind::convert;
  int code = 0;
  kernels::UnaryArgs args{};
  std::array<Shape, 3> strides{};  ///< of what is read, over the shape of the result: 0 along what is broadcast
};

/// Like launch(), and tells a recorder what the launch does. `out` is what it writes, and all of it.
void launch_elementwise(const char* name, std::initializer_list<Tensor> reads, const Tensor& out, Kernel kernel, ElementOp op);

/// A program over the elements of one shape. Its values lie in registers: the inputs in the first ones, a step's result where it says.
struct Chain {
  static constexpr int kInputs = 6, kOutputs = 4, kRegisters = 8, kSteps = 24;
  struct Input {
    Shape strides;  ///< in elements, over `shape`
    DType dtype;    ///< f32, f16, bf16 (computed in f32), f64, or bool: 0 or 1
  };
  struct Step {
    ElementOp::Kind kind;
    int code;
    kernels::UnaryArgs args;
    DType dtype;               ///< of the result, to which it is rounded; bool of a comparison
    std::array<int, 3> from;   ///< registers
    int to;                    ///< register, none of `from`
    int output = -1;           ///< where it is also written
  };
  Shape shape;
  DType computed = DType::f32;  ///< f32 or f64
  std::vector<Input> inputs;
  std::vector<Step> steps;
  std::vector<DType> outputs;  ///< dense; a step's register that is an output is not written again
  std::vector<int> output_registers;
  int registers = 0;
};

/// Whether chains hold this op: those whose code on a GPU would take memory of its own (sines, gamma functions) are left alone.
constexpr bool joins(kernels::Unary k) {
  using kernels::Unary;
  switch (k) {
    case Unary::sin: case Unary::cos: case Unary::tan: case Unary::lgamma: case Unary::digamma: case Unary::trigamma: case Unary::tetragamma: case Unary::conj: return false;
    default: return true;
  }
}
constexpr bool joins(kernels::Binary k) { return k != kernels::Binary::atan2 && k != kernels::Binary::hypot; }

/// Operands: the inputs, then the outputs.
TENON_API extern KernelSlot<const Chain&> chain_kernel;

}  // namespace tenon
