#include <cerrno>
#include <fstream>
#include <limits>
#include <memory>

#include "medical/io/dicom.hpp"
#include "medical/tasks/segmentation.hpp"
#include "medical/test_data.hpp"
#include "tenon/ops.hpp"

using namespace tenon;
using namespace tenon::medical;
using namespace tenon::medical_test;
namespace fs = std::filesystem;

namespace {

/// Counts the windows that it is asked about.
class Counting final : public nn::Module {
 public:
  Tensor forward(const Tensor& x) override {
    ++calls;
    return concat({x * -1.0, x}, -1);
  }
  int calls = 0;
};

Volume scan(double origin) {
  Volume v;
  v.geometry.size = {8, 8, 8};
  v.geometry.to_ras[0][3] = origin;
  std::vector<std::int16_t> values(512);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::int16_t(i * 37 % 101);
  v.values = Tensor::from(values, Shape{8, 8, 8});
  return v;
}

/// A task that has seen a set of two scans below `root`.
std::unique_ptr<SegmentationTask> trained(const fs::path& root) {
  for (const char* name : {"a.nii", "b.nii"}) {
    Volume v = scan(name[0]);
    v.values.data<std::int16_t>()[0] = name[0];  // no scan twice
    fs::create_directories(root / "imagesTr");
    fs::create_directories(root / "labelsTr");
    write_image(root / "imagesTr" / name, v);
    std::vector<std::uint8_t> label(512);
    label[100] = 1;
    v.values = Tensor::from(label, Shape{8, 8, 8});
    write_image(root / "labelsTr" / name, v);
  }
  std::ofstream(root / "folds.json") << R"({"train": ["a"], "validation": ["b"]})";
  TaskContext context;
  context.recipe_directory = root;
  context.batch_size = 1;
  for (const auto& [name, spec] : segmentation_task().sections) {
    ParamValues values(spec);
    if (name == "data") {
      values.set_from_text(spec, "root", root.string(), "test");
      values.set_from_text(spec, "label_names", "[\"background\", \"spot\"]", "test");
    }
    if (name == "loss") values.set_from_text(spec, "levels", "2", "test");
    if (name == "patch") values.set_from_text(spec, "size", "[8, 8, 8]", "test");
    context.sections.emplace(name, std::move(values));
  }
  auto task = std::make_unique<SegmentationTask>(context);
  task->load({});
  return task;
}

}  // namespace

TEST_CASE("predict: a DICOM folder's result has all of its name", "[medical][predict]") {
  TempFolder folder;
  const auto task = trained(folder / "set");
  Counting model;
  for (const char* name : {"1.2.3.4", "1.2.3.5", "series"}) write_dicom(folder / name, scan(0));
  const fs::path out = folder / "out";
  const auto written = task->predict(model, {folder / "1.2.3.4", folder / "1.2.3.5/", folder / "series//", folder / "set/imagesTr/a.nii"}, {out, false, {}});
  CHECK(written == std::vector<fs::path>{out / "1.2.3.4.nii.gz", out / "1.2.3.5.nii.gz", out / "series.nii.gz", out / "a.nii.gz"});
  CHECK(corner_difference(read_geometry(folder / "series"), read_geometry(out / "series.nii.gz")) < 1e-3);
  CHECK(code_of([&] { task->predict(model, {folder / "series/"}, {out, false, {}}); }) == "predict.exists");
  CHECK(code_of([&] { task->predict(model, {folder / "series", folder / "series/."}, {folder / "other", false, {}}); }) == "predict.same_name");
}

TEST_CASE("predict: an input without a name is refused before any work", "[medical][predict]") {
  TempFolder folder;
  const auto task = trained(folder / "set");
  Counting model;
  CHECK(code_of([&] { task->predict(model, {folder / "set/imagesTr/a.nii", "/"}, {folder / "out", false, {}}); }) == "usage.predict");
  CHECK(model.calls == 0);
  CHECK_FALSE(fs::exists(folder / "out"));
}

