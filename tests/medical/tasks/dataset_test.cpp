#include <unistd.h>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "medical/shared_data.hpp"
#include "medical/tasks/dataset.hpp"
#include "tenon/error.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::medical;
namespace fs = std::filesystem;

namespace {

/// A small made data set in a folder of its own.
class Folder {
 public:
  explicit Folder(const std::string& name)
      : root_(fs::temp_directory_path() / ("tenon-dataset-" + name + "-" + std::to_string(::getpid()))) {
    fs::remove_all(root_);
    fs::create_directories(root_ / "imagesTr");
    fs::create_directories(root_ / "labelsTr");
  }
  ~Folder() { fs::remove_all(root_); }
  const fs::path& root() const { return root_; }

  static Volume image(std::uint64_t seed, std::array<std::int64_t, 3> size = {10, 12, 8}) {
    Volume v;
    v.geometry.size = size;
    std::vector<float> values;
    for (std::int64_t i = 0; i < size[0] * size[1] * size[2]; ++i) values.push_back(Random(seed, 0).uniform(std::uint64_t(i)));
    v.values = Tensor::from(values, Shape{size[2], size[1], size[0]});
    return v;
  }
  static Volume label(std::array<std::int64_t, 3> size = {10, 12, 8}, std::uint8_t value = 1) {
    Volume v;
    v.geometry.size = size;
    std::vector<std::uint8_t> values(std::size_t(size[0] * size[1] * size[2]), 0);
    for (std::size_t i = values.size() / 3; i < values.size() / 2; ++i) values[i] = value;
    v.values = Tensor::from(values, Shape{size[2], size[1], size[0]});
    return v;
  }
  void put_image(const std::string& id, const Volume& v) { write_image(root_ / "imagesTr" / (id + ".nii.gz"), v); }
  void put_label(const std::string& id, const Volume& v) { write_image(root_ / "labelsTr" / (id + ".nii.gz"), v); }
  void put(const std::string& id, std::uint64_t seed) {
    put_image(id, image(seed));
    put_label(id, label());
  }
  void folds(const std::string& json) { std::ofstream(root_ / "folds.json") << json; }

  DataSettings settings() const {
    DataSettings s;
    s.root = root_;
    s.images = "imagesTr";
    s.labels = "labelsTr";
    s.folds = "folds.json";
    s.label_names = {"background", "one", "two"};
    s.extensions = {".nii.gz", ".nii"};
    s.normalisation = "zscore";
    return s;
  }

 private:
  fs::path root_;
};

bool holds(const std::vector<Problem>& problems, const std::string& code, const std::string& where) {
  for (const auto& p : problems)
    if (p.code == code && p.where == where) return true;
  return false;
}

std::string listed(const std::vector<Problem>& problems) {
  std::string text;
  for (const auto& p : problems) text += p.where + " " + p.code + ": " + p.message + "\n";
  return text;
}

}  // namespace

TEST_CASE("a clean set has no problems, and loads normalised and in order") {
  Folder f("clean");
  for (int i = 0; i < 6; ++i) f.put("case" + std::to_string(i), std::uint64_t(i));
  f.folds(R"({"fold_0": ["case0", "case1"], "fold_1": ["case2", "case3"], "fold_2": ["case4", "case5"]})");
  Dataset data(f.settings());
  const auto problems = data.check({});
  INFO(listed(problems));
  CHECK(problems.empty());
  data.load({});
  REQUIRE(data.split("train").size() == 4);
  CHECK(data.split("validation")[1].files.id == "case1");
  const auto& c = data.split("train")[0];
  CHECK(c.path.identity());
  double sum = 0, squares = 0;
  for (float v : c.image.span<float>()) {
    sum += v;
    squares += double(v) * v;
  }
  CHECK(sum / 960 == Approx(0).margin(1e-5));
  CHECK(squares / 960 == Approx(1).epsilon(1e-4));
  CHECK(data.digests().size() == 13);
  CHECK_THROWS_WITH(data.split("validaton"), Catch::Contains("validaton"));
}

