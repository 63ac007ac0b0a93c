#include "plugin/guard.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <new>
#include <typeinfo>

#include "tenon/error.hpp"
#include "tenon/plugin.hpp"

namespace tenon {
namespace {

std::string readable(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  return status == 0 ? name.get() : type.name();
}

class GuardedTask final : public Task {
 public:
  GuardedTask(std::string plugin, std::string name, std::unique_ptr<Task> task)
      : plugin_(std::move(plugin)), name_(std::move(name)), task_(std::move(task)) {}

  std::vector<Problem> check(const Monitor& monitor) override {
    return call("check", [&] { return task_->check(monitor); });
  }
  void load(const Monitor& monitor) override {
    call("load", [&] { task_->load(monitor); });
  }
  ModelContext model_context() const override {
    return call("model_context", [&] { return task_->model_context(); });
  }
  std::vector<TensorSpec> batch_spec() const override {
    return call("batch_spec", [&] { return task_->batch_spec(); });
  }
  void fill_batch(std::int64_t step, const Random& random, std::vector<Tensor>& batch) const override {
    call("fill_batch", [&] { task_->fill_batch(step, random, batch); });
  }
  std::vector<std::pair<std::string, Tensor>> loss(nn::Module& model, const std::vector<Tensor>& batch) override {
    return call("loss", [&] { return task_->loss(model, batch); });
  }
  Evaluation evaluate(nn::Module& model, const std::string& split, int pictures, const Monitor& monitor) override {
    return call("evaluate", [&] { return task_->evaluate(model, split, pictures, monitor); });
  }
  double score(const Evaluation& evaluation) const override {
    return call("score", [&] { return task_->score(evaluation); });
  }
  std::vector<std::filesystem::path> predict(nn::Module& model, const std::vector<std::filesystem::path>& inputs,
                                             const PredictOptions& options) override {
    return call("predict", [&] { return task_->predict(model, inputs, options); });
  }
  std::string state() const override {
    return call("state", [&] { return task_->state(); });
  }
  void load_state(const std::string& json) override {
    call("load_state", [&] { task_->load_state(json); });
  }
  std::vector<std::string> splits() const override {
    return call("splits", [&] { return task_->splits(); });
  }
  std::vector<MetricColumn> columns() const override {
    return call("columns", [&] { return task_->columns(); });
  }
  std::map<std::string, std::string> input_digests() const override {
    return call("input_digests", [&] { return task_->input_digests(); });
  }
  std::int64_t train_samples() const override {
    return call("train_samples", [&] { return task_->train_samples(); });
  }

  void require_inputs() const override {
    call("require_inputs", [&] { task_->require_inputs(); });
  }
  Task& unguarded() override { return task_->unguarded(); }

 private:
  // The text of the call is built only when something is thrown: fill_batch is on the training path.
  template <class F>
  auto call(const char* function, F&& f) const -> decltype(f()) {
    try {
      return f();
    } catch (...) {
      rethrow_from_plugin(plugin_, std::string(function) + " of task " + name_);
    }
  }

  std::string plugin_, name_;
  std::unique_ptr<Task> task_;
};

}  // namespace

// The key functions of the interfaces that plugins implement or call: their type information lives in the core.
Task::~Task() = default;
std::int64_t Task::train_samples() const { return 0; }
void Task::require_inputs() const {}
Task& Task::unguarded() { return *this; }
Registrar::~Registrar() = default;

std::string current_exception_text() {
  try {
    throw;
  } catch (const std::exception& e) {
    return readable(typeid(e)) + ": " + e.what();
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    return "an object of type " + (type == nullptr ? std::string("unknown") : readable(*type));
  }
}

void rethrow_from_plugin(const std::string& plugin, const std::string& call) {
  try {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::device, "memory.exhausted", "plugin '" + plugin + "' ran out of memory in " + call,
                "make batch, patch or number of threads smaller");
  } catch (...) {
    throw Error(ErrorKind::plugin, "plugin.exception", "plugin '" + plugin + "' threw in " + call + ": " + current_exception_text(),
                "this is a defect of the plugin: report it to its author");
  }
}

std::unique_ptr<Task> guarded_task(const std::string& plugin, const std::string& name, std::unique_ptr<Task> task) {
  return std::make_unique<GuardedTask>(plugin, name, std::move(task));
}

}  // namespace tenon
