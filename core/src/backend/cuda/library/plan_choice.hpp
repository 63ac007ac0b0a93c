/// Choices between cuDNN's plans and the kernels of this library: made by measurement at first use, remembered, and told (private).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend/cuda/library/cudnn_graph.hpp"
#include "backend/cuda/library/plan_memory.hpp"
#include "tenon/error.hpp"

namespace tenon::cuda {

/// A choice lives as long as the process, and so does the plan in it.
struct PlanChoice {
  std::shared_ptr<const CudnnGraph> graph;  ///< null: the kernels of this library
  CudnnPlan plan;
  double microseconds = 0;  ///< 0 where it was not measured in this process
};

/// Held while a choice is made: by choice_for, around the functions below.
std::mutex& choosing();

/// What is searched for the best plan, and how long.
struct PlanBounds {
  int candidates = 6;          ///< of a graph
  double graph_seconds = 0.5;  ///< then no more candidates of a graph
  double all_seconds = 60;     ///< of this process; then only the first of each graph
  /// A recurrent layer is asked about from so many multiplications of its states by weights on: below, a kernel of ours for the whole sequence is hardly beaten.
  double recurrent_products = 1e8;
};
PlanBounds& plan_bounds();  ///< to be changed by tests alone

/// Counts the time in which one lives among that of this process' trials.
class TrialTime {
 public:
  TrialTime();
  ~TrialTime();
  TrialTime(const TrialTime&) = delete;
  TrialTime& operator=(const TrialTime&) = delete;
  static bool is_up();  ///< with what finished trials took

 private:
  double began_;
};

/// Times the plans of one graph, the heuristics' best first, within these bounds; `microseconds` gives a negative number where a plan fails.
/// No graph where there is none or none of its plans works.
PlanChoice fastest_plan(const std::function<std::shared_ptr<CudnnGraph>()>& make,
                        const std::function<double(const PlanChoice&)>& microseconds);

/// The plan of that name (CudnnGraph::name), built. No graph where it is not there any more, or has no name.
PlanChoice plan_named(const std::shared_ptr<CudnnGraph>& graph, const std::string& name);

/// "cuDNN ENGINE: 12.3 us, workspace 0.1 MiB (own kernels 20.0 us)", or "own kernels: 20.0 us"; times where they are known (`own` > 0).
std::string told(const PlanChoice& choice, std::size_t workspace, double own);
/// `text` with ": 12.3 us (own kernels 20.0 us)" behind it: what was chosen and, `by_name`, what was not; each where it is known (> 0).
std::string with_times(std::string text, double chosen, double other, const char* by_name);
/// Adds a line to what choices_made (install.hpp) gives.
void tell(const std::string& line);

/// What was chosen on this device with this version of cuDNN.
PlanMemory& plan_memory();

/// False while a CUDA graph is captured, when nothing may be measured.
bool may_measure();
/// After an error of a trial that leaves the device as it was.
void forget_error();

/// The choice for a question. A Question is ordered and has
///   std::string key() const                              everything that the choice depends on, in one line
///   bool recall(const std::string& text, Choice&) const  the choice that `written` wrote in another process; false where it cannot be had
///   Choice measure(double& own) const                    throws an Error where there is no memory for a trial; `own`: microseconds, if measured
///   std::string written(const Choice&) const
///   std::string explain(const Choice&, double own) const
/// While a CUDA graph is captured it is this library's kernels, and nothing is remembered.
template <class Choice, class Question>
Choice choice_for(const Question& q) {
  static auto& made = *new std::map<Question, Choice>;  // never destroyed: its plans belong to a library that may be gone by then
  std::lock_guard lock(choosing());
  if (auto found = made.find(q); found != made.end()) return found->second;
  if (!may_measure()) return {};
  Choice choice;
  double own = 0;
  try {
    const std::string key = q.key(), known = plan_memory().find(key);
    if (known.empty() || !q.recall(known, choice)) {
      choice = q.measure(own);
      plan_memory().keep(key, q.written(choice));
    }
  } catch (const Error& e) {  // no memory for a trial: the kernels here need none
    if (e.kind() != ErrorKind::device) throw;  // another op's, told late
    forget_error();
    choice = {};
  }
  tell(q.explain(choice, own));
  made.emplace(q, choice);
  return choice;
}

}  // namespace tenon::cuda
