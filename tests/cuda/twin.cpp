#include "cuda/twin.hpp"

#include <cmath>
#include <limits>

#include "cuda/device.hpp"
#include "tenon/complex.hpp"
#include "tenon/error.hpp"
#include "tenon/plan.hpp"

using namespace tenon;

namespace under_test {

Outcome run_case(const Case& run, DType type, Device device) {
  DeviceScope scope(device);
  check::Twin twin(type);
  Outcome out;
  try {
    run();
  } catch (const Error& e) {
    out.code = e.code();
    out.error = e.what();
  } catch (const std::exception& e) {  // of a library
    out.code = "unknown";
    out.error = e.what();
  }
  out.noted = std::move(twin.noted);
  out.typed = twin.typed;
  return out;
}

double nmse(const Tensor& x, const Tensor& reference) {
  constexpr double kFloor = 0.01, kNever = std::numeric_limits<double>::infinity();
  if (!(x.shape() == reference.shape()) || x.dtype() != reference.dtype()) return kNever;
  if (is_complex(x.dtype())) return nmse(view_as_real(x), view_as_real(reference));
  const std::vector<double> a = x.to_vector(), b = reference.to_vector();
  double error = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isfinite(a[i]) && std::isfinite(b[i])) {
      error += (a[i] - b[i]) * (a[i] - b[i]);
      size += b[i] * b[i];
    } else if (!(a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])))) {
      return kNever;
    }
  }
  return error == 0 ? 0 : error / std::max(size, double(a.size()) * kFloor * kFloor);
}

bool same_bytes(const Outcome& x, const Outcome& y) {
  if (x.noted.size() != y.noted.size() || x.error != y.error) return false;
  for (std::size_t i = 0; i < x.noted.size(); ++i) {
    const Tensor &a = x.noted[i].values, &b = y.noted[i].values;
    if (a.nbytes() != b.nbytes()) return false;
    if (a.nbytes() && std::memcmp(a.raw(), b.raw(), a.nbytes()) != 0) return false;
  }
  return true;
}

double tolerance_of(DType type) {
  switch (type) {
    case DType::f32:
    case DType::c64:
      return 1e-10;
    case DType::bf16:
    case DType::f16:
      return 1e-4;
    default:
      return 1e-20;
  }
}

Verdict compare(const std::string& name, const Case& run, DType type, double tolerance) {
  INFO(name << " in " << name_of(type));
  const Outcome cpu = run_case(run, type, kCpu);
  std::vector<Outcome> device;
  for (int i = 0; i < kRuns; ++i) {
    begin_run(i);
    device.push_back(run_case(run, type, kDevice));
    if (device.back().code == "device.no_kernel") return Verdict::no_kernel;
    end_run();
  }
  const Outcome& first = device[0];
  if (!cpu.error.empty()) {
    INFO("the CPU refuses it: " << cpu.error);
    CHECK_FALSE(first.error.empty());
    return Verdict::not_for_this_type;
  }
  INFO("on the device: " << first.error);
  CHECK(first.error.empty());
  CHECK(first.noted.size() == cpu.noted.size());
  for (std::size_t i = 0; i < std::min(first.noted.size(), cpu.noted.size()); ++i) {
    INFO(cpu.noted[i].what << ", entry " << i << ", " << cpu.noted[i].values.str());
    CHECK(first.noted[i].what == cpu.noted[i].what);
    CHECK(nmse(first.noted[i].values, cpu.noted[i].values) <=
          (tolerance > 0 ? tolerance : std::max(tolerance_of(type), tolerance_of(cpu.noted[i].values.dtype()))));
  }
  for (std::size_t i = 1; i < device.size(); ++i) {
    INFO("run " << i << " against run 0");
    CHECK(same_bytes(device[i], first));
  }
  return Verdict::agrees;
}

void check_recorded_bits(const std::function<std::vector<Tensor>()>& step) {
  const DeviceScope on(kDevice);
  std::vector<Tensor> made = step();
  const auto values = [&] {
    std::vector<std::vector<double>> all;
    for (const Tensor& t : made) all.push_back(t.to_vector());
    return all;
  };
  const auto alone = values();
  const StepPlan plan = StepPlan::record([&] { made = step(); });
  for (int i = 0; i < 4; ++i) {
    plan.run();
    const bool same = values() == alone;
    CHECK(same);
  }
}

}  // namespace under_test
