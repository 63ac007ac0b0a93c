/// cuDNN as it was loaded, for those of its functions that its frontend does not have (private). Needs none of its headers.
#pragma once

#include <mutex>

struct cudnnContext;

namespace tenon::cuda {

/// One a process, on the backend's stream; for one thread at a time.
struct CudnnHandle {
  cudnnContext* handle = nullptr;  ///< null where there is no cuDNN, or no device for it
  std::mutex mutex;
};
CudnnHandle& cudnn_handle();

/// A function of the library by its name; null where there is no library, or none of that name in it.
void* cudnn_function(const char* name);

}  // namespace tenon::cuda
