// Patches: volumes of several sizes and channels, maps that leave them, every change of grey values alone and all together.
#include <catch2/catch.hpp>
#include <cmath>

#include "cuda/cases.hpp"
#include "cuda/device.hpp"
#include "tenon/error.hpp"
#include "tenon/ops.hpp"
#include "tenon/patches.hpp"
#include "tenon/plan.hpp"

using namespace tenon;
using namespace under_test;

namespace {

struct Volumes {
  Tensor voxels, labels, table;
};

/// Three volumes of different sizes, one of them a voxel thick, with labels in small blobs.
Volumes volumes(std::int64_t channels) {
  const std::vector<std::int64_t> table{0, 9, 12, 7, 756, 1, 5, 40, 956, 20, 6, 11};
  constexpr std::int64_t kVoxels = 956 + 20 * 6 * 11;
  std::vector<std::uint8_t> labels;
  const Random r(7, 1);
  for (std::int64_t i = 0; i < kVoxels; ++i) labels.push_back(std::uint8_t(r.below(std::uint64_t(i / 3), 4)));
  return {random_uniform({kVoxels * channels}, 3, 5, -2, 3), Tensor::from(labels, {kVoxels}), Tensor::from(table, {3, 4})};
}

/// Identity, a flip, a turn by 90 degrees, free ones, one far outside and one that is no number.
const std::vector<std::int64_t> kWhich{0, 2, 0, 1, 2, 0, 2, 1};
Tensor maps() {
  const float nan = std::nanf("");
  return Tensor::from(std::vector<float>{1,    0,    0, 0,    1,    0,    0, 0,    1,    -2,   3,    -1,    //
                                         -1,   0,    0, 0,    1,    0,    0, 0,    1,    15,   0,    2,     //
                                         1,    0,    0, 0,    0,    -1,   0, 1,    0,    0,    7,    0,     //
                                         0.9f, 0.1f, 0, -0.1f, 0.8f, 0.2f, 0, 0.3f, 1.2f, -1.3f, 0.6f, 2.5f,  //
                                         1.3f, -0.4f, 0.2f, 0.1f, 0.7f, 0.1f, -0.2f, 0.05f, 0.8f, 1.5f, -0.5f, 0.25f,  //
                                         0,    0,    0.4f, 0,  1,    0,    0.5f, 0,  0,    0,    0,    0,     //
                                         1,    0,    0, 0,    1,    0,    0, 0,    1,    1e9f, -1e9f, 0,     //
                                         nan,  0,    0, 0,    1,    0,    0, 0,    1,    0,    0,    0},
                      {8, 12});
}
Tensor which() { return Tensor::from(kWhich, {std::int64_t(kWhich.size())}); }

/// One row a channel: {noise, blur, brightness, shift, contrast, low_resolution, gamma, inverted_gamma}.
Tensor changes(const std::vector<IntensityChange>& rows, std::int64_t channels) {
  const auto* p = reinterpret_cast<const float*>(rows.data());
  return Tensor::from(std::vector<float>(p, p + 8 * rows.size()), {std::int64_t(rows.size()) / channels, channels, 8});
}
Tensor keys(std::int64_t count, std::int64_t channels) {
  std::vector<std::int64_t> v;
  for (std::int64_t i = 0; i < count * channels; ++i) v.insert(v.end(), {9, (std::int64_t(1) << 62) + i * 77});
  return Tensor::from(v, {count, channels, 2});
}
IntensityChange change(float IntensityChange::*what, float value) {
  IntensityChange c;
  c.*what = value;
  return c;
}
const IntensityChange kAll{0.2f, 0.8f, 1.2f, -0.1f, 1.3f, 0.6f, 0.8f, 1.4f};

void note_changed(const std::string& what, const std::vector<IntensityChange>& rows, const Shape& grid) {
  const std::int64_t channels = grid[4], count = std::int64_t(rows.size()) / channels;
  Shape shape = grid;
  shape[0] = count;
  note(what, change_intensity(random_uniform(shape, 4, 5, -1, 3), changes(rows, channels), keys(count, channels)));
}

const Register cases(std::map<std::string, Case>{
    {"patches.hpp: cut_patches(Tensor,Tensor,Tensor,Tensor,vector<int64_t>,int64_t)",
     [] {
       for (std::int64_t channels : {1, 3}) {
         const Volumes v = volumes(channels);
         note("small", cut_patches(v.voxels, v.table, which(), maps(), {8, 8, 9}, channels));
         note("more than a block", cut_patches(v.voxels, v.table, which(), maps(), {11, 10, 13}, channels));
       }
       const Volumes v = volumes(1);
       note("none", cut_patches(v.voxels, v.table, Tensor::empty({0}, DType::i64), Tensor::empty({0, 12}), {8, 8, 9}, 1));
     }},
    {"patches.hpp: cut_label_patches(Tensor,Tensor,Tensor,Tensor,vector<int64_t>)",
     [] {
       const Volumes v = volumes(1);
       note("small", cut_label_patches(v.labels, v.table, which(), maps(), {8, 8, 9}));
       note("more than a block", cut_label_patches(v.labels, v.table, which(), maps(), {11, 10, 13}));
     }},
    {"patches.hpp: change_intensity(Tensor,Tensor,Tensor)",
     [] {
       using C = IntensityChange;
       const std::vector<IntensityChange> each{C{},
                                               change(&C::noise, 0.3f),
                                               change(&C::blur, 0.7f),
                                               change(&C::brightness, 1.2f),
                                               change(&C::shift, 0.1f),
                                               change(&C::contrast, 0.7f),
                                               change(&C::low_resolution, 0.55f),
                                               change(&C::gamma, 1.5f),
                                               change(&C::inverted_gamma, 0.7f),
                                               kAll};
       note_changed("each change", each, {0, 6, 10, 13, 1});
       note_changed("each change, two channels", each, {0, 6, 7, 9, 2});
       note_changed("several parts", {kAll, C{}, kAll}, {0, 15, 20, 21, 1});
       note_changed("a wide blur of a short axis", {change(&C::blur, 30.0f)}, {0, 3, 40, 1, 1});
       note_changed("an axis of one voxel", {kAll, kAll}, {0, 1, 1, 37, 2});
       note("a flat patch", change_intensity(Tensor::full({1, 4, 4, 4, 1}, 2.5), changes({kAll}, 1), keys(1, 1)));
       note("none", change_intensity(Tensor::empty({0, 4, 4, 4, 1}), Tensor::empty({0, 1, 8}), Tensor::empty({0, 1, 2}, DType::i64)));
     }},
    {"patches.hpp: cut_changed_patches(Tensor,Tensor,Tensor,Tensor,vector<int64_t>,int64_t,Tensor,Tensor)",
     [] {
       for (std::int64_t channels : {1, 2}) {
         const Volumes v = volumes(channels);
         std::vector<IntensityChange> rows;
         for (std::int64_t i = 0; i < 8 * channels; ++i) rows.push_back(i % 3 == 1 ? IntensityChange{} : kAll);
         note("several parts", cut_changed_patches(v.voxels, v.table, which(), maps(), {11, 13, 17}, channels, changes(rows, channels),
                                                   keys(8, channels)));
       }
       const Volumes v = volumes(1);
       note("none", cut_changed_patches(v.voxels, v.table, Tensor::empty({0}, DType::i64), Tensor::empty({0, 12}), {8, 8, 9}, 1,
                                        Tensor::empty({0, 1, 8}), Tensor::empty({0, 1, 2}, DType::i64)));
     }},
});

}  // namespace

