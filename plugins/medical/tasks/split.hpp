/// How a data set is divided: which cases train, which validate.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tenon/task.hpp"

namespace tenon::medical {

using Split = std::map<std::string, std::vector<std::string>>;  ///< "train", "validation"... -> case ids, in order

/// From a JSON file. With folds ("fold_0", "fold_1"...) `fold` validates and the others train, in the file's order of
/// folds; else its lists "train", "validation" and "test" are taken as they are. Throws data errors "medical.split", and the
/// usage error "medical.fold", its `where` the recipe's key, for a fold that is not there.
Split read_split(const std::filesystem::path& file, std::int64_t fold);
/// `count` folds of near-equal size, drawn from the sorted ids by a fixed seed: the same on every machine.
Split draw_split(std::vector<std::string> ids, std::int64_t fold, std::int64_t count);
/// Ids listed twice: within a part, and in two parts (leakage, unless allowed).
std::vector<Problem> split_problems(const Split& split, bool allow_leak);

}  // namespace tenon::medical
