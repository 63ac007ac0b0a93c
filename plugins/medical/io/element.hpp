/// Element types as files name them, and decoding file bytes to tensors.
///
/// Tensors have no unsigned 16, 32 or 64 bit type: those become the next wider signed one (64 bit: i64, values of 2^63
/// and more are refused). The attribute "element" remembers the type of the file, so that a writer can go back to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "medical/image/volume.hpp"

namespace tenon::medical {

enum class Element : std::uint8_t { u8, i8, u16, i16, u32, i32, u64, i64, f32, f64 };

std::size_t size_of(Element e);
std::string_view name_of(Element e);  ///< "u16"

/// `bytes` holds numel(shape) elements. With slope 1 and intercept 0 integers stay integers; otherwise the values are
/// stored * slope + intercept, as f32 (f64 for f64). `big_endian` is of the bytes. `keep` owns `bytes`: where no
/// conversion is needed the tensor refers to them instead of copying.
Tensor decode(const std::byte* bytes, Element element, bool big_endian, const Shape& shape, double slope, double intercept,
              const Tensor& keep);

/// What to write a volume as: little-endian bytes of `element`.
struct Encoded {
  Element element = Element::f32;
  Tensor dense;  ///< owns the bytes
  const std::byte* data() const { return static_cast<const std::byte*>(dense.raw()); }
  std::size_t size() const { return dense.nbytes(); }
};
/// The file's element type, where the attribute "element" names an unsigned one that holds every value; else the tensor's.
Encoded encode(const Volume& volume);

}  // namespace tenon::medical
