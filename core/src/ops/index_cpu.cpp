/// The CPU kernels that pick and place by index. Who computes a place depends on the number of threads, the order of its sources never
/// does.
#include <algorithm>
#include <cstring>
#include <string>

#include "backend/cpu/rows.hpp"
#include "ops/dispatch.hpp"
#include "ops/index_kernels.hpp"
#include "tenon/device.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kGrain = 4096;           ///< elements a task: their indices stay in the first cache
constexpr std::int64_t kTaskBytes = 1 << 16;    ///< of rows a task copies
constexpr std::int64_t kLargePlaces = 1 << 18;  ///< bytes of places past which random access waits for memory, so that threads pay
constexpr std::int64_t kLine = 16;              ///< columns: two tasks never write one cache line

/// Indices [begin, end).
void check_range(const IndexMove& p, const std::int64_t* index, std::int64_t begin, std::int64_t end) {
  const std::uint64_t n = std::uint64_t(p.at.n);
  bool outside = false;
  for (std::int64_t i = begin; i < end; ++i) outside |= std::uint64_t(index[i]) >= n;
  if (!outside) return;
  while (std::uint64_t(index[begin]) < n) ++begin;
  refuse_index(p.op, index[begin], begin, p.index_shape, p.at.n);
}

void check_all(const IndexMove& p, const std::int64_t* index) {
  parallel_blocks(p.index_shape.numel(), 4 * kGrain, [&](std::int64_t begin, std::int64_t end) { check_range(p, index, begin, end); });
}

// ---- picking ---------------------------------------------------------------------------------------------------------

/// Bytes 0: `row` bytes, known only now.
template <std::size_t Bytes>
void pick_rows(char* to, const char* from, const std::int64_t* index, std::int64_t count, std::int64_t row) {
  for (std::int64_t k = 0; k < count; ++k) std::memcpy(to + k * row, from + index[k] * row, Bytes ? Bytes : std::size_t(row));
}

auto row_picker(std::int64_t row) {
  switch (row) {
    case 1:
      return pick_rows<1>;
    case 2:
      return pick_rows<2>;
    case 4:
      return pick_rows<4>;
    case 8:
      return pick_rows<8>;
    case 16:
      return pick_rows<16>;
    case 32:
      return pick_rows<32>;
    case 64:
      return pick_rows<64>;
    case 128:
      return pick_rows<128>;
    default:
      return pick_rows<0>;
  }
}

Kernel make_select(const IndexMove& p) {
  const std::int64_t row = p.at.inner * std::int64_t(size_of(p.dtype));
  return [p, row, pick = row_picker(row)](void* const* o) {
    const char* x = static_cast<const char*>(o[0]);
    const auto* index = static_cast<const std::int64_t*>(o[1]);
    char* y = static_cast<char*>(o[2]);
    if (p.at.outer == 0 || row == 0) return check_range(p, index, 0, p.picks);
    const std::int64_t grain = std::clamp<std::int64_t>(kTaskBytes / row, 1, kGrain), blocks = (p.picks + grain - 1) / grain;
    parallel_for(p.at.outer * blocks, [&](std::int64_t task) {
      const std::int64_t outer = task / blocks, begin = task % blocks * grain, end = std::min(begin + grain, p.picks);
      check_range(p, index, begin, end);
      pick(y + (outer * p.picks + begin) * row, x + outer * p.at.n * row, index + begin, end - begin, row);
    });
  };
}

Kernel make_gather(const IndexMove& p) {
  return dispatch_size(p.dtype, [&](auto tag) -> Kernel {
    using T = typename decltype(tag)::type;
    return [p](void* const* o) {
      const T* x = static_cast<const T*>(o[0]);
      const auto* index = static_cast<const std::int64_t*>(o[1]);
      T* y = static_cast<T*>(o[2]);
      const std::int64_t inner = p.at.inner, run = inner == 1 ? p.picks : inner;  // elements whose address depends on the index alone
      parallel_blocks(p.at.outer * p.picks * inner, kGrain, [&](std::int64_t begin, std::int64_t end) {
        check_range(p, index, begin, end);
        if (run == 1 && inner == 1) {
          for (std::int64_t e = begin; e < end; ++e) y[e] = x[e * p.at.n + index[e]];
          return;
        }
        for (std::int64_t r = begin / run, column = begin % run; begin < end; ++r, column = 0) {
          const std::int64_t last = std::min(end, begin + run - column);
          if (inner == 1) {
            const T* row = x + r * p.at.n;
            for (std::int64_t e = begin; e < last; ++e) y[e] = row[index[e]];
          } else {
            const T* row = x + r / p.picks * p.at.n * inner + column;
            for (std::int64_t e = begin; e < last; ++e) y[e] = row[index[e] * inner + (e - begin)];
          }
          begin = last;
        }
      });
    };
  });
}

