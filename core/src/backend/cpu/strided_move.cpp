#include "backend/cpu/strided_move.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "backend/cpu/ceil_div.hpp"
#include "backend/cpu/transpose.hpp"
#include "tenon/kernel.hpp"

namespace tenon::cpu {
namespace {

constexpr std::int64_t kSpreadBytes = 64;  ///< of one constant, from which a line of it is not worth a transpose

constexpr std::int64_t kLine = 64;  ///< bytes of a cache line

/// Elements along a side of a square tile of a plane: a few cache lines of both sides, and a buffer in the first cache.
template <int Element>
constexpr std::int64_t kSide = Element == 1    ? 128
                               : Element == 16 ? 16
                               : Element == 8  ? 32
                                               : 64;
template <int Element>
constexpr std::int64_t kTile = kSide<Element>* kSide<Element>;

bool is_element(std::int64_t bytes) {
  return bytes <= 16 && (bytes & (bytes - 1)) == 0;
}

/// Tiles of nearly equal length: a remainder of a few would go element by element.
std::int64_t tile_length(std::int64_t n, std::int64_t most) {
  return ceil_div(n, ceil_div(n, most));
}

/// Through a buffer, from which columns go out whole: steps of a power of two would have them meet in few sets of the caches.
template <int Element>
void transpose_tile(const Plane& p, bool stream) {
  constexpr int N = kLanes16<Element>;
  std::int64_t column = p.rows * Element, columns = p.columns;
  const bool dense = p.to_step == column, square = p.rows >= N && p.columns >= N;
  const bool whole_lines = column >= kLine && (square || stream);
  if (!(whole_lines || (dense && stream)) || p.from_column != Element || p.rows * p.columns > kTile<Element>)
    return transpose_plane<Element>(p);
  alignas(kLine) char buffer[kTile<Element> * Element];
  Plane inside = p;
  inside.to = buffer;
  inside.to_step = column;
  transpose_plane<Element>(inside);
  if (dense) column *= std::exchange(columns, 1);
  for (std::int64_t c = 0; c < columns; ++c) {
    if (stream)
      stream_row(p.to + c * p.to_step, buffer + c * column, column);
    else
      copy_vectors(p.to + c * p.to_step, buffer + c * column, column);
  }
}

}  // namespace

StridedMove::StridedMove(const Shape& shape, const Shape& from, const Shape& to, std::int64_t element)
    : unit_(element), bytes_(shape.numel() * element) {
  if (bytes_ == 0) return;
  merge(shape, from, to, element);
  choose();
  for (int a = 0; a < rank_; ++a) count_ *= axes_[std::size_t(a)].size;
}

void StridedMove::merge(const Shape& shape, const Shape& from, const Shape& to, std::int64_t element) {
  std::array<Axis, kMaxRank> all;
  int n = 0;
  for (int a = 0; a < shape.rank(); ++a)
    if (shape[a] != 1) all[std::size_t(n++)] = {shape[a], from[a] * element, to[a] * element};
  std::stable_sort(all.begin(), all.begin() + n, [](const Axis& a, const Axis& b) { return std::abs(a.to) > std::abs(b.to); });
  for (int a = 0; a < n; ++a) {
    const Axis& next = all[std::size_t(a)];
    if (rank_ > 0) {
      Axis& last = axes_[std::size_t(rank_ - 1)];
      if (last.from == next.from * next.size && last.to == next.to * next.size) {
        last = {last.size * next.size, next.from, next.to};
        continue;
      }
    }
    axes_[std::size_t(rank_++)] = next;
  }
}

StridedMove::Axis StridedMove::taken(int axis) {
  const Axis a = axes_[std::size_t(axis)];
  std::copy(axes_.begin() + axis + 1, axes_.begin() + rank_, axes_.begin() + axis);
  --rank_;
  return a;
}

void StridedMove::choose() {
  if (rank_ == 0) return;
  if (const Axis& last = axes_[std::size_t(rank_ - 1)]; last.from == unit_ && last.to == unit_) unit_ *= taken(rank_ - 1).size;
  if (rank_ == 0 || !is_element(unit_)) return;
  const Axis last = axes_[std::size_t(rank_ - 1)];
  if (last.to != unit_) return;
  if (last.from == 0 && last.size * unit_ >= kSpreadBytes) {
    line_ = taken(rank_ - 1);
    way_ = Way::spread;
    return;
  }
  int nearest = -1;  // the axis along which the source's elements are closest
  for (int a = 0; a + 1 < rank_; ++a) {
    const std::int64_t step = std::abs(axes_[std::size_t(a)].from);
    if (step >= unit_ && (nearest < 0 || step < std::abs(axes_[std::size_t(nearest)].from))) nearest = a;
  }
  if (nearest < 0) return;
  const std::int64_t step = axes_[std::size_t(nearest)].from;
  if (step != unit_ && std::abs(step) >= std::abs(last.from)) return;
  line_ = taken(rank_ - 1);
  across_ = taken(nearest);
  way_ = Way::planes;
}

/// The steps to the `position`th place along the axes.
StridedMove::Axis StridedMove::place(std::int64_t position) const {
  Axis at;
  for (int a = rank_ - 1; a >= 0; --a) {
    const Axis& axis = axes_[std::size_t(a)];
    const std::int64_t i = position % axis.size;
    position /= axis.size;
    at.from += i * axis.from;
    at.to += i * axis.to;
  }
  return at;
}

/// body(place, n): n positions along the last axis, in parallel.
template <class Body>
void StridedMove::for_runs(std::int64_t grain, const Body& body) const {
  parallel_blocks(count_, grain, [&](std::int64_t begin, std::int64_t end) {
    if (rank_ == 0) return body(Axis(), end - begin);
    const std::int64_t size = axes_[std::size_t(rank_ - 1)].size;
    std::array<std::int64_t, kMaxRank> index{};
    Axis at = place(begin);
    std::int64_t rest = begin;
    for (int a = rank_ - 1; a >= 0; --a) {
      index[std::size_t(a)] = rest % axes_[std::size_t(a)].size;
      rest /= axes_[std::size_t(a)].size;
    }
    for (;;) {
      const std::int64_t first = index[std::size_t(rank_ - 1)], n = std::min(size - first, end - begin);
      body(at, n);
      begin += n;
      if (begin == end) return;
      at.from -= first * axes_[std::size_t(rank_ - 1)].from;
      at.to -= first * axes_[std::size_t(rank_ - 1)].to;
      index[std::size_t(rank_ - 1)] = 0;
      for (int a = rank_ - 2; a >= 0; --a) {
        const Axis& axis = axes_[std::size_t(a)];
        at.from += axis.from;
        at.to += axis.to;
        if (++index[std::size_t(a)] < axis.size) break;
        index[std::size_t(a)] = 0;
        at.from -= axis.size * axis.from;
        at.to -= axis.size * axis.to;
      }
    }
  });
}

/// body(place, begin, end) over pieces [begin, end) of the `line` bytes at each place, in parallel.
template <class Body>
void StridedMove::for_pieces(std::int64_t line, const Body& body) const {
  const std::int64_t pieces = ceil_div(line, kTaskBytes);
  parallel_blocks(count_ * pieces, move_grain(count_ * pieces, std::min(line, kTaskBytes)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t start = i % pieces * kTaskBytes;
      body(place(i / pieces), start, std::min(line, start + kTaskBytes));
    }
  });
}

