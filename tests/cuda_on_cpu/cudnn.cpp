#include "cudnn.hpp"

namespace tenon::cuda {

on_cpu::MakeRowNormGraph& on_cpu::row_norm_graphs() {
  static MakeRowNormGraph make;
  return make;
}

bool cudnn_here() {
  return on_cpu::row_norm_graphs() != nullptr;
}
std::size_t cudnn_version() {
  return 0;
}
std::shared_ptr<CudnnGraph> CudnnGraph::make(const CudnnRowNorm& question) {
  return on_cpu::row_norm_graphs()(question);
}

}  // namespace tenon::cuda
