#include <unistd.h>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <thread>

#include "medical/models/unet3d.hpp"
#include "medical/tasks/segmentation.hpp"
#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/ops.hpp"
#include "tenon/optim.hpp"
#include "tenon/plan.hpp"

using namespace tenon;
using namespace tenon::medical;
namespace fs = std::filesystem;

namespace {

/// A made set whose label is where the scan is bright, in a folder of its own.
class BrightSet {
 public:
  explicit BrightSet(const std::string& name)
      : root_(fs::temp_directory_path() / ("tenon-seg-" + name + "-" + std::to_string(::getpid()))) {
    fs::remove_all(root_);
    fs::create_directories(root_ / "imagesTr");
    fs::create_directories(root_ / "labelsTr");
    for (int i = 0; i < 6; ++i) write(i);
    std::ofstream(root_ / "folds.json") << R"({"train": ["c0", "c1", "c2", "c3"], "validation": ["c4", "c5"]})";
  }
  ~BrightSet() { fs::remove_all(root_); }
  const fs::path& root() const { return root_; }

  TaskContext context(const std::vector<std::pair<std::string, std::string>>& overrides = {}) const {
    TaskContext c;
    c.recipe_directory = root_;
    c.seed = 3;
    c.batch_size = 2;
    for (const auto& [name, spec] : segmentation_task().sections) {
      ParamValues values(spec);
      auto set = [&](const std::string& key, const std::string& text) { values.set_from_text(spec, key, text, "test"); };
      if (name == "data") {
        set("root", root_.string());
        set("label_names", "[\"background\", \"bright\"]");
      }
      if (name == "patch") set("size", "[8, 16, 8]");
      if (name == "loss") set("levels", "2");
      for (const auto& [key, text] : overrides)
        if (key.starts_with(name + ".")) set(key.substr(name.size() + 1), text);
      c.sections.emplace(name, std::move(values));
    }
    return c;
  }

 private:
  void write(int i) {
    const std::array<std::int64_t, 3> n{9, 14, 8};
    const std::string name = std::string("c").append(std::to_string(i)).append(".nii.gz");
    std::vector<float> image;
    std::vector<std::uint8_t> label;
    const Random r(std::uint64_t(i), 0);
    for (std::int64_t z = 0; z < n[2]; ++z)
      for (std::int64_t y = 0; y < n[1]; ++y)
        for (std::int64_t x = 0; x < n[0]; ++x) {
          const bool in = std::abs(double(x) - 3 - i % 3) < 2 && std::abs(double(y) - 6) < 3 && std::abs(double(z) - 4) < 2;
          label.push_back(in);
          image.push_back((in ? 200.0f : 50.0f) + r.uniform(image.size(), -40, 40));
        }
    Volume v;
    v.geometry.size = n;
    v.geometry.to_ras[0][3] = -12.25;
    v.values = Tensor::from(image, Shape{n[2], n[1], n[0]});
    write_image(root_ / "imagesTr" / name, v);
    v.values = Tensor::from(label, Shape{n[2], n[1], n[0]});
    write_image(root_ / "labelsTr" / name, v);
  }
  fs::path root_;
};

/// Scores that follow the (normalised) grey value: perfect on the made set.
class Threshold final : public nn::Module {
 public:
  Tensor forward(const Tensor& x) override { return concat({x * -1.0 + 2.0, x}, -1); }
};

/// Scores of two classes at two resolutions, and what they were made from.
class Seen final : public nn::Module {
 public:
  Tensor input;
  std::vector<Tensor> forward_all(const std::vector<Tensor>& inputs) override {
    input = inputs[0];
    const Tensor fine = concat({input * -1.0 + 2.0, input}, -1);
    return {fine, avg_pool(fine, {2, 2, 2}, {2, 2, 2}, {0, 0, 0})};
  }
};

std::vector<Tensor> make_batch(const SegmentationTask& task) {
  std::vector<Tensor> batch;
  for (const auto& spec : task.batch_spec()) batch.push_back(Tensor::empty(spec.shape, spec.dtype));
  return batch;
}

/// Three resolutions.
nn::ModulePtr small_unet(const SegmentationTask& task) {
  const ModelEntry entry = unet3d_model();
  ParamValues params(entry.params);
  params.set_from_text(entry.params, "widths", "[4, 8, 16]", "test");
  const auto model = entry.make(params, task.model_context());
  model->initialise(1);
  return model;
}

}  // namespace

