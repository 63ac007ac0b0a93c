/// Gradients against central differences in double, first and second, for any function of tensors.
///
/// The same calls also serve to compare two devices: while a `Twin` is alive they make no differences but note every output and gradient
/// (tests/cuda does this once on the CPU and once on the device).
#pragma once

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "tenon/autograd.hpp"
#include "tenon/complex.hpp"
#include "tenon/device.hpp"
#include "tenon/error.hpp"
#include "tenon/ops.hpp"

namespace check {

using tenon::DType;
using tenon::Shape;
using tenon::Tensor;
using Function = std::function<Tensor(const std::vector<Tensor>&)>;

/// What one function gave: a result or a gradient, in its type.
struct Noted {
  std::string what;
  Tensor values;  ///< on the CPU
};

/// While one is alive, `made` and `spread` give values of `type`, and the checks below note what they compute instead of judging it.
class Twin {
 public:
  explicit Twin(DType made_in) : type(made_in), before_(active()) { active() = this; }
  ~Twin() { active() = before_; }
  Twin(const Twin&) = delete;
  Twin& operator=(const Twin&) = delete;
  static Twin*& active() {
    static Twin* twin = nullptr;
    return twin;
  }
  void note(const std::string& what, const Tensor& t) {
    if (t.defined()) noted.push_back({what, t.detach().contiguous().to(tenon::kCpu)});
  }

  const DType type;
  bool typed = false;  ///< whether anybody asked for it
  std::vector<Noted> noted;

 private:
  Twin* before_;
};

/// The type in which values are made: double, or the Twin's.
inline DType number_type() {
  if (!Twin::active()) return DType::f64;
  Twin::active()->typed = true;
  return Twin::active()->type;
}

/// Element i is sin(1.7 i + k) * 1.5 + 0.25 k: irregular, no ties, and the same in tests/golden/*.py.
inline Tensor made(int k, const Shape& shape, DType type = number_type()) {
  std::vector<double> v(std::size_t(shape.numel()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = std::sin(1.7 * double(i) + k) * 1.5 + 0.25 * k;
  return Tensor::from(v, shape).to(type);
}

/// Values within (low, high) in no order and apart from each other: no ties, and no kink within a difference's step
/// when the range or its middle avoids it.
inline Tensor spread(const Shape& shape, double low = -1, double high = 1, DType type = number_type()) {
  const std::int64_t n = shape.numel();
  std::int64_t stride = 1;
  for (std::int64_t s : {7, 11, 13, 17, 19})
    if (n % s) stride = s;
  std::vector<double> v;
  for (std::int64_t i = 0; i < n; ++i) v.push_back(low + (high - low) * (double(i * stride % n) + 0.37) / double(n));
  return Tensor::from(v, shape).to(type);
}

inline std::vector<Tensor> leaves(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> out;
  for (const Tensor& t : inputs) {
    Tensor leaf = t.clone().detach();
    leaf.set_requires_grad();
    out.push_back(leaf);
  }
  return out;
}

inline void require_close(const std::vector<double>& got, const std::vector<double>& expected, double tolerance) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("element " << i << ": " << got[i] << ", expected " << expected[i]);
    REQUIRE(std::abs(got[i] - expected[i]) <= tolerance * (1 + std::abs(expected[i])));
  }
}

/// sum(f(inputs) * weights) with fixed irregular weights.
inline Tensor weighed(const Function& f, const std::vector<Tensor>& inputs) {
  Tensor y = f(inputs);
  return tenon::sum(y * made(11, y.shape(), y.dtype()));
}

/// What the Twin notes of f: its output and its gradients, and second ones of the sum that second_gradients differentiates.
inline void note_gradients(Twin& twin, const Function& f, const std::vector<Tensor>& inputs, bool second) {
  std::vector<Tensor> x = leaves(inputs);
  Tensor y = f(x);
  twin.note("output", y);
  std::vector<Tensor> d = tenon::gradients({tenon::sum(y * made(11, y.shape(), y.dtype()))}, x, {}, second);
  for (std::size_t k = 0; k < d.size(); ++k) twin.note("gradient " + std::to_string(k), d[k]);
  if (!second) return;
  Tensor total = Tensor::zeros({}, d[0].dtype());
  for (std::size_t k = 0; k < d.size(); ++k) total = total + tenon::sum(d[k] * made(13 + int(k), d[k].shape(), d[k].dtype()));
  d = tenon::gradients({total}, x);
  for (std::size_t k = 0; k < d.size(); ++k) twin.note("second gradient " + std::to_string(k), d[k]);
}

/// d f / d inputs[which], by central differences of a scalar function.
inline std::vector<double> differences(const std::function<double(const std::vector<Tensor>&)>& f, const std::vector<Tensor>& inputs,
                                       std::size_t which, double step = 1e-6) {
  std::vector<double> out;
  std::vector<double> values = inputs[which].to_vector();
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto at = [&](double delta) {
      std::vector<double> moved = values;
      moved[i] += delta;
      std::vector<Tensor> changed = inputs;
      changed[which] = Tensor::from(moved, inputs[which].shape());
      return f(changed);
    };
    out.push_back((at(step) - at(-step)) / (2 * step));
  }
  return out;
}

