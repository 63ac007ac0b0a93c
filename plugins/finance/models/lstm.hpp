/// finance.lstm: a stack of LSTM layers (Hochreiter and Schmidhuber 1997) over the window; the last state gives all steps ahead.
#pragma once

#include "tenon/plugin.hpp"

namespace tenon::finance {
ModelEntry lstm_model();
}
