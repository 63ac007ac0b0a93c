#include <algorithm>
#include <cstring>
#include <vector>

#include "backend/cpu/amx_pack.hpp"
#include "backend/cpu/ceil_div.hpp"
#include "backend/cpu/conv_engine.hpp"
#include "backend/cpu/conv_pack.hpp"
#include "backend/cpu/conv_sums.hpp"
#include "backend/cpu/onednn.hpp"
#include "tenon/kernel.hpp"

namespace tenon::cpu {
namespace {

constexpr std::int64_t kBlockBytes = 1 << 20;              // packed operands of a block: half an L2 cache
constexpr std::int64_t kChunkBytes = 28 << 10;             // what of them is in use at a time: beside the sums, most of an L1 cache
constexpr std::int64_t kFewestSteps = 6, kMostSteps = 24;  // depth tiles of a chunk: sums are loaded and stored once a chunk
constexpr std::int64_t kScratchLimit = 64 << 20;
constexpr std::int64_t kVoxelsWorthAPartial = 8192;
constexpr std::int64_t kMostPartials = 16, kFewestTasks = 8;
constexpr std::int64_t kTile = kAmxRows * kAmxRows;

/// The weight gradient in bf16 on AMX tiles, three times the library's rate and more.
///
/// For each kernel position it is a matrix product [I, voxels] x [voxels, O]. A block of output rows is packed once:
/// y as voxel pairs, x transposed, its rows laid end to end with their halo, so that every kernel position reads the same
/// packed x at a shifted address. With a stride, x is first split by phase. y has zeros where a row's halo stands.
class AmxWeightGradient final : public ConvProgram {
 public:
  AmxWeightGradient(const ConvGeometry& g, ConvSums sums) : g_(g), sums_(g, sums) {
    // As three axes, the outer ones of size 1.
    for (int shift = 3 - g_.spatial; shift > 0; --shift)
      for (auto* s : {&g_.in, &g_.out, &g_.kernel, &g_.stride, &g_.pad, &g_.dilation}) std::rotate(s->begin(), s->begin() + 2, s->end());
    in_blocks_ = ceil_div(g_.in_channels, kAmxRows);
    out_blocks_ = ceil_div(g_.out_channels, kAmxRows);
    find_phases();
    choose_blocks();
    choose_tasks();
    lay_out_partials();
  }

  bool fits() const { return scratch_bytes() <= kScratchLimit; }

  void run_weights(const void* x, const void* y, void* weights, void* sums, void* workspace) const override {
    auto partials = static_cast<float*>(workspace);
    auto partial_sums = reinterpret_cast<double*>(static_cast<char*>(workspace) + sums_offset_);
    auto tasks = std::int64_t(tasks_.size());
    parallel_for(tasks + sums_.tasks(), [&](std::int64_t i) {
      if (i < tasks)
        run_task(tasks_[std::size_t(i)], static_cast<const bf16*>(x), static_cast<const bf16*>(y), partials);
      else
        sums_.run(i - tasks, static_cast<const bf16*>(x), static_cast<const bf16*>(y), partial_sums);
    });
    sum_packed_weights(layout_, g_, partials, partials_, static_cast<float*>(weights));
    sums_.finish(partial_sums, static_cast<float*>(sums));
  }

  std::string describe() const override {
    return "AMX tiles, " + std::to_string(tasks_.size()) + " tasks, blocks of " + std::to_string(planes_) + " x " + std::to_string(rows_) +
           " rows";
  }

 private:
  struct Block {
    std::int64_t sample, plane, planes, row, rows;  ///< of y
  };
  /// Blocks [first, last) for input channel blocks [in, in_end) and output channel blocks [out, out_end), into one partial.
  struct Task {
    std::int64_t partial, first, last, in, in_end, out, out_end;
  };

