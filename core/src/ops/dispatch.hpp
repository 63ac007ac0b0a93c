/// From a DType to a C++ type (private).
#pragma once

#include <string>

#include "tenon/dtype.hpp"
#include "tenon/error.hpp"

namespace tenon {

template <class T> struct TypeTag {
  using type = T;
};

template <class F> decltype(auto) dispatch_floating(const char* op, DType t, F&& f) {
  switch (t) {
    case DType::f32: return f(TypeTag<float>{});
    case DType::f64: return f(TypeTag<double>{});
    case DType::f16: return f(TypeTag<f16>{});
    case DType::bf16: return f(TypeTag<bf16>{});
    default: throw_usage(op, std::string(name_of(t)) + " is not a floating-point type", "convert with .to(DType::f32)");
  }
}

/// Every real type.
template <class F> decltype(auto) dispatch_all(DType t, F&& f) {
  switch (t) {
    case DType::f32: return f(TypeTag<float>{});
    case DType::f64: return f(TypeTag<double>{});
    case DType::f16: return f(TypeTag<f16>{});
    case DType::bf16: return f(TypeTag<bf16>{});
    case DType::i8: return f(TypeTag<std::int8_t>{});
    case DType::i16: return f(TypeTag<std::int16_t>{});
    case DType::i32: return f(TypeTag<std::int32_t>{});
    case DType::i64: return f(TypeTag<std::int64_t>{});
    case DType::u8: return f(TypeTag<std::uint8_t>{});
    case DType::boolean: return f(TypeTag<bool>{});
    default: break;
  }
  throw Error(ErrorKind::internal, "tensor.dtype", "element type " + std::string(name_of(t)) + " where only real ones are known");
}

/// Sixteen bytes, moved as one.
struct alignas(8) Sixteen {
  std::uint64_t half[2];
};

/// An unsigned type of the same size, for moving elements of any type.
template <class F> decltype(auto) dispatch_size(DType t, F&& f) {
  switch (size_of(t)) {
    case 1: return f(TypeTag<std::uint8_t>{});
    case 2: return f(TypeTag<std::uint16_t>{});
    case 4: return f(TypeTag<std::uint32_t>{});
    case 8: return f(TypeTag<std::uint64_t>{});
    default: return f(TypeTag<Sixteen>{});
  }
}

}  // namespace tenon
