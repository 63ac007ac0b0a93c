/// Chains of elementwise ops: one kernel that follows a program, the same for all threads.
///
/// A thread holds its elements' values in shared memory, 16 bytes a register, and touches nobody else's: there is nothing to wait for.
/// Bytes that cross shared memory are a few times those of the chain's operands, at some eight times the rate of device memory.
#include "backend/cuda/install.hpp"
#include "backend/cuda/walk.cuh"
#include "ops/chain.hpp"

namespace tenon::cuda {
namespace {

using kernels::Binary;
using kernels::BinaryOp;
using kernels::Unary;
using kernels::UnaryArgs;
using kernels::UnaryOp;

/// The ops that chains hold, each once.
#define TENON_CHAIN_UNARY(X)                                                                                                                     \
  X(neg) X(abs) X(exp) X(expm1) X(log) X(log1p) X(sqrt) X(rsqrt) X(square) X(asin) X(acos) X(atan) X(sinh) X(cosh) X(tanh) X(erf) X(floor) X(ceil) \
  X(round) X(sigmoid) X(sign) X(relu) X(leaky) X(leaky_step) X(elu) X(elu_d1) X(gelu) X(gelu_d1) X(gelu_tanh) X(gelu_tanh_d1) X(silu) X(softplus) X(clamp) X(clamp_step) X(scale) \
  X(shift) X(power)
#define TENON_CHAIN_BINARY(X)                                                                                                                  \
  X(add) X(sub) X(mul) X(div) X(maximum) X(minimum) X(pow) X(relu_gradient) X(gelu_gradient) X(gelu_tanh_gradient) X(equal) X(less) X(greater) X(not_equal) X(less_equal) \
  X(greater_equal)

#define TENON_UNARY_KIND(K) Unary::K,
#define TENON_BINARY_KIND(K) Binary::K,
constexpr Unary kUnary[] = {TENON_CHAIN_UNARY(TENON_UNARY_KIND)};
constexpr Binary kBinary[] = {TENON_CHAIN_BINARY(TENON_BINARY_KIND)};
/// Whether `listed` are exactly those that joins().
template <class Kind, std::size_t N>
constexpr bool is_complete(const Kind (&listed)[N], int last) {
  for (int k = 0; k <= last; ++k) {
    bool found = false;
    for (Kind l : listed) found = found || int(l) == k;
    if (found != joins(Kind(k))) return false;
  }
  return true;
}
static_assert(is_complete(kUnary, int(Unary::power)) && is_complete(kBinary, int(Binary::greater_equal)));

constexpr int kFirstBinary = 64, kChoose = 128, kConvert = 129;
static_assert(int(Unary::power) < kFirstBinary && kFirstBinary + int(Binary::greater_equal) < kChoose);

struct DeviceStep {
  double a, b;
  std::uint8_t op, dtype, x, y, z, to;
};

struct DeviceProgram {
  int inputs = 0, outputs = 0, steps = 0;
  std::uint8_t output_register[Chain::kOutputs] = {};
  DType input_type[Chain::kInputs] = {}, output_type[Chain::kOutputs] = {};
  DeviceStep step[Chain::kSteps];

  explicit DeviceProgram(const Chain& chain) : inputs(int(chain.inputs.size())), outputs(int(chain.outputs.size())), steps(int(chain.steps.size())) {
    for (int k = 0; k < inputs; ++k) input_type[k] = chain.inputs[std::size_t(k)].dtype;
    for (int k = 0; k < outputs; ++k) {
      output_type[k] = chain.outputs[std::size_t(k)];
      output_register[k] = std::uint8_t(chain.output_registers[std::size_t(k)]);
    }
    for (int k = 0; k < steps; ++k) {
      const Chain::Step& s = chain.steps[std::size_t(k)];
      const int op = s.kind == ElementOp::Kind::unary ? s.code : s.kind == ElementOp::Kind::binary ? kFirstBinary + s.code : s.kind == ElementOp::Kind::choose ? kChoose : kConvert;
      step[k] = {s.args.a, s.args.b, std::uint8_t(op), std::uint8_t(s.dtype), std::uint8_t(s.from[0]), std::uint8_t(s.from[1]), std::uint8_t(s.from[2]), std::uint8_t(s.to)};
    }
  }
};

/// In: most inputs, Out: most outputs; a program may have fewer. C: f32 or f64. V: elements a thread.
template <class C, int In, int Out, int V>
struct ChainBody {
  static constexpr int N = In + Out;
  DeviceProgram program;
  const void* in[In];
  void* out[Out];

  __device__ static C* registers() { return dynamic_shared<C>() + threadIdx.x * V; }

  template <int L>
  __device__ static __forceinline__ void read(int reg, C (&v)[L]) {
    const auto* from = registers() + reg * (kBlock * V);
    if constexpr (L == V) {
      const Lanes<C, V> lanes = *reinterpret_cast<const Lanes<C, V>*>(from);
#pragma unroll
      for (int i = 0; i < V; ++i) v[i] = lanes.of[i];
    } else {
      v[0] = *from;
    }
  }
  template <int L>
  __device__ static __forceinline__ void write(int reg, const C (&v)[L]) {
    auto* to = registers() + reg * (kBlock * V);
    if constexpr (L == V) {
      Lanes<C, V> lanes;
#pragma unroll
      for (int i = 0; i < V; ++i) lanes.of[i] = v[i];
      *reinterpret_cast<Lanes<C, V>*>(to) = lanes;
    } else {
      *to = v[0];
    }
  }

