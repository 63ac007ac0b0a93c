// A model on a device run over whole scans: windows are cut, and scores added up, where the model is.
#include <catch2/catch.hpp>
#include <map>

#include "core/ops/gradient_check.hpp"
#include "cuda/device.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "medical/image/resample.hpp"
#include "medical/tasks/sliding_window.hpp"
#include "tenon/ops.hpp"

using namespace tenon;
using namespace tenon::medical;
using under_test::kDevice;

namespace {

using Size = std::array<std::int64_t, 3>;
const std::vector<Size> kSizes{{16, 20, 24}, {9, 8, 7}, {8, 13, 8}};

class Blur final : public nn::Module {
 public:
  explicit Blur(Device device) {
    DeviceScope on(device);
    weight_ = add_parameter("weight", {2, 3, 3, 3, 1}, {});
    const Tensor values = check::made(1, weight_.shape()).to(DType::f32).to(kCpu);
    weight_.copy_from_host(values.raw(), values.nbytes());
  }
  Tensor forward(const Tensor& x) override { return conv(x, weight_, {}, {{}, {1, 1, 1}, {}, 1}); }

 private:
  Tensor weight_;
};

/// Scores of all scans by a model on `device`, and where they lay when they were given out.
std::vector<std::vector<double>> scores_of(Device device, Device& lay) {
  WindowSettings s;
  s.patch = {8, 8, 8};
  s.divisor = 4;
  s.batch = 2;
  s.mirror = {2};
  Blur model(device);
  WindowPlans plans;
  std::vector<std::vector<double>> scores(kSizes.size());
  run_windows(
      model, s, kSizes, [](std::size_t i) { return check::made(int(i), {1, kSizes[i][0], kSizes[i][1], kSizes[i][2]}).to(DType::f32); },
      [&](std::size_t i, const Tensor& t) {
        if (i == 0) lay = t.device();
        scores[i] = t.to_vector();
      },
      {}, plans);
  return scores;
}

}  // namespace

TEST_CASE("whole scans are labelled where the model is, and in host memory where theirs does not suffice", "[cuda_on_cpu]") {
  namespace shim = cuda::on_cpu;
  TENON_NEEDS_DEVICE();
  under_test::begin_run(0);
  shim::close_to_host();
  Device lay;
  const auto expected = scores_of(kCpu, lay);
  CHECK(lay == kCpu);
  const auto got = scores_of(kDevice, lay);
  CHECK(lay == kDevice);
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i)
    for (std::size_t k = 0; k < got[i].size(); ++k) worst = std::max(worst, std::abs(got[i][k] - expected[i][k]));
  CHECK(worst < 1e-5);

  struct Small {
    explicit Small(std::size_t free) { shim::set_memory_size(shim::bytes_in_use() + free); }
    ~Small() { shim::set_memory_size(0); }
  };
  // The first scan's image and sums take 122,880 bytes; the model must find room before them.
  for (const std::size_t free : {60'000, 90'000, 128'000}) {
    const Small small(free);
    INFO(free);
    CHECK(scores_of(kDevice, lay) == got);
    CHECK(lay == kCpu);
  }
  CHECK_NOTHROW(under_test::end_run());
}

TEST_CASE("labels on a grid that the device has no memory for are read from the host's", "[cuda_on_cpu]") {
  namespace shim = cuda::on_cpu;
  TENON_NEEDS_DEVICE();
  const Tensor scores = check::made(2, {4, 5, 6, 3}).to(DType::f32), there = scores.to(kDevice);
  const Size3 size{40, 50, 60};
  shim::set_memory_size(shim::bytes_in_use() + 20'000);  // 120,000 labels
  const Tensor labels = resample_argmax(there, size);
  shim::set_memory_size(0);
  CHECK(labels.to_vector() == resample_argmax(scores, size).to_vector());
}
