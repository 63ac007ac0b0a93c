#include "backend/cpu/onednn.hpp"

#include <omp.h>

#include <cstdlib>
#include <new>
#include <utility>

namespace tenon::cpu {

const dnnl::engine& onednn_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& onednn_stream() {
  thread_local dnnl::stream stream(onednn_engine());
  return stream;
}

OneThread::OneThread() : before_(omp_get_max_threads()) {
  omp_set_num_threads(1);
}
OneThread::~OneThread() {
  omp_set_num_threads(before_);
}

void* thread_scratch(std::size_t bytes) {
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  thread_local std::unique_ptr<void, Free> memory;
  thread_local std::size_t size = 0;
  if (bytes > size) {
    std::size_t rounded = (bytes + 4095) & ~std::size_t(4095);
    memory.reset();
    size = 0;
    memory.reset(std::aligned_alloc(64, rounded));
    if (!memory) throw std::bad_alloc();
    size = rounded;
  }
  return memory.get();
}

dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

LibraryCall::LibraryCall(dnnl::primitive primitive, std::vector<Argument> arguments, const dnnl::memory::desc& scratchpad)
    : primitive_(std::move(primitive)), arguments_(std::move(arguments)), scratch_bytes_(scratchpad.get_size()) {
  arguments_.push_back({DNNL_ARG_SCRATCHPAD, scratchpad});
}

std::unique_ptr<LibraryCall::Bound> LibraryCall::bind() const {
  auto bound = std::make_unique<Bound>();
  for (const Argument& a : arguments_) {
    bound->memories.push_back(dnnl::memory(a.desc, onednn_engine(), DNNL_MEMORY_NONE));
    bound->arguments.push_back({a.name, bound->memories.back().get()});
  }
  bound->addresses.resize(arguments_.size());
  return bound;
}

void LibraryCall::run(std::span<void* const> addresses) const {
  std::unique_ptr<Bound> bound;
  {
    std::lock_guard lock(idle_->mutex);
    if (!idle_->list.empty()) {
      bound = std::move(idle_->list.back());
      idle_->list.pop_back();
    }
  }
  if (!bound) bound = bind();
  void* scratch = thread_scratch(scratch_bytes_);
  for (std::size_t i = 0; i < arguments_.size(); ++i) {
    void* to = i < addresses.size() ? addresses[i] : scratch;
    if (std::exchange(bound->addresses[i], to) != to) bound->memories[i].set_data_handle(to);
  }
  dnnl::error::wrap_c_api(dnnl_primitive_execute(primitive_.get(), onednn_stream().get(), int(bound->arguments.size()), bound->arguments.data()),
                          "could not execute a primitive");
  std::lock_guard lock(idle_->mutex);
  idle_->list.push_back(std::move(bound));
}

}  // namespace tenon::cpu