TEST_CASE("every defect is listed in one pass, each by its code") {
  Folder f("bad");
  for (int i = 0; i < 8; ++i) f.put("good" + std::to_string(i), std::uint64_t(i));
  f.put_image("unlabelled", Folder::image(20));
  f.put_label("imageless", Folder::label());
  f.put_image("shifted", Folder::image(21));
  auto moved = Folder::label();
  moved.geometry.to_ras[0][3] = 2.5;
  f.put_label("shifted", moved);
  f.put("value", 22);
  f.put_label("value", Folder::label({10, 12, 8}, 7));
  f.put("nan", 23);
  auto nan = Folder::image(23);
  nan.values.data<float>()[5] = std::numeric_limits<float>::quiet_NaN();
  f.put_image("nan", nan);
  f.put("flat", 24);
  auto flat = Folder::image(24);
  flat.values.fill(3);
  f.put_image("flat", flat);
  f.put("empty", 25);
  f.put_label("empty", Folder::label({10, 12, 8}, 0));
  f.put_image("huge", Folder::image(26, {50, 12, 8}));
  f.put_label("huge", Folder::label({50, 12, 8}));
  auto thick = Folder::image(27), thick_label = Folder::label();
  thick.geometry.to_ras[2][2] = thick_label.geometry.to_ras[2][2] = 5;
  f.put_image("thick", thick);
  f.put_label("thick", thick_label);
  f.put("twin", 0);  // the voxels of good0
  f.put("cut", 28);
  const auto cut = f.root() / "imagesTr" / "cut.nii.gz";
  fs::resize_file(cut, fs::file_size(cut) - 6);
  f.put_image("stray", Folder::image(29));
  f.folds(
      R"({"fold_0": ["twin", "good7"], "fold_1": ["good0", "good1", "good2", "good3", "good4", "good5", "good6", "good6", "unlabelled", "imageless",
             "shifted", "value", "nan", "flat", "empty", "huge", "thick", "cut", "nowhere"]})");

  Dataset data(f.settings());
  const auto problems = data.check({});
  INFO(listed(problems));
  CHECK(holds(problems, "medical.unlabelled", "unlabelled"));
  CHECK(holds(problems, "medical.image_absent", "imageless"));
  CHECK(holds(problems, "medical.geometry", "shifted"));
  CHECK(holds(problems, "medical.label_value", "value"));
  CHECK(holds(problems, "medical.not_finite", "nan"));
  CHECK(holds(problems, "medical.constant", "flat"));
  CHECK(holds(problems, "medical.empty_foreground", "empty"));
  CHECK(holds(problems, "medical.foreign_size", "huge"));
  CHECK(holds(problems, "medical.foreign_spacing", "thick"));
  CHECK(holds(problems, "medical.leak", "twin"));
  CHECK(holds(problems, "medical.case_absent", "nowhere"));
  CHECK(holds(problems, "medical.duplicate_id", "good6"));
  CHECK(holds(problems, "medical.unlabelled", "stray"));
  CHECK(std::any_of(problems.begin(), problems.end(), [](const Problem& p) { return p.where == "cut" && p.code.starts_with("gzip."); }));
  for (int i = 0; i < 6; ++i)
    CHECK(std::none_of(problems.begin(), problems.end(), [&](const Problem& p) { return p.where == "good" + std::to_string(i); }));
  for (const auto& p : problems) CHECK(!p.remedy.empty());
  CHECK(problems.size() == 14);

  try {
    data.load({});
    FAIL("loaded");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::data);
    CHECK(e.hint().find("tenon check") != std::string::npos);
  }
}

TEST_CASE("a case whose id is not UTF-8 is listed, and not loaded") {
  Folder f("names");
  const std::string latin1 = "caf\xe9";
  for (int i = 0; i < 4; ++i) f.put("case" + std::to_string(i), std::uint64_t(i));
  f.put("plain", 7);
  for (const char* folder : {"imagesTr", "labelsTr"})
    fs::rename(f.root() / folder / "plain.nii.gz", f.root() / folder / (latin1 + ".nii.gz"));
  DataSettings s = f.settings();
  s.folds = "";
  s.fold_count = 2;
  Dataset data(s);
  const auto problems = data.check({});
  INFO(listed(problems));
  REQUIRE(problems.size() == 1);
  CHECK(holds(problems, "medical.id", latin1));
  try {
    data.load({});
    FAIL("it was loaded");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::data);
    CHECK(e.code() == "medical.id");
  }
}

