/// While one is alive cuDNN is there (cudnn.hpp), with these plans of convolutions, attention or norms of rows, and the slots ask it; time is counted, and there is
/// enough of it to try six plans of each graph.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/install.hpp"
#include "backend/cuda/library/plan_choice.hpp"
#include "cuda/device.hpp"
#include "cuda_on_cpu/libraries/cudnn.hpp"
#include "cuda_on_cpu/runtime/device_clock.hpp"

namespace under_test {

using tenon::cuda::on_cpu::Deed;
using tenon::cuda::on_cpu::StandInPlan;

constexpr int kTrial = 4;  ///< runs of a plan that is tried and found good

/// Microseconds of our kernels: those that do the work 100, a convolution on tensor cores half of it, what stands around them 1.
inline double time_of(const std::string& kernel) {
  if (kernel.starts_with("conv_tensor")) return 50;
  if (kernel == "row_norm" || kernel == "row_norm_gradient") return 100;
  for (const char* work : {"conv_gemm", "conv_direct", "conv_few", "conv_weight", "attention_"})
    if (kernel.starts_with(work)) return 100;
  return 1;
}

class CudnnScope {
 public:
  explicit CudnnScope(tenon::cuda::on_cpu::Plans<tenon::cuda::CudnnConvolution> plans) : CudnnScope() {
    tenon::cuda::on_cpu::cudnn().convolutions = std::move(plans);
    tenon::cuda::install_conv_cudnn();
  }
  explicit CudnnScope(tenon::cuda::on_cpu::Plans<tenon::cuda::CudnnAttention> plans) : CudnnScope() {
    tenon::cuda::on_cpu::cudnn().attentions = std::move(plans);
    tenon::cuda::install_attention_cudnn();
  }
  explicit CudnnScope(tenon::cuda::on_cpu::Plans<tenon::cuda::CudnnRowNorm> plans) : CudnnScope() {
    tenon::cuda::on_cpu::cudnn().norms = std::move(plans);
    tenon::cuda::install_row_norm_cudnn();
  }
  ~CudnnScope() {
    using namespace tenon::cuda;
    on_cpu::Cudnn& c = on_cpu::cudnn();
    c.convolutions = nullptr;
    c.attentions = nullptr;
    c.norms = nullptr;
    c.refuses = false;
    plan_bounds() = {};
    on_cpu::count_time(nullptr);
    install_conv();
    install_attention();
    install_attention_mma();
    install_row_norm();
  }
  CudnnScope(const CudnnScope&) = delete;
  CudnnScope& operator=(const CudnnScope&) = delete;

 private:
  CudnnScope() {
    has_device();
    tenon::cuda::on_cpu::count_time(time_of);
    tenon::cuda::on_cpu::cudnn().ran.clear();
    tenon::cuda::plan_bounds() = {.graph_seconds = 1e9, .all_seconds = 1e9};
  }
};

/// Names of the plans that ran since the last call.
inline std::vector<std::string> plans_run() { return std::exchange(tenon::cuda::on_cpu::cudnn().ran, {}); }

/// The last line of what was chosen.
inline std::string last_told() {
  const std::vector<std::string> all = tenon::cuda::choices_made();
  return all.empty() ? "" : all.back();
}

}  // namespace under_test
