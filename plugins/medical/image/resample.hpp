/// Resampling a grid to another number of voxels over the same field of view, separably and in parallel.
///
/// Voxel centres are mapped by src = (dst + .5) * old/new - .5, and beyond the edge the outermost value goes on
/// (what nnU-Net's pipeline does: skimage.transform.resize(mode="edge", anti_aliasing=False)). Orders: 0 nearest,
/// 1 linear, 3 cubic B-spline with exact prefilter of the edge-extended signal (Unser 1999). Sizes are (z, y, x).
/// Cost: one pass over the data an axis that changes, plus one prefilter pass an axis of order 3. Results do not depend
/// on the number of threads.
#pragma once

#include <array>
#include <cstdint>

#include "medical/image/volume.hpp"

namespace tenon::medical {

using Size3 = std::array<std::int64_t, 3>;  ///< (z, y, x)

/// round(size * old / new spacing), half to even, at least 1: nnU-Net's rule. `spacing` is (x, y, z) in mm.
Size3 size_at_spacing(const Geometry& geometry, const std::array<double, 3>& spacing);
/// The grid of `size` (z, y, x) voxels over the same field of view.
Geometry resized(const Geometry& geometry, const Size3& size);

/// Images: f32 [z, y, x] -> f32 [size]. `order` per axis (z, y, x). Throws usage errors.
Tensor resample(const Tensor& image, const Size3& size, const std::array<int, 3>& order);
inline Tensor resample(const Tensor& image, const Size3& size, int order) { return resample(image, size, {order, order, order}); }
/// Labels: u8 [z, y, x]; order 1 over one-hot labels, largest wins, ties to the smaller label (nnU-Net's rule); order 0
/// on the axes where `order` says so.
Tensor resample_labels(const Tensor& labels, const Size3& size, const std::array<int, 3>& order = {1, 1, 1});
/// Scores f32 [z, y, x, C] of any device -> u8 labels [size] on the CPU: linear resampling and argmax in one (resize_argmax),
/// so that full-size scores never exist. Bit-equal to argmax of the resampled scores; ties to the smaller label.
Tensor resample_argmax(const Tensor& scores, const Size3& size, const std::array<int, 3>& order = {1, 1, 1});
/// Scores f32 [z, y, x, C] -> f32 [size, C], linear (order 0 or 1 an axis).
Tensor resample_scores(const Tensor& scores, const Size3& size, const std::array<int, 3>& order = {1, 1, 1});

/// nnU-Net's choice: order `order` everywhere, except that where max/min spacing > 3 (of `current`, else of `target`)
/// on one axis alone, that axis gets order 0. Spacings are (x, y, z); the result is (z, y, x).
std::array<int, 3> anisotropic_order(const std::array<double, 3>& current, const std::array<double, 3>& target, int order);

/// Image and geometry together; f32 for order > 0. A header kept in the attributes is dropped.
Volume resample_to_spacing(const Volume& volume, const std::array<double, 3>& spacing, int order);

}  // namespace tenon::medical
