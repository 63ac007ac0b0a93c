#include <algorithm>
#include <array>
#include <type_traits>

#include "backend/cpu/ceil_div.hpp"
#include "backend/cpu/conv_engine.hpp"
#include "backend/cpu/dense_product.hpp"
#include "tenon/kernel.hpp"

namespace tenon::cpu {
namespace {

constexpr double kFlopsWorthIt = 1e5, kFlopsATask = 4e5, kFlopsWorthAPartial = 4e6;
constexpr std::int64_t kSmallestBlock = 16;  // weights of a group and position: below, loops of their own are faster
constexpr std::int64_t kVoxelsAPiece = 256, kMostPartials = 16;

/// Convolutions in f64 as products of rows of voxels, where they lie, with the weights of a kernel position.
///
/// A row of voxels runs along the last axis. Positions whose voxels follow each other are multiplied at once where all of
/// them lie inside: rows of the operand then overlap. Each task writes rows of its own.
class RowConv final : public ConvProgram {
 public:
  RowConv(const ConvGeometry& g, ConvPass pass, ConvSums sums)
      : g_(g), pass_(pass), sums_(sums), forward_(pass != ConvPass::input_gradient) {
    for (int shift = 3 - g_.spatial; shift > 0; --shift)  // as three axes, the outer ones of size 1
      for (auto* s : {&g_.in, &g_.out, &g_.kernel, &g_.stride, &g_.pad, &g_.dilation}) std::rotate(s->begin(), s->begin() + 2, s->end());
    ins_ = g.in_channels / g.groups, outs_ = g.out_channels / g.groups;
    joined_ = g.groups == 1 && g_.kernel[2] > 1 && g_.dilation[2] == 1 && (forward_ || g_.stride[2] == 1);
    const auto& size = forward_ ? g_.out : g_.in;
    pieces_ = ceil_div(size[2], kVoxelsAPiece);
    units_ = g.batch * size[0] * size[1] * pieces_;
    if (pass == ConvPass::weight_gradient) {
      partials_ = std::clamp<std::int64_t>(std::int64_t(g.flops() / kFlopsWorthAPartial), 1, std::min(kMostPartials, units_));
      workspace_bytes_ = std::size_t(partials_ * g.weights()) * sizeof(double);
    } else {
      packed_bytes_ = std::size_t(g.weights()) * sizeof(double);
    }
  }

  /// packed[position][group][source channel][destination channel]; along the last axis in the order of the source voxels.
  void pack(const void* weights, void* packed) const override {
    auto w = static_cast<const double*>(weights);
    auto to = static_cast<double*>(packed);
    parallel_for(g_.taps() * g_.groups, [&](std::int64_t i) {
      const std::int64_t tap = i / g_.groups, group = i % g_.groups;
      double* block = to + place(tap) + group * ins_ * outs_;
      for (std::int64_t o = 0; o < outs_; ++o)
        for (std::int64_t c = 0; c < ins_; ++c)
          block[forward_ ? c * outs_ + o : o * ins_ + c] = w[((group * outs_ + o) * g_.taps() + tap) * ins_ + c];
    });
  }

  void run(const void* source, const void* packed, const void* bias, void* destination) const override {
    const std::int64_t channels = forward_ ? g_.out_channels : g_.in_channels;
    const auto* start = static_cast<const double*>(bias);
    auto* to = static_cast<double*>(destination);
    parallel_blocks(units_, std::int64_t(kFlopsATask * double(units_) / g_.flops()) + 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const Unit u = unit(i);
        double* row = to + u.row * (forward_ ? g_.out[2] : g_.in[2]) * channels;
        for (std::int64_t d = u.begin; d < u.end; ++d)
          for (std::int64_t c = 0; c < channels; ++c) row[d * channels + c] = start ? start[c] : 0;
        add_positions(u, static_cast<const double*>(source), row, static_cast<const double*>(packed));
      }
    });
  }

