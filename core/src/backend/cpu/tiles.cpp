#include "backend/cpu/tiles.hpp"

#include "kernels/elementwise.hpp"
#include "ops/convert.hpp"
#include "ops/dispatch.hpp"

#define TENON_ISA_FILE "backend/cpu/simd/tiles.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon::cpu {
namespace {

using kernels::Complex;

template <class From, class To>
ConvertRange best_range() {
  static const ConvertRange range = TENON_BY_ISA(convert_range<From, To>);
  return range;
}

template <class From, class C>
void load(const void* from, std::int64_t step, C* to, std::int64_t n) {
  if (step == 1) return best_range<From, C>()(from, to, n);
  auto x = static_cast<const From*>(from);
  if (step == 0) return void(std::fill_n(to, n, convert<C>(*x)));
  for (std::int64_t i = 0; i < n; ++i) to[i] = convert<C>(x[i * step]);
}

template <class To, class C>
void store(const C* from, void* to, std::int64_t step, std::int64_t n) {
  if (step == 1) return best_range<C, To>()(from, to, n);
  auto y = static_cast<To*>(to);
  for (std::int64_t i = 0; i < n; ++i) y[i * step] = convert<To>(from[i]);
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

ConvertRange range_converter(DType from, DType to) {
  if (is_complex(from) || is_complex(to)) return nullptr;
  return dispatch_all(from, [&](auto in) -> ConvertRange {
    using From = typename decltype(in)::type;
    return dispatch_all(to, [](auto out) -> ConvertRange {
      using To = typename decltype(out)::type;
      constexpr bool narrow = std::is_integral_v<From> && sizeof(From) < 8, to_half = sizeof(To) == 2 && !std::is_integral_v<To>;
      if constexpr (std::is_same_v<From, kernels::Computed<From>> || std::is_same_v<To, kernels::Computed<From>> || (narrow && !to_half))
        return best_range<From, To>();
      else
        return nullptr;
    });
  });
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
