/// Tests of the plugin, used as the command uses it: by name, through the host.
///
///     test FOLDER-OF-THE-PLUGIN FOLDER-TO-WRITE-IN
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "tenon/tenon.hpp"

namespace {

using namespace tenon;
namespace fs = std::filesystem;

int failures = 0;

void check(bool good, const std::string& what) {
  std::printf("%s %s\n", good ? "ok    " : "FAILED", what.c_str());
  failures += good ? 0 : 1;
}

/// The code of the error that `f` throws; "" if it throws none.
template <class F>
std::string code_of(const F& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.code();
  }
  return "";
}

LabelledArray three_hours() {
  LabelledArray series;
  series.values = Tensor::from(std::vector<float>{0.5f, 4, 1, 12, NAN, NAN}, Shape{3, 2}).to(kCpu);
  series.axes.resize(2);
  series.axes[0].time = TimeCoordinates{"standard", {0, 3'600'000'000, 7'200'000'000}};
  return series;
}

void test_series(const fs::path& folder) {
  PluginHost& host = PluginHost::instance();
  const FormatEntry& format = host.format("gauge.series");
  const ParamValues none(format.params);
  const fs::path file = folder / "a.gauge", again = folder / "b.gauge", cut = folder / "cut.gauge";
  format.write(file, three_hours(), none);
  check(&host.format_of(file) == &format, "a series is known by its first bytes");
  const LabelledArray read = format.read(file, none);
  check(read.axes.at(0).time->ticks.at(2) == 7'200'000'000 && read.axes[1].labels.at(1) == "flow", "its axes are read");
  format.write(again, read, none);
  const std::vector<std::byte> bytes = read_file(file);
  check(bytes == read_file(again), "read and written: the same bytes");
  bool all = true;
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    write_atomic(cut, std::span(bytes).first(n));
    all = all && code_of([&] { format.read(cut, none); }) == "gauge.series";
  }
  check(all, "each way of cutting the file is refused");
  LabelledArray uneven = three_hours();
  uneven.axes[0].time->ticks[2] += 1;
  check(code_of([&] { format.write(again, uneven, none); }) == "gauge.series", "moments that are not evenly spaced are refused");
}

/// The whole way of `tenon train recipe.toml`.
void test_rating(const fs::path& folder) {
  RunOptions options;
  options.directory = folder / "run";
  RunObserver observer;
  const TrainResult run = train(Recipe::load("recipe.toml", {}), options, observer);
  const double rmse = run.evaluation.totals.at(0).value, law = run.evaluation.baselines.at(0).values.at(0);
  check(rmse < 0.5 * law, "RMSE " + std::to_string(rmse) + " is less than half of the power law's " + std::to_string(law));
  PredictRunOptions where;
  where.output = folder / "rated";
  const auto written = predict(options.directory, {folder / "a.gauge"}, where, observer);
  const FormatEntry& format = PluginHost::instance().format("gauge.series");
  const double flow = format.read(written.at(0), ParamValues(format.params)).values.to_vector().at(3);
  check(std::abs(flow - 12) < 6, "1 m of water: " + std::to_string(flow) + " m3 s-1, where 12 are right");  // the run's RMSE is as large
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const fs::path folder = argv[2];
  try {
    fs::remove_all(folder);
    fs::create_directories(folder);
    PluginHost::instance().set_extra_directories({argv[1]});
    test_series(folder);
    test_rating(folder);
  } catch (const Error& e) {
    check(false, e.code() + ": " + e.where() + ": " + e.message() + " (" + e.hint() + ")");
  } catch (const std::exception& e) {
    check(false, e.what());
  }
  return failures == 0 ? 0 : 1;
}
