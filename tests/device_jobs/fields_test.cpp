// The command with --device cuda, one job of each field: trained, scored and predicted on the device, beside the same on the CPU. The device is the shim, whose memory
// the host cannot touch, so what a task leaves or looks for in the wrong memory ends the command here as it would on a GPU.
#include <catch2/catch.hpp>

#include <cmath>
#include <cstdlib>
#include <map>
#include <sstream>

#include <nlohmann/json.hpp>

#include "cli/with_backend.hpp"
#if TENON_WITH_CLIMATE
#include "climate/task_test.hpp"
#endif

using namespace cli;
using nlohmann::json;

namespace {

/// The shim as the backend.
struct Site : WithBackend {
  Site() : WithBackend(SHIM_BACKEND) {}
  Result run(const std::vector<std::string>& arguments) const {
    return WithBackend::run(arguments, {"TENON_PLAN_MEMORY=none", "TENON_SHARE=" TENON_SOURCE_DIR "/data", "TENON_PLUGIN_PATH=" TENON_BINARY_DIR "/lib/tenon/plugins"});
  }
  void done(const std::vector<std::string>& arguments) const {
    const Result r = run(arguments);
    INFO(arguments[0] << ": " << r.out << r.err);
    REQUIRE(r.status == 0);
  }
};

const std::string kPlugins = std::string(TENON_SOURCE_DIR) + "/plugins/", kSamples = std::string(TENON_SOURCE_DIR) + "/data/samples/";

/// All numbers of a JSON text by where they are, "cases/3/values/0".
void numbers(const json& j, const std::string& at, std::map<std::string, double>& found) {
  if (j.is_number()) found[at] = j.get<double>();
  else if (j.is_structured())
    for (const auto& [key, value] : j.items()) numbers(value, at + "/" + key, found);
}

/// Scores that both runs have, with what they may differ by.
void same_scores(const std::string& a, const std::string& b, double tolerance) {
  std::map<std::string, double> x, y;
  numbers(json::parse(a), "", x);
  numbers(json::parse(b), "", y);
  CHECK(x.size() == y.size());
  CHECK(x.size() > 2);
  for (const auto& [at, value] : x) {
    if (at.find("seconds") != std::string::npos) continue;
    INFO(at);
    REQUIRE(y.count(at));
    CHECK(std::abs(value - y[at]) <= tolerance * std::max(1.0, std::abs(value)));
  }
}

/// Trains on the device, then scores and predicts there and on the CPU.
void job(const Site& site, const std::string& recipe, std::vector<std::string> changes, const std::string& split, const std::string& input, double tolerance) {
  std::vector<std::string> train{"train", kPlugins + recipe, "--run", "run", "--device", "cuda", "--quiet", "--explain-plan", "train.evaluate=false", "train.validate_every=0", "train.checkpoint_every=1000"};
  train.insert(train.end(), changes.begin(), changes.end());
  site.done(train);
  const json state = json::parse(slurp(site.folder.path / "run" / "state.json"));
  CHECK(state["device"] == "cuda:0");
  CHECK(slurp(site.folder.path / "run" / "plan.txt").find("\n# one CUDA graph of ") != std::string::npos);
  CHECK(slurp(site.folder.path / "run" / "log.txt").find("launched one by one") == std::string::npos);
  std::map<std::string, std::string> scores;
  for (const char* device : {"cuda", "cpu"}) {
    const Result r = site.run({"evaluate", "run", "--split", split, "--device", device, "--json"});
    INFO(device << ": " << r.err);
    REQUIRE(r.status == 0);
    scores[device] = r.out;
    site.done({"predict", "run", input, "--device", device, "-o", device, "--quiet"});
  }
  same_scores(scores["cuda"], scores["cpu"], tolerance);
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(site.folder.path / "cpu")) {
    CHECK(fs::exists(site.folder.path / "cuda" / entry.path().filename()));
    ++files;
  }
  CHECK(files > 0);
}

}  // namespace

TEST_CASE("the shim is a device to the command") {
  const Site site;
  const Result r = site.run({"devices", "--json"});
  INFO(r.out << r.err);
  REQUIRE(r.status == 0);
  const json device = json::parse(r.out)["devices"][1];
  CHECK(device["usable"] == true);
  CHECK(device["libraries"] == json{{"cuBLASLt", "13.1.0"}, {"cuFFT", "12.0.1"}, {"cuSOLVER", "12.0.10"}});
}

