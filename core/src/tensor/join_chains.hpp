/// Elementwise launches that stand side by side become chains (ops/chain.hpp; private).
#pragma once

#include "tensor/launch_places.hpp"

namespace tenon {

/// `outside`: storages that somebody besides the step's launches can see. Nothing is moved past anything.
void join_chains(Recorder& recording, const std::unordered_set<StorageId>& outside, const Roots& root, Device device);

}  // namespace tenon
