#include "climate/io/unpack.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <type_traits>

#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::climate {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class Do> void with_type(NcType type, Do&& what) {
  switch (type) {
    case NcType::byte: return what(std::int8_t{});
    case NcType::uint8: return what(std::uint8_t{});
    case NcType::int16: return what(std::int16_t{});
    case NcType::uint16: return what(std::uint16_t{});
    case NcType::int32: return what(std::int32_t{});
    case NcType::uint32: return what(std::uint32_t{});
    case NcType::int64: return what(std::int64_t{});
    case NcType::uint64: return what(std::uint64_t{});
    case NcType::float32: return what(float{});
    case NcType::float64: return what(double{});
    default: throw Error(ErrorKind::data, "climate.type", fmt::format("values of type {} are no numbers", name_of(type)), "ask for another variable");
  }
}

NcType unsigned_of(NcType type) {
  switch (type) {
    case NcType::byte: return NcType::uint8;
    case NcType::int16: return NcType::uint16;
    case NcType::int32: return NcType::uint32;
    case NcType::int64: return NcType::uint64;
    default: return type;
  }
}

double number_of(const Variable& v, const char* name, double otherwise, bool* given, NcType* type) {
  const Attribute* a = v.find(name);
  if (!a) return otherwise;
  if (a->numbers.size() != 1) {
    throw Error(ErrorKind::data, "climate.packing", fmt::format("variable '{}': {} is {}, one number is wanted", v.name, name, a->is_text() ? "the text '" + a->text() + "'" : "no single number"),
                "mend the attribute");
  }
  *given = true;
  *type = a->type;
  return a->numbers[0];
}

/// Is `x` a value of T, exactly for whole numbers and after rounding for floats?
template <class T> bool holds(double x) {
  if constexpr (std::is_floating_point_v<T>) return true;
  // 2^63 and 2^64 as doubles lie just past the largest values.
  return std::isfinite(x) && x == std::floor(x) && x >= double(std::numeric_limits<T>::min()) && x < std::ldexp(1.0, std::numeric_limits<T>::digits);
}

/// Default fill values (NUG, appendix B); bytes have none.
bool default_fill(NcType type, double& real, std::int64_t& integer) {
  switch (type) {
    case NcType::int16: return real = double(integer = -32767), true;
    case NcType::uint16: return real = double(integer = 65535), true;
    case NcType::int32: return real = double(integer = -2147483647), true;
    case NcType::uint32: return real = double(integer = 4294967295LL), true;
    case NcType::int64: return real = double(integer = -9223372036854775806LL), true;
    case NcType::uint64: return real = 18446744073709551614.0, integer = -2, true;
    case NcType::float32:
    case NcType::float64: return real = 9.9692099683868690e+36, true;
    default: return false;
  }
}

void add_missing(Packing& p, const Variable& v, const Attribute& a) {
  if (a.numbers.empty() && a.type != NcType::unsupported) {
    p.notes.push_back(fmt::format("variable '{}': {} is a text ('{}') and is not used", v.name, a.name, a.text()));
    return;
  }
  for (std::size_t i = 0; i < a.numbers.size(); ++i) {
    const double x = a.numbers[i];
    with_type(p.type, [&](auto zero) {
      using T = decltype(zero);
      if constexpr (std::is_floating_point_v<T>) {
        p.missing.push_back(double(T(x)));
      } else {
        // Under `_Unsigned` a fill written as signed means the same bits.
        const bool same_bits = p.type != v.type && a.type == v.type;
        if (!a.integers.empty() && same_bits) {
          p.missing_integers.push_back(std::int64_t(T(a.integers[i])));
        } else if (!a.integers.empty() && a.type == p.type) {
          p.missing_integers.push_back(a.integers[i]);
        } else if (holds<T>(x)) {
          p.missing_integers.push_back(std::int64_t(T(x)));
        } else {
          p.notes.push_back(fmt::format("variable '{}': {} {} is no value of type {} and is not used", v.name, a.name, x, name_of(p.type)));
        }
      }
    });
  }
}

double as_unsigned(double x, NcType type) {
  if (x >= 0) return x;
  return x + std::ldexp(1.0, int(8 * size_of(type)));
}

}  // namespace

