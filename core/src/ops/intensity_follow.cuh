/// What follows on a change of grey values on the device: the changes that a voxel decides alone, and the moments of a channel that the
/// next change begins with (private).
///
/// Moments are sums of parts of a fixed size, added in a fixed order by every block that wants them.
#pragma once

#include "backend/cuda/row_team.cuh"
#include "ops/intensity_lines.cuh"
#include "tenon/random.hpp"

namespace tenon::cuda {

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
__device__ inline Sums block_sums(Sums s) {
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

__device__ inline Moments moments_of_stage(const ChangeGrid& k, const SumsTable& table, Stage stage, std::int64_t plane) {
  const Sums* parts = table.of(k, stage, plane);
  const Sums all = block_sums(threadIdx.x < k.parts ? parts[threadIdx.x] : Sums{});
  return moments_of(all.sum, all.squares, all.low, all.high, k.voxels);
}

__device__ inline void keep_sums(const ChangeGrid& k, const SumsTable& table, Stage stage, const Part& part, const Sums& mine) {
  const Sums all = block_sums(mine);
  if (threadIdx.x == 0) table.of(k, stage, part.plane)[part.index] = all;
}

/// What is done with a value that a kernel has made, before the change after that.
struct Follow {
  bool levels = false;       ///< brightness and shift
  Stage measured = kStages;  ///< the sums of this stage
  bool noise = false;
};

__device__ inline bool blurs(const IntensityChange& d) {
  return d.blur > 0;
}
__device__ inline bool lowers(const ChangeGrid& k, const IntensityChange& d) {
  return LowerLine::drawn(d, k.size[0]) || LowerLine::drawn(d, k.size[1]) || LowerLine::drawn(d, k.size[2]);
}

__device__ inline Follow after_gamma(const IntensityChange& d) {
  return {false, kStages, d.noise > 0};
}
__device__ inline Follow after_inverted_gamma(const IntensityChange& d) {
  return d.gamma != 1 ? Follow{false, kGamma} : after_gamma(d);
}
__device__ inline Follow after_resolution(const IntensityChange& d) {
  return d.inverted_gamma != 1 ? Follow{false, kInverted} : after_inverted_gamma(d);
}
__device__ inline Follow after_contrast(const ChangeGrid& k, const IntensityChange& d) {
  Follow f = lowers(k, d) ? Follow{} : after_resolution(d);
  f.levels = d.contrast != 1 || d.brightness != 1 || d.shift != 0;
  return f;
}
__device__ inline Follow after_blur(const ChangeGrid& k, const IntensityChange& d) {
  return d.contrast != 1 ? Follow{false, kContrast} : after_contrast(k, d);
}
__device__ inline Follow after_cutting(const ChangeGrid& k, const IntensityChange& d) {
  return blurs(d) ? Follow{} : after_blur(k, d);
}

/// Follows on the values of a block's part.
class Follower {
 public:
  __device__ Follower(const Follow& follow, const IntensityChange& change, const std::uint64_t* key)
      : follow_(follow), change_(change), random_(key[0], key[1]) {}

  __device__ float operator()(float v, unsigned voxel) {
    if (follow_.levels) v = v * change_.brightness + change_.shift;
    if (follow_.measured != kStages) mine_.add(follow_.measured == kInverted ? -v : v);
    if (follow_.noise)
      v += normal_of(random_.bits(voxel / 4 * 4), voxel % 4, change_.noise,
                     [](float turns, float& c, float& s) { sincospif(2 * turns, &s, &c); });
    return v;
  }
  /// After the last value; all threads of the block come here together.
  __device__ void keep(const ChangeGrid& k, const SumsTable& table, const Part& part) const {
    if (follow_.measured != kStages) keep_sums(k, table, follow_.measured, part, mine_);
  }

 private:
  Follow follow_;
  IntensityChange change_;
  Random random_;
  Sums mine_;
};

/// What every kernel here is given.
struct Changes {
  ChangeGrid grid;
  const IntensityChange* drawn;
  const std::uint64_t* keys;
  SumsTable table;
  float* y;
};

/// make(voxel) for the voxels of a part, and what follows.
template <class Make>
__device__ inline void make_part(const Changes& c, const Part& part, const Follow& follow, const Make& make) {
  Follower next(follow, c.drawn[part.plane], c.keys + 2 * part.plane);
  for (unsigned i = part.begin + threadIdx.x; i < part.end; i += kBlock) part.at(c.grid, i) = next(make(i), i);
  next.keep(c.grid, c.table, part);
}

}  // namespace tenon::cuda
