/// What tests ask of the stand-in for cuDNN's recurrent layers.
#pragma once

#include <map>
#include <vector>

namespace tenon::cuda::on_cpu {

/// What a layer does that it should not.
enum class LayerDeed { none, wrong, in_tf32, other_bits_each_run, refused_forward, refused_gradient, refused_weights, waits_for_device };

struct StandInLayer {
  LayerDeed deed = LayerDeed::none;
  double microseconds = 10;  ///< of each of the three calls, by the clock of device_clock.hpp
  int output = 0;            ///< to which of y, h_T, c_T, d_x, d_h_0, d_c_0, d_weights the deed is done
};

struct RecurrentLayers {
  /// By cudnnRNNAlgo_t, what there is of layers; empty: cuDNN is not there. For others cuDNN says that they are not supported.
  std::map<int, StandInLayer> algorithms;
  bool weights_turned = false;  ///< matrices are told to lie column by column
  int forward = 0, gradient = 0;  ///< calls that ran
  int descriptors = 0;            ///< that were made and not given back
};
RecurrentLayers& recurrent_layers();

}  // namespace tenon::cuda::on_cpu
