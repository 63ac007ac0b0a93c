/// Cutting patches and changing their grey values on the device: one pass as far as each voxel can be changed alone, then a few short
/// kernels in place, each of which leaves at once where its change was not drawn for the channel of the patch that its block works on.
///
/// A kernel that has a voxel's value does with it whatever needs no other voxel, and adds up the moments that the next change begins with.
/// Passes along lines hold whole lines in shared memory, so none needs a second image.
#include "backend/cuda/install.hpp"
#include "ops/intensity_follow.cuh"
#include "ops/patches_source.cuh"

namespace tenon::cuda {
namespace {

/// Values of patches that are there.
struct GivenPatches {
  const float* x;
  struct Plane {
    const float* values;
    std::int64_t step;
    __device__ float operator()(unsigned voxel) const { return values[voxel * step]; }
  };
  __device__ Plane plane(const ChangeGrid& k, const Part& part) const { return {plane_of(k, x, part.plane), k.channels}; }
};

/// Values between the voxels of volumes.
struct GivenVolumes {
  CutGrid grid;
  CutFaults faults;
  const float* volumes;
  const std::int64_t *table, *which;
  const float* maps;
  struct Plane {
    const CutGrid& grid;
    Source source;
    const float* values;
    __device__ float operator()(unsigned voxel) const {
      const Neighbours n = source.around(grid, voxel);
      return n.any ? trilinear(values, n) : 0.0f;
    }
  };
  __device__ Plane plane(const ChangeGrid& k, const Part& part) const {
    const std::int64_t sample = part.plane / k.channels, channel = part.plane % k.channels;
    const Source s = source_of(grid, table, which, maps, sample, channel == 0 && part.index == 0 && threadIdx.x == 0, faults);
    return {grid, s, volumes + s.first * k.channels + channel * s.voxels()};
  }
};

template <class Given>
__global__ void __launch_bounds__(kBlock) make_patches(Changes c, Given given) {
  const Part part(c.grid, c.y);
  make_part(c, part, after_cutting(c.grid, c.drawn[part.plane]), given.plane(c.grid, part));
}

struct AfterBlur {
  static __device__ bool drawn(const ChangeGrid&, const IntensityChange& d) { return blurs(d); }
  static __device__ Follow follow(const ChangeGrid& k, const IntensityChange& d) { return after_blur(k, d); }
};
struct AfterResolution {
  static __device__ bool drawn(const ChangeGrid& k, const IntensityChange& d) { return lowers(k, d); }
  static __device__ Follow follow(const ChangeGrid&, const IntensityChange& d) { return after_resolution(d); }
};

/// What follows on passes along lines, which have not seen whole parts.
template <class Lines>
__global__ void __launch_bounds__(kBlock) follow_lines(Changes c) {
  const Part part(c.grid, c.y);
  const IntensityChange d = c.drawn[part.plane];
  if (!Lines::drawn(c.grid, d)) return;
  const Follow follow = Lines::follow(c.grid, d);
  if (!follow.levels && follow.measured == kStages && !follow.noise) return;
  make_part(c, part, follow, [&](unsigned i) { return part.at(c.grid, i); });
}

__global__ void __launch_bounds__(kBlock) change_contrast(Changes c) {
  const Part part(c.grid, c.y);
  const IntensityChange d = c.drawn[part.plane];
  if (d.contrast == 1) return;
  const Moments m = moments_of_stage(c.grid, c.table, kContrast, part.plane);
  make_part(c, part, after_contrast(c.grid, d),
            [&](unsigned i) { return contrasted(part.at(c.grid, i), float(m.mean), m.low, m.high, d.contrast); });
}

template <bool Inverted>
struct Gamma {
  static constexpr Stage kBefore = Inverted ? kInverted : kGamma, kAfter = Inverted ? kInvertedPower : kGammaPower;
  static constexpr float kSign = Inverted ? -1.0f : 1.0f;
  static __device__ float exponent(const IntensityChange& d) { return Inverted ? d.inverted_gamma : d.gamma; }
  static __device__ Follow follow(const IntensityChange& d) { return Inverted ? after_inverted_gamma(d) : after_gamma(d); }
};

/// Powers in place of values; a channel without a range stays as it is.
template <bool Inverted>
__global__ void __launch_bounds__(kBlock) raise_to_power(Changes c) {
  using G = Gamma<Inverted>;
  const Part part(c.grid, c.y);
  const float exponent = G::exponent(c.drawn[part.plane]);
  if (exponent == 1) return;
  const Moments before = moments_of_stage(c.grid, c.table, G::kBefore, part.plane);
  const float range = before.high - before.low;
  if (!(range > 0)) return;
  make_part(c, part, {false, G::kAfter}, [&](unsigned i) { return raised(G::kSign * part.at(c.grid, i), before.low, range, exponent); });
}

/// Powers brought back to the mean and deviation there were.
template <bool Inverted>
__global__ void __launch_bounds__(kBlock) restore_moments(Changes c) {
  using G = Gamma<Inverted>;
  const Part part(c.grid, c.y);
  const IntensityChange d = c.drawn[part.plane];
  if (G::exponent(d) == 1) return;
  const Moments before = moments_of_stage(c.grid, c.table, G::kBefore, part.plane);
  const bool was_raised = before.high - before.low > 0;
  Moments after;
  if (was_raised) after = moments_of_stage(c.grid, c.table, G::kAfter, part.plane);
  const Restored restored(before, after);
  make_part(c, part, G::follow(d), [&](unsigned i) {
    const float v = part.at(c.grid, i);
    return was_raised ? G::kSign * restored(v) : v;
  });
}

std::size_t workspace_bytes(const PatchChange& p) {
  const ChangeGrid k = change_grid(p);
  return std::size_t(kStages) * std::size_t(k.planes) * k.parts * sizeof(Sums);
}

/// The kernels that make changed patches of what is given.
struct ChangeJob {
  ChangeGrid grid;
  std::array<LineCut, 3> cuts;

