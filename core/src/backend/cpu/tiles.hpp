/// Strided operands of any stored type, read and written through short dense tiles of the type in which they are computed (private).
///
/// A loop over tiles is compiled once a computed type (f32, f64, i64, complex) rather than once a stored type and a stride; operands that
/// are dense and of the computed type are used where they lie.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tenon/dtype.hpp"

namespace tenon::cpu {

inline constexpr std::int64_t kTile = 1024;  ///< elements; a few tiles of doubles fit the first cache

/// to[i] = from[i * step], as computed; `from` points to stored elements. Exact.
template <class C>
using LoadTile = void (*)(const void* from, std::int64_t step, C* to, std::int64_t n);
/// to[i * step] = from[i], converted (ops/convert.hpp).
template <class C>
using StoreTile = void (*)(const C* from, void* to, std::int64_t step, std::int64_t n);

/// For the stored types that are computed as C (kernels::Computed). C: float, double, int64_t, Complex<float>, Complex<double>.
template <class C>
LoadTile<C> tile_loader(DType stored);
/// For every stored type that C converts to.
template <class C>
StoreTile<C> tile_storer(DType stored);

/// One operand over a run of elements: where its tiles come from.
template <class C>
class TileSource {
 public:
  TileSource(DType stored, LoadTile<C> load, const void* base, std::int64_t offset, std::int64_t step, bool own)
      : load_(load),
        from_(static_cast<const char*>(base) + offset * std::int64_t(size_of(stored))),
        step_(step),
        bytes_(std::int64_t(size_of(stored)) * step),
        in_place_(own && step == 1) {}

  /// Elements [begin, begin + n) of the run; a constant is spread once, over the run's first tile, which is its longest.
  const C* tile(std::int64_t begin, std::int64_t n, C* buffer) {
    if (in_place_) return reinterpret_cast<const C*>(from_) + begin;
    if (step_ == 0) {
      if (!spread_) {
        load_(from_, 0, buffer, n);
        spread_ = true;
      }
      return buffer;
    }
    load_(from_ + begin * bytes_, step_, buffer, n);
    return buffer;
  }

 private:
  LoadTile<C> load_;
  const char* from_;
  std::int64_t step_, bytes_;
  bool in_place_, spread_ = false;
};

/// The result over a run of elements: a tile is computed in place or stored after.
template <class C>
class TileTarget {
 public:
  TileTarget(DType stored, StoreTile<C> store, void* base, std::int64_t offset, std::int64_t step, bool own)
      : store_(store),
        to_(static_cast<char*>(base) + offset * std::int64_t(size_of(stored))),
        step_(step),
        bytes_(std::int64_t(size_of(stored)) * step),
        in_place_(own && step == 1) {}

  C* tile(std::int64_t begin, C* buffer) const { return in_place_ ? reinterpret_cast<C*>(to_) + begin : buffer; }
  void put(const C* from, std::int64_t begin, std::int64_t n) const {
    if (!in_place_) store_(from, to_ + begin * bytes_, step_, n);
  }

 private:
  StoreTile<C> store_;
  char* to_;
  std::int64_t step_, bytes_;
  bool in_place_;
};

}  // namespace tenon::cpu
