#include <algorithm>
#include <vector>

#include "backend/cpu/conv_engine.hpp"
#include "tenon/kernel.hpp"

namespace tenon::cpu {
namespace {

using Sizes = ConvGeometry::Sizes;

/// Calls body(index) for every position of a grid, row major.
template <class Body>
void for_each(const Sizes& sizes, Body body) {
  std::int64_t flat = 0;
  for (std::int64_t a = 0; a < sizes[0]; ++a)
    for (std::int64_t b = 0; b < sizes[1]; ++b)
      for (std::int64_t c = 0; c < sizes[2]; ++c) body(Sizes{a, b, c}, flat++);
}

std::int64_t flatten(const Sizes& index, const Sizes& sizes) {
  return (index[0] * sizes[1] + index[1]) * sizes[2] + index[2];
}

/// The formulas of conv_geometry.hpp, read off.
class ReferenceConv final : public ConvProgram {
 public:
  ReferenceConv(const ConvGeometry& g, ConvPass pass, ConvSums sums) : g_(g), pass_(pass), sums_(sums) {}

  void run(const void* source, const void* packed, const void* bias, void* destination) const override {
    auto s = static_cast<const double*>(source), w = static_cast<const double*>(packed), b = static_cast<const double*>(bias);
    auto d = static_cast<double*>(destination);
    std::int64_t rows = pass_ == ConvPass::forward ? g_.out[0] : g_.in[0];
    parallel_for(g_.batch * rows, [&](std::int64_t i) {
      if (pass_ == ConvPass::forward)
        forward_row(s, w, b, d, i / rows, i % rows);
      else
        input_row(s, w, b, d, i / rows, i % rows);
    });
  }

  void run_weights(const void* x_, const void* y_, void* weights, void* sums, void*) const override {
    auto x = static_cast<const double*>(x_), y = static_cast<const double*>(y_);
    auto w = static_cast<double*>(weights), total = static_cast<double*>(sums);
    std::int64_t ins = g_.in_channels / g_.groups, outs = g_.out_channels / g_.groups;
    parallel_for(g_.out_channels, [&](std::int64_t o) {
      double* row = w + o * g_.taps() * ins;
      std::fill(row, row + g_.taps() * ins, 0.0);
      for (std::int64_t n = 0; n < g_.batch; ++n)
        for_each(g_.out, [&](const Sizes& at, std::int64_t v) {
          double dy = y[(n * g_.out_voxels() + v) * g_.out_channels + o];
          for_each(g_.kernel, [&](const Sizes& k, std::int64_t tap) {
            Sizes p;
            if (!source_of(at, k, p)) return;
            const double* from = x + (n * g_.in_voxels() + flatten(p, g_.in)) * g_.in_channels + o / outs * ins;
            for (std::int64_t i = 0; i < ins; ++i) row[tap * ins + i] += dy * from[i];
          });
        });
    });
    if (sums_ == ConvSums::none) return;
    bool of_y = sums_ == ConvSums::of_y;
    std::int64_t channels = of_y ? g_.out_channels : g_.in_channels, voxels = g_.batch * (of_y ? g_.out_voxels() : g_.in_voxels());
    std::fill(total, total + channels, 0.0);
    for (std::int64_t v = 0; v < voxels; ++v)
      for (std::int64_t c = 0; c < channels; ++c) total[c] += (of_y ? y : x)[v * channels + c];
  }

  std::string describe() const override { return "reference loops"; }

 private:
  bool source_of(const Sizes& out, const Sizes& tap, Sizes& p) const {
    for (std::size_t a = 0; a < 3; ++a) {
      p[a] = out[a] * g_.stride[a] - g_.pad[a] + tap[a] * g_.dilation[a];
      if (p[a] < 0 || p[a] >= g_.in[a]) return false;
    }
    return true;
  }

  void forward_row(const double* x, const double* w, const double* b, double* y, std::int64_t n, std::int64_t row) const {
    std::int64_t ins = g_.in_channels / g_.groups, outs = g_.out_channels / g_.groups;
    for_each({1, g_.out[1], g_.out[2]}, [&](Sizes at, std::int64_t) {
      at[0] = row;
      double* to = y + (n * g_.out_voxels() + flatten(at, g_.out)) * g_.out_channels;
      for (std::int64_t o = 0; o < g_.out_channels; ++o) to[o] = b ? b[o] : 0.0;
      for_each(g_.kernel, [&](const Sizes& k, std::int64_t tap) {
        Sizes p;
        if (!source_of(at, k, p)) return;
        const double* from = x + (n * g_.in_voxels() + flatten(p, g_.in)) * g_.in_channels;
        for (std::int64_t o = 0; o < g_.out_channels; ++o)
          for (std::int64_t i = 0; i < ins; ++i) to[o] += w[(o * g_.taps() + tap) * ins + i] * from[o / outs * ins + i];
      });
    });
  }

  void input_row(const double* y, const double* w, const double* b, double* x, std::int64_t n, std::int64_t row) const {
    std::int64_t ins = g_.in_channels / g_.groups, outs = g_.out_channels / g_.groups;
    for_each({1, g_.in[1], g_.in[2]}, [&](Sizes at, std::int64_t) {
      at[0] = row;
      double* to = x + (n * g_.in_voxels() + flatten(at, g_.in)) * g_.in_channels;
      for (std::int64_t i = 0; i < g_.in_channels; ++i) to[i] = b ? b[i] : 0.0;
      for_each(g_.kernel, [&](const Sizes& k, std::int64_t tap) {
        Sizes q;
        for (std::size_t a = 0; a < 3; ++a) {
          std::int64_t shifted = at[a] + g_.pad[a] - k[a] * g_.dilation[a];
          q[a] = shifted / g_.stride[a];
          if (shifted < 0 || shifted % g_.stride[a] != 0 || q[a] >= g_.out[a]) return;
        }
        const double* from = y + (n * g_.out_voxels() + flatten(q, g_.out)) * g_.out_channels;
        for (std::int64_t o = 0; o < g_.out_channels; ++o)
          for (std::int64_t i = 0; i < ins; ++i) to[o / outs * ins + i] += w[(o * g_.taps() + tap) * ins + i] * from[o];
      });
    });
  }

  ConvGeometry g_;
  ConvPass pass_;
  ConvSums sums_;
};

}  // namespace

std::shared_ptr<const ConvProgram> make_reference_conv(const ConvGeometry& g, ConvPass pass, ConvSums sums) {
  return std::make_shared<ReferenceConv>(g, pass, sums);
}

}  // namespace tenon::cpu
