/// Single ops beside what bounds them, in turn in one run, f32: products and convolutions beside oneDNN's own primitives (its threads,
/// weights already in its format), elementwise ops and reductions beside a copy of memory. Prints Markdown tables.
///
///     op_bench [--threads 2] [--rounds 5] [--only products|convolutions|passes] [--peak]
///
/// --peak prints one number, the fastest product here in GFLOP/s (this library's or oneDNN's): the rate that floors are computed with.
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "backend/cpu/conv_engine.hpp"
#include "tenon/autograd.hpp"
#include "tenon/kernel.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"

using namespace tenon;
using dnnl::memory;

namespace {

using Body = std::function<void()>;

double seconds_of(const Body& body) {
  using Clock = std::chrono::steady_clock;
  // OpenMP's threads spin for a while after their work: they must sleep before another pool is timed
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  body();
  double best = 1e9;
  const auto start = Clock::now();
  for (int n = 0; n < 2 || (n < 200 && Clock::now() - start < std::chrono::milliseconds(120)); ++n) {
    const auto t = Clock::now();
    body();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - t).count());
  }
  return best;
}

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + std::ptrdiff_t(v.size() / 2), v.end());
  return v[v.size() / 2];
}

/// Seconds of each body, medians over rounds in which they take turns.
std::vector<double> in_turn(int rounds, const std::vector<Body>& bodies) {
  std::vector<std::vector<double>> all(bodies.size());
  for (int r = 0; r < rounds; ++r)
    for (std::size_t i = 0; i < bodies.size(); ++i) all[i].push_back(seconds_of(bodies[i]));
  std::vector<double> out;
  for (const auto& v : all) out.push_back(median(v));
  return out;
}

/// `op` recorded once: what is timed is kernels alone.
Body replayed(const std::function<void()>& op) {
  NoGrad off;
  auto plan = std::make_shared<StepPlan>(StepPlan::record([&] { op(); }));
  return [plan] { plan->run(); };
}

dnnl::engine& engine() {
  static dnnl::engine e(dnnl::engine::kind::cpu, 0);
  return e;
}

/// A primitive with memory of its own for each argument, full of zeros.
Body library(const dnnl::primitive& primitive, const std::vector<std::pair<int, memory::desc>>& arguments) {
  auto stream = std::make_shared<dnnl::stream>(engine());
  auto bound = std::make_shared<std::unordered_map<int, memory>>();
  for (const auto& [name, desc] : arguments) {
    memory m(desc, engine());
    std::memset(m.get_data_handle(), 0, desc.get_size());
    bound->emplace(name, m);
  }
  return [=] {
    primitive.execute(*stream, *bound);
    stream->wait();
  };
}

constexpr auto kF32 = memory::data_type::f32;

struct Product {
  std::int64_t batch, m, k, n;
  double flops() const { return 2.0 * double(batch * m * k * n); }
};

Body our_product(const Product& p) {
  const Tensor a = random_normal({p.batch, p.m, p.k}, 1, 1), b = random_normal({p.batch, p.k, p.n}, 1, 2);
  return replayed([=] { matmul(a, b); });
}

Body their_product(const Product& p) {
  const auto rows = memory::format_tag::abc;
  const memory::desc a({p.batch, p.m, p.k}, kF32, rows), b({p.batch, p.k, p.n}, kF32, rows), c({p.batch, p.m, p.n}, kF32, rows);
  const dnnl::matmul::primitive_desc desc(dnnl::matmul::desc(a, b, c), engine());
  return library(dnnl::matmul(desc), {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}});
}

/// Same-padded convolutions of stride 1 over `axes` axes.
struct Layer {
  int axes;
  std::int64_t batch, in, out, size, kernel;
  ConvGeometry geometry() const {
    ConvGeometry g;
    g.spatial = axes;
    g.dtype = DType::f32;
    g.batch = batch;
    g.in_channels = in;
    g.out_channels = out;
    for (std::size_t a = 0; a < std::size_t(axes); ++a) {
      g.in[a] = g.out[a] = size;
      g.kernel[a] = kernel;
      g.stride[a] = 1;
      g.pad[a] = kernel / 2;
    }
    return g;
  }
};

struct Aligned {
  explicit Aligned(std::size_t bytes) : data(std::aligned_alloc(64, (bytes + 127) / 64 * 64), std::free) {
    std::memset(data.get(), 0, bytes);
  }
  std::shared_ptr<void> data;
};