TEST_CASE("what a user allows is allowed") {
  Folder f("allowed");
  f.put("a", 1);
  f.put("b", 1);
  f.put_label("a", Folder::label({10, 12, 8}, 0));
  f.folds(R"({"train": ["a"], "validation": ["b"]})");
  auto s = f.settings();
  CHECK(Dataset(s).check({}).size() == 2);
  s.allow_leak = s.allow_empty = true;
  CHECK(Dataset(s).check({}).empty());
}

TEST_CASE("a missing folder or split file is named") {
  Folder f("missing");
  f.put("a", 1);
  auto s = f.settings();
  CHECK(holds(Dataset(s).check({}), "recipe.missing_file", "data.folds"));
  CHECK_THROWS_AS(Dataset(s).load({}), Error);

  const auto refused = [](const DataSettings& settings) {
    try {
      require_below_root(settings);
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::usage);
      CHECK(e.code() == "recipe.missing_file");
      return e.where() + ": " + e.message() + ": " + e.hint();
    }
    return std::string("taken");
  };
  CHECK_THAT(refused(s), Catch::StartsWith("data.folds: data.folds: no file 'folds.json' in " + f.root().string()));
  f.folds("{}");
  CHECK(refused(s) == "taken");
  s.folds = "fold.json";
  CHECK_THAT(refused(s), Catch::Contains("'folds.json'"));
  s.folds.clear();
  s.images = "imagesTR";
  CHECK_THAT(refused(s), Catch::StartsWith("data.images: ") && Catch::Contains("did you mean 'imagesTr'"));
  s.images = "imagesTr";
  s.labels = "folds.json";  // a file where a folder is wanted
  CHECK_THAT(refused(s), Catch::StartsWith("data.labels: "));
  s.root = f.root() / "absent";
  CHECK_THAT(refused(s), Catch::StartsWith("data.root: "));
}

TEST_CASE("a file that cannot be asked for is one problem among the others") {
  Folder f("unaskable");
  for (int i = 0; i < 3; ++i) f.put("case" + std::to_string(i), std::uint64_t(i));
  for (const char* name : {"imagesTr/loop.nii.gz", "labelsTr/stray.nii.gz"}) fs::create_symlink(fs::path(name).filename(), f.root() / name);
  f.put_label("loop", Folder::label());
  f.put("cut", 9);
  fs::resize_file(f.root() / "imagesTr/cut.nii.gz", 60);
  fs::remove(f.root() / "labelsTr/case2.nii.gz");
  const std::string endless(300, 'n');
  f.folds(R"({"train": ["case0", "loop", "cut", ")" + endless + R"("], "validation": ["case1", "case2"]})");
  Dataset data(f.settings());
  const auto problems = data.check({});
  INFO(listed(problems));
  CHECK(holds(problems, "io.not_a_file", "loop"));
  CHECK(holds(problems, "io.read", endless));
  CHECK(holds(problems, "medical.unlabelled", "case2"));
  CHECK(holds(problems, "medical.image_absent", "stray"));
  CHECK(holds(problems, "io.not_a_file", "stray"));
  CHECK(std::any_of(problems.begin(), problems.end(), [](const Problem& p) { return p.where == "cut"; }));
  CHECK(problems.size() == 7);  // the endless name has a scan and a label
  CHECK_THROWS_WITH(data.load({}), Catch::Contains("loop.nii.gz"));
}

