// y = 2 x + 1, learnt from the folder `root`, which must hold points.txt: enough of a domain to run every command.
#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/sha256.hpp"
#include "tenon/nn/layers.hpp"
#include "tenon/ops.hpp"
#include "tenon/plugin.hpp"

namespace {
using namespace tenon;

class Line : public nn::Module {
 public:
  Line() {
    slope_ = add_parameter("slope", Shape{1}, {Init::Kind::constant, 0.5});
    offset_ = add_parameter("offset", Shape{1}, {Init::Kind::constant, 0});
  }
  Tensor forward(const Tensor& x) override { return x * slope_ + offset_; }

 private:
  Tensor slope_, offset_;
};

/// A network of one hidden layer, wide enough for parallel loops, in the run's precision.
class Net : public nn::Module {
 public:
  Net(std::int64_t width, DType compute)
      : compute_(compute), first_(add_module("first", std::make_shared<nn::Linear>(1, width))), second_(add_module("second", std::make_shared<nn::Linear>(width, 1))) {}
  Tensor forward(const Tensor& x) override { return second_->forward(relu(first_->forward(x.to(compute_)))).to(DType::f32); }

 private:
  DType compute_;
  std::shared_ptr<nn::Linear> first_, second_;
};

class Regression : public Task {
 public:
  explicit Regression(const TaskContext& context)
      : root_(context.sections.at("data").text("root")), list_(context.sections.at("data").text("list")), mode_(context.sections.at("data").text("mode")),
        pause_(context.sections.at("data").integer("pause")), batch_(context.batch_size), compute_(context.compute) {
    if (mode_ == "refused") throw Error(ErrorKind::usage, "toy.mode", "data.mode: refused", "choose another", "data.mode");
  }

  std::vector<Problem> check(const Monitor& monitor) override {
    std::vector<Problem> problems;
    warn(monitor);
    for (const auto& file : files().list(root_))
      if (file.filename().string().starts_with("bad"))
        problems.push_back({.code = "toy.bad_file", .where = file.filename().string(), .message = "its name begins with bad", .remedy = "rename it"});
    return problems;
  }
  void warn(const Monitor& monitor) const {
    for (const auto& file : files().list(root_))
      if (file.filename().string().starts_with("odd")) monitor.warn(file.filename().string() + ": its name begins with odd");
  }
  void load(const Monitor& monitor) override {
    warn(monitor);
    if (!file_exists(root_ / "points.txt"))
      throw Error(ErrorKind::data, "toy.no_points", "no points.txt", "'tenon check' lists every defect", root_.string());
  }
  void require_inputs() const override {
    if (list_.empty() || file_exists(root_ / list_)) return;
    std::vector<std::string> there;
    for (const auto& file : files().list(root_)) there.push_back(file.filename().string());
    throw Error(ErrorKind::usage, "recipe.missing_file", "data.list: no file '" + list_ + "'", suggestion(list_, there), "data.list");
  }
  std::vector<std::string> splits() const override { return mode_ == "exact" ? std::vector<std::string>{"train"} : std::vector<std::string>{"train", "validation"}; }
  std::vector<MetricColumn> columns() const override { return {{"error", "m", false}}; }
  ModelContext model_context() const override {
    ModelContext context;
    context.compute = compute_;
    return context;
  }
  std::int64_t train_samples() const override { return mode_ == "exact" ? 0 : 10; }
  std::vector<TensorSpec> batch_spec() const override { return {{"x", Shape{batch_, 1}}, {"y", Shape{batch_, 1}}}; }
  void fill_batch(std::int64_t step, const Random& random, std::vector<Tensor>& batch) const override {
    if (pause_) std::this_thread::sleep_for(std::chrono::milliseconds(pause_));
    const Random of_step = random.child(std::uint64_t(step));
    if (mode_ == "broken" && step == 7) throw Error(ErrorKind::data, "toy.broken", "batch 7 is broken");
    const std::int64_t n = mode_ == "ragged" ? 1 + std::int64_t(of_step.below(99, std::uint64_t(batch_))) : batch_;
    for (Tensor& t : batch) t = t.narrow(0, 0, n);
    for (std::int64_t i = 0; i < n; ++i) {
      const float x = of_step.uniform(std::uint64_t(i), -1, 1);
      batch[0].span<float>()[std::size_t(i)] = x;
      batch[1].span<float>()[std::size_t(i)] = 2 * x + 1;
    }
  }
  std::vector<std::pair<std::string, Tensor>> loss(nn::Module& model, const std::vector<Tensor>& batch) override {
    return {{"loss", mean(square(model(batch[0]) - batch[1]))}};
  }
  Evaluation evaluate(nn::Module& model, const std::string& split, int, const Monitor& monitor) override {
    Evaluation out{.split = split, .columns = {{"error", "m", false}}};
    for (const float x : {-1.0f, 0.0f, 1.0f}) {
      std::this_thread::sleep_for(std::chrono::milliseconds(pause_));
      monitor.turn("scoring", std::int64_t(out.cases.size()), 3);
      const double y = model(Tensor::full(Shape{1, 1}, x)).item();
      out.cases.push_back({.id = "at " + std::to_string(int(x)), .values = {std::abs(y - (2 * double(x) + 1))}});
    }
    out.baselines.push_back({"always one", {4.0 / 3}, "computed on this split"});
    return out;
  }
  double score(const Evaluation& e) const override {
    double sum = 0;
    for (const auto& c : e.cases) sum -= c.values[0];
    return sum;
  }
  std::vector<std::filesystem::path> predict(nn::Module& model, const std::vector<std::filesystem::path>& inputs, const PredictOptions& options) override {
    std::vector<std::filesystem::path> written;
    for (const auto& input : inputs) {
      std::istringstream in(read_text(input));
      std::ostringstream out;
      for (double x; in >> x;) out << model(Tensor::full(Shape{1, 1}, x)).item() << "\n";
      const auto path = options.output / input.filename();
      if (!options.overwrite && file_exists(path)) throw Error(ErrorKind::usage, "toy.exists", "the prediction is there already", "--overwrite", path.string());
      files().make_directories(options.output);
      write_atomic(path, out.str());
      written.push_back(path);
    }
    return written;
  }
  std::string state() const override { return "{}"; }
  void load_state(const std::string&) override {}
  std::map<std::string, std::string> input_digests() const override {
    std::map<std::string, std::string> digests;
    for (const auto& file : files().list(root_))
      if (const std::string name = file.filename().string(); name == "points.txt" || name.starts_with("more"))
        digests[name] = sha256_of_file(file);
    return digests;
  }

