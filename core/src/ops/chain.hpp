/// Elementwise ops in a row, computed in one pass over the elements (private).
///
/// While a step is recorded, each elementwise op says what it computes (`ElementOp`); the plan joins neighbours (tensor/plan_passes.hpp) and
/// asks for one kernel of the whole chain. Every value is rounded to its own type, as it would be on its way through memory: a chain gives
/// the bits of its ops done one by one. What is read once and what nobody else reads stays out of memory.
#pragma once

#include <array>
#include <vector>

#include "ops/element_op.hpp"

namespace tenon {

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

/// Strides of N operands, at least as many as the chain has: inputs from the front, outputs from the back; 0 between.
template <int N>
std::array<Shape, N> chain_strides(const Chain& chain) {
  std::array<Shape, N> all;
  all.fill(Shape(std::vector<std::int64_t>(std::size_t(chain.shape.rank()))));
  for (std::size_t k = 0; k < chain.inputs.size(); ++k) all[k] = chain.inputs[k].strides;
  for (std::size_t k = 0; k < chain.outputs.size(); ++k) all[std::size_t(N) - 1 - k] = chain.shape.contiguous_strides();
  return all;
}

/// Operands: the inputs, then the outputs.
TENON_API extern KernelSlot<const Chain&> chain_kernel;

}  // namespace tenon
