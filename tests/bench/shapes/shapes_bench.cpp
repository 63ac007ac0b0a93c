/// Answers each line of stdin with one of JSON, for shapes.py:
///     time SECONDS CASE      {"us": the least mean of ten groups of runs}
///     values FILE CASE       {"shapes": [[..], ..]}, the results (with `gradient` the gradients) in FILE as f64, complex ones as pairs
///     recorded FILE CASE     the same of the case recorded and replayed twice; called as `values` where it cannot be recorded
/// or {"error": "..."}.
///
///     shapes_bench [--device cpu|cuda] [--threads 2]
///
/// Ops are called one by one; on a GPU they are recorded and replayed where they can be.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "backend/backend.hpp"
#include "case.hpp"
#include "tenon/autograd.hpp"
#include "tenon/complex.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"

using namespace tenon;

namespace {

bool floating(const Tensor& t) { return t.dtype() == DType::f32 || t.dtype() == DType::f64 || t.dtype() == DType::f16 || t.dtype() == DType::bf16 || t.dtype() == DType::c64; }

/// The op, or the gradients of its floating inputs from that of its results.
class Work {
 public:
  explicit Work(const std::string& line) : case_(shapes::Case::parse(line)) {
    if (!case_.gradient) return;
    for (Tensor& t : case_.in)
      if (floating(t)) leaves_.push_back(t.set_requires_grad(true));
    NoGrad off;
    for (const Tensor& y : shapes::run(case_))
      if (floating(y)) seeds_.push_back(shapes::seed(y, seeds_.size()));
  }
  std::vector<Tensor> run() const {
    if (!case_.gradient) {
      NoGrad off;
      return shapes::run(case_);
    }
    std::vector<Tensor> y = shapes::run(case_);
    std::erase_if(y, [](const Tensor& t) { return !floating(t); });
    return gradients(y, leaves_, seeds_);
  }

 private:
  shapes::Case case_;
  std::vector<Tensor> leaves_, seeds_;
};

double least_mean(const std::function<void()>& run, double seconds) {
  using Clock = std::chrono::steady_clock;
  auto timed = [&](long times) {
    const auto begin = Clock::now();
    for (long i = 0; i < times; ++i) run();
    wait_for_device();
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  timed(2);
  const long times = std::max(1L, long(seconds / 10 / timed(1)));
  double best = 1e30, spent = 0;
  for (int group = 0; group < 10 && (group < 2 || spent < 3 * seconds); ++group) {
    const double t = timed(times);
    spent += t;
    best = std::min(best, t / double(times));
  }
  return best;
}

/// Not defined for what depends on values.
StepPlan recorded(const Work& work, std::vector<Tensor>& results) {
  try {
    return StepPlan::record([&] { results = work.run(); });
  } catch (const Error&) {
    return {};
  }
}

std::string timed(const Work& work, double seconds, bool replayed) {
  std::vector<Tensor> kept;
  StepPlan plan;
  if (replayed) plan = recorded(work, kept);
  const double best = plan.defined() ? least_mean([&] { plan.run(); }, seconds) : least_mean([&] { work.run(); }, seconds);
  char text[64];
  std::snprintf(text, sizeof text, "{\"us\": %.3f}", best * 1e6);
  return text;
}

std::string values(const Work& work, const std::string& path, bool replayed) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file) return "{\"error\": \"cannot write " + path + "\"}";
  std::string shapes;
  std::vector<Tensor> results;
  StepPlan plan;
  if (replayed) plan = recorded(work, results);
  for (int run = 0; plan.defined() && run < 2; ++run) plan.run();
  if (!plan.defined()) results = work.run();
  NoGrad off;
  for (const Tensor& t : results) {
    const Tensor y = t.dtype() == DType::c64 || t.dtype() == DType::c128 ? view_as_real(t.contiguous()) : t;
    const std::vector<double> v = y.to_vector();
    if (!v.empty()) std::fwrite(v.data(), sizeof(double), v.size(), file);
    std::string shape;
    for (int a = 0; a < y.rank(); ++a) shape += (a ? ", " : "") + std::to_string(y.size(a));
    shapes += (shapes.empty() ? "[" : ", [") + shape + "]";
  }
  std::fclose(file);
  return "{\"shapes\": [" + shapes + "]}";
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) out += c == '"' || c == '\\' ? std::string("\\") + c : c == '\n' ? std::string(" ") : std::string(1, c);
  return out + '"';
}

}  // namespace

int main(int argc, char** argv) {
  Device device = kCpu;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    if (a == "--device" && i + 1 < argc) device = Device::parse(argv[++i]);
    else if (a == "--threads" && i + 1 < argc) set_thread_count(std::atoi(argv[++i]));
    else {
      std::fprintf(stderr, "shapes_bench: unknown argument %s\n", argv[i]);
      return 2;
    }
  }
  DeviceScope on(device);
  std::string last;
  std::unique_ptr<Work> work;  // of the last case: turns ask for it again
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string what, argument, rest, answer;
    words >> what >> argument;
    std::getline(words, rest);
    try {
      if (!work || rest != last) {
        work.reset();
        work = std::make_unique<Work>(rest);
        last = rest;
      }
      answer = what == "time" ? timed(*work, std::stod(argument), device.type == DeviceType::cuda) : values(*work, argument, what == "recorded");
    } catch (const Error& e) {
      answer = "{\"error\": " + quoted(e.message()) + "}";
    } catch (const std::exception& e) {
      answer = "{\"error\": " + quoted(e.what()) + "}";
    }
    std::printf("%s\n", answer.c_str());
    std::fflush(stdout);
  }
}
