// Recurrent layers at sizes for which cuDNN is asked, too large for a CPU to play the device.
#include <catch2/catch.hpp>

#include <cmath>
#include <iostream>

#include "backend/backend.hpp"
#include "core/ops/gradient_check.hpp"
#include "cuda/device.hpp"
#include "cuda/twin.hpp"
#include "tenon/recurrent.hpp"

using namespace tenon;
using namespace under_test;
using check::made;
using check::spread;
using In = std::vector<Tensor>;

namespace {

struct Layer {
  bool gru;
  std::int64_t batch, steps, features, hidden;
  bool reverse = false;

  /// Weights as they are first drawn, so that states neither vanish nor saturate.
  In operands() const {
    const std::int64_t rows = (gru ? 3 : 4) * hidden;
    const double width = 1 / std::sqrt(double(hidden));
    In x{spread({batch, steps, features}), spread({rows, features}, -width, width), spread({rows, hidden}, -width, width), spread({rows}, -width, width),
         spread({rows}, -width, width)};
    for (int i = 0; i < (gru ? 1 : 2); ++i) x.push_back(made(6 + i, {batch, hidden}));
    return x;
  }
  In run(const In& x) const {
    return gru ? tenon::gru(x[0], x[5], x[1], x[2], x[3], x[4], {reverse, {}}) : lstm(x[0], x[5], x[6], x[1], x[2], x[3], x[4], {reverse, {}});
  }
  std::string str() const {
    return std::string(gru ? "GRU" : "LSTM") + (reverse ? " reversed" : "") + " of " + std::to_string(batch) + " x " + std::to_string(steps) + ", " + std::to_string(features) + " to " +
           std::to_string(hidden);
  }
};

}  // namespace

TEST_CASE("recurrent layers on the device give what the CPU gives, whoever computes them", "[cuda][extra][recurrent]") {
  TENON_NEEDS_DEVICE();
  for (DType type : {DType::f32, DType::bf16, DType::f16})
    for (bool gru : {false, true})
      for (const Layer& l : {Layer{gru, 64, 48, 7, 128}, Layer{gru, 64, 24, 64, 256, true}, Layer{gru, 32, 32, 100, 512}, Layer{gru, 16, 16, 256, 1024}, Layer{gru, 1, 100, 64, 640},
                             Layer{gru, 300, 10, 33, 201}})
        compare(l.str(), [=] { check::first_gradients([=](const In& x) { return l.run(x)[0]; }, l.operands()); }, type);
  for (const std::string& line : device_choices()) std::cout << "# chosen: " << line << "\n";
}

TEST_CASE("a recorded step gives the bits of the same recurrent layers alone", "[cuda][extra][recurrent]") {
  TENON_NEEDS_DEVICE();
  for (DType type : {DType::f32, DType::bf16})
    for (bool gru : {false, true}) {
      const Layer l{gru, 32, 40, 64, 512};
      In x;
      for (const Tensor& t : l.operands()) x.push_back(t.to(type).to(kDevice).set_requires_grad(true));
      const Tensor d_y = made(2, {32, 40, 512}, type).to(kDevice);
      check_recorded_bits([&] { return gradients({l.run(x)[0]}, x, {d_y}); });
    }
}
