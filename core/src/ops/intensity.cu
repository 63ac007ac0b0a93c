/// Changing grey values on the device, in place on a copy: a few short kernels, each of which leaves at once where its change was not drawn
/// for the channel of the patch that its block works on.
///
/// Passes along lines hold whole lines in shared memory, so none needs a second image. Moments are sums of parts of a fixed size, added in
/// a fixed order by every block that wants them.
#include "backend/cuda/install.hpp"
#include "backend/cuda/row_team.cuh"
#include "ops/intensity_lines.cuh"
#include "tenon/random.hpp"

namespace tenon::cuda {
namespace {

/// Of a part of a channel, or of a thread's share of it.
struct Sums {
  double sum = 0, squares = 0;
  float low = INFINITY, high = -INFINITY;

  __device__ void add(float v) {
    sum += double(v);
    squares += double(v) * double(v);
    low = v < low ? v : low;
    high = high < v ? v : high;
  }
};

struct Smaller {
  __device__ float operator()(float a, float b) const { return b < a ? b : a; }
};
struct Larger {
  __device__ float operator()(float a, float b) const { return a < b ? b : a; }
};

/// Over the block, in every thread; all of them come here together.
__device__ Sums block_sums(Sums s) {
  __shared__ double sums[kBlock / 32];
  __shared__ float ends[kBlock / 32];
  s.sum = team_sum(s.sum, kBlock, sums);
  s.squares = team_sum(s.squares, kBlock, sums);
  s.low = team_join(s.low, kBlock, ends, Smaller{});
  s.high = team_join(s.high, kBlock, ends, Larger{});
  return s;
}

/// Which moments are meant: of the image before contrast, and before and after each of the powers.
enum Stage { kContrast, kInverted, kInvertedPower, kGamma, kGammaPower, kStages };

/// The workspace: sums of every part, by stage and channel.
struct SumsTable {
  Sums* sums;
  __device__ Sums* of(const ChangeGrid& k, Stage stage, std::int64_t plane) const {
    return sums + (std::int64_t(stage) * k.planes + plane) * k.parts;
  }
};

/// A block's part of a channel.
struct Part {
  std::int64_t plane;
  unsigned index, begin, end;
  float* values;

