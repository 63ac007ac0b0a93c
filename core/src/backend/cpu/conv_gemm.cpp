#include <algorithm>
#include <array>
#include <cstring>

#include "backend/cpu/ceil_div.hpp"
#include "backend/cpu/conv_engine.hpp"
#include "backend/cpu/conv_sums.hpp"
#include "backend/cpu/onednn.hpp"
#include "backend/cpu/panel_product.hpp"
#include "tenon/kernel.hpp"

namespace tenon::cpu {
namespace {

constexpr std::int64_t kVoxelsABlock = 2 * kPanelRows;  // gathered at a time
constexpr std::int64_t kVoxelsASumBlock = 48;           // of a weight gradient, whose sums are loaded and stored once a block
constexpr std::int64_t kVoxelsWorthAPartial = 2048, kMostPartials = 16;
constexpr std::int64_t kScratchLimit = 16 << 20;
constexpr double kFlopsWorthIt = 1e6;
constexpr std::int64_t kFewestChannels = 8;  // gathered in one piece

/// Strided and other convolutions in f32 as products of gathered voxels (kernel positions x channels) with the weights.
///
/// An input gradient is cut by phase: input voxels whose coordinates agree modulo the stride are reached by the same
/// kernel positions, so that each phase is a gather of y and one product, and no two tasks write one voxel.
class GemmConv final : public ConvProgram {
 public:
  GemmConv(const ConvGeometry& g, ConvPass pass, ConvSums sums) : g_(g), pass_(pass), sums_(g, sums) {
    for (int shift = 3 - g_.spatial; shift > 0; --shift)  // as three axes, the outer ones of size 1
      for (auto* s : {&g_.in, &g_.out, &g_.kernel, &g_.stride, &g_.pad, &g_.dilation}) std::rotate(s->begin(), s->begin() + 2, s->end());
    ins_ = g.in_channels, outs_ = g.out_channels;
    find_phases();
    for (Phase& p : phases_) {
      find_runs(p);
      p.first_task = tasks_;
      tasks_ += ceil_div(g_.batch * p.voxels(), kVoxelsABlock);
    }
    if (pass == ConvPass::weight_gradient) {
      depth_ = g_.taps() * ins_;
      std::int64_t voxels = g_.batch * g_.out_voxels();
      partials_ = std::clamp<std::int64_t>(voxels / kVoxelsWorthAPartial, 1, kMostPartials);
      split_ = partials_ >= 4 ? outs_ : kPanel * ceil_div(ceil_div(outs_, kPanel), 4);
      partial_ = depth_ * outs_;
      sums_offset_ = std::size_t(partial_ * partials_) * sizeof(float);
      workspace_bytes_ = sums_offset_ + sums_.workspace_bytes();
    } else {
      packed_bytes_ = std::size_t(g.weights()) * sizeof(float);
    }
  }

  bool fits() const {
    std::int64_t deepest = 0;
    for (const Phase& p : phases_) deepest = std::max(deepest, std::int64_t(p.taps.size()));
    return std::size_t(kVoxelsASumBlock) * std::size_t(deepest * std::max(ins_, outs_)) * sizeof(float) < std::size_t(kScratchLimit);
  }

  /// A phase after the other: packed[panel][tap][channel][16].
  void pack(const void* weights, void* packed) const override {
    auto w = static_cast<const float*>(weights);
    bool forward = pass_ == ConvPass::forward;
    std::int64_t from = forward ? ins_ : outs_, panels = (forward ? outs_ : ins_) / kPanel, taps = g_.taps();
    for (const Phase& phase : phases_) {
      auto count = std::int64_t(phase.taps.size());
      float* to = static_cast<float*>(packed) + phase.packed;
      parallel_for(panels * count, [&](std::int64_t task) {
        std::int64_t panel = task / count, tap = phase.taps[std::size_t(task % count)].index;
        float* row = to + task * from * kPanel;
        for (std::int64_t k = 0; k < from; ++k, row += kPanel)
          for (std::int64_t n = 0; n < kPanel; ++n) {
            std::int64_t c = panel * kPanel + n;
            row[n] = forward ? w[(c * taps + tap) * ins_ + k] : w[(k * taps + tap) * ins_ + c];
          }
      });
    }
  }

