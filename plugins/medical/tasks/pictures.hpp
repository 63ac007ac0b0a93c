/// Overlay pictures of one case: axial, coronal and sagittal plane, each with truth, prediction and their difference.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "medical/image/volume.hpp"
#include "tenon/task.hpp"

namespace tenon::medical {

/// Colours by label value, chosen to stay apart for colour-blind eyes (Okabe and Ito); the background has none.
std::array<std::uint8_t, 3> label_colour(int label);
/// The labels' colours by name, background left out, and those of the difference.
std::vector<ColourKey> picture_key(const std::vector<std::string>& label_names);

/// One RGB picture of three rows (planes) and three columns: scan with truth, scan with prediction, difference (agreement,
/// missed, added). Planes go through the slice with most disagreement, or the truth's centre where there is none;
/// they are shown in the radiological orientation (patient's right on the left) with square millimetres. All [z, y, x].
Picture picture_case(const Tensor& image, const Tensor& truth, const Tensor& prediction, const Geometry& geometry,
                     const std::string& caption);

}  // namespace tenon::medical
