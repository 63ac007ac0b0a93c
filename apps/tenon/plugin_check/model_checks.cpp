#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "plugin_check/memory.hpp"
#include "plugin_check/model_tried.hpp"
#include "tenon/dropout.hpp"
#include "tenon/io/safetensors.hpp"
#include "tenon/optim.hpp"
#include "tenon/plan.hpp"
#include "tenon/surroundings.hpp"

namespace tenon::command {
namespace {

namespace fs = std::filesystem;

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() && std::memcmp(a.contiguous().raw(), b.contiguous().raw(), a.nbytes()) == 0;
}

bool same_bytes(const nn::NamedTensors& a, const nn::NamedTensors& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i].first != b[i].first || !same_bytes(a[i].second, b[i].second)) return false;
  return true;
}

nn::NamedTensors state_of(const nn::Module& model) {
  nn::NamedTensors out = model.parameters();
  for (auto& b : model.buffers()) out.push_back(std::move(b));
  for (auto& [name, t] : out) t = t.detach().clone();
  return out;
}

Tensor filled_with(const Tensor& x, double value) {
  if (x.dtype() != DType::f32) throw CheckSkipped{"the model takes " + std::string(name_of(x.dtype())) + ", which holds no such number"};
  Tensor y = x.clone();
  auto values = y.span<float>();
  for (std::size_t i = 0; i < values.size(); i += 7) values[i] = float(value);
  return y;
}

/// Moves every weight a little: a layer that begins at zeros hides what is before it.
void move_weights(const nn::Module& model) {
  for (const auto& [name, tensor] : model.parameters()) {
    if (tensor.dtype() != DType::f32) continue;
    std::vector<float> moved;
    for (double v : tensor.to_vector()) moved.push_back(float(v) + 0.01f * (float(moved.size() % 7) - 3));
    tensor.copy_from_host(moved.data(), moved.size() * sizeof(float));
  }
}

/// The loss of the checks that train: distance to fixed numbers.
Tensor loss_of(nn::Module& model, const Tensor& x) {
  const Tensor y = model.forward(x).to(DType::f32);
  return mean(square(y - random_normal(y.shape(), 99, 0)));
}

/// Losses of some steps of AdamW, and the state after them.
struct Training {
  std::vector<double> losses;
  nn::NamedTensors state;
};
Training trained(const TriedModel& t, int steps, bool recorded = false, double rate = 1e-2) {
  const nn::ModulePtr model = t.make();
  model->train();
  const Tensor key = random_key(1);
  model->set_random_key(key);
  auto optimiser = make_adamw(*model, {});
  const Tensor x = t.input(3);
  Training out;
  Tensor loss;
  const auto step = [&] {
    loss = loss_of(*model, x);
    loss.backward();
    loss = loss.detach();
    optimiser->step();
  };
  StepPlan plan;
  if (recorded) plan = StepPlan::record(step);
  for (int i = 0; i < steps; ++i) {
    optimiser->begin_step(rate);
    set_random_step(key, i);
    if (recorded) plan.run();
    else step();
    out.losses.push_back(loss.item());
  }
  out.state = state_of(*model);
  return out;
}

}  // namespace

