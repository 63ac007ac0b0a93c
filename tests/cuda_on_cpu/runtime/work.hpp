/// Work on the first stream, as kernels, copies and libraries enqueue it: done at once, or recorded while a graph is captured there.
#pragma once

#include <functional>

#include "cuda_on_cpu/runtime_api.hpp"

namespace tenon::cuda::on_cpu {

/// `work` finds device memory open (memory.hpp). What it needs it has by value, but for device memory: a graph does it again and again.
void enqueue(std::function<void()> work);

/// The backend's own stream, which is made first.
bool is_first(cudaStream_t stream);
/// Whether the first stream is captured now.
bool recording();
/// For calls that CUDA does not allow the thread that captures a graph, or any thread: cudaSuccess where none is captured, else the capture is lost.
cudaError_t allowed_while_recording(bool any_thread = false);
/// Memory that is taken and given back within a graph.
cudaError_t take_in_graph(void** at, std::size_t bytes);
cudaError_t give_back_in_graph(void* at);

/// False: graphs are reported as unsupported, as on a device or a driver that has none.
void set_graphs(bool have);
/// Graphs started since the last call.
int graphs_started();

}  // namespace tenon::cuda::on_cpu
