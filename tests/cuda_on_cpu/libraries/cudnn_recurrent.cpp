// cuDNN's recurrent layers as its documentation has them, by plain loops in f64. What it demands is demanded; what it may overwrite, or leave undefined, is
// overwritten.
#include "cuda_on_cpu/libraries/cudnn_recurrent.hpp"

#include <cudnn.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <string_view>
#include <vector>

#include "backend/cuda/library/cudnn_handle.hpp"
#include "cuda_on_cpu/libraries/cudnn_loops.hpp"
#include "cuda_on_cpu/runtime/device_clock.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "cuda_on_cpu/runtime/spoil.hpp"
#include "cuda_on_cpu/runtime/work.hpp"
#include "ops/convert.hpp"
#include "ops/dispatch.hpp"

struct cudnnContext {};
struct cudnnDropoutStruct {
  bool off = false;
};
struct cudnnTensorStruct {
  cudnnDataType_t type{};
  std::vector<int> sizes, strides;
};
struct cudnnRNNStruct {
  cudnnRNNAlgo_t algorithm{};
  int gates = 0, features = 0, hidden = 0;
  cudnnDataType_t type{};
  bool tf32 = false;
};
struct cudnnRNNDataStruct {
  cudnnDataType_t type{};
  int steps = 0, batch = 0, width = 0;
};

namespace tenon::cuda::on_cpu {

RecurrentLayers& recurrent_layers() {
  static auto& all = *new RecurrentLayers;
  return all;
}

namespace {

using Values = std::vector<double>;

DType type_of(cudnnDataType_t t) { return t == CUDNN_DATA_FLOAT ? DType::f32 : t == CUDNN_DATA_HALF ? DType::f16 : DType::bf16; }

double rounded_to_tf32(double x) { return double(std::bit_cast<float>((std::bit_cast<std::uint32_t>(float(x)) + 0x1000u) & ~0x1fffu)); }

Values read(DType type, const void* at, std::int64_t count, bool tf32 = false) {
  Values all(static_cast<std::size_t>(count));
  dispatch_floating("stand-in", type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (std::int64_t i = 0; i < count; ++i) all[std::size_t(i)] = double(float(static_cast<const T*>(at)[i]));
  });
  if (tf32)
    for (double& v : all) v = rounded_to_tf32(v);
  return all;
}

/// One layer of one call. Blocks of weights have gaps, and biases stand before the matrices of all gates, last gate first: nobody may count on an order.
struct Sizes {
  cudnnRNNStruct layer;
  int steps = 0, batch = 0;
  DType type = DType::f32;

  Sizes(const cudnnRNNStruct& l, const cudnnRNNDataStruct& x) : layer(l), steps(x.steps), batch(x.batch), type(type_of(l.type)) {}
  bool cells() const { return layer.gates == 4; }
  std::int64_t columns(int i) const { return i < layer.gates ? layer.features : layer.hidden; }
  std::int64_t rows() const { return std::int64_t(steps) * batch; }
  std::int64_t units() const { return std::int64_t(batch) * layer.hidden; }

  static constexpr std::int64_t kGap = 5;  // elements
  std::int64_t bias_at(int i) const { return (2 * layer.gates - 1 - i) * (layer.hidden + kGap); }
  std::int64_t matrix_at(int i) const {
    std::int64_t at = 2 * layer.gates * (layer.hidden + kGap);
    for (int k = 0; k < i; ++k) at += layer.hidden * columns(k) + kGap;
    return at;
  }
  std::size_t weight_bytes() const { return std::size_t(matrix_at(2 * layer.gates)) * size_of(type); }
  /// What the gradient needs beside its operands: activations of gates, cells after each step, and for a GRU the state's share of the new gate.
  std::int64_t kept_values() const { return rows() * (layer.gates + 2) * layer.hidden; }
  std::size_t kept_bytes() const { return std::size_t(kept_values()) * sizeof(double) + 64; }
  std::size_t work_bytes() const { return std::size_t(rows() * layer.gates) * 4 + 128; }
};

/// As a state goes from step to step.
double rounded(DType type, double x) { return type == DType::bf16 ? double(float(convert<bf16>(x))) : type == DType::f16 ? double(float(convert<f16>(x))) : x; }

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// A layer computed. What it keeps are gates, cells and share; states, and what was before the first step, come from the operands again.
struct Kept {
  Values gates, states, cells, share;  ///< states and cells: before each step, then the last

