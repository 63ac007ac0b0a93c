/// Tests of the plugin, used as the command uses it: by name, through the host.
///
///     test FOLDER-OF-THE-PLUGIN FOLDER-TO-WRITE-IN
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <utility>
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

const std::string kName = "driving";

/// The error that `f` throws; one without a code if it throws none.
template <class F>
Error error_of(const F& f) {
  try {
    f();
  } catch (const Error& e) {
    return e;
  }
  return {ErrorKind::internal, "", "nothing was thrown"};
}

/// What a tool says, kept.
class Console final : public ToolContext {
 public:
  explicit Console(bool json = false) : json_(json) {}
  void print(const std::string& text) override { said += text; }
  void status(const std::string&) override {}
  void progress(std::int64_t, std::int64_t) override {}
  bool json() const override { return json_; }
  bool interrupted() const override { return false; }
  std::string said;

 private:
  bool json_;
};

/// Runs a tool as the command does; gives what it printed.
std::string run_tool(const std::string& name, const std::vector<std::string>& inputs, const std::map<std::string, std::string>& options,
                     bool json = false) {
  const ToolEntry& tool = PluginHost::instance().tool(kName + "." + name);
  ParamValues values(tool.params);
  for (const auto& [key, text] : options) values.set_from_text(tool.params, key, text, "test");
  Console console(json);
  tool.run(inputs, values, console);
  return console.said;
}

void simulate(const fs::path& file, int seed) {
  run_tool("simulate", {},
           {{"output", file.string()}, {"seed", std::to_string(seed)}, {"beams", "32"}, {"azimuth_step", "0.8"}, {"overwrite", "true"}});
}

LabelledArray read(const fs::path& file) {
  const FormatEntry& format = PluginHost::instance().format(kName + ".velodyne");
  return format.read(file, ParamValues(format.params));
}

void write_floats(const fs::path& file, const std::vector<float>& values) {
  write_atomic(file, std::as_bytes(std::span(values)));
}

void test_format(const fs::path& folder) {
  PluginHost& host = PluginHost::instance();
  const fs::path file = folder / "a.bin";
  simulate(file, 3);
  const std::vector<std::byte> bytes = read_file(file);
  const FormatEntry& format = host.format_of(file);
  const LabelledArray cloud = format.read(file, ParamValues(format.params));
  check(cloud.values.shape() == Shape{static_cast<std::int64_t>(bytes.size() / 16), 4}, "a cloud is known, and read as [points, 4]");
  check(cloud.axes.at(1).labels == std::vector<std::string>{"x", "y", "z", "reflectance"}, "its channels have names");
  host.format_for_writing(folder / "b.bin").write(folder / "b.bin", cloud, ParamValues(format.params));
  check(read_file(folder / "b.bin") == bytes, "read, written: the same bytes");

  // Without a header a file that was cut between two points is a shorter cloud; a cut anywhere else is an error.
  const std::vector<double> whole = cloud.values.to_vector();
  bool all = true;
  for (std::size_t percent = 0; percent < 100; ++percent) {
    const std::size_t length = bytes.size() * percent / 100;
    write_atomic(folder / "cut.bin", std::span(bytes).first(length));
    if (length % 16 == 0 && length > 0) {
      const std::vector<double> part = read(folder / "cut.bin").values.to_vector();
      all = all && part.size() == length / 4 && std::equal(part.begin(), part.end(), whole.begin());
    } else {
      all = all && error_of([&] { read(folder / "cut.bin"); }).code() == kName + ".velodyne";
    }
  }
  check(all, "cut at every per cent: the points before the cut, or refused");

  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
  for (const auto& [bad, what] : {std::pair{kNan, "NaN"}, {kInfinity, "infinity"}, {-1000.5f, "more than a kilometre"}}) {
    for (std::size_t channel = 0; channel < 4; ++channel) {
      std::vector<float> values(12, 0.5f);
      values[4 + channel] = bad;
      write_floats(folder / "bad.bin", values);
      const Error e = error_of([&] { read(folder / "bad.bin"); });
      const bool good = e.kind() == ErrorKind::data && e.message().starts_with("point 1 (byte 16)") && !e.hint().empty();
      check(good && error_of([&] { host.format_of(folder / "bad.bin"); }).code() == "format.unknown",
            std::string(what) + " in channel " + std::to_string(channel) + " is refused by its place");
    }
  }
  write_floats(folder / "zeros.bin", std::vector<float>(64));
  check(error_of([&] { host.format_of(folder / "zeros.bin"); }).code() == "format.unknown", "a file of zeros is not taken for a cloud");
}

