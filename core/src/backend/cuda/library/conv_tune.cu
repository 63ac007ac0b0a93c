#include "backend/cuda/library/conv_tune.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

#include "backend/cuda/conv_own.hpp"
#include "backend/cuda/install.hpp"
#include "backend/cuda/launch.cuh"
#include "ops/dispatch.hpp"

namespace tenon::cuda {
namespace {

constexpr bool kAllowTf32 = false;
constexpr double kWorthAsking = 2e6;     // below so many operations a launch is all there is to it
constexpr double kOwnMayWin = 1e9;       // above, the general kernels here do not come near tensor cores
constexpr double kHalfWeightsGain = 1.5; // a weight gradient rounded to 16 bits must be so much faster than one in f32
constexpr int kCandidates = 6, kRuns = 3;
constexpr double kGraphSeconds = 0.5, kAllSeconds = 15;  // then no more candidates of a graph; then only the first of each

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Numbers in [-1, 1): zeros would flatter the clock rate.
template <class T> __global__ void fill_noise(T* to, std::int64_t count, unsigned seed) {
  const std::int64_t pace = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += pace) {
    unsigned h = (unsigned(i) ^ seed) * 0x9e3779b1u;
    h = (h ^ (h >> 15)) * 0x85ebca6bu;
    h ^= h >> 13;
    to[i] = T(float(h >> 8) * (2.0f / 16777216.0f) - 1.0f);
  }
}

/// Keeps the device busy while the host queues what is to be timed.
__global__ void hold_device(long long cycles) {
  const long long start = clock64();
  while (clock64() - start < cycles) {
  }
}

/// sums[0] += (a - b)^2, sums[1] += b^2.
template <class T> __global__ void sum_differences(const T* a, const T* b, std::int64_t count, double* sums) {
  __shared__ double parts[2][256];
  double difference = 0, size = 0;
  const std::int64_t pace = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += pace) {
    const double x = double(float(a[i])), y = double(float(b[i]));
    difference += (x - y) * (x - y);
    size += y * y;
  }
  parts[0][threadIdx.x] = difference;
  parts[1][threadIdx.x] = size;
  __syncthreads();
  if (threadIdx.x < 2) {
    double sum = 0;
    for (int i = 0; i < 256; ++i) sum += parts[threadIdx.x][i];
    atomicAdd(sums + threadIdx.x, sum);
  }
}

class Scratch {
 public:
  explicit Scratch(std::size_t bytes) { check(cudaMallocAsync(&data_, bytes ? bytes : 16, stream()), "cudaMallocAsync"); }
  ~Scratch() { cudaFreeAsync(data_, stream()); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void* get() const { return data_; }

 private:
  void* data_ = nullptr;
};

class Stopwatch {
 public:
  Stopwatch() {
    check(cudaEventCreate(&begin_), "cudaEventCreate");
    check(cudaEventCreate(&end_), "cudaEventCreate");
  }
  ~Stopwatch() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

  template <class F> double microseconds(F&& enqueue) {
    start("conv_hold", dim3(1), dim3(1), 0, hold_device, 300000ll);
    check(cudaEventRecord(begin_, stream()), "cudaEventRecord");
    for (int i = 0; i < kRuns; ++i) enqueue();
    check(cudaEventRecord(end_, stream()), "cudaEventRecord");
    check(cudaEventSynchronize(end_), "cudaEventSynchronize");
    float ms = 0;
    check(cudaEventElapsedTime(&ms, begin_, end_), "cudaEventElapsedTime");
    return double(ms) * 1000 / kRuns;
  }

 private:
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

/// One pass of one geometry on operands of its own, and what this library's kernels make of them.
class Trial {
 public:
  Trial(const ConvGeometry& g, ConvPass pass, bool bias)
      : g_(g),
        pass_(pass),
        half_(size_of(g.dtype) == 2),
        weight_pass_(pass == ConvPass::weight_gradient),
        x_(g.batch * g.in_voxels() * g.in_channels),
        y_(g.batch * g.out_voxels() * g.out_channels),
        results_(weight_pass_ ? g.weights() : pass == ConvPass::forward ? y_ : x_),
        result_type_(weight_pass_ ? DType::f32 : g.dtype),
        first_(std::size_t(pass == ConvPass::input_gradient ? y_ : x_) * size_of(g.dtype)),
        second_(weight_pass_ ? std::size_t(y_) * size_of(g.dtype) : std::size_t(g.weights()) * 4),
        packed_(half_ && !weight_pass_ ? std::size_t(g.weights()) * 2 : 0),
        bias_(std::size_t(std::max(g.in_channels, g.out_channels)) * 4),
        wanted_(std::size_t(results_) * size_of(result_type_)),
        result_(std::size_t(results_) * size_of(result_type_)),
        own_workspace_(own_conv_buffers(g, pass, ConvSums::none).workspace),
        sums_(16),
        own_(weight_pass_ ? own_conv_weights(g, ConvSums::none) : own_conv(g, pass, bias)),
        with_bias_(bias) {
    noise(first_, g.dtype, pass == ConvPass::input_gradient ? y_ : x_, 1);
    noise(second_, weight_pass_ ? g.dtype : DType::f32, weight_pass_ ? y_ : g.weights(), 2);
    noise(bias_, DType::f32, std::max(g.in_channels, g.out_channels), 3);
    if (half_ && !weight_pass_) narrow_weights(g.dtype, second_.get(), packed_.get(), g.weights());
    run_own();
  }

