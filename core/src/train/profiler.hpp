/// A profile of a run as a Chrome trace (chrome://tracing, Perfetto), and the costliest ops of it (private).
#pragma once

#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tenon/profile.hpp"

namespace tenon {

/// Collects events on any thread; each thread gets a number and, if it says so, a name.
class Profiler {
 public:
  Profiler();
  void name_thread(const std::string& name);
  /// Times on the clock of steady_seconds(). `kind`: "op", "data", "wait", "step".
  void event(const std::string& name, const char* kind, double start, double seconds);

  /// JSON of the trace event format, one complete event ("ph": "X") an entry, times in microseconds since the profiler was made.
  void write(const std::filesystem::path& file) const;
  /// The ops that took longest in all, at most `rows`: calls, milliseconds, share of all ops. Empty where nothing was seen.
  std::string table(std::size_t rows) const;

  /// While alive, launches of this thread are events of kind "op".
  class Watch {
   public:
    explicit Watch(Profiler& p) : watch_([&p](const LaunchTime& t) { p.event(t.name, "op", t.start, t.seconds); }) {}

   private:
    LaunchWatch watch_;
  };

 private:
  struct Event {
    std::string name;
    const char* kind;
    double start, seconds;
    std::size_t thread;
  };
  struct Thread {
    std::thread::id id;
    std::string name;
  };
  std::size_t this_thread();

  double origin_;
  mutable std::mutex mutex_;
  std::vector<Event> events_;
  std::vector<Thread> threads_;
};

}  // namespace tenon
