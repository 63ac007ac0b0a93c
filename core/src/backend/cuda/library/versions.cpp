#include <cublasLt.h>
#include <cufft.h>
#include <cusolverDn.h>

#include <cstdlib>
#include <string_view>

#include "backend/cuda/install.hpp"
#include "backend/cuda/library/cudnn_graph.hpp"

namespace tenon::cuda {
namespace {

/// 13.1.0 is written 130100 by some of the libraries and 13100 by others: `unit` is what a major version counts.
std::string dotted(std::size_t version, std::size_t unit) {
  return std::to_string(version / unit) + "." + std::to_string(version % unit / 100) + "." + std::to_string(version % 100);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> library_versions() {
  std::vector<std::pair<std::string, std::string>> all{{"cuBLASLt", dotted(cublasLtGetVersion(), 10000)}};
  int version = 0;
  if (cufftGetVersion(&version) == CUFFT_SUCCESS) all.emplace_back("cuFFT", dotted(std::size_t(version), 1000));
  if (cusolverGetVersion(&version) == CUSOLVER_STATUS_SUCCESS) all.emplace_back("cuSOLVER", dotted(std::size_t(version), 1000));
  const char* named = std::getenv("TENON_CUDNN");
  if (const std::size_t cudnn = cudnn_version()) all.emplace_back("cuDNN", dotted(cudnn, 10000));
  else if (named && *named && std::string_view(named) != "none") all.emplace_back("cuDNN", std::string("missing (TENON_CUDNN=") + named + " cannot be loaded)");
  return all;
}

}  // namespace tenon::cuda
