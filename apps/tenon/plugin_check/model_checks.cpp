#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "plugin_check/subject.hpp"
#include "tenon/autograd.hpp"
#include "tenon/dropout.hpp"
#include "tenon/error.hpp"
#include "tenon/io/safetensors.hpp"
#include "tenon/optim.hpp"
#include "tenon/plan.hpp"
#include "tenon/storage.hpp"
#include "tenon/tenon.hpp"

namespace tenon::command {
namespace {

namespace fs = std::filesystem;

/// A model in the context that its plugin gives as an example.
struct Tried {
  const ModelEntry& entry;
  ModelExample example;

  Tried(const Subject& s, const std::string& name) : entry(host_with(s).model(s.name() + "." + name)) {
    if (!entry.example) throw CheckSkipped{"the model gives no example (ModelEntry::example): what it takes is not known"};
    example = *entry.example;
  }
  nn::ModulePtr make(std::uint64_t seed = 1) const { return make(example.context, seed); }
  nn::ModulePtr make(const ModelContext& context, std::uint64_t seed = 1) const {
    nn::ModulePtr model = entry.make(ParamValues(entry.params), context);
    expect(model != nullptr, "make gives no model");
    model->initialise(seed);
    return model;
  }
  Tensor input(std::int64_t batch, std::uint64_t seed = 1) const {
    const ModelContext& c = example.context;
    if (example.input) return example.input(c, batch, seed);
    Shape shape{batch};
    for (std::int64_t n : c.spatial) shape.push_back(n);
    shape.push_back(c.in_channels);
    return random_normal(shape, seed, 0);
  }
  Shape output(std::int64_t batch) const { return output(example.context, batch); }
  Shape output(const ModelContext& c, std::int64_t batch) const {
    if (example.output) return example.output(c, batch);
    Shape shape{batch};
    for (std::int64_t n : c.spatial) shape.push_back(n);
    shape.push_back(c.out_channels);
    return shape;
  }
};

Tensor forward(nn::Module& model, const Tensor& x) {
  NoGrad off;
  return model.forward(x).contiguous();
}

bool all_finite(const Tensor& x) {
  for (double v : x.to(DType::f64).to_vector())
    if (!std::isfinite(v)) return false;
  return true;
}

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

/// A result, or a clear refusal; anything else is a failure.
void runs_or_refuses(const std::function<void()>& f, const std::string& what) {
  try {
    f();
  } catch (const Error& e) {
    expect(e.kind() == ErrorKind::usage || e.kind() == ErrorKind::data, what + " ends in " + e.code() + ": " + e.message());
  }
}

void refuses(const std::function<void()>& f, const std::string& what) {
  try {
    f();
  } catch (const Error& e) {
    expect(e.kind() == ErrorKind::usage || e.kind() == ErrorKind::data, what + " ends in " + e.code() + ": " + e.message());
    return;
  }
  throw CheckFailed{what + " is taken without a word"};
}

Tensor filled_with(const Tensor& x, double value) {
  if (x.dtype() != DType::f32) throw CheckSkipped{"the model takes " + std::string(name_of(x.dtype())) + ", which holds no such number"};
  Tensor y = x.clone();
  auto values = y.span<float>();
  for (std::size_t i = 0; i < values.size(); i += 7) values[i] = float(value);
  return y;
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
Training trained(const Tried& t, int steps, bool recorded = false, double rate = 1e-2) {
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
    const auto add = [&](const std::string& check, std::function<void(const Tried&)> run) {
      out.push_back({"model." + check + " " + name, [&s, name, run = std::move(run)] { run(Tried(s, name)); }});
    };
    add("makes", [](const Tried& t) { expect(t.make()->parameter_count() > 0, "it has no parameters"); });
    add("makes_many", [](const Tried& t) {
      t.make();
      const std::size_t before = allocator(DeviceType::cpu).stats().in_use;
      for (int i = 0; i < 30; ++i) t.make();
      const std::size_t after = allocator(DeviceType::cpu).stats().in_use;
      expect(after <= before, std::to_string(after - before) + " bytes of tensors stay after thirty models were made and dropped");
    });
    add("names", [](const Tried& t) {
      const nn::ModulePtr model = t.make();
      for (const auto& [parameter, tensor] : model->parameters()) expect(!parameter.empty() && tensor.defined(), "a parameter has no name or no values");
    });
    add("shape", [](const Tried& t) {
      const nn::ModulePtr model = t.make();
      model->eval();
      const Tensor y = forward(*model, t.input(2));
      expect(y.shape() == t.output(2), "it gives " + y.str() + ", declared is " + t.output(2).str());
    });
    add("batches", [](const Tried& t) {
      const nn::ModulePtr model = t.make();
      model->eval();
      for (std::int64_t n : {1, 3, 7}) {
        const Tensor y = forward(*model, t.input(n));
        expect(y.shape() == t.output(n), "a batch of " + std::to_string(n) + " gives " + y.str());
      }
    });
    add("batch_of_none", [](const Tried& t) {
      const nn::ModulePtr model = t.make();
      model->eval();
      runs_or_refuses([&] { forward(*model, t.input(1).narrow(0, 0, 0)); }, "a batch of none");
    });
    add("samples_apart", [](const Tried& t) {
      const nn::ModulePtr model = t.make();
      model->eval();
      const Tensor x = t.input(3), all = forward(*model, x).to(DType::f64), alone = forward(*model, x.narrow(0, 1, 1).contiguous()).to(DType::f64);
      const std::vector<double> a = all.narrow(0, 1, 1).contiguous().to_vector(), b = alone.to_vector();
      double wrong = 0, size = 0;
      for (std::size_t i = 0; i < a.size(); ++i) wrong = std::max(wrong, std::abs(a[i] - b[i])), size = std::max(size, std::abs(b[i]));
      expect(wrong <= 1e-4 * std::max(size, 1e-3), "in evaluation a sample's result depends on the others of its batch");
    });
    add("finite", [](const Tried& t) {
      const nn::ModulePtr model = t.make();
      model->eval();
      expect(all_finite(forward(*model, t.input(2))), "normal numbers give NaN or infinity");
    });
    add("channels", [](const Tried& t) {
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
    add("wrong_rank", [](const Tried& t) {
      const nn::ModulePtr model = t.make();
      const Tensor x = t.input(2);
      refuses([&] { forward(*model, x.reshape({-1})); }, "an input with one axis");
    });
    add("wrong_channels", [](const Tried& t) {
      const nn::ModulePtr model = t.make();
      const Tensor x = t.input(2);
      if (!is_floating(x.dtype()) || x.rank() < 2) throw CheckSkipped{"its input has no axis of channels"};
      refuses([&] { forward(*model, concat({x, x, x}, -1)); }, "an input with three times the channels");
    });
    add("bad_context", [](const Tried& t) {
      for (std::int64_t n : {0, -1}) {
        ModelContext c = t.example.context;
        c.out_channels = n;
        refuses([&] { t.make(c); }, std::to_string(n) + " output channels");
      }
      ModelContext c = t.example.context;
      c.spatial.assign(9, 4);
      runs_or_refuses([&] { t.make(c); }, "nine spatial axes");
    });
    add("extreme_parameters", [](const Tried& t) {
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
      add(std::string("input_") + what, [value = value](const Tried& t) {
        const nn::ModulePtr model = t.make();
        model->eval();
        const Tensor x = filled_with(t.input(2), value);
        runs_or_refuses([&] { expect(forward(*model, x).shape() == t.output(2), "the result has another shape"); }, "such an input");
      });
    add("input_denormal", [](const Tried& t) {
      const nn::ModulePtr model = t.make();
      model->eval();
      expect(all_finite(forward(*model, filled_with(t.input(2), 1e-41))), "denormal numbers give NaN or infinity");
    });
    add("same_seed", [](const Tried& t) { expect(same_bytes(state_of(*t.make(5)), state_of(*t.make(5))), "the same seed gives other weights"); });
    add("other_seed", [](const Tried& t) { expect(!same_bytes(state_of(*t.make(5)), state_of(*t.make(6))), "another seed gives the same weights"); });
    add("repeats", [](const Tried& t) {
      const nn::ModulePtr model = t.make();
      model->eval();
      const Tensor x = t.input(2);
      expect(same_bytes(forward(*model, x), forward(*model, x)), "in evaluation the same input gives other bytes the second time");
    });
    add("leaves_input", [](const Tried& t) {
      const nn::ModulePtr model = t.make();
      model->eval();
      const Tensor x = t.input(2), before = x.clone();
      forward(*model, x);
      expect(same_bytes(x, before), "it writes into its input");
    });
    add("threads", [](const Tried& t) {
      set_thread_count(1);
      const Training one = trained(t, 2);
      set_thread_count(4);
      expect(same_bytes(one.state, trained(t, 2).state), "one thread and four end in other weights");
    });
    add("gradients", [](const Tried& t) {
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
    add("gradient_check", [](const Tried& t) {
      // along the gradient itself the loss must change by the gradient's square; differences in double over steps that f32 resolves
      const nn::ModulePtr model = t.make();
      model->eval();
      const Tensor x = t.input(3);
      loss_of(*model, x).backward();
      const nn::NamedTensors parameters = model->parameters();
      std::vector<Tensor> gradients;
      double square_sum = 0, size = 0;
      for (const auto& [parameter, tensor] : parameters) {
        gradients.push_back(tensor.grad().defined() ? tensor.grad().clone() : Tensor::zeros(tensor.shape()));
        for (double v : gradients.back().to_vector()) square_sum += v * v;
        for (double v : tensor.to_vector()) size += v * v;
      }
      if (square_sum == 0) throw CheckFailed{"the gradient is zero"};
      const auto at = [&](double step) {
        NoGrad off;
        const nn::ModulePtr moved = t.make();
        moved->eval();
        nn::NamedTensors state = state_of(*model);
        for (std::size_t i = 0; i < parameters.size(); ++i) state[i].second = parameters[i].second.detach() + gradients[i] * step;
        moved->load(state);
        return double(mean(square(forward(*moved, x).to(DType::f64) - random_normal(t.output(3), 99, 0).to(DType::f64))).item());
      };
      double best = INFINITY;  // the step that suits is not known before: a kink may lie within a large one, rounding hides a small one
      for (double h : {3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5}) {
        const double step = h * std::sqrt(std::max(size, 1e-3) / square_sum);
        best = std::min(best, std::abs((at(step) - at(-step)) / (2 * step * square_sum) - 1));
      }
      expect(best < 0.03, "differences of the loss say that the gradient is off by " + std::to_string(100 * best) + " %");
    });
    add("learns", [](const Tried& t) {
      std::string seen;  // which rate suits a model is not known before
      for (const double rate : {1e-2, 1e-3, 1e-4}) {
        const Training training = trained(t, 40, false, rate);
        if (std::isfinite(training.losses.back()) && training.losses.back() < 0.98 * training.losses.front()) return;
        seen += (seen.empty() ? "" : ", ") + std::to_string(training.losses.front()) + " to " + std::to_string(training.losses.back());
      }
      throw CheckFailed{"forty steps of AdamW at learning rates of 0.01, 0.001 and 0.0001 take the loss from " + seen};
    });
    add("trains_again", [](const Tried& t) { expect(same_bytes(trained(t, 3).state, trained(t, 3).state), "the same training ends in other weights"); });
    add("recorded", [](const Tried& t) {
      const Training eager = trained(t, 3), replayed = trained(t, 3, true);
      expect(same_bytes(eager.state, replayed.state), "a recorded step ends in other weights than the same step launched op by op: something is decided outside of ops");
    });
    add("save_load_save", [&s](const Tried& t) {
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
    add("foreign_state", [](const Tried& t) {
      const nn::ModulePtr model = t.make();
      const nn::NamedTensors before = state_of(*model);
      refuses([&] { model->load({{"no.such.parameter", Tensor::zeros({2})}}); }, "a state of another model");
      expect(same_bytes(before, state_of(*model)), "a refused state changed weights all the same");
    });
    add("bf16", [](const Tried& t) {
      ModelContext c = t.example.context;
      c.compute = DType::bf16;
      runs_or_refuses([&] {
        const nn::ModulePtr model = t.make(c);
        model->eval();
        const Tensor y = forward(*model, t.input(2));
        expect(y.shape() == t.output(c, 2) && all_finite(y), "in bf16 it gives " + y.str() + " or numbers that are not finite");
      }, "bf16");
    });
    add("gpu", [](const Tried& t) {
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
  }
  return out;
}

}  // namespace tenon::command
