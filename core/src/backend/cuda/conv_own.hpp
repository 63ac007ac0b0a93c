/// This library's own convolution kernels, for every geometry and type; a library's convolutions stand beside them where there is one
/// (private).
#pragma once

#include "ops/conv_kernels.hpp"

namespace tenon::cuda {

/// The kernels of the slots; the weights are read as they are, and only the weight gradient has a workspace. `tensor`: on tensor cores, where
/// conv_tensor_fits and the operands lie on 16 bytes.
Kernel own_conv(const ConvGeometry& g, ConvPass pass, bool bias, bool tensor = false);
Kernel own_conv_weights(const ConvGeometry& g, ConvSums sums, bool tensor = false);
ConvBuffers own_conv_buffers(const ConvGeometry& g, ConvPass pass, ConvSums sums, bool tensor = false);
/// Whether there is a kernel made for so few channels, so that it may be faster than a library's.
bool own_conv_is_special(const ConvGeometry& g, ConvPass pass);

// ---- the passes by kind of kernel: false where the geometry is not for that kind ---------------------------------

struct ConvOperands {
  const void *source, *weights, *bias;  ///< bias may be null
  void* result;
};

bool conv_few_fits(const ConvGeometry& g, ConvPass pass);
void conv_few(const ConvGeometry& g, ConvPass pass, const ConvOperands& p);
bool conv_gemm_fits(const ConvGeometry& g, ConvPass pass);
void conv_gemm(const ConvGeometry& g, ConvPass pass, const ConvOperands& p);
void conv_direct(const ConvGeometry& g, ConvPass pass, const ConvOperands& p);
/// On tensor cores: bf16, windows of 3 in each of two or three axes that step by one, 32 channels of the source (in any pass but the weight gradient), those of
/// the result by 32; a weight gradient with both by 32. Operands on 16 bytes.
bool conv_tensor_fits(const ConvGeometry& g, ConvPass pass);
void conv_tensor(const ConvGeometry& g, ConvPass pass, const ConvOperands& p);

bool conv_few_weights_fits(const ConvGeometry& g);
/// Partial sums over cuts of y's rows: as many as conv_weight_cuts says, [cuts, weights] in the type of the weights.
void conv_few_weights(const ConvGeometry& g, const void* x, const void* y, void* partial, std::int64_t cuts);
void conv_weights(const ConvGeometry& g, const void* x, const void* y, void* partial, std::int64_t cuts);
std::int64_t conv_weight_cuts(const ConvGeometry& g);
/// On tensor cores, where conv_tensor_fits: partial sums [cuts, weights] in f32. A value of x that is not finite may spoil all taps, where it is at an edge that
/// some do not meet.
void conv_tensor_weights(const ConvGeometry& g, const void* x, const void* y, void* partial);
std::int64_t conv_tensor_weight_cuts(const ConvGeometry& g);

// ---- what stands around a product, a library's too -----------------------------------------------------------------

/// sums[c] = sum over rows of values[rows, channels], in the order of fixed cuts. Sums are f32, for f64 f64.
std::size_t channel_sums_workspace(DType type, std::int64_t rows, std::int64_t channels);
void channel_sums(DType type, const void* values, std::int64_t rows, std::int64_t channels, void* sums, void* workspace);
/// to[i] = sum over cuts of partial[cut, i], always in the same order; f64 when `wide`, else f32.
void add_cuts(bool wide, const void* partial, void* to, std::int64_t count, std::int64_t cuts);
/// y[rows, channels] += bias.
void add_channel_bias(DType type, void* y, const void* bias, std::int64_t rows, std::int64_t channels);
/// f32 to a 16-bit type, and back.
void narrow_weights(DType type, const void* from, void* to, std::int64_t count);
void widen_weights(DType type, const void* from, void* to, std::int64_t count);

}  // namespace tenon::cuda
