#include <algorithm>
#include <cstring>

#include "backend/cpu/ceil_div.hpp"
#include "backend/cpu/conv_engine.hpp"
#include "backend/cpu/conv_sums.hpp"
#include "backend/cpu/fast_filter.hpp"
#include "backend/cpu/onednn.hpp"
#include "backend/cpu/panel_product.hpp"
#include "tenon/kernel.hpp"

namespace tenon::cpu {
namespace {

constexpr std::int64_t kDepth = 256, kSumDepth = 128;  // of one run of the product: its share of b stays in the first cache
constexpr std::int64_t kRows = 128;                    // of a task, about
constexpr std::int64_t kSumFloats = 1 << 16;           // of a weight gradient's block: stays in the second cache
constexpr std::int64_t kFewestTasks = 16;
constexpr std::int64_t kWorkspaceFloats = 2 << 20;  // of the transformed samples that a weight gradient holds at a time, about
constexpr double kFlopsWorthIt = 1e6;
constexpr double kLevelCost = 0.87;           // of a level: three products for four, and its sums (measured)
constexpr std::int64_t kFewestChannels = 32;  // below, a level's sums cost more than the products that it saves

/// How many levels of fast filtering pay: each saves a quarter of the products, rounds taps and positions up to even ones, and adds sums.
int levels_worth(std::int64_t taps, std::int64_t length, std::int64_t channels) {
  int best = 0;
  double least = double(taps * length), cost = 1;
  for (int levels = 1; levels <= 2 && channels >= kFewestChannels; ++levels) {
    cost *= kLevelCost;
    const std::int64_t phases = std::int64_t(1) << levels, short_taps = ceil_div(taps, phases),
                       rows = ceil_div(length, phases) + short_taps - 1;
    const double products = cost * double(phases * short_taps) * double(phases * rows);
    if (products < least) least = products, best = levels;
  }
  return best;
}

/// A correlation along one axis in f32: y[l] = sum over t of w[t] x[l + t - pad], as products of overlapping rows of x with the weights:
/// the row for y[l] is x[l ...l + taps) as it lies in memory. Samples are stacked; rows that reach from one into the next are computed and
/// dropped (in a weight gradient: meet zeros).
class SequenceConv final : public ConvProgram {
 public:
  SequenceConv(const ConvGeometry& g, ConvPass pass, ConvSums sums)
      : g_(g), pass_(pass), sums_(g, sums), filter_(levels_worth(g.kernel[0], g.out[0], std::min(g.in_channels, g.out_channels))) {
    const bool back = pass == ConvPass::input_gradient;
    source_ = back ? g.out[0] : g.in[0], from_ = back ? g.out_channels : g.in_channels;
    length_ = back ? g.in[0] : g.out[0], to_ = back ? g.in_channels : g.out_channels;
    before_ = back ? g.kernel[0] - 1 - g.pad[0] : g.pad[0];
    panels_ = ceil_div(to_, kPanel);
    taps_ = ceil_div(g.kernel[0], filter_.phases());
    rows_ = ceil_div(length_, filter_.phases());
    pitch_ = rows_ + taps_ - 1;
    depth_ = taps_ * from_;
    if (pass == ConvPass::weight_gradient) {
      const std::int64_t a_sample = filter_.products() * pitch_ * (from_ + panels_ * kPanel);
      stack_ = std::clamp<std::int64_t>(kWorkspaceFloats / a_sample, 1, g.batch);
      const std::int64_t wanted = ceil_div(kFewestTasks, filter_.products());
      group_ = std::clamp<std::int64_t>(std::min(kSumFloats / (depth_ * kPanel), ceil_div(panels_, wanted)), 1, panels_);
      x_floats_ = filter_.products() * stack_ * pitch_ * from_;
      y_floats_ = filter_.products() * stack_ * pitch_ * panels_ * kPanel;
      sum_floats_ = filter_.products() * panels_ * depth_ * kPanel;
      workspace_bytes_ = std::size_t(x_floats_ + y_floats_ + sum_floats_) * sizeof(float) + sums_.workspace_bytes();
    } else {
      stack_ = std::clamp<std::int64_t>(kRows / pitch_, 1, g.batch);
      packed_bytes_ = std::size_t(filter_.products() * panels_ * depth_ * kPanel) * sizeof(float);
    }
  }

  /// packed[product][panel][tap][channel][16]; taps and columns beyond the last are zero.
  void pack(const void* weights, void* packed) const override {
    auto w = static_cast<const float*>(weights);
    const bool forward = pass_ == ConvPass::forward;
    const std::int64_t taps = g_.kernel[0], ins = g_.in_channels;
    parallel_for(filter_.products() * panels_ * taps_, [&](std::int64_t task) {
      const std::int64_t s = task % taps_, panel = task / taps_ % panels_, product = task / (taps_ * panels_);
      float* row = static_cast<float*>(packed) + task * from_ * kPanel;
      std::memset(row, 0, std::size_t(from_ * kPanel) * sizeof(float));
      const std::int64_t columns = std::min(kPanel, to_ - panel * kPanel), column = forward ? taps * ins : 1,
                         step = forward ? 1 : taps * ins;
      for (std::int64_t phase : filter_.members(product)) {
        const std::int64_t t = s * filter_.phases() + phase;
        if (t >= taps) continue;
        const float* from = w + panel * kPanel * column + (forward ? t : taps - 1 - t) * ins;
        for (std::int64_t k = 0; k < from_; ++k)
          for (std::int64_t n = 0; n < columns; ++n) row[k * kPanel + n] += from[k * step + n * column];
      }
    });
  }