void StridedMove::move_rows(const char* from, char* to) const {
  const bool stream = bytes_ >= kStreamBytes && unit_ >= kStreamRow;
  if (stream || unit_ > kTaskBytes)
    return for_pieces(unit_, [&](const Axis& at, std::int64_t begin, std::int64_t end) {
      char* row = to + at.to + begin;
      const char* source = from + at.from + begin;
      if (!stream) return copy_rows(row, 0, source, 0, end - begin, 1);
      stream_row(row, source, end - begin);
      end_streams();
    });
  const Axis last = rank_ ? axes_[std::size_t(rank_ - 1)] : Axis();
  for_runs(move_grain(count_, unit_),
           [&](const Axis& at, std::int64_t n) { copy_rows(to + at.to, last.to, from + at.from, last.from, unit_, n); });
}

void StridedMove::spread(const char* from, char* to) const {
  for_pieces(line_.size * unit_, [&](const Axis& at, std::int64_t begin, std::int64_t end) {
    alignas(16) char pattern[16];
    for (std::int64_t i = 0; i < 16; i += unit_) std::memcpy(pattern + i, from + at.from, std::size_t(unit_));
    const Bytes16 value = load16(pattern);
    char* row = to + at.to;
    if (end - begin < 16) return void(std::memcpy(row + begin, pattern, std::size_t(end - begin)));
    for (std::int64_t i = begin; i + 16 <= end; i += 16) store16(row + i, value);
    store16(row + end - 16, value);
  });
}

template <int Element>
void StridedMove::move_planes(const char* from, char* to) const {
  constexpr std::int64_t side = kSide<Element>, lanes = kLanes16<Element>;
  std::int64_t rows = tile_length(line_.size, side), columns = tile_length(across_.size, side);
  if (line_.size < lanes)
    columns = tile_length(across_.size, kTile<Element> / line_.size);
  else if (across_.size < lanes)
    rows = tile_length(line_.size, kTile<Element> / across_.size);
  const std::int64_t down = ceil_div(line_.size, rows), along = ceil_div(across_.size, columns);
  const bool stream = bytes_ >= kStreamBytes;
  parallel_blocks(count_ * along * down, move_grain(count_ * along * down, rows * columns * Element),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) {
                      const Axis at = place(i / (along * down));
                      const std::int64_t r = i % down * rows, c = i / down % along * columns;
                      transpose_tile<Element>(
                          {from + at.from + r * line_.from + c * across_.from, line_.from, to + at.to + r * line_.to + c * across_.to,
                           across_.to, std::min(rows, line_.size - r), std::min(columns, across_.size - c), across_.from},
                          stream);
                    }
                    if (stream) end_streams();
                  });
}

void StridedMove::run(const void* source, void* result) const {
  if (bytes_ == 0) return;
  const char* from = static_cast<const char*>(source);
  char* to = static_cast<char*>(result);
  if (way_ == Way::rows) return move_rows(from, to);
  if (way_ == Way::spread) return spread(from, to);
  switch (unit_) {
    case 1:
      return move_planes<1>(from, to);
    case 2:
      return move_planes<2>(from, to);
    case 4:
      return move_planes<4>(from, to);
    case 8:
      return move_planes<8>(from, to);
    default:
      return move_planes<16>(from, to);
  }
}

}  // namespace tenon::cpu