  void run_weights(const void* x, const void* y, void* weights, void* sums, void* workspace) const override {
    auto *partials = static_cast<double*>(workspace), *to = static_cast<double*>(weights);
    parallel_for(partials_, [&](std::int64_t p) {
      double* partial = partials + p * g_.weights();
      std::fill(partial, partial + g_.weights(), 0.0);
      for (std::int64_t i = units_ * p / partials_; i < units_ * (p + 1) / partials_; ++i) {
        const Unit u = unit(i);
        add_positions(u, static_cast<const double*>(x), static_cast<const double*>(y) + u.row * g_.out[2] * g_.out_channels, partial);
      }
    });
    parallel_blocks(g_.weights(), 4096, [&](std::int64_t begin, std::int64_t end) {
      std::copy(partials + begin, partials + end, to + begin);
      for (std::int64_t p = 1; p < partials_; ++p)
        for (std::int64_t i = begin; i < end; ++i) to[i] += partials[p * g_.weights() + i];
    });
    if (sums_ == ConvSums::none) return;
    const bool of_y = sums_ == ConvSums::of_y;
    const std::int64_t channels = of_y ? g_.out_channels : g_.in_channels, voxels = g_.batch * (of_y ? g_.out_voxels() : g_.in_voxels());
    const auto* from = static_cast<const double*>(of_y ? y : x);
    auto* total = static_cast<double*>(sums);
    std::fill(total, total + channels, 0.0);
    for (std::int64_t v = 0; v < voxels; ++v)
      for (std::int64_t c = 0; c < channels; ++c) total[c] += from[v * channels + c];
  }

  std::string describe() const override { return "products of rows, " + std::to_string(units_) + " pieces"; }

 private:
  /// A piece of a destination row (of y in a weight gradient).
  struct Unit {
    std::int64_t sample, z, y, row, begin, end;
  };
  Unit unit(std::int64_t i) const {
    const auto& size = forward_ ? g_.out : g_.in;
    const std::int64_t row = i / pieces_, begin = i % pieces_ * kVoxelsAPiece;
    return {row / (size[0] * size[1]), row / size[1] % size[0], row % size[1], row, begin, std::min(begin + kVoxelsAPiece, size[2])};
  }

  std::int64_t place(std::int64_t tap) const {
    const std::int64_t k = g_.kernel[2], along = tap % k;
    return (tap - along + (forward_ ? along : k - 1 - along)) * g_.in_channels * outs_;
  }

  /// The source coordinate of a destination's through a kernel position along an axis, or -1.
  std::int64_t source_at(std::size_t axis, std::int64_t at, std::int64_t k) const {
    if (forward_) {
      const std::int64_t from = at * g_.stride[axis] - g_.pad[axis] + k * g_.dilation[axis];
      return from < g_.in[axis] ? from : -1;
    }
    const std::int64_t from = at + g_.pad[axis] - k * g_.dilation[axis];
    return from % g_.stride[axis] == 0 && from / g_.stride[axis] < g_.out[axis] ? from / g_.stride[axis] : -1;
  }

  /// Voxels of y along the last axis, [first, last), whose voxel of x at position k lies inside, and the destination in [begin, end).
  std::array<std::int64_t, 2> inside(std::int64_t begin, std::int64_t end, std::int64_t k) const {
    const std::int64_t offset = k * g_.dilation[2] - g_.pad[2], stride = g_.stride[2];
    const auto from = [&](std::int64_t x) { return x <= offset ? 0 : ceil_div(x - offset, stride); };  // the first with x or more
    std::int64_t first = from(forward_ ? 0 : begin), last = std::min(g_.out[2], from(forward_ ? g_.in[2] : end));
    if (forward_) first = std::max(first, begin), last = std::min(last, end);
    return {first, std::max(first, last)};
  }