  void run(const void* source, const void* packed, const void* bias, void* destination) const override {
    const PanelProductLoops product = panel_product_loops();
    parallel_for(ceil_div(g_.batch, stack_), [&](std::int64_t task) {
      const std::int64_t first = task * stack_, samples = std::min(stack_, g_.batch - first), apart = samples * pitch_ * from_;
      const std::int64_t block = std::min(2 * kRows, samples * pitch_), a_floats = filter_.products() * apart;
      auto a = static_cast<float*>(
          thread_scratch(std::size_t(a_floats + filter_.products() * panels_ * block * kPanel + split_floats()) * sizeof(float)));
      float *c = a + a_floats, *scratch = c + filter_.products() * panels_ * block * kPanel;
      for (std::int64_t i = 0; i < samples; ++i)
        split(static_cast<const float*>(source) + (first + i) * source_ * from_, a + i * pitch_ * from_, apart, scratch);
      PanelProduct p;
      p.panels = panels_, p.a_row = from_, p.a_depth = 1, p.b_panel = depth_ * kPanel, p.c_panel = block * kPanel;
      const std::int64_t rows = samples * pitch_ - (taps_ - 1);
      for (std::int64_t row = 0; row < rows; row += block) {
        p.rows = std::min(block, rows - row);
        for (std::int64_t d = 0; d < filter_.products(); ++d)
          for (std::int64_t k = 0; k < depth_; k += kDepth) {
            p.depth = std::min(kDepth, depth_ - k), p.add = k > 0;
            product(p, a + d * apart + row * from_ + k, static_cast<const float*>(packed) + (d * panels_ * depth_ + k) * kPanel,
                    c + d * panels_ * block * kPanel);
          }
        for (std::int64_t r = row; r < row + p.rows; ++r)
          if (r % pitch_ < rows_)
            put_together(c + (r - row) * kPanel, block, r % pitch_, static_cast<const float*>(bias),
                         static_cast<float*>(destination) + (first + r / pitch_) * length_ * to_);
      }
    });
  }

  void run_weights(const void* x, const void* y, void* weights, void* sums, void* workspace) const override {
    auto xs = static_cast<float*>(workspace), ys = xs + x_floats_, g = ys + y_floats_;
    auto partial_sums = reinterpret_cast<double*>(g + sum_floats_);
    const PanelProductLoops product = panel_product_loops();
    const std::int64_t groups = ceil_div(panels_, group_);
    for (std::int64_t first = 0; first < g_.batch; first += stack_) {
      const std::int64_t samples = std::min(stack_, g_.batch - first), rows = samples * pitch_;
      parallel_for(samples, [&](std::int64_t i) {
        split(static_cast<const float*>(x) + (first + i) * source_ * from_, xs + i * pitch_ * from_, rows * from_,
              static_cast<float*>(thread_scratch(std::size_t(split_floats()) * sizeof(float))));
        gather_outputs(static_cast<const float*>(y) + (first + i) * length_ * to_, ys + i * pitch_ * kPanel, rows);
      });
      parallel_for(filter_.products() * groups, [&](std::int64_t task) {
        const std::int64_t d = task / groups, panel = task % groups * group_;
        PanelProduct p;
        p.rows = depth_, p.panels = std::min(group_, panels_ - panel), p.a_row = 1, p.a_depth = from_;
        p.b_panel = rows * kPanel, p.c_panel = depth_ * kPanel;
        const float *a = xs + d * rows * from_, *b = ys + (d * panels_ + panel) * rows * kPanel;
        const std::int64_t last = rows - (taps_ - 1);
        for (std::int64_t k = 0; k < last; k += kSumDepth) {
          p.depth = std::min(kSumDepth, last - k), p.add = first + k > 0;
          product(p, a + k * from_, b + k * kPanel, g + (d * panels_ + panel) * depth_ * kPanel);
        }
      });
    }
    parallel_for(sums_.tasks(),
                 [&](std::int64_t i) { sums_.run(i, static_cast<const float*>(x), static_cast<const float*>(y), partial_sums); });
    put_weights_together(g, static_cast<float*>(weights));
    sums_.finish(partial_sums, static_cast<float*>(sums));
  }

  std::string describe() const override { return "overlapping rows, " + std::to_string(filter_.levels()) + " levels of fast filtering"; }

 private:
  std::int64_t spread() const { return filter_.spread(pitch_); }
  std::int64_t split_floats() const { return spread() * from_ + filter_.scratch_floats(pitch_, from_); }