TEST_CASE("predict: only a prediction of ours is overwritten", "[medical][predict]") {
  TempFolder folder;
  const auto task = trained(folder / "set");
  Counting model;
  const fs::path input = folder / "set/imagesTr/a.nii", out = folder / "out";
  fs::create_directories(out);
  const auto refused = [&] {
    const auto before = read_file(out / "a.nii.gz");
    model.calls = 0;
    CHECK(code_of([&] { task->predict(model, {input}, {out, true, {}}); }) == "predict.not_a_prediction");
    CHECK(message_of([&] { task->predict(model, {input}, {out, true, {}}); }).find("a.nii.gz") != std::string::npos);
    CHECK(model.calls == 0);
    CHECK((read_file(out / "a.nii.gz") == before));
  };
  write_image(out / "a.nii.gz", scan(3));  // another scan
  refused();
  write_bytes(out / "a.nii.gz", Bytes(100));
  refused();
  fs::remove(out / "a.nii.gz");
  REQUIRE(task->predict(model, {input}, {out, false, {}}).size() == 1);
  CHECK(task->predict(model, {input}, {out, true, {}}).size() == 1);
}

TEST_CASE("predict: a bad input leaves no folder behind", "[medical][predict]") {
  TempFolder folder;
  const auto task = trained(folder / "set");
  Counting model;
  Volume v = scan(0);
  v.values = v.values.to(DType::f32);
  v.values.data<float>()[7] = std::numeric_limits<float>::quiet_NaN();
  write_image(folder / "nan.nii", v);
  write_bytes(folder / "text.nii", Bytes(500, std::byte{'a'}));
  for (const char* name : {"nan.nii", "text.nii"}) {
    CHECK(code_of([&] { task->predict(model, {folder / name}, {folder / "new/out", false, {}}); }) != "");
    CHECK_FALSE(fs::exists(folder / "new"));
  }
}

TEST_CASE("predict: a result that cannot be read back is not kept", "[medical][predict]") {
  struct Unreadable final : FileSystem {
    fs::path path;
    FileSystem* before = set_files_for_testing(this);
    ~Unreadable() override { set_files_for_testing(before); }
    std::unique_ptr<File> open_read(const fs::path& file) override {
      if (file == path) throw_io_error(EIO, "read", file);
      return FileSystem::open_read(file);
    }
  };
  TempFolder folder;
  const auto task = trained(folder / "set");
  Counting model;
  {
    Unreadable files;
    files.path = folder / "out/a.nii.gz";
    CHECK(code_of([&] { task->predict(model, {folder / "set/imagesTr/a.nii"}, {folder / "out", false, {}}); }) == "predict.geometry");
  }
  CHECK_FALSE(fs::exists(folder / "out/a.nii.gz"));
}

TEST_CASE("predict: what is odd in a scan is one warning a file", "[medical][predict]") {
  TempFolder folder;
  const auto task = trained(folder / "set");
  Counting model;
  write_image(folder / "apart.nii", scan(0));
  Bytes bytes = read_file(folder / "apart.nii");
  put_at<float>(bytes, 268, 5);  // the qform's origin
  write_bytes(folder / "apart.nii", bytes);
  Volume constant = scan(0);
  constant.values = Tensor::full(Shape{8, 8, 8}, 7);
  write_image(folder / "constant.nii", constant);
  std::vector<std::string> warnings;
  PredictOptions options{folder / "out", false, {}};
  options.monitor.warning = [&](const std::string& text) { warnings.push_back(text); };
  CHECK(task->predict(model, {folder / "apart.nii", folder / "constant.nii", folder / "set/imagesTr/a.nii"}, options).size() == 3);
  REQUIRE(warnings.size() == 2);
  CHECK(warnings[0] == (folder / "apart.nii").string() + ": sform and qform differ by up to 5.00 mm; the sform is used");
  CHECK(warnings[1].starts_with((folder / "constant.nii").string() + ": every voxel is 7"));
}