  /// Windows step by the stride, so kernel position k reads phase (k dilation) % stride of x, shifted by (k dilation) / stride.
  void find_phases() {
    halo_rows_ = (g_.reach(1) - 1) / g_.stride[1];
    std::int64_t halo = (g_.reach(2) - 1) / g_.stride[2];
    pitch_ = g_.out[2] + halo;
  }
  std::int64_t phases() const { return g_.stride[1] * g_.stride[2]; }
  std::int64_t x_planes(std::int64_t planes) const { return (planes - 1) * g_.stride[0] + g_.reach(0); }
  /// Elements of one channel of a plane of packed x: what whole depth tiles read past the end from any shift, and an odd
  /// number of cache lines, so that the channels of a tile do not meet in one cache set.
  std::int64_t channel_pitch(std::int64_t rows) const {
    return (ceil_div((rows + halo_rows_) * pitch_ + pitch_ - g_.out[2] + kAmxDepth, 32) | 1) * 32;
  }
  std::int64_t depth(std::int64_t rows) const { return ceil_div(rows * pitch_, kAmxDepth) * kAmxDepth; }
  std::int64_t x_bytes(std::int64_t planes, std::int64_t rows, std::int64_t blocks) const {
    return phases() * x_planes(planes) * blocks * kAmxRows * channel_pitch(rows) * 2;
  }
  std::int64_t y_bytes(std::int64_t planes, std::int64_t rows, std::int64_t blocks) const {
    return planes * depth(rows) * blocks * kAmxRows * 2;
  }
  std::int64_t scratch_bytes() const {
    return x_bytes(planes_, rows_, in_split_) + y_bytes(planes_, rows_, out_split_) + (depth(rows_) + 2 * planes_) * 8 + 256;
  }

  void choose_blocks() {
    planes_ = g_.out[0];
    rows_ = g_.out[1];
    std::int64_t voxels = g_.batch * g_.out_voxels();
    partials_ = std::clamp<std::int64_t>(voxels / kVoxelsWorthAPartial, 1, kMostPartials);
    auto bytes = [&] { return x_bytes(planes_, rows_, in_blocks_) + y_bytes(planes_, rows_, out_blocks_); };
    auto count = [&] { return g_.batch * ceil_div(g_.out[0], planes_) * ceil_div(g_.out[1], rows_); };
    while ((bytes() > kBlockBytes || count() < partials_) && planes_ * rows_ > 1) {
      if (planes_ > 8 || (rows_ <= 8 && planes_ > 1))
        planes_ = ceil_div(planes_, 2);
      else
        rows_ = ceil_div(rows_, 2);
    }
    for (std::int64_t n = 0; n < g_.batch; ++n)
      for (std::int64_t row = 0; row < g_.out[1]; row += rows_)
        for (std::int64_t plane = 0; plane < g_.out[0]; plane += planes_)
          blocks_.push_back({n, plane, std::min(planes_, g_.out[0] - plane), row, std::min(rows_, g_.out[1] - row)});
    partials_ = std::min<std::int64_t>(partials_, std::int64_t(blocks_.size()));
    // A step reads 1 KiB a channel block: two of y, and two of each phase of x.
    std::int64_t halo = 2 * kAmxRows * 2 * phases() * (halo_rows_ * pitch_ + pitch_ - g_.out[2]);
    chunk_steps_ = std::clamp<std::int64_t>((kChunkBytes - halo) / (1024 * (2 + 2 * phases())), kFewestSteps, kMostSteps);
  }

  void choose_tasks() {
    in_split_ = in_blocks_;
    out_split_ = out_blocks_;
    auto count = [&] { return partials_ * ceil_div(in_blocks_, in_split_) * ceil_div(out_blocks_, out_split_); };
    while (count() < kFewestTasks && std::max(in_split_, out_split_) > 2) {
      std::int64_t& longer = out_split_ >= in_split_ ? out_split_ : in_split_;
      longer = ceil_div(ceil_div(longer, 2), 2) * 2;
    }
    auto blocks = std::int64_t(blocks_.size());
    for (std::int64_t p = 0; p < partials_; ++p)
      for (std::int64_t i = 0; i < in_blocks_; i += in_split_)
        for (std::int64_t o = 0; o < out_blocks_; o += out_split_)
          tasks_.push_back({p, p * blocks / partials_, (p + 1) * blocks / partials_, i, std::min(in_blocks_, i + in_split_), o,
                            std::min(out_blocks_, o + out_split_)});
  }

