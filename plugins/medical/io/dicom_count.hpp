/// What headers tell of slices that a folder lacks. Positions show a gap between two slices; one that is missing at either end
/// of the stack leaves none, nor do slices that are missing evenly, such as every second one.
#pragma once

#include <span>
#include <string>

#include "medical/io/dicom_slice.hpp"

namespace tenon::medical {

/// One line a finding, each after a line break; empty when nothing speaks against `slices`, all that a folder holds of one
/// series, being whole. Told are a hole in the instance numbers, and ImagesInAcquisition or NumberOfSlices above the
/// number of slices. Numbers that begin above 1 tell nothing: series are numbered on from a scout or another series.
std::string absent_slices(std::span<const DicomSlice> slices);

/// How far the slices of an even stack lie apart against what the headers say; both empty when nothing speaks against it.
struct DistanceFindings {
  std::string contradiction;  ///< SpacingBetweenSlices is clearly less: a line after a line break, as of absent_slices()
  std::string doubt;          ///< SliceThickness is clearly less, which true gaps explain as well: a warning
};
/// `step`: mm between slices along their normal, 0 where there is but one.
DistanceFindings judge_distance(std::span<const DicomSlice> slices, double step);

}  // namespace tenon::medical
