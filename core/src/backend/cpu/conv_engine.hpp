/// Convolutions on the CPU, on raw pointers.
///
/// A ConvProgram is one of the three maps of conv_geometry.hpp, prepared for given sizes: the cut into tasks, a
/// single-threaded library primitive a distinct task shape, the packed format of the weights. It is immutable and may
/// run on several threads at once; its runs use tenon::parallel_for and give the same bits for any thread count.
/// Making one costs about a millisecond (code generation), finding it again about a microsecond.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "backend/conv_geometry.hpp"
#include "tenon/export.hpp"

namespace tenon::cpu {

class TENON_API ConvProgram {
 public:
  virtual ~ConvProgram() = default;

  /// Size of the packed weights; 0 when `run` takes the weights as they are.
  std::size_t packed_bytes() const { return packed_bytes_; }
  /// Memory that `run_weights` needs for partial sums.
  std::size_t workspace_bytes() const { return workspace_bytes_; }
  virtual void pack(const void* weights, void* packed) const;
  /// forward and input_gradient: source -> destination. `bias` (a value a destination channel, in the type of the
  /// weights) may be null if the program was made without one.
  virtual void run(const void* source, const void* packed, const void* bias, void* destination) const;
  /// weight_gradient; `sums` (channel sums of y or x, as asked for) may be null if none were.
  virtual void run_weights(const void* x, const void* y, void* weights, void* sums, void* workspace) const;
  /// The kernels behind it, with the number of tasks: for benches and reports.
  virtual std::string describe() const = 0;

 protected:
  std::size_t packed_bytes_ = 0, workspace_bytes_ = 0;
};

/// The program for these sizes, from a bounded cache. Thread-safe. Types: f32, f64, and bf16 where conv_has_bf16().
TENON_API std::shared_ptr<const ConvProgram> conv_program(const ConvGeometry& g, ConvPass pass, bool bias = false,
                                                          ConvSums sums = ConvSums::none);

/// Whether this machine's library has bf16 convolutions at all (they need AVX-512).
TENON_API bool conv_has_bf16();

// The implementations that conv_program chooses from.
/// Plain loops in double, parallel over destinations: the reference, and the f64 of gradient checks.
TENON_API std::shared_ptr<const ConvProgram> make_reference_conv(const ConvGeometry& g, ConvPass pass, ConvSums sums);
/// Larger ones in f64 as products of rows of voxels; null for the others.
std::shared_ptr<const ConvProgram> make_row_conv(const ConvGeometry& g, ConvPass pass, ConvSums sums);
/// The bf16 weight gradient on AMX tiles; null where that does not apply.
std::shared_ptr<const ConvProgram> make_amx_weight_gradient(const ConvGeometry& g, ConvSums sums);
/// f32 with 3 x 3 (x 3) kernels and stride 1 by minimal filtering; null where that does not apply or pay.
std::shared_ptr<const ConvProgram> make_winograd_conv(const ConvGeometry& g, ConvPass pass, ConvSums sums);
/// f32 of any stride by gathering voxels into matrix products; null where that does not apply or pay.
std::shared_ptr<const ConvProgram> make_gemm_conv(const ConvGeometry& g, ConvPass pass, ConvSums sums);
/// f32 along one axis with stride 1, by products over overlapping rows and fast filtering; null where that does not apply or pay.
std::shared_ptr<const ConvProgram> make_sequence_conv(const ConvGeometry& g, ConvPass pass, ConvSums sums);
/// f32 of each channel by itself along one or three axes, and the weights of larger kernels along two; null where that does not apply or pay.
std::shared_ptr<const ConvProgram> make_depthwise_conv(const ConvGeometry& g, ConvPass pass, ConvSums sums);
std::shared_ptr<const ConvProgram> make_onednn_conv(const ConvGeometry& g, ConvPass pass, bool bias, ConvSums sums);

}  // namespace tenon::cpu
