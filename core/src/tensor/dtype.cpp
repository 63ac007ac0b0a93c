#include "tenon/dtype.hpp"

#include <array>
#include <string>

#include "tenon/error.hpp"

namespace tenon {
namespace {
struct Entry {
  std::string_view name;
  std::size_t size;
};
constexpr std::array<Entry, 12> kTypes{{{"f32", 4}, {"f64", 8}, {"f16", 2}, {"bf16", 2}, {"i8", 1}, {"i16", 2}, {"i32", 4}, {"i64", 8}, {"u8", 1}, {"bool", 1}, {"c64", 8}, {"c128", 16}}};
}  // namespace

std::size_t size_of(DType t) noexcept { return kTypes[std::size_t(t)].size; }
std::string_view name_of(DType t) noexcept { return kTypes[std::size_t(t)].name; }

DType dtype_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kTypes.size(); ++i)
    if (kTypes[i].name == name) return DType(i);
  throw Error(ErrorKind::usage, "tensor.unknown_dtype", "unknown element type '" + std::string(name) + "'",
              "known: f32, f64, f16, bf16, i8, i16, i32, i64, u8, bool, c64, c128");
}

}  // namespace tenon
