/// From the DType of labels to a C++ integer type (private).
#pragma once

#include "ops/dispatch.hpp"

namespace tenon {

/// f(TypeTag<L>{}); bool reads as u8. The caller has checked that `t` is no floating type.
template <class F>
decltype(auto) dispatch_integer(DType t, F&& f) {
  switch (t) {
    case DType::i8:
      return f(TypeTag<std::int8_t>{});
    case DType::i16:
      return f(TypeTag<std::int16_t>{});
    case DType::i32:
      return f(TypeTag<std::int32_t>{});
    case DType::i64:
      return f(TypeTag<std::int64_t>{});
    default:
      return f(TypeTag<std::uint8_t>{});
  }
}

}  // namespace tenon
