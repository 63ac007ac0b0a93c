/// The errors of linear algebra's kernels, the same from every device (private).
#pragma once

#include <string>

#include "ops/linalg_kernels.hpp"
#include "tenon/error.hpp"

namespace tenon::linalg {

[[noreturn]] inline void refuse(const char* op, const char* code, std::int64_t i, std::int64_t count, const std::string& what,
                                const char* hint) {
  throw Error(ErrorKind::data, code, std::string(op) + ": matrix " + std::to_string(i) + " of " + std::to_string(count) + " " + what, hint);
}

[[noreturn]] inline void refuse_iteration(const Matrices& p, std::int64_t i) {
  refuse(p.op, "linalg.not_converged", i, p.count, "did not converge", "look for NaN and infinities in it with is_finite");
}

/// `bad`: the order of the first leading minor that is not positive.
[[noreturn]] inline void refuse_minor(const Matrices& p, std::int64_t i, std::int64_t bad) {
  refuse(p.op, "linalg.not_positive_definite", i, p.count,
         "is not positive definite: its leading minor of order " + std::to_string(bad) + " of " + std::to_string(p.n) + " is not",
         "add a small multiple of the identity, or use eigh");
}

/// `place`: of the first pivot that is 0, from 1.
[[noreturn]] inline void refuse_pivot(const Matrices& p, std::int64_t i, std::int64_t place) {
  refuse(p.op, "linalg.singular", i, p.count, "is singular: pivot " + std::to_string(place) + " of " + std::to_string(p.n) + " is 0",
         "use lstsq or pinv with rcond, or add a small multiple of the identity");
}

/// `place`: of the first value on the diagonal that is 0, or as good as 0, from 1.
[[noreturn]] inline void refuse_diagonal(const System& p, std::int64_t i, std::int64_t place, bool zero) {
  refuse(p.op, "linalg.singular", p.matrices == 1 ? 0 : i, p.matrices,
         "is singular: value " + std::to_string(place) + " of " + std::to_string(p.n) + " on the diagonal of its triangle is " +
             (zero ? "0" : "0 beside the largest"),
         "use lstsq with rcond, or add a small multiple of the identity");
}

}  // namespace tenon::linalg