TEST_CASE("batches: declared shapes, labels at every level, the same bits from any thread") {
  BrightSet set("batch");
  SegmentationTask task(set.context());
  task.load({});
  const auto spec = task.batch_spec();
  REQUIRE(spec.size() == 3);
  CHECK(spec[0].shape == Shape({2, 8, 16, 8, 1}));
  CHECK(spec[1].shape == Shape({2, 8, 16, 8}));
  CHECK(spec[2].shape == Shape({2, 4, 8, 4}));
  const Random random(3, 0);
  auto one = make_batch(task), two = make_batch(task);
  task.fill_batch(11, random, one);
  std::thread([&] {
    auto other = make_batch(task);
    task.fill_batch(10, random, other);
    task.fill_batch(11, random, two);
  }).join();
  for (std::size_t i = 0; i < 3; ++i) CHECK(one[i].to_vector() == two[i].to_vector());
  for (std::int64_t b = 0; b < 2; ++b)
    for (std::int64_t z = 0; z < 4; ++z)
      for (std::int64_t y = 0; y < 8; ++y)
        for (std::int64_t x = 0; x < 4; ++x)
          REQUIRE(one[2].data<std::uint8_t>()[((b * 4 + z) * 8 + y) * 4 + x] ==
                  one[1].data<std::uint8_t>()[((b * 8 + 2 * z) * 16 + 2 * y) * 8 + 2 * x]);
}

TEST_CASE("shuffled labels change what is trained on, not the images nor what is scored") {
  BrightSet set("shuffle");
  SegmentationTask task(set.context()), shuffled(set.context({{"data.shuffle_labels", "true"}}));
  task.load({});
  shuffled.load({});
  auto own = make_batch(task), others = make_batch(task);
  task.fill_batch(7, Random(3, 0), own);
  shuffled.fill_batch(7, Random(3, 0), others);
  CHECK(own[0].to_vector() == others[0].to_vector());
  CHECK(own[1].to_vector() != others[1].to_vector());
  CHECK(own[2].to_vector() != others[2].to_vector());
  Threshold model;
  CHECK(shuffled.score(shuffled.evaluate(model, "validation", 0, {})) == 1);
}

TEST_CASE("batches made on the device are those made on the host, their labels and grey values") {
  BrightSet set("device");
  // Every change of every sample, so that none is right for want of being drawn.
  std::vector<std::pair<std::string, std::string>> all{{"augment.mirror", "[0, 1, 2]"}};
  for (const char* what : {"rotation", "scale", "noise", "blur", "brightness", "shift", "contrast", "low_resolution", "gamma", "inverted_gamma"})
    all.emplace_back("augment." + std::string(what) + "_probability", "0.7");
  for (const char* shuffled : {"false", "true"}) {
    auto settings = all;
    settings.emplace_back("data.shuffle_labels", shuffled);
    SegmentationTask host(set.context(settings));
    settings.emplace_back("augment.where", "device");
    SegmentationTask device(set.context(settings));
    host.load({});
    device.load({});
    auto made = make_batch(host), drawn = make_batch(device);
    std::size_t bytes = 0;
    for (const Tensor& t : drawn) bytes += t.nbytes();
    CHECK(bytes < 400);
    Seen seen_host, seen_device;
    for (std::int64_t step = 0; step < 8; ++step) {
      host.fill_batch(step, Random(3, 0), made);
      device.fill_batch(step, Random(3, 0), drawn);
      const double loss_host = host.loss(seen_host, made)[0].second.item(), loss_device = device.loss(seen_device, drawn)[0].second.item();
      CHECK(loss_host == loss_device);  // labels of every level are in it
      CHECK(seen_host.input.to_vector() == seen_device.input.to_vector());
    }
  }
}

