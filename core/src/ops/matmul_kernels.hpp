/// The matrix product a device provides. The CPU column is filled in matmul.cpp; a backend library fills its own.
#pragma once

#include <cstddef>

#include "backend/matmul_geometry.hpp"
#include "tenon/kernel.hpp"

namespace tenon {

/// Reads a, b and, when the geometry has one, the bias; writes c, the sums, if asked for, and the workspace, if the device wants one.
TENON_API extern KernelSlot<const MatmulGeometry&> matmul_slot;

using MatmulWorkspaceFn = std::function<std::size_t(const MatmulGeometry&)>;
/// Bytes of workspace a device wants; set along with its kernel.
TENON_API void set_matmul_workspace(DeviceType type, MatmulWorkspaceFn bytes);
TENON_API const MatmulWorkspaceFn& matmul_workspace(DeviceType type);

/// Whether a device's products give sums of rows, too. Else they are an op of their own.
TENON_API void set_matmul_sums(DeviceType type, bool gives);
TENON_API bool matmul_gives_sums(DeviceType type);

using FusedMatmulMake = std::function<Kernel(const MatmulGeometry&)>;
/// Products with an epilogue, of devices that have them; set along with the bytes of workspace that such a product wants. The kernel reads a, b, the bias
/// where there is one and, for an activation's gradient, what the activation kept; it writes c, what the activation keeps, the sums, and the
/// workspace, each where it is asked for.
TENON_API void set_fused_matmul(DeviceType type, FusedMatmulMake make, MatmulWorkspaceFn workspace);
/// Empty where the device does not do it in one pass: then it is a product and an op.
TENON_API Kernel fused_matmul(Device device, const MatmulGeometry& geometry);
TENON_API std::size_t fused_matmul_workspace(Device device, const MatmulGeometry& geometry);

}  // namespace tenon
