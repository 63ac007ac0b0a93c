#include "backend/cpu/conv_pack.hpp"

#include <algorithm>
#include <cstring>

#include "tenon/kernel.hpp"

namespace tenon::cpu {
namespace {

constexpr std::int64_t kTile = 16;  // channels of a tile: a cache line of f32, and the usual block of the formats

/// Offset of index `i` along `axis`.
std::int64_t axis_offset(const dnnl_memory_desc_t& md, int axis, std::int64_t i) {
  const auto& b = md.format_desc.blocking;
  std::int64_t offset = 0, inner = 1;
  for (int k = b.inner_nblks - 1; k >= 0; --k) {
    if (b.inner_idxs[k] == axis) {
      offset += i % b.inner_blks[k] * inner;
      i /= b.inner_blks[k];
    }
    inner *= b.inner_blks[k];
  }
  return offset + i * b.strides[axis];
}

bool consecutive(const std::vector<std::int64_t>& table, std::int64_t begin, std::int64_t n) {
  for (std::int64_t i = 1; i < n; ++i)
    if (table[std::size_t(begin + i)] != table[std::size_t(begin)] + i) return false;
  return true;
}

/// Calls body(o, outputs, tap, i, inputs) for tiles of at most kTile x kTile weights of one tap, in parallel. Tiles do not straddle groups.
template <class Body>
void for_each_tile(const ConvGeometry& g, Body body) {
  std::int64_t group_out = g.out_channels / g.groups, ins = g.in_channels / g.groups, taps = g.taps();
  std::int64_t out_tiles = (group_out + kTile - 1) / kTile;
  std::int64_t grain = std::max<std::int64_t>(1, 65536 / (kTile * ins));
  parallel_blocks(g.groups * out_tiles * taps, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t unit = begin; unit < end; ++unit) {
      std::int64_t tap = unit % taps, tile = unit / taps % out_tiles, group = unit / taps / out_tiles;
      std::int64_t o = group * group_out + tile * kTile, outs = std::min(kTile, group_out - tile * kTile);
      for (std::int64_t i = 0; i < ins; i += kTile) body(o, outs, tap, i, std::min(kTile, ins - i));
    }
  });
}

template <class T>
void pack(const PackedWeights& l, const ConvGeometry& g, const float* weights, T* packed) {
  if (l.padded) std::memset(static_cast<void*>(packed), 0, std::size_t(l.elements) * sizeof(T));
  std::int64_t taps = g.taps(), ins = g.in_channels / g.groups;
  for_each_tile(g, [&](std::int64_t o0, std::int64_t outs, std::int64_t tap, std::int64_t i0, std::int64_t n) {
    const float* from = weights + (o0 * taps + tap) * ins + i0;
    const std::int64_t *to_o = &l.out[std::size_t(o0)], *to_i = &l.in[std::size_t(i0)];
    T* to = packed + l.tap[std::size_t(tap)];
    if (consecutive(l.out, o0, outs)) {
      for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t o = 0; o < outs; ++o) to[to_i[i] + to_o[0] + o] = T(from[o * taps * ins + i]);
    } else {
      for (std::int64_t o = 0; o < outs; ++o)
        for (std::int64_t i = 0; i < n; ++i) to[to_o[o] + to_i[i]] = T(from[o * taps * ins + i]);
    }
  });
}

}  // namespace

PackedWeights packed_weights(const dnnl::memory::desc& desc, const ConvGeometry& g, bool swapped) {
  const dnnl_memory_desc_t& md = desc.data;
  PackedWeights l;
  l.bf16 = md.data_type == dnnl_bf16;
  l.elements = std::int64_t(desc.get_size() / (l.bf16 ? 2 : 4));
  std::int64_t logical = 1;
  for (int a = 0; a < md.ndims; ++a) logical *= md.dims[a];
  l.padded = logical != l.elements;
  int first = g.groups > 1 ? 1 : 0;  // axis of the primitive's output channels
  std::int64_t outs = g.out_channels / g.groups, ins = g.in_channels / g.groups;
  for (std::int64_t group = 0; group < g.groups; ++group)
    for (std::int64_t o = 0; o < outs; ++o)
      l.out.push_back(md.offset0 + (first ? axis_offset(md, 0, group) : 0) + axis_offset(md, first + (swapped ? 1 : 0), o));
  for (std::int64_t i = 0; i < ins; ++i) l.in.push_back(axis_offset(md, first + (swapped ? 0 : 1), i));
  for (std::int64_t t = 0; t < g.taps(); ++t) {
    std::int64_t rest = swapped ? g.taps() - 1 - t : t, offset = 0;
    for (int a = g.spatial - 1; a >= 0; --a) {
      offset += axis_offset(md, first + 2 + a, rest % g.kernel[std::size_t(a)]);
      rest /= g.kernel[std::size_t(a)];
    }
    l.tap.push_back(offset);
  }
  return l;
}

void pack_weights(const PackedWeights& layout, const ConvGeometry& g, const float* weights, void* packed) {
  if (layout.bf16)
    pack(layout, g, weights, static_cast<bf16*>(packed));
  else
    pack(layout, g, weights, static_cast<float*>(packed));
}

void sum_packed_weights(const PackedWeights& l, const ConvGeometry& g, const float* partials, std::int64_t count, float* weights) {
  std::int64_t taps = g.taps(), ins = g.in_channels / g.groups;
  for_each_tile(g, [&](std::int64_t o0, std::int64_t outs, std::int64_t tap, std::int64_t i0, std::int64_t n) {
    float sum[kTile][kTile] = {};
    const std::int64_t *at_o = &l.out[std::size_t(o0)], *at_i = &l.in[std::size_t(i0)];
    const float* from = partials + l.tap[std::size_t(tap)];
    if (outs == kTile && consecutive(l.out, o0, outs)) {
      for (std::int64_t p = 0; p < count; ++p, from += l.elements)
        for (std::int64_t i = 0; i < n; ++i) {
          const float* row = from + at_i[i] + at_o[0];
          for (std::int64_t o = 0; o < kTile; ++o) sum[i][o] += row[o];
        }
    } else {
      for (std::int64_t p = 0; p < count; ++p, from += l.elements)
        for (std::int64_t i = 0; i < n; ++i)
          for (std::int64_t o = 0; o < outs; ++o) sum[i][o] += from[at_i[i] + at_o[o]];
    }
    float* to = weights + (o0 * taps + tap) * ins + i0;
    for (std::int64_t o = 0; o < outs; ++o)
      for (std::int64_t i = 0; i < n; ++i) to[o * taps * ins + i] = sum[i][o];
  });
}

}  // namespace tenon::cpu
