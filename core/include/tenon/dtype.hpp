/// Element types of tensors, and the two 16-bit floating point formats as storage types.
///
/// Arithmetic is never done in 16 bits: kernels load to float, compute, and round to nearest even on store. Complex numbers are stored as
/// std::complex stores them: c64 is two f32, c128 two f64.
#pragma once

#include <bit>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tenon/export.hpp"

#if defined(__CUDACC__)
#define TENON_HD __host__ __device__
#else
#define TENON_HD
#endif

namespace tenon {

enum class DType : std::uint8_t { f32, f64, f16, bf16, i8, i16, i32, i64, u8, boolean, c64, c128 };

/// Brain floating point: the upper half of a float.
struct bf16 {
  std::uint16_t bits = 0;
  bf16() = default;
  TENON_HD explicit bf16(float v) noexcept {
    auto u = std::bit_cast<std::uint32_t>(v);
    bits = (u & 0x7fffffffu) > 0x7f800000u ? std::uint16_t((u >> 16) | 0x40u)
                                           : std::uint16_t((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
  TENON_HD explicit operator float() const noexcept { return std::bit_cast<float>(std::uint32_t(bits) << 16); }
};

/// IEEE binary16.
struct f16 {
  std::uint16_t bits = 0;
  f16() = default;
  TENON_HD explicit f16(float v) noexcept {
    auto u = std::bit_cast<std::uint32_t>(v);
    std::uint32_t sign = (u >> 16) & 0x8000u, mag = u & 0x7fffffffu;
    if (mag > 0x7f800000u) {
      bits = std::uint16_t(sign | 0x7e00u);
    } else if (mag >= 0x477ff000u) {
      bits = std::uint16_t(sign | 0x7c00u);
    } else if (mag < 0x38800000u) {  // subnormal: align through a float addition, which rounds to even
      float aligned = std::bit_cast<float>(mag) + 0.5f;
      bits = std::uint16_t(sign | (std::bit_cast<std::uint32_t>(aligned) - 0x3f000000u));
    } else {
      bits = std::uint16_t(sign | ((mag - 0x38000000u + 0xfffu + ((mag >> 13) & 1u)) >> 13));
    }
  }
  TENON_HD explicit operator float() const noexcept {
    std::uint32_t sign = std::uint32_t(bits & 0x8000u) << 16, exp = (bits >> 10) & 31u, man = bits & 0x3ffu;
    if (exp == 31) return std::bit_cast<float>(sign | 0x7f800000u | (man << 13));
    if (exp == 0) {
      float sub = float(man) * 5.9604644775390625e-08f;  // 2^-24
      return sign ? -sub : sub;
    }
    return std::bit_cast<float>(sign | ((exp + 112u) << 23) | (man << 13));
  }
};

TENON_API std::size_t size_of(DType t) noexcept;
TENON_API std::string_view name_of(DType t) noexcept;  ///< "f32", "bf16", "bool"...
TENON_API DType dtype_from_name(std::string_view name);
inline bool is_floating(DType t) noexcept { return t <= DType::bf16; }  ///< real floating point
inline bool is_complex(DType t) noexcept { return t >= DType::c64; }
inline bool has_gradient(DType t) noexcept { return is_floating(t) || is_complex(t); }
/// The type of the parts of a complex type.
inline DType part_of(DType t) noexcept { return t == DType::c64 ? DType::f32 : t == DType::c128 ? DType::f64 : t; }

template <class T> struct dtype_of_impl {
  static_assert(sizeof(T) == 0, "no tensor has elements of this type: see tenon::DType for those there are");
};
template <> struct dtype_of_impl<float> { static constexpr DType value = DType::f32; };
template <> struct dtype_of_impl<double> { static constexpr DType value = DType::f64; };
template <> struct dtype_of_impl<f16> { static constexpr DType value = DType::f16; };
template <> struct dtype_of_impl<bf16> { static constexpr DType value = DType::bf16; };
template <> struct dtype_of_impl<std::int8_t> { static constexpr DType value = DType::i8; };
template <> struct dtype_of_impl<std::int16_t> { static constexpr DType value = DType::i16; };
template <> struct dtype_of_impl<std::int32_t> { static constexpr DType value = DType::i32; };
template <> struct dtype_of_impl<std::int64_t> { static constexpr DType value = DType::i64; };
template <> struct dtype_of_impl<std::uint8_t> { static constexpr DType value = DType::u8; };
template <> struct dtype_of_impl<bool> { static constexpr DType value = DType::boolean; };
template <> struct dtype_of_impl<std::complex<float>> { static constexpr DType value = DType::c64; };
template <> struct dtype_of_impl<std::complex<double>> { static constexpr DType value = DType::c128; };
/// The DType of a C++ element type.
template <class T> inline constexpr DType dtype_of = dtype_of_impl<T>::value;

}  // namespace tenon
