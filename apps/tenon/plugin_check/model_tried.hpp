/// A model under check, and what its checks have in common.
#pragma once

#include <cmath>
#include <functional>
#include <string>

#include "plugin_check/subject.hpp"
#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/tenon.hpp"

namespace tenon::command {

/// A model in the context that its plugin gives as an example.
struct TriedModel {
  const ModelEntry& entry;
  ModelExample example;

  TriedModel(const Subject& s, const std::string& name) : entry(host_with(s).model(s.name() + "." + name)) {
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
  Tensor input(std::int64_t batch, std::uint64_t seed = 1) const { return input(example.context, batch, seed); }
  Tensor input(const ModelContext& c, std::int64_t batch, std::uint64_t seed = 1) const {
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

inline Tensor forward(nn::Module& model, const Tensor& x) {
  NoGrad off;
  return model.forward(x).contiguous();
}

inline bool all_finite(const Tensor& x) {
  for (double v : x.to(DType::f64).to_vector())
    if (!std::isfinite(v)) return false;
  return true;
}

/// A result, or a clear refusal; anything else is a failure.
inline void runs_or_refuses(const std::function<void()>& f, const std::string& what) {
  try {
    f();
  } catch (const Error& e) {
    expect(e.kind() == ErrorKind::usage || e.kind() == ErrorKind::data, what + " ends in " + e.code() + ": " + e.message());
  }
}

inline void refuses(const std::function<void()>& f, const std::string& what) {
  try {
    f();
  } catch (const Error& e) {
    expect(e.kind() == ErrorKind::usage || e.kind() == ErrorKind::data, what + " ends in " + e.code() + ": " + e.message());
    return;
  }
  throw CheckFailed{what + " is taken without a word"};
}

/// The gradient of each parameter against differences of the loss (model_gradient.cpp). Throws CheckFailed.
void check_gradient(const TriedModel& t, double seconds);

/// Shapes at other sizes than the example's, and parameters at their upper bounds (model_bounds.cpp). Throw CheckFailed.
void check_sizes(const TriedModel& t);
void check_upper_bounds(const TriedModel& t, double seconds);

}  // namespace tenon::command
