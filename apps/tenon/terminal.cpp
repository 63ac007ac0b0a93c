#include "terminal.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "command.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/utf8.hpp"

namespace tenon::command {
namespace {

bool is_utf8() {
  static const bool value = [] {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
      const char* text = std::getenv(name);
      if (!text || !*text) continue;
      std::string upper(text);
      std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return char(std::toupper(c)); });
      return upper.find("UTF-8") != std::string::npos || upper.find("UTF8") != std::string::npos;
    }
    return false;
  }();
  return value;
}

bool on_terminal() {
  static const bool value = isatty(STDERR_FILENO) && !(std::getenv("TERM") && std::strcmp(std::getenv("TERM"), "dumb") == 0);
  return value;
}

std::size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

// Code points, which is what a column of a terminal holds of the texts we print.
std::size_t width_of(const std::string& text) {
  return std::size_t(std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; }));
}

std::string cut(const std::string& text, std::size_t width) {
  std::size_t seen = 0;
  for (std::size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80 && seen++ == width) return text.substr(0, i);
  return text;
}

/// False with errno when something of it was not written.
bool write_line(std::FILE* to, const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), to) == text.size() && (text.ends_with('\n') || std::fputc('\n', to) != EOF) &&
         std::fflush(to) == 0;
}
int print_failure = 0;  // errno of the first line that did not reach standard output

bool bar_shown = false;
void clear_bar() {
  if (!bar_shown) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  bar_shown = false;
}

// C1, marks and overrides of the direction of writing, separators of lines and paragraphs.
bool acts_on_terminal(char32_t c) {
  return (c >= 0x80 && c <= 0x9f) || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

// A valid sequence of UTF-8, whole.
char32_t code_point(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence[0]);
  char32_t code = sequence.size() == 1 ? first : first & (0x7Fu >> sequence.size());
  for (const char c : sequence.substr(1)) code = code << 6 | (static_cast<unsigned char>(c) & 0x3Fu);
  return code;
}

// `kept`: control characters of ASCII that may stay.
std::string escaped(std::string_view text, std::string_view kept) {
  std::string out;
  char escape[16];
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view sequence = text.substr(0, std::max<std::size_t>(length, 1));
    const char32_t code = code_point(sequence);
    if (length == 0 || ((code < 0x20 || code == 0x7f) && kept.find(text[0]) == std::string_view::npos)) {
      std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(text[0]));
      out += escape;
    } else if (acts_on_terminal(code)) {
      std::snprintf(escape, sizeof escape, "\\u%04x", unsigned(code));
      out += escape;
    } else {
      out += sequence;
    }
    text.remove_prefix(sequence.size());
  }
  return out;
}

void make_visible(std::vector<std::string>& cells) {
  for (std::string& cell : cells) cell = escaped(cell, "");
}

volatile sig_atomic_t interrupt_count = 0;
void on_interrupt(int) {
  interrupt_count = interrupt_count + 1;
  if (interrupt_count > 1) _exit(130);
}

}  // namespace

void print(const std::string& text) {
  clear_bar();
  if (!write_line(stdout, text) && print_failure == 0) print_failure = errno;
}

void status(const std::string& text) {
  clear_bar();
  write_line(stderr, text);
}

std::string visible(const std::string& text) { return escaped(text, "\n\t"); }

std::string visible_line(const std::string& text) { return escaped(text, ""); }

void print_result(const std::string& text) { print(isatty(STDOUT_FILENO) ? visible(text) : text); }

void print_path(const std::string& path) { print(isatty(STDOUT_FILENO) ? visible_line(path) : path); }

void print_error(const Error& error) {
  const bool colour = on_terminal() && !std::getenv("NO_COLOR");
  std::string out = (colour ? "\033[1;31merror\033[0m[" : "error[") + visible_line(error.code()) + "]: ";
  if (!error.where().empty()) out += visible_line(error.where()) + ": ";
  out += visible(error.message());
  if (!error.hint().empty()) out += "\n  help: " + visible(error.hint());
  if (is_explained(error.code())) out += "\n  more: tenon explain " + visible_line(error.code());
  status(out);
}

void require_printed() {
  if (print_failure != 0) throw_io_error(print_failure, "write", "standard output");
}

Table::Table(std::vector<std::string> header) : header_(std::move(header)) { make_visible(header_); }

void Table::row(std::vector<std::string> cells) {
  make_visible(cells);
  rows_.push_back(std::move(cells));
}

