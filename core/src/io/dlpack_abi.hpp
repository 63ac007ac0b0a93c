/// The structures of DLPack 1.0, written from its specification (private). Layout is the contract: change nothing.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

struct DLPackVersion {
  std::uint32_t major, minor;
};

struct DLDevice {
  std::int32_t device_type;  ///< 1: CPU, 2: CUDA, 3: CUDA's pinned host memory
  std::int32_t device_id;
};

struct DLDataType {
  std::uint8_t code;  ///< 0 int, 1 unsigned, 2 IEEE float, 4 bfloat, 5 complex, 6 bool
  std::uint8_t bits;
  std::uint16_t lanes;
};

struct DLTensor {
  void* data;
  DLDevice device;
  std::int32_t ndim;
  DLDataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;  ///< in elements; null: dense, row major
  std::uint64_t byte_offset;
};

struct DLManagedTensor {
  DLTensor dl_tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor* self);
};

struct DLManagedTensorVersioned {
  DLPackVersion version;
  void* manager_ctx;
  void (*deleter)(DLManagedTensorVersioned* self);
  std::uint64_t flags;  ///< bit 0: read only; bit 1: a copy
  DLTensor dl_tensor;
};

}  // extern "C"

static_assert(sizeof(void*) != 8 || (sizeof(DLTensor) == 48 && offsetof(DLTensor, shape) == 24 && offsetof(DLTensor, byte_offset) == 40));
static_assert(sizeof(void*) != 8 || (sizeof(DLManagedTensor) == 64 && sizeof(DLManagedTensorVersioned) == 80));

inline constexpr std::int32_t kDlCpu = 1, kDlCuda = 2, kDlCudaHost = 3;
inline constexpr std::uint64_t kDlReadOnly = 1;
