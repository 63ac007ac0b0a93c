#include <algorithm>
#include <array>

#include "autograd/saved.hpp"
#include "backend/cpu/conv_engine.hpp"
#include "ops/check.hpp"
#include "ops/conv_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/memory.hpp"
#include "tenon/ops.hpp"

namespace tenon {

KernelSlot<const ConvGeometry&, ConvPass, bool> conv_pack_slot("conv.pack", [](const ConvGeometry& g, ConvPass pass, bool bias) -> Kernel {
  auto program = cpu::conv_program(g, pass, bias);
  return [program](void* const* p) { program->pack(p[0], p[1]); };
});

KernelSlot<const ConvGeometry&, bool> conv_forward_slot("conv.forward", [](const ConvGeometry& g, bool bias) -> Kernel {
  auto program = cpu::conv_program(g, ConvPass::forward, bias);
  return [program, bias](void* const* p) { program->run(p[0], p[1], bias ? p[2] : nullptr, p[bias ? 3 : 2]); };
});

KernelSlot<const ConvGeometry&, bool> conv_input_gradient_slot("conv.input_gradient", [](const ConvGeometry& g, bool bias) -> Kernel {
  auto program = cpu::conv_program(g, ConvPass::input_gradient, bias);
  return [program, bias](void* const* p) { program->run(p[0], p[1], bias ? p[2] : nullptr, p[bias ? 3 : 2]); };
});

KernelSlot<const ConvGeometry&, ConvSums> conv_weight_gradient_slot(
    "conv.weight_gradient", [](const ConvGeometry& g, ConvSums sums) -> Kernel {
      auto program = cpu::conv_program(g, ConvPass::weight_gradient, false, sums);
      bool summing = sums != ConvSums::none, workspace = program->workspace_bytes() > 0;
      return [program, summing, workspace](void* const* p) {
        program->run_weights(p[0], p[1], p[2], summing ? p[3] : nullptr, workspace ? p[summing ? 4 : 3] : nullptr);
      };
    });

namespace {

std::array<ConvBuffersFn, kDeviceTypes>& buffer_sizes() {
  static std::array<ConvBuffersFn, kDeviceTypes> table{[](const ConvGeometry& g, ConvPass pass, bool bias, ConvSums sums) {
    auto program = cpu::conv_program(g, pass, bias, sums);
    return ConvBuffers{program->packed_bytes(), program->workspace_bytes()};
  }};
  return table;
}

ConvBuffers buffers(Device device, const ConvGeometry& g, ConvPass pass, bool bias, ConvSums sums = ConvSums::none) {
  const ConvBuffersFn& sizes = buffer_sizes()[std::size_t(device.type)];
  return sizes ? sizes(g, pass, bias, sums) : ConvBuffers{};
}

Tensor byte_buffer(std::size_t bytes, Device device) {
  MemoryScope tag(MemoryTag::workspace);
  return Tensor::empty({std::int64_t(bytes)}, DType::u8, device);
}

DType weight_type(DType activations) {
  return activations == DType::f64 ? DType::f64 : DType::f32;
}

Shape activation_shape(const ConvGeometry& g, const ConvGeometry::Sizes& sizes, std::int64_t channels) {
  Shape s{g.batch};
  for (int a = 0; a < g.spatial; ++a) s.push_back(sizes[std::size_t(a)]);
  s.push_back(channels);
  return s;
}

Shape weight_shape(const ConvGeometry& g) {
  Shape s{g.out_channels};
  for (int a = 0; a < g.spatial; ++a) s.push_back(g.kernel[std::size_t(a)]);
  s.push_back(g.in_channels / g.groups);
  return s;
}

// ---- the three maps, without history ---------------------------------------------------------------------------

/// forward or input_gradient: `source` is x or y's gradient.
Tensor run_pass(const ConvGeometry& g, ConvPass pass, const Tensor& source, const Tensor& weight, const Tensor& bias) {
  bool forward = pass == ConvPass::forward, with_bias = bias.defined();
  Device device = source.device();
  Tensor result =
      Tensor::empty(forward ? activation_shape(g, g.out, g.out_channels) : activation_shape(g, g.in, g.in_channels), g.dtype, device);
  if (result.numel() == 0) return result;
  ConvBuffers sizes = buffers(device, g, pass, with_bias);
  std::vector<Tensor> reads{source.contiguous(), weight.contiguous()}, writes{result};
  if (sizes.packed_weights > 0) {
    Tensor packed = byte_buffer(sizes.packed_weights, device);
    launch("conv.pack", {reads[1]}, {packed}, conv_pack_slot(device, g, pass, with_bias));
    reads[1] = packed;
  }
  if (with_bias) reads.push_back(bias.contiguous());
  if (sizes.workspace > 0) writes.push_back(byte_buffer(sizes.workspace, device));
  launch(forward ? "conv.forward" : "conv.input_gradient", reads, writes,
         forward ? conv_forward_slot(device, g, with_bias) : conv_input_gradient_slot(device, g, with_bias));
  return result;
}

/// The weight gradient and, if asked for, the channel sums of y or x.
std::vector<Tensor> run_weight_pass(const ConvGeometry& g, const Tensor& x, const Tensor& y, ConvSums sums) {
  Device device = x.device();
  std::vector<Tensor> results{Tensor::empty(weight_shape(g), weight_type(g.dtype), device)};
  if (sums != ConvSums::none)
    results.push_back(Tensor::empty({sums == ConvSums::of_y ? g.out_channels : g.in_channels}, weight_type(g.dtype), device));
  if (g.batch == 0) {
    for (Tensor& r : results) r = Tensor::zeros(r.shape(), r.dtype(), device);
    return results;
  }
  std::vector<Tensor> writes = results;
  ConvBuffers sizes = buffers(device, g, ConvPass::weight_gradient, false, sums);
  if (sizes.workspace > 0) writes.push_back(byte_buffer(sizes.workspace, device));
  launch("conv.weight_gradient", std::vector<Tensor>{x.contiguous(), y.contiguous()}, writes, conv_weight_gradient_slot(device, g, sums));
  return results;
}

// ---- the same with gradients: each is bilinear, and its gradients are the other two ------------------------------

Tensor forward_map(const char* op, const ConvGeometry& g, const Tensor& x, const Tensor& weight, const Tensor& bias);
Tensor input_map(const char* op, const ConvGeometry& g, const Tensor& y, const Tensor& weight, const Tensor& bias);

struct WeightMap {
  Tensor weight, sums;
};

WeightMap weight_map(const char* op, const ConvGeometry& g, const Tensor& x, const Tensor& y, ConvSums sums) {
  std::vector<Tensor> outputs = run_weight_pass(g, x, y, sums);
  bool x_needed = wants_grad({x}), y_needed = wants_grad({y});
  std::vector<Tensor> inputs{x, y};
  differentiable(op, outputs, inputs, [=](const std::vector<Tensor>& d) -> std::vector<Tensor> {
    Tensor none, to_y = sums == ConvSums::of_y ? d[1] : none, to_x = sums == ConvSums::of_x ? d[1] : none;
    return {x_needed ? input_map(op, g, y, d[0], to_x) : none, y_needed ? forward_map(op, g, x, d[0], to_y) : none};
  });
  return {outputs[0], sums == ConvSums::none ? Tensor{} : outputs[1]};
}

Tensor forward_map(const char* op, const ConvGeometry& g, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  Tensor y = run_pass(g, ConvPass::forward, x, weight, bias);
  bool x_needed = wants_grad({x}), weight_needed = wants_grad({weight}), bias_needed = wants_grad({bias});
  return differentiable(op, y, {x, weight, bias}, [=, x = Saved(x)](const std::vector<Tensor>& d) -> std::vector<Tensor> {
    WeightMap w;
    if (weight_needed || bias_needed) w = weight_map(op, g, x.get(), d[0], bias_needed ? ConvSums::of_y : ConvSums::none);
    return {x_needed ? input_map(op, g, d[0], weight, {}) : Tensor{}, w.weight, w.sums};
  });
}

Tensor input_map(const char* op, const ConvGeometry& g, const Tensor& y, const Tensor& weight, const Tensor& bias) {
  Tensor x = run_pass(g, ConvPass::input_gradient, y, weight, bias);
  bool y_needed = wants_grad({y}), weight_needed = wants_grad({weight}), bias_needed = wants_grad({bias});
  return differentiable(op, x, {y, weight, bias}, [=, y = Saved(y)](const std::vector<Tensor>& d) -> std::vector<Tensor> {
    WeightMap w;
    if (weight_needed || bias_needed) w = weight_map(op, g, d[0], y.get(), bias_needed ? ConvSums::of_x : ConvSums::none);
    return {y_needed ? forward_map(op, g, d[0], weight, {}) : Tensor{}, w.weight, w.sums};
  });
}

// ---- checks and shape rules --------------------------------------------------------------------------------------

std::string shapes(const Tensor& x, const Tensor& weight) {
  return "input " + x.shape().str() + ", weight " + weight.shape().str();
}

ConvGeometry::Sizes option(const char* op, const char* name, const std::vector<std::int64_t>& values, int spatial, std::int64_t otherwise,
                           std::int64_t least) {
  ConvGeometry::Sizes s{otherwise, otherwise, otherwise};
  if (values.empty()) return s;
  if (int(values.size()) != spatial)
    throw_usage(op,
                std::string(name) + " has " + std::to_string(values.size()) + " values for " + std::to_string(spatial) + " spatial axes");
  for (std::size_t a = 0; a < values.size(); ++a) {
    if (values[a] < least) throw_usage(op, std::string(name) + " " + std::to_string(values[a]) + " is less than " + std::to_string(least));
    check_31_bits(op, name, values[a]);
    s[a] = values[a];
  }
  return s;
}

/// What convolution and transposed convolution check alike: ranks, types, options, groups. Fills all but the sizes of x and y.
ConvGeometry geometry(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvOptions& o,
                      std::int64_t bias_channels) {
  if (!x.defined() || !weight.defined()) throw_usage(op, "an operand is undefined");
  int spatial = x.rank() - 2;
  if (spatial < 1 || spatial > 3)
    throw_usage(op, "input " + x.shape().str() + " does not have 1 to 3 spatial axes", "the input is [N, spatial..., channels]");
  if (weight.rank() != x.rank()) throw_usage(op, shapes(x, weight) + ": the weight needs as many axes as the input");
  if (!is_floating(x.dtype())) throw_usage(op, "input " + x.str() + " is not f32, bf16, f16 or f64", "cast it with to()");
  DType wanted = weight_type(x.dtype());
  if (weight.dtype() != wanted && weight.dtype() != x.dtype())
    throw_usage(op, "weight " + weight.str() + " does not go with input " + x.str(), "weights are f32, or of the input's type");
  if (x.device() != weight.device()) throw_usage(op, "input " + x.str() + " and weight " + weight.str() + " are on different devices");
  ConvGeometry g;
  g.spatial = spatial;
  g.dtype = x.dtype();
  g.batch = x.size(0);
  g.groups = o.groups;
  g.stride = option(op, "stride", o.stride, spatial, 1, 1);
  g.pad = option(op, "padding", o.padding, spatial, 0, 0);
  g.dilation = option(op, "dilation", o.dilation, spatial, 1, 1);
  if (o.groups < 1 || x.size(-1) % o.groups != 0 || weight.size(0) % o.groups != 0)
    throw_usage(op, shapes(x, weight) + ": channels are not divisible into " + std::to_string(o.groups) + " groups");
  if (weight.numel() == 0) throw_usage(op, shapes(x, weight) + ": the weight is empty");
  for (int a = 0; a < spatial; ++a) {
    check_31_bits(op, "kernel", weight.size(a + 1));
    g.kernel[std::size_t(a)] = weight.size(a + 1);
  }
  if (bias.defined()) {
    if (bias.rank() != 1 || bias.size(0) != bias_channels)
      throw_usage(op, "bias " + bias.shape().str() + " for " + std::to_string(bias_channels) + " output channels",
                  "the bias is [output channels]");
    if (bias.dtype() != wanted && bias.dtype() != x.dtype())
      throw_usage(op, "bias " + bias.str() + " does not go with input " + x.str(), "biases are f32, or of the input's type");
    if (bias.device() != x.device()) throw_usage(op, "input " + x.str() + " and bias " + bias.str() + " are on different devices");
  }
  return g;
}

/// f16 on a CPU, and bf16 where its library has no bf16 convolutions, are computed in f32.
bool through_f32(const Tensor& x) {
  if (x.dtype() == DType::f16 && x.device().type == DeviceType::cpu) return true;
  return x.dtype() == DType::bf16 && x.device().type == DeviceType::cpu && !cpu::conv_has_bf16();
}

/// The weight for that: in f16 rounded first, and so is its gradient, as hardware that multiplies f16 would have it.
Tensor weight_through_f32(const Tensor& weight, DType activations) {
  return (activations == DType::f16 ? weight.to(DType::f16) : weight).to(DType::f32);
}

Tensor cast_if(const Tensor& t, DType type) {
  return t.defined() ? t.to(type) : t;
}

}  // namespace

void set_conv_buffers(DeviceType type, ConvBuffersFn sizes) {
  buffer_sizes()[std::size_t(type)] = std::move(sizes);
}
const ConvBuffersFn& conv_buffers(DeviceType type) {
  return buffer_sizes()[std::size_t(type)];
}

Tensor conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvOptions& options) {
  ConvGeometry g = geometry("conv", x, weight, bias, options, weight.defined() && weight.rank() ? weight.size(0) : 0);
  g.in_channels = x.size(-1);
  g.out_channels = weight.size(0);
  if (weight.size(-1) * g.groups != g.in_channels)
    throw_usage("conv",
                shapes(x, weight) + ": the weight reads " + std::to_string(weight.size(-1) * g.groups) + " channels, the input has " +
                    std::to_string(g.in_channels),
                "the weight is [O, kernel..., I/groups]");
  for (int a = 0; a < g.spatial; ++a) {
    auto k = std::size_t(a);
    g.in[k] = x.size(a + 1);
    std::int64_t room = size_plus("conv", g.in[k], 2 * g.pad[k]) - g.reach(a);
    if (room < 0 || g.in[k] < 1)
      throw_usage("conv",
                  shapes(x, weight) + ": spatial axis " + std::to_string(a) + " has " + std::to_string(g.in[k]) + " + 2 x " +
                      std::to_string(g.pad[k]) + " rows, the kernel spans " + std::to_string(g.reach(a)),
                  "pad more, or give a larger input");
    g.out[k] = room / g.stride[k] + 1;
  }
  check_result("conv", activation_shape(g, g.out, g.out_channels), g.dtype);
  if (through_f32(x)) return conv(x.to(DType::f32), weight_through_f32(weight, x.dtype()), cast_if(bias, DType::f32), options).to(x.dtype());
  DType wide = weight_type(x.dtype());
  return forward_map("conv", g, x, weight.to(wide), cast_if(bias, wide));
}

