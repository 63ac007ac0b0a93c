/// Training patches made where the run computes (augment.where = "device"): every training scan lies in the device's memory, and a batch is
/// only what was drawn for it, about a hundred bytes a sample and channel. The recorded step cuts, turns and changes its patches itself
/// (tenon/patches.hpp).
///
/// The draws are those of PatchSampler, so that batches are the same as the ones made on the host: bit for bit on a CPU, up to the rounding
/// of grey values that are changed on a GPU.
#pragma once

#include <cstdint>
#include <vector>

#include "medical/tasks/patch_sampler.hpp"
#include "tenon/task.hpp"

namespace tenon::medical {

/// What a model is trained on: f32 [N, z, y, x, C], and u8 labels of every resolution, the finest first.
struct PatchBatch {
  Tensor image;
  std::vector<Tensor> labels;
};

class DevicePatches {
 public:
  /// Keeps a reference to the sampler.
  DevicePatches(const PatchSampler& sampler, const PatchSettings& patch, std::int64_t channels, std::int64_t levels)
      : sampler_(sampler), patch_(patch), channels_(channels), levels_(levels) {}

  /// The tensors of a batch: volumes and maps, those of the labels where they are shuffled, changes of grey values and the keys of their
  /// noise.
  static std::vector<TensorSpec> spec(const PatchSettings& patch, std::int64_t channels);
  /// Thread-safe.
  void fill(std::int64_t step, const Random& random, const std::vector<Tensor>& batch) const;
  /// Patches of a batch, where its tensors are. The first call brings the scans there. Throws medical.device_memory where they do not fit.
  PatchBatch make(const std::vector<Tensor>& batch);

 private:
  void place(Device device);

  const PatchSampler& sampler_;
  PatchSettings patch_;
  std::int64_t channels_, levels_;
  Tensor voxels_, labels_, table_;
};

/// Throws medical.device_memory where `bytes` of scans are more than half of `free` bytes: the other half is the step's.
void require_room(std::size_t scans, std::size_t bytes, std::size_t free, Device device);

}  // namespace tenon::medical
