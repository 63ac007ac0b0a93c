#include <algorithm>

#include "backend/cuda/install.hpp"
#include "backend/cuda/words.cuh"
#include "ops/shape_kernels.hpp"

namespace tenon::cuda {
namespace {

// ---- concat and split ------------------------------------------------------------------------------------------------

inline constexpr int kPieces = 24;  ///< of one launch

/// Neighbouring pieces, in words. `end[i]`: of piece i within a row of the group.
struct Group {
  char* piece[kPieces];
  std::int64_t end[kPieces];
  int count;
  std::int64_t rows, row, begin;  ///< words of a row of the whole; where the group begins in it
  LongDivider width;              ///< of a row of the group
};

template <class Word, bool Joining>
__global__ void __launch_bounds__(kBlock) move_group(Group g, Word* whole) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x, words = g.rows * g.width.size;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < words; i += threads) {
    std::int64_t at = i, begin = 0;
    const std::int64_t r = g.width.split(at);
    int k = 0;
    for (; k + 1 < g.count && at >= g.end[k]; ++k) begin = g.end[k];
    Word* piece = reinterpret_cast<Word*>(g.piece[k]) + r * (g.end[k] - begin) + (at - begin);
    Word* part = whole + r * g.row + g.begin + at;
    if constexpr (Joining)
      *part = *piece;
    else
      *piece = *part;
  }
}

template <bool Joining>
Kernel move_pieces(const Pieces& p) {
  return [p](void* const* o) {
    const std::size_t count = p.bytes.size();
    void* whole = Joining ? o[count] : o[0];
    void* const* pieces = Joining ? o : o + 1;
    std::int64_t row = 0;
    std::uint64_t all = address(whole);
    for (std::size_t i = 0; i < count; ++i) {
      if (p.bytes[i] == 0) continue;
      all |= address(pieces[i]) | std::uint64_t(p.bytes[i]);
      row += p.bytes[i];
    }
    if (p.rows * row == 0) return;
    with_word(all, [&](auto tag) {
      using Word = typename decltype(tag)::type;
      constexpr std::int64_t kBytes = sizeof(Word);
      std::int64_t begin = 0;
      for (std::size_t i = 0; i < count;) {
        Group g{};
        std::int64_t width = 0;
        for (; i < count && g.count < kPieces; ++i) {
          if (p.bytes[i] == 0) continue;
          g.piece[g.count] = static_cast<char*>(pieces[i]);
          g.end[g.count++] = width += p.bytes[i] / kBytes;
        }
        if (width == 0) continue;
        g.rows = p.rows;
        g.row = row / kBytes;
        g.begin = begin;
        g.width = LongDivider(width);
        start_items(Joining ? "concat" : "split", p.rows * width, move_group<Word, Joining>, g, static_cast<Word*>(whole));
        begin += width;
      }
    });
  };
}

// ---- pad and flip ----------------------------------------------------------------------------------------------------

Kernel make_pad(const Padding& p) {
  LinearMap map;
  for (int a = 0; a < p.to.rank(); ++a) map.add_axis(p.to[a], p.from[a], -p.before[a], false, false);
  return [map, elements = p.to.numel(), bytes = p.element, fill = FillPattern(p.fill, p.fill_bytes)](void* const* o) {
    run_map("pad", o[0], o[1], elements, bytes, map, fill);
  };
}

Kernel make_flip(const Reversal& p) {
  LinearMap map;
  for (int a = 0; a < p.shape.rank(); ++a) {
    const bool flipped = p.flipped[std::size_t(a)];
    map.add_axis(p.shape[a], p.shape[a], flipped ? p.shape[a] - 1 : 0, flipped, false);
  }
  return [map, elements = p.shape.numel(), bytes = p.element](void* const* o) {
    run_map("flip", o[0], o[1], elements, bytes, map, FillPattern(0, 1));
  };
}

// ---- one_hot -----------------------------------------------------------------------------------------------------------

/// V neighbouring elements of the result a thread; a label outside 0 .. classes - 1 gives a row of zeros.
template <class Bytes, int V>
__global__ void __launch_bounds__(kBlock)
    one_hot_packs(DType type, const void* labels, Bytes* y, std::int64_t count, LongDivider classes, Bytes one, bool aligned) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * V; i < count; i += threads * V) {
    std::int64_t column = i, row = classes.split(column), label = load_lane<std::int64_t>(type, labels, row);
    const int n = count - i < V ? int(count - i) : V;
    Lanes<Bytes, V> v;
#pragma unroll
    for (int k = 0; k < V; ++k) {
      v.of[k] = label == column ? one : Bytes(0);
      if (++column == classes.size && k + 1 < n) {
        column = 0;
        label = load_lane<std::int64_t>(type, labels, ++row);
      }
    }
    if (aligned && n == V) {
      *reinterpret_cast<Lanes<Bytes, V>*>(y + i) = v;
    } else {
#pragma unroll
      for (int k = 0; k < V; ++k)
        if (k < n) y[i + k] = v.of[k];
    }
  }
}

template <class Bytes>
Kernel one_hot_of(const OneHot& p) {
  constexpr int V = int(16 / sizeof(Bytes));
  return [p](void* const* o) {
    const std::int64_t count = p.count * p.classes;
    start_items("one_hot", (count + V - 1) / V, one_hot_packs<Bytes, V>, p.labels, static_cast<const void*>(o[0]),
                static_cast<Bytes*>(o[1]), count, LongDivider(p.classes), Bytes(p.one), is_aligned(o[1], 16));
  };
}

Kernel make_one_hot(const OneHot& p) {
  switch (p.element) {
    case 1:
      return one_hot_of<std::uint8_t>(p);
    case 2:
      return one_hot_of<std::uint16_t>(p);
    case 4:
      return one_hot_of<std::uint32_t>(p);
    default:
      return one_hot_of<std::uint64_t>(p);
  }
}

}  // namespace

void install_shape() {
  concat_kernel.set(DeviceType::cuda, move_pieces<true>);
  split_kernel.set(DeviceType::cuda, move_pieces<false>);
  pad_kernel.set(DeviceType::cuda, make_pad);
  flip_kernel.set(DeviceType::cuda, make_flip);
  one_hot_kernel.set(DeviceType::cuda, make_one_hot);
}

}  // namespace tenon::cuda