Tensor conv_transpose(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvOptions& options,
                      const std::vector<std::int64_t>& output_padding) {
  const char* op = "conv_transpose";
  ConvGeometry g = geometry(op, x, weight, bias, options, weight.defined() && weight.rank() ? weight.size(-1) * options.groups : 0);
  g.out_channels = x.size(-1);  // the geometry is that of the convolution whose input gradient this is
  g.in_channels = weight.size(-1) * g.groups;
  if (weight.size(0) != g.out_channels)
    throw_usage(op,
                shapes(x, weight) + ": the weight reads " + std::to_string(weight.size(0)) + " channels, the input has " +
                    std::to_string(g.out_channels),
                "the weight is [I, kernel..., O/groups]");
  ConvGeometry::Sizes extra = option(op, "output_padding", output_padding, g.spatial, 0, 0);
  for (int a = 0; a < g.spatial; ++a) {
    auto k = std::size_t(a);
    if (extra[k] >= g.stride[k])
      throw_usage(op, "output_padding " + std::to_string(extra[k]) + " is not less than stride " + std::to_string(g.stride[k]));
    g.out[k] = x.size(a + 1);
    if (g.out[k] > 0) g.in[k] = size_plus(op, size_times(op, g.out[k] - 1, g.stride[k]), g.reach(a) + extra[k] - 2 * g.pad[k]);
    if (g.out[k] < 1 || g.in[k] < 1)
      throw_usage(op, shapes(x, weight) + ": spatial axis " + std::to_string(a) + " would have " + std::to_string(g.in[k]) + " rows",
                  "pad less, or give a larger input");
  }
  check_result(op, activation_shape(g, g.in, g.in_channels), g.dtype);
  if (through_f32(x))
    return conv_transpose(x.to(DType::f32), weight_through_f32(weight, x.dtype()), cast_if(bias, DType::f32), options, output_padding).to(x.dtype());
  DType wide = weight_type(x.dtype());
  return input_map(op, g, x, weight.to(wide), cast_if(bias, wide));
}

}  // namespace tenon
