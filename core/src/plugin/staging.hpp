/// What one plugin registers, checked and held back until all of it is known to be good.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tenon/error.hpp"
#include "tenon/export.hpp"
#include "tenon/plugin.hpp"

namespace tenon {

/// Checks each entry as it comes; the first defect throws into the plugin and is kept, so that a plugin which catches it
/// is refused all the same. Entries come out guarded (see guard.hpp).
class TENON_API StagingRegistrar final : public Registrar {
 public:
  explicit StagingRegistrar(std::string plugin) : plugin_(std::move(plugin)) {}

  void format(FormatEntry entry) override;
  void model(ModelEntry entry) override;
  void task(TaskEntry entry) override;
  void tool(ToolEntry entry) override;

  /// Throws the first defect, if there was one.
  void require_sound() const;
  /// Throws plugin.provides_mismatch unless exactly `provided` was registered.
  void require(const std::vector<std::string>& provided) const;

  std::vector<FormatEntry> formats;
  std::vector<ModelEntry> models;
  std::vector<TaskEntry> tasks;
  std::vector<ToolEntry> tools;

 private:
  void accept(const std::string& kind, const std::string& name, const std::string& help);
  void check_params(const std::string& owner, const ParamSpec& spec);
  void need(bool there, const std::string& owner, const char* function);
  [[noreturn]] void refuse(const char* code, const std::string& what, const std::string& hint = {});

  std::string plugin_;
  std::vector<std::string> ids_;
  std::optional<Error> defect_;
};

}  // namespace tenon
