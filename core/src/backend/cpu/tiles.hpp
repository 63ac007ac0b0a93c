/// Strided operands of any stored type, read and written through short dense tiles of the type in which they are computed (private).
///
/// A loop over tiles is compiled once a computed type (f32, f64, i64, complex) rather than once a stored type and a stride; operands that
/// are dense and of the computed type are used where they lie.
#pragma once

#include <algorithm>
#include <cstdint>

#include "backend/cpu/strided.hpp"
#include "tenon/dtype.hpp"

namespace tenon::cpu {

inline constexpr std::int64_t kTile = 1024;  ///< elements; a few tiles of doubles fit the first cache

inline constexpr std::int64_t kDenseRow = 16;   ///< worth a call

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

/// Whether tensors of type `t` hold what they are computed in.
inline bool is_computed(DType t) {
  return t == DType::f32 || t == DType::f64 || t == DType::i64 || is_complex(t);
}

/// to[i] = from[i], converted, both dense; null for pairs of types that go through a tile as well.
using ConvertRange = void (*)(const void* from, void* to, std::int64_t n);
ConvertRange range_converter(DType from, DType to);

/// The elements themselves, of type T.
template <class T>
void gather_tile(const void* from, std::int64_t step, T* to, std::int64_t n) {
  const T* x = static_cast<const T*>(from);
  if (step == 1) {
    std::copy_n(x, n, to);
    return;
  }
  if (step == 0) {
    std::fill_n(to, n, *x);
    return;
  }
  for (std::int64_t i = 0; i < n; ++i) to[i] = x[i * step];
}
template <class T>
void scatter_tile(const T* from, void* to, std::int64_t step, std::int64_t n) {
  T* y = static_cast<T*>(to);
  if (step == 1) {
    std::copy_n(from, n, y);
    return;
  }
  for (std::int64_t i = 0; i < n; ++i) y[i * step] = from[i];
}

/// One operand over a block of elements: where its tiles come from. Tiles are cut by Lines::cut.
template <class C>
class TileSource {
 public:
  TileSource(DType stored, LoadTile<C> load, const void* base, std::int64_t offset, const Lines& lines, bool own)
      : load_(load), size_(std::int64_t(size_of(stored))), from_(static_cast<const char*>(base) + offset * size_), lines_(lines), in_place_(own && lines.dense()) {}

  bool in_place() const { return in_place_; }

  /// Elements [begin, begin + n) of the block; what is the same in each tile is spread once, over the block's first, which is its longest.
  const C* tile(std::int64_t begin, std::int64_t n, C* buffer) {
    if (in_place_) return reinterpret_cast<const C*>(from_) + begin;
    if (lines_.constant() || lines_.repeated()) {
      if (!spread_) spread(n, buffer);
      spread_ = true;
    } else if (lines_.rows == 1 || lines_.dense()) {
      load_(from_ + begin * lines_.step * size_, lines_.step, buffer, n);
    } else {
      load_rows(from_ + begin / lines_.n * lines_.row_step * size_, n / lines_.n, buffer);
    }
    return buffer;
  }

 private:
  void spread(std::int64_t n, C* buffer) const {
    if (lines_.constant()) return load_(from_, 0, buffer, n);
    load_(from_, lines_.step, buffer, lines_.n);
    for (std::int64_t done = lines_.n; done < n; done *= 2) std::copy_n(buffer, std::min(done, n - done), buffer + done);
  }

  /// Dense rows and constant ones that are not too short as they are, others a column at a time.
  void load_rows(const char* from, std::int64_t rows, C* buffer) const {
    if (lines_.step >= 0 && lines_.step <= 1 && lines_.n >= kDenseRow) {
      for (std::int64_t r = 0; r < rows; ++r) load_(from + r * lines_.row_step * size_, lines_.step, buffer + r * lines_.n, lines_.n);
      return;
    }
    alignas(64) C column[kTile];
    for (std::int64_t i = 0; i < lines_.n; ++i) {
      if (i == 0 || lines_.step != 0) load_(from + i * lines_.step * size_, lines_.row_step, column, rows);
      for (std::int64_t r = 0; r < rows; ++r) buffer[r * lines_.n + i] = column[r];
    }
  }

  LoadTile<C> load_;
  std::int64_t size_;
  const char* from_;
  Lines lines_;
  bool in_place_, spread_ = false;
};

/// The result over a block of elements: a tile is computed in place or stored after.
template <class C>
class TileTarget {
 public:
  TileTarget(DType stored, StoreTile<C> store, void* base, std::int64_t offset, const Lines& lines, bool own)
      : store_(store), size_(std::int64_t(size_of(stored))), to_(static_cast<char*>(base) + offset * size_), lines_(lines), in_place_(own && lines.dense()) {}

  bool in_place() const { return in_place_; }
  C* tile(std::int64_t begin, C* buffer) const { return in_place_ ? reinterpret_cast<C*>(to_) + begin : buffer; }
  void put(const C* from, std::int64_t begin, std::int64_t n) const {
    if (in_place_) return;
    if (lines_.rows == 1 || lines_.dense()) return store_(from, to_ + begin * lines_.step * size_, lines_.step, n);
    char* to = to_ + begin / lines_.n * lines_.row_step * size_;
    if (lines_.step == 1 && lines_.n >= kDenseRow) {
      for (std::int64_t r = 0; r < n / lines_.n; ++r) store_(from + r * lines_.n, to + r * lines_.row_step * size_, 1, lines_.n);
      return;
    }
    alignas(64) C column[kTile];
    for (std::int64_t i = 0; i < lines_.n; ++i) {
      for (std::int64_t r = 0; r < n / lines_.n; ++r) column[r] = from[r * lines_.n + i];
      store_(column, to + i * lines_.step * size_, lines_.row_step, n / lines_.n);
    }
  }

 private:
  StoreTile<C> store_;
  std::int64_t size_;
  char* to_;
  Lines lines_;
  bool in_place_;
};

}  // namespace tenon::cpu
