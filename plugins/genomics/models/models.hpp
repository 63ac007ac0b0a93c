/// The plugin's models as recipes name them.
#pragma once

#include "tenon/plugin.hpp"

namespace tenon::genomics {

/// Convolutions with pooling between them and a dense head (Kelley, Snoek and Rinn, Genome Research 2016).
ModelEntry basset_model();
/// A convolution over letters, then residual blocks of growing dilation (Kelley et al., Genome Research 2018).
ModelEntry dilated_model();

}  // namespace tenon::genomics
