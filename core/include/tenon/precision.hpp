/// How exactly products in f32 are made.
///
/// f32 is f32 unless one asks for less. TF32 is a GPU's way of multiplying f32 numbers on its tensor cores: it rounds what it multiplies to
/// 11 significant bits (f32 has 24, bf16 8) and sums in f32. Tensors, weights and everything but products stay in f32.
#pragma once

#include "tenon/export.hpp"

namespace tenon {

/// Whether matrix products and convolutions in f32 may round their operands to TF32. Asked on the thread that starts them, at that time; a
/// recorded step keeps what held while it was recorded. No effect on other types and on a CPU, which has no TF32.
TENON_API bool tf32_allowed() noexcept;

/// While one is alive, what this thread starts on a GPU may use TF32 (or, with `allow` false, may not):
///
///     Tf32Scope fast;
///     Tensor loss = ...;
///     loss.backward();  // within the scope too: gradients are products of their own
class TENON_API Tf32Scope {
 public:
  explicit Tf32Scope(bool allow = true) noexcept;
  ~Tf32Scope();
  Tf32Scope(const Tf32Scope&) = delete;
  Tf32Scope& operator=(const Tf32Scope&) = delete;

 private:
  bool before_;
};

}  // namespace tenon