TEST_CASE("a training whose patches are made on the device: recorded, the host's losses, the same bits for any number of threads") {
  BrightSet set("train");
  const int threads_before = thread_count();
  auto losses_of = [&](const char* where, int threads, bool recorded) {
    set_thread_count(threads);
    SegmentationTask task(set.context({{"augment.where", where}}));
    task.load({});
    const auto model = small_unet(task);
    const auto optimiser = make_sgd(*model, {});
    auto batch = make_batch(task);
    Tensor loss;
    auto step = [&] {
      loss = task.loss(*model, batch)[0].second;
      loss.backward();
      optimiser->step();
    };
    StepPlan plan;
    if (recorded) plan = StepPlan::record(step);
    std::vector<double> losses;
    for (std::int64_t i = 0; i < 6; ++i) {
      task.fill_batch(i, Random(3, 0), batch);
      optimiser->begin_step(0.05);
      if (recorded) plan.run();
      else step();
      losses.push_back(loss.item());
    }
    set_thread_count(threads_before);
    return losses;
  };
  const auto device = losses_of("device", 1, true);
  CHECK(device.back() < device.front());
  CHECK(device == losses_of("device", 2, true));
  CHECK(device == losses_of("device", 1, false));
  CHECK(device == losses_of("host", 2, true));
}

TEST_CASE("scans beyond half of a device's memory are refused with sizes and remedy") {
  require_room(3, std::size_t(4) << 30, std::size_t(8) << 30, kCpu);
  try {
    require_room(3, std::size_t(5) << 30, std::size_t(8) << 30, {DeviceType::cuda, 0});
    FAIL("taken");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::device);
    CHECK(e.code() == "medical.device_memory");
    CHECK(e.where() == "augment.where");
    CHECK(e.message() == "3 training scans take 5.00 GiB, more than half of the 8.00 GiB that are left of the memory of cuda:0");
    CHECK_THAT(e.hint(), Catch::Contains("augment.where = \"host\""));
  }
}

TEST_CASE("the loss supervises every level and has gradients") {
  BrightSet set("loss");
  SegmentationTask task(set.context());
  task.load({});
  const auto model = small_unet(task);
  auto batch = make_batch(task);
  task.fill_batch(0, Random(3, 0), batch);
  const auto heads = model->forward_all({batch[0]});
  REQUIRE(heads.size() == 2);
  const double expected = (dice_cross_entropy(heads[0], batch[1]).item() + 0.5 * dice_cross_entropy(heads[1], batch[2]).item()) / 1.5;
  const auto losses = task.loss(*model, batch);
  CHECK(losses[0].first == "loss");
  CHECK(losses[0].second.item() == Approx(expected));
  losses[0].second.backward();
  for (const auto& [name, p] : model->parameters()) {
    INFO(name);
    CHECK(p.grad().defined());
  }
}

TEST_CASE("evaluation scores cases, pictures the worst, and puts the floor and published figures beside them") {
  BrightSet set("evaluate");
  SegmentationTask task(
      set.context({{"baselines.published", "[\"someone | 0.5 | a paper, 10 cases\"]"}, {"metrics.scores", "[\"dice\", \"hd95\"]"}}));
  task.load({});
  Threshold model;
  const auto e = task.evaluate(model, "validation", 1, {});
  REQUIRE(e.cases.size() == 2);
  CHECK(e.cases[0].id == "c4");
  CHECK(e.cases[0].values[0] == 1);
  CHECK(e.cases[0].values[1] == 0);
  CHECK(task.score(e) == 1);
  CHECK(e.cases[0].pictures.size() + e.cases[1].pictures.size() == 1);
  const auto& picture = e.cases[0].pictures.empty() ? e.cases[1].pictures[0] : e.cases[0].pictures[0];
  CHECK(picture.png.size() > 100);
  CHECK(picture.caption.find("Dice bright 1.000") != std::string::npos);
  REQUIRE(e.baselines.size() == 2);
  CHECK(e.baselines[0].name == "image-blind atlas");
  CHECK(e.baselines[0].values[0] > 0.3);
  CHECK(e.baselines[0].values[0] < 1);
  CHECK(e.baselines[1].values[0] == 0.5);
  CHECK(std::isnan(e.baselines[1].values[1]));
  CHECK(e.baselines[1].source == "a paper, 10 cases");
  CHECK_THROWS_WITH(task.evaluate(model, "tset", 0, {}), Catch::Contains("tset"));
}

