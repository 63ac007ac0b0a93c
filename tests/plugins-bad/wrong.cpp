// One entry of each kind, well by themselves; TENON_TEST_WRONG names one defect that it then has. For the test of `tenon plugin check`.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <thread>

#include "tenon/device.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/nn/layers.hpp"
#include "tenon/ops.hpp"
#include "tenon/plugin.hpp"

namespace {
using namespace tenon;
namespace fs = std::filesystem;

bool is(const char* defect) {
  const char* chosen = std::getenv("TENON_TEST_WRONG");
  return chosen && std::strcmp(chosen, defect) == 0;
}

char* volatile lost = nullptr;  // a compiler may leave out what nobody sees
void lose_memory() { lost = static_cast<char*>(std::malloc(100000)); }
void lose_descriptor() {
  if (::open("/dev/null", O_RDONLY) < 0) std::perror("wrong");
}
void lose_thread() {
  std::thread([] {
    while (true) ::pause();
  }).detach();
}

[[maybe_unused]] const bool loaded = [] {
  if (is("load_limit")) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    --limit.rlim_cur;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (is("load_streams")) ::close(1), ::close(2);
  if (is("load_alarm")) ::alarm(1000);
  if (is("load_terminate")) std::set_terminate([] { std::_Exit(0); });
  if (is("load_signal")) std::signal(SIGCHLD, SIG_IGN);
  if (is("load_descriptor")) lose_descriptor();
  if (is("load_variable")) ::setenv("LC_NUMERIC", "C", 1);
  if (is("load_exit_handler")) std::atexit([] { std::abort(); });
  return true;
}();

struct AtEnd {
  ~AtEnd() {
    if (is("load_destructor")) std::abort();
    if (is("load_destructor_hangs"))
      while (true) ::pause();
  }
} at_end;

/// Three linear layers over [N, length, channels].
class Net final : public nn::Module {
 public:
  Net(std::int64_t in, std::int64_t out, std::int64_t width, DType compute) : in_(in), compute_(compute) {
    if (is("make_bound") && width >= 64) std::abort();
    if (is("make_memory")) lose_memory();
    a_ = add_module("a", std::make_shared<nn::Linear>(in, width));
    b_ = add_module("b", std::make_shared<nn::Linear>(width, width));
    c_ = add_module("c", std::make_shared<nn::Linear>(width, out));
  }
  Tensor forward(const Tensor& x) override {
    if (x.rank() != 3 || x.size(2) != in_) throw_usage("net", "input " + x.shape().str());
    if (is("forward_prints")) std::cout << "forward of " << x.size(0) << "\n";
    if (is("forward_tensors")) kept_.push_back(x.clone());
    if (is("forward_memory")) lose_memory();
    if (is("forward_descriptor")) lose_descriptor();
    if (is("forward_thread")) lose_thread();
    if (is("forward_folder") && ::chdir("/") != 0) std::perror("wrong");
    if (is("odd_length") && x.size(1) % 2 != 0) return forward(x.narrow(1, 0, x.size(1) - 1).contiguous());
    if (is("refuses_bf16") && compute_ == DType::bf16) throw_usage("net", "f32 only");
    Tensor h = relu(a_->forward(is("ignores_bf16") ? x : x.to(compute_)));
    if (is("gradient_one")) h = h.detach() + h * 0.0;
    Tensor g = relu(b_->forward(h));
    if (is("gradient_two")) g = g.detach() + g * 0.0;
    if (is("gradient_twice")) g = g * 2.0 - g.detach();
    return c_->forward(g).to(DType::f32);
  }

