#include "tenon/patches.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "tenon/error.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"

using namespace tenon;

namespace {

using Size = std::array<std::int64_t, 3>;

/// Two volumes of two channels, one after the other.
struct Volumes {
  std::vector<Size> sizes{{9, 12, 7}, {5, 6, 20}};
  std::vector<float> voxels;
  std::vector<std::uint8_t> labels;
  std::vector<std::int64_t> table;
  Volumes() {
    const Random r(7, 1);
    for (const Size& s : sizes) {
      table.insert(table.end(), {std::int64_t(labels.size()), s[0], s[1], s[2]});
      labels.resize(labels.size() + std::size_t(s[0] * s[1] * s[2]));
    }
    for (std::size_t i = 0; i < 2 * labels.size(); ++i) voxels.push_back(r.uniform(i, -2, 3));
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = std::uint8_t(r.below(1000000 + i / 3, 4));
  }
  VolumeView view(std::size_t i) const {
    const auto first = std::size_t(table[4 * i]);
    return {voxels.data() + 2 * first, labels.data() + first, sizes[i], 2};
  }
  Tensor all() const { return Tensor::from(voxels, {std::int64_t(voxels.size())}); }
  Tensor all_labels() const { return Tensor::from(labels, {std::int64_t(labels.size())}); }
  Tensor rows() const { return Tensor::from(table, {2, 4}); }
};

std::vector<float> flat(const std::vector<GridMap>& maps) {
  std::vector<float> v(12 * maps.size());
  std::memcpy(v.data(), maps.data(), 4 * v.size());
  return v;
}

const GridMap kTurned{{{{0.9f, 0.2f, 0}, {-0.2f, 0.9f, 0.1f}, {0, -0.1f, 1.1f}}}, {-1.3f, 1.6f, -1.2f}};
const GridMap kMoved{{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}}, {-2, 3, -1}};

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.code() + " " + e.message() + " " + e.hint();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("patches of a batch are those of the functions on plain memory, bit for bit") {
  const Volumes set;
  const Size p{8, 10, 9};
  const std::vector<std::int64_t> which{1, 0, 0, 1};
  const std::vector<GridMap> maps{kTurned, kTurned, kMoved, kMoved};
  const Tensor w = Tensor::from(which, {4}), m = Tensor::from(flat(maps), {4, 12});
  const Tensor images = cut_patches(set.all(), set.rows(), w, m, {8, 10, 9}, 2),
               labels = cut_label_patches(set.all_labels(), set.rows(), w, m, {8, 10, 9});
  CHECK(images.shape() == Shape({4, 8, 10, 9, 2}));
  CHECK(labels.shape() == Shape({4, 8, 10, 9}));
  const std::size_t n = 8 * 10 * 9;
  for (std::size_t i = 0; i < 4; ++i) {
    std::vector<float> image(2 * n);
    std::vector<std::uint8_t> label(n);
    sample_affine(set.view(std::size_t(which[i])), maps[i], p, image.data(), label.data());
    CHECK(std::memcmp(image.data(), images.data<float>() + 2 * n * i, 8 * n) == 0);
    CHECK(std::memcmp(label.data(), labels.data<std::uint8_t>() + n * i, n) == 0);
  }
}

TEST_CASE("grey values of a batch change as those of one channel do, bit for bit") {
  const Tensor x = random_uniform({3, 4, 5, 6, 2}, 1, 2, -1, 3);
  std::vector<IntensityChange> changes(6);
  std::vector<std::int64_t> keys;
  for (std::size_t i = 0; i < 6; ++i) {
    if (i != 2) changes[i] = {0.1f * float(i), 0.6f, 1.1f, 0.2f, 0.8f, 0.6f, 1.2f, 0.9f};
    keys.insert(keys.end(), {5, std::int64_t(100 + i)});
  }
  std::vector<float> rows(48);
  std::memcpy(rows.data(), changes.data(), sizeof(float) * 48);
  const Tensor y = change_intensity(x, Tensor::from(rows, {3, 2, 8}), Tensor::from(keys, {3, 2, 2}));
  std::vector<float> expected(x.data<float>(), x.data<float>() + x.numel());
  for (std::size_t i = 0; i < 6; ++i) apply_intensity(expected.data() + i / 2 * 240 + i % 2, {4, 5, 6}, 2, changes[i], Random(5, 100 + i));
  CHECK(std::memcmp(expected.data(), y.data<float>(), 4 * expected.size()) == 0);
}

TEST_CASE("patches that are cut and changed in one op are those of two, bit for bit") {
  const Volumes set;
  const Tensor which = Tensor::from(std::vector<std::int64_t>{1, 0, 0}, {3}), maps = Tensor::from(flat({kTurned, kMoved, kTurned}), {3, 12});
  std::vector<float> rows;
  for (int plane = 0; plane < 6; ++plane) {
    IntensityChange c;
    if (plane > 0) c = {0.1f * float(plane), plane > 2 ? 0.6f : 0, 1.1f, 0.2f, plane > 3 ? 0.8f : 1, plane > 4 ? 0.6f : 1, 1.2f, 0.9f};
    const auto* p = reinterpret_cast<const float*>(&c);
    rows.insert(rows.end(), p, p + 8);
  }
  const Tensor changes = Tensor::from(rows, {3, 2, 8}),
               keys = Tensor::from(std::vector<std::int64_t>{5, 1, 5, 2, 6, 1, 6, 2, 7, 8, 7, 9}, {3, 2, 2});
  const Tensor made = cut_changed_patches(set.all(), set.rows(), which, maps, {8, 10, 9}, 2, changes, keys),
               expected = change_intensity(cut_patches(set.all(), set.rows(), which, maps, {8, 10, 9}, 2), changes, keys);
  REQUIRE(made.shape() == expected.shape());
  CHECK(std::memcmp(made.raw(), expected.raw(), made.nbytes()) == 0);
  CHECK_THAT(message_of([&] {
               cut_changed_patches(set.all(), set.rows(), which, maps, {8, 10, 9}, 2, Tensor::zeros({2, 2, 8}), keys);
             }),
             Catch::Contains("cut_changed_patches: changes is f32[2, 2, 8]"));
  CHECK_THAT(message_of([&] {
               cut_changed_patches(set.all(), set.rows(), which, maps, {8, 10, 9}, 2, changes, Tensor::zeros({3, 2}, DType::i64));
             }),
             Catch::Contains("cut_changed_patches: keys is i64[3, 2]"));
}