Body our_convolution(const Layer& l, ConvPass pass) {
  const ConvGeometry g = l.geometry();
  const bool of_weights = pass == ConvPass::weight_gradient;
  auto program = cpu::conv_program(g, pass, pass == ConvPass::forward, ConvSums::none);
  const Aligned x(std::size_t(g.batch * g.in_voxels() * g.in_channels) * 4), y(std::size_t(g.batch * g.out_voxels() * g.out_channels) * 4),
      out(std::size_t(g.batch * g.in_voxels() * std::max(l.in, l.out)) * 4), w(std::size_t(g.weights()) * 4),
      bias(std::size_t(std::max(l.in, l.out)) * 4), packed(program->packed_bytes() + 64), space(program->workspace_bytes() + 64);
  return [=] {
    if (of_weights) {
      program->run_weights(x.data.get(), y.data.get(), w.data.get(), nullptr, space.data.get());
    } else {
      program->pack(w.data.get(), packed.data.get());
      program->run(pass == ConvPass::forward ? x.data.get() : y.data.get(), packed.data.get(), bias.data.get(), out.data.get());
    }
  };
}

Body their_convolution(const Layer& l, ConvPass pass) {
  constexpr auto direct = dnnl::algorithm::convolution_direct;
  const memory::format_tag tags[] = {memory::format_tag::nwc, memory::format_tag::nhwc, memory::format_tag::ndhwc};
  memory::dims xd{l.batch, l.in}, yd{l.batch, l.out}, wd{l.out, l.in}, stride, before;
  for (int a = 0; a < l.axes; ++a) {
    xd.push_back(l.size), yd.push_back(l.size), wd.push_back(l.kernel), stride.push_back(1), before.push_back(l.kernel / 2);
  }
  const memory::desc x(xd, kF32, tags[l.axes - 1]), y(yd, kF32, tags[l.axes - 1]), w(wd, kF32, memory::format_tag::any);
  const dnnl::convolution_forward::primitive_desc forward({dnnl::prop_kind::forward_training, direct, x, w, y, stride, before, before},
                                                          engine());
  if (pass == ConvPass::forward)
    return library(dnnl::convolution_forward(forward), {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, forward.weights_desc()}, {DNNL_ARG_DST, y}});
  if (pass == ConvPass::input_gradient) {
    const dnnl::convolution_backward_data::primitive_desc desc({direct, x, w, y, stride, before, before}, engine(), forward);
    return library(dnnl::convolution_backward_data(desc),
                   {{DNNL_ARG_DIFF_SRC, x}, {DNNL_ARG_WEIGHTS, desc.weights_desc()}, {DNNL_ARG_DIFF_DST, y}});
  }
  const dnnl::convolution_backward_weights::primitive_desc desc({direct, x, w, y, stride, before, before}, engine(), forward);
  return library(dnnl::convolution_backward_weights(desc),
                 {{DNNL_ARG_SRC, x}, {DNNL_ARG_DIFF_WEIGHTS, desc.diff_weights_desc()}, {DNNL_ARG_DIFF_DST, y}});
}

