/// Sums of errors on the device, in one pass over what is compared.
#include <bit>

#include "backend/cuda/faults.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/lanes.cuh"
#include "ops/row_parts.cuh"

namespace tenon::cuda {
namespace {

/// N elements of any floating type.
template <int N>
__device__ __forceinline__ void load_doubles(DType t, const void* p, std::int64_t at, double (&to)[N]) {
  if (t == DType::f64) return load_lanes<double, N>(t, p, at, to);
  float narrow[N];
  load_lanes<float, N>(t, p, at, narrow);
#pragma unroll
  for (int i = 0; i < N; ++i) to[i] = double(narrow[i]);
}

struct ErrorOperands {
  DType x, truth, weight, centre;
  Given weights, centres;
};

template <int N>
__device__ __forceinline__ void add_errors(const ErrorOperands& k, const void* const* from, std::int64_t element, std::int64_t in_row, double mean_x, double mean_truth,
                                           const FaultSite& fault, double (&sums)[kErrorSums]) {
  double x[N], truth[N], weight[N], centre[N];
  load_doubles<N>(k.x, from[0], element, x);
  load_doubles<N>(k.truth, from[1], element, truth);
  if (k.weights != Given::none) load_doubles<N>(k.weight, from[2], k.weights == Given::each ? element : in_row, weight);
  if (k.centres != Given::none) load_doubles<N>(k.centre, from[3], k.centres == Given::each ? element : in_row, centre);
  const bool climatology = k.centres != Given::none;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const ErrorElement<double> e{x[i], truth[i], k.weights != Given::none ? weight[i] : 1.0, climatology ? centre[i] : mean_x, climatology ? centre[i] : mean_truth};
#pragma unroll
    for (int m = 0; m < kErrorSums; ++m) sums[m] += e.term(m);
    if (!e.is_taken(climatology)) fault.raise(refused_at(element + i, why_refused(e)), std::bit_cast<std::int64_t>(blamed(e)));
  }
}

struct ErrorAddresses {
  const void* of[4];
};

template <int N>
__global__ void __launch_bounds__(kBlock, 2)
    sum_errors(PartCut k, ErrorOperands kinds, ErrorAddresses from, const double* means, double* partial, double* out, FaultSite fault) {
  __shared__ double shared[kBlock / 32];
  const PartPlace at = part_place(k);
  double sums[kErrorSums];
#pragma unroll
  for (int m = 0; m < kErrorSums; ++m) sums[m] = 0;
  const std::int64_t element = at.row * k.n + at.first, whole = at.count / N * N;
  const bool centred = means && at.row < k.rows;
  const double mean_x = centred ? means[at.row] : 0, mean_truth = centred ? means[k.rows + at.row] : 0;
  for (std::int64_t i = std::int64_t(at.lane) * N; i < whole; i += std::int64_t(k.team) * N)
    add_errors<N>(kinds, from.of, element + i, at.first + i, mean_x, mean_truth, fault, sums);
  if constexpr (N > 1)
    for (std::int64_t i = whole + at.lane; i < at.count; i += k.team) add_errors<1>(kinds, from.of, element + i, at.first + i, mean_x, mean_truth, fault, sums);
  finish_rows<double, kErrorSums>(k, at, sums, partial, shared, [&](const double(&total)[kErrorSums]) {
#pragma unroll
    for (int m = 0; m < kErrorSums; ++m) out[m * k.rows + at.row] = total[m];
    if (total[0] == 0) fault.raise(kNoWeight + at.row, k.rows);
  });
}

Kernel make_error_sums(const ErrorSumming& p) {
  const FaultSite fault = fault_site(std::string("numbers of ") + p.op, [op = p.op](std::int64_t value, std::int64_t at) { refuse_metric(op, value, at); });
  return [p, fault](void* const* o) {
    constexpr int N = 4;
    const ErrorOperands kinds{p.x, p.truth, p.weight, p.centre, p.weights, p.centres};
    ErrorAddresses from{{o[0], o[1], nullptr, nullptr}};
    void* const* next = o + 2;
    if (p.weights != Given::none) from.of[2] = *next++;
    if (p.centres != Given::none) from.of[3] = *next++;
    const double* means = p.means ? static_cast<const double*>(*next++) : nullptr;
    double *partial = static_cast<double*>(next[0]), *out = static_cast<double*>(next[1]);
    bool aligned = p.cut.rows == 1 || p.cut.n % N == 0;
    const DType types[] = {p.x, p.truth, p.weight, p.centre};
    for (int i = 0; i < 4; ++i) aligned = aligned && is_aligned(from.of[i], lanes_alignment(size_of(types[i]), N));
    const PartCut k(p.cut, aligned ? N : 1);
    start("error_sums", dim3(k.blocks()), dim3(kBlock), 0, aligned ? sum_errors<N> : sum_errors<1>, k, kinds, from, means, partial, out, fault);
  };
}

}  // namespace

void install_error_sums() { error_sums_kernel.set(DeviceType::cuda, make_error_sums); }

}  // namespace tenon::cuda
