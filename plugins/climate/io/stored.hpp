/// What a labelled array remembers of its file beyond values and attributes: types as stored, and how its auxiliary arrays belong to it.
///
/// These are marks among the attributes, under names that begin with kMark. Readers set them, the writer heeds them and writes none:
///   kStoredType         type of the variable ("float32", "char"), of an axis or an auxiliary array: kept where it holds the values exactly
///   kStoredType ATTR    type of the numbers of the attribute ATTR
///   kUnlimited          of an axis: its dimension may grow
///   kBoundsType         type of the bounds of an axis
///   kBounds ATTR        an attribute of the bounds of an axis
///   kLink               why an auxiliary array is there: "coordinates", "grid_mapping", "ancillary_variables", "cell_measures: area", "bounds",
///                       "formula_terms"; none: "grid_mapping" where it has a grid_mapping_name, else "coordinates"
/// Pure functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "climate/io/netcdf_file.hpp"
#include "tenon/labelled.hpp"

namespace tenon::climate {

inline constexpr std::string_view kMark = "tenon:";
inline const std::string kStoredType = "tenon:type", kBoundsType = "tenon:bounds type", kBounds = "tenon:bounds:", kLink = "tenon:link", kUnlimited = "tenon:unlimited";

using Texts = std::map<std::string, std::string>;
using Numbers = std::map<std::string, std::vector<double>>;

/// The text of that name; empty where there is none.
std::string text_of(const Texts& attributes, const std::string& name);
std::string link_of(const LabelledArray& auxiliary);

/// One attribute, with its type where a writer would guess another.
void keep_attribute(const Attribute& a, Texts& texts, Numbers& numbers);
/// "int32" and so on; nothing for anything else.
std::optional<NcType> type_from_name(std::string_view name) noexcept;
/// The type of an attribute's numbers: as stored, else int32 where all are whole, else float64.
NcType type_of_numbers(const Texts& attributes, const std::string& name, const std::vector<double>& values);
/// Does the type hold the number as it is? NaN: floats alone.
bool holds(NcType type, double value) noexcept;
/// Has a classic file (CDF-2) the type?
bool is_classic(NcType type) noexcept;

/// Rows of characters, [..., length], as texts without the NULs and blanks at their ends.
std::vector<std::string> texts_of_rows(const Tensor& characters);

}  // namespace tenon::climate
