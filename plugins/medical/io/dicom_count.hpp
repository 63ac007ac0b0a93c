/// What headers tell of slices that a folder lacks. Positions show a gap between two slices; one that is missing at either end
/// of the stack leaves none.
#pragma once

#include <span>
#include <string>

#include "medical/io/dicom_slice.hpp"

namespace tenon::medical {

/// One line a finding, each after a line break; empty when nothing speaks against `slices`, all that a folder holds of one
/// series, being whole. Told are a hole in the instance numbers, and ImagesInAcquisition or NumberOfSlices above the
/// number of slices. Numbers that begin above 1 tell nothing: series are numbered on from a scout or another series.
std::string absent_slices(std::span<const DicomSlice> slices);

}  // namespace tenon::medical
