/// Whether our own transform runs on tensor cores, chosen by measurement at its first use (private).
#pragma once

#include "backend/fft_geometry.hpp"

namespace tenon::cuda {

/// False where tensor cores cannot take it, where there is little to gain, where they give something else than plain arithmetic, and while nothing may be
/// measured (choice_for).
bool tensor_cores_are_faster(const FftGeometry& g);

}  // namespace tenon::cuda
