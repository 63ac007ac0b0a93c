// Streams, events, and the copies that go by them. Kernels know no stream: they run where they are started, at once. So does what is
// enqueued on the stream that is made first, the backend's own. A copy on another stream is made as late as it may be, when something waits
// for it, so that memory which is read, written or given back too early shows; and what the copy itself must wait for is checked.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <vector>

#include "cuda_on_cpu/runtime/device_clock.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "cuda_on_cpu/runtime/work.hpp"
#include "cuda_runtime.h"

using namespace tenon::cuda::on_cpu;

struct CUstream_st {
  struct Copy {
    char* to;
    const char* from;
    std::size_t bytes;
    bool meets(const void* at, std::size_t n) const {
      const auto* p = static_cast<const char*>(at);
      return (p < to + bytes && to < p + n) || (p < from + bytes && from < p + n);
    }
  };
  bool at_once = false;
  std::uint64_t knows = 0;  ///< how far it waited for the first stream
  std::uint64_t given = 0, made = 0;
  std::deque<Copy> late;  ///< `made` to `given`

  void make_until(std::uint64_t position) {
    const Open open;
    for (; made < position && !late.empty(); ++made, late.pop_front()) std::memcpy(late.front().to, late.front().from, late.front().bytes);
  }
};
struct CUevent_st {
  double at = 0;  ///< by the device's clock
  cudaStream_t stream = nullptr;  ///< null: never recorded
  std::uint64_t position = 0;
};

namespace {

std::vector<cudaStream_t>& streams() {
  static auto* all = new std::vector<cudaStream_t>;
  return *all;
}
std::map<const char*, std::size_t>& pinned() {
  static auto* all = new std::map<const char*, std::size_t>;
  return *all;
}
std::atomic<std::uint64_t> now{0};  ///< operations of the first stream so far
std::uint64_t host_knows = 0;       ///< how far the host waited for it

bool is_pinned(const void* at) {
  const auto next = pinned().upper_bound(static_cast<const char*>(at));
  if (next == pinned().begin()) return false;
  const auto it = std::prev(next);
  return it->first + it->second > at;
}

/// A copy of another stream that nothing waited for, and that needs this memory: made now, and told.
void refuse_late(const void* at, std::size_t bytes, const char* what) {
  for (cudaStream_t s : streams()) {
    if (std::none_of(s->late.begin(), s->late.end(), [&](const auto& copy) { return copy.meets(at, bytes); })) continue;
    note_damage(std::string("memory was ") + what + " before the copy of another stream was waited for");
    s->make_until(s->given);
  }
}

void copy_on_first_stream(void* to, const void* from, std::size_t bytes) {
  refuse_late(from, bytes, "read");
  refuse_late(to, bytes, "written");
  ++now;
  for (BlockTimes* block : {times_of(from), times_of(to)})
    if (block) block->used = now;
  std::memcpy(to, from, bytes);
  spend(2 + 1e-6 * double(bytes));
}

/// What waits for the first stream, or asks it for anything: no thread may, while it is captured.
cudaError_t may_wait(cudaStream_t s) { return is_first(s) ? allowed_while_recording(true) : cudaSuccess; }

}  // namespace

bool tenon::cuda::on_cpu::is_first(cudaStream_t s) {
  if (!s) note_damage("work on the null stream, which waits for none of ours and is in no graph");
  return !s || s->at_once;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new CUstream_st;
  (*stream)->at_once = streams().empty();
  streams().push_back(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t s) {
  cudaStreamSynchronize(s);
  streams().erase(std::remove(streams().begin(), streams().end(), s), streams().end());
  delete s;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t s) {
  if (const cudaError_t status = may_wait(s)) return status;
  if (is_first(s)) host_knows = now;
  else s->make_until(s->given);
  return cudaSuccess;
}
cudaError_t cudaStreamQuery(cudaStream_t s) {
  if (const cudaError_t status = may_wait(s)) return status;
  return is_first(s) || s->late.empty() ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaDeviceSynchronize() {
  if (const cudaError_t status = allowed_while_recording()) return status;
  for (cudaStream_t s : streams()) cudaStreamSynchronize(s);
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t event, unsigned) {
  if (!event->stream) return cudaSuccess;
  if (recording() && is_first(s)) return allowed_while_recording(), cudaErrorStreamCaptureIsolation;
  if (!is_first(event->stream)) event->stream->make_until(event->position);
  else if (!is_first(s)) s->knows = std::max(s->knows, event->position);
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  return *event = new CUevent_st, cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return delete event, cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t s) {
  if (const cudaError_t status = may_wait(s)) return status;  // an event within a graph is what this stand-in does not have
  event->at = device_time();
  event->stream = s;
  event->position = is_first(s) ? now.load() : s->given;
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (!event->stream) return cudaSuccess;
  if (const cudaError_t status = may_wait(event->stream)) return status;
  if (is_first(event->stream)) host_knows = std::max(host_knows, event->position);
  else event->stream->make_until(event->position);
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  if (!event->stream) return cudaSuccess;
  if (const cudaError_t status = may_wait(event->stream)) return status;
  return is_first(event->stream) || event->stream->made >= event->position ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  *milliseconds = float((to->at - from->at) / 1000);
  return cudaSuccess;
}

cudaError_t cudaMallocAsync(void** at, std::size_t bytes, cudaStream_t s) {
  if (recording() && is_first(s)) return take_in_graph(at, bytes);
  const cudaError_t status = cudaMalloc(at, bytes);
  if (BlockTimes* block = is_first(s) && status == cudaSuccess ? times_of(*at) : nullptr) block->taken = ++now;
  return status;
}
cudaError_t cudaFreeAsync(void* at, cudaStream_t s) { return recording() && is_first(s) ? give_back_in_graph(at) : cudaFree(at); }
cudaError_t cudaFree(void* at) {
  if (const cudaError_t status = allowed_while_recording()) return status;
  if (BlockTimes* block = times_of(at)) refuse_late(at, block->bytes, "given back");
  return give_back(at), cudaSuccess;
}
cudaError_t cudaMallocHost(void** at, std::size_t bytes) {
  if (const cudaError_t status = allowed_while_recording()) return status;
  *at = std::malloc(bytes ? bytes : 1);
  if (!*at) return cudaErrorMemoryAllocation;
  pinned()[static_cast<const char*>(*at)] = bytes;
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* at) {
  if (const cudaError_t status = allowed_while_recording()) return status;
  if (const auto block = pinned().find(static_cast<const char*>(at)); block != pinned().end()) {
    refuse_late(at, block->second, "given back");
    pinned().erase(block);
  }
  return std::free(at), cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t s) {
  if (!bytes) return cudaSuccess;
  const BlockTimes *const read = times_of(from), *const written = times_of(to);
  if (is_first(s)) {
    if (recording() && ((!read && !is_pinned(from)) || (!written && !is_pinned(to)))) note_damage("a graph copies memory of the host that may be gone when it runs");
    return enqueue([=] { copy_on_first_stream(to, from, bytes); }), cudaSuccess;
  }
  const std::uint64_t known = std::max(s->knows, host_knows);
  for (const BlockTimes* block : {read, written})
    if (block && (block->taken > known || block->used > known))
      note_damage("a copy on another stream does not wait for what the first one does with the memory");
  s->late.push_back({static_cast<char*>(to), static_cast<const char*>(from), bytes});
  ++s->given;
  if (!read && !is_pinned(from)) s->make_until(s->given);  // the driver has read pageable memory when it returns
  return cudaSuccess;
}