  explicit Kept(const Sizes& s)
      : gates(std::size_t(s.rows() * s.layer.gates * s.layer.hidden)), states(std::size_t((s.steps + 1) * s.units())), cells(states.size()),
        share(std::size_t(s.rows() * s.layer.hidden)) {}
  void store(const Sizes& s, void* at) const {
    auto* to = static_cast<double*>(at);
    to = std::copy(gates.begin(), gates.end(), to);
    to = std::copy(cells.begin() + s.units(), cells.end(), to);
    std::copy(share.begin(), share.end(), to);
  }
  /// With hx, y and, of an LSTM, cx.
  Kept(const Sizes& s, const void* at, const void* hx, const void* y, const void* cx) : Kept(s) {
    const auto* from = static_cast<const double*>(at);
    std::copy_n(from, gates.size(), gates.begin());
    std::copy_n(from + gates.size(), cells.size() - std::size_t(s.units()), cells.begin() + s.units());
    std::copy_n(from + gates.size() + cells.size() - std::size_t(s.units()), share.size(), share.begin());
    std::ranges::copy(read(s.type, hx, s.units()), states.begin());
    std::ranges::copy(read(s.type, y, s.rows() * s.layer.hidden), states.begin() + s.units());
    if (cx) std::ranges::copy(read(s.type, cx, s.units()), cells.begin());
  }
};

struct Weights {
  std::vector<Values> matrix, bias;  ///< of each gate, of the input, then of the state
  Weights(const Sizes& s, const void* at) {
    const auto* bytes = static_cast<const std::byte*>(at);
    for (int i = 0; i < 2 * s.layer.gates; ++i) {
      matrix.push_back(read(s.type, bytes + std::size_t(s.matrix_at(i)) * size_of(s.type), s.layer.hidden * s.columns(i), s.layer.tf32));
      bias.push_back(read(s.type, bytes + std::size_t(s.bias_at(i)) * size_of(s.type), s.layer.hidden));
      const Values gap = read(s.type, bytes + std::size_t(s.bias_at(i) + s.layer.hidden) * size_of(s.type), Sizes::kGap);
      want(std::ranges::all_of(gap, [](double v) { return v == 0; }), "what lies between the weights is no zero");
    }
  }
};

/// bias[unit] + sum over columns of matrix[unit, column] x[column]
double share_of(const Values& matrix, const Values& bias, const double* x, std::int64_t columns, int unit) {
  double sum = bias[std::size_t(unit)];
  for (std::int64_t c = 0; c < columns; ++c) sum += matrix[std::size_t(unit * columns + c)] * x[c];
  return sum;
}

void run_forward(const Sizes& s, const Values& x, const Weights& w, Kept& k) {
  const int H = s.layer.hidden, G = s.layer.gates;
  const std::int64_t F = s.layer.features;
  for (int t = 0; t < s.steps; ++t)
    for (int n = 0; n < s.batch; ++n) {
      const double* before = &k.states[std::size_t((std::int64_t(t) * s.batch + n) * H)];
      const std::int64_t row = std::int64_t(t) * s.batch + n;
      for (int u = 0; u < H; ++u) {
        double in[4], of_state[4];
        for (int g = 0; g < G; ++g) {
          in[g] = share_of(w.matrix[std::size_t(g)], w.bias[std::size_t(g)], &x[std::size_t(row * F)], F, u);
          of_state[g] = share_of(w.matrix[std::size_t(G + g)], w.bias[std::size_t(G + g)], before, H, u);
        }
        double* gate = &k.gates[std::size_t(row * G * H + u)];
        const std::size_t from = std::size_t(row * H + u), to = from + std::size_t(s.units());
        if (s.cells()) {
          for (int g = 0; g < 4; ++g) gate[g * H] = g == 2 ? std::tanh(in[g] + of_state[g]) : sigmoid(in[g] + of_state[g]);
          k.cells[to] = gate[H] * k.cells[from] + gate[0] * gate[2 * H];
          k.states[to] = rounded(s.type, gate[3 * H] * std::tanh(k.cells[to]));
        } else {
          gate[0] = sigmoid(in[0] + of_state[0]), gate[H] = sigmoid(in[1] + of_state[1]);
          k.share[from] = of_state[2];
          gate[2 * H] = std::tanh(in[2] + gate[0] * of_state[2]);
          k.states[to] = rounded(s.type, (1 - gate[H]) * gate[2 * H] + gate[H] * k.states[from]);
        }
      }
    }
}

/// The gates' gradients in place of their activations, share's in place of share; d_h and d_c from the last state's to the first's; d_x.
void run_gradient(const Sizes& s, const Weights& w, const Values& d_y, Values& d_h, Values& d_c, Values& d_x, Kept& k) {
  const int H = s.layer.hidden, G = s.layer.gates;
  const std::int64_t F = s.layer.features;
  std::ranges::fill(d_x, 0.0);
  for (int t = s.steps - 1; t >= 0; --t) {
    for (std::int64_t i = 0; i < s.units(); ++i) {
      const std::int64_t n = i / H, u = i % H, row = std::int64_t(t) * s.batch + n;
      double* gate = &k.gates[std::size_t(row * G * H + u)];
      const std::size_t from = std::size_t(row * H + u), to = from + std::size_t(s.units());
      const double d = d_h[std::size_t(i)] + d_y[from];
      if (s.cells()) {
        const double in = gate[0], forget = gate[H], fresh = gate[2 * H], out = gate[3 * H], tangent = std::tanh(k.cells[to]);
        const double cell = d_c[std::size_t(i)] + d * out * (1 - tangent * tangent);
        gate[0] = cell * fresh * in * (1 - in), gate[H] = cell * k.cells[from] * forget * (1 - forget);
        gate[2 * H] = cell * in * (1 - fresh * fresh), gate[3 * H] = d * tangent * out * (1 - out);
        d_c[std::size_t(i)] = cell * forget;
        d_h[std::size_t(i)] = 0;
      } else {
        const double reset = gate[0], update = gate[H], fresh = gate[2 * H], d_fresh = d * (1 - update) * (1 - fresh * fresh);
        gate[0] = d_fresh * k.share[from] * reset * (1 - reset), gate[H] = d * (k.states[from] - fresh) * update * (1 - update);
        gate[2 * H] = d_fresh, k.share[from] = d_fresh * reset;
        d_h[std::size_t(i)] = d * update;
      }
    }
    for (int n = 0; n < s.batch; ++n) {
      const std::int64_t row = std::int64_t(t) * s.batch + n;
      for (int g = 0; g < G; ++g)
        for (int u = 0; u < H; ++u) {
          const double d = k.gates[std::size_t((row * G + g) * H + u)], d_state = !s.cells() && g == 2 ? k.share[std::size_t(row * H + u)] : d;
          for (std::int64_t f = 0; f < F; ++f) d_x[std::size_t(row * F + f)] += d * w.matrix[std::size_t(g)][std::size_t(u * F + f)];
          for (int v = 0; v < H; ++v) d_h[std::size_t(n * H + v)] += d_state * w.matrix[std::size_t(G + g)][std::size_t(u * H + v)];
        }
    }
  }
}

/// Added to `at`, a block of weights.
void add_weights(const Sizes& s, const Values& x, const Kept& k, void* at, double factor) {
  const int H = s.layer.hidden, G = s.layer.gates;
  dispatch_floating("stand-in", s.type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* block = static_cast<T*>(at);
    auto add = [&](std::int64_t place, double v) { block[place] = convert<T>(double(float(block[place])) + v * factor); };
    for (int i = 0; i < 2 * G; ++i) {
      const bool of_state = i >= G;
      const int g = i % G;
      const std::int64_t columns = s.columns(i);
      const Values& seen = of_state ? k.states : x;
      for (int u = 0; u < H; ++u) {
        double bias = 0;
        Values row(std::size_t(columns), 0.0);
        for (std::int64_t r = 0; r < s.rows(); ++r) {
          const double d = of_state && !s.cells() && g == 2 ? k.share[std::size_t(r * H + u)] : k.gates[std::size_t((r * G + g) * H + u)];
          bias += d;
          for (std::int64_t c = 0; c < columns; ++c) row[std::size_t(c)] += d * seen[std::size_t(r * columns + c)];
        }
        add(s.bias_at(i) + u, bias);
        for (std::int64_t c = 0; c < columns; ++c) add(s.matrix_at(i) + u * columns + c, row[std::size_t(c)]);
      }
    }
  });
}

