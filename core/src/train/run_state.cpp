#include "train/run_state.hpp"

#include <dnnl.hpp>
#include <nlohmann/json.hpp>

#include "tenon/device.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/plugin.hpp"

namespace tenon {

void write_run_state(const std::filesystem::path& run, const RunState& s) {
  const dnnl_version_t* v = dnnl_version();
  nlohmann::ordered_json j{{"tenon", TENON_VERSION}, {"status", s.status}, {"task", s.task}, {"model", s.model}, {"parameters", s.parameters}, {"seed", s.seed},
                           {"steps", s.steps}, {"timed", s.timed}, {"stopped_early", s.stopped_early}, {"seconds", s.seconds}, {"waiting_share", s.waiting_share}, {"device", s.device}, {"precision", s.precision}, {"threads", thread_count()}};
  j["versions"] = {{"tenon", TENON_VERSION}, {"oneDNN", std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch)}, {"compiler", "gcc " __VERSION__}};
  for (const PluginInfo& p : PluginHost::instance().scan())
    if (p.state == PluginState::active) j["versions"]["plugin " + p.name] = p.version;
  for (const DeviceInfo& d : list_devices())
    if (d.device.str() == s.device) {
      j["processor"] = d.name + " (" + d.capability + ")";
      for (const auto& [library, version] : d.libraries) j["versions"][library] = version;
    }
  if (!s.earlier_devices.empty()) j["earlier_devices"] = s.earlier_devices;
  j["inputs"] = nlohmann::ordered_json::object();
  if (s.inputs)
    for (const auto& [path, digest] : *s.inputs) j["inputs"][path] = digest;
  write_atomic(run / "state.json", json_text(j, 1) + "\n");
}

namespace {

/// Null where there is none, or none that can be read.
nlohmann::json state_of(const std::filesystem::path& run) {
  if (!file_exists(run / "state.json")) return {};
  return nlohmann::json::parse(read_text(run / "state.json"), nullptr, false);
}

}  // namespace

std::vector<std::string> read_run_devices(const std::filesystem::path& run) {
  const nlohmann::json j = state_of(run);
  std::vector<std::string> devices;
  if (!j.is_object()) return devices;
  if (j.contains("earlier_devices") && j["earlier_devices"].is_array())
    for (const auto& d : j["earlier_devices"])
      if (d.is_string()) devices.push_back(d.get<std::string>());
  if (j.contains("device") && j["device"].is_string()) devices.push_back(j["device"].get<std::string>());
  return devices;
}

std::map<std::string, std::string> read_run_inputs(const std::filesystem::path& run) {
  std::map<std::string, std::string> inputs;
  const nlohmann::json j = state_of(run);
  if (!j.is_object() || !j.contains("inputs") || !j["inputs"].is_object()) return inputs;
  for (const auto& [path, digest] : j["inputs"].items())
    if (digest.is_string()) inputs[path] = digest.get<std::string>();
  return inputs;
}

}  // namespace tenon
