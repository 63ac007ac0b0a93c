/// `tenon bench`: what this machine does a second, op by op and a training step of each field's model; GPUs beside the CPU.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "command.hpp"
#include "tenon/attention.hpp"
#include "tenon/autograd.hpp"
#include "tenon/complex.hpp"
#include "tenon/dropout.hpp"
#include "tenon/error.hpp"
#include "tenon/fft.hpp"
#include "tenon/optim.hpp"
#include "tenon/plan.hpp"
#include "tenon/tenon.hpp"
#include "terminal.hpp"
#include "workloads/workload.hpp"

namespace tenon::command {
namespace {

/// What one row times: made once a device, run many times.
struct Timed {
  std::function<void()> run;
  std::function<void()> wait;  ///< until all of it is done
  std::string type;
};
struct Row {
  std::string name, size;
  double work = 0;    ///< of a run: operations, or bytes moved; 0: a step
  std::string unit;   ///< of work a second, in 1e9
  std::function<Timed(Device)> make;
};

bool in_bf16(Device device) { return device != kCpu || cpu_has_bf16(); }

/// `op` recorded once, without gradients: what is timed is kernels alone.
Timed replayed(DType type, const std::function<Tensor()>& op) {
  NoGrad off;
  Tensor last;
  auto plan = std::make_shared<StepPlan>(StepPlan::record([&] {
    const Tensor y = op();
    last = y.reshape({-1}).narrow(0, 0, 1).to(DType::f32).contiguous();
  }));
  return {[plan] { plan->run(); }, [last] { last.item(); }, std::string(name_of(type))};
}

Row op(std::string name, std::string size, double work, std::string unit, std::function<std::function<Tensor()>(DType)> make, bool may_narrow) {
  return {std::move(name), std::move(size), work, std::move(unit), [=](Device device) {
            const DType type = may_narrow && in_bf16(device) ? DType::bf16 : DType::f32;
            return replayed(type, make(type));
          }};
}

/// Forward, loss, backward and AdamW of a reference model on fixed random data.
Row step(std::string name, std::string size, const std::string& model, bool may_narrow) {
  return {std::move(name), std::move(size), 0, "", [=](Device device) {
            const DType type = may_narrow && in_bf16(device) ? DType::bf16 : DType::f32;
            struct Training {
              bench::Workload workload;
              Tensor key, loss;
              std::unique_ptr<Optimiser> optimiser;
              StepPlan plan;
              std::int64_t number = 0;
            };
            auto t = std::make_shared<Training>();
            t->workload = bench::workloads().at(model)(type);
            t->workload.model->initialise(0);
            t->key = random_key(0, device);
            t->workload.model->set_random_key(t->key);
            t->optimiser = make_adamw(*t->workload.model, {});
            t->plan = StepPlan::record([&] {
              t->loss = t->workload.loss();
              t->loss.backward();
              t->loss = t->loss.detach();
              t->optimiser->step();
            });
            return Timed{[t] {
                           t->optimiser->begin_step(1e-4);
                           set_random_step(t->key, t->number++);
                           t->plan.run();
                         },
                         [t] { t->loss.item(); }, std::string(name_of(type))};
          }};
}

std::vector<Row> rows() {
  const auto normal = [](const Shape& shape, DType type) { return random_normal(shape, 0, 1).to(type); };
  const double n = 2048, voxels = 64.0 * 64 * 64, points = 1 << 16, lines = 64;
  return {
      op("copy of memory", "256 MB", 2 * 256e6, "GB/s", [=](DType) { return [x = normal({64000000}, DType::f32)] { return x + 1.0; }; }, false),
      op("matrix product", "2048 x 2048 x 2048", 2 * n * n * n, "GFLOP/s", [=](DType t) { return [a = normal({2048, 2048}, t), b = normal({2048, 2048}, t)] { return matmul(a, b); }; }, true),
      op("convolution 3x3x3", "32 to 32 channels, 64 x 64 x 64", 2 * 27.0 * 32 * 32 * voxels, "GFLOP/s",
         [=](DType t) { return [x = normal({1, 64, 64, 64, 32}, t), w = random_normal({32, 3, 3, 3, 32}, 0, 2)] { return conv(x, w, {}, {{}, {1, 1, 1}, {}, 1}); }; }, true),
      op("attention", "2 x 8 heads, 1024 positions of 64", 4.0 * 2 * 8 * 1024 * 1024 * 64, "GFLOP/s", [=](DType t) { return [x = normal({2, 1024, 3, 8, 64}, t)] { return self_attention(x); }; }, true),
      op("Fourier transform", "64 real lines of 65,536", lines * 2.5 * points * std::log2(points), "GFLOP/s", [=](DType) { return [x = normal({64, 65536}, DType::f32)] { return real(rfft(x)); }; }, false),
      step("medical: 3D U-Net, a step", "2 patches of 40 x 56 x 40", "unet3d", true),
      step("climate: FNO, a step", "4 fields of 128 x 128", "fno2d", false),
      step("genomics: Basset, a step", "64 sequences of 600", "basset", true),
      step("finance: LSTM, a step", "64 windows of 64", "lstm", true),
  };
}

struct Figure {
  double ms = NAN;
  std::string type, failure;
};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Median over rounds of the time of one run; a round is long enough for waiting to weigh nothing.
Figure measure(const Row& row, Device device, double seconds) {
  Figure out;
  try {
    DeviceScope on(device);
    const Timed timed = row.make(device);
    out.type = timed.type;
    timed.run();
    timed.wait();
    double begin = now();
    timed.run();
    timed.wait();
    const int inner = device == kCpu ? 1 : std::max(1, int(0.1 * seconds / std::max(now() - begin, 1e-6)));
    std::vector<double> times;
    const double start = now();
    while (times.size() < 3 || (now() - start < seconds && times.size() < 1000)) {
      begin = now();
      for (int i = 0; i < inner; ++i) timed.run();
      timed.wait();
      times.push_back(1e3 * (now() - begin) / inner);
      if (interrupted()) return out;
    }
    std::nth_element(times.begin(), times.begin() + std::ptrdiff_t(times.size() / 2), times.end());
    out.ms = times[times.size() / 2];
  } catch (const Error& e) {
    out.failure = e.message();
  }
  return out;
}

std::string rate(const Row& row, const Figure& f) {
  if (std::isnan(f.ms)) return "";
  return row.work > 0 ? format_number(row.work / f.ms * 1e-6, 3) + " " + row.unit : format_number(1e3 / f.ms, 3) + " steps/s";
}

}  // namespace

int bench_command(double seconds, const Common& common) {
  apply_threads(common);
  catch_interrupts();
  std::vector<DeviceInfo> devices;
  std::vector<std::string> unusable;
  for (const DeviceInfo& d : list_devices()) {
    if (d.usable) devices.push_back(d);
    else unusable.push_back(d.device.str() + ": " + d.reason);
  }
  Progress progress(common.quiet || common.json);
  const std::vector<Row> all = rows();
  std::vector<std::vector<Figure>> figures(all.size());
  for (std::size_t r = 0; r < all.size(); ++r)
    for (const DeviceInfo& d : devices) {
      progress.update("timing", double(r), double(all.size()), all[r].name + " on " + d.device.str());
      figures[r].push_back(measure(all[r], d.device, seconds));
      if (interrupted()) return kInterrupted;
    }
  progress.finish();

  if (common.json) {
    nlohmann::ordered_json out{{"threads", thread_count()}, {"devices", nlohmann::ordered_json::array()}, {"rows", nlohmann::ordered_json::array()}, {"unusable", unusable}};
    for (const DeviceInfo& d : devices) out["devices"].push_back({{"device", d.device.str()}, {"name", d.name}});
    for (std::size_t r = 0; r < all.size(); ++r) {
      nlohmann::ordered_json row{{"what", all[r].name}, {"size", all[r].size}, {"on", nlohmann::ordered_json::array()}};
      for (std::size_t d = 0; d < devices.size(); ++d) {
        const Figure& f = figures[r][d];
        nlohmann::ordered_json on{{"device", devices[d].device.str()}, {"type", f.type}, {"ms", std::isnan(f.ms) ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(f.ms)}};
        if (all[r].work > 0 && !std::isnan(f.ms)) on["rate"] = all[r].work / f.ms * 1e-6, on["unit"] = all[r].unit;
        if (d > 0 && !std::isnan(f.ms) && !std::isnan(figures[r][0].ms)) {
          on["speed_up"] = figures[r][0].ms / f.ms;
          on["time_saved"] = 1 - f.ms / figures[r][0].ms;
        }
        if (!f.failure.empty()) on["failure"] = f.failure;
        row["on"].push_back(std::move(on));
      }
      out["rows"].push_back(std::move(row));
    }
    print(json_text(out));
    return 0;
  }
  std::vector<std::string> header{"what", "size"};
  for (const DeviceInfo& d : devices) {
    header.push_back(d.device.str() + " ms");
    header.push_back("rate");
    header.push_back("type");
    if (d.device != kCpu) header.insert(header.end(), {"speed-up", "time saved"});
  }
  Table table(header);
  table.left(1);
  for (std::size_t r = 0; r < all.size(); ++r) {
    std::vector<std::string> cells{all[r].name, all[r].size};
    for (std::size_t d = 0; d < devices.size(); ++d) {
      const Figure& f = figures[r][d];
      cells.push_back(std::isnan(f.ms) ? "failed" : format_number(f.ms, 4));
      cells.push_back(rate(all[r], f));
      cells.push_back(f.type);
      if (devices[d].device == kCpu) continue;
      const double gain = figures[r][0].ms / f.ms;
      cells.push_back(std::isnan(gain) ? "" : format_number(gain, 3));
      cells.push_back(std::isnan(gain) ? "" : format_number(100 * (1 - 1 / gain), 3) + " %");
    }
    table.row(cells);
  }
  print(table.str());
  for (const DeviceInfo& d : devices) print(d.device.str() + ": " + d.name + (d.device == kCpu ? ", " + std::to_string(thread_count()) + " threads" : ""));
  for (std::size_t r = 0; r < all.size(); ++r)
    for (const Figure& f : figures[r])
      if (!f.failure.empty()) print(all[r].name + ": " + f.failure);
  for (const std::string& reason : unusable) print("not timed: " + reason);
  return 0;
}

}  // namespace tenon::command
