/// DLPack: tensors handed to and taken from other libraries in the same process, without a copy
/// (https://dmlc.github.io/dlpack/latest/c_api.html, version 1.0).
///
/// The two structures are those of the specification's dlpack.h; this header only names them, so both may be included. Ownership: who takes
/// a managed tensor calls its deleter once, when done. to_dlpack keeps the buffer alive until then; a tensor made by from_dlpack calls the
/// deleter when the last tensor over it is gone, on whatever thread that is. What cannot be represented is refused (dlpack.*), never copied
/// in secret.
#pragma once

#include "tenon/export.hpp"
#include "tenon/tensor.hpp"

extern "C" {
struct DLManagedTensor;           ///< of versions before 1.0: no version, no read-only flag
struct DLManagedTensorVersioned;  ///< of version 1
}

namespace tenon {

/// Any element type, any strides; on the CPU or a CUDA device. History is left behind. The data must not be written by one side while the
/// other reads it; on CUDA the default stream is the one in use. Throws a usage error for an undefined tensor and inside a recorded step.
TENON_API DLManagedTensor* to_dlpack(const Tensor& tensor);
/// The same with version 1.0; `read_only` sets the flag that forbids the taker to write.
TENON_API DLManagedTensorVersioned* to_dlpack_versioned(const Tensor& tensor, bool read_only = false);

/// Takes `managed` over, whether it succeeds or throws: after an error the deleter has been called. Refused: types that are not ours
/// (unsigned above 8 bits, 8-bit floats, vectors), other devices, more than 8 axes, negative strides, a first element that is not aligned
/// to its size.
TENON_API Tensor from_dlpack(DLManagedTensor* managed);
/// The same. Another major version is refused, and so is read-only data unless `allow_read_only`: then the caller promises not to write.
TENON_API Tensor from_dlpack(DLManagedTensorVersioned* managed, bool allow_read_only = false);

}  // namespace tenon
