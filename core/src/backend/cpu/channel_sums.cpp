#include "backend/cpu/channel_sums.hpp"

#include <algorithm>

namespace tenon::cpu {
namespace {

constexpr std::int64_t kBlock = 256;  // rows added up in f32 before the sum moves to double
constexpr std::int64_t kLanes = 16;   // channels at a time: the sums stay in registers

template <std::int64_t kWidth, class T>
void sum_lanes(const T* x, std::int64_t voxels, std::int64_t channels, double* sums) {
  for (std::int64_t begin = 0; begin < voxels; begin += kBlock) {
    float block[kWidth] = {};
    std::int64_t end = std::min(voxels, begin + kBlock);
    for (std::int64_t v = begin; v < end; ++v)
      for (std::int64_t c = 0; c < kWidth; ++c) block[c] += float(x[v * channels + c]);
    for (std::int64_t c = 0; c < kWidth; ++c) sums[c] += block[c];
  }
}

}  // namespace

template <class T>
void channel_sums(const T* x, std::int64_t voxels, std::int64_t channels, double* sums) {
  std::fill(sums, sums + channels, 0.0);
  std::int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) sum_lanes<kLanes>(x + c, voxels, channels, sums + c);
  for (; c < channels; ++c) sum_lanes<1>(x + c, voxels, channels, sums + c);
}

template <class T>
void add_channels(T* x, std::int64_t voxels, std::int64_t channels, const float* bias) {
  for (std::int64_t v = 0; v < voxels; ++v)
    for (std::int64_t c = 0; c < channels; ++c) x[v * channels + c] = T(float(x[v * channels + c]) + bias[c]);
}

template void channel_sums<float>(const float*, std::int64_t, std::int64_t, double*);
template void channel_sums<bf16>(const bf16*, std::int64_t, std::int64_t, double*);
template void add_channels<float>(float*, std::int64_t, std::int64_t, const float*);
template void add_channels<bf16>(bf16*, std::int64_t, std::int64_t, const float*);

}  // namespace tenon::cpu
