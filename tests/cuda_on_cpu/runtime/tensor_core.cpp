#include "cuda_on_cpu/tensor_core.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "tenon/error.hpp"

namespace tenon::cuda::mma {
namespace {

void must_lie_on_16_bytes(const void* p, const char* what) {
  if (reinterpret_cast<std::uintptr_t>(p) % 16 != 0) throw Error(ErrorKind::internal, "cuda_on_cpu", std::string(what) + " does not lie on 16 bytes");
}

template <class T>
float half_of(std::uint32_t two, int which) {
  const auto halves = std::bit_cast<std::array<std::uint16_t, 2>>(two);
  return float(std::bit_cast<T>(halves[std::size_t(which)]));
}

struct Matrices {
  std::uint32_t (*r)[4];
  const std::uint16_t* row;
};

/// Number `column` of row `row` of matrix `m`, as its bits.
std::uint32_t number_of(void* const* lanes, int m, int row, int column) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, static_cast<const Matrices*>(lanes[8 * m + row])->row + column, sizeof bits);
  return bits;
}

template <bool Turned>
void load_all(void* const* lanes) {
  std::uint32_t result[32][4];
  for (int l = 0; l < 32; ++l)
    for (int m = 0; m < 4; ++m) {
      const int g = l / 4, t = l % 4;
      const std::uint32_t low = Turned ? number_of(lanes, m, 2 * t, g) : number_of(lanes, m, g, 2 * t);
      const std::uint32_t high = Turned ? number_of(lanes, m, 2 * t + 1, g) : number_of(lanes, m, g, 2 * t + 1);
      result[l][m] = low | high << 16;
    }
  for (int l = 0; l < 32; ++l) std::memcpy(*static_cast<const Matrices*>(lanes[l])->r, result[l], sizeof result[l]);
}

/// Towards 0, as tensor cores do.
float cut_off(double x) {
  const float nearest = float(x);
  return std::abs(double(nearest)) > std::abs(x) ? std::nextafter(nearest, 0.0f) : nearest;
}

struct Fragments {
  float* c;
  float a[8], b[4];  ///< bf16, f16: two a register; TF32: one
};

/// `Pairs`: numbers of a register. Depth of a product: 8 registers of it.
template <int Pairs>
void multiply_all(void* const* lanes) {
  double a[16][8 * Pairs], b[8 * Pairs][8];
  for (int l = 0; l < 32; ++l) {
    const auto& f = *static_cast<const Fragments*>(lanes[l]);
    const int g = l / 4, t = l % 4;
    for (int i = 0; i < Pairs; ++i)
      for (int r = 0; r < 2; ++r) {
        const int k = Pairs * t + i + 4 * Pairs * r;
        a[g][k] = double(f.a[(2 * r) * Pairs + i]);
        a[g + 8][k] = double(f.a[(2 * r + 1) * Pairs + i]);
        b[k][g] = double(f.b[r * Pairs + i]);
      }
  }
  for (int l = 0; l < 32; ++l) {
    const auto& f = *static_cast<const Fragments*>(lanes[l]);
    for (int e = 0; e < 4; ++e) {
      const int row = l / 4 + 8 * (e / 2), column = 2 * (l % 4) + e % 2;
      double sum = double(f.c[e]);
      for (int k = 0; k < 8 * Pairs; ++k) sum += a[row][k] * b[k][column];
      f.c[e] = cut_off(sum);
    }
  }
}

float of_tf32(float x) {
  if (!std::isnan(x) && std::bit_cast<std::uint32_t>(x) & 0x1fffu)
    throw Error(ErrorKind::internal, "cuda_on_cpu", "a tensor core is given " + std::to_string(x) + ", which is not rounded to TF32");
  return x;
}

}  // namespace

void fetch_16(void* to, const void* from, bool there) {
  must_lie_on_16_bytes(to, "the place of a fetch");
  must_lie_on_16_bytes(from, "what is fetched");
  on_cpu::copy_later(to, from, there ? 16 : 0, 16);
}

void load_four(std::uint32_t (&r)[4], const void* row, const char* file, int line) {
  must_lie_on_16_bytes(row, "a row of a matrix");
  Matrices mine{&r, static_cast<const std::uint16_t*>(row)};
  on_cpu::do_together(&mine, load_all<false>, {file, line});
}
void load_four_turned(std::uint32_t (&r)[4], const void* row, const char* file, int line) {
  must_lie_on_16_bytes(row, "a row of a matrix");
  Matrices mine{&r, static_cast<const std::uint16_t*>(row)};
  on_cpu::do_together(&mine, load_all<true>, {file, line});
}

template <class T>
void multiply(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1, const char* file, int line) {
  Fragments mine{c, {}, {half_of<T>(b0, 0), half_of<T>(b0, 1), half_of<T>(b1, 0), half_of<T>(b1, 1)}};
  for (int i = 0; i < 8; ++i) mine.a[i] = half_of<T>(a[i / 2], i % 2);
  on_cpu::do_together(&mine, multiply_all<2>, {file, line});
}
template void multiply<bf16>(float (&)[4], const std::uint32_t (&)[4], std::uint32_t, std::uint32_t, const char*, int);
template void multiply<f16>(float (&)[4], const std::uint32_t (&)[4], std::uint32_t, std::uint32_t, const char*, int);
void multiply_tf32(float (&c)[4], const float4& a, float b0, float b1, const char* file, int line) {
  Fragments mine{c, {of_tf32(a.x), of_tf32(a.y), of_tf32(a.z), of_tf32(a.w)}, {of_tf32(b0), of_tf32(b1)}};
  on_cpu::do_together(&mine, multiply_all<1>, {file, line});
}

template <class T>
std::uint32_t pair(float low, float high) {
  const T two[2] = {T(low), T(high)};
  return std::bit_cast<std::uint32_t>(two);
}
template std::uint32_t pair<bf16>(float, float);
template std::uint32_t pair<f16>(float, float);

float to_tf32(float x) {
  if (!std::isfinite(x)) return x;
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(x) + 0x1000u) & ~0x1fffu);
}

}  // namespace tenon::cuda::mma
