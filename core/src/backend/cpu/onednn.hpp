/// The few things every use of oneDNN here shares. Primitives are made for ONE thread and run inside our own
/// parallel loops over fixed tasks: that is what keeps results the same for any thread count.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <span>
#include <vector>

namespace tenon::cpu {

const dnnl::engine& onednn_engine();
dnnl::stream& onednn_stream();  ///< this thread's

/// While alive, oneDNN on this thread sees one OpenMP thread, and so makes single-threaded primitives.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

/// This thread's scratch memory, 64-byte aligned, at least `bytes` long; it grows and is then kept, so a repeated step
/// allocates nothing. Valid until the next call on this thread.
void* thread_scratch(std::size_t bytes);

/// Scratchpad supplied by us.
dnnl::primitive_attr user_scratchpad();

/// A primitive with its arguments bound once: a run sets their addresses and takes no memory of ours, once as many runs
/// have gone on side by side as ever will. May run on several threads at once.
class LibraryCall {
 public:
  struct Argument {
    int name;  ///< DNNL_ARG_...
    dnnl::memory::desc desc;
  };

  /// `arguments` without the scratchpad, which is this thread's in each run.
  LibraryCall(dnnl::primitive primitive, std::vector<Argument> arguments, const dnnl::memory::desc& scratchpad);

  /// `addresses`: one for each argument, in their order. Throws dnnl::error.
  void run(std::span<void* const> addresses) const;

 private:
  struct Bound {
    std::vector<dnnl::memory> memories;
    std::vector<dnnl_exec_arg_t> arguments;
    std::vector<void*> addresses;
  };
  /// What is not running at the moment. Behind a pointer, so that a call can be moved.
  struct Idle {
    std::mutex mutex;
    std::vector<std::unique_ptr<Bound>> list;
  };

  std::unique_ptr<Bound> bind() const;

  dnnl::primitive primitive_;
  std::vector<Argument> arguments_;
  std::size_t scratch_bytes_;
  std::unique_ptr<Idle> idle_ = std::make_unique<Idle>();
};

}  // namespace tenon::cpu
