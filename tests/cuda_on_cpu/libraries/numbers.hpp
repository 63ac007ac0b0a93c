/// Operands of a choice that is run by itself.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cuda_on_cpu/on_device.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "ops/dispatch.hpp"
#include "tenon/random.hpp"

namespace under_test {

/// Device memory of `count` numbers, random and exact in 16 bits where there is a seed; ends with its last byte.
class Numbers {
 public:
  Numbers(tenon::DType type, std::int64_t count, std::uint64_t seed = 0) : type_(type), count_(count), memory_(std::size_t(count) * tenon::size_of(type)) {
    if (seed == 0) return;
    const tenon::cuda::on_cpu::Open open;
    const tenon::Random random(7, seed);
    tenon::dispatch_floating("test", type, [&](auto tag) {
      using T = typename decltype(tag)::type;
      for (std::int64_t i = 0; i < count; ++i) static_cast<T*>(get())[i] = T(float(std::int64_t(32 * random.uniform(std::uint64_t(i))) - 15) / 16);
    });
  }
  void* get() const { return memory_.at; }
  /// NaN in each type: what is not written shows.
  void spoil() const {
    const tenon::cuda::on_cpu::Open open;
    std::fill_n(memory_.at, std::size_t(count_) * tenon::size_of(type_), std::byte(0xff));
  }
  std::vector<double> values() const {
    const tenon::cuda::on_cpu::Open open;
    std::vector<double> all;
    tenon::dispatch_floating("test", type_, [&](auto tag) {
      using T = typename decltype(tag)::type;
      for (std::int64_t i = 0; i < count_; ++i) all.push_back(double(float(static_cast<const T*>(get())[i])));
    });
    return all;
  }

 private:
  tenon::DType type_;
  std::int64_t count_;
  OnDevice<std::byte> memory_;
};

inline void check_near(const std::vector<double>& a, const std::vector<double>& b, double bound) {
  REQUIRE(a.size() == b.size());
  double error = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) error += (a[i] - b[i]) * (a[i] - b[i]), size += b[i] * b[i];
  CHECK(size > 0);
  CHECK(error <= bound * size);
}

}  // namespace under_test
