#include "backend/cpu/amx_pack.hpp"

// GCC 12 warns of its own _mm512_undefined, which is meant to be uninitialised.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "backend/backend.hpp"

#define TENON_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#define TENON_AMX __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512vl,avx512dq")))

namespace tenon::cpu {
namespace {

/// Transposes a 16 x 16 matrix of 32-bit values held in rows.
TENON_AVX512 inline void transpose_16x16(__m512i (&r)[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
  }
  for (int i = 0; i < 8; ++i) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
  }
}

}  // namespace

TENON_AVX512 void amx_transpose(const bf16* from, std::int64_t step, std::int64_t channels, std::int64_t voxels, std::int64_t begin,
                                std::int64_t end, bf16* to, std::int64_t to_pitch) {
  __m512i even, odd;
  {
    alignas(64) std::uint16_t e[32], o[32];
    for (int i = 0; i < 32; ++i) {
      e[i] = std::uint16_t(2 * i);
      o[i] = std::uint16_t(2 * i + 1);
    }
    even = _mm512_load_si512(e);
    odd = _mm512_load_si512(o);
  }
  for (std::int64_t c = 0; c < channels; c += 32) {
    std::int64_t here = std::min<std::int64_t>(32, channels - c), rows = (here + 15) / 16 * 16;
    __mmask32 mask = here == 32 ? ~__mmask32(0) : (__mmask32(1) << here) - 1;
    for (std::int64_t v = 0; v < voxels; v += 32) {
      __m512i low[16], high[16];
      const bf16* p = from + v * step + c;
      bool half = voxels - v <= 16;  // a row's tail, often: only the first 16 are wanted
      if (v >= begin && v + (half ? 16 : 32) <= end) {
        for (int i = 0; i < 16; ++i) low[i] = _mm512_maskz_loadu_epi16(mask, p + i * step);
        if (!half)
          for (int i = 0; i < 16; ++i) high[i] = _mm512_maskz_loadu_epi16(mask, p + (i + 16) * step);
      } else {
        for (int i = 0; i < 16; ++i) {
          bool l = v + i >= begin && v + i < end, h = v + i + 16 >= begin && v + i + 16 < end;
          low[i] = l ? _mm512_maskz_loadu_epi16(mask, p + i * step) : _mm512_setzero_si512();
          high[i] = h ? _mm512_maskz_loadu_epi16(mask, p + (i + 16) * step) : _mm512_setzero_si512();
        }
      }
      bf16* row = to + c * to_pitch + v;
      transpose_16x16(low);
      if (half) {
        for (std::int64_t i = 0; i < rows / 2; ++i) {
          _mm256_storeu_si256(reinterpret_cast<__m256i*>(row + 2 * i * to_pitch),
                              _mm512_castsi512_si256(_mm512_permutexvar_epi16(even, low[i])));
          _mm256_storeu_si256(reinterpret_cast<__m256i*>(row + (2 * i + 1) * to_pitch),
                              _mm512_castsi512_si256(_mm512_permutexvar_epi16(odd, low[i])));
        }
        continue;
      }
      transpose_16x16(high);
      for (std::int64_t i = 0; i < rows / 2; ++i) {
        _mm512_storeu_si512(row + 2 * i * to_pitch, _mm512_permutex2var_epi16(low[i], even, high[i]));
        _mm512_storeu_si512(row + (2 * i + 1) * to_pitch, _mm512_permutex2var_epi16(low[i], odd, high[i]));
      }
    }
  }
}

