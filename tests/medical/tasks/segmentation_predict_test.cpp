#include <fstream>
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