  void run(const void* source, const void* packed, const void* bias, void* destination) const override {
    bool forward = pass_ == ConvPass::forward;
    std::int64_t from = forward ? ins_ : outs_, to = forward ? outs_ : ins_;
    auto product = panel_product_loops();
    parallel_for(tasks_, [&](std::int64_t task) {
      std::size_t index = phases_.size() - 1;
      while (phases_[index].first_task > task) --index;
      const Phase& phase = phases_[index];
      std::int64_t begin = (task - phase.first_task) * kVoxelsABlock, end = std::min(begin + kVoxelsABlock, g_.batch * phase.voxels());
      std::int64_t depth = std::int64_t(phase.taps.size()) * from, pitch = odd_lines(depth);
      auto a = static_cast<float*>(thread_scratch(std::size_t(kVoxelsABlock * (pitch + to)) * sizeof(float))), c = a + kVoxelsABlock * pitch;
      Cursor voxel(phase, begin);
      for (std::int64_t v = begin; v < end; ++v, voxel.next()) gather(voxel, static_cast<const float*>(source), from, a + (v - begin) * pitch);
      PanelProduct p;
      p.rows = end - begin, p.depth = depth, p.panels = to / kPanel;
      p.a_row = pitch, p.a_depth = 1;
      p.b_panel = depth * kPanel, p.c_panel = kVoxelsABlock * kPanel;
      product(p, a, static_cast<const float*>(packed) + phase.packed, c);
      voxel = Cursor(phase, begin);
      for (std::int64_t v = begin; v < end; ++v, voxel.next())
        scatter(voxel, c + (v - begin) * kPanel, static_cast<const float*>(bias), to, static_cast<float*>(destination));
    });
  }

  void run_weights(const void* x, const void* y, void* weights, void* sums, void* workspace) const override {
    auto partials = static_cast<float*>(workspace);
    auto partial_sums = reinterpret_cast<double*>(static_cast<char*>(workspace) + sums_offset_);
    std::int64_t splits = ceil_div(outs_, split_), tasks = partials_ * splits;
    parallel_for(tasks + sums_.tasks(), [&](std::int64_t i) {
      if (i < tasks)
        run_task(i / splits, i % splits * split_, static_cast<const float*>(x), static_cast<const float*>(y), partials);
      else
        sums_.run(i - tasks, static_cast<const float*>(x), static_cast<const float*>(y), partial_sums);
    });
    add_partials(partials, static_cast<float*>(weights));
    sums_.finish(partial_sums, static_cast<float*>(sums));
  }

  std::string describe() const override { return "gather and product, " + std::to_string(phases_.size()) + " phases"; }

 private:
  struct Tap {
    std::int64_t index;                 ///< kernel position, row major
    std::array<std::int64_t, 3> shift;  ///< source voxel = multiple * place + shift, an axis
    std::int64_t run = 1;               ///< this tap and those after it that read consecutive voxels
  };
  /// Destination voxels first + step * place, place in [0, count), an axis; all of them for a forward pass.
  struct Phase {
    std::array<std::int64_t, 3> first{}, step{}, count{}, multiple{};
    std::vector<Tap> taps;
    std::vector<std::pair<std::int64_t, std::int64_t>> runs;  ///< source voxels in a row: how far from the place, how many
    std::array<std::int64_t, 3> low{}, high{};                ///< places in [low, high) have all their source voxels inside
    std::int64_t packed = 0;      ///< where its weights begin
    std::int64_t first_task = 0;  ///< of run()
    std::int64_t voxels() const { return count[0] * count[1] * count[2]; }
  };

  void find_phases() {
    if (pass_ != ConvPass::input_gradient) {
      Phase all;
      all.step = {1, 1, 1}, all.count = g_.out, all.multiple = g_.stride;
      for (std::int64_t t = 0; t < g_.taps(); ++t) {
        auto k = position(t);
        Tap tap{t, {}};
        for (std::size_t a = 0; a < 3; ++a) tap.shift[a] = k[a] * g_.dilation[a] - g_.pad[a];
        all.taps.push_back(tap);
      }
      phases_.push_back(std::move(all));
      return;
    }
    // x voxel v is read by y voxel w through position k where v = w stride - pad + k dilation.
    std::int64_t packed = 0;
    for (std::int64_t index = 0; index < g_.stride[0] * g_.stride[1] * g_.stride[2]; ++index) {
      Phase p;
      std::array<std::int64_t, 3> residue{index / (g_.stride[1] * g_.stride[2]), index / g_.stride[2] % g_.stride[1], index % g_.stride[2]};
      p.step = g_.stride, p.multiple = {1, 1, 1};
      for (std::size_t a = 0; a < 3; ++a) {
        p.first[a] = residue[a];
        p.count[a] = residue[a] < g_.in[a] ? ceil_div(g_.in[a] - residue[a], g_.stride[a]) : 0;
      }
      for (std::int64_t t = 0; t < g_.taps(); ++t) {
        auto k = position(t);
        Tap tap{t, {}};
        bool reaches = true;
        for (std::size_t a = 0; a < 3; ++a) {
          std::int64_t offset = residue[a] + g_.pad[a] - k[a] * g_.dilation[a];
          reaches = reaches && offset % g_.stride[a] == 0;
          tap.shift[a] = offset / g_.stride[a];
        }
        if (reaches) p.taps.push_back(tap);
      }
      p.packed = packed;
      packed += std::int64_t(p.taps.size()) * ins_ * outs_;
      if (p.voxels() > 0) phases_.push_back(std::move(p));
    }
  }