std::string Table::str() const {
  std::vector<std::size_t> widths;
  for (const std::string& cell : header_) widths.push_back(width_of(cell));
  for (const auto& row : rows_)
    for (std::size_t c = 0; c < std::min(row.size(), widths.size()); ++c) widths[c] = std::max(widths[c], width_of(row[c]));
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string out;
    for (std::size_t c = 0; c < widths.size(); ++c) {
      const std::string cell = c < cells.size() ? cells[c] : "";
      const std::string pad(widths[c] - width_of(cell), ' ');
      const bool to_left = std::find(left_.begin(), left_.end(), c) != left_.end();
      out += (c ? "  " : "") + (to_left ? cell + pad : pad + cell);
    }
    return out.substr(0, out.find_last_not_of(' ') + 1) + "\n";
  };
  std::string out = line(header_);
  for (std::size_t c = 0; c < widths.size(); ++c) {
    if (c) out += "  ";
    for (std::size_t i = 0; i < widths[c]; ++i) out += is_utf8() ? "─" : "-";
  }
  out += "\n";
  for (const auto& row : rows_) out += line(row);
  return out;
}

std::string format_seconds(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  const long s = std::lround(seconds);
  char text[48];
  if (s < 60) std::snprintf(text, sizeof text, "%ld s", s);
  else if (s < 3600) std::snprintf(text, sizeof text, "%ld:%02ld", s / 60, s % 60);
  else std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  return text;
}

std::string format_bytes(double bytes) {
  const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  int unit = 0;
  while (bytes >= 1000 && unit < 4) bytes /= 1000, ++unit;
  char text[48];
  std::snprintf(text, sizeof text, unit && bytes < 100 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
  return text;
}

std::string format_number(double value, int significant) {
  if (std::isnan(value)) return "-";
  char text[48];
  std::snprintf(text, sizeof text, "%.*g", significant, value);
  return text;
}

std::string format_interval(double low, double high) {
  return std::isnan(low) || std::isnan(high) ? "-" : "[" + format_number(low) + ", " + format_number(high) + "]";
}

Progress::~Progress() { finish(); }

void Progress::update(const std::string& text, double done, double total, const std::string& tail) {
  if (quiet_) return;
  const auto now = std::chrono::steady_clock::now();
  const bool bar = on_terminal();
  const bool first = text != last_text_;
  if (first && !bar) last_ = now;  // a heartbeat is for what lasts; what ends within ten seconds prints nothing
  if (first) last_text_ = text;
  const auto pause = bar ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10000);
  if (now - last_ < pause && !(bar && first)) return;
  last_ = now;
  const double share = total > 0 ? std::clamp(done / total, 0.0, 1.0) : 0;
  char percent[16];
  std::snprintf(percent, sizeof percent, "%3.0f %%", 100 * share);
  if (!bar) {
    write_line(stderr, text + (total > 0 ? std::string(" ") + percent : "") + (tail.empty() ? "" : ", " + tail));
    return;
  }
  std::string out = text + " ";
  if (total > 0) {
    const int cells = 12, full = int(share * cells);
    for (int i = 0; i < cells; ++i) out += i < full ? (is_utf8() ? "━" : "#") : (is_utf8() ? "─" : ".");
    out += std::string(" ") + percent + "  ";
  }
  std::fprintf(stderr, "\r%s\033[K", cut(out + tail, terminal_width() - 1).c_str());
  std::fflush(stderr);
  bar_shown = shown_ = true;
}

void Progress::finish() {
  if (shown_) clear_bar();
  shown_ = false;
  last_text_.clear();
}

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() noexcept { return interrupt_count > 0; }

void RunDisplay::message(const std::string& text) {
  if (!quiet_) status(visible(text));
}

void RunDisplay::step(const TrainProgress& p) {
  char tail[160];
  std::snprintf(tail, sizeof tail, "step %lld/%lld  loss %.4f  %.2f steps/s  %s left", static_cast<long long>(p.step),
                static_cast<long long>(p.total_steps), p.loss, p.steps_per_second, format_seconds(p.seconds_left).c_str());
  std::string text = tail;
  if (p.waiting_share >= 0.03) text += "  waiting for data " + format_number(100 * p.waiting_share, 2) + " %";
  progress_.update("train", double(p.step), double(p.total_steps), text);
}

void RunDisplay::stage(const std::string& what, std::int64_t done, std::int64_t total) {
  progress_.update(visible_line(what), double(done), double(total), std::to_string(done) + (total > 0 ? "/" + std::to_string(total) : ""));
  if (total > 0 && done >= total) progress_.finish();
}

bool RunDisplay::interrupted() {
  const bool asked = command::interrupted();
  if (asked && !told_) {
    told_ = true;
    if (!quiet_) status("stopping after this step (once more to stop at once, without saving)");
  }
  return asked;
}

}  // namespace tenon::command
