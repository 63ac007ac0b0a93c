#include "tenon/tensor.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <limits>
#include <utility>

#include "ops/check.hpp"
#include "ops/convert.hpp"
#include "ops/copy.hpp"
#include "ops/dispatch.hpp"
#include "autograd/backward_scope.hpp"
#include "tensor/recorder.hpp"
#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/plan.hpp"
#include "tenon/storage.hpp"

namespace tenon {

namespace {

std::size_t checked_bytes(const char* op, const Shape& shape, DType dtype) {
  for (std::int64_t s : shape)
    if (s < 0) throw_usage(op, "negative size in " + shape.str());
  std::int64_t n = shape.numel();
  if (n > std::numeric_limits<std::int64_t>::max() / std::int64_t(size_of(dtype)))
    throw_usage(op, shape.str() + " of " + std::string(name_of(dtype)) + " does not fit an address space");
  return std::size_t(n) * size_of(dtype);
}

}  // namespace

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  const std::size_t bytes = checked_bytes("Tensor::empty", shape, dtype);
  Tensor t;
  t.shape_ = shape;
  t.strides_ = shape.contiguous_strides();
  t.dtype_ = dtype;
  t.storage_ = std::make_shared<Storage>(bytes, device);
  if (Recorder* r = Recorder::current()) r->adopt(t.storage_);
  return t;
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype, Device device) {
  Tensor t = empty(shape, dtype, device);
  t.fill(value);
  return t;
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) { return full(shape, 0, dtype, device); }

namespace {

/// What is written in place would still be differentiated as the result of the op that made it.
void refuse_history(const char* op, const Tensor& t) {
  if (t.autograd() && t.autograd()->node && wants_grad({t}))
    throw_usage(op, t.str() + " is the result of a differentiable op, whose history would not know of the write", "detach() it, or write under NoGrad");
}

}  // namespace

Tensor Tensor::arange(std::int64_t n, DType dtype) {
  if (n < 0) throw_usage("Tensor::arange", "negative length " + std::to_string(n));
  checked_bytes("Tensor::arange", {n}, DType::i64);
  if (!is_floating(dtype) && !is_complex(dtype) && n > 0) {
    const int bits = dtype == DType::boolean ? 1 : dtype == DType::u8 ? 8 : int(8 * size_of(dtype)) - 1;
    if (bits < 63 && n - 1 >= std::int64_t(1) << bits) throw_usage("Tensor::arange", std::to_string(n - 1) + " does not fit " + std::string(name_of(dtype)), "take a wider type");
  }
  return within_memory("Tensor::arange", [&] {
    std::vector<std::int64_t> values(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) values[std::size_t(i)] = i;
    return from(values, {n}).to(dtype);
  });
}

Tensor Tensor::wrap(void* data, const Shape& shape, DType dtype, std::function<void()> release, Device device) {
  const std::size_t bytes = checked_bytes("Tensor::wrap", shape, dtype);
  if (!data && bytes) throw_usage("Tensor::wrap", "no memory given for " + std::string(name_of(dtype)) + shape.str());
  Tensor t;
  t.shape_ = shape;
  t.strides_ = shape.contiguous_strides();
  t.dtype_ = dtype;
  if (!release) release = [] {};
  t.storage_ = std::make_shared<Storage>(data, bytes, std::move(release), device);
  return t;
}

Device Tensor::device() const noexcept { return storage_ ? storage_->device() : kCpu; }

bool Tensor::is_contiguous() const noexcept {
  for (std::int64_t s : shape_)
    if (s == 0) return true;
  std::int64_t step = 1;
  for (int i = rank() - 1; i >= 0; --i) {
    if (shape_[i] != 1 && strides_[i] != step) return false;
    step *= shape_[i];
  }
  return true;
}

namespace {

/// A tensor from before the step does hold values, but reading them would freeze them into every replay.
[[noreturn]] void refuse_while_recording(const char* op) {
  throw_usage(op, "values are not known while a step is being recorded", "read them after StepPlan::run, or compute with ops");
}

}  // namespace

