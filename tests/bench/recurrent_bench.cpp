/// Recurrent layers as they are dispatched on a device, forward and with all gradients, recorded and replayed. One JSON line a layer and pass:
/// {"what", "layer", "pass", "dtype", "batch", "steps", "features", "hidden", "ms", "ms_min", "arena_mb"}; peers/torch_recurrent.py prints the same.
///
///   recurrent_bench [--device cuda|cpu] [--dtype bf16|f16|f32] [--sizes 64x96x7x128,...] [--layers lstm,gru] [--rounds 9] [--threads 2] [--explain]
///
/// Sizes are BATCHxSTEPSxFEATURESxHIDDEN; of one layer in one direction. Weights are f32, x and states of the type given. With --explain what was chosen by
/// measurement, and why, follows on stderr.
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "replays.hpp"
#include "tenon/autograd.hpp"
#include "tenon/device.hpp"
#include "tenon/error.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"
#include "tenon/recurrent.hpp"

using namespace tenon;

namespace {

struct Options {
  Device device{DeviceType::cuda, 0};
  DType dtype = DType::bf16;
  std::string sizes = "64x96x7x128,64x96x128x256,64x96x256x512,32x128x512x1024,256x64x512x1024,8x256x1024x2048", layers = "lstm,gru";
  int rounds = 9;
  bool explain = false;
};

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    auto value = [&]() -> std::string { return i + 1 < argc ? argv[++i] : ""; };
    if (a == "--device") o.device = Device::parse(value());
    else if (a == "--dtype") o.dtype = bench::float_type(value());
    else if (a == "--sizes") o.sizes = value();
    else if (a == "--layers") o.layers = value();
    else if (a == "--rounds") o.rounds = std::atoi(value().c_str());
    else if (a == "--threads") set_thread_count(std::atoi(value().c_str()));
    else if (a == "--explain") o.explain = true;
    else {
      std::fprintf(stderr, "unknown option %s\n", a.c_str());
      std::exit(2);
    }
  }
  return o;
}

void measure(const Options& o, bool gru, const std::array<long long, 4>& size, bool gradient) {
  const auto [batch, steps, features, hidden] = size;
  const double width = 1 / std::sqrt(double(hidden));
  const std::int64_t rows = (gru ? 3 : 4) * hidden;
  std::uint64_t stream = 0;
  const auto operand = [&](const Shape& shape, DType type, double most) { return random_uniform(shape, 0, ++stream, -most, most).to(type); };
  Tensor x = operand({batch, steps, features}, o.dtype, 1), w_ih = operand({rows, features}, DType::f32, width), w_hh = operand({rows, hidden}, DType::f32, width),
         b_ih = operand({rows}, DType::f32, width), b_hh = operand({rows}, DType::f32, width);
  const Tensor d_y = operand({batch, steps, hidden}, o.dtype, 1);
  const auto layer = [&] { return gru ? tenon::gru(x, {}, w_ih, w_hh, b_ih, b_hh)[0] : lstm(x, {}, {}, w_ih, w_hh, b_ih, b_hh)[0]; };
  std::vector<Tensor> kept;
  const StepPlan plan = StepPlan::record([&] {
    if (!gradient) {
      NoGrad off;
      kept = {layer()};
      return;
    }
    for (Tensor* t : {&x, &w_ih, &w_hh, &b_ih, &b_hh}) t->set_requires_grad(true);
    kept = gradients({layer()}, {x, w_ih, w_hh, b_ih, b_hh}, {d_y});
  });
  const std::vector<double> ms = bench::replay_times(plan, o.rounds);
  std::printf(
      "{\"what\": \"tenon\", \"layer\": \"%s\", \"pass\": \"%s\", \"dtype\": \"%s\", \"batch\": %lld, \"steps\": %lld, \"features\": %lld, \"hidden\": %lld, \"ms\": %.4f, "
      "\"ms_min\": %.4f, \"arena_mb\": %.1f}\n",
      gru ? "gru" : "lstm", gradient ? "forward+backward" : "forward", std::string(name_of(o.dtype)).c_str(), batch, steps, features, hidden, ms[ms.size() / 2], ms[0],
      double(plan.arena_bytes()) / 1048576);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:2", 0);  // as the command does: else cuDNN's recurrent layers are not asked
  const Options o = parse(argc, argv);
  try {
    DeviceScope on(o.device);
    for (const auto& s : bench::four_sizes(o.sizes, "BATCHxSTEPSxFEATURESxHIDDEN"))
      for (bool gru : {false, true}) {
        if (o.layers.find(gru ? "gru" : "lstm") == std::string::npos) continue;
        for (bool gradient : {false, true}) measure(o, gru, s, gradient);
      }
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", e.message().c_str());
    return 1;
  }
  if (o.explain)
    for (const std::string& line : device_choices()) std::fprintf(stderr, "# chosen: %s\n", line.c_str());
}
