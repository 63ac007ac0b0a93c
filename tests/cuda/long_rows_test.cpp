// Long rows: what a library sorts and adds up, what our own kernels do, and what the CPU does are the same bits.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "cuda/device.hpp"
#include "ops/ordering_kernels.hpp"
#include "tenon/cumulative.hpp"
#include "tenon/error.hpp"
#include "tenon/indexing.hpp"
#include "tenon/ops.hpp"
#include "tenon/ordering.hpp"
#include "tenon/plan.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace under_test;

namespace {

const DType kByLibrary[] = {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i32, DType::i64};
const DType kAllTypes[] = {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i32,
                           DType::i64, DType::i8,  DType::i16, DType::u8,   DType::boolean};

/// Says for its lifetime who takes long rows; empty: their size.
class Wanted {
 public:
  explicit Wanted(const std::string& value) {
    if (const char* before = std::getenv("TENON_CUB")) before_ = before;
    set(value);
  }
  ~Wanted() { set(before_.value_or("")); }
  Wanted(const Wanted&) = delete;
  Wanted& operator=(const Wanted&) = delete;

 private:
  static void set(const std::string& value) { value.empty() ? unsetenv("TENON_CUB") : setenv("TENON_CUB", value.c_str(), 1); }
  std::optional<std::string> before_;
};

/// Of all sizes, one in eight of them one of a few: zeros of both signs, NaN and infinities, of integers the ends of their range.
Tensor mixed(const Shape& shape, DType type) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  constexpr std::int64_t kLow = std::numeric_limits<std::int64_t>::min(), kHigh = std::numeric_limits<std::int64_t>::max();
  const double few[] = {0, -0.0, std::numeric_limits<double>::quiet_NaN(), kInf, -kInf, 1, -1, 6e-8};
  const std::int64_t few_whole[] = {0, kLow, kHigh, -1, kHigh - 1, kLow + 1, 0, -1};
  const int narrower = is_floating(type) ? 0 : 64 - 8 * int(size_of(type));
  const Random random(11, std::uint64_t(shape.numel()));
  std::vector<double> v;
  std::vector<std::int64_t> whole;
  for (std::int64_t i = 0; i < shape.numel(); ++i) {
    const auto bits = random.bits(std::uint64_t(i));
    const bool special = bits[0] % 8 == 0;
    const std::size_t which = bits[0] / 8 % 8;
    const std::uint64_t wide = std::uint64_t(bits[1]) << 32 | bits[2];
    if (is_floating(type))
      v.push_back(special ? few[which] : double(std::int64_t(wide)) * 1e-16);
    else
      whole.push_back((special ? few_whole[which] : std::int64_t(wide)) >> narrower);
  }
  if (is_floating(type)) return Tensor::from(v, shape).to(type);
  for (std::int64_t& w : whole) w &= type == DType::u8 ? 255 : type == DType::boolean ? 1 : -1;
  return Tensor::from(whole, shape).to(type);
}

using Tensors = std::vector<Tensor>;
using Op = std::function<Tensors(const Tensor&)>;

bool same_bytes(const Tensors& x, const Tensors& y) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Tensor a = x[i].to(kCpu).contiguous(), b = y[i].to(kCpu).contiguous();
    if (a.shape() != b.shape() || a.dtype() != b.dtype() || (a.nbytes() > 0 && std::memcmp(a.raw(), b.raw(), a.nbytes()) != 0))
      return false;
  }
  return x.size() == y.size();
}

/// The device gives the CPU's bits, whoever takes the rows.
void check_op(const std::string& name, const Tensor& x, const Op& op, const std::vector<std::string>& wanted = {"none", "always"}) {
  INFO(name << " of " << x.str());
  const Tensors on_cpu = op(x);
  const Tensor there = x.to(kDevice);
  for (const std::string& w : wanted) {
    INFO("TENON_CUB=" << w);
    const Wanted scope(w);
    begin_run(0);
    CHECK(same_bytes(op(there), on_cpu));
    end_run();
  }
}

Op sorted(bool descending) {
  return [=](const Tensor& x) {
    const Ordered o = sort(x, -1, descending);
    return Tensors{o.values, o.indices};
  };
}
Op first_of(std::int64_t k) {
  return [=](const Tensor& x) {
    const Ordered o = topk(x, k);
    return Tensors{o.values, o.indices};
  };
}
Tensors summed(const Tensor& x) {
  return {cumsum(x, -1)};
}
Tensors summed_from_behind(const Tensor& x) {
  return {cumsum(x, -1, true)};
}

}  // namespace

TEST_CASE("rows too long for shared memory are sorted alike by CPU, library and our own kernels", "[cuda][long_rows][slow]") {
  TENON_NEEDS_DEVICE();
  for (DType t : kByLibrary) check_op("sort", mixed({2, 4099}, t), sorted(t == DType::f16));
  check_op("descending", mixed({4099}, DType::f32), sorted(true));
  check_op("descending", mixed({4099}, DType::i64), sorted(true));
  check_op("one digit", mixed({4099}, DType::u8), sorted(false));
  check_op("topk", mixed({4099}, DType::f32), first_of(2500));
}

TEST_CASE("whole numbers are added up alike by CPU, library and our own kernels", "[cuda][long_rows][slow]") {
  TENON_NEEDS_DEVICE();
  check_op("cumsum", mixed({3, 9001}, DType::i64), summed);  // past the ends of the range
  check_op("cumsum", mixed({9001}, DType::i16), summed);
  check_op("cumsum", mixed({9001}, DType::boolean), summed);
  check_op("cumsum", mixed({9001}, DType::i64), summed_from_behind);
  check_op("a part of a line", mixed({9001}, DType::i64), [](const Tensor& x) { return summed(x.narrow(0, 1, 8999)); });
}