void test_generator(const fs::path& folder) {
  simulate(folder / "one.bin", 5);
  simulate(folder / "again.bin", 5);
  simulate(folder / "other.bin", 6);
  check(read_file(folder / "one.bin") == read_file(folder / "again.bin"), "the same seed gives the same street, byte for byte");
  check(read_file(folder / "one.bin") != read_file(folder / "other.bin"), "another seed gives another street");
  const Tensor points = read(folder / "one.bin").values.contiguous();
  double farthest = 0, left = 0;
  for (std::int64_t i = 0; i < points.size(0); ++i) {
    const auto p = points.span<float>().subspan(static_cast<std::size_t>(4 * i), 4);
    const double range = std::hypot(static_cast<double>(p[0]), static_cast<double>(p[1]), static_cast<double>(p[2]));
    farthest = std::max(farthest, range);
    left = std::max(left, std::abs(static_cast<double>(p[1])) / std::max(1e-9, static_cast<double>(p[0])));
  }
  check(farthest < 60.2 && left < 1.0001, "no point lies beyond what the scanner sees");
}

/// The same result the slow way: for each cell, a walk through all points.
void test_voxeliser(const fs::path& folder) {
  simulate(folder / "v.bin", 9);
  const std::string said =
      run_tool("voxelise", {(folder / "v.bin").string()},
               {{"output", (folder / "grid").string()}, {"x_range", "[4, 24]"}, {"y_range", "[-8, 8]"}, {"max_points", "5"}}, true);
  std::map<std::string, Tensor> got;
  for (auto& [name, tensor] : load_npz(folder / "grid" / "v_pillars.npz")) got[name] = tensor;
  const Tensor cloud = read(folder / "v.bin").values.contiguous();
  const auto value = [&](std::int64_t point, std::int64_t channel) {
    return cloud.span<float>()[static_cast<std::size_t>(4 * point + channel)];
  };
  std::vector<double> pillars, counts, cells;
  std::int64_t kept = 0, inside = 0;
  for (std::int64_t ix = 0; ix < 40; ++ix) {
    for (std::int64_t iy = 0; iy < 32; ++iy) {
      std::vector<std::int64_t> here;
      for (std::int64_t i = 0; i < cloud.size(0); ++i) {
        const double x = static_cast<double>(value(i, 0)), y = static_cast<double>(value(i, 1)), z = static_cast<double>(value(i, 2));
        if (z >= -4 && z < 4 && std::floor((x - 4) / 0.5) == static_cast<double>(ix) &&
            std::floor((y + 8) / 0.5) == static_cast<double>(iy))
          here.push_back(i);
      }
      if (here.empty()) continue;
      const auto n = static_cast<std::int64_t>(here.size()), most = std::min<std::int64_t>(n, 5);
      inside += n;
      kept += most;
      counts.push_back(static_cast<double>(n));
      cells.insert(cells.end(), {static_cast<double>(ix), static_cast<double>(iy)});
      for (std::int64_t k = 0; k < 5; ++k) {
        // The first of the n points that belongs to the k-th of `most` equal parts.
        const std::int64_t j = (k * n + most - 1) / most;
        for (std::int64_t channel = 0; channel < 4; ++channel)
          pillars.push_back(k < most ? static_cast<double>(value(here[static_cast<std::size_t>(j)], channel)) : 0);
      }
    }
  }
  check(got["pillars"].to_vector() == pillars && got["counts"].to_vector() == counts && got["cells"].to_vector() == cells,
        "pillars are those of a search through all points, " + std::to_string(counts.size()) + " of them");
  check(said.find("\"kept\": " + std::to_string(kept)) != std::string::npos &&
            said.find("\"outside\": " + std::to_string(cloud.size(0) - inside)) != std::string::npos &&
            said.find("\"overfull\": " + std::to_string(inside - kept)) != std::string::npos,
        "and so are the numbers of points that were kept and dropped");
  const std::string in = (folder / "v.bin").string(), out = (folder / "grid").string();
  check(error_of([&] { run_tool("voxelise", {in}, {{"output", out}}); }).code() == kName + ".voxelise", "a result is not overwritten");
  check(error_of([&] {
          run_tool("voxelise", {in}, {{"output", out}, {"x_range", "[0, 0.7]"}});
        }).code() == kName + ".grid",
        "a range of 1.4 pillars is refused");
  write_atomic(folder / "broken.bin", "not a cloud");
  simulate(folder / "w.bin", 10);
  const std::vector<std::string> three{in, (folder / "broken.bin").string(), (folder / "w.bin").string()};
  const Error e = error_of([&] { run_tool("voxelise", three, {{"output", (folder / "many").string()}}); });
  check(e.kind() == ErrorKind::batch && e.message().find("broken.bin") != std::string::npos &&
            fs::exists(folder / "many" / "v_pillars.npz") && fs::exists(folder / "many" / "w_pillars.npz"),
        "a bad file is told, and the good ones beside it are done");
}

