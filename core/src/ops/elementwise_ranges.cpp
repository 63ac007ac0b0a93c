#include "ops/elementwise_ranges.hpp"

#include "ops/dispatch.hpp"

#define TENON_ISA_FILE "ops/simd/elementwise.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {

using kernels::Binary;
using kernels::Unary;

#define TENON_CASE(kind, ...) \
  case kind: return TENON_BY_ISA(__VA_ARGS__);

template <class T>
BinaryLoop<T> binary_range_of(Binary kind) {
  switch (kind) {
    TENON_CASE(Binary::add, binary_range<Binary::add, T, T>)
    TENON_CASE(Binary::sub, binary_range<Binary::sub, T, T>)
    TENON_CASE(Binary::mul, binary_range<Binary::mul, T, T>)
    TENON_CASE(Binary::maximum, binary_range<Binary::maximum, T, T>)
    TENON_CASE(Binary::minimum, binary_range<Binary::minimum, T, T>)
    TENON_CASE(Binary::relu_gradient, binary_range<Binary::relu_gradient, T, T>)
    default: break;
  }
  if constexpr (!std::is_integral_v<T>)
    if (kind == Binary::div) return TENON_BY_ISA(binary_range<Binary::div, T, T>);
  return nullptr;
}

template <class T>
RowsLoop<T> binary_rows_of(Binary kind) {
  switch (kind) {
    TENON_CASE(Binary::add, binary_rows<Binary::add, T>)
    TENON_CASE(Binary::sub, binary_rows<Binary::sub, T>)
    TENON_CASE(Binary::mul, binary_rows<Binary::mul, T>)
    TENON_CASE(Binary::div, binary_rows<Binary::div, T>)
    default:
      return nullptr;
  }
}

template <class T>
CompareLoop<T> compare_range_of(Binary kind) {
  switch (kind) {
    TENON_CASE(Binary::equal, binary_range<Binary::equal, T, bool>)
    TENON_CASE(Binary::less, binary_range<Binary::less, T, bool>)
    TENON_CASE(Binary::greater, binary_range<Binary::greater, T, bool>)
    TENON_CASE(Binary::not_equal, binary_range<Binary::not_equal, T, bool>)
    TENON_CASE(Binary::less_equal, binary_range<Binary::less_equal, T, bool>)
    TENON_CASE(Binary::greater_equal, binary_range<Binary::greater_equal, T, bool>)
    default: return nullptr;
  }
}

template <class T>
UnaryLoop<T> unary_range_of(Unary kind) {
  switch (kind) {
    TENON_CASE(Unary::neg, unary_range<Unary::neg, T>)
    TENON_CASE(Unary::abs, unary_range<Unary::abs, T>)
    TENON_CASE(Unary::sqrt, unary_range<Unary::sqrt, T>)
    TENON_CASE(Unary::rsqrt, unary_range<Unary::rsqrt, T>)
    TENON_CASE(Unary::square, unary_range<Unary::square, T>)
    TENON_CASE(Unary::floor, unary_range<Unary::floor, T>)
    TENON_CASE(Unary::ceil, unary_range<Unary::ceil, T>)
    TENON_CASE(Unary::round, unary_range<Unary::round, T>)
    TENON_CASE(Unary::sign, unary_range<Unary::sign, T>)
    TENON_CASE(Unary::relu, unary_range<Unary::relu, T>)
    TENON_CASE(Unary::leaky, unary_range<Unary::leaky, T>)
    TENON_CASE(Unary::leaky_step, unary_range<Unary::leaky_step, T>)
    TENON_CASE(Unary::clamp, unary_range<Unary::clamp, T>)
    TENON_CASE(Unary::clamp_step, unary_range<Unary::clamp_step, T>)
    TENON_CASE(Unary::scale, unary_range<Unary::scale, T>)
    TENON_CASE(Unary::shift, unary_range<Unary::shift, T>)
    default: return nullptr;
  }
}

template <class Bytes>
ChoiceLoop<Bytes> choice_range() {
  return TENON_BY_ISA(choose_range<Bytes>);
}

#undef TENON_CASE

#define TENON_RANGES(T)                             \
  template BinaryLoop<T> binary_range_of<T>(Binary); \
  template CompareLoop<T> compare_range_of<T>(Binary);
TENON_RANGES(float)
TENON_RANGES(double)
TENON_RANGES(bf16)
TENON_RANGES(std::int8_t)
TENON_RANGES(std::int16_t)
TENON_RANGES(std::int32_t)
TENON_RANGES(std::int64_t)
TENON_RANGES(std::uint8_t)
#undef TENON_RANGES
template RowsLoop<float> binary_rows_of<float>(Binary);
template RowsLoop<double> binary_rows_of<double>(Binary);
template RowsLoop<f16> binary_rows_of<f16>(Binary);
template UnaryLoop<float> unary_range_of<float>(Unary);
template UnaryLoop<double> unary_range_of<double>(Unary);
template UnaryLoop<bf16> unary_range_of<bf16>(Unary);
template ChoiceLoop<std::uint8_t> choice_range<std::uint8_t>();
template ChoiceLoop<std::uint16_t> choice_range<std::uint16_t>();
template ChoiceLoop<std::uint32_t> choice_range<std::uint32_t>();
template ChoiceLoop<std::uint64_t> choice_range<std::uint64_t>();
template ChoiceLoop<Sixteen> choice_range<Sixteen>();

}  // namespace tenon