TEST_CASE("long rows are sorted and added up in a recorded step, by a library and by our own kernels", "[cuda][long_rows]") {
  TENON_NEEDS_DEVICE();
  const Tensor x = mixed({4099}, DType::f32), wide = mixed({2051}, DType::f64), whole = mixed({2, 4099}, DType::i64);
  const Tensors on_cpu{sort(x).indices, sort(wide).indices, cumsum(whole, -1)};
  for (const char* w : {"none", "always"}) {
    INFO("TENON_CUB=" << w);
    const Wanted scope(w);
    begin_run(0);
    const Tensor a = x.to(kDevice), b = wide.to(kDevice), c = whole.to(kDevice);
    Tensors found;
    StepPlan plan = StepPlan::record([&] { found = {sort(a).indices, sort(b).indices, cumsum(c, -1)}; });
    for (int step = 0; step < 3; ++step) {  // launch by launch, captured, a graph
      plan.run();
      CHECK(same_bytes(found, on_cpu));
    }
    end_run();
  }
}

TEST_CASE("who takes long rows can be said, and not otherwise", "[cuda][long_rows]") {
  TENON_NEEDS_DEVICE();
  const Wanted scope("ours");
  begin_run(0);
  std::string said = "nothing";
  try {
    sort(Tensor::zeros({5000}, DType::f32).to(kDevice));
  } catch (const Error& e) {
    said = e.what();
  }
  end_run();
  INFO(said);
  CHECK(said.find("TENON_CUB: \"ours\" says nothing") != std::string::npos);
}

TEST_CASE("the longest rows are sorted alike", "[cuda][long_rows][slow]") {
  TENON_NEEDS_DEVICE();
  constexpr std::int64_t kLong = (std::int64_t(1) << 18) + 5;
  bool descending = false;
  for (DType t : kAllTypes) check_op("a row", mixed({kLong}, t), sorted(descending = !descending));
  for (DType t : {DType::f32, DType::i64}) check_op("rows", mixed({3, kLong}, t), sorted(descending = !descending));
  check_op("by its size", mixed({kLong}, DType::f32), sorted(false), {""});
  check_op("topk", mixed({kLong}, DType::bf16), first_of(70000));
}

TEST_CASE("more rows than a workspace holds are sorted alike", "[cuda][long_rows][slow]") {
  TENON_NEEDS_DEVICE();
  for (DType t : {DType::f32, DType::f64}) {
    const Tensor x = mixed({67, 4100}, t);
    check_op("rows", x, [&](const Tensor& given) {  // the kernel's own group is many more rows
      if (given.device() == kCpu) return sorted(true)(given);
      RowOrder p{t, 67, 4100, true, 4100};
      p.device_records = 0;
      const Tensor values = Tensor::empty(x.shape(), t, kDevice), indices = Tensor::empty(x.shape(), DType::i64, kDevice),
                   space = Tensor::empty({std::int64_t(p.sort_bytes(p.device_rows()))}, DType::u8, kDevice);
      launch("sort", {given}, {values, indices, space}, sort_kernel(kDevice, p));
      return Tensors{values, indices};
    });
  }
}

TEST_CASE("many rows are sorted at once on a device", "[cuda][long_rows]") {
  CHECK(RowOrder{DType::f32, 10000, 5000, false, 5000}.device_rows() == (1 << 22) / 5000);
  CHECK(RowOrder{DType::f32, 10000, 1 << 20, false, 1 << 20}.device_rows() == 64);
  CHECK(RowOrder{DType::f32, 9, 5000, false, 5000}.device_rows() == 9);
}

TEST_CASE("the first of long rows, whole or in pieces, are the CPU's", "[cuda][long_rows][slow]") {
  TENON_NEEDS_DEVICE();
  for (DType t : kAllTypes) check_op("pieces", mixed({2, 9001}, t), first_of(37), {""});
  check_op("from behind", mixed({2, 9001}, DType::f32), [](const Tensor& x) {
    const Ordered o = topk(x, 37, -1, false);
    return Tensors{o.values, o.indices};
  }, {""});
  check_op("more left than fit", mixed({30000}, DType::f32), first_of(1500), {""});
  check_op("more left than fit", mixed({30000}, DType::u8), first_of(700), {""});  // many of each: by their places
  check_op("whole", mixed({133, 4100}, DType::f32), first_of(2), {""});
}

TEST_CASE("the longest rows are added up and searched alike", "[cuda][long_rows][slow]") {
  TENON_NEEDS_DEVICE();
  constexpr std::int64_t kLong = (std::int64_t(1) << 18) + 5;
  check_op("cumsum", mixed({(std::int64_t(1) << 20) + 7}, DType::i64), summed, {"none", "", "always"});
  check_op("lines", mixed({3, kLong}, DType::i32), summed);
  check_op("unique", mixed({kLong}, DType::f16), [](const Tensor& x) {
    const Unique u = unique(x);
    return Tensors{u.values, u.inverse, u.counts};
  });
  check_op("nonzero", mixed({(std::int64_t(1) << 22) + 3}, DType::boolean),
           [](const Tensor& x) {
             return Tensors{nonzero(x), masked_select(x, x)};
           },
           {""});
}