void* Tensor::raw() const {
  if (!storage_) throw_usage("Tensor::data", "the tensor is undefined");
  if (!storage_->data() && storage_->bytes()) {
    if (is_recording()) refuse_while_recording("Tensor::data");
    throw_usage("Tensor::data", "the tensor " + str() + " was made in a recorded step that did not finish", "compute it again");
  }
  if (storage_->awaits_run()) throw_usage("Tensor::data", "the tensor " + str() + " is the result of a recorded step that has not run yet", "call StepPlan::run first");
  return static_cast<std::byte*>(storage_->data()) + std::size_t(offset_) * size_of(dtype_);
}

void* Tensor::checked_data(DType asked) const {
  if (asked != dtype_) throw_usage("Tensor::data", "asked for " + std::string(name_of(asked)) + " of " + str());
  if (is_recording()) refuse_while_recording("Tensor::data");
  if (device().type != DeviceType::cpu) throw_usage("Tensor::data", "the tensor " + str() + " is not in the CPU's memory", "copy it with .to(kCpu)");
  return raw();
}

void Tensor::require_dense_cpu() const {
  if (device().type != DeviceType::cpu) throw_usage("Tensor::span", "the tensor is on " + device().str(), "copy it with .to(kCpu)");
  if (!is_contiguous()) throw_usage("Tensor::span", "the tensor " + str() + " is a strided view", "call .contiguous() first");
}

double Tensor::item() const {
  if (!defined() || numel() != 1) throw_usage("Tensor::item", "expected one element, got " + str());
  if (is_recording()) refuse_while_recording("Tensor::item");
  if (is_complex(dtype_)) throw_usage("Tensor::item", str() + " is complex", "take real(z) or imag(z)");
  require_unwritten(*this);
  std::array<std::byte, 8> bytes{};  // no tensor is made: losses are read after every step
  allocator(device().type).copy(bytes.data(), kCpu, raw(), device(), size_of(dtype_));
  return dispatch_all(dtype_, [&](auto tag) {
    typename decltype(tag)::type value;
    std::memcpy(static_cast<void*>(&value), bytes.data(), sizeof value);
    return convert<double>(value);
  });
}

std::vector<double> Tensor::to_vector() const {
  if (!defined()) throw_usage("Tensor::to_vector", "the tensor is undefined");
  if (is_recording()) refuse_while_recording("Tensor::to_vector");
  require_unwritten(*this);
  NoGrad no_grad;
  Tensor t = to(kCpu).contiguous().to(DType::f64);
  auto values = t.span<double>();
  return {values.begin(), values.end()};
}

std::string Tensor::str() const {
  if (!defined()) return "undefined";
  return std::string(name_of(dtype_)) + shape_.str() + " " + device().str();
}

Tensor Tensor::alias(const Shape& shape, const Shape& strides, std::int64_t offset) const { return alias(shape, strides, offset, dtype_); }

Tensor Tensor::alias(const Shape& shape, const Shape& strides, std::int64_t offset, DType dtype) const {
  Tensor t;
  t.storage_ = storage_;
  t.shape_ = shape;
  t.strides_ = strides;
  t.offset_ = offset;
  t.dtype_ = dtype;
  return t;
}

void Tensor::copy_from_host(const void* data, std::size_t bytes) const {
  if (!is_contiguous() || bytes != nbytes()) throw_usage("Tensor::copy_from_host", std::to_string(bytes) + " bytes given for " + str() + " of " + std::to_string(nbytes()));
  if (Recorder* r = Recorder::current()) {  // a constant of the step: it gets its memory now
    storage_->materialise();
    r->hold(storage_);
  }
  if (storage_) storage_->note_write("Tensor::copy_from_host");
  if (bytes) allocator(device().type).copy(raw(), device(), data, kCpu, bytes);
}

