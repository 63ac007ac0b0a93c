/// The conversion of f16 by every instruction set that this CPU has against the type's own conversions.
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <vector>

#define TENON_ISA_FILE "backend/cpu/simd/tiles.inl"
#include "kernels/foreach_isa.hpp"

using namespace tenon;

namespace {

struct Loops {
  decltype(&isa_base::convert_range<f16, float>) to_float;
  decltype(&isa_base::convert_range<float, f16>) from_float;
};

std::vector<Loops> available() {
  std::vector<Loops> all{{isa_base::convert_range<f16, float>, isa_base::convert_range<float, f16>}};
#if defined(__x86_64__)
  if (isa_level() >= 1) all.push_back({isa_avx2::convert_range<f16, float>, isa_avx2::convert_range<float, f16>});
  if (isa_level() >= 2) all.push_back({isa_avx512::convert_range<f16, float>, isa_avx512::convert_range<float, f16>});
#endif
  return all;
}

/// x[from, from + n) by either way, bit for bit; which NaN it is does not count on the way to float.
template <class In, class Out, class Loop>
std::size_t wrong(const std::vector<In>& x, const Loop& loop) {
  std::vector<Out> y(x.size());
  const auto n = std::int64_t(x.size());
  std::size_t count = 0;
  for (std::int64_t from = 0; from < n;)  // ends of all lengths, and from places that no vector is aligned to
    for (std::int64_t length : {1, 7, 16, 61, 1000}) {
      const std::int64_t m = std::min(length, n - from);
      loop(x.data() + from, y.data() + from, m);
      from += m;
    }
  for (std::size_t i = 0; i < x.size(); ++i) {
    if constexpr (std::is_same_v<Out, float>) {
      const float right = float(x[i]);
      count += std::isnan(right) ? !std::isnan(y[i]) : std::bit_cast<std::uint32_t>(right) != std::bit_cast<std::uint32_t>(y[i]);
    } else {
      count += y[i].bits != Out(x[i]).bits;
    }
  }
  return count;
}

}  // namespace

TEST_CASE("every instruction set converts f16 as the type does", "[dtype][isa]") {
  std::vector<f16> halves(65536);
  std::vector<float> floats;
  for (std::uint32_t i = 0; i < 65536; ++i) {
    halves[i].bits = std::uint16_t(i);
    const std::uint32_t middle = std::bit_cast<std::uint32_t>(float(halves[i])) + 0x1000u;  // half way to the next one
    for (std::uint32_t bits : {middle - 1, middle, middle + 1, i * 65537u}) floats.push_back(std::bit_cast<float>(bits));
  }
  for (const Loops& loops : available()) {
    CHECK(wrong<f16, float>(halves, loops.to_float) == 0);
    CHECK(wrong<float, f16>(floats, loops.from_float) == 0);
  }
}
