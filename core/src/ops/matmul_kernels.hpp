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

}  // namespace tenon
