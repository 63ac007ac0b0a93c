#include "ops/copy.hpp"

#include <cstring>

#include "backend/cuda/install.hpp"
#include "backend/cuda/transpose.cuh"
#include "backend/cuda/walk.cuh"

namespace tenon::cuda {
namespace {

// ---- elements of one type, moved as bytes --------------------------------------------------------------------------

template <class Bytes, int V>
struct MoveBody {
  const Bytes* from;
  Bytes* to;
  __device__ void one(const Offsets<2>& o) const { to[o.of[1]] = from[o.of[0]]; }
  __device__ void pack(const Offsets<2>& o, const bool (&step)[2]) const {
    Lanes<Bytes, V> v;
    if (step[0]) {
      v = *reinterpret_cast<const Lanes<Bytes, V>*>(from + o.of[0]);
    } else {
#pragma unroll
      for (int i = 0; i < V; ++i) v.of[i] = from[o.of[0]];
    }
    *reinterpret_cast<Lanes<Bytes, V>*>(to + o.of[1]) = v;
  }
};

template <class Bytes>
inline constexpr int kSixteenBytes = int(16 / sizeof(Bytes));

Kernel move_elements(const Layout& from, const Layout& to) {
  return dispatch_size(from.dtype, [&](auto tag) -> Kernel {
    using Bytes = typename decltype(tag)::type;
    constexpr int V = kSixteenBytes<Bytes>;
    const StridedAxes<2> axes(from.shape, {from.strides, to.strides});
    if (axes.count > 0)
      if (const auto t = transpose_axes(axes, kTileSide<Bytes>))
        return [t = *t](void* const* p) { run_transpose<Bytes>("copy", t, p[0], p[1]); };
    return [loop = WalkLoop<2, V>(axes, {sizeof(Bytes), sizeof(Bytes)})](void* const* p) {
      loop.run("copy", p, [](const auto& q) {
        return MoveBody<Bytes, V>{reinterpret_cast<const Bytes*>(q[0]), reinterpret_cast<Bytes*>(q[1])};
      });
    };
  });
}

// ---- conversion ------------------------------------------------------------------------------------------------------

/// f(TypeTag<T>{}) for the types that C converts to.
template <class C, class F>
__device__ __forceinline__ void with_target(DType t, F&& f) {
  if constexpr (!kernels::is_complex_v<C>) {
    switch (t) {
      case DType::f32:
        return f(TypeTag<float>{});
      case DType::f64:
        return f(TypeTag<double>{});
      case DType::f16:
        return f(TypeTag<f16>{});
      case DType::bf16:
        return f(TypeTag<bf16>{});
      case DType::i8:
        return f(TypeTag<std::int8_t>{});
      case DType::i16:
        return f(TypeTag<std::int16_t>{});
      case DType::i32:
        return f(TypeTag<std::int32_t>{});
      case DType::i64:
        return f(TypeTag<std::int64_t>{});
      case DType::u8:
        return f(TypeTag<std::uint8_t>{});
      case DType::boolean:
        return f(TypeTag<bool>{});
      default:
        break;
    }
  }
  if (t == DType::c64) return f(TypeTag<Complex<float>>{});
  f(TypeTag<Complex<double>>{});
}

/// Loaded as the type in which `from` is computed, which is exact, and converted from there.
template <class C, int V>
struct ConvertBody {
  DType in, out;
  const void* from;
  void* to;
  __device__ void one(const Offsets<2>& o) const {
    const C v = load_lane<C>(in, from, o.of[0]);
    with_target<C>(out, [&](auto tag) {
      using T = typename decltype(tag)::type;
      static_cast<T*>(to)[o.of[1]] = convert_fast<T>(v);
    });
  }
  __device__ void pack(const Offsets<2>& o, const bool (&step)[2]) const {
    C x[V];
    if (step[0]) {
      load_lanes<C, V>(in, from, o.of[0], x);
    } else {
      x[0] = load_lane<C>(in, from, o.of[0]);
#pragma unroll
      for (int i = 1; i < V; ++i) x[i] = x[0];
    }
    with_target<C>(out, [&](auto tag) { store_as<typename decltype(tag)::type, C, V>(to, o.of[1], x); });
  }
};

template <class C, int V>
Kernel convert_elements(const Layout& from, const Layout& to) {
  const StridedAxes<2> axes(from.shape, {from.strides, to.strides});
  return [loop = WalkLoop<2, V>(axes, {size_of(from.dtype), size_of(to.dtype)}), in = from.dtype, out = to.dtype](void* const* p) {
    loop.run("copy", p, [&](const auto& q) { return ConvertBody<C, V>{in, out, q[0], q[1]}; });
  };
}

Kernel make_copy(const Layout& from, const Layout& to) {
  if (from.dtype == to.dtype) return move_elements(from, to);
  if (is_complex(from.dtype) && !is_complex(to.dtype))
    throw Error(ErrorKind::internal, "copy.complex",
                "no copy from " + std::string(name_of(from.dtype)) + " to " + std::string(name_of(to.dtype)));
  switch (from.dtype) {
    case DType::f32:
    case DType::f16:
    case DType::bf16:
      return convert_elements<float, 8>(from, to);
    case DType::f64:
      return convert_elements<double, 4>(from, to);
    case DType::c64:
      return convert_elements<Complex<float>, 2>(from, to);
    case DType::c128:
      return convert_elements<Complex<double>, 2>(from, to);
    default:
      return convert_elements<std::int64_t, 8>(from, to);
  }
}

// ---- fill --------------------------------------------------------------------------------------------------------------

template <class Bytes, int V>
struct FillBody {
  Bytes* to;
  Bytes value;
  __device__ void one(const Offsets<1>& o) const { to[o.of[0]] = value; }
  __device__ void pack(const Offsets<1>& o, const bool (&)[1]) const {
    Lanes<Bytes, V> v;
#pragma unroll
    for (int i = 0; i < V; ++i) v.of[i] = value;
    *reinterpret_cast<Lanes<Bytes, V>*>(to + o.of[0]) = v;
  }
};

/// The bytes of `value` as an element.
template <class Bytes>
Bytes element_of(DType t, double value) {
  Bytes bits{};
  auto put = [&](const auto& v) { std::memcpy(&bits, &v, sizeof v < sizeof bits ? sizeof v : sizeof bits); };
  if (t == DType::c64)
    put(convert<Complex<float>>(value));
  else if (t == DType::c128)
    put(convert<Complex<double>>(value));
  else
    dispatch_all(t, [&](auto tag) { put(convert<typename decltype(tag)::type>(value)); });
  return bits;
}

Kernel make_fill(const Layout& to, double value) {
  return dispatch_size(to.dtype, [&](auto tag) -> Kernel {
    using Bytes = typename decltype(tag)::type;
    constexpr int V = kSixteenBytes<Bytes>;
    const Bytes bits = element_of<Bytes>(to.dtype, value);
    return [loop = WalkLoop<1, V>(StridedAxes<1>(to.shape, {to.strides}), {sizeof(Bytes)}), bits](void* const* p) {
      loop.run("fill", p, [&](const auto& q) { return FillBody<Bytes, V>{reinterpret_cast<Bytes*>(q[0]), bits}; });
    };
  });
}

}  // namespace

void install_copy() {
  copy_kernel.set(DeviceType::cuda, make_copy);
  fill_kernel.set(DeviceType::cuda, make_fill);
}

}  // namespace tenon::cuda
