#include "train/profiler.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "tenon/io/file.hpp"

namespace tenon {

Profiler::Profiler() : origin_(steady_seconds()) { name_thread("main"); }

std::size_t Profiler::this_thread() {
  const auto id = std::this_thread::get_id();
  for (std::size_t i = 0; i < threads_.size(); ++i)
    if (threads_[i].id == id) return i;
  threads_.push_back({id, "thread " + std::to_string(threads_.size())});
  return threads_.size() - 1;
}

void Profiler::name_thread(const std::string& name) {
  std::lock_guard lock(mutex_);
  threads_[this_thread()].name = name;
}

void Profiler::event(const std::string& name, const char* kind, double start, double seconds) {
  std::lock_guard lock(mutex_);
  events_.push_back({name, kind, start, seconds, this_thread()});
}

void Profiler::write(const std::filesystem::path& file) const {
  std::lock_guard lock(mutex_);
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < threads_.size(); ++i)
    all.push_back({{"name", "thread_name"}, {"ph", "M"}, {"pid", 1}, {"tid", i}, {"args", {{"name", threads_[i].name}}}});
  for (const Event& e : events_)
    all.push_back({{"name", e.name}, {"cat", e.kind}, {"ph", "X"}, {"ts", (e.start - origin_) * 1e6}, {"dur", e.seconds * 1e6}, {"pid", 1}, {"tid", e.thread}});
  write_atomic(file, nlohmann::ordered_json{{"displayTimeUnit", "ms"}, {"traceEvents", std::move(all)}}.dump() + "\n");
}

std::string Profiler::table(std::size_t rows) const {
  struct Sum {
    std::string name;
    std::size_t calls = 0;
    double seconds = 0;
  };
  std::map<std::string, Sum> by_name;
  double total = 0;
  {
    std::lock_guard lock(mutex_);
    for (const Event& e : events_) {
      if (std::strcmp(e.kind, "op") != 0) continue;
      Sum& s = by_name[e.name];
      s.name = e.name;
      ++s.calls;
      s.seconds += e.seconds;
      total += e.seconds;
    }
  }
  if (by_name.empty()) return {};
  std::vector<Sum> sums;
  for (auto& [name, s] : by_name) sums.push_back(std::move(s));
  std::stable_sort(sums.begin(), sums.end(), [](const Sum& a, const Sum& b) { return a.seconds > b.seconds; });
  if (sums.size() > rows) sums.resize(rows);
  std::string text = "  op                                calls          ms    share";
  for (const Sum& s : sums) {
    char line[160];
    std::snprintf(line, sizeof line, "\n  %-30.60s %8zu %11.3f  %5.1f %%", s.name.c_str(), s.calls, s.seconds * 1e3, 100 * s.seconds / total);
    text += line;
  }
  return text;
}

}  // namespace tenon
