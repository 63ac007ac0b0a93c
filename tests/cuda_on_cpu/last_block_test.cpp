// Who adds up what blocks leave: the last one of them where that is little work, else many of a launch of its own.
#include <array>
#include <catch2/catch.hpp>

#include "ops/norm.cuh"

using namespace tenon;
using namespace tenon::cuda;

namespace {

/// Of channels that are each a group of their own.
template <int Lanes>
bool finishes(std::int64_t samples, std::int64_t voxels, std::int64_t channels) {
  ChannelNorm p{};
  p.dtype = DType::bf16, p.samples = samples, p.voxels = voxels, p.channels = p.groups = channels;
  return finishes_itself<Lanes>(cut_for_sums(p, Lanes));
}

/// Left by each of `blocks`, and added up by the last.
__global__ void count_blocks(int* left, int* sum) {
  if (threadIdx.x == 0) left[blockIdx.x] = int(blockIdx.x) + 1;
  if (!is_last_block(blockIdx.x % 2, gridDim.x / 2)) return;
  if (threadIdx.x != 0) return;
  int all[1], total = 0;
  for (unsigned b = blockIdx.x % 2; b < gridDim.x; b += 2) {
    load_left<int, 1>(left + b, all);
    total += all[0];
  }
  sum[blockIdx.x % 2] += total;
}

}  // namespace

TEST_CASE("one block does not add up what takes longer than a launch", "[cuda_on_cpu]") {
  CHECK(finishes<8>(2, 40 * 56 * 40, 32));   // the finest level of a U-Net: 88 parts by eight at once
  CHECK(finishes<8>(2, 350, 256));
  CHECK(finishes<4>(1, 64, 1000));
  CHECK_FALSE(finishes<4>(1, 38400, 300));   // the first norm of Basset: 300 parts, one at once
  CHECK_FALSE(finishes<8>(1, 12800, 200));
  CHECK_FALSE(finishes<1>(2000, 350, 3));    // more groups of blocks than are counted
}

TEST_CASE("the last block of each group is found in every launch anew", "[cuda_on_cpu]") {
  std::array<int, 12> left{};
  std::array<int, 2> sum{};
  for (int run = 1; run <= 3; ++run) {
    start("count_blocks", dim3(12), dim3(32), 0, count_blocks, left.data(), sum.data());
    CHECK(sum[0] == run * 36);
    CHECK(sum[1] == run * 42);
  }
}
