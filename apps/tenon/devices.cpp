#include <algorithm>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "tenon/device.hpp"
#include "tenon/io/utf8.hpp"
#include "terminal.hpp"

namespace tenon::command {

void apply_threads(const Common& common) {
  if (common.threads > 0) set_thread_count(common.threads);
}

namespace {

/// The column of bandwidths is there where one is known.
std::string table_of(const std::vector<DeviceInfo>& devices) {
  const bool bandwidth = std::any_of(devices.begin(), devices.end(), [](const DeviceInfo& d) { return d.bandwidth > 0; });
  std::vector<std::string> head{"device", "name", "memory"};
  if (bandwidth) head.push_back("bandwidth (theoretical)");
  const std::size_t numbers = head.size();
  head.insert(head.end(), {"capability", "driver", "usable"});
  Table table(head);
  table.left(1);
  for (std::size_t c = numbers; c < head.size(); ++c) table.left(c);
  for (const DeviceInfo& d : devices) {
    std::vector<std::string> row{d.device.str(), d.name, d.memory_bytes > 0 ? format_bytes(double(d.memory_bytes)) : ""};
    if (bandwidth) row.push_back(d.bandwidth > 0 ? format_number(d.bandwidth / 1e9) + " GB/s" : "");
    row.insert(row.end(), {d.capability, d.driver, d.usable ? "yes" : "no: " + d.reason});
    table.row(row);
  }
  return table.str();
}

std::string listed(const std::vector<std::pair<std::string, std::string>>& libraries) {
  std::string text;
  for (const auto& [library, version] : libraries) text += (text.empty() ? "" : ", ") + library + " " + version;
  return text;
}

}  // namespace

int devices_command(const Common& common) {
  apply_threads(common);
  const std::vector<DeviceInfo> devices = list_devices();
  if (common.json) {
    nlohmann::ordered_json out{{"threads", thread_count()}, {"devices", nlohmann::ordered_json::array()}};
    for (const DeviceInfo& d : devices) {
      nlohmann::ordered_json libraries = nlohmann::ordered_json::object();
      for (const auto& [library, version] : d.libraries) libraries[library] = version;
      out["devices"].push_back({{"device", d.device.str()}, {"name", d.name}, {"memory_bytes", d.memory_bytes},
                                {"theoretical_bandwidth", d.bandwidth > 0 ? nlohmann::ordered_json(d.bandwidth) : nlohmann::ordered_json(nullptr)}, {"capability", d.capability}, {"driver", d.driver},
                                {"libraries", libraries}, {"usable", d.usable}, {"reason", d.reason}});
    }
    print(json_text(out));
    return 0;
  }
  print(table_of(devices));
  for (const DeviceInfo& d : devices)
    if (!d.libraries.empty()) print(d.device.str() + " computes with " + listed(d.libraries));
  print("threads: " + std::to_string(thread_count()));
  return 0;
}

}  // namespace tenon::command
