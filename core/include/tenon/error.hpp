/// The one exception type of the toolkit.
///
/// The library never prints, exits or aborts: it throws `tenon::Error`, and only the command turns
/// one into text and an exit status. An error says what happened (with the values), where, and what
/// to do next; `code` is a stable dotted name ("nifti.truncated") that `tenon explain` expands.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "tenon/export.hpp"

namespace tenon {

/// What went wrong, by who can mend it. The value is the exit status of the command.
enum class ErrorKind : int {
  internal = 1,    ///< a defect of the toolkit itself
  usage = 2,       ///< command line, recipe, or a wrong call of the library
  data = 3,        ///< input data that is broken, inconsistent or absent
  batch = 4,       ///< a batch finished, some of its items failed
  plugin = 5,      ///< a plugin is missing, refused or failed
  device = 6,      ///< device or memory
  acceptance = 7,  ///< a figure that the recipe demands was not met
};

class TENON_API Error : public std::runtime_error {
 public:
  /// `what`: what happened, with the values. `hint`: what to do next. `where`: file, file:line, case or op.
  Error(ErrorKind kind, std::string code, std::string what, std::string hint = {}, std::string where = {});
  ~Error() override;

  ErrorKind kind() const noexcept { return kind_; }
  const std::string& code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& hint() const noexcept { return hint_; }
  const std::string& where() const noexcept { return where_; }

  /// The same error, with `where` filled in if it was empty (an inner layer may not know the file).
  Error at(std::string where) const;

 private:
  ErrorKind kind_;
  std::string code_, message_, hint_, where_;
};

/// A wrong call of the library: `op` is the function's public name and opens the message.
[[noreturn]] TENON_API void throw_usage(std::string_view op, const std::string& what, const std::string& hint = {});

}  // namespace tenon
