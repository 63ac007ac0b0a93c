/// What belongs to a variable without being data of its own: the variables that its attributes, and those of its axes, name.
///
/// Scalar and two-dimensional coordinates, numbers or texts, with their bounds; grid mappings; cell measures; ancillary variables; terms of the formulas of
/// vertical axes. Each becomes an auxiliary array with its link (stored.hpp). Used by dataset.cpp.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "climate/io/dataset.hpp"

namespace tenon::climate {

/// Reads them into `out.auxiliary`; `out` has its axes. Names of variables that are not in the file stay in the attributes as they are.
void read_auxiliary(const NetcdfFile& file, const Variable& v, LabelledArray& out, const ReadOptions& options, const std::function<void(const std::string&)>& note);
/// Variables that an attribute names: "coordinates", "grid_mapping" (both its forms), "cell_measures", "formula_terms", ...
std::vector<std::string> linked_names(const std::string& attribute, const std::string& text);

// ---- of dataset.cpp ----
/// Values, attributes and axes of a variable of numbers, without what belongs to it.
LabelledArray read_plain(const NetcdfFile& file, const Variable& v, const ReadOptions& options, const std::function<void(const std::string&)>& note);
/// Attributes but those that say how values are stored.
void copy_attributes(const std::vector<Attribute>& from, std::map<std::string, std::string>& texts, std::map<std::string, std::vector<double>>& numbers);

}  // namespace tenon::climate
