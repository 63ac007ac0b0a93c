/// What graphs of the stand-in compute (cudnn.hpp): sums in f64, rounded once.
#pragma once

#include <functional>
#include <vector>

#include "backend/cuda/library/cudnn_graph.hpp"
#include "cuda_on_cpu/libraries/cudnn.hpp"

namespace tenon::cuda::on_cpu {

/// Values by rows of `width`; a row lies together where `row` says.
struct Result {
  DType type;
  std::int64_t width;
  std::vector<double> values;
  std::function<void*(std::int64_t)> row;
};

/// Bytes of each operand, from where it is given to the last that is read or written.
std::vector<std::int64_t> operands_of(const CudnnConvolution& question);
std::vector<std::int64_t> operands_of(const CudnnAttention& question);
std::vector<std::int64_t> operands_of(const CudnnRowNorm& question);
/// Throws where cuDNN would have no plan, whatever the device.
void check_question(const CudnnConvolution& question);
void check_question(const CudnnAttention& question);
void check_question(const CudnnRowNorm& question);

/// What the graph gives of operands on the device, in the order in which it writes. Of deeds it does those that are within a sum: factors rounded to TF32, a
/// variance of squares.
std::vector<Result> results_of(const CudnnConvolution& question, const std::vector<void*>& operands, Deed deed);
std::vector<Result> results_of(const CudnnAttention& question, const std::vector<void*>& operands, Deed deed);
std::vector<Result> results_of(const CudnnRowNorm& question, const std::vector<void*>& operands, Deed deed);

/// Throws std::logic_error, which no trial takes for a plan that failed.
void want(bool condition, const char* what);

}  // namespace tenon::cuda::on_cpu
