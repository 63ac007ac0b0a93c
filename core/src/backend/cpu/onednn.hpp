/// The few things every use of oneDNN here shares. Primitives are made for ONE thread and run inside our own
/// parallel loops over fixed tasks: that is what keeps results the same for any thread count.
#pragma once

#include <cstddef>
#include <oneapi/dnnl/dnnl.hpp>

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

}  // namespace tenon::cpu
