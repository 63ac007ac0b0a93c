/// What one pass over a data set's files found: made by the check, used up by loading. Internal to Dataset.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "medical/tasks/dataset.hpp"

namespace tenon::medical {

/// What one case turned out to be.
struct Dataset::Facts {
  CaseFiles files;
  std::vector<Problem> problems;
  std::vector<std::string> warnings;  ///< one a file
  bool placed = false;  ///< geometry is known
  Geometry geometry;
  std::string digest;  ///< of the first channel's size and voxels
  std::set<int> label_values;
  std::vector<Tensor> images;  ///< raw, a channel each; only where asked for
  Tensor label;
};

struct Dataset::Pass {
  bool keep = false;  ///< to load: voxels are kept
  /// What of the set is there: cases are not blamed one by one for a folder or a split that is not.
  bool images = true, labels = true, divided = true;
  Split split;
  std::vector<Problem> problems;                    ///< of the split itself and between cases
  std::map<std::string, std::vector<Facts>> parts;  ///< as in the split
  std::vector<Facts> strays;                        ///< in the folders, in no part
  std::vector<Problem> all() const {
    std::vector<Problem> list = problems;
    for (const auto& [name, facts] : parts)
      for (const auto& f : facts) list.insert(list.end(), f.problems.begin(), f.problems.end());
    for (const auto& f : strays) list.insert(list.end(), f.problems.begin(), f.problems.end());
    return list;
  }
};

}  // namespace tenon::medical