TEST_CASE("a folder or a split that is not there hides no bad case that shows without it") {
  Folder f("misspelt");
  for (int i = 0; i < 4; ++i) f.put("case" + std::to_string(i), std::uint64_t(i));
  f.put_label("case1", Folder::label({10, 12, 8}, 7));
  f.put_image("case2", Folder::image(2, {1, 12, 8}));
  fs::resize_file(f.root() / "imagesTr/case3.nii.gz", 60);
  f.folds(R"({"fold_0": ["case0", "case1"], "fold_1": ["case2", "case3"]})");
  const auto check = [&](const auto& change) {
    auto settings = f.settings();
    change(settings);
    auto problems = Dataset(settings).check({});
    UNSCOPED_INFO(listed(problems));
    return problems;
  };
  const auto cut = [](const std::vector<Problem>& problems) {
    return std::any_of(problems.begin(), problems.end(), [](const Problem& p) { return p.where == "case3"; });
  };
  const auto labels = check([](DataSettings& s) { s.labels = "labelTr"; });
  CHECK(holds(labels, "recipe.missing_file", "data.labels"));
  CHECK(cut(labels));
  CHECK(labels.size() == 2);
  const auto images = check([](DataSettings& s) { s.images = "imageTr"; });
  CHECK(holds(images, "recipe.missing_file", "data.images"));
  CHECK(holds(images, "medical.label_value", "case1"));
  CHECK(images.size() == 2);
  for (const bool drawn : {false, true}) {
    const auto split = check([&](DataSettings& s) {
      s.fold = 99;
      if (drawn) s.folds.clear();
    });
    CHECK(holds(split, "medical.fold", "data.fold"));
    CHECK(holds(split, "medical.label_value", "case1"));
    CHECK(holds(split, "medical.geometry", "case2"));
    CHECK(cut(split));
    CHECK(split.size() == 4);
  }
  f.folds("{");
  const auto broken = check([](DataSettings&) {});
  CHECK(holds(broken, "medical.split", (f.root() / "folds.json").string()));
  CHECK(broken.size() == 4);
  const auto none = check([&](DataSettings& s) { s.root = f.root() / "absent"; });
  CHECK(none.size() == 1);
}

TEST_CASE("a fold that the split does not have is refused before data is read") {
  Folder f("fold");
  for (int i = 0; i < 4; ++i) f.put("case" + std::to_string(i), std::uint64_t(i));
  const auto refused = [&](std::int64_t fold, bool drawn) {
    auto s = f.settings();
    s.fold = fold;
    if (drawn) s.folds.clear();
    try {
      require_below_root(s);
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::usage);
      CHECK(e.where() == "data.fold");  // the recipe makes a line of it
      return e.code() + ": " + e.message() + ": " + e.hint();
    }
    return std::string("taken");
  };
  f.folds(R"({"fold_0": ["case0", "case1"], "fold_1": ["case2", "case3"]})");
  CHECK(refused(1, false) == "taken");
  CHECK(refused(99, false) ==
        "medical.fold: there is no fold 99 in " + (f.root() / "folds.json").string() + ": set data.fold to one of 0, 1");
  CHECK(refused(4, true) == "taken");
  CHECK_THAT(refused(5, true), Catch::StartsWith("medical.fold: there is no fold 5 of 5"));
  f.folds(R"({"train": ["case0", "case1"], "validation": ["case2", "case3"]})");
  CHECK(refused(0, false) == "taken");
  CHECK_THAT(refused(1, false), Catch::StartsWith("medical.fold: there is no fold 1") && Catch::Contains("leave data.fold out"));
  f.folds("{");  // bad data, which load() and check() tell
  CHECK(refused(0, false) == "taken");
}

TEST_CASE("scans in other orientations and spacings reach the model on one grid, and labels come back on their own") {
  Folder f("space");
  for (int i = 0; i < 5; ++i) f.put("a" + std::to_string(i), std::uint64_t(i));
  auto image = Folder::image(9, {20, 12, 8});
  auto label = Folder::label({20, 12, 8});
  for (Volume* v : {&image, &label}) {  // x to the left, half the spacing
    v->geometry.to_ras[0][0] = -0.5;
    v->geometry.to_ras[0][3] = 9.5;
  }
  f.put_image("odd", image);
  f.put_label("odd", label);
  f.folds(R"({"train": ["a0", "a1", "a2", "a3", "odd"], "validation": ["a4"]})");
  Dataset data(f.settings());
  data.load({});
  CHECK(data.space().orientation == "RAS");
  const auto& odd = data.split("train")[4];
  CHECK(odd.path.size == Size3{8, 12, 10});
  CHECK(odd.image.shape() == Shape({1, 8, 12, 10}));
  CHECK(odd.label.shape() == Shape({8, 12, 10}));
  const Tensor scores = Tensor::zeros(Shape{8, 12, 10, 3});
  scores.data<float>()[1] = 1;  // the model's first voxel is label 1: the scan's last two along x
  const Tensor back = labels_from_scores(scores, odd.path);
  REQUIRE(back.shape() == Shape({8, 12, 20}));
  CHECK(back.contiguous().data<std::uint8_t>()[19] == 1);
  CHECK(back.contiguous().data<std::uint8_t>()[0] == 0);
}

