#include "medical/io/element.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::medical {
namespace {

static_assert(std::endian::native == std::endian::little);
constexpr std::int64_t kBlock = 1 << 16;

template <class T> T load(const std::byte* at, bool swap) {
  std::byte raw[sizeof(T)];
  std::memcpy(raw, at, sizeof(T));
  if (swap) std::reverse(raw, raw + sizeof(T));
  T v;
  std::memcpy(&v, raw, sizeof(T));
  return v;
}

template <class From, class To> Tensor convert(const std::byte* bytes, bool swap, const Shape& shape, double slope, double intercept) {
  Tensor out = Tensor::empty(shape, dtype_of<To>);
  To* to = out.template data<To>();
  bool scaled = slope != 1 || intercept != 0;
  parallel_blocks(shape.numel(), kBlock, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      From v = load<From>(bytes + std::size_t(i) * sizeof(From), swap);
      if constexpr (std::is_same_v<From, std::uint64_t> && std::is_same_v<To, std::int64_t>) {
        if (v >> 63) {
          throw Error(ErrorKind::data, "medical.value_range", "value " + std::to_string(v) + " of an unsigned 64-bit image does not fit",
                      "store it with a smaller type");
        }
      }
      to[i] = scaled ? To(double(v) * slope + intercept) : To(v);
    }
  });
  return out;
}

/// `Kept` is the tensor type that holds every value of `From` unscaled.
template <class From, class Kept>
Tensor decode_as(const std::byte* bytes, bool swap, const Shape& shape, double slope, double intercept, const Tensor& keep) {
  if (slope != 1 || intercept != 0) {
    if constexpr (std::is_same_v<From, double>) return convert<double, double>(bytes, swap, shape, slope, intercept);
    return convert<From, float>(bytes, swap, shape, slope, intercept);
  }
  if constexpr (std::is_same_v<From, Kept>) {
    bool aligned = reinterpret_cast<std::uintptr_t>(bytes) % alignof(From) == 0;
    if (!swap && aligned && keep.defined()) {
      return Tensor::wrap(const_cast<std::byte*>(bytes), shape, dtype_of<Kept>, [keep] {});
    }
  }
  return convert<From, Kept>(bytes, swap, shape, 1, 0);
}

template <class From, class To> bool all_fit(const Tensor& values) {
  const From* data = values.template data<From>();
  return std::all_of(data, data + values.numel(), [](From v) { return v >= From(0) && std::uint64_t(v) <= std::uint64_t(To(-1)); });
}

template <class From, class To> Tensor narrowed(const Tensor& values) {
  Tensor out = Tensor::empty({std::int64_t(std::size_t(values.numel()) * sizeof(To))}, DType::u8);
  const From* from = values.template data<From>();
  auto* to = static_cast<To*>(out.raw());
  for (std::int64_t i = 0, n = values.numel(); i < n; ++i) to[i] = To(from[i]);
  return out;
}

}  // namespace

std::size_t size_of(Element e) {
  static constexpr std::size_t kSizes[] = {1, 1, 2, 2, 4, 4, 8, 8, 4, 8};
  return kSizes[std::size_t(e)];
}

std::string_view name_of(Element e) {
  static constexpr std::string_view kNames[] = {"u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64"};
  return kNames[std::size_t(e)];
}

Tensor decode(const std::byte* bytes, Element element, bool big_endian, const Shape& shape, double slope, double intercept,
              const Tensor& keep) {
  switch (element) {
    case Element::u8: return decode_as<std::uint8_t, std::uint8_t>(bytes, false, shape, slope, intercept, keep);
    case Element::i8: return decode_as<std::int8_t, std::int8_t>(bytes, false, shape, slope, intercept, keep);
    case Element::u16: return decode_as<std::uint16_t, std::int32_t>(bytes, big_endian, shape, slope, intercept, keep);
    case Element::i16: return decode_as<std::int16_t, std::int16_t>(bytes, big_endian, shape, slope, intercept, keep);
    case Element::u32: return decode_as<std::uint32_t, std::int64_t>(bytes, big_endian, shape, slope, intercept, keep);
    case Element::i32: return decode_as<std::int32_t, std::int32_t>(bytes, big_endian, shape, slope, intercept, keep);
    case Element::u64: return decode_as<std::uint64_t, std::int64_t>(bytes, big_endian, shape, slope, intercept, keep);
    case Element::i64: return decode_as<std::int64_t, std::int64_t>(bytes, big_endian, shape, slope, intercept, keep);
    case Element::f32: return decode_as<float, float>(bytes, big_endian, shape, slope, intercept, keep);
    case Element::f64: return decode_as<double, double>(bytes, big_endian, shape, slope, intercept, keep);
  }
  throw_usage("decode", "unknown element type");
}

Encoded encode(const Volume& volume) {
  Tensor dense = volume.values.contiguous();
  auto found = volume.attributes.find("element");
  const std::string element = found == volume.attributes.end() ? "" : found->second;
  switch (dense.dtype()) {
    case DType::boolean:
    case DType::u8: return {Element::u8, dense};
    case DType::i8: return {Element::i8, dense};
    case DType::i16: return {Element::i16, dense};
    case DType::i32:
      if (element == "u16" && all_fit<std::int32_t, std::uint16_t>(dense)) return {Element::u16, narrowed<std::int32_t, std::uint16_t>(dense)};
      return {Element::i32, dense};
    case DType::i64:
      if (element == "u32" && all_fit<std::int64_t, std::uint32_t>(dense)) return {Element::u32, narrowed<std::int64_t, std::uint32_t>(dense)};
      if (element == "u64" && all_fit<std::int64_t, std::uint64_t>(dense)) return {Element::u64, dense};
      return {Element::i64, dense};
    case DType::f64: return {Element::f64, dense};
    default: return {Element::f32, dense.to(DType::f32)};
  }
}

}  // namespace tenon::medical
