/// Argument checks that the ops of this folder share (private). Each throws a usage error opened by the op's name.
#pragma once

#include <cstdint>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "tenon/error.hpp"
#include "tenon/tensor.hpp"

namespace tenon {

inline void check_defined(const char* op, const Tensor& t, const char* what) {
  if (!t.defined()) throw_usage(op, std::string(what) + " is undefined");
}

inline void check_floating(const char* op, const Tensor& t, const char* what = "x") {
  check_defined(op, t, what);
  if (!is_floating(t.dtype()))
    throw_usage(op, std::string(what) + " is " + t.str() + ", not floating point", is_complex(t.dtype()) ? "complex numbers are not taken here: give real(z) and imag(z)" : "convert it with .to(DType::f32)");
}

inline void check_integer(const char* op, const Tensor& t, const char* what) {
  check_defined(op, t, what);
  if (has_gradient(t.dtype())) throw_usage(op, std::string(what) + " is " + t.str() + ", not an integer type");
}

/// For what compares elements.
inline void check_ordered(const char* op, const Tensor& t, const char* what = "x") {
  check_defined(op, t, what);
  if (is_complex(t.dtype()))
    throw_usage(op, std::string(what) + " is " + t.str() + ": complex numbers have no order", "take abs(z), real(z) or imag(z)");
}

inline void check_same_device(const char* op, const Tensor& a, const Tensor& b) {
  if (a.device() != b.device()) throw_usage(op, a.str() + " and " + b.str() + " are on different devices", "move one with .to(device)");
}

/// [0, rank) from an axis that may count from the end.
inline int check_axis(const char* op, const Tensor& t, int axis) {
  if (axis < -t.rank() || axis >= t.rank()) throw_usage(op, "axis " + std::to_string(axis) + " does not exist in " + t.str());
  return axis < 0 ? axis + t.rank() : axis;
}

// ---- sizes: arguments may be any 64-bit number, and what is computed from them must not wrap around ----

inline std::int64_t size_times(const char* op, std::int64_t a, std::int64_t b) {
  std::int64_t n = 0;
  if (__builtin_mul_overflow(a, b, &n)) throw_usage(op, "a size of " + std::to_string(a) + " x " + std::to_string(b) + " does not fit 63 bits");
  return n;
}

inline std::int64_t size_plus(const char* op, std::int64_t a, std::int64_t b) {
  std::int64_t n = 0;
  if (__builtin_add_overflow(a, b, &n)) throw_usage(op, "a size of " + std::to_string(a) + " + " + std::to_string(b) + " does not fit 63 bits");
  return n;
}

/// A kernel's width, its stride, padding or dilation: libraries count them in 32 bits.
inline void check_31_bits(const char* op, const char* what, std::int64_t value) {
  if (value > std::numeric_limits<std::int32_t>::max())
    throw_usage(op, std::string(what) + " " + std::to_string(value) + " does not fit 31 bits");
}

/// A result of this shape can be addressed.
inline void check_result(const char* op, const Shape& shape, DType dtype) {
  std::int64_t n = std::int64_t(size_of(dtype));
  bool fits = true;
  for (std::int64_t s : shape) {
    if (s == 0) return;
    fits = fits && !__builtin_mul_overflow(n, s, &n);
  }
  if (!fits) throw_usage(op, "a result of " + std::string(name_of(dtype)) + shape.str() + " does not fit an address space");
}

[[noreturn]] inline void refuse_memory(const char* op) {
  throw Error(ErrorKind::device, "memory.exhausted", std::string(op) + ": out of memory for its tables", "give smaller sizes");
}

/// f(), whose lists and tables may be too long for the memory: reported as a tensor's are.
template <class F>
auto within_memory(const char* op, F&& f) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    refuse_memory(op);
  } catch (const std::length_error&) {
    refuse_memory(op);
  }
}

inline std::string list_str(const std::vector<std::int64_t>& v) {
  std::string s = "[";
  for (std::size_t i = 0; i < v.size(); ++i) s += (i ? ", " : "") + std::to_string(v[i]);
  return s + "]";
}

}  // namespace tenon
