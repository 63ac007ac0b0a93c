/// A stand-in for cuDNN: it is there while a test has said what graphs of norms it makes.
#pragma once

#include <functional>

#include "backend/cuda/library/cudnn_graph.hpp"

namespace tenon::cuda::on_cpu {

using MakeRowNormGraph = std::function<std::shared_ptr<CudnnGraph>(const CudnnRowNorm&)>;
MakeRowNormGraph& row_norm_graphs();

}  // namespace tenon::cuda::on_cpu
