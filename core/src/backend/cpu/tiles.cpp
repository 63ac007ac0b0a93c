#include "backend/cpu/tiles.hpp"

#include "backend/cpu/half.hpp"
#include "kernels/elementwise.hpp"
#include "ops/convert.hpp"
#include "ops/dispatch.hpp"

namespace tenon::cpu {
namespace {

using kernels::Complex;

template <class From, class C>
void load(const void* from, std::int64_t step, C* to, std::int64_t n) {
  auto x = static_cast<const From*>(from);
  if constexpr (std::is_same_v<From, f16> && std::is_same_v<C, float>) {
    if (step == 1) return half_loops().to_float(n, x, to);
  }
  if (step == 1) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = convert<C>(x[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i] = convert<C>(x[i * step]);
  }
}

template <class To, class C>
void store(const C* from, void* to, std::int64_t step, std::int64_t n) {
  auto y = static_cast<To*>(to);
  if constexpr (std::is_same_v<To, f16> && std::is_same_v<C, float>) {
    if (step == 1) return half_loops().from_float(n, from, y);
  }
  if (step == 1) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = convert<To>(from[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) y[i * step] = convert<To>(from[i]);
  }
}

}  // namespace

template <class C>
LoadTile<C> tile_loader(DType stored) {
  if constexpr (kernels::is_complex_v<C>) {
    return load<C, C>;
  } else {
    return dispatch_all(stored, [](auto tag) -> LoadTile<C> {
      using From = typename decltype(tag)::type;
      if constexpr (std::is_same_v<kernels::Computed<From>, C>)
        return load<From, C>;
      else
        return nullptr;
    });
  }
}

template <class C>
StoreTile<C> tile_storer(DType stored) {
  if (stored == DType::c64) return store<Complex<float>, C>;
  if (stored == DType::c128) return store<Complex<double>, C>;
  if constexpr (kernels::is_complex_v<C>) {
    return nullptr;
  } else {
    return dispatch_all(stored, [](auto tag) -> StoreTile<C> { return store<typename decltype(tag)::type, C>; });
  }
}

#define TENON_TILES(C)                        \
  template LoadTile<C> tile_loader<C>(DType); \
  template StoreTile<C> tile_storer<C>(DType);
TENON_TILES(float)
TENON_TILES(double)
TENON_TILES(std::int64_t)
TENON_TILES(Complex<float>)
TENON_TILES(Complex<double>)
#undef TENON_TILES

}  // namespace tenon::cpu
