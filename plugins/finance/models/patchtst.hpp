/// finance.patchtst: a transformer over patches of the window (Nie et al., ICLR 2023).
///
/// The normalised window, its last value repeated `stride` times, is cut into overlapping patches; each is embedded, a learned position
/// is added, and encoder layers follow. All patches' features together give all steps ahead by one linear map. Against the paper: layer
/// normalisation in place of batch normalisation, no residual attention scores, and instance normalisation without learned scale.
#pragma once

#include "tenon/plugin.hpp"

namespace tenon::finance {
ModelEntry patchtst_model();
}
