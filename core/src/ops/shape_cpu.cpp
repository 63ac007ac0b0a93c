/// The CPU kernels of the ops that move bytes.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "backend/cpu/transpose.hpp"
#include "ops/labels.hpp"
#include "ops/shape_kernels.hpp"

namespace tenon {
namespace {

using cpu::copy_rows;
using cpu::kTaskBytes;
using cpu::move_grain;

constexpr std::int64_t kNearBytes = 1 << 13;  ///< of the whole, that its pieces fill in turn

/// Rows [begin, end) of the whole and of its pieces.
template <bool Joining>
void move_block(const Pieces& p, std::int64_t step, char* whole, void* const* pieces, std::int64_t begin, std::int64_t end) {
  std::int64_t at = 0;
  for (std::size_t i = 0; i < p.bytes.size(); ++i) {
    const std::int64_t bytes = p.bytes[i];
    char *piece = static_cast<char*>(pieces[i]) + begin * bytes, *part = whole + begin * step + at;
    if constexpr (Joining)
      copy_rows(part, step, piece, bytes, bytes, end - begin);
    else
      copy_rows(piece, bytes, part, step, bytes, end - begin);
    at += bytes;
  }
}

/// Single elements of a few pieces, joined in turn.
template <int Element>
void zip_pieces(const Pieces& p, char* whole, void* const* pieces, std::int64_t begin, std::int64_t end) {
  const char* from[cpu::kLanes16<Element>];
  const std::int64_t count = std::int64_t(p.bytes.size());
  for (std::int64_t i = 0; i < count; ++i) from[i] = static_cast<const char*>(pieces[i]) + begin * Element;
  cpu::zip_rows<Element>(from, count, whole + begin * count * Element, end - begin);
}
using ZipPieces = decltype(&zip_pieces<4>);

ZipPieces zip_of(const Pieces& p) {
  const std::int64_t bytes = p.bytes[0], count = std::int64_t(p.bytes.size());
  const bool equal = std::all_of(p.bytes.begin(), p.bytes.end(), [&](std::int64_t b) { return b == bytes; });
  if (!equal || count * bytes > 16) return nullptr;
  return bytes == 1 ? &zip_pieces<1> : bytes == 2 ? &zip_pieces<2> : bytes == 4 ? &zip_pieces<4> : bytes == 8 ? &zip_pieces<8> : nullptr;
}

/// Moves between the whole and its pieces, a block of rows a task, or a part of one row.
template <bool Joining>
Kernel move_pieces(const Pieces& p) {
  std::int64_t step = 0, parts = 0;
  std::vector<std::int64_t> first_part;
  for (std::int64_t b : p.bytes) {
    step += b;
    first_part.push_back(parts);
    parts += cpu::ceil_div(b, kTaskBytes);
  }
  if (step > 2 * kTaskBytes)
    return [p, step, parts, first_part](void* const* o) {
      char* whole = static_cast<char*>(Joining ? o[p.bytes.size()] : o[0]);
      void* const* pieces = Joining ? o : o + 1;
      auto move = [&](std::int64_t task) {
        const std::int64_t row = task / parts, part = task % parts;
        const std::size_t i = std::size_t(std::upper_bound(first_part.begin(), first_part.end(), part) - first_part.begin() - 1);
        const std::int64_t start = (part - first_part[i]) * kTaskBytes, bytes = std::min(kTaskBytes, p.bytes[i] - start),
                           before = std::accumulate(p.bytes.begin(), p.bytes.begin() + std::ptrdiff_t(i), std::int64_t(0));
        char *piece = static_cast<char*>(pieces[i]) + row * p.bytes[i] + start, *in_whole = whole + row * step + before + start;
        copy_rows(Joining ? in_whole : piece, 0, Joining ? piece : in_whole, 0, bytes, 1);
      };
      parallel_blocks(p.rows * parts, move_grain(p.rows * parts, kTaskBytes), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t task = begin; task < end; ++task) move(task);
      });
    };
  const std::int64_t near = std::max<std::int64_t>(1, kNearBytes / std::max<std::int64_t>(step, 1));
  const ZipPieces zip = Joining ? zip_of(p) : nullptr;
  return [p, step, near, zip](void* const* o) {
    char* whole = static_cast<char*>(Joining ? o[p.bytes.size()] : o[0]);
    void* const* pieces = Joining ? o : o + 1;
    parallel_blocks(p.rows, move_grain(p.rows, step), [&](std::int64_t begin, std::int64_t end) {
      if (zip) return zip(p, whole, pieces, begin, end);
      for (; begin < end; begin += near) move_block<Joining>(p, step, whole, pieces, begin, std::min(end, begin + near));
    });
  };
}

/// Index along each axis of the `i`th position of a row-major shape without its last axis.
void unravel(const Shape& shape, std::int64_t i, std::int64_t* index) {
  for (int a = shape.rank() - 2; a >= 0; --a) {
    index[a] = i % shape[a];
    i /= shape[a];
  }
}

