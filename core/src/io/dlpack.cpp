#include "tenon/dlpack.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>

#include "io/dlpack_abi.hpp"
#include "tenon/error.hpp"
#include "tenon/plan.hpp"
#include "tenon/storage.hpp"

namespace tenon {
namespace {

struct TypeCode {
  DType dtype;
  std::uint8_t code, bits;
};
constexpr TypeCode kTypes[] = {{DType::f32, 2, 32}, {DType::f64, 2, 64}, {DType::f16, 2, 16}, {DType::bf16, 4, 16}, {DType::i8, 0, 8},
                               {DType::i16, 0, 16}, {DType::i32, 0, 32}, {DType::i64, 0, 64}, {DType::u8, 1, 8},    {DType::boolean, 6, 8},
                               {DType::c64, 5, 64}, {DType::c128, 5, 128}};

/// What a managed tensor points into: the sizes and the tensor that keeps the buffer alive.
template <class Managed>
struct Holder {
  Managed managed{};
  Tensor tensor;
  Shape shape, strides;
};

template <class Managed>
void give_back(Managed* self) {
  delete static_cast<Holder<Managed>*>(self->manager_ctx);
}

template <class Managed>
std::unique_ptr<Holder<Managed>> hold(const char* op, const Tensor& tensor) {
  if (!tensor.defined()) throw_usage(op, "the tensor is undefined");
  if (is_recording()) throw_usage(op, "a tensor of a recorded step has no memory of its own", "hand it over after StepPlan::run");
  auto holder = std::make_unique<Holder<Managed>>();
  holder->tensor = tensor.detach();
  holder->shape = tensor.shape();
  holder->strides = tensor.strides();
  DLTensor& out = holder->managed.dl_tensor;
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeCode& t) { return t.dtype == tensor.dtype(); });
  if (type == std::end(kTypes)) throw_usage(op, std::string(name_of(tensor.dtype())) + " has no DLPack type");
  out.data = tensor.raw();
  out.device = {tensor.device().type == DeviceType::cpu ? kDlCpu : kDlCuda, tensor.device().index};
  out.ndim = tensor.rank();
  out.dtype = {type->code, type->bits, 1};
  out.shape = tensor.rank() ? &holder->shape[0] : nullptr;
  out.strides = tensor.rank() ? &holder->strides[0] : nullptr;
  holder->managed.manager_ctx = holder.get();
  holder->managed.deleter = &give_back<Managed>;
  return holder;
}

[[noreturn]] void refuse(const char* code, const std::string& what, const std::string& hint = {}) {
  throw Error(ErrorKind::data, std::string("dlpack.") + code, "from_dlpack: " + what, hint);
}

DType dtype_from(const DLDataType& type) {
  for (const TypeCode& t : kTypes)
    if (t.code == type.code && t.bits == type.bits && type.lanes == 1) return t.dtype;
  refuse("dtype",
         "element type of code " + std::to_string(type.code) + ", " + std::to_string(type.bits) + " bits, " + std::to_string(type.lanes) +
             " lanes",
         "convert before handing it over; types: floats of 16, 32 and 64 bits, bfloat16, complex of 64 and 128 bits, signed integers, unsigned 8 bits, bool");
}

Device device_from(const DLDevice& device) {
  if (device.device_type == kDlCpu || device.device_type == kDlCudaHost) return kCpu;
  if (device.device_type == kDlCuda) return {DeviceType::cuda, device.device_id};
  refuse("device", "device type " + std::to_string(device.device_type), "copy it to the CPU or a CUDA device first");
}

/// Checked sizes and strides, and how many bytes of memory they reach over.
struct Extent {
  Shape shape, strides;
  std::uint64_t bytes = 0;
};

Extent extent_of(const DLTensor& in, DType dtype) {
  if (in.ndim < 0 || in.ndim > kMaxRank) refuse("shape", std::to_string(in.ndim) + " axes, more than " + std::to_string(kMaxRank));
  if (in.ndim > 0 && !in.shape) refuse("shape", std::to_string(in.ndim) + " axes without sizes");
  constexpr auto limit = std::uint64_t(std::numeric_limits<std::int64_t>::max());
  Extent e;
  bool empty = false;
  for (int i = 0; i < in.ndim; ++i) {
    if (in.shape[i] < 0) refuse("shape", "size " + std::to_string(in.shape[i]) + " of axis " + std::to_string(i));
    e.shape.push_back(in.shape[i]);
    empty |= in.shape[i] == 0;
  }
  if (empty) {
    e.strides = e.shape;
    for (int i = 0; i < in.ndim; ++i) e.strides[i] = 0;
    return e;
  }
  std::uint64_t count = 1, last = 0;  // elements; place of the last one
  for (std::int64_t n : e.shape)
    if (__builtin_mul_overflow(count, std::uint64_t(n), &count) || count > limit / size_of(dtype))
      refuse("shape", e.shape.str() + " does not fit an address space");
  e.strides = e.shape.contiguous_strides();
  for (int i = 0; in.strides && i < in.ndim; ++i) {
    if (in.strides[i] < 0 && e.shape[i] > 1)
      refuse("strides", "stride " + std::to_string(in.strides[i]) + " of axis " + std::to_string(i), "make it dense first");
    e.strides[i] = std::max<std::int64_t>(in.strides[i], 0);
  }
  for (int i = 0; i < in.ndim; ++i) {
    std::uint64_t reach = 0;
    if (__builtin_mul_overflow(std::uint64_t(e.shape[i] - 1), std::uint64_t(e.strides[i]), &reach) ||
        __builtin_add_overflow(last, reach, &last) || last >= limit / size_of(dtype))
      refuse("strides", "stride " + std::to_string(e.strides[i]) + " of axis " + std::to_string(i) + " leaves the address space");
  }
  e.bytes = (last + 1) * size_of(dtype);
  return e;
}

