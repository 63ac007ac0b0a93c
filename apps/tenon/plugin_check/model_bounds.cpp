/// Models away from their example: other sizes, and parameters at their upper bounds.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "plugin_check/model_tried.hpp"
#include "tenon/child_process.hpp"

namespace tenon::command {
namespace {

constexpr std::uint64_t kMoreMemory = std::uint64_t(4) << 30;

/// Of this process's address space: what it has, and 4 GB.
void limit_memory() {
  std::ifstream in("/proc/self/statm");
  std::uint64_t pages = 0;
  in >> pages;
  rlimit limit{};
  ::getrlimit(RLIMIT_AS, &limit);
  const rlim_t wanted = rlim_t(pages * std::uint64_t(::sysconf(_SC_PAGESIZE)) + kMoreMemory);
  limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ? wanted : std::min(wanted, limit.rlim_max);
  ::setrlimit(RLIMIT_AS, &limit);
}

ParamValue upper_bound(const Param& p) {
  if (p.type == ParamType::real) return *p.high;
  return std::int64_t(std::min(*p.high, 9.2e18));
}

}  // namespace

void check_sizes(const TriedModel& t) {
  const ModelContext& c = t.example.context;
  if (c.spatial.empty()) throw CheckSkipped{"its example has no spatial sizes"};
  const Shape before = t.input(c, 2).shape();
  const auto attempt = [&](const ModelContext& other, std::int64_t divisor) {
    for (std::int64_t n : other.spatial)
      if (n < 1 || n % divisor != 0) return false;
    std::string sizes;
    for (std::int64_t n : other.spatial) sizes += (sizes.empty() ? "" : " x ") + std::to_string(n);
    runs_or_refuses([&] {
      const Tensor x = t.input(other, 2);
      if (x.shape() == before) throw CheckSkipped{"the inputs of its example have one size"};
      const nn::ModulePtr model = t.make(other);
      model->eval();
      const Tensor y = forward(*model, x);
      expect(y.shape() == t.output(other, 2), "a size of " + sizes + " gives " + y.str() + ", declared is " + t.output(other, 2).str());
    }, "a size of " + sizes);
    return true;
  };
  const std::int64_t divisor = std::max<std::int64_t>(t.make()->size_divisor(), 1);
  for (std::int64_t by : {1, -1, 3}) {
    ModelContext all = c;
    for (std::int64_t& n : all.spatial) n += by * divisor;
    attempt(all, divisor);
    if (c.spatial.size() == 1) continue;
    for (std::size_t axis = 0; axis < c.spatial.size(); ++axis) {
      ModelContext one = c;
      one.spatial[axis] += by * divisor;
      attempt(one, divisor);
    }
  }
}

void check_upper_bounds(const TriedModel& t, double seconds) {
  std::vector<const Param*> bounded;
  for (const Param& p : t.entry.params.params())
    if (p.high && (p.type == ParamType::integer || p.type == ParamType::real)) bounded.push_back(&p);
  if (bounded.empty()) throw CheckSkipped{"no parameter of it has an upper bound"};
  const double each = std::clamp(0.6 * seconds / double(bounded.size()), 0.1, 3.0);
  for (const Param* p : bounded) {
    const std::string what = "parameter '" + p->name + "' at its upper bound";
    const ChildEnd end = run_in_child([&]() -> std::string {
      set_thread_count(1);  // a thread that cannot be started is not the plugin's fault
      limit_memory();
      try {
        ParamValues all(t.entry.params);
        all.set(t.entry.params, p->name, upper_bound(*p), "check");
        t.entry.make(all, t.example.context);
      } catch (const Error& e) {
        if (e.kind() != ErrorKind::usage && e.kind() != ErrorKind::data && e.kind() != ErrorKind::device) return " ends in " + e.code() + ": " + e.message();
      } catch (const std::bad_alloc&) {
      } catch (const std::exception& e) {
        return std::string(" throws ") + e.what();
      }
      return "";
    }, each);
    if (end.how == ChildEnd::How::signalled) throw CheckFailed{what + " ends the process by " + end.signal_name()};
    if (end.how == ChildEnd::How::exited) throw CheckFailed{what + " leaves the process with status " + std::to_string(end.number)};
    expect(end.report.empty(), what + end.report);  // one that is only big may be late
  }
}

}  // namespace tenon::command
