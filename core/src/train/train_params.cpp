#include "tenon/run.hpp"

namespace tenon {

const ParamSpec& train_params() {
  static const ParamSpec spec{
      integer_param("steps", 0, "optimiser steps of the run; 0: by `epochs` or `minutes`", 0),
      real_param("epochs", 0, "length in passes over the training samples; used when steps is 0; 0: by `minutes`", 0),
      real_param("minutes", 0, "time budget from start to last step, loading and validation included; used when steps and epochs are 0", 0, 525600, "min"),
      integer_param("batch", 2, "samples a pass", 1, 65536),
      integer_param("accumulate", 1, "passes a step: gradients of so many batches are averaged, in the memory of one", 1, 65536),
      text_param("precision", "auto", "type of activations; auto: bf16 where the processor multiplies it natively and the model computes in it, else f32; tf32: f32, whose products a GPU may round to TF32", {"auto", "f32", "tf32", "bf16", "f16"}),
      real_param("loss_scale", 65536, "f16: factor of the loss at the start; halved when gradients overflow", 1e-6, 1e30),
      integer_param("loss_scale_interval", 2000, "f16: good steps in a row after which the factor is doubled", 1),
      integer_param("validate_every", 0, "validate every so many steps; 0: only at the end", 0),
      integer_param("patience", 0, "stop after so many validations in a row without a better one; 0: never", 0),
      real_param("min_delta", 0, "by how much a validation must be better to count, for patience", 0),
      text_param("stop_metric", "", "column of the evaluation that patience looks at, by its mean; empty: the task's score"),
      integer_param("checkpoint_every", 500, "save a checkpoint every so many steps; the end and an interrupt always save", 1),
      integer_param("log_every", 10, "steps a line of metrics.jsonl", 1),
      boolean_param("tensorboard", false, "write the curves for TensorBoard too, into tensorboard/ of the run"),
      integer_param("loader_threads", 0, "threads that prepare batches; 0: one where the CPU trains, all cores but one beside a GPU", 0, 64),
      integer_param("prefetch", 4, "batches prepared ahead; at least two a loader thread beside a GPU", 1, 1024),
      boolean_param("evaluate", true, "score the validation split at the end"),
      integer_param("pictures", 6, "cases pictured in the final evaluation, worst first", 0, 1000),
      real_param("average", 0, "score an exponential average of the weights over the last such share of the run; 0: the weights themselves", 0, 1),
      texts_param("require", {}, "figures demanded at the end, e.g. \"Dice anterior >= 0.85\"; exit status 7 when one is missed"),
  };
  return spec;
}

}  // namespace tenon
