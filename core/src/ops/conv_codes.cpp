#include "tenon/conv_codes.hpp"

#include <array>
#include <utility>

#include "ops/check.hpp"
#include "ops/conv_codes_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kLetters = 64;  // so that a device's block can hold a sum a letter

std::array<CodePiecesFn, kDeviceTypes>& piece_counts() {
  static std::array<CodePiecesFn, kDeviceTypes> table;
  return table;
}

Tensor rows_of(const Tensor& table, const Tensor& codes, const Tensor& bias, const CodeRows& p);

/// The gradient of the table; linear in d_y, so that its own gradient is the convolution again.
Tensor gradient_of(const Tensor& d_y, const Tensor& codes, CodeRows p) {
  p.bias = false;
  const Tensor d = d_y.contiguous();
  Tensor d_table = Tensor::empty({p.kernel, p.letters, p.channels}, p.dtype, d.device());
  const CodePiecesFn& pieces = piece_counts()[std::size_t(d.device().type)];
  Tensor parts = Tensor::empty({pieces ? pieces(p) : p.pieces(), p.table()}, p.dtype, d.device());
  launch("conv_codes.gradient", {d, codes}, {d_table, parts}, conv_codes_gradient_kernel(d.device(), p));
  return differentiable("conv_codes", d_table, {d},
                        [codes, p](const std::vector<Tensor>& dd) { return std::vector{rows_of(dd[0], codes, {}, p)}; });
}

Tensor rows_of(const Tensor& table_given, const Tensor& codes, const Tensor& bias_given, const CodeRows& p) {
  const Tensor table = table_given.contiguous(), bias = p.bias ? bias_given.contiguous() : table;
  Tensor y = Tensor::empty({p.samples, p.positions(), p.channels}, p.dtype, table.device());
  if (y.numel() > 0) launch("conv_codes", {table, codes, bias}, {y}, conv_codes_kernel(table.device(), p));
  std::vector<Tensor> inputs{table};
  if (p.bias) inputs.push_back(bias);
  return differentiable("conv_codes", y, inputs, [codes, p](const std::vector<Tensor>& d) {
    std::vector<Tensor> out{gradient_of(d[0], codes, p)};
    if (p.bias) out.push_back(sum(d[0], {0, 1}));
    return out;
  });
}

}  // namespace

void set_code_pieces(DeviceType type, CodePiecesFn pieces) {
  piece_counts()[std::size_t(type)] = std::move(pieces);
}

Tensor conv_codes(const Tensor& codes, const Tensor& weight, const Tensor& bias, std::int64_t padding) {
  check_defined("conv_codes", codes, "codes");
  check_defined("conv_codes", weight, "weight");
  if (codes.dtype() != DType::u8 || codes.rank() != 2)
    throw_usage("conv_codes", "codes " + codes.str() + " are not u8 [N, L]", "give one byte a letter");
  if ((weight.dtype() != DType::f32 && weight.dtype() != DType::f64) || weight.rank() != 3)
    throw_usage("conv_codes", "weight " + weight.str() + " is not [O, K, V] of f32 or f64");
  check_same_device("conv_codes", codes, weight);
  const CodeRows p{weight.dtype(), codes.size(0), codes.size(1), weight.size(1), weight.size(2), weight.size(0), padding, bias.defined()};
  if (p.letters < 1 || p.letters > kLetters || p.kernel < 1)
    throw_usage("conv_codes", "weight " + weight.str() + " is of no or of more than " + std::to_string(kLetters) + " letters, or has no taps");
  if (padding < 0 || p.positions() < 1)
    throw_usage("conv_codes", "a kernel of " + std::to_string(p.kernel) + " does not fit " + codes.str() + " with padding " + std::to_string(padding));
  if (p.bias) {
    check_same_device("conv_codes", codes, bias);
    if (bias.dtype() != weight.dtype() || bias.shape() != Shape{p.channels})
      throw_usage("conv_codes", "bias " + bias.str() + " of weight " + weight.str());
  }
  return rows_of(weight.permute({1, 2, 0}), codes.contiguous(), bias, p);
}

}  // namespace tenon