  __device__ Part(const ChangeGrid& k, float* y)
      : plane(blockIdx.x / k.parts),
        index(blockIdx.x % k.parts),
        begin(index * k.part),
        end(min(k.voxels, begin + k.part)),
        values(plane_of(k, y, plane)) {}
  __device__ float& at(const ChangeGrid& k, unsigned voxel) const { return values[std::int64_t(voxel) * k.channels]; }
};

__device__ Moments moments_of_stage(const ChangeGrid& k, const SumsTable& table, Stage stage, std::int64_t plane) {
  const Sums* parts = table.of(k, stage, plane);
  const Sums all = block_sums(threadIdx.x < k.parts ? parts[threadIdx.x] : Sums{});
  return moments_of(all.sum, all.squares, all.low, all.high, k.voxels);
}

__device__ void keep_sums(const ChangeGrid& k, const SumsTable& table, Stage stage, const Part& part, const Sums& mine) {
  const Sums all = block_sums(mine);
  if (threadIdx.x == 0) table.of(k, stage, part.plane)[part.index] = all;
}

/// For contrast, and for the inverted gamma where `Inverted`: then of -v.
template <bool Inverted>
__global__ void __launch_bounds__(kBlock) measure(ChangeGrid k, const IntensityChange* changes, SumsTable table, float* y) {
  const Part part(k, y);
  const IntensityChange d = changes[part.plane];
  if ((Inverted ? d.inverted_gamma : d.contrast) == 1) return;
  Sums mine;
  for (unsigned i = part.begin + threadIdx.x; i < part.end; i += kBlock) mine.add(Inverted ? -part.at(k, i) : part.at(k, i));
  keep_sums(k, table, Inverted ? kInverted : kContrast, part, mine);
}

/// Contrast, brightness and shift.
__global__ void __launch_bounds__(kBlock) change_levels(ChangeGrid k, const IntensityChange* changes, SumsTable table, float* y) {
  const Part part(k, y);
  const IntensityChange d = changes[part.plane];
  const bool contrast = d.contrast != 1;
  if (!contrast && d.brightness == 1 && d.shift == 0) return;
  Moments m;
  if (contrast) m = moments_of_stage(k, table, kContrast, part.plane);
  for (unsigned i = part.begin + threadIdx.x; i < part.end; i += kBlock) {
    const float v = part.at(k, i);
    part.at(k, i) = (contrast ? contrasted(v, float(m.mean), m.low, m.high, d.contrast) : v) * d.brightness + d.shift;
  }
}

template <bool Inverted>
struct Gamma {
  static constexpr Stage kBefore = Inverted ? kInverted : kGamma, kAfter = Inverted ? kInvertedPower : kGammaPower;
  static constexpr float kSign = Inverted ? -1.0f : 1.0f;
  static __device__ float exponent(const IntensityChange& d) { return Inverted ? d.inverted_gamma : d.gamma; }
};

/// Powers in place of values; a channel without a range stays as it is.
template <bool Inverted>
__global__ void __launch_bounds__(kBlock) raise_to_power(ChangeGrid k, const IntensityChange* changes, SumsTable table, float* y) {
  using G = Gamma<Inverted>;
  const Part part(k, y);
  const float exponent = G::exponent(changes[part.plane]);
  if (exponent == 1) return;
  const Moments before = moments_of_stage(k, table, G::kBefore, part.plane);
  const float range = before.high - before.low;
  if (!(range > 0)) return;
  Sums mine;
  for (unsigned i = part.begin + threadIdx.x; i < part.end; i += kBlock) {
    const float v = raised(G::kSign * part.at(k, i), before.low, range, exponent);
    mine.add(v);
    part.at(k, i) = v;
  }
  keep_sums(k, table, G::kAfter, part, mine);
}

/// The powers of the inverted gamma brought back, and what the gamma after it starts from measured.
__global__ void __launch_bounds__(kBlock) restore_inverted(ChangeGrid k, const IntensityChange* changes, SumsTable table, float* y) {
  using G = Gamma<true>;
  const Part part(k, y);
  const IntensityChange d = changes[part.plane];
  const bool measured = d.gamma != 1;
  if (d.inverted_gamma == 1 && !measured) return;
  Moments before;
  if (d.inverted_gamma != 1) before = moments_of_stage(k, table, G::kBefore, part.plane);
  const bool raised_before = before.high - before.low > 0;
  Moments after;
  if (raised_before) after = moments_of_stage(k, table, G::kAfter, part.plane);
  const Restored restored(before, after);
  Sums mine;
  for (unsigned i = part.begin + threadIdx.x; i < part.end; i += kBlock) {
    float v = part.at(k, i);
    if (raised_before) part.at(k, i) = v = G::kSign * restored(v);
    mine.add(v);
  }
  if (measured) keep_sums(k, table, kGamma, part, mine);
}

/// The powers of the gamma brought back, and noise: four voxels a Philox block, as on the CPU.
__global__ void __launch_bounds__(kBlock)
    restore_and_add_noise(ChangeGrid k, const IntensityChange* changes, const std::uint64_t* keys, SumsTable table, float* y) {
  using G = Gamma<false>;
  const Part part(k, y);
  const IntensityChange d = changes[part.plane];
  if (d.gamma == 1 && !(d.noise > 0)) return;
  Moments before, after;
  if (d.gamma != 1) before = moments_of_stage(k, table, G::kBefore, part.plane);
  const bool raised_before = before.high - before.low > 0;
  if (raised_before) after = moments_of_stage(k, table, G::kAfter, part.plane);
  const Restored restored(before, after);
  const Random random(keys[2 * part.plane], keys[2 * part.plane + 1]);
  for (unsigned i = part.begin + 4 * threadIdx.x; i < part.end; i += 4 * kBlock) {
    float noise[4] = {0, 0, 0, 0};
    if (d.noise > 0) normal_quad(random.bits(i), d.noise, noise, [](float turns, float& c, float& s) { sincospif(2 * turns, &s, &c); });
#pragma unroll
    for (unsigned j = 0; j < 4; ++j) {
      if (i + j >= part.end) break;
      const float v = part.at(k, i + j);
      part.at(k, i + j) = (raised_before ? restored(v) : v) + noise[j];
    }
  }
}

std::size_t workspace_bytes(const PatchChange& p) {
  const ChangeGrid k = change_grid(p);
  return std::size_t(kStages) * std::size_t(k.planes) * k.parts * sizeof(Sums);
}

Kernel make_change(const PatchChange& p) {
  const ChangeGrid k = change_grid(p);
  const std::array<LineCut, 3> cuts{line_cut(p, 0), line_cut(p, 1), line_cut(p, 2)};
  return [k, cuts, bytes = std::size_t(k.planes) * k.voxels * sizeof(float)](void* const* o) {
    const auto* changes = static_cast<const IntensityChange*>(o[1]);
    const auto* keys = static_cast<const std::uint64_t*>(o[2]);
    auto* y = static_cast<float*>(o[3]);
    const SumsTable table{static_cast<Sums*>(o[4])};
    check(cudaMemcpyAsync(y, o[0], bytes, cudaMemcpyDeviceToDevice, stream()), "cudaMemcpyAsync");
    auto lines = [&](const char* name, auto kernel) {
      for (const LineCut& cut : cuts)
        start(name, dim3(grid_blocks(k.planes * cut.tiles)), dim3(kBlock), std::size_t(cut.together) * cut.length * sizeof(float), kernel,
              k, cut, changes, y);
    };
    auto voxels = [&](const char* name, auto kernel, auto... given) {
      start(name, dim3(grid_blocks(k.planes * k.parts)), dim3(kBlock), 0, kernel, k, changes, given..., table, y);
    };
    lines("change_intensity_blur", change_lines<BlurLine>);
    voxels("change_intensity_moments", measure<false>);
    voxels("change_intensity_levels", change_levels);
    lines("change_intensity_resolution", change_lines<LowerLine>);
    voxels("change_intensity_moments", measure<true>);
    voxels("change_intensity_power", raise_to_power<true>);
    voxels("change_intensity_restore", restore_inverted);
    voxels("change_intensity_power", raise_to_power<false>);
    voxels("change_intensity_noise", restore_and_add_noise, keys);
  };
}

}  // namespace

void install_intensity() {
  change_intensity_kernel.set(DeviceType::cuda, make_change);
  set_change_workspace(DeviceType::cuda, workspace_bytes);
}

}  // namespace tenon::cuda