void Tensor::copy_to_host(void* data, std::size_t bytes) const {
  if (!is_contiguous() || bytes != nbytes()) throw_usage("Tensor::copy_to_host", std::to_string(bytes) + " bytes asked of " + str() + " of " + std::to_string(nbytes()));
  if (is_recording()) refuse_while_recording("Tensor::copy_to_host");
  require_unwritten(*this);
  if (bytes) allocator(device().type).copy(data, kCpu, raw(), device(), bytes);
}

Tensor Tensor::to(Device device) const {
  if (device == this->device()) return *this;
  Tensor dense = contiguous(), out = empty(shape_, dtype_, device);
  if (is_recording()) throw_usage("Tensor::to", "a recorded step cannot move tensors between devices", "move inputs before the step");
  Device from = this->device();
  require_unwritten(dense);
  allocator(device.type == DeviceType::cpu ? from.type : device.type).copy(out.raw(), device, dense.raw(), from, nbytes());
  out.storage()->note_write("to");
  return differentiable("to", out, {*this}, [from](const std::vector<Tensor>& d) { return std::vector{d[0].to(from)}; });
}

namespace {

/// Whether two buffers meet in memory: one storage, or several over the same addresses (wrap, DLPack).
bool share_memory(const Storage& a, const Storage& b) {
  if (&a == &b) return true;
  if (a.device() != b.device() || !a.data() || !b.data()) return false;
  const auto first = reinterpret_cast<std::uintptr_t>(a.data()), second = reinterpret_cast<std::uintptr_t>(b.data());
  return first < second + b.bytes() && second < first + a.bytes();
}

/// Whether each axis steps over all that the finer ones reach, so that no place belongs to two elements. True for every view made here;
/// strides from elsewhere (DLPack) may be anything.
bool elements_apart(const Shape& shape, const Shape& strides) {
  std::array<std::pair<std::int64_t, std::int64_t>, kMaxRank> axes;  // stride, size
  std::size_t n = 0;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == 0) return true;
    if (shape[i] > 1) axes[n++] = {strides[i], shape[i]};
  }
  for (auto next = axes.begin(); next != axes.begin() + std::ptrdiff_t(n); ++next)  // a handful: by insertion
    std::rotate(std::upper_bound(axes.begin(), next, *next), next, next + 1);
  std::int64_t reach = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (axes[i].first <= reach) return false;
    reach += (axes[i].second - 1) * axes[i].first;
  }
  return true;
}

}  // namespace

void Tensor::assign(const Tensor& source) const {
  if (!defined() || !source.defined() || !(source.shape() == shape_)) throw_usage("Tensor::assign", "source " + source.str() + " does not fit " + str());
  refuse_history("Tensor::assign", *this);
  if (is_complex(source.dtype()) && !is_complex(dtype_)) throw_usage("Tensor::assign", "source " + source.str() + " does not become " + str(), "take real(z), imag(z) or abs(z)");
  for (int i = 0; i < rank(); ++i)
    if (strides_[i] == 0 && shape_[i] > 1) throw_usage("Tensor::assign", str() + " is an expanded view: several elements share one place", "clone() it first");
  if (!elements_apart(shape_, strides_))
    throw_usage("Tensor::assign", str() + " with strides " + strides_.str() + " is a view in which several elements may share one place", "clone() it first");
  NoGrad no_grad;
  if (share_memory(*source.storage(), *storage_)) {
    copy_strided(source.clone(), *this);  // the two may overlap
  } else if (source.device() != device()) {
    copy_strided(source.to(device()), *this);
  } else {
    copy_strided(source, *this);
  }
  storage_->note_write("Tensor::assign");  // a name that the caller knows
}

void Tensor::fill(double value) const {
  if (!defined()) throw_usage("Tensor::fill", "the tensor is undefined");
  refuse_history("Tensor::fill", *this);
  NoGrad no_grad;
  fill_strided(*this, value);
  storage_->note_write("Tensor::fill");
}

}  // namespace tenon