void row(const std::string& name, double ours, double theirs, double work, double unit) {
  std::printf("| %s | %.3f | %.1f | %.3f | %.1f | **%.2f** |\n", name.c_str(), ours * 1e3, work / ours / unit, theirs * 1e3,
              work / theirs / unit, theirs / ours);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  int threads = 2, rounds = 5;
  bool peak = false;
  std::string only;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    if (a == "--peak")
      peak = true;
    else if (a == "--threads" && i + 1 < argc)
      threads = std::atoi(argv[++i]);
    else if (a == "--only" && i + 1 < argc)
      only = argv[++i];
    else if (a == "--rounds" && i + 1 < argc)
      rounds = std::atoi(argv[++i]);
    else {
      std::fprintf(stderr, "op_bench: unknown argument %s; use --threads N, --rounds N, --only products|convolutions|passes, --peak\n",
                   argv[i]);
      return 2;
    }
  }
  set_thread_count(threads);
  omp_set_num_threads(threads);
  const std::vector<Product> products = {{1, 256, 256, 256},    {1, 512, 512, 512},   {1, 1024, 1024, 1024},
                                         {1, 2048, 2048, 2048}, {1, 2048, 256, 1024}, {64, 256, 32, 256}};
  if (peak) {
    double best = 0;
    for (const Product& p : {products[2], products[3]})
      for (double t : in_turn(rounds, {our_product(p), their_product(p)})) best = std::max(best, p.flops() / t * 1e-9);
    std::printf("%.1f\n", best);
    return 0;
  }
  if (only.empty() || only == "products") {
    std::printf("| product | Tenon ms | GFLOP/s | oneDNN ms | GFLOP/s | of oneDNN's rate |\n|---|---|---|---|---|---|\n");
    for (const Product& p : products) {
      const auto t = in_turn(rounds, {our_product(p), their_product(p)});
      std::string name =
          "[" + std::to_string(p.m) + ", " + std::to_string(p.k) + "] x [" + std::to_string(p.k) + ", " + std::to_string(p.n) + "]";
      row(p.batch > 1 ? std::to_string(p.batch) + " of " + name : name, t[0], t[1], p.flops(), 1e9);
    }
  }
  if (only.empty() || only == "convolutions") {
    std::printf("\n| convolution, batch | Tenon ms | GFLOP/s | oneDNN ms | GFLOP/s | of oneDNN's rate |\n|---|---|---|---|---|---|\n");
    const Layer layers[] = {{3, 2, 32, 32, 40, 3}, {3, 2, 64, 64, 20, 3},    {3, 2, 128, 128, 10, 3}, {2, 4, 32, 32, 128, 3},
                            {2, 4, 64, 64, 64, 3}, {1, 64, 64, 64, 600, 19}, {2, 4, 32, 64, 128, 1}};
    for (const Layer& l : layers)
      for (auto [pass, what] : {std::pair{ConvPass::forward, "forward"}, std::pair{ConvPass::input_gradient, "input gradient"},
                                std::pair{ConvPass::weight_gradient, "weight gradient"}}) {
        const auto t = in_turn(rounds, {our_convolution(l, pass), their_convolution(l, pass)});
        std::string size, kernel;
        for (int a = 0; a < l.axes; ++a)
          size += (a ? " x " : "") + std::to_string(l.size), kernel += (a ? "x" : "") + std::to_string(l.kernel);
        row(kernel + ", " + std::to_string(l.in) + " to " + std::to_string(l.out) + " channels, " + size + ", " + std::to_string(l.batch) +
                ": " + what,
            t[0], t[1], l.geometry().flops(), 1e9);
      }
  }
  if (!only.empty() && only != "passes") return 0;
  // 256 MB an operand: far more than any cache
  const std::int64_t n = std::int64_t(1) << 26;
  const Tensor x = random_uniform({n}, 1, 1), y = random_uniform({n}, 1, 2), m = x.reshape({n / 1024, 1024});
  const auto from = reinterpret_cast<const char*>(x.data<float>());
  const Aligned to(std::size_t(n) * 4);
  const Body copy = [&] {
    parallel_blocks(n * 4, 1 << 20, [&](std::int64_t begin, std::int64_t end) {
      std::memcpy(static_cast<char*>(to.data.get()) + begin, from + begin, std::size_t(end - begin));
    });
  };
  struct Pass {
    const char* name;
    double operands;  ///< of 4 n bytes that it must read and write once
    std::function<void()> op;
  };
  const Pass passes[] = {{"x + y", 3, [&] { add(x, y); }},
                         {"x * 2", 2, [&] { mul(x, 2.0); }},
                         {"relu(x)", 2, [&] { relu(x); }},
                         {"exp(x)", 2, [&] { exp(x); }},
                         {"tanh(x)", 2, [&] { tanh(x); }},
                         {"sigmoid(x)", 2, [&] { sigmoid(x); }},
                         {"log(x)", 2, [&] { log(x); }},
                         {"sin(x)", 2, [&] { sin(x); }},
                         {"gelu(x)", 2, [&] { gelu(x); }},
                         {"x < y", 2.25, [&] { less(x, y); }},
                         {"sum of all", 1, [&] { sum(x); }},
                         {"mean over rows", 1, [&] { mean(m, {0}); }},
                         {"mean over columns", 1, [&] { mean(m, {1}); }},
                         {"largest of rows", 1, [&] { max(m, -1); }}};
  std::printf("\n| op, %lld elements | Tenon ms | GB/s | copy ms | GB/s | of the copy's rate |\n|---|---|---|---|---|---|\n",
              static_cast<long long>(n));
  for (const Pass& p : passes) {
    const auto t = in_turn(rounds, {replayed(p.op), copy});
    const double ours = p.operands * 4 * double(n) / t[0], theirs = 2 * 4 * double(n) / t[1];
    std::printf("| %s | %.1f | %.1f | %.1f | %.1f | **%.2f** |\n", p.name, t[0] * 1e3, ours * 1e-9, t[1] * 1e3, theirs * 1e-9,
                ours / theirs);
    std::fflush(stdout);
  }
}
