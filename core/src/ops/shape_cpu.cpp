/// The CPU kernels of the ops that move bytes.
#include <algorithm>
#include <cstring>

#include "ops/labels.hpp"
#include "ops/shape_kernels.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kTaskBytes = 1 << 17;

/// memcpy of `rows` rows; the sizes that channels usually have are compiled in, since a call a row costs more than the copy.
template <std::int64_t Bytes>
void copy_rows_of(char* to, std::int64_t to_step, const char* from, std::int64_t from_step, std::int64_t rows) {
  for (std::int64_t r = 0; r < rows; ++r) std::memcpy(to + r * to_step, from + r * from_step, std::size_t(Bytes));
}
void copy_rows(char* to, std::int64_t to_step, const char* from, std::int64_t from_step, std::int64_t bytes, std::int64_t rows) {
  switch (bytes) {
    case 4:
      return copy_rows_of<4>(to, to_step, from, from_step, rows);
    case 32:
      return copy_rows_of<32>(to, to_step, from, from_step, rows);
    case 64:
      return copy_rows_of<64>(to, to_step, from, from_step, rows);
    case 128:
      return copy_rows_of<128>(to, to_step, from, from_step, rows);
    case 256:
      return copy_rows_of<256>(to, to_step, from, from_step, rows);
    default:
      for (std::int64_t r = 0; r < rows; ++r) std::memcpy(to + r * to_step, from + r * from_step, std::size_t(bytes));
  }
}

/// Moves between the whole and its pieces, a block of rows a task; `piece` gives the address of piece i.
template <bool Joining>
Kernel move_pieces(const Pieces& p) {
  std::int64_t step = 0;
  for (std::int64_t b : p.bytes) step += b;
  const std::int64_t grain = std::max<std::int64_t>(1, kTaskBytes / std::max<std::int64_t>(step, 1));
  return [p, step, grain](void* const* o) {
    const std::size_t count = p.bytes.size();
    char* whole = static_cast<char*>(Joining ? o[count] : o[0]);
    void* const* pieces = Joining ? o : o + 1;
    parallel_blocks(p.rows, grain, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t at = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const std::int64_t bytes = p.bytes[i];
        char *piece = static_cast<char*>(pieces[i]) + begin * bytes, *part = whole + begin * step + at;
        if constexpr (Joining)
          copy_rows(part, step, piece, bytes, bytes, end - begin);
        else
          copy_rows(piece, bytes, part, step, bytes, end - begin);
        at += bytes;
      }
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
    parallel_blocks(rows, std::max<std::int64_t>(1, kTaskBytes / std::max<std::int64_t>(1, width * p.element)),
                    [&](std::int64_t begin, std::int64_t end) {
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
                        std::memcpy(row + head, from + source * p.element, std::size_t(body));
                        fill_bytes(row + head + body, width * p.element - head - body, p);
                      }
                    });
  };
}

Kernel flip_bytes(const Reversal& p) {
  return [p](void* const* o) {
    const char* from = static_cast<const char*>(o[0]);
    char* to = static_cast<char*>(o[1]);
    const int last = p.shape.rank() - 1;
    const std::int64_t width = p.shape[-1], rows = width ? p.shape.numel() / width : 0, bytes = p.element;
    const Shape strides = p.shape.contiguous_strides();
    parallel_blocks(rows, std::max<std::int64_t>(1, kTaskBytes / std::max<std::int64_t>(1, width * bytes)),
                    [&](std::int64_t begin, std::int64_t end) {
                      std::int64_t index[kMaxRank];
                      for (std::int64_t r = begin; r < end; ++r) {
                        unravel(p.shape, r, index);
                        std::int64_t source = 0;
                        for (int a = 0; a < last; ++a)
                          source += (p.flipped[std::size_t(a)] ? p.shape[a] - 1 - index[a] : index[a]) * strides[a];
                        char* row = to + r * width * bytes;
                        const char* start = from + source * bytes;
                        if (p.flipped[std::size_t(last)])
                          copy_rows(row, bytes, start + (width - 1) * bytes, -bytes, bytes, width);
                        else
                          std::memcpy(row, start, std::size_t(width * bytes));
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
      parallel_blocks(p.count, std::max<std::int64_t>(1, kTaskBytes / std::max<std::int64_t>(1, row)),
                      [&](std::int64_t begin, std::int64_t end) {
                        std::memset(to + begin * row, 0, std::size_t((end - begin) * row));
                        for (std::int64_t i = begin; i < end; ++i) {
                          std::int64_t label = std::int64_t(labels[i]);
                          if (label >= 0 && label < p.classes)
                            std::memcpy(to + i * row + label * p.element, &p.one, std::size_t(p.element));
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