  double own_microseconds() {
    return watch_.microseconds([&] { run_own(); });
  }

  /// Negative where the candidate fails or does not compute the same.
  double microseconds(const ConvChoice& c) {
    Scratch workspace(conv_choice_workspace(c, g_));
    auto enqueue = [&] {
      run_conv_choice(c, g_, pass_, first_.get(), half_ && !weight_pass_ ? packed_.get() : second_.get(), with_bias_ ? bias_.get() : nullptr, result_.get(), workspace.get());
    };
    try {
      check(cudaMemsetAsync(result_.get(), 0xff, std::size_t(results_) * size_of(result_type_), stream()), "cudaMemsetAsync");  // NaN where nothing is written
      enqueue();
      const double far = half_ ? 1e-3 : kAllowTf32 ? 1e-5 : 1e-9;
      if (!(difference() <= far)) return -1;
      return watch_.microseconds(enqueue);
    } catch (const Error&) {
      (void)cudaGetLastError();
      return -1;
    }
  }

 private:
  static void noise(const Scratch& to, DType type, std::int64_t count, unsigned seed) {
    dispatch_floating("conv", type, [&](auto t) {
      using T = typename decltype(t)::type;
      if constexpr (sizeof(T) <= 4) start_items("conv_noise", count, fill_noise<T>, static_cast<T*>(to.get()), count, seed);
    });
  }

  void run_own() {
    std::array<void*, 5> p{first_.get(), second_.get()};
    std::size_t at = 2;
    if (with_bias_) p[at++] = bias_.get();
    p[at++] = wanted_.get();
    p[at] = own_workspace_.get();
    own_(p.data());
  }

  double difference() {
    check(cudaMemsetAsync(sums_.get(), 0, 16, stream()), "cudaMemsetAsync");
    dispatch_floating("conv", result_type_, [&](auto t) {
      using T = typename decltype(t)::type;
      if constexpr (sizeof(T) <= 4)
        start("conv_difference", dim3(512), dim3(256), 0, sum_differences<T>, static_cast<const T*>(result_.get()), static_cast<const T*>(wanted_.get()), results_,
              static_cast<double*>(sums_.get()));
    });
    double sums[2] = {0, 0};
    check(cudaMemcpyAsync(sums, sums_.get(), 16, cudaMemcpyDeviceToHost, stream()), "cudaMemcpyAsync");
    check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
    return sums[1] > 0 ? sums[0] / sums[1] : sums[0];
  }

