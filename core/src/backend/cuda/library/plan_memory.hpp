/// What was chosen by measurement, kept from one process to the next: a choice by the clock would change with its noise, and with it the last
/// bits of a training that is resumed; and measuring takes time (private).
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace tenon::cuda {

/// One file a device and library version under $XDG_CACHE_HOME/tenon (or ~/.cache/tenon). TENON_PLAN_MEMORY names another folder; "none"
/// turns it off. A file that cannot be read or written is as good as none.
///
/// A line a choice: key, tab, value, tab, CRC-32C of what is before. Lines are only ever appended, so processes that share a file lose none of
/// each other's; of lines with one key the last one counts; damaged ones are passed over. A file that grew beyond reason is begun anew. Not
/// thread-safe.
class PlanMemory {
 public:
  /// `name`: of the device and the library, with its version.
  explicit PlanMemory(const std::string& name);
  /// Empty where nothing is known, to no process until now. Neither keys nor values hold line ends.
  std::string find(const std::string& key);
  void keep(const std::string& key, const std::string& value);

 private:
  void read_on();

  std::string file_;      ///< empty: choices last as long as the process
  std::uint64_t at_ = 0;  ///< bytes of the file that were read
  std::map<std::string, std::string> known_;
};

}  // namespace tenon::cuda