// ---- placing ---------------------------------------------------------------------------------------------------------

/// What one task writes: places [first, last) of columns [left, right) of one outer position.
struct Part {
  std::int64_t outer, left, right, first, last;
};

/// Cuts the places into parts: by outer position, by columns, and by ranges of places where these are too few for the threads.
class Parts {
 public:
  explicit Parts(const IndexMove& p) : p_(p) {
    if (p.at.outer * p.at.inner == 0) {  // nothing to write
      columns_ = 0;
      return;
    }
    const std::int64_t wanted = thread_count() == 1 ? 1 : 4 * thread_count();
    const std::int64_t narrowest = p.shared ? 4 * kLine : kLine;
    if (p.at.outer < wanted) {
      std::int64_t chunks = std::clamp<std::int64_t>(p.at.inner / narrowest, 1, (wanted + p.at.outer - 1) / p.at.outer);
      width_ = std::max<std::int64_t>(1, (p.at.inner + chunks - 1) / chunks);
      if (chunks > 1) width_ = (width_ + kLine - 1) / kLine * kLine;
    }
    columns_ = (p.at.inner + width_ - 1) / width_;
    const bool pays = p.shared ? p.at.inner >= kLine : p.at.n * p.at.inner * std::int64_t(size_of(p.dtype)) >= kLargePlaces;
    if (p.at.outer * columns_ < thread_count() && pays)
      ranges_ = std::min<std::int64_t>(thread_count(), std::max<std::int64_t>(1, p.at.n / kLine));
  }
  bool whole() const { return ranges_ == 1; }
  template <class F>
  void run(const F& body) const {
    const std::int64_t length = (p_.at.n + ranges_ - 1) / ranges_;
    parallel_for(p_.at.outer * columns_ * ranges_, [&](std::int64_t task) {
      const std::int64_t range = task % ranges_, column = task / ranges_ % columns_;
      body(Part{task / ranges_ / columns_, column * width_, std::min(p_.at.inner, (column + 1) * width_), range * length,
                std::min(p_.at.n, (range + 1) * length)});
    });
  }

 private:
  const IndexMove& p_;
  std::int64_t width_ = std::max<std::int64_t>(1, p_.at.inner), columns_ = 1, ranges_ = 1;
};

struct Assign {
  template <class T>
  void operator()(T& place, T value) const {
    place = value;
  }
};
struct Add {
  template <class T>
  void operator()(T& place, T value) const {
    if constexpr (std::is_integral_v<T>)
      place = T(std::uint64_t(place) + std::uint64_t(value));  // wraps
    else
      place += value;
  }
};

/// Places of one column, in a range of them: the hits of a block are listed first, without a branch that would be guessed wrong.
template <class T, class Op>
void place_listed(const Part& part, const std::int64_t* index, const T* source, T* places, std::int64_t picks) {
  constexpr std::int64_t kBlock = 512;
  std::uint16_t hits[kBlock];
  const std::uint64_t length = std::uint64_t(part.last - part.first);
  for (std::int64_t start = 0; start < picks; start += kBlock) {
    const std::int64_t n = std::min(kBlock, picks - start);
    std::int64_t count = 0;
    for (std::int64_t k = 0; k < n; ++k) {
      hits[count] = std::uint16_t(k);
      count += std::uint64_t(index[start + k] - part.first) < length;
    }
    for (std::int64_t h = 0; h < count; ++h) Op()(places[index[start + hits[h]]], source[start + hits[h]]);
  }
}

/// `places` are those of the part's outer position.
template <class T, class Op>
void place(const IndexMove& p, const Part& part, bool whole, const std::int64_t* all, const T* source, T* places) {
  const std::int64_t inner = p.at.inner, *index = all;
  source += part.outer * p.picks * inner;
  if (!p.shared) index += part.outer * p.picks * inner;
  if (inner == 1) {
    if (!whole) return place_listed<T, Op>(part, index, source, places, p.picks);
    constexpr std::int64_t kBlock = 1024;  // checked while the next pass finds them in the first cache
    for (std::int64_t begin = 0; begin < p.picks; begin += kBlock) {
      const std::int64_t end = std::min(p.picks, begin + kBlock);
      check_range(p, all, index - all + begin, index - all + end);
      for (std::int64_t k = begin; k < end; ++k) Op()(places[index[k]], source[k]);
    }
    return;
  }
  for (std::int64_t k = 0; k < p.picks; ++k, source += inner) {
    if (p.shared) {
      const std::int64_t to = index[k];
      if (to < part.first || to >= part.last) continue;
      T* row = places + to * inner;
      for (std::int64_t i = part.left; i < part.right; ++i) Op()(row[i], source[i]);
    } else {
      for (std::int64_t i = part.left; i < part.right; ++i)
        if (const std::int64_t to = index[i]; to >= part.first && to < part.last) Op()(places[to * inner + i], source[i]);
      index += inner;
    }
  }
}

