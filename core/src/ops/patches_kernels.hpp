/// Kernel slots of cutting patches and of changing their grey values (private).
#pragma once

#include <array>
#include <cstddef>

#include "tenon/kernel.hpp"

namespace tenon {

struct PatchChange {
  std::int64_t count, channels;
  std::array<std::int64_t, 3> size;
  std::int64_t voxels() const { return size[0] * size[1] * size[2]; }  ///< of a patch, fewer than 2^31
};
struct PatchCut {
  const char* op;  ///< the public name, for messages
  std::int64_t count, volumes, channels;
  std::int64_t total;  ///< voxels of one channel in all volumes
  std::array<std::int64_t, 3> size;
  std::int64_t voxels() const { return size[0] * size[1] * size[2]; }  ///< of a patch, fewer than 2^31
  PatchChange change() const { return {count, channels, size}; }
};
/// voxels f32, table, which, maps -> y f32
extern TENON_API KernelSlot<const PatchCut&> cut_patches_kernel;
/// labels u8, table, which, maps -> y u8
extern TENON_API KernelSlot<const PatchCut&> cut_label_patches_kernel;

/// Throws patches.table: `volume` of the table does not lie within `total` voxels.
[[noreturn]] TENON_API void refuse_volume(const char* op, std::int64_t volume, std::int64_t total);

/// patches, changes, keys -> y, all dense; then the workspace, if the device wants one
extern TENON_API KernelSlot<const PatchChange&> change_intensity_kernel;
/// voxels f32, table, which, maps, changes, keys -> y, then the workspace
extern TENON_API KernelSlot<const PatchCut&> cut_changed_patches_kernel;

using ChangeWorkspaceFn = std::function<std::size_t(const PatchChange&)>;
/// Bytes of workspace that a device wants, none unless set; set along with its kernel.
TENON_API void set_change_workspace(DeviceType type, ChangeWorkspaceFn bytes);

}  // namespace tenon
