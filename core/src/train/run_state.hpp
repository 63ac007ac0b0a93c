/// state.json of a run: what was run, with what, on what (private).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace tenon {

struct RunState {
  std::string status, device, precision, model, task;
  std::uint64_t seed = 0;
  std::int64_t steps = 0, parameters = 0;
  double seconds = 0, waiting_share = 0;
  bool timed = false;  ///< paced by the clock: another run of it takes other steps
  bool stopped_early = false;
  std::vector<std::string> earlier_devices = {};  ///< on which parts of the run were computed before it was resumed elsewhere
  const std::map<std::string, std::string>* inputs = nullptr;
};
void write_run_state(const std::filesystem::path& run, const RunState& state);
/// The input digests that the run's state.json holds; empty where there is none.
std::map<std::string, std::string> read_run_inputs(const std::filesystem::path& run);
/// The devices that the run's state.json tells of, the last one last; empty where there is none.
std::vector<std::string> read_run_devices(const std::filesystem::path& run);

}  // namespace tenon
