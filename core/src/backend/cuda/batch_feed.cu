/// Batches on their way to the device: copied on a stream of their own while the recorded step works on the batch before. Losses on their way back.
#include <unistd.h>

#include <array>
#include <atomic>
#include <deque>
#include <memory>

#include "backend/backend.hpp"
#include "backend/cuda/faults.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/lanes.cuh"
#include "backend/cuda/launch.cuh"
#include "tenon/error.hpp"
#include "tenon/memory.hpp"
#include "tenon/storage.hpp"

namespace tenon::cuda {
namespace {

constexpr Device kDevice{DeviceType::cuda, 0};

/// Kept for the life of the process: batches may outlive the feed that they were made for.
cudaStream_t copy_stream() {
  static cudaStream_t s = [] {
    cudaStream_t made = nullptr;
    check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    return made;
  }();
  return s;
}

class Event {
 public:
  Event() { check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreateWithFlags"); }
  ~Event() { (void)cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(cudaStream_t on) { check(cudaEventRecord(event_, on), "cudaEventRecord"); }
  /// What is enqueued on the stream from here on begins when the event has come; at once where it was never recorded.
  void hold(cudaStream_t waiting) { check(cudaStreamWaitEvent(waiting, event_, 0), "cudaStreamWaitEvent"); }
  void wait() { check(cudaEventSynchronize(event_), "cudaEventSynchronize"); }

 private:
  cudaEvent_t event_ = nullptr;
};

/// A quarter of the machine's memory may be locked. Past that, and where the system refuses, batches lie in ordinary memory: a copy from
/// there makes the host wait, and is right all the same.
std::shared_ptr<void> locked_memory(std::size_t bytes) {
  static const std::size_t most = std::size_t(sysconf(_SC_PHYS_PAGES)) * std::size_t(sysconf(_SC_PAGE_SIZE)) / 4;
  static std::atomic<std::size_t> taken{0};
  if (bytes == 0) return nullptr;
  void* memory = nullptr;
  if (taken.fetch_add(bytes) + bytes > most || cudaMallocHost(&memory, bytes) != cudaSuccess) {
    (void)cudaGetLastError();
    taken -= bytes;
    return nullptr;
  }
  return {memory, [bytes](void* p) {
            (void)cudaStreamSynchronize(copy_stream());  // a copy may still read it, where a run ended by an error
            (void)cudaFreeHost(p);
            taken -= bytes;
          }};
}

struct ScalarList {
  int count = 0;
  DType type[BatchFeed::kScalars] = {};
  const void* at[BatchFeed::kScalars] = {};
};

/// `to`: host memory, which the device writes; the last of kScalars + 1 tells whether `fault` was set by then.
__global__ void take_down(ScalarList list, const int* fault, double* to) {
  const int i = int(threadIdx.x);
  if (i == int(BatchFeed::kScalars)) to[i] = fault && *static_cast<const volatile int*>(fault) ? 1 : 0;
  if (i >= list.count) return;
  to[i] = list.type[i] == DType::f64 ? *static_cast<const double*>(list.at[i]) : double(load_lane<float>(list.type[i], list.at[i], 0));
}

/// Scalars of one fetch, in locked memory of the host.
struct Taken {
  double* values = nullptr;
  std::size_t count = 0;
  Event there;
  Taken() { check(cudaMallocHost(reinterpret_cast<void**>(&values), sizeof(double) * (BatchFeed::kScalars + 1)), "cudaMallocHost"); }
  ~Taken() { (void)cudaFreeHost(values); }
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;
};

/// Two events keep order. `sent_`: the buffers hold a batch. `delivered_`: the compute stream has read them, and made them before. Both
/// streams wait for the other's, the host for the first alone.
class CudaBatchFeed final : public BatchFeed {
 public:
  /// The buffers go back in the order of the compute stream, which knows nothing of a batch that was never delivered.
  ~CudaBatchFeed() override {
    (void)cudaStreamSynchronize(copy_stream());
    if (!taken_.empty()) (void)cudaStreamSynchronize(stream());  // which may still write what was never collected
  }

  Tensor host_tensor(const Shape& shape, DType dtype) override {
    const std::size_t bytes = std::size_t(shape.numel()) * size_of(dtype);
    std::shared_ptr<void> memory = locked_memory(bytes);
    if (!memory) return Tensor::empty(shape, dtype, kCpu);
    void* const data = memory.get();
    return Tensor::wrap(data, shape, dtype, [held = std::move(memory)]() mutable { held.reset(); }, kCpu);
  }

  void send(const std::vector<Tensor>& batch) override {
    make_room(batch);
    delivered_.hold(copy_stream());
    for (std::size_t i = 0; i < batch.size(); ++i)
      if (const std::size_t bytes = batch[i].nbytes())
        check(cudaMemcpyAsync(buffers_[i].raw(), batch[i].raw(), bytes, cudaMemcpyHostToDevice, copy_stream()), "cudaMemcpyAsync");
    sent_.record(copy_stream());
  }

  void settle() override { sent_.wait(); }

  void deliver(const std::vector<Tensor>& to) override {
    sent_.hold(stream());
    for (std::size_t i = 0; i < to.size(); ++i) {
      if (const std::size_t bytes = to[i].nbytes())
        check(cudaMemcpyAsync(to[i].raw(), buffers_[i].raw(), bytes, cudaMemcpyDeviceToDevice, stream()), "cudaMemcpyAsync");
      to[i].storage()->note_write("BatchFeed::deliver");
    }
    delivered_.record(stream());
  }

  void fetch(const std::vector<Tensor>& scalars) override {
    if (scalars.size() > kScalars) throw Error(ErrorKind::internal, "batch_feed.scalars", std::to_string(scalars.size()) + " scalars");
    ScalarList list;
    for (const Tensor& t : scalars) {
      if (t.numel() != 1 || t.device() != kDevice || !is_floating(t.dtype())) throw Error(ErrorKind::internal, "batch_feed.scalar", t.str());
      list.type[list.count] = t.dtype();
      list.at[list.count++] = t.raw();
    }
    std::unique_ptr<Taken> slot = spare_.empty() ? std::make_unique<Taken>() : std::move(spare_.back());
    if (!spare_.empty()) spare_.pop_back();
    slot->count = scalars.size();
    start("take_down", dim3(1), dim3(unsigned(kScalars) + 1), 0, take_down, list, fault_flag(), slot->values);
    slot->there.record(stream());
    taken_.push_back(std::move(slot));
  }

  void collect(std::vector<double>& values) override {
    if (taken_.empty()) throw Error(ErrorKind::internal, "batch_feed.collect", "nothing was fetched");
    Taken& first = *taken_.front();
    first.there.wait();
    values.assign(first.values, first.values + first.count);
    const bool refused = first.values[kScalars] != 0;  // not by what was started since
    spare_.push_back(std::move(taken_.front()));
    taken_.pop_front();
    if (refused) throw_faults();
  }

 private:
  /// New buffers are there once the compute stream has come so far: the copies wait for it.
  void make_room(const std::vector<Tensor>& batch) {
    MemoryScope tag(MemoryTag::data);
    bool grown = false;
    buffers_.resize(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (buffers_[i].defined() && buffers_[i].nbytes() >= batch[i].nbytes()) continue;
      if (!grown) sent_.hold(stream());  // a batch that was sent and never delivered
      grown = true;
      buffers_[i] = {};
      buffers_[i] = Tensor::empty({std::int64_t(batch[i].nbytes())}, DType::u8, kDevice);
    }
    if (grown) delivered_.record(stream());
  }

  std::vector<Tensor> buffers_;  ///< bytes, as many as the largest batch so far has
  Event sent_, delivered_;
  std::deque<std::unique_ptr<Taken>> taken_;    ///< fetched, oldest first
  std::vector<std::unique_ptr<Taken>> spare_;
};

}  // namespace

void install_batch_feed() {
  set_batch_feed(DeviceType::cuda, [] { return std::make_unique<CudaBatchFeed>(); });
}

}  // namespace tenon::cuda
