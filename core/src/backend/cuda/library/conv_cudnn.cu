/// Convolutions by cuDNN where it is there and faster: the slots, and how a chosen plan is run.
#include "backend/backend.hpp"
#include "backend/cuda/conv_own.hpp"
#include "backend/cuda/install.hpp"
#include "backend/cuda/launch.cuh"
#include "backend/cuda/library/conv_tune.hpp"

namespace tenon::cuda {
namespace {

std::size_t padded(std::size_t bytes) {
  return (bytes + 255) / 256 * 256;
}

bool is_half(DType t) {
  return t == DType::bf16 || t == DType::f16;
}

struct Summed {
  std::int64_t rows, channels;
};

Summed summed(const ConvGeometry& g, ConvSums sums) {
  if (sums == ConvSums::of_y) return {g.batch * g.out_voxels(), g.out_channels};
  return {g.batch * g.in_voxels(), g.in_channels};
}

std::size_t values_of(const ConvGeometry& g, bool x) {
  return std::size_t(g.batch * (x ? g.in_voxels() * g.in_channels : g.out_voxels() * g.out_channels));
}

/// An operand where cuDNN can read it: views may begin at any element, and plans are made for 16 bytes. The copy is stream-ordered, so it
/// may be captured too.
class Aligned {
 public:
  Aligned(const void* data, std::size_t bytes) : data_(data) {
    if (reinterpret_cast<std::uintptr_t>(data) % 16 == 0) return;
    check(cudaMallocAsync(&copy_, bytes, stream()), "cudaMallocAsync");
    check(cudaMemcpyAsync(copy_, data, bytes, cudaMemcpyDeviceToDevice, stream()), "cudaMemcpyAsync");
  }
  ~Aligned() {
    if (copy_) cudaFreeAsync(copy_, stream());
  }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  const void* get() const { return copy_ ? copy_ : data_; }

 private:
  const void* data_;
  void* copy_ = nullptr;
};

Kernel make_pass(const ConvGeometry& g, ConvPass pass, bool bias) {
  const ConvChoice c = conv_choice(g, pass, bias);
  if (!c.graph) return own_conv(g, pass, bias);
  const bool workspace = conv_choice_workspace(c, g) > 0;
  const std::size_t bytes = values_of(g, pass == ConvPass::forward) * size_of(g.dtype),
                    weight_bytes = std::size_t(g.weights()) * (is_half(g.dtype) ? 2 : 4);
  return [=](void* const* p) {
    void* const* written = p + (bias ? 3 : 2);
    Aligned source(p[0], bytes), weights(p[1], weight_bytes);
    run_conv_choice(c, g, pass, source.get(), weights.get(), bias ? p[2] : nullptr, written[0], workspace ? written[1] : nullptr);
  };
}

Kernel make_weights(const ConvGeometry& g, ConvSums sums) {
  const ConvChoice c = conv_choice(g, ConvPass::weight_gradient, false);
  if (!c.graph) return own_conv_weights(g, sums);
  const bool summing = sums != ConvSums::none;
  const std::size_t product = padded(conv_choice_workspace(c, g)), x_bytes = values_of(g, true) * size_of(g.dtype),
                    y_bytes = values_of(g, false) * size_of(g.dtype);
  const Summed s = summed(g, sums);
  const bool workspace = product + (summing ? channel_sums_workspace(g.dtype, s.rows, s.channels) : 0) > 0;
  return [=](void* const* p) {
    auto* scratch = workspace ? static_cast<std::byte*>(p[summing ? 4 : 3]) : nullptr;
    Aligned x(p[0], x_bytes), y(p[1], y_bytes);
    run_conv_choice(c, g, ConvPass::weight_gradient, x.get(), y.get(), nullptr, p[2], scratch);
    if (summing) channel_sums(g.dtype, sums == ConvSums::of_y ? p[1] : p[0], s.rows, s.channels, p[3], scratch + product);
  };
}

Kernel make_pack(const ConvGeometry& g, ConvPass, bool) {
  return [g](void* const* p) { narrow_weights(g.dtype, p[0], p[1], g.weights()); };
}

ConvBuffers buffers(const ConvGeometry& g, ConvPass pass, bool bias, ConvSums sums) {
  const bool weights = pass == ConvPass::weight_gradient;
  const ConvChoice c = conv_choice(g, pass, weights ? false : bias);
  if (!c.graph) return own_conv_buffers(g, pass, sums);
  ConvBuffers b{!weights && is_half(g.dtype) ? std::size_t(g.weights()) * 2 : 0, conv_choice_workspace(c, g)};
  if (weights && sums != ConvSums::none)
    b.workspace = padded(b.workspace) + channel_sums_workspace(g.dtype, summed(g, sums).rows, summed(g, sums).channels);
  return b;
}

}  // namespace

std::size_t conv_choice_workspace(const ConvChoice& c, const ConvGeometry& g) {
  if (!c.graph) return 0;
  return c.plan.workspace + (c.half_weights ? padded(std::size_t(g.weights()) * 2) : 0);
}

void run_conv_choice(const ConvChoice& c, const ConvGeometry& g, ConvPass pass, const void* first, const void* second, const void* bias,
                     void* result, void* workspace) {
  void* to = c.half_weights ? workspace : result;
  void* scratch = c.half_weights ? static_cast<std::byte*>(workspace) + padded(std::size_t(g.weights()) * 2) : workspace;
  if (!c.graph->run(c.plan, first, second, c.bias_inside ? bias : nullptr, to, c.plan.workspace > 0 ? scratch : nullptr))
    throw Error(ErrorKind::device, "cuda.cudnn", "cuDNN refused a convolution that it ran before: " + c.plan.engine,
                "set TENON_CUDNN=none to convolve without cuDNN");
  if (c.half_weights) widen_weights(g.dtype, to, result, g.weights());
  const bool forward = pass == ConvPass::forward;
  if (bias && !c.bias_inside)
    add_channel_bias(g.dtype, result, bias, g.batch * (forward ? g.out_voxels() : g.in_voxels()), forward ? g.out_channels : g.in_channels);
}

void install_conv_cudnn() {
  if (!cudnn_here()) return;
  conv_pack_slot.set(DeviceType::cuda, make_pack);
  conv_forward_slot.set(DeviceType::cuda, [](const ConvGeometry& g, bool bias) { return make_pass(g, ConvPass::forward, bias); });
  conv_input_gradient_slot.set(DeviceType::cuda,
                               [](const ConvGeometry& g, bool bias) { return make_pass(g, ConvPass::input_gradient, bias); });
  conv_weight_gradient_slot.set(DeviceType::cuda, make_weights);
  set_conv_buffers(DeviceType::cuda, buffers);
  set_device_choices(conv_choices);
}

}  // namespace tenon::cuda
