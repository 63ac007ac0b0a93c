#include <algorithm>
#include <cstring>

#include "backend/cpu/ceil_div.hpp"
#include "backend/cpu/conv_engine.hpp"
#include "backend/cpu/conv_sums.hpp"
#include "backend/cpu/onednn.hpp"
#include "backend/cpu/panel_product.hpp"
#include "backend/cpu/winograd.hpp"
#include "tenon/kernel.hpp"

#define TENON_ISA_FILE "backend/cpu/simd/winograd.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon::cpu {
namespace {

constexpr std::int64_t kTilesABlock = 24;      // or half of it where tasks are few; a multiple of the rows that product kernels hold: V and M of 32 channels fit an L2 cache
constexpr std::int64_t kTilesASum = 32;        // of a weight gradient, whose sums are loaded and stored once a block
constexpr std::int64_t kMostChannels = 64;     // of a weight gradient's task along each side: its sums, 64 x 64 x 64, stay near
constexpr std::int64_t kTilesWorthAPartial = 512, kMostPartials = 16, kFewestTasks = 8;
constexpr std::int64_t kFewestTiles = 48;      // below that transforming the weights costs more than is won

/// The loops of this CPU's instruction set.
struct Loops {
  decltype(&isa_base::winograd_input<4>) input;
  decltype(&isa_base::winograd_output<4>) output;
  decltype(&isa_base::winograd_gradient<4>) gradient;
  decltype(&isa_base::winograd_weights<4>) weights;
  decltype(&isa_base::winograd_taps<4>) taps;
  decltype(&isa_base::panel_product) product;
};

template <int Z>
Loops loops() {
  return {TENON_BY_ISA(winograd_input<Z>),   TENON_BY_ISA(winograd_output<Z>), TENON_BY_ISA(winograd_gradient<Z>),
          TENON_BY_ISA(winograd_weights<Z>), TENON_BY_ISA(winograd_taps<Z>),   TENON_BY_ISA(panel_product)};
}

/// Convolution with 3 x 3 (x 3) kernels and stride 1 in f32, by minimal filtering: see winograd.hpp. An input gradient is
/// a forward convolution with mirrored kernels and swapped channels.
class WinogradConv final : public ConvProgram {
 public:
  WinogradConv(const ConvGeometry& g, ConvPass pass, ConvSums sums) : g_(g), pass_(pass), sums_(g, sums) {
    if (g_.spatial == 2)  // as three axes, the first of size 1
      for (auto* s : {&g_.in, &g_.out, &g_.kernel, &g_.stride, &g_.pad, &g_.dilation}) std::rotate(s->begin(), s->begin() + 2, s->end());
    deep_ = g_.kernel[0] == 3;
    loops_ = deep_ ? loops<4>() : loops<1>();
    points_ = deep_ ? 64 : 16;
    bool mirrored = pass == ConvPass::input_gradient;
    from_ = {mirrored ? g_.out : g_.in, mirrored ? g_.out_channels : g_.in_channels};
    to_ = {mirrored ? g_.in : g_.out, mirrored ? g_.in_channels : g_.out_channels};
    for (std::size_t a = 0; a < 3; ++a) {
      step_[a] = a == 0 && !deep_ ? 1 : 2;
      tiles_[a] = ceil_div(to_.size[a], step_[a]);
      pad_[a] = mirrored ? g_.kernel[a] - 1 - g_.pad[a] : g_.pad[a];
    }
    block_ = tiles() < kFewestTasks * kTilesABlock ? kTilesABlock / 2 : kTilesABlock;
    if (pass == ConvPass::weight_gradient)
      choose_tasks();
    else
      packed_bytes_ = std::size_t(points_ * from_.channels * to_.channels) * sizeof(float);
  }

  std::int64_t tiles() const { return g_.batch * tiles_[0] * tiles_[1] * tiles_[2]; }

  /// packed[point][panel of outputs][input][16]
  void pack(const void* weights, void* packed) const override {
    auto w = static_cast<const float*>(weights);
    auto to = static_cast<float*>(packed);
    std::int64_t ins = from_.channels, panels = to_.channels / kPanel, taps = g_.taps();
    bool mirrored = pass_ == ConvPass::input_gradient;
    parallel_for(panels * ceil_div(ins, kPanel), [&](std::int64_t task) {
      std::int64_t panel = task % panels, first = task / panels * kPanel;
      float gathered[27 * kPanel];
      for (std::int64_t k = first; k < std::min(ins, first + kPanel); ++k) {
        for (std::int64_t t = 0; t < taps; ++t)
          for (std::int64_t n = 0; n < kPanel; ++n) {
            std::int64_t c = panel * kPanel + n;
            gathered[t * kPanel + n] = mirrored ? w[(k * taps + taps - 1 - t) * to_.channels + c] : w[(c * taps + t) * ins + k];
          }
        loops_.weights(gathered, to + (panel * ins + k) * kPanel, ins * to_.channels);
      }
    });
  }

