#include "tenon/dlpack.hpp"

#include <catch2/catch.hpp>

#include "faulty_files.hpp"
#include "io/dlpack_abi.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"
#include "tenon/storage.hpp"

using namespace tenon;
using Catch::Contains;

namespace {

/// Memory of another library: counts the calls of its deleter.
struct Foreign {
  std::vector<double> memory = std::vector<double>(24);
  std::vector<std::int64_t> shape{2, 3}, strides{3, 1};
  int deleted = 0;
  DLManagedTensor managed{};
  DLManagedTensorVersioned versioned{};
  Foreign() {
    for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = double(i);
    fill(managed.dl_tensor);
    managed.manager_ctx = versioned.manager_ctx = this;
    managed.deleter = [](DLManagedTensor* self) { ++static_cast<Foreign*>(self->manager_ctx)->deleted; };
    fill(versioned.dl_tensor);
    versioned.version = {1, 7};
    versioned.deleter = [](DLManagedTensorVersioned* self) { ++static_cast<Foreign*>(self->manager_ctx)->deleted; };
  }
  void fill(DLTensor& t) {
    t.data = memory.data();
    t.device = {kDlCpu, 0};
    t.ndim = std::int32_t(shape.size());
    t.dtype = {2, 64, 1};
    t.shape = shape.data();
    t.strides = strides.data();
  }
};

/// The code that from_dlpack throws after `change`; the deleter must have been called once.
std::string refused(const std::function<void(Foreign&, DLTensor&)>& change) {
  Foreign foreign;
  change(foreign, foreign.managed.dl_tensor);
  const std::string code = code_of([&] { from_dlpack(&foreign.managed); });
  CHECK(foreign.deleted == 1);
  return code;
}

}  // namespace

TEST_CASE("DLPack shares memory, strides and all, and deletes once", "[io][dlpack]") {
  Foreign foreign;
  foreign.managed.dl_tensor.byte_offset = 16;
  foreign.strides = {1, 4};
  {
    Tensor x = from_dlpack(&foreign.managed);
    CHECK(x.shape() == Shape{2, 3});
    CHECK(x.strides() == Shape{1, 4});
    CHECK(x.to_vector() == std::vector<double>{2, 6, 10, 3, 7, 11});
    CHECK(x.data<double>() == foreign.memory.data() + 2);
    CHECK(sum(x).item() == 39);
    const Tensor view = x.narrow(1, 1, 2);
    x = Tensor();
    CHECK(foreign.deleted == 0);
    foreign.memory[6] = 60;  // seen through the view
    CHECK(view.to_vector() == std::vector<double>{60, 10, 7, 11});
  }
  CHECK(foreign.deleted == 1);
}

TEST_CASE("a tensor goes out and comes back with its type, shape and place", "[io][dlpack]") {
  for (DType t :
       {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i8, DType::i16, DType::i32, DType::i64, DType::u8, DType::boolean}) {
    Tensor x = Tensor::arange(24, DType::i64).to(t).reshape({2, 3, 4});
    for (const Tensor& given :
         {x, x.transpose(0, 2), x.narrow(2, 1, 2), x.select(0, 1), x.unsqueeze(0).expand({5, 2, 3, 4}), x.reshape({24}).select(0, 3)}) {
      const Tensor plain = from_dlpack(to_dlpack(given)), versioned = from_dlpack(to_dlpack_versioned(given));
      for (const Tensor& back : {plain, versioned}) {
        CHECK(back.dtype() == t);
        CHECK(back.shape() == given.shape());
        CHECK(back.raw() == given.raw());
        CHECK(back.to_vector() == given.to_vector());
      }
    }
  }
  for (DType t : {DType::c64, DType::c128}) {
    const Tensor z = Tensor::zeros({2, 3}, t), back = from_dlpack(to_dlpack(z.transpose(0, 1)));
    CHECK(back.dtype() == t);
    CHECK(back.shape() == Shape{3, 2});
    CHECK(back.raw() == z.raw());
  }
  const Tensor empty = from_dlpack(to_dlpack(Tensor::zeros({0, 3})));
  CHECK(empty.shape() == Shape{0, 3});
  CHECK(empty.numel() == 0);
}

TEST_CASE("what went out keeps the buffer alive until its deleter is called", "[io][dlpack]") {
  int released = 0;
  std::vector<float> host{1, 2, 3};
  Tensor x = Tensor::wrap(host.data(), {3}, DType::f32, [&] { ++released; });
  DLManagedTensor* one = to_dlpack(x);
  DLManagedTensorVersioned* two = to_dlpack_versioned(x, true);
  CHECK(two->flags == kDlReadOnly);
  CHECK(two->version.major == 1);
  CHECK(one->dl_tensor.strides[0] == 1);
  x = Tensor();
  one->deleter(one);
  CHECK(released == 0);
  two->deleter(two);
  CHECK(released == 1);
}

