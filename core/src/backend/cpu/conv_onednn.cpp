#include <algorithm>
#include <array>
#include <map>

#include "backend/cpu/channel_sums.hpp"
#include "backend/cpu/conv_engine.hpp"
#include "backend/cpu/conv_pack.hpp"
#include "backend/cpu/conv_tasks.hpp"
#include "backend/cpu/onednn.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::cpu {
namespace {

using dnnl::memory;
using dnnl::prop_kind;
constexpr auto kDirect = dnnl::algorithm::convolution_direct;

memory::data_type library_type(DType t) {
  return t == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
}

memory::dims spatial_dims(const ConvGeometry& g, const ConvGeometry::Sizes& s) {
  return {s.begin(), s.begin() + g.spatial};
}

/// Descriptors and window of a library convolution with the sizes of `g`.
struct Described {
  memory::desc x, y, bias;
  memory::dims weights, stride, dilation, before, after;

  explicit Described(const ConvGeometry& g) {
    static constexpr memory::format_tag tags[] = {memory::format_tag::nwc, memory::format_tag::nhwc, memory::format_tag::ndhwc};
    memory::format_tag tag = tags[g.spatial - 1];
    memory::dims xd{g.batch, g.in_channels}, yd{g.batch, g.out_channels};
    if (g.groups > 1) weights.push_back(g.groups);
    weights.push_back(g.out_channels / g.groups);
    weights.push_back(g.in_channels / g.groups);
    for (int a = 0; a < g.spatial; ++a) {
      auto k = std::size_t(a);
      xd.push_back(g.in[k]);
      yd.push_back(g.out[k]);
      weights.push_back(g.kernel[k]);
      dilation.push_back(g.dilation[k] - 1);
      after.push_back(pad_after(g, a));
    }
    stride = spatial_dims(g, g.stride);
    before = spatial_dims(g, g.pad);
    x = {xd, library_type(g.dtype), tag};
    y = {yd, library_type(g.dtype), tag};
    bias = {{g.out_channels}, memory::data_type::f32, memory::format_tag::a};
  }
};

/// A primitive for one shape of task. It runs on x, y, weights and, where it adds one, the bias.
struct Primitive {
  LibraryCall call;
  memory::desc weights;
  std::string implementation;
};

dnnl::convolution_forward::primitive_desc forward_desc(const Described& d, const memory::desc& weights, bool bias) {
  auto desc = bias ? dnnl::convolution_forward::desc(prop_kind::forward_training, kDirect, d.x, weights, d.bias, d.y, d.stride, d.dilation,
                                                     d.before, d.after)
                   : dnnl::convolution_forward::desc(prop_kind::forward_training, kDirect, d.x, weights, d.y, d.stride, d.dilation,
                                                     d.before, d.after);
  return {desc, user_scratchpad(), onednn_engine()};
}

/// `weights`: the packed format that all primitives of a program share, or null for the first, which chooses it.
Primitive make_primitive(const ConvGeometry& g, ConvPass pass, bool bias, const memory::desc* weights) {
  OneThread single;
  Described d(g);
  auto type = pass == ConvPass::weight_gradient ? memory::data_type::f32 : library_type(g.dtype);
  memory::desc w = weights ? *weights : memory::desc(d.weights, type, memory::format_tag::any);
  if (pass == ConvPass::forward) {
    auto desc = forward_desc(d, w, bias);
    std::vector<LibraryCall::Argument> arguments{{DNNL_ARG_SRC, d.x}, {DNNL_ARG_DST, d.y}, {DNNL_ARG_WEIGHTS, desc.weights_desc()}};
    if (bias) arguments.push_back({DNNL_ARG_BIAS, d.bias});
    return {{dnnl::convolution_forward(desc), std::move(arguments), desc.scratchpad_desc()}, desc.weights_desc(), desc.impl_info_str()};
  }
  auto hint = forward_desc(d, memory::desc(d.weights, library_type(g.dtype), memory::format_tag::any), false);
  if (pass == ConvPass::input_gradient) {
    dnnl::convolution_backward_data::primitive_desc desc({kDirect, d.x, w, d.y, d.stride, d.dilation, d.before, d.after}, user_scratchpad(),
                                                         onednn_engine(), hint);
    return {{dnnl::convolution_backward_data(desc),
             {{DNNL_ARG_DIFF_SRC, d.x}, {DNNL_ARG_DIFF_DST, d.y}, {DNNL_ARG_WEIGHTS, desc.weights_desc()}},
             desc.scratchpad_desc()},
            desc.weights_desc(),
            desc.impl_info_str()};
  }
  dnnl::convolution_backward_weights::primitive_desc desc({kDirect, d.x, w, d.y, d.stride, d.dilation, d.before, d.after},
                                                          user_scratchpad(), onednn_engine(), hint);
  return {{dnnl::convolution_backward_weights(desc),
           {{DNNL_ARG_SRC, d.x}, {DNNL_ARG_DIFF_DST, d.y}, {DNNL_ARG_DIFF_WEIGHTS, desc.diff_weights_desc()}},
           desc.scratchpad_desc()},
          desc.diff_weights_desc(),
          desc.impl_info_str()};
}

/// The forward convolution that computes the input gradient of `g`, which must have stride 1.
ConvGeometry mirrored(const ConvGeometry& g) {
  ConvGeometry m = g;
  std::swap(m.in, m.out);
  std::swap(m.in_channels, m.out_channels);
  for (int a = 0; a < 3; ++a) m.pad[std::size_t(a)] = g.reach(a) - 1 - g.pad[std::size_t(a)];
  return m;
}

bool can_mirror(const ConvGeometry& g) {
  for (int a = 0; a < 3; ++a)
    if (g.stride[std::size_t(a)] != 1 || g.pad[std::size_t(a)] >= g.reach(a)) return false;
  return true;
}

class OneDnnConv final : public ConvProgram {
 public:
  OneDnnConv(const ConvGeometry& g, ConvPass pass, bool bias, ConvSums sums) : g_(g), pass_(pass), bias_(bias), sums_(sums) {
    // The forward kernels are the library's fastest by far, so a gradient with stride 1 goes through them as well.
    mirrored_ = pass == ConvPass::input_gradient && can_mirror(g);
    run_geometry_ = mirrored_ ? mirrored(g) : g;
    run_pass_ = mirrored_ ? ConvPass::forward : pass;
    try {
      prepare(cut_convolution(run_geometry_, run_pass_, task_budget(g, pass)));
    } catch (const dnnl::error&) {  // a kernel may refuse a slab's uneven padding or another slab's format
      prepare(cut_convolution(run_geometry_, run_pass_, 1));
    }
    layout_ = packed_weights(primitives_[0].weights, g, mirrored_);
    if (pass == ConvPass::weight_gradient) {
      partial_sums_offset_ = (std::size_t(layout_.elements) * tasks_.size() * sizeof(float) + 63) / 64 * 64;
      workspace_bytes_ = partial_sums_offset_ + (sums == ConvSums::none ? 0 : tasks_.size() * std::size_t(sum_channels()) * sizeof(double));
    } else {
      packed_bytes_ = std::size_t(layout_.elements) * (layout_.bf16 ? 2 : 4);
    }
  }

