#include "climate/io/stored.hpp"

#include <algorithm>
#include <cmath>

namespace tenon::climate {

std::string text_of(const Texts& attributes, const std::string& name) {
  const auto found = attributes.find(name);
  return found == attributes.end() ? std::string() : found->second;
}

std::string link_of(const LabelledArray& a) {
  if (const std::string link = text_of(a.attributes, kLink); !link.empty()) return link;
  return a.attributes.count("grid_mapping_name") ? "grid_mapping" : "coordinates";
}

void keep_attribute(const Attribute& a, Texts& texts, Numbers& numbers) {
  if (a.is_text()) {
    texts[a.name] = a.text();
  } else if (!a.numbers.empty()) {
    numbers[a.name] = a.numbers;
    if (type_of_numbers({}, a.name, a.numbers) != a.type) texts[kStoredType + " " + a.name] = name_of(a.type);
  }
}

std::optional<NcType> type_from_name(std::string_view name) noexcept {
  for (int t = int(NcType::byte); t <= int(NcType::string); ++t)
    if (name_of(NcType(t)) == name) return NcType(t);
  return {};
}

NcType type_of_numbers(const Texts& attributes, const std::string& name, const std::vector<double>& values) {
  if (const auto type = type_from_name(text_of(attributes, kStoredType + " " + name)))
    if (std::all_of(values.begin(), values.end(), [&](double x) { return holds(*type, x); })) return *type;
  return std::all_of(values.begin(), values.end(), [](double x) { return holds(NcType::int32, x); }) ? NcType::int32 : NcType::float64;
}

bool holds(NcType type, double x) noexcept {
  if (type == NcType::float64) return true;
  if (type == NcType::float32) return std::isnan(x) || double(float(x)) == x;
  if (!is_integer(type) || x != std::floor(x) || std::isinf(x) || (x == 0 && std::signbit(x))) return false;
  const bool is_signed = type == NcType::byte || type == NcType::int16 || type == NcType::int32 || type == NcType::int64;
  const int digits = int(size_of(type)) * 8 - int(is_signed);
  return x < std::ldexp(1.0, digits) && x >= (is_signed ? -std::ldexp(1.0, digits) : 0.0);
}

bool is_classic(NcType type) noexcept { return type <= NcType::float64; }

std::vector<std::string> texts_of_rows(const Tensor& characters) {
  const Tensor flat = characters.contiguous();
  const std::int64_t length = flat.rank() ? flat.size(-1) : 1, rows = length ? flat.numel() / length : 0;
  std::vector<std::string> out;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto* from = static_cast<const char*>(flat.raw()) + r * length;
    std::string text(from, std::size_t(length));
    text = text.substr(0, text.find('\0'));
    while (!text.empty() && text.back() == ' ') text.pop_back();
    out.push_back(std::move(text));
  }
  return out;
}

}  // namespace tenon::climate
