#include "tenon/run.hpp"

namespace tenon {

const ParamSpec& train_params() {
  static const ParamSpec spec{
      integer_param("steps", 0, "optimiser steps of the run; 0: as many as `minutes` allow", 0),
      real_param("minutes", 0, "time budget from start to last step, loading and validation included; used when steps is 0", 0, {}, "min"),
      integer_param("batch", 2, "samples a step", 1, 65536),
      text_param("precision", "auto", "type of activations; auto: bf16 where the processor multiplies it natively, else f32", {"auto", "f32", "bf16"}),
      integer_param("validate_every", 0, "validate every so many steps; 0: only at the end", 0),
      integer_param("checkpoint_every", 500, "save a checkpoint every so many steps; the end and an interrupt always save", 1),
      integer_param("log_every", 10, "steps a line of metrics.jsonl", 1),
      integer_param("loader_threads", 1, "threads that prepare batches", 1, 64),
      integer_param("prefetch", 4, "batches prepared ahead", 1, 1024),
      boolean_param("evaluate", true, "score the validation split at the end"),
      integer_param("pictures", 6, "cases pictured in the final evaluation, worst first", 0, 1000),
      real_param("average", 0, "score an exponential average of the weights over the last such share of the run; 0: the weights themselves", 0, 1),
      texts_param("require", {}, "figures demanded at the end, e.g. \"Dice anterior >= 0.85\"; exit status 7 when one is missed"),
  };
  return spec;
}

}  // namespace tenon
