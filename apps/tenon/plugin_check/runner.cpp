#include "plugin_check/runner.hpp"

#include <cstring>

#include "tenon/child_process.hpp"
#include "tenon/error.hpp"

namespace tenon::command {
namespace {

/// 'p', 'f' or 's', then why.
std::string outcome_of(const std::function<void()>& body) {
  try {
    body();
    return "p";
  } catch (const CheckFailed& e) {
    return "f" + e.text;
  } catch (const CheckSkipped& e) {
    return "s" + e.text;
  } catch (const Error& e) {
    return "f" + e.code() + ": " + e.message() + (e.where().empty() ? "" : " (" + e.where() + ")");
  } catch (const std::exception& e) {
    return std::string("fit threw ") + e.what();
  } catch (...) {
    return "fit threw something that is no exception of the standard library";
  }
}

}  // namespace

CheckOutcome run_check(const std::function<void()>& body, double limit) {
  const ChildEnd end = run_in_child([&] { return outcome_of(body); }, limit);
  const auto failed = [&](std::string text) { return CheckOutcome{CheckOutcome::State::failed, std::move(text), end.seconds}; };
  switch (end.how) {
    case ChildEnd::How::no_process: return failed(std::string("no process: ") + std::strerror(end.number));
    case ChildEnd::How::late: return failed("not done after " + std::to_string(int(limit)) + " s");
    case ChildEnd::How::signalled: return failed("the process was ended by " + end.signal_name());
    case ChildEnd::How::exited: return failed("the process left with status " + std::to_string(end.number) + " before the check was done");
    case ChildEnd::How::returned: break;
  }
  if (end.left_processes) return failed("a process is left behind");
  const char state = end.report.empty() ? 'f' : end.report[0];
  return {state == 'p' ? CheckOutcome::State::passed : state == 's' ? CheckOutcome::State::skipped : CheckOutcome::State::failed, end.report.substr(end.report.empty() ? 0 : 1), end.seconds};
}

}  // namespace tenon::command