TEST_CASE("the real bad cases are found among real good ones") {
  TENON_NEEDS_MEDICAL_DATA(root);
  Folder f("real");
  int copied = 0;
  for (const auto& entry : fs::directory_iterator(root / "hippocampus/imagesTr")) {
    if (copied++ == 8) break;
    for (const char* folder : {"imagesTr", "labelsTr"})
      fs::copy_file(root / "hippocampus" / folder / entry.path().filename(), f.root() / folder / entry.path().filename());
  }
  std::string ids;
  for (const auto& entry : fs::directory_iterator(f.root() / "imagesTr"))
    ids.append(ids.empty() ? "\"" : ", \"").append(stem_of(entry.path(), {".nii.gz"})).append("\"");
  f.folds("{\"train\": [" + ids + ", \"hippocampus_118\"]}");
  for (const char* folder : {"imagesTr", "labelsTr"})
    for (const auto& entry : fs::directory_iterator(root / "bad/hippocampus" / folder))
      fs::copy_file(entry.path(), f.root() / folder / entry.path().filename());
  const auto problems = Dataset(f.settings()).check({});
  INFO(listed(problems));
  CHECK(holds(problems, "medical.unlabelled", "hippocampus_118"));
  CHECK(holds(problems, "medical.image_absent", "hippocampus_010"));
  CHECK(holds(problems, "medical.image_absent", "hippocampus_281"));
  CHECK(holds(problems, "medical.foreign_size", "hippocampus_281"));
  CHECK(holds(problems, "medical.foreign_spacing", "hippocampus_281"));
  CHECK(problems.size() == 5);
}

TEST_CASE("two files for one place of a case are an error that names both") {
  Folder f("twice");
  for (int i = 0; i < 4; ++i) f.put("case" + std::to_string(i), std::uint64_t(i));
  f.folds(R"({"train": ["case0", "case1"], "validation": ["case2", "case3"]})");
  write_image(f.root() / "imagesTr/case1.nii", Folder::image(9));
  std::ofstream(f.root() / "labelsTr/case3.nii") << "cut";
  Dataset data(f.settings());
  const auto problems = data.check({});
  INFO(listed(problems));
  REQUIRE(problems.size() == 2);
  CHECK(holds(problems, "medical.two_files", "case1"));
  CHECK(holds(problems, "medical.two_files", "case3"));
  for (const char* name : {"case1.nii.gz", "case1.nii ", "case3.nii.gz", "case3.nii "}) CHECK(listed(problems).find(name) != std::string::npos);
  CHECK_THROWS_WITH(data.load({}), Catch::Contains("case1.nii"));
  auto settings = f.settings();
  settings.extensions = {".nii.gz"};
  CHECK(Dataset(settings).check({}).empty());
}

TEST_CASE("what is odd in a scan or label is one warning a file, in the order of the split, and no problem") {
  Folder f("odd");
  for (int i = 0; i < 4; ++i) f.put("case" + std::to_string(i), std::uint64_t(i));
  f.folds(R"({"train": ["case0", "case1"], "validation": ["case2", "case3"]})");
  for (const char* name : {"imagesTr/case0.nii", "labelsTr/case2.nii"}) {
    const fs::path path = f.root() / name;
    fs::remove(path.string() + ".gz");
    write_image(path, name[0] == 'i' ? Folder::image(0) : Folder::label());
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    const float x = 5;  // the qform's origin
    file.seekp(268);
    file.write(reinterpret_cast<const char*>(&x), sizeof x);
  }
  Dataset data(f.settings());
  std::vector<std::string> warnings;
  Monitor monitor;
  monitor.warning = [&](const std::string& text) { warnings.push_back(text); };
  CHECK(data.check(monitor).empty());
  REQUIRE(warnings.size() == 2);
  CHECK(warnings[0] == (f.root() / "imagesTr/case0.nii").string() + ": sform and qform differ by up to 5.00 mm; the sform is used");
  CHECK(warnings[1].find("labelsTr/case2.nii: sform") != std::string::npos);
  data.load(monitor);
  CHECK(warnings.size() == 4);
}
