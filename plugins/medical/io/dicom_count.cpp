#include "medical/io/dicom_count.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace tenon::medical {
namespace {

/// The one whole number of a decimal string; `absent` for anything else.
std::int64_t whole_number(const DicomSlice& s, DicomTag tag, std::int64_t absent) {
  auto v = s.file.decimals(tag);
  return v.size() == 1 && v[0] == std::floor(v[0]) && std::abs(v[0]) <= 2147483647.0 ? std::int64_t(v[0]) : absent;
}

/// Each slice's InstanceNumber with its AcquisitionNumber; nothing when a slice has no such number.
std::map<std::int64_t, std::int64_t> instance_numbers(std::span<const DicomSlice> slices) {
  constexpr std::int64_t kNone = INT64_MIN;
  std::map<std::int64_t, std::int64_t> numbers;
  for (const auto& s : slices) numbers.emplace(whole_number(s, 0x00200013, kNone), whole_number(s, 0x00200012, 0));
  if (numbers.contains(kNone)) numbers.clear();
  return numbers;
}

/// Numbers that are left out: "3, 8 to 10". No holes are every second number (the other echo went to another folder), a jump
/// from one acquisition to the next, and numbering that leaves out more than it holds, which does not count slices.
std::string holes(const std::map<std::int64_t, std::int64_t>& numbers) {
  std::vector<std::pair<std::int64_t, std::int64_t>> gaps;  // number before, numbers to the next
  for (auto a = numbers.begin(), b = a; b != numbers.end() && ++b != numbers.end(); ++a) {
    if (a->second == b->second) gaps.emplace_back(a->first, b->first - a->first);
  }
  std::int64_t step = INT64_MAX, absent = 0;
  for (auto [before, gap] : gaps) step = std::min(step, gap);
  std::string list;
  for (auto [before, gap] : gaps) {
    if (gap % step != 0) return {};
    if (gap == step) continue;
    absent += gap / step - 1;
    list += (list.empty() ? "" : ", ") + (gap == 2 * step ? fmt::format("{}", before + step) : fmt::format("{} to {}", before + step, before + gap - step));
  }
  return absent < std::int64_t(numbers.size()) ? list : std::string();
}

/// Least difference of two instance numbers; 0 where the slices are not numbered.
std::int64_t number_step(const std::map<std::int64_t, std::int64_t>& numbers) {
  std::int64_t step = 0;
  for (auto a = numbers.begin(), b = a; b != numbers.end() && ++b != numbers.end(); ++a)
    step = step == 0 ? b->first - a->first : std::min(step, b->first - a->first);
  return step;
}

/// The largest length that the slices give, in mm; 0 where none gives one.
double length(std::span<const DicomSlice> slices, DicomTag tag) {
  double most = 0;
  for (const auto& s : slices)
    if (const auto v = s.file.decimals(tag); v.size() == 1 && std::isfinite(v[0])) most = std::max(most, std::abs(v[0]));  // NM: signed
  return most;
}

/// Images that the scanner counts of one stack, the largest of what the slices say; 0 where none does.
std::int64_t images_in_acquisition(std::span<const DicomSlice> slices) {
  std::int64_t most = 0;
  for (const auto& s : slices) {
    // An acquisition of several times holds as many stacks, and a stack that can be read is one of them.
    if (whole_number(s, 0x00200105, 1) > 1) return 0;
    most = std::max(most, whole_number(s, 0x00201002, 0));
  }
  return most;
}

std::int64_t number_of_slices(std::span<const DicomSlice> slices) {
  std::int64_t most = 0;
  for (const auto& s : slices) most = std::max(most, std::int64_t(s.file.number(0x00540081).value_or(0)));
  return most;
}

}  // namespace

std::string absent_slices(std::span<const DicomSlice> slices) {
  std::string text;
  auto numbers = instance_numbers(slices);
  if (auto list = holes(numbers); !list.empty()) {
    text += fmt::format("\n  instance numbers run from {} to {} without {}", numbers.begin()->first, numbers.rbegin()->first, list);
  }
  auto compare = [&](const char* name, std::int64_t said) {
    if (said > std::int64_t(slices.size())) text += fmt::format("\n  {} is {}, here are {}", name, said, slices.size());
  };
  compare("ImagesInAcquisition", images_in_acquisition(slices));
  compare("NumberOfSlices", number_of_slices(slices));
  return text;
}

DistanceFindings judge_distance(std::span<const DicomSlice> slices, double step) {
  constexpr double kFar = 1.5;       // without every second slice it is 2
  constexpr double kRounding = 0.1;  // share by which two lengths that should agree may differ
  const double between = length(slices, 0x00180088), thickness = length(slices, 0x00180050);
  if (between > 0) {
    if (step <= kFar * between) return {};
    // Some scanners write the gap that is left between two slices in place of the distance of their centres.
    const bool is_gap = between < (1 - kRounding) * thickness && std::abs(step - between - thickness) <= kRounding * step;
    if (!is_gap) return {fmt::format("\n  the slices lie {:.4g} mm apart, SpacingBetweenSlices is {:.4g} mm", step, between), {}};
  }
  if (thickness == 0 || step <= kFar * thickness) return {};
  const std::int64_t by = number_step(instance_numbers(slices));
  const std::string numbered = by > 1 ? fmt::format(" (the instance numbers go up by {})", by) : std::string();
  return {{},
          fmt::format("the slices lie {:.4g} mm apart and are {:.4g} mm thick: either the scan has gaps, or slices are missing evenly{}",
                      step, thickness, numbered)};
}

}  // namespace tenon::medical
