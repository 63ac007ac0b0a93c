/// Attention as it is dispatched on a device, forward and with its gradients, recorded and replayed. One JSON line a size and pass:
/// {"what", "pass", "dtype", "causal", "batch", "heads", "length", "width", "ms", "ms_min", "arena_mb"}; peers/torch_attention.py prints the same.
///
///   attention_bench [--device cuda|cpu] [--dtype bf16|f16|f32] [--causal] [--sizes 4x16x2048x64,...] [--rounds 9] [--explain]
///
/// A round is as many replays as fit into 0.05 s. With --explain what was chosen by measurement, and why, follows on stderr.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "replays.hpp"
#include "tenon/attention.hpp"
#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"

using namespace tenon;

namespace {

struct Options {
  Device device{DeviceType::cuda, 0};
  DType dtype = DType::bf16;
  std::string sizes = "8x8x256x32,8x8x512x64,4x16x1024x64,4x16x2048x64,2x16x4096x128,1x8x16384x64";
  int rounds = 9;
  bool causal = false, explain = false;
};

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    auto value = [&]() -> std::string { return i + 1 < argc ? argv[++i] : ""; };
    if (a == "--device") o.device = Device::parse(value());
    else if (a == "--dtype") o.dtype = bench::float_type(value());
    else if (a == "--sizes") o.sizes = value();
    else if (a == "--rounds") o.rounds = std::atoi(value().c_str());
    else if (a == "--causal") o.causal = true;
    else if (a == "--explain") o.explain = true;
    else {
      std::fprintf(stderr, "unknown option %s\n", a.c_str());
      std::exit(2);
    }
  }
  return o;
}

void measure(const Options& o, const std::array<long long, 4>& size, bool gradient) {
  const auto [batch, heads, length, width] = size;
  const Shape shape{batch, length, heads, width};
  auto operand = [&](std::uint64_t stream) { return random_normal(shape, 0, stream).to(o.dtype); };
  Tensor q = operand(1), k = operand(2), v = operand(3);
  const Tensor d_y = operand(4);
  const AttentionOptions options{.causal = o.causal};
  std::vector<Tensor> kept;
  const StepPlan plan = StepPlan::record([&] {
    if (!gradient) {
      NoGrad off;
      kept = {scaled_dot_product_attention(q, k, v, options)};
      return;
    }
    for (Tensor* t : {&q, &k, &v}) t->set_requires_grad(true);
    kept = gradients({scaled_dot_product_attention(q, k, v, options)}, {q, k, v}, {d_y});
  });
  const std::vector<double> ms = bench::replay_times(plan, o.rounds);
  std::printf(
      "{\"what\": \"tenon\", \"pass\": \"%s\", \"dtype\": \"%s\", \"causal\": %s, \"batch\": %lld, \"heads\": %lld, \"length\": %lld, \"width\": %lld, \"ms\": %.4f, "
      "\"ms_min\": %.4f, \"arena_mb\": %.1f}\n",
      gradient ? "forward+backward" : "forward", std::string(name_of(o.dtype)).c_str(), o.causal ? "true" : "false", batch, heads, length, width, ms[ms.size() / 2], ms[0],
      double(plan.arena_bytes()) / 1048576);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const Options o = parse(argc, argv);
  try {
    DeviceScope on(o.device);
    for (const auto& s : bench::four_sizes(o.sizes, "BATCHxHEADSxLENGTHxWIDTH"))
      for (bool gradient : {false, true}) measure(o, s, gradient);
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", e.message().c_str());
    return 1;
  }
  if (o.explain)
    for (const std::string& line : device_choices()) std::fprintf(stderr, "# chosen: %s\n", line.c_str());
}
