/// A recorded step as one CUDA graph: one launch in place of hundreds.
#include "backend/backend.hpp"
#include "backend/cuda/check.cuh"
#include "backend/cuda/install.hpp"

namespace tenon::cuda {
namespace {

class CudaGraph final : public ReplayGraph {
 public:
  CudaGraph(cudaGraph_t graph, cudaGraphExec_t exec) : graph_(graph), exec_(exec) { (void)cudaGraphGetNodes(graph_, nullptr, &nodes_); }
  ~CudaGraph() override {
    (void)cudaStreamSynchronize(stream());
    (void)cudaGraphExecDestroy(exec_);
    (void)cudaGraphDestroy(graph_);
  }
  void launch() override { check(cudaGraphLaunch(exec_, stream()), "cudaGraphLaunch"); }
  std::string describe() const override { return "one CUDA graph of " + std::to_string(nodes_) + " nodes"; }

 private:
  cudaGraph_t graph_;
  cudaGraphExec_t exec_;
  std::size_t nodes_ = 0;
};

/// What `body` enqueues is not run. Other threads may call what a capture forbids (the mode is this thread's), but whatever they enqueue on the backend's stream
/// meanwhile becomes part of the graph.
std::unique_ptr<ReplayGraph> capture(const std::function<void()>& body, std::string& reason) {
  cudaError_t status = cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal);
  if (status != cudaSuccess) {
    reason = std::string("capture did not begin: ") + cudaGetErrorString(status);
    (void)cudaGetLastError();
    return nullptr;
  }
  std::string thrown;
  try {
    body();
  } catch (const std::exception& e) {
    thrown = e.what();
  }
  cudaGraph_t graph = nullptr;
  status = cudaStreamEndCapture(stream(), &graph);
  cudaGraphExec_t exec = nullptr;
  if (thrown.empty() && status == cudaSuccess) status = cudaGraphInstantiate(&exec, graph, 0);
  (void)cudaGetLastError();
  if (thrown.empty() && status == cudaSuccess) return std::make_unique<CudaGraph>(graph, exec);
  if (graph) (void)cudaGraphDestroy(graph);
  reason = thrown.empty() ? std::string("capture failed: ") + cudaGetErrorString(status) : thrown;
  return nullptr;
}

}  // namespace

void install_graph() { set_graph_capture(DeviceType::cuda, capture); }

}  // namespace tenon::cuda