TEST_CASE("prediction needs the state alone, keeps the geometry and overwrites nothing") {
  BrightSet set("predict");
  std::string state;
  {
    SegmentationTask trained(set.context());
    CHECK_THROWS_AS(trained.state(), Error);
    trained.load({});
    state = trained.state();
  }
  SegmentationTask task(set.context({{"data.root", "/nonexistent"}}));
  Threshold model;
  const fs::path out = set.root() / "out", input = set.root() / "imagesTr/c4.nii.gz";
  CHECK_THROWS_AS(task.predict(model, {input}, {out, false, {}}), Error);
  task.load_state(state);
  const auto written = task.predict(model, {input, set.root() / "imagesTr/c5.nii.gz"}, {out, false, {}});
  REQUIRE(written.size() == 2);
  CHECK(written[0] == out / "c4.nii.gz");
  CHECK(corner_difference(read_geometry(input), read_geometry(written[0])) == 0);
  CHECK(read_labels(written[0]).values.to_vector() == read_labels(set.root() / "labelsTr/c4.nii.gz").values.to_vector());

  CHECK_THROWS_WITH(task.predict(model, {input}, {out, false, {}}), Catch::Contains("there already"));
  CHECK(task.predict(model, {input}, {out, true, {}}).size() == 1);
  CHECK_THROWS_WITH(task.predict(model, {input}, {set.root() / "imagesTr", true, {}}), Catch::Contains("replace an input"));
  CHECK_THROWS_WITH(task.predict(model, {input, out / "c4.nii.gz"}, {set.root() / "other", false, {}}), Catch::Contains("two inputs"));
}

TEST_CASE("scoring cases that the model was trained on: refused, or counted where the user allows it") {
  BrightSet set("leak");
  std::string state;
  {
    SegmentationTask trained(set.context());
    trained.load({});
    state = trained.state();
  }
  Threshold model;
  std::ofstream(set.root() / "folds.json") << R"({"train": ["c4", "c5"], "validation": ["c0", "c1"]})";
  SegmentationTask strict(set.context());
  strict.load_state(state);
  strict.load({});
  CHECK_THROWS_WITH(strict.evaluate(model, "validation", 0, {}), Catch::Contains("the model was trained on this case"));
  SegmentationTask allowed(set.context({{"data.allow_leak", "true"}}));
  allowed.load_state(state);
  allowed.load({});
  std::string warned;
  Monitor monitor;
  monitor.warning = [&](const std::string& text) { warned = text; };
  const Evaluation e = allowed.evaluate(model, "validation", 0, monitor);
  const std::string said = "the model was trained on " + std::to_string(e.cases.size()) + " of these " + std::to_string(e.cases.size()) + " cases";
  CHECK_THAT(warned, Catch::Contains(said));
  CHECK_THAT(e.notes.back(), Catch::Contains(said));
}

TEST_CASE("one bad file among good ones: the good are written, the bad named") {
  BrightSet set("some");
  SegmentationTask task(set.context());
  task.load({});
  const auto bad = set.root() / "imagesTr/c5.nii.gz";
  fs::resize_file(bad, fs::file_size(bad) - 9);
  Threshold model;
  try {
    task.predict(model, {bad, set.root() / "imagesTr/c4.nii.gz"}, {set.root() / "out", false, {}});
    FAIL("no error");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::batch);
    CHECK(e.message().find("c5.nii.gz") != std::string::npos);
  }
  CHECK(fs::exists(set.root() / "out/c4.nii.gz"));
  CHECK_FALSE(fs::exists(set.root() / "out/c5.nii.gz"));
  CHECK_THROWS_AS(task.predict(model, {bad}, {set.root() / "out2", false, {}}), Error);
}

