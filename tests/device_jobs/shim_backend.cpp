// The shim as a backend that the command loads: a libtenon_cuda.so whose device is the CPU, and whose memory the host cannot touch.
#include "backend/backend.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"

extern "C" tenon::CudaBackend tenon_cuda_backend;

namespace {

/// Takes the backend out of the archive.
[[gnu::used]] tenon::CudaBackend* const kept = &tenon_cuda_backend;
[[gnu::used]] const bool closed = (tenon::cuda::on_cpu::close_to_host(), true);

}  // namespace
