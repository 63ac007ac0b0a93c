// A convolution in another form computes the same: our own kernels on both sides.
#include <catch2/catch.hpp>

#include <cstring>
#include <vector>

#include "backend/cuda/conv_form.hpp"
#include "backend/cuda/conv_own.hpp"
#include "cuda/device.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::cuda;

namespace {

/// Device memory, filled with numbers in [-1, 1) or left as it is.
class Memory {
 public:
  explicit Memory(std::size_t floats) : size_(floats), data_(static_cast<float*>(on_cpu::take(std::max<std::size_t>(1, floats) * 4))) {}
  Memory(std::size_t floats, std::uint64_t seed) : Memory(floats) {
    const on_cpu::Open open;
    const Random random(7, seed);
    for (std::size_t i = 0; i < floats; ++i) data_[i] = float(2 * random.uniform(i) - 1);
  }
  ~Memory() { on_cpu::give_back(data_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  float* get() const { return data_; }
  std::vector<float> values() const {
    const on_cpu::Open open;
    return {data_, data_ + size_};
  }

 private:
  std::size_t size_;
  float* data_;
};

ConvGeometry same(std::vector<std::int64_t> sizes, std::int64_t in, std::int64_t out, std::int64_t kernel) {
  ConvGeometry g;
  g.spatial = int(sizes.size());
  g.batch = 2, g.in_channels = in, g.out_channels = out;
  for (std::size_t a = 0; a < sizes.size(); ++a) {
    g.in[a] = g.out[a] = sizes[a];
    g.kernel[a] = kernel;
    g.pad[a] = (kernel - 1) / 2;
  }
  return g;
}

void check_near(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double error = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    error += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
    size += double(b[i]) * b[i];
  }
  CHECK(size > 0);
  CHECK(error <= 1e-12 * size);
}

std::size_t count(const ConvGeometry& g, bool x) {
  return std::size_t(g.batch * (x ? g.in_voxels() * g.in_channels : g.out_voxels() * g.out_channels));
}

/// forward or input gradient
void check_pass(const ConvGeometry& g, const ConvForm& f, ConvPass pass, bool bias) {
  const bool forward = pass == ConvPass::forward;
  const ConvGeometry p = presented(g, f);
  const std::int64_t channels = forward ? g.out_channels : g.in_channels, rows = g.batch * (forward ? g.out_voxels() : g.in_voxels()),
                     source_channels = forward ? g.in_channels : g.out_channels;
  const Memory source(count(g, forward), 1), w(std::size_t(g.weights()), 2), b(std::size_t(channels), 3), wanted(count(g, !forward)),
      result(count(g, !forward)), wide(count(p, !forward)), fitted(count(p, forward)), packed(std::size_t(p.weights())),
      bias_blocks(std::size_t(channels * f.block));
  std::vector<void*> o{source.get(), w.get()};
  if (bias) o.push_back(b.get());
  o.push_back(wanted.get());
  own_conv(g, pass, bias)(o.data());

  form_weights(g, f, DType::f32, w.get(), packed.get());
  const std::int64_t in_pad = forward ? f.in_pad : f.out_pad, out_pad = forward ? f.out_pad : f.in_pad;
  if (in_pad > 0)
    fit_channels(DType::f32, source.get(), fitted.get(), g.batch * (forward ? g.in_voxels() : g.out_voxels()), source_channels,
                 source_channels + in_pad, nullptr);
  const bool inside = bias && out_pad == 0;
  std::vector<void*> q{in_pad > 0 ? fitted.get() : source.get(), packed.get()};
  if (inside) {
    repeat_bias(b.get(), bias_blocks.get(), channels, f.block);
    q.push_back(bias_blocks.get());
  }
  q.push_back(out_pad > 0 ? wide.get() : result.get());
  own_conv(p, pass, inside)(q.data());
  if (out_pad > 0) fit_channels(DType::f32, wide.get(), result.get(), rows, channels + out_pad, channels, bias ? b.get() : nullptr);
  check_near(result.values(), wanted.values());
}

void check_weights(const ConvGeometry& g, const ConvForm& f) {
  const ConvGeometry p = presented(g, f);
  const Memory x(count(g, true), 1), y(count(g, false), 2), wanted(std::size_t(g.weights())), result(std::size_t(g.weights())),
      x_fitted(count(p, true)), y_fitted(count(p, false)), wide(std::size_t(p.weights())),
      own_scratch(own_conv_buffers(g, ConvPass::weight_gradient, ConvSums::none).workspace / 4 + 1),
      scratch(own_conv_buffers(p, ConvPass::weight_gradient, ConvSums::none).workspace / 4 + 1);
  std::vector<void*> o{x.get(), y.get(), wanted.get(), own_scratch.get()};
  own_conv_weights(g, ConvSums::none)(o.data());
  const void *a = x.get(), *b = y.get();
  if (f.in_pad > 0) {
    fit_channels(DType::f32, x.get(), x_fitted.get(), g.batch * g.in_voxels(), g.in_channels, g.in_channels + f.in_pad, nullptr);
    a = x_fitted.get();
  }
  if (f.out_pad > 0) {
    fit_channels(DType::f32, y.get(), y_fitted.get(), g.batch * g.out_voxels(), g.out_channels, g.out_channels + f.out_pad, nullptr);
    b = y_fitted.get();
  }
  std::vector<void*> q{const_cast<void*>(a), const_cast<void*>(b), wide.get(), scratch.get()};
  own_conv_weights(p, ConvSums::none)(q.data());
  unform_weights(g, f, DType::f32, wide.get(), result.get());
  check_near(result.values(), wanted.values());
}

}  // namespace

TEST_CASE("a convolution in another form gives the same", "[cuda_on_cpu][conv_form]") {
  REQUIRE(under_test::has_device());
  struct Case {
    ConvGeometry g;
    ConvForm form;
  };
  ConvGeometry strided = same({9, 8}, 5, 6, 3);
  strided.stride = {2, 1, 1};
  strided.out[0] = 5;
  const std::vector<Case> cases{
      {same({24}, 4, 6, 5), {2, 0, 0}},   {same({24}, 4, 6, 19), {8, 0, 0}}, {same({24}, 1, 3, 7), {4, 0, 0}},
      {same({6, 16}, 1, 5, 3), {8, 0, 0}}, {strided, {4, 0, 0}},              {same({3, 4, 8}, 2, 3, 3), {4, 0, 0}},
      {same({20}, 5, 6, 3), {1, 3, 2}},    {same({4, 6}, 3, 7, 3), {1, 5, 0}}, {same({4, 6}, 4, 3, 1), {1, 0, 5}},
  };
  for (const auto& [g, form] : cases) {
    INFO(g.spatial << " axes, " << g.in_channels << " to " << g.out_channels << " channels, block " << form.block << ", filled by " << form.in_pad
                   << " and " << form.out_pad);
    for (bool bias : {false, true}) {
      check_pass(g, form, ConvPass::forward, bias);
      check_pass(g, form, ConvPass::input_gradient, bias);
    }
    check_weights(g, form);
  }
  under_test::end_run();
}

TEST_CASE("forms are asked for where channels are few or do not divide", "[cuda_on_cpu][conv_form]") {
  auto forms_of = [](ConvGeometry g, DType type) {
    g.dtype = type;
    return conv_forms(g);
  };
  CHECK(forms_of(same({600}, 4, 300, 19), DType::bf16) == std::vector<ConvForm>{{8, 0, 0}, {4, 0, 0}, {1, 4, 4}});
  CHECK(forms_of(same({200}, 300, 200, 11), DType::bf16) == std::vector<ConvForm>{{1, 4, 0}, {1, 20, 56}});
  CHECK(forms_of(same({40, 56, 40}, 1, 32, 3), DType::f16) == std::vector<ConvForm>{{8, 0, 0}, {1, 7, 0}});
  CHECK(forms_of(same({40, 56, 40}, 32, 3, 1), DType::bf16) == std::vector<ConvForm>{{1, 0, 5}});
  CHECK(forms_of(same({40, 56, 40}, 32, 32, 3), DType::bf16).empty());
  CHECK(forms_of(same({600}, 4, 300, 19), DType::f32).empty());
  ConvGeometry grouped = same({600}, 4, 300, 19);
  grouped.groups = 2;
  CHECK(forms_of(grouped, DType::bf16).empty());
}
