/// Sums over voxels of channels-last data, and adding a value a channel: what stands around a convolution's bias.
#pragma once

#include <cstdint>

#include "tenon/dtype.hpp"

namespace tenon::cpu {

/// sums[c] = sum of x[v, c] over `voxels` rows; carried in double over blocks of f32 sums. Serial; the order is fixed.
template <class T>
void channel_sums(const T* x, std::int64_t voxels, std::int64_t channels, double* sums);
/// x[v, c] += bias[c]. Serial.
template <class T>
void add_channels(T* x, std::int64_t voxels, std::int64_t channels, const float* bias);

extern template void channel_sums<float>(const float*, std::int64_t, std::int64_t, double*);
extern template void channel_sums<bf16>(const bf16*, std::int64_t, std::int64_t, double*);
extern template void add_channels<float>(float*, std::int64_t, std::int64_t, const float*);
extern template void add_channels<bf16>(bf16*, std::int64_t, std::int64_t, const float*);

}  // namespace tenon::cpu