Packing::Packing(const Variable& v, std::span<const double> mask) : type(v.type), low(-kInfinity), high(kInfinity), mask_values(mask.begin(), mask.end()) {
  std::string is_unsigned = v.text("_Unsigned");
  std::transform(is_unsigned.begin(), is_unsigned.end(), is_unsigned.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  if (is_unsigned == "true") type = unsigned_of(type);

  const Attribute* fill = v.find("_FillValue");
  if (fill) add_missing(*this, v, *fill);
  if (const Attribute* m = v.find("missing_value")) add_missing(*this, v, *m);
  double real = 0;
  std::int64_t integer = 0;
  if (!fill && v.members.empty() && default_fill(type, real, integer)) {
    if (is_integer(type)) missing_integers.push_back(integer);
    else missing.push_back(type == NcType::float32 ? double(float(real)) : real);
  }
  auto limit = [&](const char* name, std::size_t index, std::size_t length, double& out) {
    const Attribute* a = v.find(name);
    if (!a) return;
    if (a->numbers.size() != length) {
      notes.push_back(fmt::format("variable '{}': {} has {} numbers, {} are wanted; it is not used", v.name, name, a->numbers.size(), length));
      return;
    }
    const double x = a->numbers[index];
    out = type != v.type && is_integer(a->type) ? as_unsigned(x, type) : x;
    if (type == NcType::float32) out = double(float(out));
  };
  limit("valid_min", 0, 1, low);
  limit("valid_max", 0, 1, high);
  limit("valid_range", 0, 2, low);
  limit("valid_range", 1, 2, high);
  if (low > high) {
    notes.push_back(fmt::format("variable '{}': its valid values are {} to {}, which holds none; the limits are not used", v.name, low, high));
    low = -kInfinity, high = kInfinity;
  }

  bool has_scale = false, has_offset = false;
  NcType scale_type = NcType::float32, offset_type = NcType::float32;
  scale = number_of(v, "scale_factor", 1, &has_scale, &scale_type);
  offset = number_of(v, "add_offset", 0, &has_offset, &offset_type);
  if (has_scale && (scale == 0 || !std::isfinite(scale))) throw Error(ErrorKind::data, "climate.packing", fmt::format("variable '{}': scale_factor is {}", v.name, scale), "mend the attribute");
  if (has_offset && !std::isfinite(offset)) throw Error(ErrorKind::data, "climate.packing", fmt::format("variable '{}': add_offset is {}", v.name, offset), "mend the attribute");
  scaled = has_scale || has_offset;
  const bool narrow = (!has_scale || scale_type == NcType::float32) && (!has_offset || offset_type == NcType::float32);
  scaled_type = narrow && size_of(type) < 4 ? DType::f32 : narrow && type == NcType::float32 ? DType::f32 : DType::f64;
}

namespace {

/// Marks for missing raw numbers of type T.
template <class T> class Missing {
 public:
  explicit Missing(const Packing& p) : p_(p) {
    bounded_ = p.low > -kInfinity || p.high < kInfinity;
    if constexpr (std::is_floating_point_v<T>) {
      for (double m : p.missing) values_.push_back(T(m));
    } else {
      for (auto m : p.missing_integers) values_.push_back(T(m));
    }
  }
  bool bounded() const { return bounded_; }
  const std::vector<T>& values() const { return values_; }
  bool operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(x)) return true;
    }
    for (T m : values_)
      if (x == m) return true;
    return bounded_ && (double(x) < p_.low || double(x) > p_.high);
  }

 private:
  const Packing& p_;
  std::vector<T> values_;
  bool bounded_;
};

/// Nearly every variable: at most two values are missing, none masked. Without branches, for the vectoriser.
template <bool scaled, bool bounded, class T, class Out> std::int64_t convert_plain(const T* raw, Out* out, std::int64_t n, const Packing& p, const std::vector<T>& missing) {
  const bool one = !missing.empty(), two = missing.size() > 1;
  const T first = one ? missing[0] : T{}, second = two ? missing[1] : T{};
  const double scale = p.scale, offset = p.offset, low = p.low, high = p.high;
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const T x = raw[i];
    bool gone = (one & (x == first)) | (two & (x == second));
    if constexpr (std::is_floating_point_v<T>) gone |= x != x;
    if constexpr (bounded) gone |= (double(x) < low) | (double(x) > high);
    Out value = scaled ? Out(double(x) * scale + offset) : Out(x);
    if constexpr (std::is_floating_point_v<Out>) value = gone ? std::numeric_limits<Out>::quiet_NaN() : value;
    out[i] = value;
    count += gone;
  }
  return count;
}

