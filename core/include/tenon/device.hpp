/// Where a tensor lives.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tenon/export.hpp"

namespace tenon {

enum class DeviceType : std::uint8_t { cpu, cuda };
inline constexpr int kDeviceTypes = 2;

struct TENON_API Device {
  DeviceType type = DeviceType::cpu;
  int index = 0;
  bool operator==(const Device&) const = default;
  std::string str() const;                     ///< "cpu", "cuda:0"
  static Device parse(std::string_view text);  ///< "auto", "cpu", "cuda", "cuda:1"; throws on anything else
};

inline constexpr Device kCpu{};

/// Where tensors are made on this thread when no device is given: the CPU, or what a DeviceScope says.
TENON_API Device default_device() noexcept;

/// While one is alive, tensors that this thread makes without naming a device are made on `device`:
///
///     DeviceScope on({DeviceType::cuda, 0});
///     nn::UNet model(options);  // its parameters are on the GPU
class TENON_API DeviceScope {
 public:
  explicit DeviceScope(Device device) noexcept;
  ~DeviceScope();
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  Device before_;
};

/// What `tenon devices` prints of one device.
struct DeviceInfo {
  Device device;
  std::string name;
  std::int64_t memory_bytes = 0;
  double bandwidth = 0;    ///< of its memory, bytes a second: clock times width, which no program reaches; 0: not known
  std::string capability;  ///< CPU: instruction sets; CUDA: compute capability
  std::string driver;
  std::vector<std::pair<std::string, std::string>> libraries;  ///< name and version of those that compute there
  bool usable = true;
  std::string reason;  ///< why not, when it is not usable
};
TENON_API std::vector<DeviceInfo> list_devices();

/// Number of threads of every parallel loop. Results do not depend on it.
TENON_API int thread_count() noexcept;
TENON_API void set_thread_count(int n);

/// True where the CPU multiplies bf16 natively (AVX512_BF16 or AMX), so that bf16 pays.
TENON_API bool cpu_has_bf16() noexcept;

}  // namespace tenon
