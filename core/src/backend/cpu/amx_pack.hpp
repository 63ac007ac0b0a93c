/// bf16 operands of a convolution's weight gradient in the shapes that AMX tiles want (private to conv_amx.cpp).
///
/// The product's depth runs over voxels. A tiles hold 16 channels x 32 consecutive voxels: channels-last data is
/// transposed. B tiles hold 16 voxel pairs x 16 channels, the two voxels of a pair side by side.
#pragma once

#include <cstdint>

#include "tenon/dtype.hpp"

namespace tenon::cpu {

inline constexpr std::int64_t kAmxRows = 16;   // channels of a tile
inline constexpr std::int64_t kAmxDepth = 32;  // voxels of a tile

/// Writes to[c * to_pitch + v] = voxel v's channel c for `channels` channels (rounded up to 16, missing ones zero) and
/// `voxels` voxels. Voxel v is at from + v * step; those outside [begin, end) are zero. May write up to 31 values past
/// the last voxel of a row.
void amx_transpose(const bf16* from, std::int64_t step, std::int64_t channels, std::int64_t voxels, std::int64_t begin, std::int64_t end,
                   bf16* to, std::int64_t to_pitch);

/// Interleaves pairs: to[block * block_pitch + (k / 2) * 32 + 2 c + k % 2] = channel 16 block + c of voxel k, for `channels`
/// channels (rounded up to 16). `at[k]`: element offset of voxel k, or -1 for zeros; `depth` is even.
void amx_pair(const bf16* from, const std::int64_t* at, std::int64_t depth, std::int64_t channels, bf16* to, std::int64_t block_pitch);

/// One product of at most 2 x 2 tiles: c[ib][ob] (+)= sum over segments and steps of A x B.
struct AmxProduct {
  std::int64_t a_blocks, b_blocks;  ///< 1 or 2 each
  std::int64_t a_pitch;             ///< elements between channels of A
  std::int64_t b_block_pitch;       ///< elements between channel blocks of B
  std::int64_t c_row_pitch;         ///< floats between tiles of successive channel blocks of A; B's follow each other
  std::int64_t steps;               ///< tiles of depth in a segment
};
/// Segment s reads A at a + a_at[s] and B at b + b_at[s]. `fresh`: c is written, not added to.
void amx_multiply(const AmxProduct& p, const bf16* a, const std::int64_t* a_at, const bf16* b, const std::int64_t* b_at,
                  std::int64_t segments, bool fresh, float* c);

/// Asks the kernel once for the right to use tiles. False where the CPU or the kernel has none.
bool amx_usable();
void amx_begin();  ///< configures this thread's tiles; amx_multiply needs it
void amx_end();

}  // namespace tenon::cpu
