/// What a plan does to the launches of a recorded step before it lays out memory (private).
///
/// All of it keeps the bits of every result: launches are left out, done once or joined, never computed in another way.
#pragma once

#include <vector>

#include "tensor/recorder.hpp"

namespace tenon {

/// Takes from the recording
/// - launches whose results nobody reads: gradients of targets, a derivative's unused half;
/// - small elementwise results that come from constants alone: returned, in order, to be done once;
/// and joins neighbouring elementwise launches of one shape to chains, and small casts of what is older than the step (its weights) to one
/// launch where the first of them stood. `first` and `last` of the recording's buffers are made anew.
std::vector<Recorder::Launch> simplify(Recorder& recording);

}  // namespace tenon
