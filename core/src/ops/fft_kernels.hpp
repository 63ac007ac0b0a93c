/// Kernel columns of the transforms and the products of modes (private).
#pragma once

#include "backend/fft_geometry.hpp"
#include "tenon/kernel.hpp"

namespace tenon {

/// Operands: x; y; a workspace of fft_workspace bytes where that is not 0. The scale is applied to the result.
TENON_API extern KernelSlot<const FftGeometry&, double> fft_kernel;
using FftWorkspaceFn = std::function<std::size_t(const FftGeometry&)>;
TENON_API void set_fft_workspace(DeviceType type, FftWorkspaceFn bytes);
TENON_API std::size_t fft_workspace(Device device, const FftGeometry& g);

/// Three products that are each other's gradients: with x [n, k, i], w [k, i, o], y [n, k, o], all dense and complex,
/// y = x w; x = y conj(w); w = conj(x) y, summed over what is not in the result.
enum class ModeProduct { y, x, w };
struct ModeSizes {
  DType dtype;  ///< c64 or c128
  std::int64_t n, k, in, out;
};
/// Operands: the two factors in the order x, w (for y), y, w (for x), x, y (for w); the result.
TENON_API extern KernelSlot<ModeProduct, const ModeSizes&> mode_product_kernel;

}  // namespace tenon
