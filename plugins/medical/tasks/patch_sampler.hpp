/// Training patches: which case, where, and how turned; a function of (seed, step, sample) alone.
///
/// Cases come in shuffled epochs, each once an epoch. Sample j of a batch of B has forced foreground when
/// j >= round(B (1 - share)) (nnU-Net's rule); where that leaves a small batch without any, every 1/share-th sample of the
/// run has it. Forced means: along axes where the scan is larger than the patch it is centred on a voxel of a label that
/// is drawn among those present. Where the scan is smaller, it is placed at random in a patch padded with zeros.
/// The sampler keeps references to the scans, not copies. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "medical/tasks/intensity.hpp"
#include "tenon/patches.hpp"
#include "tenon/random.hpp"

namespace tenon::medical {

/// A scan to sample from, and where its foreground is.
struct SamplerCase {
  VolumeView scan;
  std::array<double, 3> spacing{1, 1, 1};              ///< mm, (z, y, x): rotations are rigid in mm
  std::vector<std::vector<std::uint32_t>> foreground;  ///< by label (entry 0 empty): voxel indices, possibly thinned
};

/// Voxel indices of each label of 1..labels-1, at most `cap` of each, evenly thinned.
std::vector<std::vector<std::uint32_t>> find_foreground(std::span<const std::uint8_t> labels, int count, std::size_t cap = 10000);

struct SpatialSettings {
  Chance rotation;          ///< degrees about each axis, drawn one by one
  Chance scale;             ///< patch voxel's size in scan voxels: below 1 magnifies
  std::vector<int> mirror;  ///< axes (0 = z, 1 = y, 2 = x) flipped with probability 1/2
};

struct PatchSettings {
  std::array<std::int64_t, 3> size{0, 0, 0};  ///< (z, y, x)
  double foreground = 1.0 / 3;                ///< share of the samples of a batch that must hold foreground
  std::int64_t batch = 1;
  /// A control: each image goes with the labels of another case, drawn, placed and turned for themselves, so that nothing
  /// in an image tells of its labels. Needs two cases.
  bool shuffle_labels = false;
};

/// What was drawn for one sample.
struct PatchDraw {
  std::size_t which = 0;                ///< case
  std::array<std::int64_t, 3> start{};  ///< scan voxel of patch voxel (0, 0, 0) before turning
  int forced = 0;                       ///< label that was forced, 0 for none
  bool turned = false;                  ///< `map` holds more than the start
  GridMap map;
};

/// What was drawn for one channel of a sample, and the generator of its noise.
struct ChannelChange {
  IntensityChange change;
  Random noise;
};

class PatchSampler {
 public:
  PatchSampler(std::vector<SamplerCase> cases, const PatchSettings& patch, const SpatialSettings& spatial,
               const IntensitySettings& intensity);

  PatchDraw draw(std::int64_t step, std::int64_t sample, const Random& random) const;
  /// Where the labels of a sample come from: `draw`, or with `shuffle_labels` a draw of another case.
  PatchDraw draw_labels(std::int64_t step, std::int64_t sample, const Random& random) const;
  ChannelChange draw_change(std::int64_t step, std::int64_t sample, int channel, const Random& random) const;
  /// Writes image [patch, channels] and labels [patch] of one sample.
  void fill(std::int64_t step, std::int64_t sample, const Random& random, float* image, std::uint8_t* labels) const;
  std::size_t cases() const { return cases_.size(); }
  const SamplerCase& at(std::size_t which) const { return cases_[which]; }

 private:
  std::uint64_t index_of(std::int64_t step, std::int64_t sample) const;  ///< in the run
  std::size_t case_of(std::uint64_t index, const Random& random) const;
  bool forces_foreground(std::uint64_t index) const;
  PatchDraw draw_from(std::size_t which, bool force, const Random& random) const;
  void sample_patch(const PatchDraw& draw, float* image, std::uint8_t* labels) const;

  std::vector<SamplerCase> cases_;
  PatchSettings patch_;
  SpatialSettings spatial_;
  IntensitySettings intensity_;
};

/// Every second voxel along each axis (index 2 i), where a strided convolution centres its outputs: [z, y, x] -> halves.
void halve_labels(const std::uint8_t* labels, const std::array<std::int64_t, 3>& size, std::uint8_t* out);

}  // namespace tenon::medical
