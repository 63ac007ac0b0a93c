/// What two resolved recipes differ in: how a resumed run knows that its recipe was changed (private).
#pragma once

#include <string>
#include <vector>

namespace tenon {

/// One line a key, "train.steps: 2000 -> 3000", in the order of `after`; remarks about defaults do not count.
std::vector<std::string> recipe_changes(const std::string& before, const std::string& after);

}  // namespace tenon
