#include <nlohmann/json.hpp>

#include "command.hpp"
#include "tenon/device.hpp"
#include "tenon/io/utf8.hpp"
#include "terminal.hpp"

namespace tenon::command {

void apply_threads(const Common& common) {
  if (common.threads > 0) set_thread_count(common.threads);
}

int devices_command(const Common& common) {
  apply_threads(common);
  const std::vector<DeviceInfo> devices = list_devices();
  if (common.json) {
    nlohmann::ordered_json out{{"threads", thread_count()}, {"devices", nlohmann::ordered_json::array()}};
    for (const DeviceInfo& d : devices)
      out["devices"].push_back({{"device", d.device.str()}, {"name", d.name}, {"memory_bytes", d.memory_bytes}, {"capability", d.capability},
                                {"driver", d.driver}, {"usable", d.usable}, {"reason", d.reason}});
    print(json_text(out));
    return 0;
  }
  Table table({"device", "name", "memory", "capability", "driver", "usable"});
  for (std::size_t c : {1u, 3u, 4u, 5u}) table.left(c);
  for (const DeviceInfo& d : devices)
    table.row({d.device.str(), d.name, d.memory_bytes > 0 ? format_bytes(double(d.memory_bytes)) : "", d.capability, d.driver,
               d.usable ? "yes" : "no: " + d.reason});
  print(table.str());
  print("threads: " + std::to_string(thread_count()));
  return 0;
}

}  // namespace tenon::command
