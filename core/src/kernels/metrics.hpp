/// What metrics count and add up, case by case; shared by every executor.
#pragma once

#include <cstdint>
#include <limits>

#include "kernels/types.hpp"

namespace tenon {

/// Why an element of a metric's operands is refused. A fault's position is element * kWhys + why, so that the first element is told, whatever the order in
/// which elements are looked at.
enum class Why : int { value, truth, weight, climatology, label, label_of_truth, binary, probability };
inline constexpr std::int64_t kWhys = 8;
TENON_HD inline std::int64_t refused_at(std::int64_t element, Why why) {
  return element * kWhys + std::int64_t(why);
}
/// Behind all elements: row r has weights of 0 alone.
inline constexpr std::int64_t kNoWeight = std::int64_t(1) << 62;

/// A NaN as a fault notes it.
inline constexpr std::int64_t kNaNBits = 0x7ff8000000000000;

// ---- labels --------------------------------------------------------------------------------------------------------

struct LabelPair {
  std::int64_t classes, ignored;
  bool ignores;
  static constexpr std::int64_t kLeftOut = -1, kPredicted = -2, kTruth = -3;
  /// The place in [classes, classes]; kLeftOut, or which of both is no class.
  TENON_HD std::int64_t cell(std::int64_t predicted, std::int64_t truth) const {
    if (ignores && truth == ignored) return kLeftOut;
    if (std::uint64_t(predicted) >= std::uint64_t(classes)) return kPredicted;
    if (std::uint64_t(truth) >= std::uint64_t(classes)) return kTruth;
    return truth * classes + predicted;
  }
};

// ---- numbers -------------------------------------------------------------------------------------------------------

/// Of w, w d, w |d|, w d^2, w a, w b, w a^2, w b^2, w a b with d = x - t, and a and b: x and t from their centres.
inline constexpr int kErrorSums = 9;

/// One element of a row, or several as a vector. A centre is what is taken from both x and truth (a climatology), or one of each (means).
template <class V>
struct ErrorElement {
  V x, truth, weight, x_centre, truth_centre;

  TENON_MATHS V term(int m) const {
    const V d = x - truth, a = x - x_centre, b = truth - truth_centre;
    switch (m) {
      case 0: return weight;
      case 1: return weight * d;
      case 2: return weight * (d < V{} ? -d : d);
      case 3: return weight * d * d;
      case 4: return weight * a;
      case 5: return weight * b;
      case 6: return weight * a * a;
      case 7: return weight * b * b;
      default: return weight * a * b;
    }
  }
  /// Numbers are finite, and the weight is not negative. Means are not looked at: where one is not finite, an element was refused before.
  TENON_MATHS auto is_taken(bool climatology) const {
    const V nothing = (x - x) + (truth - truth) + (weight - weight) + (climatology ? x_centre - x_centre : V{});
    return (nothing == V{}) & (weight >= V{});
  }
};
/// Which of its numbers is to blame where an element is not taken.
TENON_HD inline Why why_refused(const ErrorElement<double>& e) {
  if (e.x - e.x != 0) return Why::value;
  if (e.truth - e.truth != 0) return Why::truth;
  return e.weight - e.weight != 0 || e.weight < 0 ? Why::weight : Why::climatology;
}
TENON_HD inline double blamed(const ErrorElement<double>& e) {
  const Why w = why_refused(e);
  return w == Why::value ? e.x : w == Why::truth ? e.truth : w == Why::weight ? e.weight : e.x_centre;
}

// ---- scores of a yes or no -------------------------------------------------------------------------------------------

TENON_HD inline bool is_taken(double score, bool probability) {
  return score - score == 0 && (!probability || (score >= 0 && score <= 1));
}
/// Of an element whose score, or else whose truth, is not taken.
TENON_HD inline Why why_refused(double score, bool probability) {
  return score - score != 0 ? Why::value : !is_taken(score, probability) ? Why::probability : Why::binary;
}

// From high to low:

/// The end of the run of equal scores that starts at `begin`, found in steps that double.
template <class T>
TENON_HD std::int64_t run_end(const T* sorted, std::int64_t begin, std::int64_t n) {
  const Acc<T> own = Acc<T>(sorted[begin]);
  std::int64_t equal = begin, step = 1;
  while (equal + step < n && Acc<T>(sorted[equal + step]) == own) {
    equal += step;
    step *= 2;
  }
  std::int64_t past = equal + step < n ? equal + step : n;
  while (past - equal > 1) {
    const std::int64_t middle = equal + (past - equal) / 2;
    (Acc<T>(sorted[middle]) == own ? equal : past) = middle;
  }
  return past;
}

/// A run of equal scores [begin, end) of a row, and the hits up to its bounds and in all.
struct ScoreRun {
  std::int64_t begin, end, hits_before, hits, positives, n;

  /// Twice the pairs of a positive here and a negative below, ties by half. A row's sum is less than 2^63 for n < 2^32.
  TENON_HD std::uint64_t pairs() const {
    const std::int64_t here = hits - hits_before, tied = end - begin - here, below = n - positives - (end - hits);
    return std::uint64_t(here) * std::uint64_t(2 * below + tied);
  }
  /// The step in recall times the precision.
  TENON_HD double precision() const {
    return positives ? double(hits - hits_before) / double(positives) * (double(hits) / double(end)) : 0;
  }
};

/// Of a row's sum of pairs or of precisions; NaN where one class, or that of yes, is absent.
TENON_HD inline double ranked_value(std::uint64_t pairs, std::int64_t positives, std::int64_t n) {
  if (positives == 0 || positives == n) return std::numeric_limits<double>::quiet_NaN();
  return double(pairs) / (2 * double(positives) * double(n - positives));
}
TENON_HD inline double ranked_value(double precision, std::int64_t positives, std::int64_t) {
  return positives ? precision : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace tenon
