/// cuDNN's graphs of one convolution, attention or norm of rows, behind an interface that needs none of its headers: cuDNN is found at run time, or
/// is not there (private).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "backend/conv_geometry.hpp"
#include "backend/cuda/row_norm_own.hpp"
#include "ops/attention_kernels.hpp"

namespace tenon::cuda {

/// Whether libcudnn.so.9, or the file that TENON_CUDNN names, could be loaded and gives a handle.
bool cudnn_here();
std::size_t cudnn_version();  ///< as 91900; 0 without it
/// What cuDNN (9.8 or later) says of the device in use, for CudnnGraph::make_for; empty where there is none.
std::string cudnn_device_description();

/// One product as cuDNN is asked for it. f32 stays f32 unless `allow_tf32`. Operands: the two that the pass reads (source and weights, or x
/// and y's gradient), the bias if any, the result.
struct CudnnConvolution {
  ConvGeometry geometry;
  ConvPass pass = ConvPass::forward;
  bool bias = false;          ///< added within the graph; one f32 a channel of the result
  bool half_weights = false;  ///< the weight gradient comes out in the type of the activations, else in f32
  bool allow_tf32 = false;
  bool fallback = false;  ///< asks for the plans of last resort instead of the heuristics' best
};

/// Attention without a mask, in 16 bits. Operands are those of its kernel slots, each from where the first row of the first head lies:
/// q, k, v, y, log-sum-exp; backward q, k, v, y, log-sum-exp, d_y, d_q, d_k, d_v.
struct CudnnAttention {
  Attention all;
  bool backward = false;
  std::int64_t samples = 1, heads = 1;  ///< of `all`, that a run computes where they lie: some samples, or some heads of one
};

/// Layer norm or RMS norm in f32, bf16 or f16. Operands are those of its kernel slot without the partial sums.
struct CudnnRowNorm {
  RowNorm all;
  RowNormPass pass = RowNormPass::layer;

  auto operator<=>(const CudnnRowNorm&) const = default;
};

struct CudnnPlan {
  std::int64_t index = -1;
  std::size_t workspace = 0;
  std::string engine;
};

/// A graph and the plans that the heuristics propose for it, best first.
class CudnnGraph {
 public:
  /// Null where cuDNN has no plan for it.
  static std::shared_ptr<CudnnGraph> make(const CudnnConvolution& question);
  static std::shared_ptr<CudnnGraph> make(const CudnnAttention& question);
  static std::shared_ptr<CudnnGraph> make(const CudnnRowNorm& question);
  /// The same for a device that is described and need not be here: its plans can be built, not run.
  static std::shared_ptr<CudnnGraph> make_for(const std::string& description, const CudnnConvolution& question);
  static std::shared_ptr<CudnnGraph> make_for(const std::string& description, const CudnnAttention& question);
  static std::shared_ptr<CudnnGraph> make_for(const std::string& description, const CudnnRowNorm& question);
  virtual ~CudnnGraph() = default;
  virtual std::int64_t plans() const = 0;
  /// The engine of a plan and its settings: the same plan in any process on this device with this version of cuDNN. Empty where it has none.
  virtual std::string name(std::int64_t index) const = 0;
  /// False where the plan cannot be built, or is none that is wanted: not deterministic, of reduced precision, of a large workspace.
  virtual bool build(std::int64_t index, CudnnPlan& plan) = 0;
  virtual void drop(std::int64_t index) = 0;
  /// Enqueues it. False, with nothing done, where cuDNN refuses.
  virtual bool run(const CudnnPlan& plan, std::span<const void* const> operands, void* workspace) const = 0;
};

}  // namespace tenon::cuda