/// The gradient of every input (all f64) of f.
inline void first_gradients(const Function& f, const std::vector<Tensor>& inputs, double tolerance = 1e-7) {
  if (Twin* twin = Twin::active()) return note_gradients(*twin, f, inputs, false);
  std::vector<Tensor> x = leaves(inputs);
  std::vector<Tensor> d = tenon::gradients({weighed(f, x)}, x);
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    INFO("gradient of input " << k << " " << inputs[k].str());
    auto numeric = differences([&](const std::vector<Tensor>& v) { return weighed(f, v).item(); }, inputs, k);
    require_close(d[k].to_vector(), numeric, tolerance);
  }
}

/// The gradient of sum over inputs of (gradient * weights), against differences of the first gradient.
inline void second_gradients(const Function& f, const std::vector<Tensor>& inputs, double tolerance = 1e-6) {
  if (Twin* twin = Twin::active()) return note_gradients(*twin, f, inputs, true);
  auto of_gradient = [&](const std::vector<Tensor>& x, bool keep) {
    std::vector<Tensor> d = tenon::gradients({weighed(f, x)}, x, {}, keep);
    Tensor total = Tensor::zeros({}, DType::f64);
    for (std::size_t k = 0; k < d.size(); ++k) total = total + tenon::sum(d[k] * made(13 + int(k), d[k].shape()));
    return total;
  };
  std::vector<Tensor> x = leaves(inputs);
  std::vector<Tensor> second = tenon::gradients({of_gradient(x, true)}, x);
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    INFO("second gradient of input " << k << " " << inputs[k].str());
    auto numeric = differences([&](const std::vector<Tensor>& v) { return of_gradient(leaves(v), false).item(); }, inputs, k);
    require_close(second[k].to_vector(), numeric, tolerance);
  }
}

/// f's results are the same bits with 1, 2 and 4 threads.
inline void same_bits(const std::function<std::vector<Tensor>()>& f) {
  struct Restore {
    int threads = tenon::thread_count();
    ~Restore() { tenon::set_thread_count(threads); }
  } restore;
  auto bytes = [&](int threads) {
    tenon::set_thread_count(threads);
    std::vector<char> all;
    for (const Tensor& t : f()) {
      Tensor dense = t.contiguous();
      std::size_t at = all.size();
      all.resize(at + dense.nbytes());
      dense.copy_to_host(all.data() + at, dense.nbytes());
    }
    return all;
  };
  std::vector<char> one = bytes(1);
  REQUIRE(!one.empty());
  REQUIRE(one == bytes(2));
  REQUIRE(one == bytes(4));
}

/// f(leaves(inputs)) and its gradients, for same_bits.
inline std::vector<Tensor> with_gradients(const Function& f, const std::vector<Tensor>& inputs) {
  std::vector<Tensor> x = leaves(inputs);
  Tensor y = f(x);
  std::vector<Tensor> out = tenon::gradients({tenon::sum(y * made(11, y.shape(), y.dtype()))}, x);
  out.push_back(y.detach());
  return out;
}

/// f throws a usage error that opens with `op` and holds every one of `words`.
template <class F>
void refuses(const F& f, const std::string& op, const std::vector<std::string>& words) {
  try {
    f();
  } catch (const tenon::Error& e) {
    std::string what = e.what();
    INFO(what);
    REQUIRE(e.kind() == tenon::ErrorKind::usage);
    REQUIRE(what.rfind(op, 0) == 0);
    for (const std::string& w : words) {
      INFO("expected in the message: " << w);
      REQUIRE(what.find(w) != std::string::npos);
    }
    return;
  }
  FAIL(op << " did not refuse");
}

}  // namespace check
