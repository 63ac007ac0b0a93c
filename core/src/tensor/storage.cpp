#include "tenon/storage.hpp"

#include <array>
#include <atomic>

#include "backend/backend.hpp"
#include "tensor/memory.hpp"
#include "tensor/recorder.hpp"
#include "tensor/write_clock.hpp"
#include "tenon/error.hpp"

namespace tenon {
namespace {

std::atomic<std::uint64_t> next_id{1};
std::array<std::unique_ptr<Allocator>, kDeviceTypes>& allocators() {
  static auto* all = new std::array<std::unique_ptr<Allocator>, kDeviceTypes>{};  // outlives every static tensor
  return *all;
}

}  // namespace

Allocator::~Allocator() = default;

Allocator& allocator(DeviceType type) {
  if (type == DeviceType::cpu) {
    static Allocator* cpu = [] {
      allocators()[0] = make_cpu_allocator();
      return allocators()[0].get();
    }();
    return *cpu;
  }
  list_cuda_devices();  // loads the backend on first use
  Allocator* a = allocators()[std::size_t(type)].get();
  if (!a) throw Error(ErrorKind::device, "device.not_available", "no usable CUDA device", "run `tenon devices` to see why, or use --device cpu");
  return *a;
}

void set_allocator(DeviceType type, std::unique_ptr<Allocator> a) { allocators()[std::size_t(type)] = std::move(a); }

Storage::Storage(std::size_t bytes, Device device) : bytes_(bytes), device_(device), id_(next_id++), tag_(MemoryScope::current()) {
  if (Recorder* r = Recorder::current()) {
    traced_ = true;
    r->on_create(id_, bytes, tag_, device);
    return;
  }
  data_ = allocator(device.type).allocate(bytes, device.index);
  count_memory(device.type, tag_, bytes);
}

Storage::Storage(void* data, std::size_t bytes, std::function<void()> release, Device device)
    : data_(data), bytes_(bytes), device_(device), id_(next_id++), release_(std::move(release)) {}

Storage::~Storage() {
  if (release_) {
    release_();
  } else if (data_) {
    allocator(device_.type).deallocate(data_, bytes_, device_.index);
    uncount_memory(device_.type, tag_, bytes_);
  }
}

void Storage::materialise() {
  if (data_ || !traced_) return;
  data_ = allocator(device_.type).allocate(bytes_, device_.index);
  count_memory(device_.type, tag_, bytes_);
  traced_ = false;
}

void Storage::note_write(const char* by) noexcept {
  written_.store(write_clock().load(std::memory_order_relaxed), std::memory_order_relaxed);
  writer_.store(by, std::memory_order_relaxed);
}

}  // namespace tenon
