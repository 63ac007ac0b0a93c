/// The image-blind atlas: what a label map scores that never looks at the scan. The floor under every model.
///
/// Label frequencies of the training cases, each brought to the median size (nearest voxel) and counted; stretched
/// linearly to a scan's size, the commonest label wins. Both ways the outermost voxels are laid on each other.
/// Cost: one pass over the labels.
#pragma once

#include <vector>

#include "medical/image/resample.hpp"

namespace tenon::medical {

/// Frequencies f32 [median size, classes] from labels u8 [z, y, x] of any sizes. Throws a usage error for no labels.
Tensor build_atlas(const std::vector<Tensor>& labels, std::int64_t classes);
/// The frequencies on another grid: f32 [size, classes].
Tensor stretch_atlas(const Tensor& atlas, const Size3& size);

}  // namespace tenon::medical
