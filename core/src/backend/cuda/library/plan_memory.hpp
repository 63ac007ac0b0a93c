/// Which plan was chosen for what, kept from one process to the next: a choice by measurement would change with the noise of the clock, and
/// with it the last bits of a training that is resumed (private).
#pragma once

#include <map>
#include <string>

namespace tenon::cuda {

/// One file a device and library version under $XDG_CACHE_HOME/tenon (or ~/.cache/tenon): a line a choice, key and value with a tab between.
/// A file that cannot be read or written is as good as none. TENON_PLAN_MEMORY names another folder; "none" turns it off.
class PlanMemory {
 public:
  explicit PlanMemory(const std::string& name);
  /// Empty where nothing is known.
  std::string find(const std::string& key) const;
  void keep(const std::string& key, const std::string& value);

 private:
  std::string file_;
  std::map<std::string, std::string> known_;
};

}  // namespace tenon::cuda