std::vector<NamedCheck> model_checks(const Subject& s) {
  std::vector<NamedCheck> out;
  for (const std::string& name : entries_of(s, "model")) {
    const std::string last = "model.surroundings " + name;
    const auto load = [&s, name] { host_with(s).model(s.name() + "." + name); };
    const auto add = [&](const std::string& check, std::function<void(const TriedModel&)> run) {
      out.push_back({"model." + check + " " + name, [&s, name, check, run = std::move(run)] {
                       static const std::set<std::string> kTrains = {"memory", "gradients", "gradient_check", "learns", "trains_again", "recorded", "save_load_save", "foreign_state", "other_seed", "surroundings"};
                       const TriedModel tried(s, name);
                       if (kTrains.contains(check) && tried.make()->parameters().empty()) throw CheckSkipped{"it has no parameters"};
                       run(tried);
                     }, load, last});
    };
    add("makes", [](const TriedModel& t) { expect(t.make()->parameter_count() > 0, "it has no parameters"); });
    add("makes_many", [&s](const TriedModel& t) { expect_memory_returned([&] { t.make(); }, 30, 0.4 * s.seconds, "model that is made and dropped"); });
    add("memory", [&s](const TriedModel& t) {
      const nn::ModulePtr model = t.make();
      const Tensor x = t.input(2);
      model->eval();
      expect_memory_returned([&] { forward(*model, x); }, 40, 0.2 * s.seconds, "forward in evaluation");
      model->train();
      model->set_random_key(random_key(1));
      expect_memory_returned([&] { loss_of(*model, x).backward(); }, 20, 0.2 * s.seconds, "step of training");
    });
    add("names", [](const TriedModel& t) {
      const nn::ModulePtr model = t.make();
      for (const auto& [parameter, tensor] : model->parameters()) expect(!parameter.empty() && tensor.defined(), "a parameter has no name or no values");
    });
    add("shape", [](const TriedModel& t) {
      const nn::ModulePtr model = t.make();
      model->eval();
      const Tensor y = forward(*model, t.input(2));
      expect(y.shape() == t.output(2), "it gives " + y.str() + ", declared is " + t.output(2).str());
    });
    add("batches", [](const TriedModel& t) {
      const nn::ModulePtr model = t.make();
      model->eval();
      for (std::int64_t n : {1, 3, 7}) {
        const Tensor y = forward(*model, t.input(n));
        expect(y.shape() == t.output(n), "a batch of " + std::to_string(n) + " gives " + y.str());
      }
    });
    add("batch_of_none", [](const TriedModel& t) {
      const nn::ModulePtr model = t.make();
      model->eval();
      runs_or_refuses([&] { forward(*model, t.input(1).narrow(0, 0, 0)); }, "a batch of none");
    });
    add("samples_apart", [](const TriedModel& t) {
      const nn::ModulePtr model = t.make();
      model->eval();
      const Tensor x = t.input(3), all = forward(*model, x).to(DType::f64), alone = forward(*model, x.narrow(0, 1, 1).contiguous()).to(DType::f64);
      const std::vector<double> a = all.narrow(0, 1, 1).contiguous().to_vector(), b = alone.to_vector();
      double wrong = 0, size = 0;
      for (std::size_t i = 0; i < a.size(); ++i) wrong = std::max(wrong, std::abs(a[i] - b[i])), size = std::max(size, std::abs(b[i]));
      expect(wrong <= 1e-4 * std::max(size, 1e-3), "in evaluation a sample's result depends on the others of its batch");
    });
    add("finite", [](const TriedModel& t) {
      const nn::ModulePtr model = t.make();
      model->eval();
      expect(all_finite(forward(*model, t.input(2))), "normal numbers give NaN or infinity");
    });
    add("channels", [](const TriedModel& t) {
      for (std::int64_t channels : {1, 2, 5}) {
        ModelContext c = t.example.context;
        c.out_channels = channels;
        runs_or_refuses([&] {
          const nn::ModulePtr model = t.make(c);
          model->eval();
          const Tensor y = forward(*model, t.input(2));
          expect(y.shape() == t.output(c, 2), std::to_string(channels) + " output channels give " + y.str());
        }, std::to_string(channels) + " output channels");
      }
    });
    add("wrong_rank", [](const TriedModel& t) {
      const nn::ModulePtr model = t.make();
      const Tensor x = t.input(2);
      refuses([&] { forward(*model, x.reshape({-1})); }, "an input with one axis");
    });
    add("wrong_channels", [](const TriedModel& t) {
      const nn::ModulePtr model = t.make();
      const Tensor x = t.input(2);
      if (!is_floating(x.dtype()) || x.rank() < 2) throw CheckSkipped{"its input has no axis of channels"};
      ModelContext other = t.example.context;
      other.in_channels *= 3;
      const auto shapes = [](const nn::Module& m) {
        std::vector<Shape> list;
        for (const auto& [parameter, value] : m.parameters()) list.push_back(value.shape());
        return list;
      };
      nn::ModulePtr wide;
      runs_or_refuses([&] { wide = t.make(other); }, "three times the channels");
      const auto feed = [&] { forward(*model, concat({x, x, x}, -1)); };
      if (wide && shapes(*wide) == shapes(*model)) runs_or_refuses(feed, "an input with three times the channels");  // it does not ask how many there are
      else refuses(feed, "an input with three times the channels");
    });
    add("bad_context", [](const TriedModel& t) {
      for (std::int64_t n : {0, -1}) {
        ModelContext c = t.example.context;
        c.out_channels = n;
        refuses([&] { t.make(c); }, std::to_string(n) + " output channels");
      }
      ModelContext c = t.example.context;
      c.spatial.assign(9, 4);
      runs_or_refuses([&] { t.make(c); }, "nine spatial axes");
    });
    add("sizes", check_sizes);
    add("upper_bounds", [&s](const TriedModel& t) { check_upper_bounds(t, s.seconds); });
    add("extreme_parameters", [](const TriedModel& t) {
      for (const Param& p : t.entry.params.params()) {
        if (p.type != ParamType::integer && p.type != ParamType::real && p.type != ParamType::text) continue;
        std::vector<ParamValue> values;
        for (const std::string& c : p.choices) values.emplace_back(c);
        if (p.low) values.push_back(p.type == ParamType::integer ? ParamValue(std::int64_t(*p.low)) : ParamValue(*p.low));
        for (const ParamValue& v : values) {
          ParamValues all(t.entry.params);
          all.set(t.entry.params, p.name, v, "check");
          runs_or_refuses([&] {
            const nn::ModulePtr model = t.entry.make(all, t.example.context);
            model->initialise(1);
            model->eval();
            forward(*model, t.input(2));
          }, "parameter '" + p.name + "' at a bound or choice");
        }
      }
    });
    for (const auto& [what, value] : {std::pair{"nan", std::numeric_limits<double>::quiet_NaN()}, {"infinity", std::numeric_limits<double>::infinity()}})
      add(std::string("input_") + what, [value = value](const TriedModel& t) {
        const nn::ModulePtr model = t.make();
        model->eval();
        const Tensor x = filled_with(t.input(2), value);
        runs_or_refuses([&] { expect(forward(*model, x).shape() == t.output(2), "the result has another shape"); }, "such an input");
      });
    add("input_denormal", [](const TriedModel& t) {
      const nn::ModulePtr model = t.make();
      model->eval();
      expect(all_finite(forward(*model, filled_with(t.input(2), 1e-41))), "denormal numbers give NaN or infinity");
    });
    add("same_seed", [](const TriedModel& t) { expect(same_bytes(state_of(*t.make(5)), state_of(*t.make(5))), "the same seed gives other weights"); });
    add("other_seed", [](const TriedModel& t) {
      const nn::ModulePtr model = t.make(5);
      bool drawn = false;
      for (const auto& [parameter, value] : model->parameters()) {
        const std::vector<double> v = value.to_vector();
        drawn = drawn || std::any_of(v.begin(), v.end(), [&](double x) { return x != v[0]; });
      }
      if (!drawn) throw CheckSkipped{"its weights begin as constants"};
      expect(!same_bytes(state_of(*model), state_of(*t.make(6))), "another seed gives the same weights");
    });
    add("repeats", [](const TriedModel& t) {
      const nn::ModulePtr model = t.make();
      model->eval();
      const Tensor x = t.input(2);
      expect(same_bytes(forward(*model, x), forward(*model, x)), "in evaluation the same input gives other bytes the second time");
    });
    add("leaves_input", [](const TriedModel& t) {
      const nn::ModulePtr model = t.make();
      model->eval();
      const Tensor x = t.input(2), before = x.clone();
      forward(*model, x);
      expect(same_bytes(x, before), "it writes into its input");
    });
    add("threads", [](const TriedModel& t) {
      set_thread_count(1);
      const Training one = trained(t, 2);
      set_thread_count(4);
      expect(same_bytes(one.state, trained(t, 2).state), "one thread and four end in other weights");
    });
    add("gradients", [](const TriedModel& t) {
      const nn::ModulePtr model = t.make();
      model->train();
      model->set_random_key(random_key(1));
      loss_of(*model, t.input(3)).backward();
      std::string without;
      for (const auto& [parameter, tensor] : model->parameters()) {
        const Tensor g = tensor.grad();
        if (!g.defined()) {
          without += " " + parameter;
          continue;
        }
        expect(all_finite(g), "the gradient of '" + parameter + "' is not finite");
      }
      expect(without.empty(), "the loss does not depend on:" + without);
    });
    add("gradient_check", [&s](const TriedModel& t) { check_gradient(t, s.seconds); });
    add("learns", [](const TriedModel& t) {
      std::string seen;  // which rate suits a model is not known before
      for (const double rate : {1e-2, 1e-3, 1e-4}) {
        const Training training = trained(t, 40, false, rate);
        if (std::isfinite(training.losses.back()) && training.losses.back() < 0.98 * training.losses.front()) return;
        seen += (seen.empty() ? "" : ", ") + std::to_string(training.losses.front()) + " to " + std::to_string(training.losses.back());
      }
      throw CheckFailed{"forty steps of AdamW at learning rates of 0.01, 0.001 and 0.0001 take the loss from " + seen};
    });
    add("trains_again", [](const TriedModel& t) { expect(same_bytes(trained(t, 3).state, trained(t, 3).state), "the same training ends in other weights"); });
    add("recorded", [](const TriedModel& t) {
      const Training eager = trained(t, 3), replayed = trained(t, 3, true);
      expect(same_bytes(eager.state, replayed.state), "a recorded step ends in other weights than the same step launched op by op: something is decided outside of ops");
    });
    add("save_load_save", [&s](const TriedModel& t) {
      const nn::ModulePtr model = t.make(3), other = t.make(4);
      const fs::path first = s.folder / ("a" + std::to_string(::getpid())), second = s.folder / ("b" + std::to_string(::getpid()));
      save_safetensors(first, state_of(*model));
      other->load(load_safetensors(first).tensors);
      save_safetensors(second, state_of(*other));
      const auto bytes = [](const fs::path& p) {
        std::ifstream in(p, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
      };
      expect(bytes(first) == bytes(second), "saved, loaded and saved again, the file has other bytes");
      const Tensor x = t.input(2);
      model->eval();
      other->eval();
      expect(same_bytes(forward(*model, x), forward(*other, x)), "the loaded model computes something else");
    });
    add("foreign_state", [](const TriedModel& t) {
      const nn::ModulePtr model = t.make();
      const nn::NamedTensors before = state_of(*model);
      refuses([&] { model->load({{"no.such.parameter", Tensor::zeros({2})}}); }, "a state of another model");
      expect(same_bytes(before, state_of(*model)), "a refused state changed weights all the same");
    });
    for (const DType type : {DType::bf16, DType::f16})
      add(std::string(name_of(type)).c_str(), [type](const TriedModel& t) {
        const std::string in(name_of(type));
        const auto& computes = t.entry.computes;
        if (std::find(computes.begin(), computes.end(), type) == computes.end()) throw CheckSkipped{"it declares that it does not compute in " + in};
        ModelContext c = t.example.context;
        c.compute = type;
        const auto result = [&](const ModelContext& context, bool moved) {
          const nn::ModulePtr model = t.make(context);
          if (moved) move_weights(*model);
          model->eval();
          return forward(*model, t.input(2));
        };
        Tensor y;
        try {
          y = result(c, false);
        } catch (const Error& e) {
          throw CheckFailed{"it declares " + in + " (ModelEntry::computes), which ends in " + e.code() + ": " + e.message()};
        }
        expect(y.shape() == t.output(c, 2) && all_finite(y), "in " + in + " it gives " + y.str() + " or numbers that are not finite");
        ModelContext whole = c;
        whole.compute = DType::f32;
        expect(!same_bytes(result(c, true), result(whole, true)), "it declares " + in + " (ModelEntry::computes) and gives the bits of f32: pass ModelContext::compute on, or declare f32 alone");
      });
    add("gpu", [](const TriedModel& t) {
      std::optional<Device> gpu;
      for (const DeviceInfo& d : list_devices())
        if (d.device != kCpu && d.usable) gpu = d.device;
      if (!gpu) throw CheckSkipped{"no GPU is usable here"};
      const nn::ModulePtr model = t.make();
      model->eval();
      const Tensor x = t.input(2), here = forward(*model, x).to(DType::f64);
      DeviceScope on(*gpu);
      const nn::ModulePtr there = t.make();
      there->load(state_of(*model));
      there->eval();
      const std::vector<double> a = here.to_vector(), b = forward(*there, x.to(*gpu)).to(kCpu).to(DType::f64).to_vector();
      double wrong = 0, all = 0;
      for (std::size_t i = 0; i < a.size(); ++i) wrong += (a[i] - b[i]) * (a[i] - b[i]), all += a[i] * a[i];
      expect(a.size() == b.size() && wrong <= 1e-7 * std::max(all, 1e-12), "on " + gpu->str() + " it gives other numbers");
    });
    out.back().before = {};  // a GPU's driver keeps descriptors and threads
    add("surroundings", [](const TriedModel& t) {
      const nn::ModulePtr model = t.make();
      model->set_random_key(random_key(1));
      const Tensor x = t.input(2);
      const auto use = [&] {
        model->eval();
        forward(*model, x);
        model->train();
        loss_of(*model, x).backward();
      };
      for (int i = 0; i < 3; ++i) use();  // from here on the core's threads are there
      const Surroundings before;
      for (int i = 0; i < 4; ++i) use();
      const std::size_t threads = settled(before, 0).threads;
      expect(threads <= before.threads, std::to_string(threads - before.threads) + " threads stay of four steps");
    });
    out.back().told_by.clear();
  }
  return out;
}

}  // namespace tenon::command
