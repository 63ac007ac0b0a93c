/// The CPU kernel of resizing: rows of output voxels in parallel, each gathered.
#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "backend/cpu/ceil_div.hpp"
#include "ops/dispatch.hpp"
#include "ops/resize_rows.hpp"
#include "tenon/device.hpp"

#define TENON_ISA_FILE "ops/simd/resize.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kElementsATask = 16384;

double taps_of(const AxisMap& m) {
  return double(m.source.size()) / double(m.out);
}

/// Whether blending whole rows over the first two axes and then reading along the last takes fewer steps than each output's taps at once.
bool blends_rows(const Resizing& p) {
  constexpr double kLanes = 8;  // of a vector, which few channels do not fill
  const auto& [z, y, x] = *p.axes;
  const double rows = taps_of(z) * taps_of(y), fill = std::min(1.0, double(p.channels) / kLanes);
  return rows * double(x.in) / double(x.out) * fill + taps_of(x) < rows * taps_of(x);
}

/// The last axis in pieces whose inputs fit the buffer, where they are few.
std::vector<ResizePiece> pieces_of(const Resizing& p) {
  const AxisMap& x = (*p.axes)[2];
  const std::int64_t reach = std::max<std::int64_t>(1, kResizeBuffer / p.channels - 8),
                     length = std::clamp<std::int64_t>(std::int64_t(double(reach) * double(x.out) / double(x.in)), 1, reach);
  const bool blends = blends_rows(p);
  std::vector<ResizePiece> pieces;
  for (std::int64_t begin = 0; begin < x.out; begin += length) {
    ResizePiece piece{begin, std::min(x.out, begin + length), x.in, 0, false};
    for (std::int32_t k = x.first[std::size_t(begin)]; k < x.first[std::size_t(piece.end)]; ++k) {
      const std::int64_t at = x.source[std::size_t(k)];
      piece.low = std::min(piece.low, at);
      piece.high = std::max(piece.high, at + 1);
    }
    piece.low = std::min(piece.low, piece.high);  // nothing is read
    piece.buffered = blends && (piece.high - piece.low) * p.channels <= kResizeBuffer;
    pieces.push_back(piece);
  }
  return pieces;
}

/// Whether each output is one input.
bool picks(const AxisMap& m) {
  const auto one = [](double w) { return w == 1; };
  for (std::size_t o = 0; o <= std::size_t(m.out); ++o)
    if (m.first[o] != std::int32_t(o)) return false;
  return std::all_of(m.weight.begin(), m.weight.end(), one);
}

/// Voxels of `Bytes`, 0: of `bytes`.
template <std::size_t Bytes>
void pick_row(char* to, const char* from, const std::int32_t* source, std::int64_t count, std::size_t bytes) {
  if (Bytes) bytes = Bytes;
  for (std::int64_t o = 0; o < count; ++o) std::memcpy(to + std::size_t(o) * bytes, from + std::size_t(source[o]) * bytes, bytes);
}

/// Voxels are moved as they are.
Kernel pick_cpu(const Resizing& p) {
  const std::size_t bytes = std::size_t(p.channels) * size_of(p.dtype);
  const auto pick = bytes == 2    ? pick_row<2>
                    : bytes == 4  ? pick_row<4>
                    : bytes == 8  ? pick_row<8>
                    : bytes == 12 ? pick_row<12>
                    : bytes == 16 ? pick_row<16>
                                  : pick_row<0>;
  return [p, bytes, pick](void* const* o) {
    const auto& [az, ay, ax] = *p.axes;
    const std::int64_t length = std::max<std::int64_t>(1, kElementsATask / p.channels), pieces = cpu::ceil_div(ax.out, length),
                       tasks = p.samples * az.out * ay.out * pieces;
    parallel_blocks(
        tasks, std::max(length / ax.out, cpu::ceil_div(tasks, 4 * thread_count())),
        [&, &az = az, &ay = ay, &ax = ax](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) {
            const std::int64_t r = i / pieces, x = i % pieces * length, y = r % ay.out, z = r / ay.out % az.out, s = r / (ay.out * az.out);
            const std::int64_t from = ((s * az.in + az.source[std::size_t(z)]) * ay.in + ay.source[std::size_t(y)]) * ax.in;
            pick(static_cast<char*>(o[1]) + std::size_t(r * ax.out + x) * bytes, static_cast<const char*>(o[0]) + std::size_t(from) * bytes,
                 ax.source.data() + x, std::min(length, ax.out - x), bytes);
          }
        });
  };
}

template <class T>
Kernel resize_cpu(const Resizing& p) {
  using A = Acc<T>;
  auto loop = TENON_BY_ISA(resize_row<T>);
  struct Last {
    std::vector<ResizePiece> pieces;
    std::vector<A> weight;
  };
  const std::vector<double>& weight = (*p.axes)[2].weight;
  auto last = std::make_shared<const Last>(Last{pieces_of(p), {weight.begin(), weight.end()}});
  return [p, loop, last](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* y = static_cast<T*>(o[1]);
    MapView view[3];
    std::int64_t in = p.channels, out = p.channels;
    for (std::size_t a = 0; a < 3; ++a) {
      const AxisMap& m = (*p.axes)[a];
      view[a] = {m.in, m.out, m.first.data(), m.source.data(), m.weight.data()};
      in *= m.in;
      out *= m.out;
    }
    const std::int64_t depth = view[0].out, height = view[1].out, pieces = std::int64_t(last->pieces.size());
    const std::int64_t tasks = p.samples * depth * height * pieces;
    // neighbours to one thread: they read the same rows
    const std::int64_t grain = std::max(kElementsATask * tasks / (p.samples * out) + 1, cpu::ceil_div(tasks, thread_count()));
    parallel_blocks(tasks, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t r = i / pieces, s = r / (depth * height);
        loop(view, p.channels, last->weight.data(), x + s * in, y + s * out, r / height % depth, r % height,
             last->pieces[std::size_t(i % pieces)]);
      }
    });
  };
}

template <class T>
Kernel axis_map_cpu(const AxisMapping& p) {
  using A = Acc<T>;
  auto loop = TENON_BY_ISA(axis_map_rows<T>);
  auto weights = std::make_shared<const std::vector<A>>(p.map->weight.begin(), p.map->weight.end());
  const std::int64_t grain = std::max<std::int64_t>(1, kElementsATask / p.inner);
  const std::int64_t pieces = (p.map->out + grain - 1) / grain, lines = std::max<std::int64_t>(1, kElementsATask / (p.inner * p.map->out));
  return [=](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* y = static_cast<T*>(o[1]);
    const AxisMap& m = *p.map;
    parallel_blocks(p.outer * pieces, lines, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        const std::int64_t line = r / pieces, at = r % pieces * grain;
        loop(x + line * m.in * p.inner, y + line * m.out * p.inner, p.inner, m.first.data(), m.source.data(), weights->data(), at,
             std::min(m.out, at + grain));
      }
    });
  };
}

}  // namespace

KernelSlot<const Resizing&> resize_kernel("resize", [](const Resizing& p) -> Kernel {
  if (std::all_of(p.axes->begin(), p.axes->end(), picks)) return pick_cpu(p);
  return dispatch_floating("resize", p.dtype, [&](auto tag) -> Kernel { return resize_cpu<typename decltype(tag)::type>(p); });
});

KernelSlot<const AxisMapping&> axis_map_kernel(
    "resize.axis", [](const AxisMapping& p) -> Kernel { return p.dtype == DType::f64 ? axis_map_cpu<double>(p) : axis_map_cpu<float>(p); });

}  // namespace tenon