  void pack(const void* weights, void* packed) const override { pack_weights(layout_, g_, static_cast<const float*>(weights), packed); }

  void run(const void* source, const void* packed, const void* bias, void* destination) const override {
    bool forward = run_pass_ == ConvPass::forward;
    parallel_for(std::int64_t(tasks_.size()), [&](std::int64_t i) {
      const Bound& t = tasks_[std::size_t(i)];
      auto x = const_cast<char*>(static_cast<const char*>(forward ? source : destination)) + t.x_offset;
      auto y = const_cast<char*>(static_cast<const char*>(forward ? destination : source)) + t.y_offset;
      std::array<void*, 4> addresses{x, y, const_cast<void*>(packed), const_cast<void*>(bias)};
      primitives_[t.primitive].call.run({addresses.data(), forward && bias_ ? 4u : 3u});
      if (!forward && bias_) add_bias(x, t.task.part, static_cast<const float*>(bias));
    });
  }

  void run_weights(const void* x, const void* y, void* weights, void* sums, void* workspace) const override {
    auto partials = static_cast<float*>(workspace);
    auto partial_sums = reinterpret_cast<double*>(static_cast<char*>(workspace) + partial_sums_offset_);
    parallel_for(std::int64_t(tasks_.size()), [&](std::int64_t i) {
      const Bound& t = tasks_[std::size_t(i)];
      auto tx = const_cast<char*>(static_cast<const char*>(x)) + t.x_offset;
      auto ty = const_cast<char*>(static_cast<const char*>(y)) + t.y_offset;
      primitives_[t.primitive].call.run(std::array<void*, 3>{tx, ty, partials + i * layout_.elements});
      if (sums_ != ConvSums::none) sum_task(t, x, ty, partial_sums + i * sum_channels());
    });
    sum_packed_weights(layout_, g_, partials, std::int64_t(tasks_.size()), static_cast<float*>(weights));
    if (sums_ == ConvSums::none) return;
    for (std::int64_t c = 0; c < sum_channels(); ++c) {
      double total = 0;
      for (std::size_t i = 0; i < tasks_.size(); ++i) total += partial_sums[std::int64_t(i) * sum_channels() + c];
      static_cast<float*>(sums)[c] = float(total);
    }
  }

