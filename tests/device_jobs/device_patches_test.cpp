// Batches of patches that a recorded step makes on a device from what was drawn: those that threads on the host make.
#include <catch2/catch.hpp>

#include "cuda/device.hpp"
#include "cuda/twin.hpp"
#include "medical/tasks/device_patches.hpp"
#include "tenon/plan.hpp"

using namespace tenon;
using namespace tenon::medical;
using under_test::kDevice;

namespace {

using Size = std::array<std::int64_t, 3>;
constexpr std::int64_t kChannels = 2, kLevels = 3, kBatch = 3;
const Size kPatch{8, 12, 20};

/// Scans of several sizes, some smaller than a patch.
struct Scans {
  std::vector<std::vector<float>> images;
  std::vector<std::vector<std::uint8_t>> labels;
  std::vector<SamplerCase> cases;
  Scans() : images(4), labels(4), cases(4) {
    for (std::size_t i = 0; i < cases.size(); ++i) {
      const Size size{11 + std::int64_t(i), 9 + 5 * std::int64_t(i % 2), 25};
      const auto n = std::size_t(size[0] * size[1] * size[2]);
      const Random r(3, i);
      for (std::size_t v = 0; v < n * kChannels; ++v) images[i].push_back(r.uniform(v, -2, 3));
      for (std::size_t v = 0; v < n; ++v) labels[i].push_back(std::uint8_t(r.below(1000000 + v / 4, 3)));
      cases[i].scan = {images[i].data(), labels[i].data(), size, kChannels};
      cases[i].spacing = {1.5, 1, 0.9};
      cases[i].foreground = find_foreground(labels[i], 3);
    }
  }
};

PatchSampler sampler_of(const Scans& scans, const PatchSettings& patch) {
  const SpatialSettings spatial{{0.6, -30, 30}, {0.6, 0.7, 1.4}, {0, 1, 2}};
  const IntensitySettings intensity{{0.5, 0.01, 0.1},  {0.5, 0.5, 1}, {0.5, 0.75, 1.25}, {0.5, 0, 0.1},
                                    {0.5, 0.75, 1.25}, {0.5, 0.5, 1}, {0.5, 0.7, 1.5},   {0.5, 0.7, 1.5}};
  return {scans.cases, patch, spatial, intensity};
}

}  // namespace

TEST_CASE("a step on the device makes the patches that were drawn", "[patches]") {
  TENON_NEEDS_DEVICE();
  const Scans scans;
  for (const bool shuffled : {false, true}) {
    const PatchSettings patch{kPatch, 0.5, kBatch, shuffled};
    const PatchSampler sampler = sampler_of(scans, patch);
    DevicePatches patches(sampler, patch, kChannels, kLevels);
    std::vector<Tensor> drawn, inputs;
    for (const TensorSpec& s : DevicePatches::spec(patch, kChannels)) {
      drawn.push_back(Tensor::empty(s.shape, s.dtype));
      inputs.push_back(Tensor::zeros(s.shape, s.dtype, kDevice));
    }
    under_test::begin_run(shuffled);
    PatchBatch made;
    const StepPlan plan = StepPlan::record([&] {
      const DeviceScope on(kDevice);
      made = patches.make(inputs);
    });
    REQUIRE(made.labels.size() == kLevels);
    for (std::int64_t step = 0; step < 6; ++step) {
      patches.fill(step, Random(9, 2), drawn);
      for (std::size_t i = 0; i < drawn.size(); ++i) inputs[i].copy_from_host(drawn[i].raw(), drawn[i].nbytes());
      plan.run();

      const std::int64_t voxels = kPatch[0] * kPatch[1] * kPatch[2];
      const Tensor image = Tensor::empty({kBatch, kPatch[0], kPatch[1], kPatch[2], kChannels});
      std::vector<Tensor> labels;
      Size size = kPatch;
      for (std::int64_t level = 0; level < kLevels; ++level) {
        labels.push_back(Tensor::empty({kBatch, size[0], size[1], size[2]}, DType::u8));
        for (auto& n : size) n = (n + 1) / 2;
      }
      for (std::int64_t j = 0; j < kBatch; ++j) {
        std::uint8_t* fine = labels[0].data<std::uint8_t>() + j * voxels;
        sampler.fill(step, j, Random(9, 2), image.data<float>() + j * voxels * kChannels, fine);
        for (std::size_t level = 1; level < labels.size(); ++level) {
          const Shape& finer = labels[level - 1].shape();
          std::uint8_t* coarse = labels[level].data<std::uint8_t>() + j * (labels[level].numel() / kBatch);
          halve_labels(fine, {finer[1], finer[2], finer[3]}, coarse);
          fine = coarse;
        }
      }
      CHECK(under_test::nmse(made.image.to(kCpu), image) <= 1e-10);
      for (std::size_t level = 0; level < labels.size(); ++level) CHECK(made.labels[level].to_vector() == labels[level].to_vector());
    }
    under_test::end_run();
  }
}