 private:
  static inline std::vector<Tensor> kept_;
  std::int64_t in_;
  DType compute_;
  std::shared_ptr<nn::Linear> a_, b_, c_;
};

ModelEntry net() {
  ModelEntry e;
  e.name = "net";
  e.help = "three linear layers for signals";
  e.params = {integer_param("width", 8, "features of each layer", 1, 64), real_param("of_no_use", 1, "nothing depends on it", 0, 10)};
  e.make = [](const ParamValues& v, const ModelContext& c) -> nn::ModulePtr {
    if (c.in_channels < 1 || c.out_channels < 1) throw_usage("net", "a number of channels below 1");
    return std::make_shared<Net>(c.in_channels, c.out_channels, v.integer("width"), c.compute);
  };
  ModelExample example;
  example.context.spatial = {16};
  example.context.in_channels = 3;
  example.context.out_channels = 2;
  e.example = example;
  return e;
}

[[noreturn]] void refuse(const fs::path& file, const std::string& what) {
  throw Error(ErrorKind::data, "wrong.vec", what, "copy it again", is("read_nameless") ? std::string() : file.string());
}

LabelledArray read_vec(const fs::path& file, const ParamValues&) {
  if (is("read_memory")) lose_memory();
  if (is("read_descriptor")) lose_descriptor();
  if (is("read_prints")) std::cerr << "reading\n";
  if (!file_exists(file)) throw Error(ErrorKind::data, "file.missing", "there is no such file", "name another", file.string());
  const std::string text = read_text(file, 1 << 20);
  LabelledArray out;
  out.name = "values";
  out.axes = {Axis{.name = "time"}};
  std::vector<float> values;
  if (text.empty()) throw Error(ErrorKind::data, "wrong.vec", "the file is empty", "copy it again", file.string());
  if (!text.starts_with("VEC ")) {
    if (!is("read_garbage")) refuse(file, "it does not begin with VEC");
    values = {0};
  } else {
    char* at = nullptr;
    const long count = std::strtol(text.c_str() + 4, &at, 10);
    if (count < 1 || std::size_t(count) > text.size()) refuse(file, "its count is not one");
    for (long i = 0; i < count; ++i) {
      char* end = nullptr;
      values.push_back(std::strtof(at, &end));
      if (end == at) refuse(file, "it ends early");
      at = end;
    }
    if (*at != '\n') refuse(file, "its last line has no end");
  }
  out.values = Tensor::from(values, Shape{std::int64_t(values.size())}).to(kCpu);
  return out;
}

FormatEntry vec() {
  FormatEntry e;
  e.name = "vec";
  e.help = "numbers in a line after their count";
  e.extensions = {".vec"};
  e.sniff = [](const fs::path&, std::span<const std::byte> head) { return is("sniff_all") || (head.size() >= 4 && std::memcmp(head.data(), "VEC ", 4) == 0); };
  e.read = read_vec;
  e.write = [](const fs::path& file, const LabelledArray& a, const ParamValues&) {
    if (a.values.rank() != 1) throw Error(ErrorKind::usage, "wrong.vec", "it holds one axis", "cut a row out", file.string());
    std::string text = "VEC " + std::to_string(a.values.numel());
    for (const double v : a.values.to(DType::f64).to_vector()) text += " " + std::to_string(v);
    write_atomic(file, text + "\n");
  };
  return e;
}

int look(const std::vector<std::string>& inputs, const ParamValues&, ToolContext& context) {
  if (inputs.empty()) throw_usage("look", "no input");
  if (!file_exists(inputs[0])) throw Error(ErrorKind::data, "file.missing", "there is no such file", "name another", inputs[0]);
  if (!is("tool_takes_all")) {
    const FormatEntry& format = PluginHost::instance().format_of(inputs[0]);
    format.read(inputs[0], ParamValues(format.params));
  }
  context.print(context.json() && !is("tool_json_inputs") ? "{\"fine\": true}" : "it is fine");
  return 0;
}

/// Nothing is drawn: the model learns that signals of ones give zeros.
class Zeros final : public Task {
 public:
  explicit Zeros(const TaskContext& c) : batch_(c.batch_size), compute_(c.compute) {}
  std::vector<Problem> check(const Monitor&) override { return {}; }
  void load(const Monitor&) override {}
  std::vector<std::string> splits() const override { return {"validation"}; }
  std::vector<MetricColumn> columns() const override { return {{"error", "", false}}; }
  ModelContext model_context() const override { return {.in_channels = 3, .out_channels = 2, .spatial = {16}, .compute = compute_}; }
  std::vector<TensorSpec> batch_spec() const override { return {{"x", Shape{batch_, 16, 3}}}; }
  void fill_batch(std::int64_t, const Random&, std::vector<Tensor>& batch) const override {
    float value = is("task_threads") ? float(thread_count()) : 1;
    if (is("task_clock")) value = float(std::chrono::steady_clock::now().time_since_epoch().count() % 1000);
    for (float& v : batch[0].span<float>()) v = value;
  }
  std::vector<std::pair<std::string, Tensor>> loss(nn::Module& model, const std::vector<Tensor>& batch) override { return {{"loss", mean(square(model(batch[0])))}}; }
  Evaluation evaluate(nn::Module& model, const std::string& split, int, const Monitor&) override {
    if (is("task_evaluation")) throw std::runtime_error("no evaluation today");
    Evaluation out{.split = split, .columns = columns(), .cases = {}, .baselines = {}, .notes = {}, .picture_key = {}};
    out.cases.push_back({.id = "ones", .values = {std::abs(mean(model(Tensor::full(Shape{1, 16, 3}, 1))).item())}, .pictures = {}});
    return out;
  }
  double score(const Evaluation& e) const override { return -e.cases.at(0).values.at(0); }
  std::vector<fs::path> predict(nn::Module&, const std::vector<fs::path>&, const PredictOptions&) override { return {}; }
  std::string state() const override { return "{}"; }
  void load_state(const std::string&) override {}
  std::map<std::string, std::string> input_digests() const override { return {}; }

 private:
  std::int64_t batch_;
  DType compute_;
};

}  // namespace

TENON_PLUGIN(Registrar& r) {
  r.model(net());
  r.format(vec());
  r.tool({.name = "look", .help = "Says whether a file is fine", .arguments = "INPUT", .params = {integer_param("count", 1, "how often", 1, 9)}, .run = look});
  r.tool({.name = "tell", .help = "Says that all is fine", .params = {}, .run = [](const std::vector<std::string>&, const ParamValues&, ToolContext& context) {
            context.print(!context.json() ? "fine" : is("tool_json") ? "{fine: not json" : "{\"fine\": true}");
            return 0;
          }});
  r.task({.name = "zeros", .help = "Learns that ones give zeros", .sections = {{"data", {integer_param("of_no_use", 1, "nothing depends on it", 0, 9)}}}, .default_model = "net",
          .make = [](const TaskContext& c) -> std::unique_ptr<Task> {
            if (is("task_wants_data")) throw Error(ErrorKind::usage, "wrong.no_data", "there is no data", "name a folder", "data.root");
            return std::make_unique<Zeros>(c);
          }});
}