  void lay_out_partials() {
    layout_.elements = g_.taps() * in_blocks_ * out_blocks_ * kTile;
    for (std::int64_t o = 0; o < g_.out_channels; ++o) layout_.out.push_back(o / kAmxRows * kTile + o % kAmxRows);
    for (std::int64_t i = 0; i < g_.in_channels; ++i) layout_.in.push_back(i / kAmxRows * out_blocks_ * kTile + i % kAmxRows * kAmxRows);
    for (std::int64_t t = 0; t < g_.taps(); ++t) layout_.tap.push_back(t * in_blocks_ * out_blocks_ * kTile);
    sums_offset_ = std::size_t(layout_.elements * partials_) * sizeof(float);
    workspace_bytes_ = sums_offset_ + sums_.workspace_bytes();
  }

  void pack_x(const bf16* x, const Block& b, std::int64_t first_block, std::int64_t blocks, bf16* packed) const {
    std::int64_t c0 = first_block * kAmxRows, channels = std::min(g_.in_channels - c0, blocks * kAmxRows),
                 channel_step = channel_pitch(rows_);
    std::int64_t first_plane = b.plane * g_.stride[0] - g_.pad[0], xp = x_planes(b.planes), rows = b.rows + halo_rows_,
                 plane_size = blocks * kAmxRows * channel_step;
    for (std::int64_t ry = 0; ry < g_.stride[1]; ++ry)
      for (std::int64_t rx = 0; rx < g_.stride[2]; ++rx, packed += x_planes(planes_) * plane_size) {
        // Columns v of this phase are x's columns v stride + rx - pad.
        std::int64_t shift = rx - g_.pad[2], begin = shift >= 0 ? 0 : ceil_div(-shift, g_.stride[2]);
        std::int64_t end = shift < g_.in[2] ? ceil_div(g_.in[2] - shift, g_.stride[2]) : 0;
        for (std::int64_t p = 0; p < xp; ++p) {
          std::int64_t plane = first_plane + p;
          if (plane < 0 || plane >= g_.in[0]) continue;  // never read
          for (std::int64_t r = 0; r < rows; ++r) {
            std::int64_t row = (b.row + r) * g_.stride[1] + ry - g_.pad[1];
            bool inside = row >= 0 && row < g_.in[1];
            const bf16* from = x + ((b.sample * g_.in[0] + plane) * g_.in[1] + (inside ? row : 0)) * g_.in[2] * g_.in_channels +
                               shift * g_.in_channels + c0;
            amx_transpose(from, g_.stride[2] * g_.in_channels, channels, pitch_, inside ? begin : 0, inside ? end : 0,
                          packed + p * plane_size + r * pitch_, channel_step);
          }
          // What the last depth tile reads past the plane meets zeros of y; it must still be finite.
          bf16* past = packed + p * plane_size + rows * pitch_;
          for (std::int64_t c = 0; c < blocks * kAmxRows; ++c)
            std::memset(static_cast<void*>(past + c * channel_step), 0, std::size_t(pitch_ - g_.out[2] + kAmxDepth) * sizeof(bf16));
        }
      }
  }

  void pack_y(const bf16* y, const Block& b, std::int64_t first_block, std::int64_t blocks, std::int64_t* at, bf16* packed) const {
    std::int64_t c0 = first_block * kAmxRows, channels = std::min(g_.out_channels - c0, blocks * kAmxRows), d = depth(rows_);
    for (std::int64_t k = 0; k < d; ++k) {
      std::int64_t r = k / pitch_, column = k % pitch_;
      at[k] = r < b.rows && column < g_.out[2] ? ((b.row + r) * g_.out[2] + column) * g_.out_channels + c0 : -1;
    }
    for (std::int64_t p = 0; p < b.planes; ++p)
      amx_pair(y + (b.sample * g_.out[0] + b.plane + p) * g_.out[1] * g_.out[2] * g_.out_channels, at, d, channels,
               packed + p * d * kAmxRows, planes_ * d * kAmxRows);
  }