  /// A sample of x, padded, as the first factor of each product, `apart` from each other.
  void split(const float* x, float* to, std::int64_t apart, float* scratch) const {
    const std::int64_t rows = spread(), inside = std::min(source_, rows - before_);
    std::memset(scratch, 0, std::size_t(before_ * from_) * sizeof(float));
    std::memcpy(scratch + before_ * from_, x, std::size_t(inside * from_) * sizeof(float));
    std::memset(scratch + (before_ + inside) * from_, 0, std::size_t((rows - before_ - inside) * from_) * sizeof(float));
    filter_.split(scratch, pitch_, from_, to, apart, scratch + rows * from_);
  }

  /// Outputs of one row of the products c [product][panel][block][16]: one position a phase.
  void put_together(const float* c, std::int64_t block, std::int64_t row, const float* bias, float* y) const {
    for (std::int64_t phase = 0; phase < filter_.phases(); ++phase) {
      const std::int64_t l = row * filter_.phases() + phase;
      if (l >= length_) return;
      for (std::int64_t panel = 0; panel < panels_; ++panel) {
        float sum[kPanel] = {};
        const std::int64_t columns = std::min(kPanel, to_ - panel * kPanel);
        if (bias) std::memcpy(sum, bias + panel * kPanel, std::size_t(columns) * sizeof(float));
        for (std::int64_t d : filter_.parts(phase)) {
          const float* from = c + (d * panels_ + panel) * block * kPanel;
          for (std::int64_t n = 0; n < kPanel; ++n) sum[n] += from[n];
        }
        float* to = y + l * to_ + panel * kPanel;
        if (columns == kPanel)
          std::memcpy(to, sum, sizeof sum);
        else
          std::copy(sum, sum + columns, to);
      }
    }
  }

  /// A sample of y as the second factor of each product: to[product][panel][rows][16], zero where rows reach into the next sample.
  void gather_outputs(const float* y, float* to, std::int64_t rows) const {
    const std::int64_t whole = to_ / kPanel, rest = to_ % kPanel;
    for (std::int64_t d = 0; d < filter_.products(); ++d)
      for (std::int64_t m = 0; m < pitch_; ++m) {
        float* out = to + (d * panels_ * rows + m) * kPanel;
        for (std::int64_t panel = 0; panel < panels_; ++panel) std::memset(out + panel * rows * kPanel, 0, kPanel * sizeof(float));
        if (m >= rows_) continue;
        for (std::int64_t phase : filter_.members(d)) {
          const std::int64_t l = m * filter_.phases() + phase;
          if (l >= length_) continue;
          const float* from = y + l * to_;
          for (std::int64_t panel = 0; panel < whole; ++panel)
            for (std::int64_t n = 0; n < kPanel; ++n) out[panel * rows * kPanel + n] += from[panel * kPanel + n];
          for (std::int64_t n = 0; n < rest; ++n) out[whole * rows * kPanel + n] += from[whole * kPanel + n];
        }
      }
  }

  /// weights[o][t][i] from the products g [product][panel][tap, i][16].
  void put_weights_together(const float* g, float* weights) const {
    const std::int64_t taps = g_.kernel[0];
    parallel_for(panels_ * taps, [&](std::int64_t task) {
      const std::int64_t panel = task / taps, t = task % taps, columns = std::min(kPanel, to_ - panel * kPanel);
      const auto& parts = filter_.parts(t % filter_.phases());
      for (std::int64_t i = 0; i < from_; ++i) {
        float sum[kPanel] = {};
        for (std::int64_t d : parts) {
          const float* from = g + ((d * panels_ + panel) * depth_ + t / filter_.phases() * from_ + i) * kPanel;
          for (std::int64_t n = 0; n < kPanel; ++n) sum[n] += from[n];
        }
        for (std::int64_t n = 0; n < columns; ++n) weights[((panel * kPanel + n) * taps + t) * from_ + i] = sum[n];
      }
    });
  }

  ConvGeometry g_;
  ConvPass pass_;
  ConvChannelSums sums_;
  FastFilter filter_;
  std::int64_t source_, from_, length_, to_, before_;  ///< rows and channels of what is read and of what is written; rows padded before
  std::int64_t panels_, taps_, rows_, pitch_,
      depth_;                           ///< of a product: panels of columns, taps, rows a sample, with overlap, taps x channels
  std::int64_t stack_ = 1, group_ = 1;  ///< samples, and panels, worked on together
  std::int64_t x_floats_ = 0, y_floats_ = 0, sum_floats_ = 0;
};

}  // namespace

std::shared_ptr<const ConvProgram> make_sequence_conv(const ConvGeometry& g, ConvPass pass, ConvSums sums) {
  if (g.dtype != DType::f32 || g.spatial != 1 || g.groups != 1 || g.stride[0] != 1 || g.dilation[0] != 1) return nullptr;
  if (g.pad[0] >= g.kernel[0] || g.flops() < kFlopsWorthIt) return nullptr;
  if (levels_worth(g.kernel[0], g.out[0], std::min(g.in_channels, g.out_channels)) == 0) return nullptr;
  return std::make_shared<SequenceConv>(g, pass, sums);
}

}  // namespace tenon::cpu