TEST_CASE("the device passes the command's own checks", "[slow]") {
  const Site site;
  const Result r = site.run({"doctor", "--json"});
  INFO(r.out << r.err);
  REQUIRE(r.status == 0);
  const json done = json::parse(r.out);
  int on_device = 0;
  for (const json& check : done["checks"]) {
    INFO(check.dump());
    CHECK(check["passed"] == true);
    on_device += check["device"] == "cuda:0";
  }
  CHECK(on_device >= 20);
}

#if TENON_WITH_MEDICAL
TEST_CASE("medical: a segmentation on the device", "[slow]") {
  const Site site;
  const fs::path data = site.folder.path / "scans";
  fs::create_directories(data);
  for (const char* part : {"imagesTr", "labelsTr"}) fs::create_directory_symlink(fs::path(kSamples) / "hippocampus" / part, data / part);
  json folds = json::parse(slurp(fs::path(kSamples) / "hippocampus" / "folds.json"));
  for (auto& [key, value] : folds.items())
    if (key.starts_with("fold_")) value = json::array({value[0]});
  std::ofstream(data / "folds.json") << folds;
  const std::string scan = (fs::path(kSamples) / "hippocampus" / "imagesTr" / (folds["fold_0"][0].get<std::string>() + ".nii.gz")).string();
  job(site, "medical/recipes/hippocampus-sample.toml",
      {"data.root=" + data.string(), "patch.size=[16,16,16]", "model.widths=[2,4]", "loss.levels=1", "predict.mirror=[]", "augment.where=device", "train.minutes=0", "train.steps=3", "train.batch=2", "train.precision=f32", "baselines.atlas=false"},
      "validation", scan, 0.02);
}
#endif

#if TENON_WITH_CLIMATE
TEST_CASE("climate: a neural operator on the device", "[slow]") {
  const Site site;
  job(site, "climate/recipes/darcy.toml",
      {"data.root=" + kSamples + "darcy", "model.width=4", "model.modes=[3,3]", "model.projection=8", "train.epochs=0", "train.steps=3", "train.batch=2", "predict.symmetries=[]", "baselines.published=[]"},
      "validation", kSamples + "darcy/darcy_test_16_x.npy", 1e-4);
}
#endif

#if TENON_WITH_CLIMATE
TEST_CASE("climate: a forecast on the device", "[slow]") {
  const Site site;
  const fs::path file = site.folder.path / "made.nc";
  tenon::climate::write_netcdf(file, tenon::climate_test::made_series(2 * 365 + 120));
  job(site, "climate/recipes/slp-north-atlantic.toml",
      {"data.file=" + file.string(), "data.fit=[2001,2002]", "data.score=[2003,2003]", "forecast.leads=[1,2]", "forecast.corrected=2", "forecast.base_eofs=4", "baselines.eofs=4", "loss.lead_weights=[1.0,0.5]", "model.width=4",
       "model.stages=2", "model.members=2", "train.epochs=0", "train.steps=3", "train.batch=2"},
      "validation", file.string(), 1e-3);
}

TEST_CASE("climate: super-resolution on the device", "[slow]") {
  const Site site;
  const fs::path file = site.folder.path / "relief.nc";
  tenon::climate::write_netcdf(file, tenon::climate_test::made_relief());
  job(site, "climate/recipes/etopo-super-resolution.toml",
      {"data.file=" + file.string(), "data.variable=", "data.unit=m", "data.factor=2", "data.score=[270,360]", "patch.size=6", "patch.margin=1", "predict.symmetries=[\"flip_rows\"]", "model.width=4", "model.blocks=1", "train.minutes=0",
       "train.steps=3", "train.batch=2"},
      "validation", file.string(), 1e-3);
}
#endif