void test_model(const fs::path& folder) {
  const ModelEntry& entry = PluginHost::instance().model(kName + ".pillars");
  const ModelContext& context = entry.example->context;
  const nn::ModulePtr model = entry.make(ParamValues(entry.params), context);
  model->initialise(1);
  const Tensor x = entry.example->input(context, 2, 1);
  const Tensor labels = argmax(random_normal(Shape{2, 32, 32, 5}, 3, 0), 3);
  cross_entropy((*model)(x), labels).backward();
  std::string without;
  for (const auto& [name, parameter] : model->parameters()) {
    const std::vector<double> gradient = parameter.grad().defined() ? parameter.grad().to_vector() : std::vector<double>{};
    if (std::all_of(gradient.begin(), gradient.end(), [](double g) { return g == 0; })) without += " " + name;
  }
  check(without.empty(), "a gradient reaches every parameter" + (without.empty() ? "" : ", but not" + without));

  const auto optimiser = make_adamw(*model, AdamWOptions{});
  Tensor loss;
  const StepPlan step = StepPlan::record([&] {  // recorded once, replayed for every step
    loss = cross_entropy((*model)(x), labels);
    loss.backward();
    optimiser->step();
  });
  double first = 0;
  for (int i = 0; i < 60; ++i) {
    optimiser->begin_step(0.01);
    step.run();
    if (i == 0) first = loss.item();
  }
  check(loss.item() < 0.8 * first, "sixty steps lower the loss from " + std::to_string(first) + " to " + std::to_string(loss.item()));

  save_safetensors(folder / "a.safetensors", model->parameters());
  const nn::ModulePtr again = entry.make(ParamValues(entry.params), context);
  again->load(load_safetensors(folder / "a.safetensors").tensors);
  check((*again)(x).to_vector() == (*model)(x).to_vector(), "the saved and loaded model computes the same");
}

void test_task(const fs::path& folder) {
  // The whole way of `tenon train`, with fewer steps.
  const Recipe recipe = Recipe::load("recipe-quick.toml");
  RunOptions options;
  options.directory = folder / "run";
  RunObserver observer;
  const TrainResult run = train(recipe, options, observer);
  const std::size_t column = run.evaluation.columns.size() - 1;
  const double score = summarise(run.evaluation).at(column).mean;
  for (const Baseline& baseline : run.evaluation.baselines) {
    const double floor = baseline.values.at(column);
    check(score > floor, "mean IoU " + std::to_string(score) + " beats '" + baseline.name + "', " + std::to_string(floor));
  }
  check(fs::exists(write_report(options.directory)), "the run has a report");

  simulate(folder / "new.bin", 11);
  PredictRunOptions where;
  where.output = folder / "predictions";
  const auto written = predict(options.directory, {folder / "new.bin"}, where, observer);
  check(written.size() == 2 && fs::exists(written[0]) && fs::exists(written[1]), "a file is predicted");
  for (const auto& [name, tensor] : load_npz(written.at(0))) {
    if (name != "classes") continue;
    const std::vector<double> classes = tensor.to_vector();
    check(tensor.shape() == Shape{40, 40} && std::all_of(classes.begin(), classes.end(), [](double c) { return c < 5 || c == 255; }),
          "each cell has a class, or no point");
  }
  check(error_of([&] { predict(options.directory, {folder / "new.bin"}, where, observer); }).code() == "predict.exists",
        "and not overwritten");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const fs::path folder = argv[2];
  try {
    fs::remove_all(folder);
    fs::create_directories(folder);
    PluginHost::instance().set_extra_directories({argv[1]});
    test_format(folder);
    test_generator(folder);
    test_voxeliser(folder);
    test_model(folder);
    test_task(folder);
  } catch (const Error& e) {
    check(false, e.code() + ": " + e.where() + ": " + e.message() + " (" + e.hint() + ")");
  } catch (const std::exception& e) {
    check(false, e.what());
  }
  return failures == 0 ? 0 : 1;
}
