// Graphs: what the first stream was given while one was captured, done again in that order at each launch. What CUDA refuses to a stream that is captured is refused here.
#include "cuda_on_cpu/runtime/work.hpp"

#include <atomic>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "cuda_on_cpu/runtime/memory.hpp"
#include "cuda_on_cpu/runtime/spoil.hpp"
#include "cuda_runtime.h"

using namespace tenon::cuda::on_cpu;

struct CUgraph_st {
  /// What is taken within the graph stays taken until both it and what was made of it are gone.
  struct Work {
    std::vector<std::function<void()>> nodes;
    std::vector<void*> memory;
    ~Work() {
      for (void* at : memory) give_back(at);
    }
  };
  std::shared_ptr<Work> work = std::make_shared<Work>();
};
struct CUgraphExec_st {
  std::shared_ptr<const CUgraph_st::Work> work;
};

namespace {

struct Recording {
  std::unique_ptr<CUgraph_st> graph;  ///< null: nothing is captured
  std::thread::id by;
  bool every_thread = false;  ///< what the capturing thread may not do none may
  bool lost = false;
  std::set<void*> open;  ///< memory taken within the graph and not yet given back
};
Recording& now() {
  static auto* r = new Recording;
  return *r;
}
std::atomic<bool> is_recording{false}, have_graphs{true};
std::atomic<int> started{0};

void spoil_block(void* at) { spoil(at, bytes_from(at)); }

}  // namespace

namespace tenon::cuda::on_cpu {

bool recording() { return is_recording; }

void enqueue(std::function<void()> work) {
  if (recording()) return now().graph->work->nodes.push_back(std::move(work));
  const Open open;
  work();
}

cudaError_t allowed_while_recording(bool any_thread) {
  if (!recording() || (!any_thread && !now().every_thread && now().by != std::this_thread::get_id())) return cudaSuccess;
  now().lost = true;
  return cudaErrorStreamCaptureUnsupported;
}

cudaError_t take_in_graph(void** at, std::size_t bytes) {
  if (bytes_in_use() + bytes > memory_size()) return cudaErrorMemoryAllocation;
  *at = take(bytes);
  now().graph->work->memory.push_back(*at);
  now().open.insert(*at);
  enqueue([at = *at] { spoil_block(at); });
  return cudaSuccess;
}
cudaError_t give_back_in_graph(void* at) {
  if (now().open.erase(at) == 0) return now().lost = true, cudaErrorInvalidValue;
  enqueue([at] { spoil_block(at); });
  return cudaSuccess;
}

void set_graphs(bool have) { have_graphs = have; }
int graphs_started() { return started.exchange(0); }

}  // namespace tenon::cuda::on_cpu

cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode mode) {
  if (!have_graphs) return cudaErrorNotSupported;
  if (recording() || !is_first(s)) return cudaErrorStreamCaptureUnsupported;
  now() = {std::make_unique<CUgraph_st>(), std::this_thread::get_id(), mode == cudaStreamCaptureModeGlobal, false, {}};
  is_recording = true;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  *graph = nullptr;
  if (!recording()) return cudaErrorInvalidValue;
  if (now().by != std::this_thread::get_id()) return cudaErrorStreamCaptureWrongThread;
  is_recording = false;
  if (!now().open.empty()) note_damage("memory taken within a graph is not given back there");
  if (!now().lost) *graph = now().graph.release();
  now().graph.reset();
  return *graph ? cudaSuccess : cudaErrorStreamCaptureInvalidated;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t s, cudaStreamCaptureStatus* status) {
  *status = !recording() || !is_first(s) ? cudaStreamCaptureStatusNone : now().lost ? cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new CUgraphExec_st{graph->work};
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t s) {
  if (recording() || !is_first(s)) return cudaErrorNotSupported;
  ++started;
  const Open open;
  for (const auto& node : exec->work->nodes) node();
  return cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t*, std::size_t* count) {
  return *count = graph->work->nodes.size(), cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return delete graph, cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  return delete exec, cudaSuccess;
}
