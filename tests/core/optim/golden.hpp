/// What the tests of optimisers share: two parameters, gradients in closed form, and golden trajectories (tests/golden/make_optim*.py).
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tenon/optim.hpp"

namespace tenon::optim_test {

using Values = std::vector<double>;
struct Row {
  int step;
  Values values;
};
using Golden = std::vector<std::pair<std::string, std::vector<Row>>>;

class Two : public nn::Module {
 public:
  Two(const Shape& first, const Shape& second) {
    w = add_parameter("w", first, {});
    b = add_parameter("b", second, {});
    for (std::int64_t i = 0; i < w.numel(); ++i) w.data<float>()[i] = float(std::sin(1.0 + double(i)));
    for (std::int64_t i = 0; i < b.numel(); ++i) b.data<float>()[i] = float(2 * std::sin(1.0 + double(i)));
  }
  Values all() const {
    Values v = w.to_vector(), more = b.to_vector();
    v.insert(v.end(), more.begin(), more.end());
    return v;
  }
  Tensor w, b;
};

/// sin(0.1 t + i) + 0.3 w[i], of a matrix sin(0.1 t + i^2) + 0.3 w[i], which has full rank; cos(0.2 t - i) - 0.1 b[i].
inline void set_gradients(const Two& m, int t) {
  std::vector<float> gw, gb;
  for (std::int64_t i = 0; i < m.w.numel(); ++i) gw.push_back(float(std::sin(0.1 * t + double(m.w.rank() == 2 ? i * i : i)) + 0.3 * double(m.w.data<float>()[i])));
  for (std::int64_t i = 0; i < m.b.numel(); ++i) gb.push_back(float(std::cos(0.2 * t - double(i)) - 0.1 * double(m.b.data<float>()[i])));
  m.w.set_grad(Tensor::from(gw, m.w.shape()));
  m.b.set_grad(Tensor::from(gb, m.b.shape()));
}

inline double rate(int t) { return 0.05 / (1 + 0.01 * t); }

inline void advance(const Two& m, Optimiser& o, int from, int to) {
  for (int t = from; t <= to; ++t) {
    set_gradients(m, t);
    o.begin_step(rate(t));
    o.step();
  }
}

using Make = std::function<std::unique_ptr<Optimiser>(const std::string& name, nn::Module& module)>;

/// Every trajectory, at the steps that are stored.
inline void follow(const Golden& golden, const std::function<Two()>& start, const Make& make, double relative, double absolute) {
  for (const auto& [name, rows] : golden) {
    Two m = start();
    auto o = make(name, m);
    int at = 0;
    for (const Row& row : rows) {
      advance(m, *o, at + 1, row.step);
      at = row.step;
      const Values got = m.all();
      for (std::size_t i = 0; i < got.size(); ++i) {
        INFO(name << " step " << at << " element " << i);
        CHECK(got[i] == Approx(row.values[i]).epsilon(relative).margin(absolute));
      }
    }
    CHECK(o->steps() == 100);
  }
}

/// 20 steps are 11, a saved and shuffled state, and 9 more, bit for bit.
inline void interrupted(const Golden& golden, const std::function<Two()>& start, const Make& make) {
  for (const auto& entry : golden) {
    const std::string& name = entry.first;
    Two whole = start(), first = start(), second = start();
    auto a = make(name, whole), b = make(name, first), c = make(name, second);
    advance(whole, *a, 1, 20);
    advance(first, *b, 1, 11);
    nn::NamedTensors saved;
    for (const auto& [key, t] : b->state()) saved.emplace_back(key, t.clone());
    std::reverse(saved.begin(), saved.end());
    second.load(first.parameters());
    c->load(saved);
    CHECK(c->steps() == 11);
    advance(second, *c, 12, 20);
    INFO(name);
    CHECK(second.all() == whole.all());
  }
}

}  // namespace tenon::optim_test