/// How much a result is off: 1, or by its deed.
double factor_of(const StandInLayer& how, int output) {
  static int run = 0;
  if (how.output != output) return 1;
  return how.deed == LayerDeed::wrong ? 1.1 : how.deed == LayerDeed::other_bits_each_run ? 1 + 1e-6 * (++run % 2) : 1;
}

void write(DType type, void* at, const double* values, std::int64_t count, double factor) {
  dispatch_floating("stand-in", type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (std::int64_t i = 0; i < count; ++i) static_cast<T*>(at)[i] = convert<T>(values[i] * factor);
  });
}

const StandInLayer& how(const cudnnRNNStruct& d) { return recurrent_layers().algorithms.at(int(d.algorithm)); }

void want_memory(const void* at, std::size_t bytes, const char* what) {
  want(bytes == 0 || (at && reinterpret_cast<std::uintptr_t>(at) % 16 == 0 && bytes_from(at) >= bytes), what);
}

/// What all three calls are given.
Sizes checked(cudnnHandle_t handle, const cudnnRNNStruct* d, const cudnnRNNDataStruct* x, const cudnnRNNDataStruct* y, const cudnnTensorStruct* h, const cudnnTensorStruct* c, const int32_t* lengths,
              std::size_t weight_bytes, const void* weights, std::size_t work_bytes, const void* work, bool training, std::size_t reserve_bytes, const void* reserve) {
  want(handle && d && x && y && h, "a descriptor is missing");
  want(!lengths, "lengths on the device are given; none are wanted since 8.9.1");
  const Sizes s(*d, *x);
  want(x->type == d->type && y->type == d->type && h->type == d->type, "types differ");
  want(y->steps == x->steps && y->batch == x->batch && x->width == d->features && y->width == d->hidden, "sizes differ");
  want(d->gates == 3 || (c && c->type == h->type && c->sizes == h->sizes && c->strides == h->strides), "cells lie otherwise than states");
  want(h->sizes == std::vector<int>{1, x->batch, d->hidden} && h->strides == std::vector<int>{x->batch * d->hidden, d->hidden, 1}, "a state is not [1, N, H], dense");
  want(weight_bytes == s.weight_bytes() && work_bytes == s.work_bytes() && reserve_bytes == (training ? s.kept_bytes() : 0), "a space is of another size than was told");
  want_memory(weights, weight_bytes, "the weights' memory ends before they do");
  want_memory(work, work_bytes, "the workspace's memory ends before it does");
  want_memory(reserve, reserve_bytes, "the reserve's memory ends before it does");
  return s;
}