#if TENON_WITH_GENOMICS
TEST_CASE("genomics: an ensemble that knows no strand on the device", "[slow]") {
  const Site site;
  const std::string bases = "ACGT";
  std::string text[2];
  for (int i = 0; i < 60; ++i)
    for (int k = 0; k < 2; ++k) {
      std::string sequence;
      for (int b = 0; b < 40; ++b) sequence += bases[std::size_t((i * 7 + b * (k + 3) + i * b) % 4)];
      text[k] += ">s" + std::to_string(k) + "_" + std::to_string(i) + "\n" + sequence + "\n";
    }
  site.folder.write("set/no.fa", text[0]), site.folder.write("set/yes.fa", text[1]);
  job(site, "genomics/recipes/nf-e2.toml",
      {"data.root=" + (site.folder.path / "set").string(), "data.files=[\"no.fa\",\"yes.fa\"]", "data.test_files=[]", "data.test_share=0.3", "data.duplicates=drop", "augment.shift=2", "linear.kmers=[2]", "linear.strength=1", "model.filters=6", "model.kernel=5",
       "model.pool=2", "model.dilations=[1,2]", "model.members=2", "model.strand=tied", "train.epochs=0", "train.steps=3", "train.batch=4", "baselines.published=[]"},
      "validation", (site.folder.path / "set/yes.fa").string(), 1e-3);
}

TEST_CASE("genomics: a classification of sequences on the device", "[slow]") {
  const Site site;
  const std::string table = slurp(fs::path(kSamples) / "splice-junctions" / "splice.txt");
  std::istringstream lines(table);
  std::string few, line;
  for (int i = 0; std::getline(lines, line); ++i)
    if (i % 25 == 0) few += line + "\n";
  site.folder.write("splice/splice.txt", few);
  site.folder.write("some.fa", ">a\nGATTACAGATTACAGATTACAGATTACAGATTACAGATTACAGATTACAGATTACAGATT\n");
  job(site, "genomics/recipes/splice-junctions.toml",
      {"data.root=" + (site.folder.path / "splice").string(), "model.filters=8", "model.dilations=[1]", "model.members=1", "train.epochs=0", "train.steps=3", "train.batch=4"}, "validation", (site.folder.path / "some.fa").string(), 1e-3);
}
#endif

#if TENON_WITH_FINANCE
TEST_CASE("finance: volatility on the device") {
  const Site site;
  std::string rows = "Date,Open,High,Low,Close,Adj Close\n";
  double price = 100;
  for (int i = 0; i < 336 * 3; ++i) {
    const double open = price;
    price *= std::exp(0.01 * std::sin(i * 1.7) * std::sin(i * 0.31) + 0.002 * std::cos(i * 12.9));
    char line[128];
    std::snprintf(line, sizeof line, "%04d-%02d-%02d,%.6f,%.6f,%.6f,%.6f,%.6f\n", 2000 + i / 336, 1 + i / 28 % 12, 1 + i % 28, open, std::max(open, price) * 1.002, std::min(open, price) * 0.997, price, price);
    rows += line;
  }
  site.folder.write("prices.csv", rows);
  const std::string file = (site.folder.path / "prices.csv").string();
  job(site, "finance/recipes/sp500-volatility.toml",
      {"data.file=" + file, "data.train_until=2001-12-28", "data.test_until=2002-12-28", "risk.residuals=250", "baselines.window=200", "baselines.refit_every=50", "train.steps=3", "train.batch=8"}, "test", file, 1e-3);
}

TEST_CASE("finance: a forecast on the device") {
  const Site site;
  std::string rows = "date,a,b\n";
  for (int i = 0; i < 300; ++i) {
    char text[96];
    std::snprintf(text, sizeof text, "2020-01-%02d %02d:00:00,%.4f,%.4f\n", 1 + i / 24, i % 24, std::sin(i * 0.3) + 0.01 * (i % 7), std::cos(i * 0.21));
    rows += text;
  }
  site.folder.write("series.csv", rows);
  const std::string file = (site.folder.path / "series.csv").string();
  job(site, "finance/recipes/etth1.toml",
      {"data.file=" + file, "data.train_rows=200", "data.validation_rows=50", "data.test_rows=50", "window.look_back=24", "window.horizons=[4,8]", "model.name=finance.lstm", "train.epochs=0", "train.steps=3", "train.batch=4",
       "baselines.published=[]"},
      "test", file, 1e-3);
}
#endif