  ConvGeometry g_;
  ConvPass pass_;
  bool half_, weight_pass_;
  std::int64_t x_, y_, results_;
  DType result_type_;
  Scratch first_, second_, packed_, bias_, wanted_, result_, own_workspace_, sums_;
  Kernel own_;
  bool with_bias_;
  Stopwatch watch_;
};

double all_spent = 0;

double weighed(const ConvChoice& c) { return c.microseconds * (c.half_weights ? kHalfWeightsGain : 1); }

/// Times the plans of one graph; the best one replaces `best` where it is better. True when any plan worked.
bool try_graph(Trial& trial, const CudnnQuestion& q, ConvChoice& best) {
  const auto start = Clock::now();
  std::shared_ptr<CudnnGraph> graph = CudnnGraph::make(q);
  bool worked = false;
  int tried = 0;
  std::int64_t kept = -1;
  for (std::int64_t i = 0; graph && i < graph->plans(); ++i) {
    const double spent = seconds_since(start);
    if (worked && (tried >= kCandidates || spent > kGraphSeconds || all_spent > kAllSeconds)) break;
    if (spent > 4 * kGraphSeconds) break;
    ConvChoice c{graph, {}, q.bias, q.half_weights, 0};
    if (!graph->build(i, c.plan)) continue;
    ++tried;
    c.microseconds = trial.microseconds(c);
    const bool good = c.microseconds >= 0;
    worked = worked || good;
    if (good && (!best.graph || weighed(c) < weighed(best))) {
      if (kept >= 0) graph->drop(kept);
      kept = i;
      best = c;
    } else {
      graph->drop(i);
    }
  }
  all_spent += seconds_since(start);
  return worked;
}

std::string sizes(const ConvGeometry& g, const ConvGeometry::Sizes& s) {
  std::string text;
  for (int a = 0; a < g.spatial; ++a) {
    if (a > 0) text += 'x';
    text += std::to_string(s[std::size_t(a)]);
  }
  return text;
}

std::string explain(const ConvGeometry& g, ConvPass pass, bool bias, const ConvChoice& c, double own) {
  static constexpr const char* kNames[] = {"forward", "input gradient", "weight gradient"};
  std::string text = std::string(kNames[std::size_t(pass)]) + " " + std::string(name_of(g.dtype)) + " batch " + std::to_string(g.batch) + ", " + sizes(g, g.in) + " of " +
                     std::to_string(g.in_channels) + " channels to " + sizes(g, g.out) + " of " + std::to_string(g.out_channels) + ", kernel " + sizes(g, g.kernel) + " stride " +
                     sizes(g, g.stride);
  if (g.groups > 1) text += " groups " + std::to_string(g.groups);
  if (bias) text += c.graph && !c.bias_inside ? " bias after" : " bias";
  char numbers[160];
  const double shown = c.graph ? c.microseconds : own;
  std::snprintf(numbers, sizeof numbers, ": %.1f us, workspace %.1f MiB", shown, double(conv_choice_workspace(c, g)) / 1048576);
  text += (c.graph ? ": cuDNN " + c.plan.engine : std::string(": own kernels")) + (shown > 0 ? numbers : "");
  if (c.half_weights) text += ", weights in 16 bits";
  if (c.graph && own > 0) {
    std::snprintf(numbers, sizeof numbers, " (own kernels %.1f us)", own);
    text += numbers;
  }
  return text;
}

struct Choices {
  std::mutex mutex;
  std::map<std::tuple<ConvGeometry, ConvPass, bool>, ConvChoice> made;
  std::vector<std::string> explained;
};

Choices& choices() {
  static Choices& c = *new Choices;  // never destroyed: its plans belong to a library that may be gone by then
  return c;
}

ConvChoice measure(const ConvGeometry& g, ConvPass pass, bool bias, double& own) {
  Trial trial(g, pass, bias);
  ConvChoice best;
  auto ask = [&](bool inside, bool half_weights) {
    CudnnQuestion q{g, pass, inside, half_weights, kAllowTf32, false};
    if (try_graph(trial, q, best)) return;
    q.fallback = true;
    if (!best.graph) try_graph(trial, q, best);
  };
  if (pass == ConvPass::weight_gradient) {
    ask(false, false);
    if (size_of(g.dtype) == 2) ask(false, true);
  } else {
    if (bias) ask(true, false);
    ask(false, false);
  }
  if (!best.graph || g.dtype == DType::f32 || g.groups > 1 || g.flops() < kOwnMayWin || own_conv_is_special(g, pass)) {
    own = trial.own_microseconds();
    if (best.graph && own <= weighed(best)) best = {};
  }
  return best;
}

}  // namespace

ConvChoice conv_choice(const ConvGeometry& g, ConvPass pass, bool bias) {
  if (!cudnn_here() || g.dtype == DType::f64 || g.flops() < kWorthAsking) return {};
  std::lock_guard lock(choices().mutex);
  const std::tuple key(g, pass, bias);
  if (auto found = choices().made.find(key); found != choices().made.end()) return found->second;
  cudaStreamCaptureStatus capturing = cudaStreamCaptureStatusNone;
  if (cudaStreamIsCapturing(stream(), &capturing) != cudaSuccess || capturing != cudaStreamCaptureStatusNone) return {};
  ConvChoice choice;
  double own = 0;
  try {
    choice = measure(g, pass, bias, own);
  } catch (const Error&) {  // no memory for a trial: the kernels here need none
    (void)cudaGetLastError();
    choice = {};
  }
  choices().explained.push_back(explain(g, pass, bias, choice, own));
  choices().made.emplace(key, choice);
  return choice;
}

std::vector<std::string> conv_choices() {
  std::lock_guard lock(choices().mutex);
  return choices().explained;
}

}  // namespace tenon::cuda
