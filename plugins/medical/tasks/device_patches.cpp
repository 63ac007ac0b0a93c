#include "medical/tasks/device_patches.hpp"

#include <fmt/format.h>

#include <cstring>
#include <limits>

#include "tenon/error.hpp"
#include "tenon/memory.hpp"
#include "tenon/storage.hpp"

namespace tenon::medical {
namespace {

std::string gibibytes(std::size_t bytes) {
  return fmt::format("{:.2f} GiB", double(bytes) / double(1 << 30));
}

/// What this process has not taken of a device's memory; without bound where that is not known.
std::size_t free_memory(Device device) {
  for (const DeviceInfo& d : list_devices())
    if (d.device == device && d.memory_bytes > 0) {
      const std::size_t all = std::size_t(d.memory_bytes), taken = allocator(device.type).stats().in_use;
      return all > taken ? all - taken : 0;
    }
  return std::numeric_limits<std::size_t>::max();
}

std::int64_t voxels_of(const SamplerCase& c) {
  return c.scan.size[0] * c.scan.size[1] * c.scan.size[2];
}

/// Every second voxel along each axis, as halve_labels takes them.
Tensor halved(const Tensor& labels) {
  Tensor coarse = labels;
  for (int axis = 1; axis <= 3; ++axis) coarse = coarse.slice(axis, 0, labels.size(axis), 2);
  return coarse.contiguous();
}

}  // namespace

void require_room(std::size_t scans, std::size_t bytes, std::size_t free, Device device) {
  if (bytes <= free / 2) return;
  throw Error(ErrorKind::device, "medical.device_memory",
              fmt::format("{} training scans take {}, more than half of the {} that are left of the memory of {}", scans, gibibytes(bytes),
                          gibibytes(free), device.str()),
              "set augment.where = \"host\": patches are then made by the processor's threads and sent", "augment.where");
}

std::vector<TensorSpec> DevicePatches::spec(const PatchSettings& patch, std::int64_t channels) {
  std::vector<TensorSpec> spec{{"volume", Shape{patch.batch}, DType::i64}, {"map", Shape{patch.batch, 12}, DType::f32}};
  if (patch.shuffle_labels) {
    spec.push_back({"label_volume", Shape{patch.batch}, DType::i64});
    spec.push_back({"label_map", Shape{patch.batch, 12}, DType::f32});
  }
  spec.push_back({"changes", Shape{patch.batch, channels, 8}, DType::f32});
  spec.push_back({"noise_keys", Shape{patch.batch, channels, 2}, DType::i64});
  return spec;
}

void DevicePatches::fill(std::int64_t step, const Random& random, const std::vector<Tensor>& batch) const {
  static_assert(sizeof(GridMap) == 12 * sizeof(float) && sizeof(IntensityChange) == 8 * sizeof(float));
  auto put = [&](std::size_t at, std::int64_t j, const PatchDraw& d) {
    batch[at].data<std::int64_t>()[j] = std::int64_t(d.which);
    std::memcpy(batch[at + 1].data<float>() + 12 * j, &d.map, sizeof d.map);
  };
  const std::size_t changes = patch_.shuffle_labels ? 4 : 2;
  for (std::int64_t j = 0; j < patch_.batch; ++j) {
    put(0, j, sampler_.draw(step, j, random));
    if (patch_.shuffle_labels) put(2, j, sampler_.draw_labels(step, j, random));
    for (std::int64_t c = 0; c < channels_; ++c) {
      const ChannelChange drawn = sampler_.draw_change(step, j, int(c), random);
      std::memcpy(batch[changes].data<float>() + 8 * (j * channels_ + c), &drawn.change, sizeof drawn.change);
      std::int64_t* key = batch[changes + 1].data<std::int64_t>() + 2 * (j * channels_ + c);
      key[0] = std::int64_t(drawn.noise.seed());
      key[1] = std::int64_t(drawn.noise.stream());
    }
  }
}

void DevicePatches::place(Device device) {
  std::vector<std::int64_t> table;
  std::int64_t voxels = 0;
  for (std::size_t i = 0; i < sampler_.cases(); ++i) {
    const auto& size = sampler_.at(i).scan.size;
    table.insert(table.end(), {voxels, size[0], size[1], size[2]});
    voxels += voxels_of(sampler_.at(i));
  }
  require_room(sampler_.cases(), std::size_t(voxels) * (std::size_t(channels_) * sizeof(float) + 1), free_memory(device), device);
  const DeviceScope on(device);
  const MemoryScope tag(MemoryTag::data);
  voxels_ = Tensor::empty({voxels * channels_});
  labels_ = Tensor::empty({voxels}, DType::u8);
  table_ = Tensor::from(table, {std::int64_t(sampler_.cases()), 4});
  for (std::size_t i = 0; i < sampler_.cases(); ++i) {
    const VolumeView& scan = sampler_.at(i).scan;
    const std::int64_t first = table[4 * i], n = voxels_of(sampler_.at(i));
    voxels_.narrow(0, first * channels_, n * channels_).copy_from_host(scan.image, std::size_t(n * channels_) * sizeof(float));
    labels_.narrow(0, first, n).copy_from_host(scan.labels, std::size_t(n));
  }
}

PatchBatch DevicePatches::make(const std::vector<Tensor>& batch) {
  if (!voxels_.defined() || voxels_.device() != batch.at(0).device()) place(batch.at(0).device());
  const std::vector<std::int64_t> size(patch_.size.begin(), patch_.size.end());
  const std::size_t labels = patch_.shuffle_labels ? 2 : 0;
  PatchBatch made;
  made.image = cut_changed_patches(voxels_, table_, batch[0], batch[1], size, channels_, batch[labels + 2], batch[labels + 3]);
  made.labels.push_back(cut_label_patches(labels_, table_, batch[labels], batch[labels + 1], size));
  for (std::int64_t level = 1; level < levels_; ++level) made.labels.push_back(halved(made.labels.back()));
  return made;
}

}  // namespace tenon::medical
