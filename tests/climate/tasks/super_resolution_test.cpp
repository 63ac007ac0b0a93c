#include "climate/tasks/super_resolution.hpp"

#include "climate/io/dataset.hpp"
#include "climate/task_test.hpp"
#include "tenon/ops.hpp"
#include "tenon/resizing.hpp"

using namespace tenon;
using namespace tenon::climate;
using namespace tenon::climate_test;
namespace fs = std::filesystem;

namespace {

Overrides recipe(const fs::path& file, Overrides more = {}) {
  Overrides all{{"data.file", file.string()}, {"data.factor", "2"}, {"data.score", "[270, 360]"}, {"patch.size", "8"}, {"patch.margin", "2"}, {"predict.tile", "10"}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// Corrects by a function of the cell and its own output's place, so that its box mean must be taken out.
class Constant final : public nn::Module {
 public:
  explicit Constant(std::int64_t out, double value) : out_(out), value_(value) {}
  Tensor forward(const Tensor& x) override { return x.narrow(3, 0, 1).expand({x.size(0), x.size(1), x.size(2), out_}).contiguous() * 0.0 + value_; }

 private:
  std::int64_t out_;
  double value_;
};

}  // namespace

TEST_CASE("cells: means, layout and the ways back", "[climate][super_resolution]") {
  const Tensor fine = random_normal({1, 24, 32, 1}, 1, 2);
  std::vector<float> means(6 * 8), cells(24 * 32), up(24 * 32);
  box_means(fine.data<float>(), 32, 6, 8, 4, means.data());
  const Tensor area = avg_pool(fine, {4, 4});
  for (std::size_t i = 0; i < means.size(); ++i) CHECK(means[i] == Approx(area.data<float>()[i]).margin(1e-6));
  by_cell(fine.data<float>(), 32, 6, 8, 4, cells.data());
  CHECK(Tensor::from(cells, Shape{1, 6, 8, 16}).to_vector() == space_to_depth(fine, {4, 4}).to_vector());
  // The core's resize is the witness (itself checked against PyTorch).
  for (const auto& [method, mode] : {std::pair{Upsampling::nearest, ResizeMode::nearest}, {Upsampling::linear, ResizeMode::linear}, {Upsampling::cubic, ResizeMode::catmull_rom}}) {
    upsample(means.data(), 6, 8, 4, method, up.data());
    const Tensor expected = space_to_depth(resize(Tensor::from(means, Shape{1, 6, 8, 1}), {24, 32}, ResizeOptions{.mode = mode}), {4, 4}).contiguous();
    for (std::size_t i = 0; i < up.size(); ++i) CHECK(up[i] == Approx(expected.data<float>()[i]).margin(1e-5));
  }
  keep_means(means.data(), 48, 4, up.data());
  for (std::size_t c = 0; c < 48; ++c) {
    double sum = 0;
    for (std::size_t k = 0; k < 16; ++k) sum += double(up[c * 16 + k]);
    CHECK(sum / 16 == Approx(means[c]).margin(1e-6));
  }
}

TEST_CASE("super-resolution: a network that corrects nothing is bicubic with its means kept", "[climate][super_resolution]") {
  Folder folder;
  const fs::path file = folder / "relief.nc";
  write_netcdf(file, made_relief());
  SuperResolutionTask task(context_of(super_resolution_task(), recipe(file, {{"predict.symmetries", "[\"transpose\", \"flip_rows\", \"flip_columns\"]"}})));
  CHECK(task.check({}).empty());
  task.load({});
  Constant silent(4, 0), loud(4, 100);
  const Evaluation a = task.evaluate(silent, "validation", 1, {}), b = task.evaluate(loud, "validation", 0, {});
  REQUIRE(a.columns.size() == 2);
  CHECK(a.totals[0].value == Approx(b.totals[0].value).epsilon(1e-5));  // a constant is the cell's mean, which is kept
  REQUIRE(a.baselines.size() == 3);
  CHECK(a.baselines[0].name == "bicubic");
  CHECK(a.totals[0].value < a.baselines[0].values[0]);  // keeping the means can only help
  CHECK(a.totals[1].value == Approx(a.totals[0].value / a.baselines[0].values[0]));
  CHECK(a.pictures.size() == 1);
}

TEST_CASE("super-resolution: samples come from outside the scored longitudes", "[climate][super_resolution]") {
  Folder folder;
  const fs::path file = folder / "relief.nc";
  LabelledArray relief = made_relief();
  for (std::int64_t r = 0; r < 48; ++r)
    for (std::int64_t c = 72; c < 96; ++c) relief.values.data<float>()[r * 96 + c] = 1e6f;  // the scored quarter shouts
  write_netcdf(file, relief);
  SuperResolutionTask task(context_of(super_resolution_task(), recipe(file), 16));
  task.load({});
  for (std::int64_t step = 0; step < 20; ++step) {
    std::vector<Tensor> b;
    for (const auto& s : task.batch_spec()) b.push_back(Tensor::empty(s.shape, s.dtype));
    task.fill_batch(step, Random(1, 2), b);
    for (double v : b[0].to_vector()) REQUIRE(std::abs(v) < 100);
    double counted = 0;
    for (double w : b[2].to_vector()) counted += w > 0;
    CHECK(counted == 16 * 4 * 4);
  }
}

TEST_CASE("super-resolution: regions that cannot be are refused", "[climate][super_resolution]") {
  Folder folder;
  const fs::path file = folder / "relief.nc";
  write_netcdf(file, made_relief());
  auto load = [&](Overrides more) { SuperResolutionTask(context_of(super_resolution_task(), recipe(file, std::move(more)))).load({}); };
  CHECK(code_of([&] { load({{"data.hold_back", "[200, 280]"}}); }) == "climate.leak");
  CHECK(code_of([&] { load({{"data.score", "[350, 359]"}}); }) == "climate.region");
  CHECK(code_of([&] { load({{"data.score", "[330, 400]"}}); }) == "climate.region");
  CHECK(code_of([&] { load({{"data.score", "[1]"}}); }) == "climate.recipe");
  CHECK(code_of([&] { load({{"data.unit", "ft"}}); }) == "climate.unit");
  CHECK(code_of([&] { load({{"patch.margin", "4"}}); }) == "climate.recipe");
}

TEST_CASE("super-resolution: a file is refined with its coordinates", "[climate][super_resolution]") {
  Folder folder;
  write_netcdf(folder / "relief.nc", made_relief());
  write_netcdf(folder / "coarse.nc", made_relief(24, 48));
  SuperResolutionTask task(context_of(super_resolution_task(), recipe(folder / "relief.nc")));
  task.load({});
  Constant silent(4, 0);
  PredictOptions options;
  options.output = folder / "out";
  const auto written = task.predict(silent, {folder / "coarse.nc"}, options);
  const LabelledArray fine = read_netcdf(written.at(0), "height"), relief = made_relief();
  CHECK(fine.values.shape() == Shape{48, 96});
  for (std::size_t k = 0; k < 48; ++k) CHECK(fine.axes[0].coordinates[k] == Approx(relief.axes[0].coordinates[k]).margin(1e-9));
  std::vector<float> means(24 * 48);
  const LabelledArray coarse = made_relief(24, 48);
  box_means(fine.values.data<float>(), 96, 24, 48, 2, means.data());
  for (std::size_t i = 0; i < means.size(); ++i) CHECK(means[i] == Approx(coarse.values.data<float>()[i]).margin(1e-2));
}

TEST_CASE("ETOPO5: the baselines of the brief", "[climate][super_resolution]") {
  const fs::path file = "/usr/share/ferret-vis/data/etopo5.cdf";
  if (!fs::exists(file)) {
    WARN("skipped: needs Debian's ferret-datasets");
    return;
  }
  FineField f = read_fine_field(file, "ROSE");
  trim_to_cells(f, 4);
  const std::int64_t rows = 540, columns = 270, width = 4320;
  std::vector<float> coarse(std::size_t(rows * columns)), truth(std::size_t(rows * columns * 16)), guess(truth.size());
  box_means(f.values.data() + 3240, width, rows, columns, 4, coarse.data());
  by_cell(f.values.data() + 3240, width, rows, columns, 4, truth.data());
  for (const auto& [method, metres] : {std::pair{Upsampling::nearest, 177.6}, {Upsampling::linear, 144.5}, {Upsampling::cubic, 129.9}}) {
    upsample(coarse.data(), rows, columns, 4, method, guess.data());
    double square = 0, weight = 0;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c)
        for (std::int64_t k = 0; k < 16; ++k) {
          const double w = std::cos(f.grid.latitude[std::size_t(r * 4 + k / 4)] * M_PI / 180);
          const auto at = std::size_t((r * columns + c) * 16 + k);
          square += w * std::pow(double(guess[at] - truth[at]), 2);
          weight += w;
        }
    CHECK(std::sqrt(square / weight) == Approx(metres).margin(0.06));
  }
}
