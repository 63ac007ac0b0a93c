/// Ops that move bytes: in the widest words that all sizes and addresses allow (private).
#pragma once

#include <array>
#include <cstring>

#include "backend/cuda/divider.cuh"
#include "backend/cuda/lanes.cuh"
#include "backend/cuda/launch.cuh"
#include "ops/dispatch.hpp"
#include "tenon/shape.hpp"

namespace tenon::cuda {

using Word16 = Lanes<std::uint64_t, 2>;

/// f(TypeTag<Word>{}); `all`: sizes in bytes and addresses, or-ed together.
template <class F>
void with_word(std::uint64_t all, F&& f) {
  if (all % 16 == 0) return f(TypeTag<Word16>{});
  if (all % 8 == 0) return f(TypeTag<std::uint64_t>{});
  if (all % 4 == 0) return f(TypeTag<std::uint32_t>{});
  if (all % 2 == 0) return f(TypeTag<std::uint16_t>{});
  f(TypeTag<std::uint8_t>{});
}
inline std::uint64_t address(const void* p) {
  return reinterpret_cast<std::uintptr_t>(p);
}

/// A constant of `bytes` bytes (1, 2, 4, 8), or zeros, repeated over a word.
class FillPattern {
 public:
  FillPattern(std::uint64_t value, std::int64_t bytes) {
    if (value == 0) return;
    for (std::size_t b = 0; b < bytes_.size(); b += std::size_t(bytes)) std::memcpy(bytes_.data() + b, &value, std::size_t(bytes));
  }
  template <class Word>
  Word word() const {
    Word w;
    std::memcpy(&w, bytes_.data(), sizeof w);
    return w;
  }

 private:
  std::array<unsigned char, 16> bytes_{};
};

/// to[element e] = from[element map(e)], or the constant where map gives -1. Elements of `element.size` words.
template <class Word, class Map>
__global__ void __launch_bounds__(kBlock)
    map_words(const Word* from, Word* to, std::int64_t count, LongDivider element, Map map, Word fill) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    std::int64_t at = i;
    const std::int64_t e = element.split(at), source = map(e);
    to[i] = source < 0 ? fill : from[source * element.size + at];
  }
}

/// `elements` of `bytes` bytes each.
template <class Map>
void run_map(const char* name, const void* from, void* to, std::int64_t elements, std::int64_t bytes, const Map& map,
             const FillPattern& fill) {
  if (elements * bytes == 0) return;
  with_word(std::uint64_t(bytes) | address(from) | address(to), [&](auto tag) {
    using Word = typename decltype(tag)::type;
    const std::int64_t words = bytes / std::int64_t(sizeof(Word));
    start_items(name, elements * words, map_words<Word, Map>, static_cast<const Word*>(from), static_cast<Word*>(to), elements * words,
                LongDivider(words), map, fill.word<Word>());
  });
}

/// Position j of an axis of the result comes from j + base, or base - j where it is flipped; what lies outside the source wraps once or is
/// the constant.
struct LinearMap {
  int rank = 0;
  LongDivider to[kMaxRank];
  std::int64_t from[kMaxRank] = {}, base[kMaxRank] = {};
  bool flipped[kMaxRank] = {}, wraps[kMaxRank] = {};

  void add_axis(std::int64_t to_size, std::int64_t from_size, std::int64_t begin, bool flip, bool wrap) {
    to[rank] = LongDivider(to_size);
    from[rank] = from_size;
    base[rank] = begin;
    flipped[rank] = flip;
    wraps[rank++] = wrap;
  }
  __device__ std::int64_t operator()(std::int64_t e) const {
    std::int64_t source = 0, stride = 1;
    bool inside = true;
    for (int a = rank - 1; a >= 0; --a) {
      std::int64_t j = e;
      e = to[a].split(j);
      std::int64_t s = flipped[a] ? base[a] - j : base[a] + j;
      if (wraps[a] && s < 0) s += from[a];
      inside = inside && s >= 0 && s < from[a];
      source += s * stride;
      stride *= from[a];
    }
    return inside ? source : -1;
  }
};

}  // namespace tenon::cuda