  void run(const void* source, const void* packed, const void* bias, void* destination) const override {
    auto x = static_cast<const float*>(source);
    auto y = static_cast<float*>(destination);
    std::int64_t ins = from_.channels, outs = to_.channels, panel = block_ * kPanel;
    std::int64_t v_point = odd_lines(block_ * ins), m_point = odd_lines(block_ * outs);
    PanelProduct product{points_, 0, ins, outs / kPanel};
    product.a_row = ins, product.a_depth = 1;
    product.a_point = v_point, product.b_point = ins * outs, product.c_point = m_point;
    product.b_panel = ins * kPanel, product.c_panel = panel;
    parallel_blocks(tiles(), block_, [&](std::int64_t begin, std::int64_t end) {
      auto v = static_cast<float*>(thread_scratch(std::size_t(points_ * (v_point + m_point)) * sizeof(float))), m = v + points_ * v_point;
      each_run(begin, end, [&](std::int64_t t, std::int64_t count, std::int64_t sample, WinogradOrigin at) {
        for (std::size_t a = 0; a < 3; ++a) at[a] -= pad_[a];
        loops_.input(from_, x + sample * volume(from_), at, count, 0, ins, v + (t - begin) * ins, ins, v_point);
      });
      PanelProduct here = product;
      here.rows = end - begin;
      loops_.product(here, v, static_cast<const float*>(packed), m);
      each_run(begin, end, [&](std::int64_t t, std::int64_t count, std::int64_t sample, WinogradOrigin at) {
        for (std::int64_t k = 0; k < count; ++k, at[2] += 2)
          loops_.output(to_, m + (t + k - begin) * kPanel, m_point, panel, static_cast<const float*>(bias), at, y + sample * volume(to_));
      });
    });
  }

  void run_weights(const void* x, const void* y, void* weights, void* sums, void* workspace) const override {
    auto partials = static_cast<float*>(workspace);
    auto partial_sums = reinterpret_cast<double*>(static_cast<char*>(workspace) + sums_offset_);
    auto tasks = std::int64_t(tasks_.size());
    parallel_for(tasks + sums_.tasks(), [&](std::int64_t i) {
      if (i < tasks)
        run_task(tasks_[std::size_t(i)], static_cast<const float*>(x), static_cast<const float*>(y), partials);
      else
        sums_.run(i - tasks, static_cast<const float*>(x), static_cast<const float*>(y), partial_sums);
    });
    add_partials(partials, static_cast<float*>(weights));
    sums_.finish(partial_sums, static_cast<float*>(sums));
  }

  std::string describe() const override {
    std::string what = deep_ ? "Winograd F(2x2x2, 3x3x3)" : "Winograd F(2x2, 3x3)";
    if (pass_ == ConvPass::input_gradient) what += " (mirrored)";
    return what + ", " + std::to_string(pass_ == ConvPass::weight_gradient ? std::int64_t(tasks_.size()) : ceil_div(tiles(), block_)) + " tasks";
  }

 private:
  /// Tiles [first, last) for input channels [in, in_end) and output channels [out, out_end), into one partial.
  struct Task {
    std::int64_t partial, first, last, in, in_end, out, out_end;
  };

  static std::int64_t volume(const WinogradImage& m) { return m.size[0] * m.row(0); }

  /// visit(tile, count, sample, first output) for each row's share of the tiles [begin, end).
  template <class Visit>
  void each_run(std::int64_t begin, std::int64_t end, const Visit& visit) const {
    for (std::int64_t tile = begin; tile < end;) {
      std::int64_t rest = tile, column = tile % tiles_[2], count = std::min(end - tile, tiles_[2] - column);
      WinogradOrigin at;
      for (std::size_t a = 3; a-- > 0; rest /= tiles_[a]) at[a] = rest % tiles_[a] * step_[a];
      visit(tile, count, rest, at);
      tile += count;
    }
  }

  void choose_tasks() {
    std::int64_t ins = g_.in_channels, outs = g_.out_channels;
    partials_ = std::clamp<std::int64_t>(tiles() / kTilesWorthAPartial, 1, kMostPartials);
    std::int64_t in_split = ceil_div(ins, ceil_div(ins, kMostChannels)), out_split = ceil_div(outs, ceil_div(outs, kMostChannels));
    auto whole_panels = [](std::int64_t channels) { return ceil_div(channels, kPanel) * kPanel; };
    in_split = whole_panels(in_split), out_split = whole_panels(out_split);
    while (partials_ * ceil_div(ins, in_split) * ceil_div(outs, out_split) < kFewestTasks && std::max(in_split, out_split) > kPanel) {
      std::int64_t& longer = out_split >= in_split ? out_split : in_split;
      longer = whole_panels(ceil_div(longer, 2));
    }
    for (std::int64_t p = 0; p < partials_; ++p)
      for (std::int64_t i = 0; i < ins; i += in_split)
        for (std::int64_t o = 0; o < outs; o += out_split)
          tasks_.push_back({p, p * tiles() / partials_, (p + 1) * tiles() / partials_, i, std::min(ins, i + in_split), o, std::min(outs, o + out_split)});
    partial_ = points_ * ins * outs;
    sums_offset_ = std::size_t(partial_ * partials_) * sizeof(float);
    workspace_bytes_ = sums_offset_ + sums_.workspace_bytes();
  }

