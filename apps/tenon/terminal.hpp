/// What the command writes, and to where: results to standard output, everything else to standard error.
///
/// One thread at a time. Colour and bars only on a terminal; box characters only where the locale is UTF-8.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tenon/error.hpp"
#include "tenon/run.hpp"

namespace tenon::command {

void print(const std::string& text);    ///< a line (or lines) to standard output
void status(const std::string& text);   ///< the same to standard error, below a cleared bar
void print_error(const Error& error);
/// What comes from files, names or plugins may hold anything. Control characters but new lines and tabs, and bytes that are no UTF-8, as "\x1b"; the
/// control characters above ASCII, and what turns the direction of writing or ends a line, as "\u202e".
std::string visible(const std::string& text);
/// The same for what stands on one line (a name, a code): new lines and tabs too.
std::string visible_line(const std::string& text);
/// For standard output, where a program may read it: as it is, but on a terminal visible. Of print_path the text is one path.
void print_result(const std::string& text);
void print_path(const std::string& path);
/// Throws the io.* error of the first print() whose text did not reach standard output (a full disk, a closed pipe).
void require_printed();

/// Aligned columns with a line under the header. Cells are made visible_line; numbers go right, the first column left.
class Table {
 public:
  explicit Table(std::vector<std::string> header);
  void row(std::vector<std::string> cells);
  void left(std::size_t column) { left_.push_back(column); }  ///< text columns after the first
  std::string str() const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> left_{0};
};

std::string format_seconds(double seconds);         ///< "42 s", "3:07", "1:02:45"
std::string format_bytes(double bytes);             ///< "3.4 MB"
std::string format_number(double value, int significant = 4);
std::string format_interval(double low, double high);  ///< "[0.1, 0.2]"; "-" where there is none

/// A bar on a terminal, one line every ten seconds otherwise; nothing when quiet.
class Progress {
 public:
  explicit Progress(bool quiet) : quiet_(quiet) {}
  ~Progress();
  /// `done` of `total` (0: unknown); `text` says of what; `tail` is appended (rate, time left, loss).
  void update(const std::string& text, double done, double total, const std::string& tail);
  void finish();  ///< clears the bar

 private:
  bool quiet_, shown_ = false;
  std::chrono::steady_clock::time_point last_{};
  std::string last_text_;
};

/// From the first SIGINT or SIGTERM on, interrupted() is true; a second one ends the process at once with 130.
void catch_interrupts();
bool interrupted() noexcept;

/// Feeds messages and progress of a run to the terminal; stops it when the user asks.
class RunDisplay : public RunObserver {
 public:
  explicit RunDisplay(bool quiet) : quiet_(quiet), progress_(quiet) {}
  void message(const std::string& text) override;
  void step(const TrainProgress& progress) override;
  void stage(const std::string& what, std::int64_t done, std::int64_t total) override;
  bool interrupted() override;
  void finish() { progress_.finish(); }

 private:
  bool quiet_, told_ = false;
  Progress progress_;
};

}  // namespace tenon::command
