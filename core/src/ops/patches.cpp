/// Checks of the ops that cut and change patches.
#include "tenon/patches.hpp"

#include <array>
#include <limits>
#include <utility>

#include "ops/check.hpp"
#include "ops/patches_kernels.hpp"
#include "tenon/memory.hpp"

namespace tenon {
namespace {

void check_is(const char* op, const Tensor& t, const char* what, DType dtype, const Shape& shape, const char* form) {
  check_defined(op, t, what);
  bool fits = t.dtype() == dtype && t.rank() == shape.rank();
  for (int a = 0; fits && a < shape.rank(); ++a) fits = shape[a] < 0 || t.size(a) == shape[a];
  if (!fits) throw_usage(op, std::string(what) + " is " + t.str(), std::string("give ") + form);
}

std::string product(const std::array<std::int64_t, 3>& size) {
  return std::to_string(size[0]) + " x " + std::to_string(size[1]) + " x " + std::to_string(size[2]);
}

/// [N, z, y, x]
Shape patch_shape(const char* op, const Tensor& which, const std::vector<std::int64_t>& size) {
  check_is(op, which, "which", DType::i64, {-1}, "i64 [N]: a volume for each patch");
  if (size.size() != 3) throw_usage(op, "size " + list_str(size) + " of a patch", "give three: z, y, x");
  return {which.size(0), size[0], size[1], size[2]};
}

/// Voxels of a patch are counted in 31 bits.
void check_patch(const char* op, const std::array<std::int64_t, 3>& size) {
  std::int64_t voxels = 1;
  for (std::int64_t n : size) {
    voxels = size_times(op, voxels, n);
    if (n < 1 || voxels > std::numeric_limits<std::int32_t>::max())
      throw_usage(op, "a patch of " + product(size) + " voxels", "sizes are at least 1, and a patch has fewer than 2^31 voxels");
  }
}

/// What is cut from what, checked.
struct Cutting {
  PatchCut cut;
  std::vector<Tensor> reads;
  Shape shape;
};

Cutting check_cut(const char* op, const Tensor& source, DType dtype, const Tensor& table, const Tensor& which, const Tensor& maps,
                  const std::vector<std::int64_t>& size, std::int64_t channels, Shape shape) {
  check_is(op, source, dtype == DType::f32 ? "voxels" : "labels", dtype, {-1},
           dtype == DType::f32 ? "f32 [n]: all planes of all volumes" : "u8 [n]: the labels of all volumes");
  check_is(op, table, "table", DType::i64, {-1, 4}, "i64 [V, 4]: first voxel and sizes z, y, x");
  check_is(op, maps, "maps", DType::f32, {which.size(0), 12}, "f32 [N, 12], one for each patch: three rows of a matrix and a shift");
  for (const Tensor* t : {&table, &which, &maps}) check_same_device(op, source, *t);
  const PatchCut p{op, which.size(0), table.size(0), channels, source.numel() / channels, {size[0], size[1], size[2]}};
  check_patch(op, p.size);
  check_result(op, shape, dtype);
  return {p, {source.contiguous(), table.contiguous(), which.contiguous(), maps.contiguous()}, std::move(shape)};
}

Cutting check_image_cut(const char* op, const Tensor& voxels, const Tensor& table, const Tensor& which, const Tensor& maps,
                        const std::vector<std::int64_t>& size, std::int64_t channels) {
  check_defined(op, voxels, "voxels");
  if (channels < 1 || channels > std::numeric_limits<std::int32_t>::max() || voxels.numel() % channels)
    throw_usage(op, std::to_string(channels) + " channels in voxels " + voxels.str(),
                "every volume has all of its channels, plane after plane");
  Shape shape = patch_shape(op, which, size);
  shape.push_back(channels);
  return check_cut(op, voxels, DType::f32, table, which, maps, size, channels, std::move(shape));
}

Tensor run_cut(const Cutting& c, KernelSlot<const PatchCut&>& kernel, DType dtype) {
  const Device device = c.reads[0].device();
  Tensor y = Tensor::empty(c.shape, dtype, device);
  if (y.numel() > 0) launch(c.cut.op, c.reads, std::vector<Tensor>{y}, kernel(device, c.cut));
  return y;
}

void check_changes(const char* op, const Tensor& changes, const Tensor& keys, std::int64_t count, std::int64_t channels,
                   const Tensor& beside) {
  check_is(op, changes, "changes", DType::f32, {count, channels, 8}, "f32 [N, C, 8], an IntensityChange for each channel of each patch");
  check_is(op, keys, "keys", DType::i64, {count, channels, 2}, "i64 [N, C, 2]: seed and stream for each channel of each patch");
  check_same_device(op, beside, changes);
  check_same_device(op, beside, keys);
}

std::array<ChangeWorkspaceFn, kDeviceTypes>& workspace_sizes() {
  static std::array<ChangeWorkspaceFn, kDeviceTypes> table;
  return table;
}

/// What changes of grey values write: the patches, and the workspace that the device wants.
std::vector<Tensor> results(const Tensor& y, const PatchChange& p) {
  std::vector<Tensor> writes{y};
  if (const ChangeWorkspaceFn& bytes = workspace_sizes()[std::size_t(y.device().type)]) {
    MemoryScope tag(MemoryTag::workspace);
    writes.push_back(Tensor::empty({std::int64_t(bytes(p))}, DType::u8, y.device()));
  }
  return writes;
}

}  // namespace

void set_change_workspace(DeviceType type, ChangeWorkspaceFn bytes) {
  workspace_sizes()[std::size_t(type)] = std::move(bytes);
}

void refuse_volume(const char* op, std::int64_t volume, std::int64_t total) {
  throw Error(ErrorKind::data, "patches.table",
              std::string(op) + ": volume " + std::to_string(volume) + " of the table does not lie within the " + std::to_string(total) +
                  " voxels given",
              "a row of the table is the volume's first voxel, then its sizes z, y, x: fewer than 2^31 voxels in all");
}

Tensor cut_patches(const Tensor& voxels, const Tensor& table, const Tensor& which, const Tensor& maps,
                   const std::vector<std::int64_t>& size, std::int64_t channels) {
  return run_cut(check_image_cut("cut_patches", voxels, table, which, maps, size, channels), cut_patches_kernel, DType::f32);
}

Tensor cut_label_patches(const Tensor& labels, const Tensor& table, const Tensor& which, const Tensor& maps,
                         const std::vector<std::int64_t>& size) {
  constexpr const char* op = "cut_label_patches";
  return run_cut(check_cut(op, labels, DType::u8, table, which, maps, size, 1, patch_shape(op, which, size)), cut_label_patches_kernel,
                 DType::u8);
}

Tensor change_intensity(const Tensor& patches, const Tensor& changes, const Tensor& keys) {
  constexpr const char* op = "change_intensity";
  check_is(op, patches, "patches", DType::f32, {-1, -1, -1, -1, -1}, "f32 [N, z, y, x, C]");
  const PatchChange p{patches.size(0), patches.size(4), {patches.size(1), patches.size(2), patches.size(3)}};
  check_changes(op, changes, keys, p.count, p.channels, patches);
  Tensor y = Tensor::empty(patches.shape(), DType::f32, patches.device());
  if (y.numel() == 0) return y;
  check_patch(op, p.size);
  const std::vector<Tensor> reads{patches.contiguous(), changes.contiguous(), keys.contiguous()};
  launch(op, reads, results(y, p), change_intensity_kernel(y.device(), p));
  return y;
}

Tensor cut_changed_patches(const Tensor& voxels, const Tensor& table, const Tensor& which, const Tensor& maps,
                           const std::vector<std::int64_t>& size, std::int64_t channels, const Tensor& changes, const Tensor& keys) {
  constexpr const char* op = "cut_changed_patches";
  Cutting c = check_image_cut(op, voxels, table, which, maps, size, channels);
  check_changes(op, changes, keys, c.cut.count, channels, voxels);
  Tensor y = Tensor::empty(c.shape, DType::f32, voxels.device());
  if (y.numel() == 0) return y;
  c.reads.insert(c.reads.end(), {changes.contiguous(), keys.contiguous()});
  launch(op, c.reads, results(y, c.cut.change()), cut_changed_patches_kernel(y.device(), c.cut));
  return y;
}

}  // namespace tenon
