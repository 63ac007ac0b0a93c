/// Rates of the CPU convolutions on the shapes of the reference 3D U-Net, and the time of all its convolutions in a step.
///     conv_bench [f32|bf16] [width 32] [threads 2] [batch 2]
/// Each figure is the best of several runs, packing and the adding of partial sums included.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "backend/cpu/conv_engine.hpp"
#include "tenon/device.hpp"

using namespace tenon;

namespace {

struct Layer {
  const char* name;
  std::int64_t in, out, size[3], kernel, stride;
  int times;
  bool transposed, first;
};

/// 64-byte aligned, as tensors are (tiles that cross cache lines load at a third of the speed), and zero.
class Buffer {
 public:
  explicit Buffer(std::size_t bytes) : size_(bytes), data_(static_cast<char*>(::operator new(bytes + 64, std::align_val_t(64)))) {
    std::memset(data_.get(), 0, bytes + 64);
  }
  void* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(char* p) const { ::operator delete(p, std::align_val_t(64)); }
  };
  std::size_t size_;
  std::unique_ptr<char, Free> data_;
};

struct Timing {
  double seconds = 0;
  std::string what;
};

template <class F>
double best_seconds(F run) {
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  auto start = Clock::now();
  for (int n = 0; n < 3 || (n < 50 && Clock::now() - start < std::chrono::milliseconds(200)); ++n) {
    auto t = Clock::now();
    run();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - t).count());
  }
  return best;
}

Timing time_pass(const ConvGeometry& g, ConvPass pass, const Buffer& x, const Buffer& y, const Buffer& out) {
  bool weights_pass = pass == ConvPass::weight_gradient;
  auto program = cpu::conv_program(g, pass, pass == ConvPass::forward, weights_pass ? ConvSums::of_y : ConvSums::none);
  Buffer weights(std::size_t(g.weights()) * 4), bias(std::size_t(std::max(g.in_channels, g.out_channels)) * 4);
  Buffer packed(program->packed_bytes()), workspace(program->workspace_bytes());
  double t = best_seconds([&] {
    if (weights_pass) {
      program->run_weights(x.data(), y.data(), weights.data(), bias.data(), workspace.data());
    } else {
      program->pack(weights.data(), packed.data());
      program->run(pass == ConvPass::forward ? x.data() : y.data(), packed.data(), bias.data(), out.data());
    }
  });
  return {t, program->describe()};
}

}  // namespace

int main(int argc, char** argv) {
  DType dtype = argc > 1 && !std::strcmp(argv[1], "bf16") ? DType::bf16 : DType::f32;
  std::int64_t w = argc > 2 ? std::atoll(argv[2]) : 32, batch = argc > 4 ? std::atoll(argv[4]) : 2;
  set_thread_count(argc > 3 ? std::atoi(argv[3]) : 2);
  const Layer layers[] = {{"down0.0", 1, w, {40, 56, 40}, 3, 1, 1, false, true},
                          {"down0.1 dec0.1", w, w, {40, 56, 40}, 3, 1, 2, false, false},
                          {"down1.0", w, 2 * w, {40, 56, 40}, 3, 2, 1, false, false},
                          {"down1.1 dec1.1", 2 * w, 2 * w, {20, 28, 20}, 3, 1, 2, false, false},
                          {"down2.0", 2 * w, 4 * w, {20, 28, 20}, 3, 2, 1, false, false},
                          {"down2.1 dec2.1", 4 * w, 4 * w, {10, 14, 10}, 3, 1, 2, false, false},
                          {"down3.0", 4 * w, 8 * w, {10, 14, 10}, 3, 2, 1, false, false},
                          {"down3.1", 8 * w, 8 * w, {5, 7, 5}, 3, 1, 1, false, false},
                          {"dec2.0", 8 * w, 4 * w, {10, 14, 10}, 3, 1, 1, false, false},
                          {"dec1.0", 4 * w, 2 * w, {20, 28, 20}, 3, 1, 1, false, false},
                          {"dec0.0", 2 * w, w, {40, 56, 40}, 3, 1, 1, false, false},
                          {"up2", 4 * w, 8 * w, {10, 14, 10}, 2, 2, 1, true, false},
                          {"up1", 2 * w, 4 * w, {20, 28, 20}, 2, 2, 1, true, false},
                          {"up0", w, 2 * w, {40, 56, 40}, 2, 2, 1, true, false},
                          {"head2", 4 * w, 3, {10, 14, 10}, 1, 1, 1, false, false},
                          {"head1", 2 * w, 3, {20, 28, 20}, 1, 1, 1, false, false},
                          {"head0", w, 3, {40, 56, 40}, 1, 1, 1, false, false}};
  std::printf("%s, width %lld, batch %lld, %d threads; ms and GFLOP/s: forward, input gradient, weight gradient\n", name_of(dtype).data(),
              static_cast<long long>(w), static_cast<long long>(batch), thread_count());
  double total = 0, flops = 0;
  for (const Layer& l : layers) {
    ConvGeometry g;
    g.spatial = 3;
    g.dtype = dtype;
    g.batch = batch;
    g.in_channels = l.in;
    g.out_channels = l.out;
    for (std::size_t a = 0; a < 3; ++a) {
      g.in[a] = l.size[a];
      g.kernel[a] = l.kernel;
      g.stride[a] = l.stride;
      g.pad[a] = l.kernel == 3 ? 1 : 0;
      g.out[a] = (g.in[a] + 2 * g.pad[a] - l.kernel) / l.stride + 1;
    }
    std::size_t e = size_of(dtype);
    Buffer x(std::size_t(g.batch * g.in_voxels() * g.in_channels) * e), y(std::size_t(g.batch * g.out_voxels() * g.out_channels) * e);
    Buffer out(std::max(x.size(), y.size()));
    std::printf("%-15s %4lld->%-4lld k%lld s%lld", l.name, static_cast<long long>(l.in), static_cast<long long>(l.out),
                static_cast<long long>(l.kernel), static_cast<long long>(l.stride));
    std::string kernels;
    for (ConvPass pass : {ConvPass::forward, ConvPass::input_gradient, ConvPass::weight_gradient}) {
      if (l.first && pass == ConvPass::input_gradient) {
        std::printf(" |      -       -");
        continue;
      }
      Timing t = time_pass(g, pass, x, y, out);
      total += t.seconds * l.times;
      flops += g.flops() * l.times;
      std::printf(" | %7.2f %6.0f", t.seconds * 1e3, g.flops() / t.seconds * 1e-9);
      kernels += "  " + t.what;
    }
    std::printf(" |%s\n", kernels.c_str());
  }
  std::printf("all convolutions of a step: %.1f ms, %.1f GFLOP, %.0f GFLOP/s\n", total * 1e3, flops * 1e-9, flops / total * 1e-9);
}