  /// Sums of products, laid out [point][panel of outputs][input][16].
  void run_task(const Task& t, const float* x, const float* y, float* partials) const {
    std::int64_t ins = t.in_end - t.in, outs = t.out_end - t.out, panel = kTilesASum * kPanel;
    std::int64_t v_point = odd_lines(kTilesASum * ins), d_point = odd_lines(kTilesASum * outs);
    auto v = static_cast<float*>(thread_scratch(std::size_t(points_ * (v_point + d_point)) * sizeof(float))), d = v + points_ * v_point;
    PanelProduct product{points_, ins, 0, outs / kPanel};
    product.a_row = 1, product.a_depth = ins;
    product.a_point = v_point, product.b_point = d_point, product.c_point = g_.in_channels * g_.out_channels;
    product.b_panel = panel, product.c_panel = g_.in_channels * kPanel;
    float* sums = partials + t.partial * partial_ + t.out * g_.in_channels + t.in * kPanel;
    for (std::int64_t begin = t.first; begin < t.last; begin += kTilesASum) {
      std::int64_t end = std::min(t.last, begin + kTilesASum);
      each_run(begin, end, [&](std::int64_t tile, std::int64_t count, std::int64_t sample, WinogradOrigin at) {
        WinogradOrigin source = at;
        for (std::size_t a = 0; a < 3; ++a) source[a] -= pad_[a];
        loops_.input(from_, x + sample * volume(from_), source, count, t.in, ins, v + (tile - begin) * ins, ins, v_point);
        for (std::int64_t k = 0; k < count; ++k, at[2] += 2)
          loops_.gradient(to_, y + sample * volume(to_), at, t.out, outs, d + (tile + k - begin) * kPanel, d_point, panel);
      });
      product.depth = end - begin;
      product.add = begin != t.first;
      loops_.product(product, v, d, sums);
    }
  }

  void add_partials(const float* partials, float* weights) const {
    std::int64_t ins = g_.in_channels, panels = g_.out_channels / kPanel, taps = g_.taps();
    parallel_for(panels * (ins / kPanel), [&](std::int64_t task) {
      std::int64_t panel = task % panels, first = task / panels * kPanel;
      float block[27 * kPanel * kPanel];  // [input][tap][output]
      for (std::int64_t i = 0; i < kPanel; ++i)
        loops_.taps(partials + (panel * ins + first + i) * kPanel, ins * g_.out_channels, partials_, partial_, block + i * taps * kPanel);
      for (std::int64_t o = 0; o < kPanel; ++o)
        for (std::int64_t t = 0; t < taps; ++t) {
          float* to = weights + ((panel * kPanel + o) * taps + t) * ins + first;
          for (std::int64_t i = 0; i < kPanel; ++i) to[i] = block[(i * taps + t) * kPanel + o];
        }
    });
  }

  ConvGeometry g_;
  ConvPass pass_;
  ConvChannelSums sums_;
  bool deep_ = false;
  Loops loops_{};
  std::int64_t points_ = 0, block_ = 0;  ///< of a tile; tiles of a task
  WinogradImage from_, to_;  ///< x and y; of an input gradient y and x
  std::array<std::int64_t, 3> step_{}, tiles_{}, pad_{};
  std::vector<Task> tasks_;
  std::int64_t partials_ = 0, partial_ = 0;  ///< how many sums, and f32 of one
  std::size_t sums_offset_ = 0;
};

bool suits(const ConvGeometry& g) {
  if (g.dtype != DType::f32 || g.spatial < 2 || g.groups != 1) return false;
  if (g.in_channels % kPanel != 0 || g.out_channels % kPanel != 0) return false;
  for (int a = 0; a < g.spatial; ++a) {
    auto k = std::size_t(a);
    bool untransformed = g.spatial == 3 && a == 0 && g.kernel[k] == 1;
    if ((g.kernel[k] != 3 && !untransformed) || g.stride[k] != 1 || g.dilation[k] != 1 || g.pad[k] >= g.kernel[k]) return false;
  }
  return true;
}

}  // namespace

std::shared_ptr<const ConvProgram> make_winograd_conv(const ConvGeometry& g, ConvPass pass, ConvSums sums) {
  if (!suits(g)) return nullptr;
  auto program = std::make_shared<WinogradConv>(g, pass, sums);
  return program->tiles() >= kFewestTiles ? program : nullptr;
}

}  // namespace tenon::cpu
