/// Training patches out of volumes in memory: cut through affine maps, images and labels, and changed in their grey values.
///
/// Both exist twice, by one maths. The ops on tensors cut the patches of a whole batch on any device. Everything that differs from one
/// batch to the next is a tensor, so that a recorded step (plan.hpp) cuts other patches each time it runs; none has a gradient. The
/// functions on plain memory do one patch on the calling thread, for threads that fill batches. Both give the same bits on a CPU; on a GPU
/// images and labels are cut to the same bits where values and their differences are finite, but for the sign of zeros, and changed to rounding.
///
/// A map takes each voxel of the patch into the volume, axes (z, y, x). Images are read trilinearly, outside the volume is 0. A label is
/// the one with the largest trilinear share among the 8 neighbours, ties to the smaller label, outside is label 0: what interpolating
/// one-hot labels and taking the argmax gives. Identity, flip and turn by 90 degrees move values exactly.
///
/// Changes of grey values are what a scan might have looked like on another machine; kinds and order follow nnU-Net v2 (Isensee et al.
/// 2021), but noise comes last. Stateless and thread-safe. Cost: one pass over the patch to cut it, none but a copy for a change that is
/// neutral, and none at all where both are one op.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tenon/random.hpp"
#include "tenon/tensor.hpp"

namespace tenon {

/// source voxel = matrix * patch voxel + shift, axes (z, y, x). As 12 floats: the rows of the matrix, then the shift.
struct GridMap {
  std::array<std::array<float, 3>, 3> matrix{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  std::array<float, 3> shift{0, 0, 0};
};

/// How one channel of a patch is changed, in this order but for noise, which is last; neutral values change nothing.
struct IntensityChange {
  float noise = 0;           ///< standard deviation of Gaussian noise
  float blur = 0;            ///< sigma of a Gaussian, voxels; its kernel ends at 3 sigma, and at 64 voxels
  float brightness = 1;      ///< factor, after contrast
  float shift = 0;           ///< added, after the factor
  float contrast = 1;        ///< factor about the mean, the range kept
  float low_resolution = 1;  ///< relative resolution: nearest down to it, linear back up
  float gamma = 1;           ///< exponent, mean and deviation kept
  float inverted_gamma = 1;  ///< the same on the negative image, before gamma

  bool neutral() const noexcept {
    return noise == 0 && blur == 0 && brightness == 1 && shift == 0 && contrast == 1 && low_resolution == 1 && gamma == 1 &&
           inverted_gamma == 1;
  }
};

// ---- batches, on any device ------------------------------------------------------------------------------------

/// voxels f32 [n]: volumes one after another, each as `channels` planes one after another. table i64 [V, 4]: a volume's first voxel,
/// counted in voxels of one channel, and its sizes z, y, x. which i64 [N]: a patch's volume. maps f32 [N, 12]: a patch's GridMap. -> [N, z,
/// y, x, C]. Throws index.out_of_range for a volume that is not in the table and patches.table for one that does not lie within `voxels` or
/// has 2^31 voxels or more, when the kernel runs.
TENON_API Tensor cut_patches(const Tensor& voxels, const Tensor& table, const Tensor& which, const Tensor& maps,
                             const std::vector<std::int64_t>& size, std::int64_t channels);
/// labels u8 [n], one plane a volume -> [N, z, y, x].
TENON_API Tensor cut_label_patches(const Tensor& labels, const Tensor& table, const Tensor& which, const Tensor& maps,
                                   const std::vector<std::int64_t>& size);
/// patches f32 [N, z, y, x, C]. changes f32 [N, C, 8]: an IntensityChange each. keys i64 [N, C, 2]: seed and stream of the noise
/// (random.hpp).
TENON_API Tensor change_intensity(const Tensor& patches, const Tensor& changes, const Tensor& keys);
/// change_intensity(cut_patches(voxels, table, which, maps, size, channels), changes, keys), the same bits, in one op: on a GPU a voxel
/// is cut, changed as far as that takes no other one, and written once; blur, contrast, low resolution and gamma pass over what they
/// change again.
TENON_API Tensor cut_changed_patches(const Tensor& voxels, const Tensor& table, const Tensor& which, const Tensor& maps,
                                     const std::vector<std::int64_t>& size, std::int64_t channels, const Tensor& changes,
                                     const Tensor& keys);

// ---- one patch, in the memory of the host ------------------------------------------------------------------------

/// A volume: `channels` planes of float one after the other, and labels; sizes (z, y, x), fewer than 2^31 voxels. With 0 channels only the
/// labels are sampled, and the images may be null.
struct VolumeView {
  const float* image = nullptr;
  const std::uint8_t* labels = nullptr;  ///< may be null: then no labels are written
  std::array<std::int64_t, 3> size{0, 0, 0};
  int channels = 1;
};

/// Writes image [patch, channels] (channels last) and labels [patch], in the same pass. A few nanoseconds a voxel.
TENON_API void sample_affine(const VolumeView& volume, const GridMap& map, const std::array<std::int64_t, 3>& patch, float* image,
                             std::uint8_t* labels);
/// The same for a whole-voxel offset alone (source = patch + start): copies rows and pads with zeros.
TENON_API void sample_copy(const VolumeView& volume, const std::array<std::int64_t, 3>& start, const std::array<std::int64_t, 3>& patch,
                           float* image, std::uint8_t* labels);
/// Changes one channel of a patch in place: values[((z ny + y) nx + x) * step].
TENON_API void apply_intensity(float* values, const std::array<std::int64_t, 3>& size, std::int64_t step, const IntensityChange& change,
                               const Random& noise);

}  // namespace tenon
