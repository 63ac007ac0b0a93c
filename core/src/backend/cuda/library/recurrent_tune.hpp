/// Which way a recurrent layer is computed, chosen by measurement at its first use (private).
#pragma once

#include <memory>
#include <string>

#include "backend/cuda/library/cudnn_recurrent.hpp"

namespace tenon::cuda {

struct RecurrentChoice {
  std::shared_ptr<const CudnnRecurrentLayer> layer;  ///< null: the kernels of this library
  int algorithm = 0;
  double microseconds = 0;  ///< 0 where it was not measured in this process
  std::string why = {};     ///< of what was tried and is not to be used
};

/// As choice_for.
RecurrentChoice recurrent_choice(const RecurrentLayer& q);

/// The kernels of a layer, for the core.
LibraryLayer library_layer(const RecurrentLayer& q, const std::shared_ptr<const CudnnRecurrentLayer>& layer);

}  // namespace tenon::cuda
