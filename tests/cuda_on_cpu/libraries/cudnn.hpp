/// A stand-in for cuDNN, by plain loops: it is there while a test has said what plans it has.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "backend/cuda/library/cudnn_graph.hpp"

namespace tenon::cuda::on_cpu {

/// What a plan does that it should not.
enum class Deed {
  none,
  wrong,
  in_tf32,              ///< of a convolution
  variance_of_squares,  ///< of a norm: their mean less the square of the mean, in f32
  places_unwritten,
  wants_zeros,  ///< wrong, unless its workspace holds zeros when it starts
  unbuildable,
  refused,
  past_workspace
};

struct StandInPlan {
  std::string name = "stand-in";
  Deed deed = Deed::none;
  double microseconds = 10;      ///< that a run takes by the clock of device_clock.hpp
  std::size_t workspace = 4096;  ///< spoilt from end to end by each run
  std::size_t output = 0;        ///< which result the deed is done to
};

/// The plans of a graph, in the order of the heuristics; none: there is no graph.
template <class Question>
using Plans = std::function<std::vector<StandInPlan>(const Question&)>;

/// Where it has none of the three it is not there.
struct Cudnn {
  Plans<CudnnConvolution> convolutions;
  Plans<CudnnAttention> attentions;
  Plans<CudnnRowNorm> norms;
  bool refuses = false;          ///< to run any plan from now on
  std::vector<std::string> ran;  ///< names of plans, one a run
  int built = 0;                 ///< plans that were built and not dropped
};
Cudnn& cudnn();

}  // namespace tenon::cuda::on_cpu