void fill_bytes(char* to, std::int64_t bytes, const Padding& p) {
  if (p.fill == 0) {
    std::memset(to, 0, std::size_t(bytes));
    return;
  }
  for (std::int64_t b = 0; b < bytes; b += p.fill_bytes) std::memcpy(to + b, &p.fill, std::size_t(p.fill_bytes));
}

Kernel pad_bytes(const Padding& p) {
  return [p](void* const* o) {
    const char* from = static_cast<const char*>(o[0]);
    char* to = static_cast<char*>(o[1]);
    const int last = p.to.rank() - 1;
    const std::int64_t width = p.to[-1], inner = p.from[-1], rows = width ? p.to.numel() / width : 0;
    const Shape from_strides = p.from.contiguous_strides();
    parallel_blocks(rows, move_grain(rows, width * p.element), [&](std::int64_t begin, std::int64_t end) {
      std::int64_t index[kMaxRank];
      for (std::int64_t r = begin; r < end; ++r) {
        unravel(p.to, r, index);
        std::int64_t source = 0;
        bool inside = true;
        for (int a = 0; a < last; ++a) {
          std::int64_t j = index[a] - p.before[a];
          inside = inside && j >= 0 && j < p.from[a];
          source += j * from_strides[a];
        }
        char* row = to + r * width * p.element;
        if (!inside) {
          fill_bytes(row, width * p.element, p);
          continue;
        }
        std::int64_t head = p.before[-1] * p.element, body = inner * p.element;
        fill_bytes(row, head, p);
        copy_rows(row + head, 0, from + source * p.element, 0, body, 1);
        fill_bytes(row + head + body, width * p.element - head - body, p);
      }
    });
  };
}

/// Elements [begin, end) of a row of n, the last of the source first.
void reverse_row(char* row, const char* from, std::int64_t n, std::int64_t bytes, std::int64_t begin, std::int64_t end) {
  char* to = row + begin * bytes;
  const std::int64_t count = end - begin;
  const char* last = from + (n - 1 - begin) * bytes;
  switch (bytes) {
    case 1:
      return cpu::reverse_elements<1>(to, last, count);
    case 2:
      return cpu::reverse_elements<2>(to, last, count);
    case 4:
      return cpu::reverse_elements<4>(to, last, count);
    case 8:
      return cpu::reverse_elements<8>(to, last, count);
    default:
      return copy_rows(to, bytes, last, -bytes, bytes, count);
  }
}

Kernel flip_bytes(const Reversal& p) {
  return [p](void* const* o) {
    const char* from = static_cast<const char*>(o[0]);
    char* to = static_cast<char*>(o[1]);
    const int last = p.shape.rank() - 1;  // flipped: what keeps its order belongs to the element
    const std::int64_t width = p.shape[-1], rows = width ? p.shape.numel() / width : 0, bytes = p.element;
    const Shape strides = p.shape.contiguous_strides();
    const std::int64_t piece = std::clamp<std::int64_t>(kTaskBytes / std::max<std::int64_t>(1, bytes), 1, std::max<std::int64_t>(1, width)),
                       pieces = cpu::ceil_div(width, piece);
    parallel_blocks(rows * pieces, move_grain(rows * pieces, piece * bytes), [&](std::int64_t begin, std::int64_t end) {
      std::int64_t index[kMaxRank];
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t r = i / pieces, start = i % pieces * piece;
        unravel(p.shape, r, index);
        std::int64_t source = 0;
        for (int a = 0; a < last; ++a) source += (p.flipped[std::size_t(a)] ? p.shape[a] - 1 - index[a] : index[a]) * strides[a];
        reverse_row(to + r * width * bytes, from + source * bytes, width, bytes, start, std::min(width, start + piece));
      }
    });
  };
}

Kernel one_hot_bytes(const OneHot& p) {
  return dispatch_integer(p.labels, [&](auto tag) -> Kernel {
    using L = typename decltype(tag)::type;
    return [p](void* const* o) {
      const L* labels = static_cast<const L*>(o[0]);
      char* to = static_cast<char*>(o[1]);
      const std::int64_t row = p.classes * p.element;
      parallel_blocks(p.count, move_grain(p.count, row), [&](std::int64_t begin, std::int64_t end) {
        std::memset(to + begin * row, 0, std::size_t((end - begin) * row));
        for (std::int64_t i = begin; i < end; ++i) {
          std::int64_t label = std::int64_t(labels[i]);
          if (label >= 0 && label < p.classes) std::memcpy(to + i * row + label * p.element, &p.one, std::size_t(p.element));
        }
      });
    };
  });
}

}  // namespace

KernelSlot<const Pieces&> concat_kernel("concat", move_pieces<true>);
KernelSlot<const Pieces&> split_kernel("split", move_pieces<false>);
KernelSlot<const Padding&> pad_kernel("pad", pad_bytes);
KernelSlot<const Reversal&> flip_kernel("flip", flip_bytes);
KernelSlot<const OneHot&> one_hot_kernel("one_hot", one_hot_bytes);

}  // namespace tenon