  /// All kernel positions of a pair of channel blocks. The depth goes by chunks that stay in the L1 cache while every
  /// kernel position reads them; the sums of all positions stay in the L2 cache.
  void multiply_block(const Block& b, AmxProduct product, const bf16* px, std::int64_t plane_size, const bf16* py, bool fresh, float* c,
                      std::int64_t* segments) const {
    std::int64_t steps = ceil_div(b.rows * pitch_, kAmxDepth), planes_a_chunk = std::max<std::int64_t>(1, chunk_steps_ / steps),
                 d = depth(rows_);
    std::int64_t *a_at = segments, *b_at = segments + planes_;
    for (std::int64_t p0 = 0; p0 < b.planes; p0 += planes_a_chunk)
      for (std::int64_t k0 = 0; k0 < steps; k0 += chunk_steps_) {
        product.steps = std::min(chunk_steps_, steps - k0);
        bool first = fresh && p0 == 0 && k0 == 0;
        for (std::int64_t tap = 0; tap < g_.taps(); ++tap) {
          std::int64_t kz = tap / (g_.kernel[1] * g_.kernel[2]) * g_.dilation[0], ky = tap / g_.kernel[2] % g_.kernel[1] * g_.dilation[1],
                       kx = tap % g_.kernel[2] * g_.dilation[2];
          std::int64_t phase = ky % g_.stride[1] * g_.stride[2] + kx % g_.stride[2], shift = ky / g_.stride[1] * pitch_ + kx / g_.stride[2],
                       count = 0;
          for (std::int64_t p = p0; p < std::min(b.planes, p0 + planes_a_chunk); ++p) {
            std::int64_t plane = (b.plane + p) * g_.stride[0] - g_.pad[0] + kz;
            if (plane < 0 || plane >= g_.in[0]) continue;
            a_at[count] = (p * g_.stride[0] + kz) * plane_size + shift + k0 * kAmxDepth;
            b_at[count++] = (p * d + k0 * kAmxDepth) * kAmxRows;
          }
          if (count > 0 || first)
            amx_multiply(product, px + phase * x_planes(planes_) * plane_size, a_at, py, b_at, count, first,
                         c + tap * in_blocks_ * out_blocks_ * kTile);
        }
      }
  }

  void run_task(const Task& t, const bf16* x, const bf16* y, float* partials) const {
    std::int64_t ins = t.in_end - t.in, outs = t.out_end - t.out, d = depth(rows_), channel_step = channel_pitch(rows_);
    auto scratch = static_cast<char*>(thread_scratch(std::size_t(scratch_bytes())));
    auto px = reinterpret_cast<bf16*>(scratch), py = reinterpret_cast<bf16*>(scratch + x_bytes(planes_, rows_, ins));
    auto at = reinterpret_cast<std::int64_t*>(scratch + x_bytes(planes_, rows_, ins) + y_bytes(planes_, rows_, outs));
    auto segments = at + d;
    float* partial = partials + t.partial * layout_.elements;
    amx_begin();
    for (std::int64_t block = t.first; block < t.last; ++block) {
      const Block& b = blocks_[std::size_t(block)];
      pack_x(x, b, t.in, ins, px);
      pack_y(y, b, t.out, outs, at, py);
      for (std::int64_t i = 0; i < ins; i += 2)
        for (std::int64_t o = 0; o < outs; o += 2) {
          AmxProduct product{};
          product.a_blocks = std::min<std::int64_t>(2, ins - i);
          product.b_blocks = std::min<std::int64_t>(2, outs - o);
          product.a_pitch = channel_step;
          product.b_block_pitch = planes_ * d * kAmxRows;
          product.c_row_pitch = out_blocks_ * kTile;
          multiply_block(b, product, px + i * kAmxRows * channel_step, ins * kAmxRows * channel_step, py + o * product.b_block_pitch,
                         block == t.first, partial + ((t.in + i) * out_blocks_ + t.out + o) * kTile, segments);
        }
    }
    amx_end();
  }

  ConvGeometry g_;
  ConvChannelSums sums_;
  std::int64_t in_blocks_ = 0, out_blocks_ = 0, in_split_ = 0, out_split_ = 0;  ///< in channel blocks of 16
  std::int64_t halo_rows_ = 0, pitch_ = 0, planes_ = 0, rows_ = 0, partials_ = 0, chunk_steps_ = 0;
  std::vector<Block> blocks_;
  std::vector<Task> tasks_;
  PackedWeights layout_;
  std::size_t sums_offset_ = 0;
};

}  // namespace

std::shared_ptr<const ConvProgram> make_amx_weight_gradient(const ConvGeometry& g, ConvSums sums) {
  if (g.dtype != DType::bf16 || g.groups != 1 || !amx_usable()) return nullptr;
  auto program = std::make_shared<AmxWeightGradient>(g, sums);
  return program->fits() ? program : nullptr;
}

}  // namespace tenon::cpu
