/// Which kernel makes a convolution, chosen by measurement at its first use (private).
#pragma once

#include <string>

#include "backend/cuda/conv_form.hpp"
#include "backend/cuda/library/plan_choice.hpp"

namespace tenon::cuda {

struct ConvChoice : PlanChoice {
  bool bias_inside = false;   ///< the graph adds the bias
  bool half_weights = false;  ///< the weight gradient comes out in 16 bits
  bool last_resort = false;   ///< of a plan: not one of the heuristics' best
  ConvForm form = {};         ///< in which the graph sees the convolution
  bool tensor = false;        ///< without a graph: our own kernel on tensor cores
};

/// The choice for a pass, among plans that round f32 to TF32 too where tf32_allowed() holds now. Measured when it is asked for the first
/// time, which must not be while a CUDA graph is captured: then it is this library's kernels, and nothing is remembered.
ConvChoice conv_choice(const ConvGeometry& g, ConvPass pass, bool bias);

/// What a choice does with the operands of the slots, channel sums apart. `workspace` holds conv_choice_workspace bytes.
void run_conv_choice(const ConvChoice& c, const ConvGeometry& g, ConvPass pass, const void* first, const void* second, const void* bias,
                     void* result, void* workspace);
std::size_t conv_choice_workspace(const ConvChoice& c, const ConvGeometry& g, ConvPass pass);
/// Bytes of the weights as a choice of 16-bit activations reads them, and how they are made of the f32 ones.
std::size_t conv_choice_weights(const ConvChoice& c, const ConvGeometry& g);
void pack_conv_choice(const ConvChoice& c, const ConvGeometry& g, const void* weights, void* packed);

}  // namespace tenon::cuda