  explicit ChangeJob(const PatchChange& p) : grid(change_grid(p)), cuts{line_cut(p, 0), line_cut(p, 1), line_cut(p, 2)} {}

  /// o: changes, keys, y, workspace.
  template <class Given>
  void run(void* const* o, const Given& given) const {
    const Changes c{grid, static_cast<const IntensityChange*>(o[0]), static_cast<const std::uint64_t*>(o[1]),
                    SumsTable{static_cast<Sums*>(o[3])}, static_cast<float*>(o[2])};
    const dim3 blocks(grid_blocks(c.grid.planes * c.grid.parts));
    auto voxels = [&](const char* name, auto kernel, const auto&... rest) { start(name, blocks, dim3(kBlock), 0, kernel, c, rest...); };
    auto lines = [&](const char* name, auto kernel) {
      for (const LineCut& cut : cuts)
        start(name, dim3(grid_blocks(c.grid.planes * cut.tiles)), dim3(kBlock), std::size_t(cut.together.size) * cut.length.size * sizeof(float),
              kernel, c.grid, cut, c.drawn, c.y);
    };
    voxels("change_intensity_start", make_patches<Given>, given);
    lines("change_intensity_blur", change_lines<BlurLine>);
    voxels("change_intensity_blurred", follow_lines<AfterBlur>);
    voxels("change_intensity_contrast", change_contrast);
    lines("change_intensity_resolution", change_lines<LowerLine>);
    voxels("change_intensity_lowered", follow_lines<AfterResolution>);
    voxels("change_intensity_power", raise_to_power<true>);
    voxels("change_intensity_restore", restore_moments<true>);
    voxels("change_intensity_power", raise_to_power<false>);
    voxels("change_intensity_restore", restore_moments<false>);
  }
};

Kernel make_change(const PatchChange& p) {
  return [job = ChangeJob(p)](void* const* o) { job.run(o + 1, GivenPatches{static_cast<const float*>(o[0])}); };
}

Kernel make_cut_and_change(const PatchCut& p) {
  return [job = ChangeJob(p.change()), grid = cut_grid(p), faults = faults_of(p)](void* const* o) {
    job.run(o + 4, GivenVolumes{grid, faults, static_cast<const float*>(o[0]), static_cast<const std::int64_t*>(o[1]),
                                static_cast<const std::int64_t*>(o[2]), static_cast<const float*>(o[3])});
  };
}

}  // namespace

void install_intensity() {
  change_intensity_kernel.set(DeviceType::cuda, make_change);
  cut_changed_patches_kernel.set(DeviceType::cuda, make_cut_and_change);
  set_change_workspace(DeviceType::cuda, workspace_bytes);
}

}  // namespace tenon::cuda