/// A bool is a byte 0 or 1: kernels count on it. Reads every element.
void require_truth_values(const std::uint8_t* data, const Extent& e) {
  const std::int64_t n = e.shape.numel();
  const auto refuse_at = [](std::int64_t element, int byte) {
    refuse("bool", "element " + std::to_string(element) + " of a bool tensor is the byte " + std::to_string(byte) + ", neither 0 nor 1",
           "hand it over as unsigned 8 bits and compare it with 0");
  };
  if (e.strides == e.shape.contiguous_strides()) {
    std::uint8_t seen = 0;
    for (std::int64_t i = 0; i < n; ++i) seen |= data[i];
    for (std::int64_t i = 0; seen > 1 && i < n; ++i)
      if (data[i] > 1) refuse_at(i, data[i]);
    return;
  }
  for (std::int64_t i = 0; i < n; ++i) {
    std::int64_t rest = i, at = 0;
    for (int a = e.shape.rank() - 1; a >= 0; rest /= e.shape[a], --a) at += rest % e.shape[a] * e.strides[a];
    if (data[at] > 1) refuse_at(i, data[at]);
  }
}

/// Calls the deleter, once, when the last copy of it is gone.
template <class Managed>
std::shared_ptr<Managed> own(Managed* managed) {
  if (!managed) throw_usage("from_dlpack", "no managed tensor given");
  return std::shared_ptr<Managed>(managed, [](Managed* m) {
    if (m->deleter) m->deleter(m);
  });
}

template <class Managed>
Tensor adopt(std::shared_ptr<Managed> owner) {
  const DLTensor& in = owner->dl_tensor;
  const DType dtype = dtype_from(in.dtype);
  const Device device = device_from(in.device);
  const Extent e = extent_of(in, dtype);
  if (e.bytes > 0 && !in.data) refuse("data", "no memory for " + e.shape.str());
  auto* data = in.data ? static_cast<std::byte*>(in.data) + in.byte_offset : nullptr;
  if (reinterpret_cast<std::uintptr_t>(data) % size_of(dtype) != 0)
    refuse("alignment", "the first element lies at an address that is no multiple of " + std::to_string(size_of(dtype)), "copy it first");
  if (dtype == DType::boolean && device == kCpu) require_truth_values(reinterpret_cast<const std::uint8_t*>(data), e);
  // What this library handed out comes home to its own buffer, whose marks of writes tell gradients of them.
  if (owner->deleter == &give_back<Managed>) {
    const Tensor& own = static_cast<const Holder<Managed>*>(owner->manager_ctx)->tensor;
    if (own.raw() == static_cast<void*>(data) && own.dtype() == dtype && own.shape() == e.shape && own.strides() == e.strides) return own;
  }
  // The storage reaches from the first element to the last one that the strides touch.
  const std::int64_t count = std::int64_t(e.bytes / size_of(dtype));
  const Tensor whole = Tensor::wrap(
      data, {count}, dtype, [keep = std::move(owner)]() mutable { keep.reset(); }, device);
  return whole.alias(e.shape, e.strides, 0);
}

}  // namespace

DLManagedTensor* to_dlpack(const Tensor& tensor) {
  return &hold<DLManagedTensor>("to_dlpack", tensor).release()->managed;
}

DLManagedTensorVersioned* to_dlpack_versioned(const Tensor& tensor, bool read_only) {
  auto holder = hold<DLManagedTensorVersioned>("to_dlpack_versioned", tensor);
  holder->managed.version = {1, 0};
  holder->managed.flags = read_only ? kDlReadOnly : 0;
  return &holder.release()->managed;
}

Tensor from_dlpack(DLManagedTensor* managed) {
  return adopt(own(managed));
}

Tensor from_dlpack(DLManagedTensorVersioned* managed, bool allow_read_only) {
  auto owner = own(managed);
  if (owner->version.major != 1)
    refuse("version", "version " + std::to_string(owner->version.major) + "." + std::to_string(owner->version.minor) + " is not 1.x");
  if (owner->flags & kDlReadOnly && !allow_read_only)
    refuse("read_only", "the data may not be written", "copy it first, or allow read-only data and do not write to it");
  return adopt(std::move(owner));
}

}  // namespace tenon