void want_operands(const Sizes& s, std::initializer_list<const void*> inputs, std::initializer_list<const void*> outputs, std::initializer_list<const void*> states) {
  for (const void* x : inputs) want_memory(x, std::size_t(s.rows() * s.layer.features) * size_of(s.type), "x is missing, or its memory ends before it does");
  for (const void* y : outputs) want_memory(y, std::size_t(s.rows() * s.layer.hidden) * size_of(s.type), "y is missing, or its memory ends before it does");
  for (const void* h : states) want_memory(h, std::size_t(s.units()) * size_of(s.type), "a state is missing, or its memory ends before it does");
}

template <class D>
cudnnStatus_t create(D** d) {
  *d = new D;
  ++recurrent_layers().descriptors;
  return CUDNN_STATUS_SUCCESS;
}
template <class D>
cudnnStatus_t destroy(D* d) {
  delete d;
  --recurrent_layers().descriptors;
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace
}  // namespace tenon::cuda::on_cpu

namespace on_cpu = tenon::cuda::on_cpu;
using tenon::cuda::on_cpu::Kept;
using tenon::cuda::on_cpu::LayerDeed;
using tenon::cuda::on_cpu::Sizes;
using tenon::cuda::on_cpu::Values;

cudnnStatus_t cudnnCreateDropoutDescriptor(cudnnDropoutDescriptor_t* d) { return on_cpu::create(d); }
cudnnStatus_t cudnnDestroyDropoutDescriptor(cudnnDropoutDescriptor_t d) { return on_cpu::destroy(d); }
cudnnStatus_t cudnnSetDropoutDescriptor(cudnnDropoutDescriptor_t d, cudnnHandle_t handle, float dropout, void* states, size_t bytes, unsigned long long) {
  if (!handle || dropout != 0 || states || bytes) return CUDNN_STATUS_BAD_PARAM;
  d->off = true;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* d) { return on_cpu::create(d); }
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t d) { return on_cpu::destroy(d); }
cudnnStatus_t cudnnSetTensorNdDescriptor(cudnnTensorDescriptor_t d, cudnnDataType_t type, int axes, const int sizes[], const int strides[]) {
  if (axes < 3) return CUDNN_STATUS_NOT_SUPPORTED;
  *d = {type, {sizes, sizes + axes}, {strides, strides + axes}};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnGetTensorNdDescriptor(cudnnTensorDescriptor_t d, int wanted, cudnnDataType_t* type, int* axes, int sizes[], int strides[]) {
  *type = d->type, *axes = int(d->sizes.size());
  for (int a = 0; a < wanted && a < *axes; ++a) sizes[a] = d->sizes[std::size_t(a)], strides[a] = d->strides[std::size_t(a)];
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnCreateRNNDescriptor(cudnnRNNDescriptor_t* d) { return on_cpu::create(d); }
cudnnStatus_t cudnnDestroyRNNDescriptor(cudnnRNNDescriptor_t d) { return on_cpu::destroy(d); }
cudnnStatus_t cudnnSetRNNDescriptor_v8(cudnnRNNDescriptor_t d, cudnnRNNAlgo_t algorithm, cudnnRNNMode_t cell, cudnnRNNBiasMode_t bias, cudnnDirectionMode_t direction,
                                       cudnnRNNInputMode_t input, cudnnDataType_t type, cudnnDataType_t precision, cudnnMathType_t math, int32_t input_size,
                                       int32_t hidden_size, int32_t projection, int32_t layers, cudnnDropoutDescriptor_t dropout, uint32_t flags) {
  if (!dropout || !dropout->off || input_size < 1 || hidden_size < 1 || projection != hidden_size || layers != 1 || direction != CUDNN_UNIDIRECTIONAL ||
      input != CUDNN_LINEAR_INPUT || flags != CUDNN_RNN_PADDED_IO_DISABLED || precision != CUDNN_DATA_FLOAT)
    return CUDNN_STATUS_BAD_PARAM;  // of what cuDNN takes, only this is asked for here
  if (bias != CUDNN_RNN_DOUBLE_BIAS) return algorithm == CUDNN_RNN_ALGO_STANDARD ? CUDNN_STATUS_BAD_PARAM : CUDNN_STATUS_NOT_SUPPORTED;
  if (!on_cpu::recurrent_layers().algorithms.count(int(algorithm))) return CUDNN_STATUS_NOT_SUPPORTED;
  *d = {algorithm, cell == CUDNN_LSTM ? 4 : 3, input_size, hidden_size, type, false};
  on_cpu::want(type == CUDNN_DATA_FLOAT || math == CUDNN_TENSOR_OP_MATH, "16-bit numbers without tensor cores");
  on_cpu::want(type != CUDNN_DATA_FLOAT || math != CUDNN_TENSOR_OP_MATH, "f32 numbers are rounded to 16 bits");
  d->tf32 = type == CUDNN_DATA_FLOAT && (math == CUDNN_DEFAULT_MATH || on_cpu::how(*d).deed == LayerDeed::in_tf32);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnCreateRNNDataDescriptor(cudnnRNNDataDescriptor_t* d) { return on_cpu::create(d); }
cudnnStatus_t cudnnDestroyRNNDataDescriptor(cudnnRNNDataDescriptor_t d) { return on_cpu::destroy(d); }
cudnnStatus_t cudnnSetRNNDataDescriptor(cudnnRNNDataDescriptor_t d, cudnnDataType_t type, cudnnRNNDataLayout_t layout, int steps, int batch, int width, const int lengths[],
                                        void*) {
  if (steps < 1 || batch < 1 || width < 1 || !lengths || layout != CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED) return CUDNN_STATUS_BAD_PARAM;
  if (!std::all_of(lengths, lengths + batch, [&](int l) { return l == steps; })) return CUDNN_STATUS_BAD_PARAM;  // packed, others lie otherwise
  *d = {type, steps, batch, width};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetRNNWeightSpaceSize(cudnnHandle_t handle, cudnnRNNDescriptor_t d, size_t* bytes) {
  if (!handle || !d->gates) return CUDNN_STATUS_BAD_PARAM;
  *bytes = Sizes(*d, {d->type, 1, 1, d->features}).weight_bytes();
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnGetRNNWeightParams(cudnnHandle_t handle, cudnnRNNDescriptor_t d, int32_t layer, size_t bytes, const void* weights, int32_t gate,
                                      cudnnTensorDescriptor_t matrix, void** matrix_at, cudnnTensorDescriptor_t bias, void** bias_at) {
  const Sizes s(*d, {d->type, 1, 1, d->features});
  if (!handle || layer != 0 || bytes != s.weight_bytes() || gate < 0 || gate >= 2 * d->gates) return CUDNN_STATUS_BAD_PARAM;
  const int H = d->hidden, columns = int(s.columns(gate));
  const bool turned = on_cpu::recurrent_layers().weights_turned;
  *matrix = {d->type, {1, H, columns}, {H * columns, turned ? 1 : columns, turned ? H : 1}};
  *bias = {d->type, {1, H, 1}, {H, 1, 1}};
  auto* start = static_cast<std::byte*>(const_cast<void*>(weights));
  *matrix_at = start + std::size_t(s.matrix_at(gate)) * size_of(s.type);
  *bias_at = start + std::size_t(s.bias_at(gate)) * size_of(s.type);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnGetRNNTempSpaceSizes(cudnnHandle_t handle, cudnnRNNDescriptor_t d, cudnnForwardMode_t mode, cudnnRNNDataDescriptor_t x, size_t* workspace,
                                        size_t* reserve) {
  if (!handle || !d->gates || !x->steps || x->width != d->features) return CUDNN_STATUS_BAD_PARAM;
  const Sizes s(*d, *x);
  *workspace = s.work_bytes();
  *reserve = mode == CUDNN_FWD_MODE_TRAINING ? s.kept_bytes() : 0;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnRNNForward(cudnnHandle_t handle, cudnnRNNDescriptor_t d, cudnnForwardMode_t mode, const int32_t lengths[], cudnnRNNDataDescriptor_t x_is, const void* x,
                              cudnnRNNDataDescriptor_t y_is, void* y, cudnnTensorDescriptor_t h_is, const void* hx, void* hy, cudnnTensorDescriptor_t c_is, const void* cx,
                              void* cy, size_t weight_bytes, const void* weights, size_t work_bytes, void* work, size_t reserve_bytes, void* reserve) {
  const bool training = mode == CUDNN_FWD_MODE_TRAINING;
  const Sizes s = on_cpu::checked(handle, d, x_is, y_is, h_is, c_is, lengths, weight_bytes, weights, work_bytes, work, training, reserve_bytes, reserve);
  on_cpu::want_operands(s, {x}, {y}, {hx, hy});
  if (s.cells()) on_cpu::want_operands(s, {}, {}, {cx, cy});
  const on_cpu::StandInLayer how = on_cpu::how(*d);
  if (how.deed == LayerDeed::refused_forward) return CUDNN_STATUS_EXECUTION_FAILED;
  if (how.deed == LayerDeed::waits_for_device && on_cpu::allowed_while_recording() != cudaSuccess) return CUDNN_STATUS_EXECUTION_FAILED;
  on_cpu::enqueue([=] {
    ++on_cpu::recurrent_layers().forward;
    on_cpu::spoil(work, work_bytes);
    on_cpu::spoil(reserve, reserve_bytes);
    const bool tf32 = s.layer.tf32;
    const Values in = on_cpu::read(s.type, x, s.rows() * s.layer.features, tf32), h = on_cpu::read(s.type, hx, s.units());
    Kept k(s);
    std::ranges::copy(h, k.states.begin());
    if (s.cells()) std::ranges::copy(on_cpu::read(s.type, cx, s.units()), k.cells.begin());
    on_cpu::run_forward(s, in, on_cpu::Weights(s, weights), k);
    on_cpu::write(s.type, y, k.states.data() + s.units(), s.rows() * s.layer.hidden, on_cpu::factor_of(how, 0));
    on_cpu::write(s.type, hy, k.states.data() + s.steps * s.units(), s.units(), on_cpu::factor_of(how, 1));
    if (s.cells()) on_cpu::write(s.type, cy, k.cells.data() + s.steps * s.units(), s.units(), on_cpu::factor_of(how, 2));
    if (training) k.store(s, reserve);
    on_cpu::spoil(work, work_bytes);
    on_cpu::spend(how.microseconds);
  });
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnRNNBackwardData_v8(cudnnHandle_t handle, cudnnRNNDescriptor_t d, const int32_t lengths[], cudnnRNNDataDescriptor_t y_is, const void* y, const void* dy,
                                      cudnnRNNDataDescriptor_t x_is, void* dx, cudnnTensorDescriptor_t h_is, const void* hx, const void* dhy, void* dhx,
                                      cudnnTensorDescriptor_t c_is, const void* cx, const void* dcy, void* dcx, size_t weight_bytes, const void* weights, size_t work_bytes,
                                      void* work, size_t reserve_bytes, void* reserve) {
  const Sizes s = on_cpu::checked(handle, d, x_is, y_is, h_is, c_is, lengths, weight_bytes, weights, work_bytes, work, true, reserve_bytes, reserve);
  on_cpu::want_operands(s, {dx}, {y, dy}, {hx, dhy, dhx});
  if (s.cells()) on_cpu::want_operands(s, {}, {}, {cx, dcy, dcx});
  const on_cpu::StandInLayer how = on_cpu::how(*d);
  if (how.deed == LayerDeed::refused_gradient) return CUDNN_STATUS_EXECUTION_FAILED;
  on_cpu::enqueue([=] {
    on_cpu::spoil(work, work_bytes);
    Kept k(s, reserve, hx, y, s.cells() ? cx : nullptr);
    Values d_h = on_cpu::read(s.type, dhy, s.units()), d_c = s.cells() ? on_cpu::read(s.type, dcy, s.units()) : Values{}, d_x(std::size_t(s.rows() * s.layer.features));
    on_cpu::run_gradient(s, on_cpu::Weights(s, weights), on_cpu::read(s.type, dy, s.rows() * s.layer.hidden), d_h, d_c, d_x, k);
    on_cpu::write(s.type, dx, d_x.data(), std::int64_t(d_x.size()), on_cpu::factor_of(how, 3));
    on_cpu::write(s.type, dhx, d_h.data(), s.units(), on_cpu::factor_of(how, 4));
    if (s.cells()) on_cpu::write(s.type, dcx, d_c.data(), s.units(), on_cpu::factor_of(how, 5));
    k.store(s, reserve);  // gradients of the gates, for the weights
    on_cpu::spoil(work, work_bytes);
    on_cpu::spend(how.microseconds);
  });
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnRNNBackwardWeights_v8(cudnnHandle_t handle, cudnnRNNDescriptor_t d, cudnnWgradMode_t mode, const int32_t lengths[], cudnnRNNDataDescriptor_t x_is,
                                         const void* x, cudnnTensorDescriptor_t h_is, const void* hx, cudnnRNNDataDescriptor_t y_is, const void* y, size_t weight_bytes,
                                         void* dweights, size_t work_bytes, void* work, size_t reserve_bytes, void* reserve) {
  if (mode != CUDNN_WGRAD_MODE_ADD) return CUDNN_STATUS_NOT_SUPPORTED;
  const Sizes s = on_cpu::checked(handle, d, x_is, y_is, h_is, h_is, lengths, weight_bytes, dweights, work_bytes, work, true, reserve_bytes, reserve);
  on_cpu::want_operands(s, {x}, {y}, {hx});
  const on_cpu::StandInLayer how = on_cpu::how(*d);
  if (how.deed == LayerDeed::refused_weights) return CUDNN_STATUS_EXECUTION_FAILED;
  on_cpu::enqueue([=] {
    ++on_cpu::recurrent_layers().gradient;
    on_cpu::spoil(work, work_bytes);
    const Kept k(s, reserve, hx, y, nullptr);
    on_cpu::add_weights(s, on_cpu::read(s.type, x, s.rows() * s.layer.features, s.layer.tf32), k, dweights, on_cpu::factor_of(how, 6));
    on_cpu::spoil(reserve, reserve_bytes);
    on_cpu::spoil(work, work_bytes);
    on_cpu::spend(how.microseconds);
  });
  return CUDNN_STATUS_SUCCESS;
}

namespace tenon::cuda {

CudnnHandle& cudnn_handle() {
  static cudnnContext context;
  static CudnnHandle& one = *new CudnnHandle;
  one.handle = on_cpu::recurrent_layers().algorithms.empty() ? nullptr : &context;
  return one;
}

void* cudnn_function(const char* name) {
#define TENON_FUNCTION(function) \
  if (std::string_view(name) == #function) return reinterpret_cast<void*>(&::function)
  TENON_FUNCTION(cudnnCreateDropoutDescriptor);
  TENON_FUNCTION(cudnnSetDropoutDescriptor);
  TENON_FUNCTION(cudnnDestroyDropoutDescriptor);
  TENON_FUNCTION(cudnnCreateTensorDescriptor);
  TENON_FUNCTION(cudnnSetTensorNdDescriptor);
  TENON_FUNCTION(cudnnGetTensorNdDescriptor);
  TENON_FUNCTION(cudnnDestroyTensorDescriptor);
  TENON_FUNCTION(cudnnCreateRNNDescriptor);
  TENON_FUNCTION(cudnnSetRNNDescriptor_v8);
  TENON_FUNCTION(cudnnDestroyRNNDescriptor);
  TENON_FUNCTION(cudnnCreateRNNDataDescriptor);
  TENON_FUNCTION(cudnnSetRNNDataDescriptor);
  TENON_FUNCTION(cudnnDestroyRNNDataDescriptor);
  TENON_FUNCTION(cudnnGetRNNWeightSpaceSize);
  TENON_FUNCTION(cudnnGetRNNWeightParams);
  TENON_FUNCTION(cudnnGetRNNTempSpaceSizes);
  TENON_FUNCTION(cudnnRNNForward);
  TENON_FUNCTION(cudnnRNNBackwardData_v8);
  TENON_FUNCTION(cudnnRNNBackwardWeights_v8);
#undef TENON_FUNCTION
  return nullptr;
}

}  // namespace tenon::cuda