void start(const IndexMove& p, const void* x, void* y) {
  const std::int64_t bytes = p.at.outer * p.at.n * p.at.inner * std::int64_t(size_of(p.dtype));
  parallel_blocks(bytes, 1 << 20, [&](std::int64_t begin, std::int64_t end) {
    char* to = static_cast<char*>(y) + begin;
    if (x)
      std::memcpy(to, static_cast<const char*>(x) + begin, std::size_t(end - begin));
    else
      std::memset(to, 0, std::size_t(end - begin));
  });
}

/// Rows of one column that are many: some that are short, or one, are begun, checked and added to while they are near, short ones beside
/// the result, which they then reach past the caches where all together would not stay in them.
template <class T, class Op>
void place_rows(const IndexMove& p, const T* x, const std::int64_t* index, const T* source, T* y) {
  constexpr std::int64_t kBuffer = 4096, kIndices = 1024;
  const std::int64_t n = p.at.n, bytes = std::int64_t(sizeof(T)) * (2 * n + p.picks) + 8 * p.picks;
  const bool stream = n <= kBuffer && p.at.outer * bytes >= 2 * cpu::kStreamBytes;
  const std::int64_t most =
      p.shared ? 1 : std::clamp<std::int64_t>(std::min(kBuffer / n, kIndices / std::max<std::int64_t>(1, p.picks)), 1, kBuffer);
  parallel_blocks(p.at.outer, cpu::move_grain(p.at.outer, bytes), [&](std::int64_t begin, std::int64_t end) {
    alignas(64) T buffer[kBuffer];
    for (std::int64_t outer = begin; outer < end; outer += most) {
      const std::int64_t rows = std::min(most, end - outer), all = rows * n;
      T* row = stream ? buffer : y + outer * n;
      if (x)
        std::copy_n(x + outer * n, all, row);
      else
        std::fill_n(row, all, T());
      if (most == 1) {
        place<T, Op>(p, {outer, 0, 1, 0, n}, true, index, source, row);
      } else {
        const std::int64_t first = outer * p.picks;
        check_range(p, index, first, first + rows * p.picks);
        for (std::int64_t r = 0, at = first; r < rows; ++r)
          for (std::int64_t k = 0; k < p.picks; ++k, ++at) Op()(row[r * n + index[at]], source[at]);
      }
      if (stream)
        cpu::stream_row(reinterpret_cast<char*>(y + outer * n), reinterpret_cast<const char*>(buffer), all * std::int64_t(sizeof(T)));
    }
    if (stream) cpu::end_streams();
  });
}

template <class T, class Op>
Kernel make_placing(const IndexMove& p) {
  return [p](void* const* o) {
    const void* x = p.from_zero ? nullptr : *o++;
    const auto* index = static_cast<const std::int64_t*>(o[0]);
    const Parts parts(p);
    if (p.at.inner == 1 && p.at.outer >= thread_count() && parts.whole())
      return place_rows<T, Op>(p, static_cast<const T*>(x), index, static_cast<const T*>(o[1]), static_cast<T*>(o[2]));
    if (!(parts.whole() && p.at.inner == 1)) check_all(p, index);
    start(p, x, o[2]);
    parts.run([&](const Part& part) {
      T* places = static_cast<T*>(o[2]) + part.outer * p.at.n * p.at.inner;
      place<T, Op>(p, part, parts.whole(), index, static_cast<const T*>(o[1]), places);
    });
  };
}

}  // namespace

void refuse_index(const char* op, std::int64_t value, std::int64_t at, const Shape& indices, std::int64_t n) {
  std::string place;
  for (int a = indices.rank() - 1; a >= 0; at /= indices[a], --a)
    place = std::to_string(at % indices[a]) + (place.empty() ? "" : ", ") + place;
  throw Error(ErrorKind::data, "index.out_of_range",
              std::string(op) + ": index " + std::to_string(value) + " at [" + place + "] of indices " + indices.str() + " is outside 0.." +
                  std::to_string(n - 1),
              "indices count from 0; negative ones do not count from the end");
}

KernelSlot<const IndexMove&> index_select_kernel("index_select", make_select);
KernelSlot<const IndexMove&> gather_kernel("gather", make_gather);
KernelSlot<const IndexMove&> scatter_kernel("scatter", [](const IndexMove& p) -> Kernel {
  return dispatch_size(p.dtype, [&](auto tag) { return make_placing<typename decltype(tag)::type, Assign>(p); });
});
KernelSlot<const IndexMove&> scatter_add_kernel("scatter_add", [](const IndexMove& p) -> Kernel {
  return p.dtype == DType::f64   ? make_placing<double, Add>(p)
         : p.dtype == DType::i64 ? make_placing<std::int64_t, Add>(p)
                                 : make_placing<float, Add>(p);
});

}  // namespace tenon