TEST_CASE("every set of changes follows on cutting as it does on patches, on the device", "[cuda][patches][slow]") {
  TENON_NEEDS_DEVICE();
  const Tensor voxels = random_uniform({5 * 6 * 20}, 3, 5, -2, 3), table = Tensor::from(std::vector<std::int64_t>{0, 5, 6, 20}, {1, 4});
  // 128 patches: each change drawn or not, brightness and shift together.
  constexpr std::int64_t kSets = 128;
  std::vector<IntensityChange> rows;
  for (unsigned set = 0; set < kSets; ++set) {
    IntensityChange c;
    if (set & 1) c.noise = 0.2f;
    if (set & 2) c.blur = 0.8f;
    if (set & 4) c.contrast = 1.3f;
    if (set & 8) {
      c.brightness = 1.2f;
      c.shift = -0.1f;
    }
    if (set & 16) c.low_resolution = 0.6f;
    if (set & 32) c.inverted_gamma = 1.4f;
    if (set & 64) c.gamma = 0.8f;
    rows.push_back(c);
  }
  std::vector<float> map;
  for (std::int64_t i = 0; i < kSets; ++i) map.insert(map.end(), {0.9f, 0.1f, 0, -0.1f, 0.8f, 0.2f, 0, 0.3f, 1.2f, -1.3f, 0.6f, 2.5f});
  const Tensor which = Tensor::zeros({kSets}, DType::i64), maps = Tensor::from(map, {kSets, 12}), drawn = changes(rows, 1),
               noise = keys(kSets, 1);
  const std::vector<std::int64_t> size{4, 7, 9};
  const Tensor expected = change_intensity(cut_patches(voxels, table, which, maps, size, 1), drawn, noise);
  const Tensor v = voxels.to(kDevice), t = table.to(kDevice), w = which.to(kDevice), m = maps.to(kDevice), d = drawn.to(kDevice),
               n = noise.to(kDevice);
  begin_run(0);
  const Tensor at_once = cut_changed_patches(v, t, w, m, size, 1, d, n).to(kCpu),
               apart = change_intensity(cut_patches(v, t, w, m, size, 1), d, n).to(kCpu);
  end_run();
  for (std::int64_t i = 0; i < kSets; ++i) {
    INFO("set " << i);
    CHECK(nmse(at_once.slice(0, i, i + 1).contiguous(), expected.slice(0, i, i + 1).contiguous()) <= 1e-10);
    CHECK(at_once.slice(0, i, i + 1).to_vector() == apart.slice(0, i, i + 1).to_vector());
  }
}