  template <int L>
  __device__ static __forceinline__ void load(DType t, const void* p, std::int64_t at, bool dense, C (&v)[L]) {
    if (t == DType::boolean) {
      const bool* flags = static_cast<const bool*>(p) + at;
      if (L > 1 && dense) {
        const Lanes<bool, L> lanes = *reinterpret_cast<const Lanes<bool, L>*>(flags);
#pragma unroll
        for (int i = 0; i < L; ++i) v[i] = lanes.of[i] ? C(1) : C(0);
        return;
      }
      v[0] = *flags ? C(1) : C(0);
    } else if (L > 1 && dense) {
      return load_lanes<C, L>(t, p, at, v);
    } else {
      v[0] = load_lane<C>(t, p, at);
    }
#pragma unroll
    for (int i = 1; i < L; ++i) v[i] = v[0];
  }
  template <int L>
  __device__ static __forceinline__ void store(DType t, void* p, std::int64_t at, const C (&v)[L]) {
    if (t == DType::boolean) store_as<bool, C, L>(p, at, v);
    else if constexpr (L > 1) store_lanes<C, L>(t, p, at, v);
    else store_lane<C>(t, p, at, v[0]);
  }

  /// As if it went through memory.
  template <int L>
  __device__ static __forceinline__ void round_to(DType t, C (&v)[L]) {
    if constexpr (std::is_same_v<C, float>) {
      if (t != DType::bf16 && t != DType::f16) return;
      with_stored<C>(t, [&](auto tag) {
#pragma unroll
        for (int i = 0; i < L; ++i) v[i] = convert_fast<C>(convert_fast<typename decltype(tag)::type>(v[i]));
      });
    }
  }

#define TENON_UNARY_CASE(K)                                                       \
  case int(Unary::K):                                                             \
    _Pragma("unroll") for (int i = 0; i < L; ++i) x[i] = UnaryOp<Unary::K>{args}(x[i]); \
    break;
#define TENON_BINARY_CASE(K)                                                                 \
  case kFirstBinary + int(Binary::K):                                                        \
    _Pragma("unroll") for (int i = 0; i < L; ++i) x[i] = C(BinaryOp<Binary::K>{}(x[i], y[i])); \
    break;

  template <int L>
  __device__ __forceinline__ void run(const Offsets<N>& o, const bool (&dense)[N]) const {
#pragma unroll
    for (int k = 0; k < In; ++k)
      if (k < program.inputs) {
        C v[L];
        load<L>(program.input_type[k], in[k], o.of[k], dense[k], v);
        write<L>(k, v);
      }
#pragma unroll 1
    for (int s = 0; s < program.steps; ++s) {
      const DeviceStep& step = program.step[s];
      C x[L], y[L];
      read<L>(step.x, x);
      read<L>(step.y, y);
      const UnaryArgs args{step.a, step.b};
      switch (step.op) {
        TENON_CHAIN_UNARY(TENON_UNARY_CASE)
        TENON_CHAIN_BINARY(TENON_BINARY_CASE)
        case kChoose: {
          C z[L];
          read<L>(step.z, z);
#pragma unroll
          for (int i = 0; i < L; ++i) x[i] = x[i] != C(0) ? y[i] : z[i];
          break;
        }
        default: break;
      }
      round_to<L>(DType(step.dtype), x);
      write<L>(step.to, x);
    }
#pragma unroll
    for (int k = 0; k < Out; ++k)
      if (k < program.outputs) {
        C v[L];
        read<L>(program.output_register[k], v);
        store<L>(program.output_type[k], out[k], o.of[N - 1 - k], v);
      }
  }

  __device__ void one(const Offsets<N>& o) const {
    const bool none[N] = {};
    run<1>(o, none);
  }
  __device__ void pack(const Offsets<N>& o, const bool (&dense)[N]) const { run<V>(o, dense); }
};

/// Operands of the walk: inputs from the front, outputs from the back, so that the last one is always there.
template <class C, int In, int Out>
Kernel chain_of(const Chain& chain) {
  constexpr int N = In + Out, V = int(16 / sizeof(C));
  std::array<std::size_t, N> sizes;
  sizes.fill(1);
  for (std::size_t k = 0; k < chain.inputs.size(); ++k) sizes[k] = size_of(chain.inputs[k].dtype);
  for (std::size_t k = 0; k < chain.outputs.size(); ++k) sizes[std::size_t(N) - 1 - k] = size_of(chain.outputs[k]);
  const WalkLoop<N, V> loop(StridedAxes<N>(chain.shape, chain_strides<N>(chain)), sizes);
  const std::size_t shared = std::size_t(chain.registers) * kBlock * V * sizeof(C);
  return [loop, shared, program = DeviceProgram(chain)](void* const* p) {
    void* operands[N] = {};
    for (int k = 0; k < program.inputs; ++k) operands[k] = p[k];
    for (int k = 0; k < program.outputs; ++k) operands[N - 1 - k] = p[program.inputs + k];
    loop.run("chain", operands, [&](const auto& q) {
      ChainBody<C, In, Out, V> body{program, {}, {}};
      for (int k = 0; k < In; ++k) body.in[k] = q[std::size_t(k)];
      for (int k = 0; k < Out; ++k) body.out[k] = q[std::size_t(N - 1 - k)];
      return body;
    }, shared);
  };
}

template <class C>
Kernel chain_sized(const Chain& chain) {
  return chain.inputs.size() <= 3 && chain.outputs.size() <= 2 ? chain_of<C, 3, 2>(chain) : chain_of<C, Chain::kInputs, Chain::kOutputs>(chain);
}

Kernel make_chain(const Chain& chain) { return chain.computed == DType::f64 ? chain_sized<double>(chain) : chain_sized<float>(chain); }

}  // namespace

void install_chain() { chain_kernel.set(DeviceType::cuda, make_chain); }

}  // namespace tenon::cuda