  /// All that a piece of a row sums; `other`: packed weights, or the weights' gradient, and `row` then is y's.
  template <class Row, class Other>
  void add_positions(const Unit& u, const double* source, Row* row, Other* other) const {
    const auto& size = forward_ ? g_.in : g_.out;
    const std::int64_t k = g_.kernel[2], last = k - 1;
    const auto add = [&](std::int64_t first, std::int64_t stop, std::int64_t tap, std::int64_t count, const double* from) {
      if constexpr (std::is_const_v<Other>)
        multiply(first, stop, tap, count, from, row, other);
      else
        add_to_weights(first, stop, tap, count, from, row, other);
    };
    std::int64_t low = u.end, high = u.end;  // destinations in [low, high) have all positions of a joined row inside
    if (joined_) {
      low = forward_ ? inside(u.begin, u.end, 0)[0] : std::max(u.begin, last - g_.pad[2]);
      high = forward_ ? inside(u.begin, u.end, last)[1] : std::min(u.end, g_.out[2] - g_.pad[2]);
      if (low >= high) low = high = u.end;
    }
    for (std::int64_t a = 0; a < g_.kernel[0]; ++a)
      for (std::int64_t b = 0; b < g_.kernel[1]; ++b) {
        const std::int64_t z = source_at(0, u.z, a), y = source_at(1, u.y, b), tap = (a * g_.kernel[1] + b) * k;
        if (z < 0 || y < 0) continue;
        const double* from = source + ((u.sample * size[0] + z) * size[1] + y) * size[2] * (forward_ ? g_.in_channels : g_.out_channels);
        if (low < high) {
          const std::int64_t first = forward_ ? low : low + g_.pad[2] - last;
          add(first, first + high - low, tap + (forward_ ? 0 : last), k, from);
        }
        for (std::int64_t c = 0; c < k; ++c)
          for (auto [begin, end] : {std::array{u.begin, low}, std::array{high, u.end}}) {
            const auto [first, stop] = inside(begin, end, c);
            if (begin < end && first < stop) add(first, stop, tap + c, 1, from);
          }
      }
  }

  /// Voxels [first, last) of y and what they meet in x through `count` positions, the first in the order of the source being `tap`.
  void multiply(std::int64_t first, std::int64_t last, std::int64_t tap, std::int64_t count, const double* from, double* to,
                const double* packed) const {
    const std::int64_t x = (first * g_.stride[2] - g_.pad[2] + tap % g_.kernel[2] * g_.dilation[2]) * g_.in_channels,
                       y = first * g_.out_channels;
    const std::int64_t x_row = g_.stride[2] * g_.in_channels, y_row = g_.out_channels;
    for (std::int64_t group = 0; group < g_.groups; ++group) {
      const double* w = packed + place(tap) + group * ins_ * outs_;
      if (forward_)
        dense_product({last - first, outs_, count * ins_, x_row, 1, outs_, 1, y_row}, from + x + group * ins_, w, to + y + group * outs_,
                      Store::add);
      else
        dense_product({last - first, ins_, count * outs_, y_row, 1, ins_, 1, x_row}, from + y + group * outs_, w, to + x + group * ins_,
                      Store::add);
    }
  }
  void add_to_weights(std::int64_t first, std::int64_t last, std::int64_t tap, std::int64_t count, const double* from, const double* y,
                      double* weights) const {
    const std::int64_t x = (first * g_.stride[2] - g_.pad[2] + tap % g_.kernel[2] * g_.dilation[2]) * g_.in_channels;
    for (std::int64_t group = 0; group < g_.groups; ++group)
      dense_product({outs_, count * ins_, last - first, 1, g_.out_channels, g_.stride[2] * g_.in_channels, 1, g_.taps() * ins_},
                    y + first * g_.out_channels + group * outs_, from + x + group * ins_,
                    weights + group * outs_ * g_.taps() * ins_ + tap * ins_, Store::add);
  }

  ConvGeometry g_;
  ConvPass pass_;
  ConvSums sums_;
  bool forward_, joined_ = false;  ///< a weight gradient walks as a forward pass does
  std::int64_t ins_ = 0, outs_ = 0, pieces_ = 1, units_ = 0, partials_ = 1;
};

}  // namespace

std::shared_ptr<const ConvProgram> make_row_conv(const ConvGeometry& g, ConvPass pass, ConvSums sums) {
  const std::int64_t block = g.in_channels / g.groups * (g.out_channels / g.groups);
  return g.dtype == DType::f64 && g.flops() >= kFlopsWorthIt && (g.groups == 1 || block >= kSmallestBlock)
             ? std::make_shared<RowConv>(g, pass, sums)
             : nullptr;
}

}  // namespace tenon::cpu