 private:
  std::filesystem::path root_;
  std::string list_, mode_;
  std::int64_t pause_, batch_;
  DType compute_;
};

int scale(const std::vector<std::string>& inputs, const ParamValues& values, ToolContext& context) {
  std::ostringstream out;
  for (const std::string& input : inputs) out << std::stod(input) * values.real("factor") << (values.boolean("same_line") ? " " : "\n");
  for (const double extra : values.reals("extra")) out << extra << "\n";
  context.print(out.str());
  return 0;
}

}  // namespace

TENON_PLUGIN(tenon::Registrar& r) {
  r.model({.name = "line",
           .help = "A straight line",
           .params = {tenon::integer_param("width", 1, "of no effect", 1, 64)},
           .make = [](const tenon::ParamValues&, const tenon::ModelContext&) { return std::make_shared<Line>(); },
           .computes = {tenon::DType::f32}});
  r.model({.name = "net",
           .help = "One hidden layer",
           .params = {tenon::integer_param("width", 16, "hidden features", 1, 1 << 20)},
           .make = [](const tenon::ParamValues& v, const tenon::ModelContext& c) { return std::make_shared<Net>(v.integer("width"), c.compute); }});
  r.task({.name = "regression",
          .help = "Learns 2 x + 1",
          .sections = {{"data",
                        {tenon::path_param("root", "", "folder with points.txt", true), tenon::path_param("extra", "", "another file"), tenon::text_param("list", "", "a file below root"),
                         tenon::real_param("noise", 0.0, "noise added", 0, 1), tenon::integers_param("sizes", {1, 2}, "sizes", 1, 9),
                         tenon::reals_param("weights", {}, "weights"), tenon::texts_param("labels", {"a"}, "names of the labels"),
                         tenon::text_param("mode", "fast", "how", {"fast", "exact", "refused", "ragged", "broken"}), tenon::integer_param("pause", 0, "milliseconds a batch", 0, 1000)}},
                       {"augment", {tenon::boolean_param("flip", false, "mirror")}}},
          .default_model = "line",
          .make = [](const tenon::TaskContext& c) -> std::unique_ptr<tenon::Task> { return std::make_unique<Regression>(c); }});
  r.tool({.name = "scale",
          .help = "Multiplies numbers",
          .arguments = "NUMBER...",
          .params = {tenon::real_param("factor", 2, "what to multiply with", -100, 100), tenon::boolean_param("same_line", false, "print on one line"),
                     tenon::reals_param("extra", {}, "printed as they are")},
          .run = scale});
}
