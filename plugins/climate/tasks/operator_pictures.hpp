/// The operator task's pictures: input, truth, prediction and error of the samples that are worst.
#pragma once

#include <vector>

#include "climate/tasks/operator_data.hpp"
#include "tenon/task.hpp"

namespace tenon::climate {

/// Pictures `count` cases of `result`, worst in the last set (the finest grid) first, in that set. `guesses`: one f32 [N, rows, columns, 1] a set.
void picture_pairs(Evaluation& result, const std::vector<FieldPairs>& sets, const std::vector<Tensor>& guesses, int count);

}  // namespace tenon::climate