  std::string describe() const override {
    return primitives_[0].implementation + (mirrored_ ? " (mirrored)" : "") + ", " + std::to_string(tasks_.size()) + " tasks";
  }

 private:
  struct Bound {
    ConvTask task;
    std::size_t primitive;
    std::int64_t x_offset, y_offset;  ///< bytes, of the library's x and y
  };

  std::int64_t sum_channels() const { return sums_ == ConvSums::of_y ? g_.out_channels : g_.in_channels; }
  std::int64_t element() const { return std::int64_t(size_of(g_.dtype)); }
  std::int64_t x_row() const { return run_geometry_.in[1] * run_geometry_.in[2] * run_geometry_.in_channels; }
  std::int64_t y_row() const { return run_geometry_.out[1] * run_geometry_.out[2] * run_geometry_.out_channels; }

  void prepare(const std::vector<ConvTask>& tasks) {
    tasks_.clear();
    primitives_.clear();
    std::map<ConvGeometry, std::size_t> made;
    // The packed format is chosen for the commonest shape, a slab from the middle.
    const ConvGeometry& typical = tasks[tasks.size() / 2].part;
    bool library_bias = bias_ && run_pass_ == ConvPass::forward;
    primitives_.push_back(make_primitive(typical, run_pass_, library_bias, nullptr));
    made[typical] = 0;
    for (const ConvTask& t : tasks) {
      auto [it, fresh] = made.try_emplace(t.part, primitives_.size());
      if (fresh) {
        memory::desc weights = primitives_[0].weights;
        primitives_.push_back(make_primitive(t.part, run_pass_, library_bias, &weights));
      }
      tasks_.push_back({t, it->second, (t.sample * run_geometry_.in[0] + t.in_row) * x_row() * element(),
                        (t.sample * run_geometry_.out[0] + t.out_row) * y_row() * element()});
    }
  }

  void add_bias(void* x, const ConvGeometry& part, const float* bias) const {
    std::int64_t voxels = part.batch * part.in_voxels();
    if (g_.dtype == DType::bf16)
      add_channels(static_cast<bf16*>(x), voxels, part.in_channels, bias);
    else
      add_channels(static_cast<float*>(x), voxels, part.in_channels, bias);
  }

  void sum_task(const Bound& t, const void* x, const void* y, double* sums) const {
    const void* from = y;
    std::int64_t voxels = t.task.part.batch * t.task.part.out_voxels();
    if (sums_ == ConvSums::of_x) {
      from = static_cast<const char*>(x) + (t.task.sample * g_.in[0] + t.task.own_in_row) * x_row() * element();
      voxels = t.task.part.batch * t.task.own_in_rows * g_.in[1] * g_.in[2];
    }
    if (g_.dtype == DType::bf16)
      channel_sums(static_cast<const bf16*>(from), voxels, sum_channels(), sums);
    else
      channel_sums(static_cast<const float*>(from), voxels, sum_channels(), sums);
  }

  ConvGeometry g_, run_geometry_;
  ConvPass pass_, run_pass_;
  bool bias_, mirrored_;
  ConvSums sums_;
  std::vector<Primitive> primitives_;
  std::vector<Bound> tasks_;
  PackedWeights layout_;
  std::size_t partial_sums_offset_ = 0;
};

}  // namespace

bool conv_has_bf16() {
  static const bool has = [] {
    ConvGeometry g;
    g.dtype = DType::bf16;
    g.in_channels = g.out_channels = 16;
    try {
      make_primitive(g, ConvPass::forward, false, nullptr);
      make_primitive(g, ConvPass::weight_gradient, false, nullptr);
      return true;
    } catch (const dnnl::error&) {
      return false;
    }
  }();
  return has;
}

std::shared_ptr<const ConvProgram> make_onednn_conv(const ConvGeometry& g, ConvPass pass, bool bias, ConvSums sums) {
  try {
    return std::make_shared<OneDnnConv>(g, pass, bias, sums);
  } catch (const dnnl::error& e) {
    throw Error(ErrorKind::device, "conv.library", std::string("oneDNN has no convolution for these sizes: ") + e.what());
  }
}

}  // namespace tenon::cpu
