/// The image-blind atlas: what a label map scores that never looks at the scan. The floor under every model.
///
/// Label frequencies of the training cases, each stretched linearly to the median size and averaged; stretched back to
/// a scan's size, the commonest label wins. Cost: one linear resampling a case.
#pragma once

#include <vector>

#include "medical/image/resample.hpp"

namespace tenon::medical {

/// f32 [median size, classes] from labels u8 [z, y, x] of any sizes. Throws a usage error for no labels.
Tensor build_atlas(const std::vector<Tensor>& labels, std::int64_t classes);
/// Scores f32 [size, classes] on another grid.
Tensor stretch_atlas(const Tensor& atlas, const Size3& size);

}  // namespace tenon::medical