  const ConvGeometry::Sizes& source_size() const { return pass_ == ConvPass::input_gradient ? g_.out : g_.in; }

  void find_runs(Phase& p) const {
    const auto& size = source_size();
    for (std::size_t t = p.taps.size(); t-- > 1;) {
      auto next = p.taps[t - 1].shift;
      ++next[2];
      if (next == p.taps[t].shift) p.taps[t - 1].run = p.taps[t].run + 1;
    }
    for (std::size_t t = 0; t < p.taps.size(); t += std::size_t(p.taps[t].run)) {
      const auto& shift = p.taps[t].shift;
      p.runs.emplace_back((shift[0] * size[1] + shift[1]) * size[2] + shift[2], p.taps[t].run);
    }
    for (std::size_t a = 0; a < 3; ++a) {
      std::int64_t least = 0, most = 0;
      for (const Tap& tap : p.taps) least = std::min(least, tap.shift[a]), most = std::max(most, tap.shift[a]);
      p.low[a] = ceil_div(-least, p.multiple[a]);
      p.high[a] = size[a] > most ? ceil_div(size[a] - most, p.multiple[a]) : 0;
    }
  }

  std::array<std::int64_t, 3> position(std::int64_t tap) const {
    return {tap / (g_.kernel[1] * g_.kernel[2]), tap / g_.kernel[2] % g_.kernel[1], tap % g_.kernel[2]};
  }

  /// Walks over a phase's voxels.
  struct Cursor {
    const Phase* phase;
    std::int64_t sample = 0;
    std::array<std::int64_t, 3> place{};

    Cursor(const Phase& p, std::int64_t v) : phase(&p) {
      for (std::size_t a = 3; a-- > 0; v /= p.count[a]) place[a] = v % p.count[a];
      sample = v;
    }
    void next() {
      for (std::size_t a = 3; a-- > 0;) {
        if (++place[a] < phase->count[a]) return;
        place[a] = 0;
      }
      ++sample;
    }
  };

  static void copy(const float* from, std::int64_t count, float* to) {
    if (count >= kPanel) {
      std::memcpy(to, from, std::size_t(count) * sizeof(float));
      return;
    }
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i];  // a call would cost more
  }

  /// to[tap][channel] = the source voxels that a destination voxel sums over; zero where they lie outside.
  void gather(const Cursor& v, const float* source, std::int64_t channels, float* to) const {
    const Phase& p = *v.phase;
    const auto& size = source_size();
    std::array<std::int64_t, 3> at;
    bool inside = true;
    for (std::size_t a = 0; a < 3; ++a) {
      at[a] = v.place[a] * p.multiple[a];
      inside = inside && v.place[a] >= p.low[a] && v.place[a] < p.high[a];
    }
    const float* from = source + v.sample * size[0] * size[1] * size[2] * channels;
    if (inside) {
      from += ((at[0] * size[1] + at[1]) * size[2] + at[2]) * channels;
      for (const auto& [offset, count] : p.runs) {
        copy(from + offset * channels, count * channels, to);
        to += count * channels;
      }
      return;
    }
    for (std::size_t t = 0; t < p.taps.size();) {
      const Tap& tap = p.taps[t];
      std::int64_t z = at[0] + tap.shift[0], y = at[1] + tap.shift[1], x = at[2] + tap.shift[2], run = tap.run;
      bool row_inside = z >= 0 && z < size[0] && y >= 0 && y < size[1];
      if (row_inside && (x < 0 || x + run > size[2])) run = 1, row_inside = x >= 0 && x < size[2];
      const std::int64_t count = run * channels;
      if (row_inside)
        copy(from + ((z * size[1] + y) * size[2] + x) * channels, count, to);
      else
        std::fill(to, to + count, 0.0f);
      to += count;
      t += std::size_t(run);
    }
  }

