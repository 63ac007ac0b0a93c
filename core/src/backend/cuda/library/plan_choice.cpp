#include "backend/cuda/library/plan_choice.hpp"

#include <chrono>
#include <cstdio>

#include "backend/cuda/check.cuh"
#include "backend/cuda/install.hpp"

namespace tenon::cuda {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double all_spent = 0;

std::vector<std::string>& lines() {
  static auto& told = *new std::vector<std::string>;
  return told;
}

}  // namespace

std::mutex& choosing() {
  static std::mutex& m = *new std::mutex;
  return m;
}

PlanBounds& plan_bounds() {
  static PlanBounds bounds;
  return bounds;
}

TrialTime::TrialTime() : began_(std::chrono::duration<double>(Clock::now().time_since_epoch()).count()) {}
TrialTime::~TrialTime() { all_spent += std::chrono::duration<double>(Clock::now().time_since_epoch()).count() - began_; }
bool TrialTime::is_up() { return all_spent > plan_bounds().all_seconds; }

PlanChoice fastest_plan(const std::function<std::shared_ptr<CudnnGraph>()>& make,
                        const std::function<double(const PlanChoice&)>& microseconds) {
  const TrialTime counted;
  const auto start = Clock::now();
  const std::shared_ptr<CudnnGraph> graph = make();
  const PlanBounds& bounds = plan_bounds();
  PlanChoice best;
  int tried = 0;
  for (std::int64_t i = 0; graph && i < graph->plans(); ++i) {
    const double spent = seconds_since(start);
    if (best.graph && (tried >= bounds.candidates || spent > bounds.graph_seconds || TrialTime::is_up())) break;
    if (spent > 4 * bounds.graph_seconds) break;
    PlanChoice c{graph, {}, 0};
    if (!graph->build(i, c.plan)) continue;
    ++tried;
    c.microseconds = microseconds(c);
    if (c.microseconds >= 0 && (!best.graph || c.microseconds < best.microseconds)) {
      if (best.graph) graph->drop(best.plan.index);
      best = c;
    } else {
      graph->drop(i);
    }
  }
  return best;
}

PlanChoice plan_named(const std::shared_ptr<CudnnGraph>& graph, const std::string& name) {
  if (name.empty()) return {};  // which of those without a name it was, nobody knows
  for (std::int64_t i = 0; graph && i < graph->plans(); ++i) {
    if (graph->name(i) != name) continue;
    PlanChoice c{graph, {}, 0};
    return graph->build(i, c.plan) ? c : PlanChoice{};
  }
  return {};
}

std::string told(const PlanChoice& choice, std::size_t workspace, double own) {
  std::string text = choice.graph ? "cuDNN " + choice.plan.engine : std::string("own kernels");
  char numbers[160];
  const double shown = choice.graph ? choice.microseconds : own;
  if (shown > 0) {
    std::snprintf(numbers, sizeof numbers, ": %.1f us, workspace %.1f MiB", shown, double(workspace) / 1048576);
    text += numbers;
  }
  if (choice.graph && own > 0) {
    std::snprintf(numbers, sizeof numbers, " (own kernels %.1f us)", own);
    text += numbers;
  }
  return text;
}

std::string with_times(std::string text, double chosen, double other, const char* by_name) {
  char numbers[96];
  if (chosen > 0) {
    std::snprintf(numbers, sizeof numbers, ": %.1f us", chosen);
    text += numbers;
  }
  if (other > 0) {
    std::snprintf(numbers, sizeof numbers, " (%s %.1f us)", by_name, other);
    text += numbers;
  }
  return text;
}

void tell(const std::string& line) {
  lines().push_back(line);
}

std::vector<std::string> choices_made() {
  std::lock_guard lock(choosing());
  return lines();
}

PlanMemory& plan_memory() {
  // the last number is that of our own candidates: with new ones all is asked anew
  static PlanMemory& m = *new PlanMemory(device_name() + " cudnn " + std::to_string(cudnn_version()) + " 3");
  return m;
}

bool may_measure() {
  cudaStreamCaptureStatus capturing = cudaStreamCaptureStatusNone;
  return cudaStreamIsCapturing(stream(), &capturing) == cudaSuccess && capturing == cudaStreamCaptureStatusNone;
}

void forget_error() {
  (void)cudaGetLastError();
}

}  // namespace tenon::cuda
