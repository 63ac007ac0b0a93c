/// This library's own kernels of layer norm and RMS norm, for every type; a library's stand beside them where there is one (private).
#pragma once

#include "ops/rms_norm_kernels.hpp"

namespace tenon::cuda {

enum class RowNormPass { layer, layer_gradient, rms, rms_gradient };

constexpr bool is_rms(RowNormPass pass) {
  return pass == RowNormPass::rms || pass == RowNormPass::rms_gradient;
}
constexpr bool is_gradient(RowNormPass pass) {
  return pass == RowNormPass::layer_gradient || pass == RowNormPass::rms_gradient;
}

/// The kernel of the pass's slot.
Kernel own_row_norm(const RowNorm& p, RowNormPass pass);

/// f(slot, its pass) for each of the four.
template <class F>
void for_row_norm_slots(F&& f) {
  f(row_norm_kernel, RowNormPass::layer);
  f(row_norm_gradient_kernel, RowNormPass::layer_gradient);
  f(rms_norm_kernel, RowNormPass::rms);
  f(rms_norm_gradient_kernel, RowNormPass::rms_gradient);
}

}  // namespace tenon::cuda