TEST_CASE("a scan whose voxels are of another order of size than training's is named, and costs the others nothing") {
  BrightSet set("units");
  SegmentationTask task(set.context());
  task.load({});
  const fs::path good = set.root() / "imagesTr/c4.nii.gz";
  Threshold model;
  for (const double factor : {1000.0, 0.001}) {
    Volume other = read_volume(good);
    other.attributes.clear();  // the header of the file it came from would be kept
    for (auto& row : other.geometry.to_ras)
      for (double& value : row) value *= factor;
    const fs::path odd = set.root() / (factor > 1 ? "metres.nii.gz" : "micrometres.nii.gz");
    write_image(odd, other);
    std::string said;
    try {
      task.predict(model, {odd, good}, {set.root() / ("out" + std::to_string(factor)), false, {}});
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::batch);
      said = e.message();
    }
    CHECK_THAT(said, Catch::Contains("metres.nii.gz") && Catch::Contains("mm, training had") && Catch::Contains("medical.foreign_spacing"));
    CHECK(fs::exists(set.root() / ("out" + std::to_string(factor)) / "c4.nii.gz"));
  }
}

TEST_CASE("what the recipe names of the data and is not there is refused by key before it is loaded") {
  BrightSet set("inputs");
  SegmentationTask(set.context()).require_inputs();
  for (const auto& [key, value] : {std::pair<std::string, std::string>{"data.labels", "labelTr"}, {"data.fold", "99"}}) {
    try {
      SegmentationTask(set.context({{key, value}})).require_inputs();
      FAIL("taken: " << key);
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::usage);
      CHECK(e.where() == key);
    }
  }
}

TEST_CASE("a state that is damaged or another task's is refused") {
  BrightSet set("state");
  SegmentationTask task(set.context());
  CHECK_THROWS_WITH(task.load_state("{"), Catch::Contains("not a task state"));
  CHECK_THROWS_WITH(task.load_state(R"({"task": "climate.other"})"), Catch::Contains("another task"));
  CHECK_THROWS_WITH(task.load_state(R"({"task": "medical.segmentation", "labels": ["a", "b", "c"], "channels": 1})"),
                    Catch::Contains("3 labels"));
}

TEST_CASE("recipe values that cannot work are refused by key") {
  BrightSet set("recipe");
  CHECK_THROWS_WITH(SegmentationTask(set.context({{"patch.size", "[8, 16]"}})), Catch::Contains("patch.size"));
  for (const auto& [key, value] : {std::pair<std::string, std::string>{"patch.size", "[8, 16]"}, {"data.label_names", "[]"}}) {
    try {
      SegmentationTask task(set.context({{key, value}}));
      FAIL("taken: " << key);
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::usage);
      CHECK(e.where() == key);  // the recipe makes a line of it
    }
  }
  CHECK_THROWS_WITH(SegmentationTask(set.context({{"patch.size", "[8, 16, 10]"}})), Catch::Contains("multiple of 4"));
  CHECK_THROWS_WITH(SegmentationTask(set.context({{"augment.scale", "[1.4, 0.7]"}})), Catch::Contains("augment.scale"));
  CHECK_THROWS_WITH(SegmentationTask(set.context({{"augment.mirror", "[1, 1]"}})), Catch::Contains("augment.mirror"));
  CHECK_THROWS_WITH(SegmentationTask(set.context({{"baselines.published", "[\"name | x | y\"]"}})), Catch::Contains("baselines.published"));
  CHECK_THROWS_WITH(SegmentationTask(set.context({{"baselines.published", "[\"name | 1, 2, 3 | y\"]"}})), Catch::Contains("3 values"));
}
