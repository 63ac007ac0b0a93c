/// Convolutions by cuDNN where it is there and faster: the slots, and how a chosen plan is run.
#include <array>
#include <optional>

#include "backend/cuda/conv_own.hpp"
#include "backend/cuda/device_memory.hpp"
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

/// An operand where cuDNN can read it: views may begin at any element, and plans are made for 16 bytes. The copy's memory is taken in the order
/// of the stream, so it may be captured too.
class Aligned {
 public:
  Aligned(const void* data, std::size_t bytes) : data_(data) {
    if (reinterpret_cast<std::uintptr_t>(data) % 16 == 0) return;
    data_ = copy_.emplace(bytes).as<>();
    check(cudaMemcpyAsync(copy_->as<>(), data, bytes, cudaMemcpyDeviceToDevice, stream()), "cudaMemcpyAsync");
  }
  const void* get() const { return data_; }

 private:
  const void* data_;
  std::optional<DeviceMemory> copy_;
};

struct Region {
  std::size_t at = 0, bytes = 0;
};

/// What a choice keeps beside the operands: those and the result in the form that the graph sees, and the plan's own memory.
struct Regions {
  Region first, second, bias, result, plan;
  std::size_t bytes = 0;

  Regions(const ConvChoice& c, const ConvGeometry& g, ConvPass pass) {
    const ConvGeometry p = presented(g, c.form);
    const bool weights = pass == ConvPass::weight_gradient, forward = pass == ConvPass::forward;
    const std::size_t x = c.form.in_pad > 0 ? values_of(p, true) * size_of(g.dtype) : 0,
                      y = c.form.out_pad > 0 ? values_of(p, false) * size_of(g.dtype) : 0;
    first = take(weights || forward ? x : y);
    if (weights) {
      second = take(y);
      if (c.half_weights || !c.form.plain()) result = take(std::size_t(p.weights()) * (c.half_weights ? 2 : 4));
    } else {
      result = take(forward ? y : x);
      if (c.bias_inside && c.form.block > 1) bias = take(std::size_t(forward ? p.out_channels : p.in_channels) * 4);
    }
    plan = {bytes, c.plan.workspace};
    bytes += c.plan.workspace;
  }

 private:
  Region take(std::size_t n) {
    const Region r{bytes, n};
    bytes += padded(n);
    return r;
  }
};

Kernel make_pass(const ConvGeometry& g, ConvPass pass, bool bias) {
  const ConvChoice c = conv_choice(g, pass, bias);
  if (!c.graph) return own_conv(g, pass, bias, c.tensor);
  const bool workspace = conv_choice_workspace(c, g, pass) > 0;
  const std::size_t bytes = values_of(g, pass == ConvPass::forward) * size_of(g.dtype),
                    weight_bytes = is_half(g.dtype) ? conv_choice_weights(c, g) : std::size_t(g.weights()) * 4;
  const std::size_t bias_bytes = std::size_t(pass == ConvPass::forward ? g.out_channels : g.in_channels) * 4;
  return [=](void* const* p) {
    void* const* written = p + (bias ? 3 : 2);
    Aligned source(p[0], bytes), weights(p[1], weight_bytes), added(bias ? p[2] : nullptr, bias_bytes);
    run_conv_choice(c, g, pass, source.get(), weights.get(), added.get(), written[0], workspace ? written[1] : nullptr);
  };
}

Kernel make_weights(const ConvGeometry& g, ConvSums sums) {
  const ConvChoice c = conv_choice(g, ConvPass::weight_gradient, false);
  if (!c.graph) return own_conv_weights(g, sums, c.tensor);
  const bool summing = sums != ConvSums::none;
  const std::size_t product = padded(conv_choice_workspace(c, g, ConvPass::weight_gradient)), x_bytes = values_of(g, true) * size_of(g.dtype),
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

Kernel make_pack(const ConvGeometry& g, ConvPass pass, bool bias) {
  return [g, c = conv_choice(g, pass, bias)](void* const* p) { pack_conv_choice(c, g, p[0], p[1]); };
}

ConvBuffers buffers(const ConvGeometry& g, ConvPass pass, bool bias, ConvSums sums) {
  const bool weights = pass == ConvPass::weight_gradient;
  const ConvChoice c = conv_choice(g, pass, weights ? false : bias);
  if (!c.graph) return own_conv_buffers(g, pass, sums, c.tensor);
  ConvBuffers b{!weights && is_half(g.dtype) ? conv_choice_weights(c, g) : 0, conv_choice_workspace(c, g, pass)};
  if (weights && sums != ConvSums::none)
    b.workspace = padded(b.workspace) + channel_sums_workspace(g.dtype, summed(g, sums).rows, summed(g, sums).channels);
  return b;
}

}  // namespace

