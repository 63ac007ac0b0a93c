#include "plugin_check/runner.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "plugin_check/captured_output.hpp"
#include "tenon/child_process.hpp"
#include "tenon/error.hpp"
#include "tenon/surroundings.hpp"

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

/// The length of what is left, a colon, what is left, and the outcome.
std::string report_of(const NamedCheck& check) {
  std::string left;
  std::string outcome = "p";
  if (check.before) outcome = outcome_of(check.before);
  if (outcome == "p" && check.before) {
    const CapturedOutput output;
    const Surroundings before;
    outcome = outcome_of(check.run);
    left = joined(changes(before, settled(before), check.may_leave));
    if (const std::string said = output.text(); !said.empty()) left += (left.empty() ? "" : "; ") + ("it prints: " + said);
    left.resize(std::min<std::size_t>(left.size(), 1000));
  } else if (outcome == "p") {
    outcome = outcome_of(check.run);
  }
  return std::to_string(left.size()) + ":" + left + outcome;
}

}  // namespace

CheckOutcome run_check(const NamedCheck& check, double limit) {
  const ChildEnd end = run_in_child([&] { return report_of(check); }, limit);
  const auto failed = [&](std::string text) { return CheckOutcome{CheckOutcome::State::failed, std::move(text), end.seconds}; };
  switch (end.how) {
    case ChildEnd::How::no_process: return failed(std::string("no process: ") + std::strerror(end.number));
    case ChildEnd::How::late:
      if (!check.late.empty()) return {CheckOutcome::State::skipped, check.late, end.seconds};
      return failed("not done after " + std::to_string(int(limit)) + " s");
    case ChildEnd::How::signalled: return failed("the process was ended by " + end.signal_name());
    case ChildEnd::How::exited: return failed("the process left with status " + std::to_string(end.number) + " before the check was done");
    case ChildEnd::How::returned: break;
  }
  if (end.left_processes) return failed("a process is left behind");
  const std::size_t colon = std::min(end.report.find(':'), end.report.size());
  const std::size_t left = std::size_t(std::atoll(end.report.substr(0, colon).c_str()));
  if (end.report.size() < colon + 1 + left + 1) return failed("the check gave no result");
  const char state = end.report[colon + 1 + left];
  return {state == 'p' ? CheckOutcome::State::passed : state == 's' ? CheckOutcome::State::skipped : CheckOutcome::State::failed, end.report.substr(colon + 2 + left), end.seconds,
          end.report.substr(colon + 1, left)};
}

}  // namespace tenon::command
