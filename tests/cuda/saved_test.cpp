// On a device, what a normalisation gives is computed again for the gradient of the convolution that reads it, not kept.
#include <catch2/catch.hpp>

#include <memory>

#include "core/ops/gradient_check.hpp"
#include "cuda/cases.hpp"
#include "cuda/device.hpp"
#include "tenon/autograd.hpp"
#include "tenon/normalisation.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"

using namespace tenon;
using namespace under_test;
using check::made;

namespace {

struct Net {
  Tensor x, first, scale, shift, second;
  Net() : x(made(1, {2, 6, 5, 4}, DType::f32)), first(made(2, {8, 3, 3, 4}, DType::f32)), scale(made(3, {8}, DType::f32)), shift(made(4, {8}, DType::f32)), second(made(5, {3, 3, 3, 8}, DType::f32)) {
    for (Tensor* t : {&x, &first, &scale, &shift, &second}) t->set_requires_grad();
  }
  Tensor activation() const { return instance_norm(conv(x, first, {}, {{}, {1, 1}, {}, 1}), scale, shift, 1e-5, 0.01); }
  Tensor result(const Tensor& a) const { return conv(a, second, {}, {{}, {1, 1}, {}, 1}); }
};

/// Whether the activation's memory is given back once the forward pass is over.
bool gives_back() {
  const Net net;
  std::weak_ptr<Storage> values;
  Tensor y;
  {
    const Tensor a = net.activation();
    values = a.storage();
    y = net.result(a);
  }
  return values.expired();
}

}  // namespace

TEST_CASE("an activation after a normalisation is kept on the CPU and computed again on a device", "[cuda][saved]") {
  TENON_NEEDS_DEVICE();
  CHECK_FALSE(gives_back());
  begin_run(0);
  {
    DeviceScope on(kDevice);
    CHECK(gives_back());
    // twice in the forward pass's place, once for each gradient that reads it
    const Net net;
    Tensor loss;
    const StepPlan plan = StepPlan::record([&] {
      loss = sum(net.result(net.activation()));
      loss.backward();
      loss = loss.detach();
    });
    std::size_t applied = 0;
    const std::string text = plan.explain();
    for (std::size_t at = text.find("\tnormalisation.apply\t"); at != text.npos; at = text.find("\tnormalisation.apply\t", at + 1)) ++applied;
    CHECK(applied == 2);
  }
  end_run();
}

namespace {

/// An activation that is doubled in place, without history, before it is read.
Tensor doubled_in_between(const Net& net) {
  const Tensor a = net.activation();
  {
    NoGrad off;
    a.assign(a.detach() * 2.0);
  }
  return net.result(a);
}

const Register cases(std::vector<Extra>{
    {"conv after instance_norm, gradients",
     [] {
       const Net net;
       const Tensor y = net.result(net.activation());
       sum(y * made(9, y.shape(), y.dtype())).backward();
       for (const auto& [name, t] : {std::pair{"x", &net.x}, {"first", &net.first}, {"scale", &net.scale}, {"shift", &net.shift}, {"second", &net.second}})
         note(name, t->grad());
     },
     {DType::f32}},
    {"conv after instance_norm that was written in place, gradients",
     [] {
       const Net net;
       const Tensor y = doubled_in_between(net);
       sum(y * made(9, y.shape(), y.dtype())).backward();
       note("second", net.second.grad());
     },
     {DType::f32}},
    {"conv after instance_norm, gradients of gradients",
     [] {
       const Net net;
       const Tensor y = net.result(net.activation());
       const std::vector<Tensor> g = gradients({sum(y * made(9, y.shape(), y.dtype()))}, {net.x, net.second}, {}, true);
       sum(square(g[0])).backward();
       for (const auto& [name, t] : {std::pair{"x", &net.x}, {"first", &net.first}, {"scale", &net.scale}, {"second", &net.second}}) note(name, t->grad());
     },
     {DType::f32},
     1e-8},  // two passes over statistics in f32
});

}  // namespace
