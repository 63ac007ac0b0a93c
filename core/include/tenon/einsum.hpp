/// Sums of products, written with a letter an axis (Einstein's convention).
#pragma once

#include <string_view>
#include <vector>

#include "tenon/tensor.hpp"

namespace tenon {

/// einsum("bik,bkj->bij", {a, b}): every letter is an index; the result is the sum, over all letters that are not behind the arrow, of the
/// products of the operands. Letters a-z and A-Z; blanks are ignored; "..." stands for any leading, middle or trailing axes, which
/// broadcast; a letter twice in one operand takes its diagonal. Without an arrow the result has the "..." and then the letters that stand
/// once, in alphabetical order. All operands floating or complex, of one type; f16 and bf16 are summed in f32, and each contraction rounds once.
///
/// Operands are contracted two at a time, in the order with the fewest multiplications (searched up to five operands, greedy beyond). Each
/// contraction is one batched matrix product; where the batch is the innermost axis of both operands, a product of its own that
/// needs no rearrangement. Differentiable, twice too. Errors name the letter and its sizes.
TENON_API Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands);

}  // namespace tenon