TEST_CASE("a volume that is not there is refused on the device, too", "[cuda][patches]") {
  TENON_NEEDS_DEVICE();
  const Tensor voxels = Tensor::zeros({24}).to(kDevice), map = Tensor::zeros({2, 12}).to(kDevice);
  const Tensor drawn = changes({kAll, kAll}, 1).to(kDevice), noise = keys(2, 1).to(kDevice);
  for (const std::string op : {"cut_patches", "cut_changed_patches"}) {
    auto said = [&](std::int64_t volume, std::int64_t z) {
      const Tensor table = Tensor::from(std::vector<std::int64_t>{0, 2, 3, 4, 0, z, 3, 4}, {2, 4}).to(kDevice),
                   which = Tensor::from(std::vector<std::int64_t>{0, volume}, {2}).to(kDevice);
      begin_run(0);
      std::string text = "nothing";
      try {
        if (op == "cut_patches") cut_patches(voxels, table, which, map, {2, 2, 2}, 1).to_vector();
        else cut_changed_patches(voxels, table, which, map, {2, 2, 2}, 1, drawn, noise).to_vector();
      } catch (const Error& e) {
        text = e.code() + " " + e.message();
      }
      end_run();
      return text;
    };
    CHECK(said(1, 2) == "nothing");
    CHECK(said(2, 2) == "index.out_of_range " + op + ": index 2 at [1] of indices [2] is outside 0..1");
    CHECK(said(1, 3) == "patches.table " + op + ": volume 1 of the table does not lie within the 24 voxels given");
  }
}

TEST_CASE("a recorded step on the device keeps volumes that are placed part by part, and cuts what its tensors say", "[cuda][patches]") {
  TENON_NEEDS_DEVICE();
  std::vector<float> values(48);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = float(i % 7) - 2;
  std::vector<Tensor> given, results;
  for (const Device device : {kCpu, kDevice}) {
    const DeviceScope on(device);
    begin_run(0);
    const Tensor which = Tensor::from(std::vector<std::int64_t>{0, 1}, {2}), maps = Tensor::zeros({2, 12});
    const Tensor drawn = changes({kAll, kAll}, 1), noise = keys(2, 1);
    Tensor y;
    const StepPlan plan = StepPlan::record([&] {
      const Tensor voxels = Tensor::empty({48}), table = Tensor::from(std::vector<std::int64_t>{0, 2, 3, 4, 24, 4, 3, 2}, {2, 4});
      for (std::int64_t part = 0; part < 2; ++part) voxels.narrow(0, 24 * part, 24).copy_from_host(values.data() + 24 * part, 24 * sizeof(float));
      y = change_intensity(cut_patches(voxels, table, which, maps, {4, 5, 3}, 1), drawn, noise);
    });
    for (const float scale : {1.0f, 0.6f}) {
      GridMap map;
      for (std::size_t a = 0; a < 3; ++a) map.matrix[a][a] = scale;
      for (std::int64_t i = 0; i < 2; ++i) maps.narrow(0, i, 1).copy_from_host(&map, sizeof map);
      plan.run();
      (device == kCpu ? given : results).push_back(y.to(kCpu).clone());
    }
    end_run();
  }
  for (std::size_t i = 0; i < given.size(); ++i) CHECK(nmse(results[i], given[i]) < 1e-10);
  CHECK(nmse(given[0], given[1]) > 0.01);
}

TEST_CASE("a patch too long for a block's memory is refused on the device", "[cuda][patches]") {
  TENON_NEEDS_DEVICE();
  const Tensor patch = Tensor::zeros({1, 1, 1, 20000, 1}).to(kDevice);
  CHECK_THROWS_WITH(change_intensity(patch, changes({kAll}, 1).to(kDevice), keys(1, 1).to(kDevice)).to(kCpu),
                    Catch::Matchers::Contains("change_intensity: no kernel for patches of more than 12032 voxels along an axis on cuda"));
}