TEST_CASE("read-only data is refused unless it is asked for", "[io][dlpack]") {
  Foreign foreign;
  foreign.versioned.flags = kDlReadOnly;
  CHECK(code_of([&] { from_dlpack(&foreign.versioned); }) == "dlpack.read_only");
  CHECK(foreign.deleted == 1);
  CHECK(from_dlpack(&foreign.versioned, true).to_vector()[5] == 5);
  CHECK(foreign.deleted == 2);
  foreign.versioned.version = {2, 0};
  CHECK(code_of([&] { from_dlpack(&foreign.versioned, true); }) == "dlpack.version");
  CHECK(foreign.deleted == 3);
}

TEST_CASE("what a tensor cannot be is refused, and deleted", "[io][dlpack]") {
  using F = Foreign&;
  using T = DLTensor&;
  CHECK(refused([](F, T) {}).empty());
  CHECK(refused([](F, T t) { t.strides = nullptr; }).empty());
  CHECK(refused([](F, T t) { t.dtype = {1, 16, 1}; }) == "dlpack.dtype");
  CHECK(refused([](F, T t) { t.dtype = {2, 8, 1}; }) == "dlpack.dtype");
  CHECK(refused([](F, T t) { t.dtype = {2, 32, 4}; }) == "dlpack.dtype");
  CHECK(refused([](F, T t) { t.device = {10, 0}; }) == "dlpack.device");
  CHECK(refused([](F, T t) { t.ndim = 9; }) == "dlpack.shape");
  CHECK(refused([](F, T t) { t.ndim = -1; }) == "dlpack.shape");
  CHECK(refused([](F, T t) { t.shape = nullptr; }) == "dlpack.shape");
  CHECK(refused([](F f, T) { f.shape[0] = -2; }) == "dlpack.shape");
  CHECK(refused([](F f, T) {
          f.shape = {std::int64_t(1) << 40, std::int64_t(1) << 40};
          f.managed.dl_tensor.shape = f.shape.data();
        }) == "dlpack.shape");
  CHECK(refused([](F f, T) { f.strides[1] = -1; }) == "dlpack.strides");
  CHECK(refused([](F f, T) { f.strides[0] = std::int64_t(1) << 61; }) == "dlpack.strides");
  CHECK(refused([](F, T t) { t.data = nullptr; }) == "dlpack.data");
  CHECK(refused([](F, T t) { t.byte_offset = 4; }) == "dlpack.alignment");
}

TEST_CASE("a bool tensor with bytes other than 0 and 1 is refused", "[io][dlpack]") {
  std::vector<std::uint8_t> bytes{0, 1, 1, 0, 1, 2, 0, 255};
  auto take = [&](std::int64_t columns, std::int64_t stride) {
    Foreign foreign;
    foreign.shape = {2, columns};
    foreign.strides = {4, stride};
    DLTensor& t = foreign.managed.dl_tensor;
    t.data = bytes.data();
    t.dtype = {6, 8, 1};
    Tensor taken;
    const std::string code = code_of([&] { taken = from_dlpack(&foreign.managed); });
    CHECK((code.empty() ? taken.dtype() == DType::boolean : !taken.defined()));
    taken = {};
    CHECK(foreign.deleted == 1);
    return code;
  };
  CHECK(take(4, 1) == "dlpack.bool");
  CHECK(take(2, 1) == "dlpack.bool");
  CHECK(take(2, 2).empty());  // columns 0 and 2: what lies between plays no part
  bytes[5] = bytes[7] = 1;
  CHECK(take(4, 1).empty());
}

TEST_CASE("to_dlpack says what is wrong", "[io][dlpack][misuse]") {
  CHECK_THROWS_WITH(to_dlpack(Tensor()), Contains("to_dlpack: the tensor is undefined"));
  CHECK_THROWS_WITH(from_dlpack(static_cast<DLManagedTensor*>(nullptr)), Contains("no managed tensor"));
  Tensor x = Tensor::zeros({2});
  CHECK_THROWS_WITH(StepPlan::record([&] { to_dlpack(x * 2.0); }), Contains("recorded step"));
}

TEST_CASE("what two imports of the same memory copy to one another may overlap", "[io][dlpack]") {
  Foreign a;
  a.shape = {5};
  a.strides = {1};
  a.fill(a.managed.dl_tensor), a.fill(a.versioned.dl_tensor);
  a.managed.dl_tensor.ndim = a.versioned.dl_tensor.ndim = 1;
  a.managed.dl_tensor.byte_offset = sizeof(double);
  const Tensor later = from_dlpack(&a.managed), first = from_dlpack(&a.versioned);
  later.assign(first);
  CHECK(std::vector<double>(a.memory.begin(), a.memory.begin() + 6) == std::vector<double>{0, 0, 1, 2, 3, 4});
}

TEST_CASE("a tensor that comes home keeps its marks of writes", "[io][dlpack]") {
  Tensor w = Tensor::full({2}, 3);
  w.set_requires_grad();
  const Tensor home = from_dlpack(to_dlpack(w));
  const Tensor y = sum(w * w);
  home.fill(9);
  CHECK_THROWS_WITH(y.backward(), Contains("Tensor::fill"));
}
