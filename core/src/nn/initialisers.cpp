#include "tenon/nn/initialisers.hpp"

#include <cmath>

#include "nn/stream.hpp"
#include "ops/named.hpp"
#include "tenon/random.hpp"

namespace tenon::nn {
namespace {

enum class How {
  kaiming_normal,
  kaiming_uniform,
  xavier_normal,
  xavier_uniform,
  trunc_normal,
  orthogonal,
  normal,
  uniform,
  zeros,
  ones,
  constant
};

bool matches(const char* pattern, const char* name) {
  if (*pattern == '*') return matches(pattern + 1, name) || (*name && matches(pattern, name + 1));
  if (!*pattern || !*name) return !*pattern && !*name;
  return (*pattern == '?' || *pattern == *name) && matches(pattern + 1, name + 1);
}

/// Orthonormal vectors of length `size`, one after the other: Gram-Schmidt in double, twice a vector (Kahan's "twice is enough").
std::vector<double> orthonormal(std::int64_t count, std::int64_t size, const Random& random) {
  std::vector<double> q(std::size_t(count * size));
  std::uint64_t drawn = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    double* v = q.data() + i * size;
    double norm = 0;
    while (norm < 1e-6) {  // a draw within the span of those before is drawn again
      for (std::int64_t k = 0; k < size; ++k) v[k] = double(random.normal(drawn++));
      for (int pass = 0; pass < 2; ++pass)
        for (std::int64_t j = 0; j < i; ++j) {
          const double* u = q.data() + j * size;
          double dot = 0;
          for (std::int64_t k = 0; k < size; ++k) dot += u[k] * v[k];
          for (std::int64_t k = 0; k < size; ++k) v[k] -= dot * u[k];
        }
      norm = 0;
      for (std::int64_t k = 0; k < size; ++k) norm += v[k] * v[k];
      norm = std::sqrt(norm);
    }
    for (std::int64_t k = 0; k < size; ++k) v[k] /= norm;
  }
  return q;
}

double normal_within(const Random& random, std::uint64_t index, std::uint64_t count, double limit) {
  for (;; index += count)
    if (const double v = double(random.normal(index)); std::abs(v) <= limit) return v;
}

std::vector<float> values(const std::string& name, const Shape& shape, How how, const Random& random, const InitialiserOptions& o) {
  const std::int64_t n = shape.numel();
  const bool by_fan = how <= How::xavier_uniform || how == How::orthogonal;
  if (by_fan && shape.rank() < 2)
    throw_usage("initialise", "'" + name + "' " + shape.str() + " has no inputs and outputs to count", "use normal, uniform or a constant");
  const double rows = by_fan ? double(shape[0]) : 1, fan_in = by_fan ? double(n) / rows : 1,
               fan_out = by_fan ? double(n) / double(shape[-1]) : 1;
  const double kaiming = o.gain * std::sqrt(2 / (1 + o.slope * o.slope) / (o.fan_out ? fan_out : fan_in)),
               xavier = o.gain * std::sqrt(2 / (fan_in + fan_out));
  std::vector<float> v(static_cast<std::size_t>(n));
  auto fill = [&](const auto& f) {
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = float(f(i));
  };
  auto normal = [&](double mean, double stddev) { fill([&](std::size_t i) { return mean + stddev * double(random.normal(i)); }); };
  auto uniform = [&](double low, double high) { fill([&](std::size_t i) { return low + (high - low) * double(random.uniform(i)); }); };
  switch (how) {
    case How::kaiming_normal:
      normal(0, kaiming);
      break;
    case How::kaiming_uniform:
      uniform(-std::sqrt(3.0) * kaiming, std::sqrt(3.0) * kaiming);
      break;
    case How::xavier_normal:
      normal(0, xavier);
      break;
    case How::xavier_uniform:
      uniform(-std::sqrt(3.0) * xavier, std::sqrt(3.0) * xavier);
      break;
    case How::trunc_normal:
      fill([&](std::size_t i) { return o.mean + o.stddev * normal_within(random, i, v.size(), 2); });
      break;
    case How::normal:
      normal(o.mean, o.stddev);
      break;
    case How::uniform:
      uniform(o.low, o.high);
      break;
    case How::zeros:
      break;
    case How::ones:
      fill([](std::size_t) { return 1.0; });
      break;
    case How::constant:
      fill([&](std::size_t) { return o.value; });
      break;
    case How::orthogonal: {
      const std::int64_t outs = shape[0], ins = n / outs;
      const std::vector<double> q = outs <= ins ? orthonormal(outs, ins, random) : orthonormal(ins, outs, random);
      for (std::int64_t r = 0; r < outs; ++r)
        for (std::int64_t c = 0; c < ins; ++c)
          v[std::size_t(r * ins + c)] = float(o.gain * q[std::size_t(outs <= ins ? r * ins + c : c * outs + r)]);
      break;
    }
  }
  return v;
}

}  // namespace

std::size_t initialise(Module& module, const std::string& pattern, const std::string& how, std::uint64_t seed,
                       const InitialiserOptions& o) {
  static const Named<How> known{{"kaiming_normal", How::kaiming_normal},
                                {"kaiming_uniform", How::kaiming_uniform},
                                {"xavier_normal", How::xavier_normal},
                                {"xavier_uniform", How::xavier_uniform},
                                {"trunc_normal", How::trunc_normal},
                                {"orthogonal", How::orthogonal},
                                {"normal", How::normal},
                                {"uniform", How::uniform},
                                {"zeros", How::zeros},
                                {"ones", How::ones},
                                {"constant", How::constant}};
  const How kind = find_named("initialise", "initialiser", how, known);
  if (o.stddev < 0 || o.high < o.low)
    throw_usage("initialise", "stddev " + std::to_string(o.stddev) + ", range " + std::to_string(o.low) + " to " + std::to_string(o.high));
  std::vector<std::pair<Tensor, std::vector<float>>>
      filled;  // all are made before the first is written: nothing changes where one is refused
  std::vector<std::string> names;
  for (const auto& [name, t] : module.parameters()) {
    names.push_back(name);
    if (!matches(pattern.c_str(), name.c_str()) || t.numel() == 0) continue;
    filled.emplace_back(t, values(name, t.shape(), kind, Random(seed, stream_of(name)), o));
  }
  if (filled.empty()) throw_usage("initialise", "no parameter matches '" + pattern + "'", suggestion(pattern, names));
  for (const auto& [t, v] : filled) t.copy_from_host(v.data(), v.size() * sizeof(float));
  return filled.size();
}

}  // namespace tenon::nn