TENON_AVX512 void amx_pair(const bf16* from, const std::int64_t* at, std::int64_t depth, std::int64_t channels, bf16* to,
                           std::int64_t block_pitch) {
  alignas(64) std::uint16_t order[32];
  for (int i = 0; i < 16; ++i) {
    order[2 * i] = std::uint16_t(i);
    order[2 * i + 1] = std::uint16_t(i + 32);
  }
  __m512i interleave = _mm512_load_si512(order);
  for (std::int64_t k = 0; k < depth; k += 2) {
    const bf16 *first = from + at[k], *second = from + at[k + 1];
    for (std::int64_t c = 0; c < channels; c += 16) {
      __mmask16 mask = channels - c >= 16 ? __mmask16(0xffff) : __mmask16((1u << (channels - c)) - 1);
      __m256i a = at[k] >= 0 ? _mm256_maskz_loadu_epi16(mask, first + c) : _mm256_setzero_si256();
      __m256i b = at[k + 1] >= 0 ? _mm256_maskz_loadu_epi16(mask, second + c) : _mm256_setzero_si256();
      _mm512_store_si512(to + c / 16 * block_pitch + k * 16,
                         _mm512_permutex2var_epi16(_mm512_castsi256_si512(a), interleave, _mm512_castsi256_si512(b)));
    }
  }
}

// Tiles 0..3 accumulate c[0][0], c[0][1], c[1][0], c[1][1]; 4 and 5 hold A, 6 and 7 hold B.
TENON_AMX void amx_multiply(const AmxProduct& p, const bf16* a, const std::int64_t* a_at, const bf16* b, const std::int64_t* b_at,
                            std::int64_t segments, bool fresh, float* c) {
  constexpr std::int64_t kTile = kAmxRows * kAmxRows, kTileBytes = 64;
  float* c10 = c + p.c_row_pitch;
  auto pitch = p.a_pitch * 2;
  bool two_a = p.a_blocks == 2, two_b = p.b_blocks == 2;
  if (fresh) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, c, kTileBytes);
    if (two_b) _tile_loadd(1, c + kTile, kTileBytes);
    if (two_a) _tile_loadd(2, c10, kTileBytes);
    if (two_a && two_b) _tile_loadd(3, c10 + kTile, kTileBytes);
  }
  for (std::int64_t s = 0; s < segments; ++s) {
    const bf16 *a0 = a + a_at[s], *a1 = a0 + kAmxRows * p.a_pitch, *b0 = b + b_at[s], *b1 = b0 + p.b_block_pitch;
    if (two_a && two_b) {
      for (std::int64_t k = 0; k < p.steps; ++k) {
        _tile_loadd(6, b0 + k * 512, kTileBytes);
        _tile_loadd(4, a0 + k * kAmxDepth, pitch);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, b1 + k * 512, kTileBytes);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(5, a1 + k * kAmxDepth, pitch);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
    } else if (two_a) {
      for (std::int64_t k = 0; k < p.steps; ++k) {
        _tile_loadd(6, b0 + k * 512, kTileBytes);
        _tile_loadd(4, a0 + k * kAmxDepth, pitch);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(5, a1 + k * kAmxDepth, pitch);
        _tile_dpbf16ps(2, 5, 6);
      }
    } else if (two_b) {
      for (std::int64_t k = 0; k < p.steps; ++k) {
        _tile_loadd(4, a0 + k * kAmxDepth, pitch);
        _tile_loadd(6, b0 + k * 512, kTileBytes);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, b1 + k * 512, kTileBytes);
        _tile_dpbf16ps(1, 4, 7);
      }
    } else {
      for (std::int64_t k = 0; k < p.steps; ++k) {
        _tile_loadd(4, a0 + k * kAmxDepth, pitch);
        _tile_loadd(6, b0 + k * 512, kTileBytes);
        _tile_dpbf16ps(0, 4, 6);
      }
    }
  }
  _tile_stored(0, c, kTileBytes);
  if (two_b) _tile_stored(1, c + kTile, kTileBytes);
  if (two_a) _tile_stored(2, c10, kTileBytes);
  if (two_a && two_b) _tile_stored(3, c10 + kTile, kTileBytes);
}

bool amx_usable() {
  static const bool usable = [] {
    if (!cpu_has_amx_bf16() || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl") ||
        !__builtin_cpu_supports("avx512dq"))
      return false;
    constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA of asm/prctl.h
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  }();
  return usable;
}

TENON_AMX void amx_begin() {
  struct alignas(64) Config {  // the layout LDTILECFG reads; static, because the intrinsic declares only its first bytes as read
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  };
  static const Config config;
  _tile_loadconfig(&config);
}

TENON_AMX void amx_end() {
  _tile_release();
}

}  // namespace tenon::cpu
