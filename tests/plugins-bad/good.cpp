// Provides one entry of every kind; what is asked of it decides whether its functions behave.
#include <fstream>
#include <stdexcept>

#include "tenon/error.hpp"
#include "tenon/plugin.hpp"

namespace {

void misbehave(const std::string& how) {
  if (how == "std") throw std::out_of_range("shelf 7");
  if (how == "int") throw 42;
  if (how == "memory") throw std::bad_alloc();
  if (how == "error") throw tenon::Error(tenon::ErrorKind::data, "lines.broken", "line 3 is empty", "mend it");
}

class Fails final : public tenon::nn::Module {
 public:
  tenon::Tensor forward(const tenon::Tensor&) override { throw std::runtime_error("no such layer"); }
};

class SumTask final : public tenon::Task {
 public:
  std::vector<tenon::Problem> check(const tenon::Monitor&) override {
    return {{.code = "sum.none", .where = "a", .message = "b", .remedy = "c"}};
  }
  void load(const tenon::Monitor&) override { throw std::runtime_error("no data here"); }
  std::vector<std::string> splits() const override { return {}; }
  std::vector<tenon::MetricColumn> columns() const override { return {}; }
  tenon::ModelContext model_context() const override { return {}; }
  std::vector<tenon::TensorSpec> batch_spec() const override { return {}; }
  void fill_batch(std::int64_t, const tenon::Random&, std::vector<tenon::Tensor>&) const override { throw 7; }
  std::vector<std::pair<std::string, tenon::Tensor>> loss(tenon::nn::Module&, const std::vector<tenon::Tensor>&) override { return {}; }
  tenon::Evaluation evaluate(tenon::nn::Module&, const std::string& split, int, const tenon::Monitor&) override { return {.split = split}; }
  double score(const tenon::Evaluation&) const override { return 0.5; }
  std::vector<std::filesystem::path> predict(tenon::nn::Module&, const std::vector<std::filesystem::path>&,
                                             const tenon::PredictOptions&) override {
    return {};
  }
  std::string state() const override { return "{}"; }
  void load_state(const std::string&) override {}
  std::map<std::string, std::string> input_digests() const override { return {}; }
};

}  // namespace

TENON_PLUGIN(tenon::Registrar& r) {
  r.format(
      {.name = "lines",
       .help = "Text, one value a line",
       .extensions = {".lines.txt", ".txt"},
       .sniff = [](const std::filesystem::path&, std::span<const std::byte> head) { return head.size() > 4 && head[0] == std::byte{'L'}; },
       .params = {tenon::text_param("how", "well", "how to behave")},
       .read = [](const std::filesystem::path&, const tenon::ParamValues& values) -> tenon::LabelledArray {
         misbehave(values.text("how"));
         return {};
       },
       .write = [](const std::filesystem::path&, const tenon::LabelledArray&, const tenon::ParamValues&) {}});
  r.format({.name = "blob",
            .help = "Bytes; its sniffer throws for files that start with X",
            .extensions = {".blob"},
            .sniff = [](const std::filesystem::path&, std::span<const std::byte> head) -> bool {
              if (!head.empty() && head[0] == std::byte{'X'}) throw std::runtime_error("X is too much");
              return false;
            },
            .read = [](const std::filesystem::path&, const tenon::ParamValues&) { return tenon::LabelledArray{}; }});
  r.model({.name = "twice", .help = "Returns no model", .make = [](const tenon::ParamValues&, const tenon::ModelContext&) {
             return tenon::nn::ModulePtr();
           }});
  r.model({.name = "fails", .help = "A model that fails when it is used", .make = [](const tenon::ParamValues&, const tenon::ModelContext&) -> tenon::nn::ModulePtr {
             return std::make_shared<Fails>();
           }});
  r.task({.name = "sum",
          .help = "Adds numbers",
          .sections = {{"data", {tenon::path_param("root", "", "folder of the data", true)}}, {"augment", {}}},
          .default_model = "good.twice",
          .make = [](const tenon::TaskContext&) -> std::unique_ptr<tenon::Task> { return std::make_unique<SumTask>(); }});
  r.tool({.name = "echo",
          .help = "Prints its inputs",
          .arguments = "WORD...",
          .params = {tenon::text_param("how", "well", "how to behave"), tenon::integer_param("count", 1, "how often", 1, 9)},
          .run = [](const std::vector<std::string>& inputs, const tenon::ParamValues& values, tenon::ToolContext& context) {
            misbehave(values.text("how"));
            for (const std::string& word : inputs) context.print(word);
            return static_cast<int>(inputs.size());
          }});
}