std::size_t conv_choice_weights(const ConvChoice& c, const ConvGeometry& g) {
  return std::size_t(presented(g, c.form).weights()) * 2;
}

void pack_conv_choice(const ConvChoice& c, const ConvGeometry& g, const void* weights, void* packed) {
  c.form.plain() ? narrow_weights(g.dtype, weights, packed, g.weights()) : form_weights(g, c.form, g.dtype, weights, packed);
}

std::size_t conv_choice_workspace(const ConvChoice& c, const ConvGeometry& g, ConvPass pass) {
  return c.graph ? Regions(c, g, pass).bytes : 0;
}

void run_conv_choice(const ConvChoice& c, const ConvGeometry& g, ConvPass pass, const void* first, const void* second, const void* bias,
                     void* result, void* workspace) {
  const Regions at(c, g, pass);
  auto* scratch = static_cast<std::byte*>(workspace);
  const bool weights = pass == ConvPass::weight_gradient, forward = pass == ConvPass::forward;
  const std::int64_t x_rows = g.batch * g.in_voxels(), y_rows = g.batch * g.out_voxels(), rows = forward ? y_rows : x_rows,
                     channels = forward ? g.out_channels : g.in_channels;
  auto fitted = [&](const Region& to, const void* from, bool x) {
    if (to.bytes == 0) return from;
    const std::int64_t own = x ? g.in_channels : g.out_channels;
    fit_channels(g.dtype, from, scratch + to.at, x ? x_rows : y_rows, own, own + (x ? c.form.in_pad : c.form.out_pad), nullptr);
    return static_cast<const void*>(scratch + to.at);
  };
  const void *a = fitted(at.first, first, weights || forward), *b = weights ? fitted(at.second, second, false) : second;
  const void* inside = c.bias_inside ? bias : nullptr;
  if (inside && at.bias.bytes > 0) {
    repeat_bias(bias, scratch + at.bias.at, channels, c.form.block);
    inside = scratch + at.bias.at;
  }
  void* to = at.result.bytes > 0 ? scratch + at.result.at : result;
  std::array<const void*, 4> operands{a, b, to};
  std::size_t count = 3;
  if (c.bias_inside) operands = {a, b, inside, to}, count = 4;
  if (!c.graph->run(c.plan, {operands.data(), count}, c.plan.workspace > 0 ? scratch + at.plan.at : nullptr))
    throw Error(ErrorKind::device, "cuda.cudnn", "cuDNN refused a convolution that it ran before: " + c.plan.engine,
                "set TENON_CUDNN=none to convolve without cuDNN");
  const void* left = c.bias_inside ? nullptr : bias;
  if (weights) {
    if (!c.form.plain()) unform_weights(g, c.form, c.half_weights ? g.dtype : DType::f32, to, result);
    else if (c.half_weights) widen_weights(g.dtype, to, result, g.weights());
  } else if (at.result.bytes > 0) {
    fit_channels(g.dtype, to, result, rows, channels + (forward ? c.form.out_pad : c.form.in_pad), channels, left);
  } else if (left) {
    add_channel_bias(g.dtype, result, left, rows, channels);
  }
}

void install_conv_cudnn() {
  if (!cudnn_here()) return;
  conv_pack_slot.set(DeviceType::cuda, make_pack);
  conv_forward_slot.set(DeviceType::cuda, [](const ConvGeometry& g, bool bias) { return make_pass(g, ConvPass::forward, bias); });
  conv_input_gradient_slot.set(DeviceType::cuda,
                               [](const ConvGeometry& g, bool bias) { return make_pass(g, ConvPass::input_gradient, bias); });
  conv_weight_gradient_slot.set(DeviceType::cuda, make_weights);
  set_conv_buffers(DeviceType::cuda, buffers);
}

}  // namespace tenon::cuda