  void scatter(const Cursor& v, const float* row, const float* bias, std::int64_t channels, float* destination) const {
    const Phase& p = *v.phase;
    const auto& size = pass_ == ConvPass::input_gradient ? g_.in : g_.out;
    std::array<std::int64_t, 3> at;
    for (std::size_t a = 0; a < 3; ++a) at[a] = p.first[a] + v.place[a] * p.step[a];
    float* to = destination + (((v.sample * size[0] + at[0]) * size[1] + at[1]) * size[2] + at[2]) * channels;
    for (std::int64_t c = 0; c < channels; c += kPanel, row += kVoxelsABlock * kPanel)
      for (std::int64_t n = 0; n < kPanel; ++n) to[c + n] = bias ? row[n] + bias[c + n] : row[n];
  }

  /// Sums of products of one share of the voxels and output channels [out, out + split_): [panel][tap][input][16].
  void run_task(std::int64_t partial, std::int64_t out, const float* x, const float* y, float* partials) const {
    const Phase& all = phases_[0];
    std::int64_t outs = std::min(split_, outs_ - out), voxels = g_.batch * g_.out_voxels(), pitch = odd_lines(depth_);
    auto a = static_cast<float*>(thread_scratch(std::size_t(kVoxelsASumBlock * (pitch + outs)) * sizeof(float))), b = a + kVoxelsASumBlock * pitch;
    auto product = panel_product_loops();
    PanelProduct p;
    p.rows = depth_, p.panels = outs / kPanel;
    p.a_row = 1, p.a_depth = pitch;
    p.b_panel = kVoxelsASumBlock * kPanel, p.c_panel = depth_ * kPanel;
    std::int64_t first = partial * voxels / partials_, last = (partial + 1) * voxels / partials_;
    Cursor voxel(all, first);
    for (std::int64_t begin = first; begin < last; begin += kVoxelsASumBlock) {
      std::int64_t end = std::min(last, begin + kVoxelsASumBlock);
      for (std::int64_t v = begin; v < end; ++v, voxel.next()) {
        gather(voxel, x, ins_, a + (v - begin) * pitch);
        for (std::int64_t c = 0; c < outs; c += kPanel)
          std::memcpy(b + c * kVoxelsASumBlock + (v - begin) * kPanel, y + v * outs_ + out + c, kPanel * sizeof(float));
      }
      p.depth = end - begin;
      p.add = begin != first;
      product(p, a, b, partials + partial * partial_ + out * depth_);
    }
  }

  void add_partials(const float* partials, float* weights) const {
    std::int64_t panels = outs_ / kPanel;
    parallel_for(panels * ceil_div(depth_, kPanel), [&](std::int64_t task) {
      std::int64_t panel = task % panels, first = task / panels * kPanel, last = std::min(depth_, first + kPanel);
      float block[kPanel][kPanel];  // [tap, input][output]
      for (std::int64_t k = first; k < last; ++k) {
        const float* from = partials + (panel * depth_ + k) * kPanel;
        float* sum = block[k - first];
        std::memcpy(sum, from, kPanel * sizeof(float));
        for (std::int64_t n = 1; n < partials_; ++n)
          for (std::int64_t o = 0; o < kPanel; ++o) sum[o] += from[n * partial_ + o];
      }
      for (std::int64_t o = 0; o < kPanel; ++o)
        for (std::int64_t k = first; k < last; ++k) weights[(panel * kPanel + o) * depth_ + k] = block[k - first][o];
    });
  }

  ConvGeometry g_;
  ConvPass pass_;
  ConvChannelSums sums_;
  std::int64_t ins_ = 0, outs_ = 0;
  std::int64_t tasks_ = 0;  ///< of run(), over all phases
  std::vector<Phase> phases_;
  std::int64_t depth_ = 0, partials_ = 0, partial_ = 0, split_ = 0;  ///< of a weight gradient
  std::size_t sums_offset_ = 0;
};

}  // namespace

std::shared_ptr<const ConvProgram> make_gemm_conv(const ConvGeometry& g, ConvPass pass, ConvSums sums) {
  std::int64_t to = pass == ConvPass::input_gradient ? g.in_channels : g.out_channels;
  if (g.dtype != DType::f32 || g.groups != 1 || g.taps() == 1 || to % kPanel != 0 || g.flops() < kFlopsWorthIt) return nullptr;
  if (pass != ConvPass::weight_gradient && std::min(g.in_channels, g.out_channels) < kFewestChannels) return nullptr;
  auto program = std::make_shared<GemmConv>(g, pass, sums);
  return program->fits() ? program : nullptr;
}

}  // namespace tenon::cpu
