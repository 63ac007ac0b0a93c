#include "tenon/device.hpp"

#include <omp.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <utility>

#include "backend/backend.hpp"
#include "tenon/device_stream.hpp"
#include "tenon/error.hpp"

namespace tenon {
namespace {

std::atomic<int> thread_setting{0};
thread_local Device made_on = kCpu;

std::string cpu_model_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "CPU";
}

std::string cpu_instruction_sets() {
  std::string s;
  auto add = [&](bool has, const char* name) {
    if (has) s += (s.empty() ? "" : " ") + std::string(name);
  };
  add(__builtin_cpu_supports("avx2"), "AVX2");
  add(__builtin_cpu_supports("fma"), "FMA");
  add(__builtin_cpu_supports("avx512f"), "AVX512");
  add(__builtin_cpu_supports("avx512bf16"), "AVX512_BF16");
  add(cpu_has_amx_bf16(), "AMX_BF16");
  return s;
}

}  // namespace

namespace {
std::function<void()>& device_wait() {
  static std::function<void()> wait;
  return wait;
}
}  // namespace
void set_device_wait(std::function<void()> wait) { device_wait() = std::move(wait); }
void wait_for_device() {
  if (device_wait()) device_wait()();
}

namespace {
std::array<MakeBatchFeed, kDeviceTypes>& feeds() {
  static std::array<MakeBatchFeed, kDeviceTypes> all;
  return all;
}
}  // namespace
BatchFeed::~BatchFeed() = default;
void set_batch_feed(DeviceType type, MakeBatchFeed make) { feeds()[std::size_t(type)] = std::move(make); }
std::unique_ptr<BatchFeed> make_batch_feed(DeviceType type) {
  const MakeBatchFeed& make = feeds()[std::size_t(type)];
  return make ? make() : nullptr;
}

namespace {
std::function<std::vector<std::string>()>& choices_made() {
  static std::function<std::vector<std::string>()> made;
  return made;
}
}  // namespace
void set_device_choices(std::function<std::vector<std::string>()> choices) { choices_made() = std::move(choices); }
std::vector<std::string> device_choices() { return choices_made() ? choices_made()() : std::vector<std::string>{}; }

namespace {
std::atomic<void*> cuda_stream{nullptr};
}
void set_device_stream(void* stream) { cuda_stream = stream; }
void* device_stream(DeviceType type) {
  if (type == DeviceType::cpu) return nullptr;
  void* const stream = cuda_stream;
  if (!stream) throw Error(ErrorKind::device, "device.not_available", "no device of this type is in use, so it has no stream", "make a tensor on it first");
  return stream;
}

Device default_device() noexcept { return made_on; }
DeviceScope::DeviceScope(Device device) noexcept : before_(made_on) { made_on = device; }
DeviceScope::~DeviceScope() { made_on = before_; }

bool cpu_has_amx_bf16() noexcept {
  unsigned a = 7, b = 0, c = 0, d = 0;
  __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return (d >> 22) & 1u;
}

bool cpu_has_bf16() noexcept { return __builtin_cpu_supports("avx512bf16") || cpu_has_amx_bf16(); }

std::string Device::str() const { return type == DeviceType::cpu ? "cpu" : "cuda:" + std::to_string(index); }

Device Device::parse(std::string_view text) {
  if (text == "cpu") return kCpu;
  if (text == "auto") {
    for (const DeviceInfo& d : list_devices())
      if (d.device.type == DeviceType::cuda && d.usable) return d.device;
    return kCpu;
  }
  if (text == "cuda") return {DeviceType::cuda, 0};
  if (text.substr(0, 5) == "cuda:" && text.size() > 5 && text.size() < 9 && text.find_first_not_of("0123456789", 5) == text.npos)
    return {DeviceType::cuda, std::stoi(std::string(text.substr(5)))};
  throw Error(ErrorKind::usage, "device.unknown", "unknown device '" + std::string(text) + "'", "one of: auto, cpu, cuda, cuda:0, cuda:1...");
}

std::vector<DeviceInfo> list_devices() {
  std::vector<DeviceInfo> all;
  DeviceInfo cpu;
  cpu.name = cpu_model_name();
  cpu.memory_bytes = std::int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
  cpu.capability = cpu_instruction_sets() + ", " + std::to_string(thread_count()) + " threads";
  all.push_back(std::move(cpu));
  for (DeviceInfo& d : list_cuda_devices()) all.push_back(std::move(d));
  return all;
}

void require_for_models(Device device) {
  if (device == kCpu) return;
  std::string usable;
  for (const DeviceInfo& d : list_devices()) {
    if (d.usable) usable += (usable.empty() ? "" : ", ") + d.device.str();
    if (d.device != device) continue;
    if (!d.usable)
      throw Error(ErrorKind::device, "device.not_available", device.str() + " cannot be used: " + d.reason, "mend that, or use --device cpu");
    return;
  }
  throw Error(ErrorKind::device, "device.not_available", "there is no " + device.str() + "; usable here: " + usable,
              "`tenon devices` shows what is there; use --device auto or --device cpu");
}

int thread_count() noexcept {
  static const int processors = omp_get_num_procs();  // asks the system
  const int n = thread_setting.load(std::memory_order_relaxed);
  return n > 0 ? n : processors;
}

void set_thread_count(int n) {
  if (n < 1 || n > 4096) throw Error(ErrorKind::usage, "device.threads", "thread count " + std::to_string(n) + " is not within 1 to 4096");
  thread_setting = n;
}

}  // namespace tenon
