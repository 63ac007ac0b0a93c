/// Whole recurrent layers by a library of the device's, beside our kernels for one step or one sequence (private).
///
/// Such a layer has the input's share within it, keeps on the way forward what it likes, and gives all gradients at once. Whether one is used is
/// measured in a trial.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tenon/kernel.hpp"

namespace tenon {

/// One direction, from the first step to the last, all samples of the same length.
struct RecurrentLayer {
  DType dtype = DType::f32;  ///< of x, states and their gradients: f32, bf16 or f16; weights and their gradients are f32
  std::int64_t steps = 0, batch = 0, features = 0, hidden = 0;
  int gates = 4;          ///< 4: LSTM; 3: GRU
  bool training = false;  ///< a gradient is wanted
  auto operator<=>(const RecurrentLayer&) const = default;
};

/// Reads and writes are dense and lie on 16 bytes; spaces are bytes, and of those of size 0 there is none. G is `gates`; cells are the LSTM's.
struct LibraryLayer {
  /// x [T, N, F], w_ih [G H, F], w_hh [G H, H], b_ih, b_hh [G H], h_0, (c_0) [N, H] -> y [T, N, H], h_T, (c_T), weights, workspace, kept
  Kernel forward;
  /// x, y, h_0, (c_0), weights, d_y, d_h_T, (d_c_T) -> d_x, d_w_ih, d_w_hh, d_b_ih, d_b_hh, d_h_0, (d_c_0), d_weights, workspace, kept (read and
  /// overwritten)
  Kernel gradient;
  std::size_t weights = 0, workspace = 0, kept = 0;
};

/// A layer on noise, forward and, for training, backward, recorded and replayed as a training's step is. For one thread that has done no other work.
class RecurrentTrial {
 public:
  virtual ~RecurrentTrial() = default;
  /// Enqueues one run of the layer by our own kernels.
  virtual void run_own() = 0;
  /// Why a layer is not to be used: it gives something else than our own kernels, or other bits in another run, or cannot be captured where they
  /// can. Empty: it can be used, and run_library enqueues one run of it. Throws what the layer throws.
  virtual std::string refusal(const LibraryLayer& layer) = 0;
  virtual void run_library() = 0;
};
TENON_API std::unique_ptr<RecurrentTrial> make_recurrent_trial(Device device, const RecurrentLayer& layer, bool tf32);

/// The library's layer where it is to be used.
using ChooseLibraryLayer = std::function<std::optional<LibraryLayer>(const RecurrentLayer&)>;
TENON_API void set_library_layer(DeviceType type, ChooseLibraryLayer choose);

/// A layer as lstm and gru are given it, checked: x [N, T, F], weights in any floating type, biases perhaps undefined.
struct LayerOperands {
  Tensor x, w_ih, w_hh, b_ih, b_hh;
  std::vector<Tensor> states;  ///< [N, H] or undefined: h_0, and of an LSTM c_0
  bool reverse = false;
};
/// y [N, T, H] and last states, in x's type. `lengths` may be undefined.
std::vector<Tensor> layer_by_own_kernels(const LayerOperands& operands, const Tensor& lengths);
/// The same by a library; empty where none is to be used.
std::vector<Tensor> layer_by_library(const char* op, const LayerOperands& operands);
std::vector<Tensor> run_library_layer(const char* op, const LibraryLayer& layer, const RecurrentLayer& sizes, const LayerOperands& operands);

}  // namespace tenon
