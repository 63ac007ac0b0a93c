/// What the stand-in for cuBLASLt has, for tests of what happens where it has less, or computes something else.
#pragma once

#include <cstddef>
#include <vector>

namespace tenon::cuda::on_cpu {

/// Epilogues with an activation that it has: `all` those of its header, which give sums in the result's type; `sums_in_f32` also of 16-bit results.
enum class Epilogues { all, sums_in_f32, without_sums, without_gradients, without_auxiliary, none };
void set_epilogues(Epilogues have);
/// Products with an activation that ran since the last call.
int fused_products_run();

/// How products with an activation go wrong.
enum class Fault { none, no_bias, other_gelu, nan_to_zero, bits_at_zero, bits_turned, last_sum, bits_change };
void set_fault(Fault fault);
/// What a product with an activation takes, in place of what its algorithm says; 0: that.
void set_fused_time(double microseconds);

/// An algorithm: the first of them that can is proposed first.
struct Algorithm {
  std::size_t alignment = 0;  ///< of operands and of their columns, in bytes; 0: of their elements
  std::size_t workspace = 0;
  double microseconds = 1;
  bool other_sums = false;  ///< adds up from the last term to the first
  bool fails = false;       ///< when it is run
  bool side = true;         ///< adds a bias and gives sums
};
/// Empty: as at first, one for operands on 16 bytes and one for all, of which the better one is proposed.
void set_algorithms(std::vector<Algorithm> have);
/// Products that ran since the last call, by algorithm.
std::vector<int> products_run();

}  // namespace tenon::cuda::on_cpu