template <class T, class Out> std::int64_t convert(const T* raw, Out* out, std::int64_t n, const Packing& p) {
  const Missing<T> is_missing(p);
  std::atomic<std::int64_t> count{0};
  parallel_blocks(n, 1 << 15, [&](std::int64_t from, std::int64_t to) {
    std::int64_t here = 0;
    if (p.mask_values.empty() && is_missing.values().size() <= 2) {
      auto plain = [&](auto scaled, auto bounded) { count += convert_plain<scaled.value, bounded.value>(raw + from, out + from, to - from, p, is_missing.values()); };
      using Yes = std::true_type;
      using No = std::false_type;
      if (p.scaled) is_missing.bounded() ? plain(Yes{}, Yes{}) : plain(Yes{}, No{});
      else is_missing.bounded() ? plain(No{}, Yes{}) : plain(No{}, No{});
      return;
    }
    for (std::int64_t i = from; i < to; ++i) {
      bool gone = is_missing(raw[i]);
      Out value = p.scaled ? Out(double(raw[i]) * p.scale + p.offset) : Out(raw[i]);
      for (double m : p.mask_values) gone = gone || value == Out(m);
      if (gone) {
        ++here;
        if constexpr (std::is_floating_point_v<Out>) value = std::numeric_limits<Out>::quiet_NaN();
      }
      out[i] = value;
    }
    count += here;
  });
  return count;
}

template <class T> struct Whole { using type = T; };
template <> struct Whole<std::uint16_t> { using type = std::int32_t; };
template <> struct Whole<std::uint32_t> { using type = std::int64_t; };
template <> struct Whole<std::uint64_t> { using type = std::int64_t; };

}  // namespace

Unpacked read_values(const NetcdfFile& file, const Variable& v, const Packing& p, std::span<const std::int64_t> start, std::span<const std::int64_t> count) {
  if (count.size() > std::size_t(kMaxRank)) {
    throw Error(ErrorKind::data, "climate.rank", fmt::format("variable '{}' has {} dimensions, at most {} are read", v.name, count.size(), kMaxRank), "ask for another variable", file.path().string());
  }
  const Shape shape(std::span<const std::int64_t>(count.data(), count.size()));
  const std::int64_t n = shape.numel();
  Unpacked out;
  with_type(p.type, [&](auto zero) {
    using T = decltype(zero);
    auto finish = [&](const T* raw, auto made) {
      using Out = decltype(made);
      out.values = Tensor::empty(shape, dtype_of<Out>, kCpu);
      out.missing = convert<T, Out>(raw, out.values.template data<Out>(), n, p);
    };
    if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
      if (!p.scaled || (std::is_same_v<T, float> == (p.scaled_type == DType::f32))) {  // in place
        out.values = Tensor::empty(shape, dtype_of<T>, kCpu);
        T* data = out.values.template data<T>();
        file.read(v, start, count, data);
        out.missing = convert<T, T>(data, data, n, p);
        return;
      }
    }
    std::vector<T> raw(static_cast<std::size_t>(n));
    file.read(v, start, count, raw.data());
    if (p.scaled) {
      if (p.scaled_type == DType::f32) finish(raw.data(), float{});
      else finish(raw.data(), double{});
      return;
    }
    if constexpr (!std::is_floating_point_v<T>) {
      const Missing<T> is_missing(p);
      bool any = false, fits = true;
      for (T x : raw) {
        any = any || is_missing(x) || std::find(p.mask_values.begin(), p.mask_values.end(), double(x)) != p.mask_values.end();
        if constexpr (std::is_same_v<T, std::uint64_t>) fits = fits && x <= std::uint64_t(std::numeric_limits<std::int64_t>::max());
      }
      if (!any && fits) finish(raw.data(), typename Whole<T>::type{});
      else if (sizeof(T) <= 2) finish(raw.data(), float{});
      else finish(raw.data(), double{});
    }
  });
  return out;
}

}  // namespace tenon::climate
