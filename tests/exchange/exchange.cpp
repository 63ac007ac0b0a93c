// What check.py calls by ctypes: tensors handed over by DLPack, and archives read and written.
#include <memory>
#include <string>

#include "core/io/wide_archive.hpp"
#include "tenon/dlpack.hpp"
#include "tenon/error.hpp"
#include "tenon/io/npz.hpp"
#include "tenon/ops.hpp"

#define EXCHANGE extern "C" __attribute__((visibility("default")))

using namespace tenon;

namespace {

int released = 0;  // buffers of ours that are gone
std::string last_error;
Tensor kept;  // what was taken over

Tensor ours(int type) {
  auto* memory = new std::vector<double>(24);
  for (std::size_t i = 0; i < 24; ++i) (*memory)[i] = double(i);
  const Tensor x = Tensor::wrap(memory->data(), {2, 3, 4}, DType::f64, [memory] {
    delete memory;
    ++released;
  });
  return type == int(DType::f64) ? x.transpose(0, 2) : x.to(DType(type)).transpose(0, 2);
}

template <class Managed>
int take(Managed* managed) {
  try {
    kept = from_dlpack(managed);
    return 0;
  } catch (const Error& error) {
    last_error = error.code();
    return 1;
  }
}

}  // namespace

// [4, 3, 2]: element (i, j, k) is 12 k + 4 j + i, with the strides of a transposed tensor
EXCHANGE DLManagedTensor* exchange_give(int type) {
  return to_dlpack(ours(type));
}
EXCHANGE DLManagedTensorVersioned* exchange_give_versioned(int type, int read_only) {
  return to_dlpack_versioned(ours(type), read_only != 0);
}
EXCHANGE int exchange_released() {
  return released;
}
EXCHANGE int exchange_take(DLManagedTensor* managed) {
  return take(managed);
}
EXCHANGE int exchange_take_versioned(DLManagedTensorVersioned* managed) {
  return take(managed);
}
EXCHANGE const char* exchange_error() {
  return last_error.c_str();
}
EXCHANGE const void* exchange_address() {
  return kept.raw();
}
/// sum of (row-major position + 1) * value: wrong when strides are
EXCHANGE double exchange_checksum() {
  double total = 0;
  const auto values = kept.to_vector();
  for (std::size_t i = 0; i < values.size(); ++i) total += double(i + 1) * values[i];
  return total;
}
EXCHANGE void exchange_add_one() {
  kept.assign(kept.to(DType::f64) + 1.0);
}
EXCHANGE void exchange_drop() {
  kept = Tensor();
}

/// The arrays of one archive into another; wide: every number in ZIP64.
EXCHANGE int exchange_copy_npz(const char* from, const char* to, int deflated, int wide) {
  try {
    save_npz(to, load_npz(from), deflated ? NpzCompression::deflated : NpzCompression::stored);
    if (wide) save_wide(to, to);
    return 0;
  } catch (const Error& error) {
    last_error = error.what();
    return 1;
  }
}