TEST_CASE("a recorded step cuts what its tensors say each time it runs") {
  const Volumes set;
  const Tensor voxels = set.all(), rows = set.rows(), which = Tensor::from(std::vector<std::int64_t>{0}, {1}),
               maps = Tensor::from(flat({kMoved}), {1, 12});
  Tensor patch;
  const StepPlan plan = StepPlan::record([&] { patch = cut_patches(voxels, rows, which, maps, {4, 4, 4}, 2); });
  for (const GridMap& map : {kMoved, kTurned, kMoved}) {
    maps.copy_from_host(&map, sizeof map);
    plan.run();
    CHECK(patch.to_vector() == cut_patches(voxels, rows, which, maps, {4, 4, 4}, 2).to_vector());
  }
  const std::int64_t beyond = 2;
  which.copy_from_host(&beyond, sizeof beyond);
  CHECK_THAT(message_of([&] { plan.run(); }), Catch::Contains("index.out_of_range cut_patches: index 2 at [0]"));
}

TEST_CASE("a volume that is not there is refused") {
  const Volumes set;
  const Tensor maps = Tensor::from(flat({kMoved}), {1, 12});
  auto cut = [&](std::int64_t which, const std::vector<std::int64_t>& table) {
    return message_of([&] {
      cut_label_patches(set.all_labels(), Tensor::from(table, {std::int64_t(table.size()) / 4, 4}),
                        Tensor::from(std::vector<std::int64_t>{which}, {1}), maps, {4, 4, 4});
    });
  };
  CHECK_THAT(cut(-1, set.table), Catch::Contains("index.out_of_range cut_label_patches: index -1 at [0] of indices [1] is outside 0..1"));
  const std::string total = std::to_string(set.labels.size());
  for (const std::vector<std::int64_t>& row :
       {std::vector<std::int64_t>{0, 9, 12, 13}, {-1, 1, 1, 1}, {0, -1, -1, 1}, {1000, 9, 12, 7}, {0, 1 << 30, 1 << 30, 16}})
    CHECK_THAT(cut(0, row), Catch::Contains("patches.table cut_label_patches: volume 0 of the table does not lie within the " + total +
                                            " voxels given"));
  CHECK(cut(0, {1355, 1, 1, 1}) == "nothing was thrown");  // the last voxel
}

TEST_CASE("arguments of patches that do not fit are refused with their shapes") {
  const Volumes set;
  const Tensor w = Tensor::zeros({3}, DType::i64), m = Tensor::zeros({3, 12});
  CHECK_THAT(message_of([&] {
               cut_patches(set.all(), set.rows(), w, Tensor::zeros({2, 12}), {4, 4, 4}, 2);
             }),
             Catch::Contains("cut_patches: maps is f32[2, 12]"));
  CHECK_THAT(message_of([&] { cut_patches(set.all(), set.rows(), w, m, {4, 4}, 2); }), Catch::Contains("cut_patches: size [4, 4]"));
  CHECK_THAT(message_of([&] {
               cut_patches(set.all(), set.rows(), w, m, {4, 0, 4}, 2);
             }),
             Catch::Contains("cut_patches: a patch of 4 x 0 x 4 voxels"));
  CHECK_THAT(message_of([&] { cut_patches(set.all(), set.rows(), w, m, {4, 1 << 20, 1 << 20}, 2); }), Catch::Contains("fewer than 2^31"));
  CHECK_THAT(message_of([&] {
               cut_patches(set.all(), set.rows(), w, m, {4, 4, 4}, 5);
             }),
             Catch::Contains("cut_patches: 5 channels in voxels"));
  CHECK_THAT(message_of([&] {
               cut_patches(set.all_labels(), set.rows(), w, m, {4, 4, 4}, 1);
             }),
             Catch::Contains("cut_patches: voxels is u8"));
  CHECK_THAT(message_of([&] {
               cut_label_patches(set.all(), set.rows(), w, m, {4, 4, 4});
             }),
             Catch::Contains("cut_label_patches: labels is f32"));
  CHECK_THAT(message_of([&] {
               change_intensity(Tensor::zeros({2, 4, 4, 4}), Tensor::zeros({2, 1, 8}), Tensor::zeros({2, 1, 2}, DType::i64));
             }),
             Catch::Contains("change_intensity: patches is f32[2, 4, 4, 4]"));
  CHECK_THAT(message_of([&] {
               change_intensity(Tensor::zeros({2, 4, 4, 4, 1}), Tensor::zeros({2, 2, 8}), Tensor::zeros({2, 1, 2}, DType::i64));
             }),
             Catch::Contains("change_intensity: changes is f32[2, 2, 8]"));
}
