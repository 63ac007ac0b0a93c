/// Resizing on the device: a thread gathers neighbouring channels of one output voxel by tables that are made with the kernel. Where an
/// output has many taps, as in an average of all or the gradient of one voxel made large, they are shared.
#include <memory>

#include "backend/cuda/install.hpp"
#include "backend/cuda/scratch.cuh"
#include "backend/cuda/window_team.cuh"
#include "ops/dispatch.hpp"
#include "ops/resize_kernels.hpp"

namespace tenon::cuda {
namespace {

/// An AxisMap in the device's memory, released in the order of the stream. Weights in W.
template <class W>
class DeviceMap {
 public:
  explicit DeviceMap(const AxisMap& m) : in_(m.in), out_(m.out), taps_(m.source.size()) {
    const std::size_t firsts = m.first.size() * sizeof(std::int32_t), sources = taps_ * sizeof(std::int32_t);
    source_at_ = taps_ * sizeof(W) + firsts;
    std::vector<std::byte> host(source_at_ + sources);
    const std::vector<W> weights(m.weight.begin(), m.weight.end());
    auto put = [&](std::size_t at, const void* from, std::size_t bytes) {
      if (bytes > 0) std::memcpy(host.data() + at, from, bytes);
    };
    put(0, weights.data(), taps_ * sizeof(W));
    put(taps_ * sizeof(W), m.first.data(), firsts);
    put(source_at_, m.source.data(), sources);
    memory_ = DeviceMemory::holding(host.data(), host.size());
  }

  struct View {
    std::int64_t in, out;
    const W* weight;
    const std::int32_t *first, *source;
  };
  View view() const {
    const auto* p = memory_->as<const std::byte>();
    return {in_, out_, reinterpret_cast<const W*>(p), reinterpret_cast<const std::int32_t*>(p + taps_ * sizeof(W)),
            reinterpret_cast<const std::int32_t*>(p + source_at_)};
  }

 private:
  std::int64_t in_, out_;
  std::size_t taps_, source_at_ = 0;
  std::shared_ptr<const DeviceMemory> memory_;
};

template <class W>
using View = typename DeviceMap<W>::View;

struct ResizeCut {
  std::int64_t samples, channels;
  unsigned slices;
  int tx, ty;
};

template <class T, int N>
__global__ void resize_voxels(ResizeCut k, View<double> z, View<double> y, View<double> x, const T* from, T* to) {
  using A = Acc<T>;
  const unsigned slice = blockIdx.x % k.slices;
  const std::int64_t voxel = std::int64_t(blockIdx.x / k.slices) * k.ty + int(threadIdx.x) / k.tx,
                     c = (std::int64_t(slice) * k.tx + int(threadIdx.x) % k.tx) * N;
  if (c >= k.channels || voxel >= k.samples * z.out * y.out * x.out) return;
  std::int64_t ox, oy, oz, sample;
  if (k.samples * z.out * y.out * x.out <= 0xffffffffll) {
    unsigned rest = unsigned(voxel);
    ox = rest % unsigned(x.out), rest /= unsigned(x.out);
    oy = rest % unsigned(y.out), rest /= unsigned(y.out);
    oz = rest % unsigned(z.out), sample = rest / unsigned(z.out);
  } else {
    std::int64_t rest = voxel;
    ox = rest % x.out, rest /= x.out;
    oy = rest % y.out, rest /= y.out;
    oz = rest % z.out, sample = rest / z.out;
  }
  A sum[N];
#pragma unroll
  for (int i = 0; i < N; ++i) sum[i] = A(0);
  const std::int32_t y0 = y.first[oy], y1 = y.first[oy + 1], x0 = x.first[ox], x1 = x.first[ox + 1];
  for (std::int32_t a = z.first[oz]; a < z.first[oz + 1]; ++a)
    for (std::int32_t b = y0; b < y1; ++b) {
      const double plane = z.weight[a] * y.weight[b];
      const T* line = from + ((sample * z.in + z.source[a]) * y.in + y.source[b]) * x.in * k.channels + c;
      for (std::int32_t d = x0; d < x1; ++d) {
        const A w = A(plane * x.weight[d]);
        A v[N];
        load_lanes<T, N>(line + x.source[d] * k.channels, v);
#pragma unroll
        for (int i = 0; i < N; ++i) sum[i] += w * v[i];
      }
    }
  store_lanes<T, N>(to + voxel * k.channels + c, sum);
}

/// x [outer, in, inner] -> y [outer, out, inner]: a thread N neighbours of one line of inner.
template <class T, int N>
__global__ void map_axis(ResizeCut k, View<T> m, const T* from, T* to) {
  const unsigned slice = blockIdx.x % k.slices;
  const std::int64_t line = std::int64_t(blockIdx.x / k.slices) * k.ty + int(threadIdx.x) / k.tx,
                     c = (std::int64_t(slice) * k.tx + int(threadIdx.x) % k.tx) * N;
  if (c >= k.channels || line >= k.samples * m.out) return;
  const bool small = k.samples * m.out <= 0xffffffffll;
  const std::int64_t outer = small ? std::int64_t(unsigned(line) / unsigned(m.out)) : line / m.out, at = line - outer * m.out;
  T sum[N];
#pragma unroll
  for (int i = 0; i < N; ++i) sum[i] = T(0);
  for (std::int32_t t = m.first[at]; t < m.first[at + 1]; ++t) {
    T v[N];
    load_lanes<T, N>(from + (outer * m.in + m.source[t]) * k.channels + c, v);
#pragma unroll
    for (int i = 0; i < N; ++i) sum[i] += m.weight[t] * v[i];
  }
  store_lanes<T, N>(to + line * k.channels + c, sum);
}

/// Two blocks: left to itself, the assembler spills for the sake of five.
template <class T, int N>
__global__ void __launch_bounds__(kBlock, 2)
    resize_team(WindowTeam k, View<double> z, View<double> y, View<double> x, const T* from, T* to, Acc<T>* left) {
  using A = Acc<T>;
  const WindowPlace at(k, N);
  std::int64_t rest = at.window;
  const std::int64_t ox = rest % x.out, oy = rest / x.out % y.out, oz = rest / (x.out * y.out) % z.out,
                     sample = rest / (x.out * y.out * z.out);
  const std::int32_t z0 = z.first[oz], y0 = y.first[oy], x0 = x.first[ox];
  A sum[N];
#pragma unroll
  for (int i = 0; i < N; ++i) sum[i] = A(0);
  each_of_window(k, at, z.first[oz + 1] - z0, y.first[oy + 1] - y0, x.first[ox + 1] - x0, [&](int a, int b, int d) {
    const A w = A(z.weight[z0 + a] * y.weight[y0 + b] * x.weight[x0 + d]);
    const std::int64_t voxel = ((sample * z.in + z.source[z0 + a]) * y.in + y.source[y0 + b]) * x.in + x.source[x0 + d];
    A v[N];
    load_lanes<T, N>(from + voxel * k.channels + at.c, v);
#pragma unroll
    for (int i = 0; i < N; ++i) sum[i] += w * v[i];
  });
  give_window_sum<T, N>(k, at, sum, A(1), to, left);
}

/// Windows: the lines of y.
template <class T, int N>
__global__ void __launch_bounds__(kBlock) map_axis_team(WindowTeam k, View<T> m, const T* from, T* to, T* left) {
  const WindowPlace at(k, N);
  const std::int64_t outer = at.window / m.out, own = at.window - outer * m.out;
  const std::int32_t first = m.first[own];
  T sum[N];
#pragma unroll
  for (int i = 0; i < N; ++i) sum[i] = T(0);
  each_of_window(k, at, 1, 1, m.first[own + 1] - first, [&](int, int, int t) {
    T v[N];
    load_lanes<T, N>(from + (outer * m.in + m.source[first + t]) * k.channels + at.c, v);
    const T w = m.weight[first + t];
#pragma unroll
    for (int i = 0; i < N; ++i) sum[i] += w * v[i];
  });
  give_window_sum<T, N>(k, at, sum, T(1), to, left);
}

ResizeCut resize_cut(std::int64_t samples, std::int64_t channels, int lanes) {
  const ColumnTile t = column_tile(channels / lanes, kFillBlocks);
  return {samples, channels, t.slices, t.tx, t.ty};
}

template <class... P, class... Given>
void start_lines(const char* name, const ResizeCut& k, std::int64_t lines, void (*kernel)(ResizeCut, P...), Given... given) {
  if (lines == 0 || k.channels == 0) return;
  start(name, dim3(grid_blocks((lines + k.ty - 1) / k.ty * k.slices)), dim3(k.tx * k.ty), 0, kernel, k, given...);
}

/// Taps of the output that has most.
std::int64_t most_taps(const AxisMap& m) {
  std::int64_t most = 0;
  for (std::size_t o = 0; o + 1 < m.first.size(); ++o) most = std::max<std::int64_t>(most, m.first[o + 1] - m.first[o]);
  return most;
}

/// run(team, from, to, what is left of parts, lanes), then the parts are joined.
template <class T, class Run>
Kernel team_kernel(const char* name, std::int64_t windows, std::int64_t channels, std::int64_t taps, const Run& run) {
  const WindowTeam team(windows, channels, taps, kLanes<T>);
  auto space = scratch(team.parts > 1 ? team.parts * std::size_t(team.results()) * sizeof(Acc<T>) : 0);
  return [=](void* const* o) {
    const T* from = static_cast<const T*>(o[0]);
    T* to = static_cast<T*>(o[1]);
    auto* left = space->template as<Acc<T>>();
    if (team.results() == 0) return;
    by_lanes<T>(team.channels, {from, to}, [&](auto lanes) { run(team.with(decltype(lanes)::value), from, to, left, lanes); });
    if (team.parts > 1)
      start_items(name, team.results(), join_window_sums<T>, static_cast<const Acc<T>*>(left), team.parts, team.results(), Acc<T>(1), to);
  };
}

template <class T>
Kernel make_resize(const Resizing& p) {
  const auto& axes = *p.axes;
  const DeviceMap<double> z(axes[0]), y(axes[1]), x(axes[2]);
  const std::int64_t voxels = p.samples * axes[0].out * axes[1].out * axes[2].out;
  if (const std::int64_t taps = most_taps(axes[0]) * most_taps(axes[1]) * most_taps(axes[2]);
      shares_windows(voxels, p.channels, taps, kLanes<T>))
    return team_kernel<T>("resize", voxels, p.channels, taps, [=](const WindowTeam& k, const T* from, T* to, Acc<T>* left, auto lanes) {
      start("resize", dim3(k.blocks()), dim3(unsigned(k.tx * k.ty)), 0, resize_team<T, decltype(lanes)::value>, k, z.view(), y.view(),
            x.view(), from, to, left);
    });
  return [=, samples = p.samples, channels = p.channels](void* const* o) {
    const T* from = static_cast<const T*>(o[0]);
    T* to = static_cast<T*>(o[1]);
    by_lanes<T>(channels, {from, to}, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      start_lines("resize", resize_cut(samples, channels, N), voxels, resize_voxels<T, N>, z.view(), y.view(), x.view(), from, to);
    });
  };
}

template <class T>
Kernel make_axis_map(const AxisMapping& p) {
  const DeviceMap<T> map(*p.map);
  if (const std::int64_t taps = most_taps(*p.map); shares_windows(p.outer * p.map->out, p.inner, taps, kLanes<T>))
    return team_kernel<T>("resize_axis", p.outer * p.map->out, p.inner, taps,
                          [=](const WindowTeam& k, const T* from, T* to, T* left, auto lanes) {
                            start("resize_axis", dim3(k.blocks()), dim3(unsigned(k.tx * k.ty)), 0, map_axis_team<T, decltype(lanes)::value>,
                                  k, map.view(), from, to, left);
                          });
  return [map, outer = p.outer, inner = p.inner, out = p.map->out](void* const* o) {
    const T* from = static_cast<const T*>(o[0]);
    T* to = static_cast<T*>(o[1]);
    by_lanes<T>(inner, {from, to}, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      start_lines("resize_axis", resize_cut(outer, inner, N), outer * out, map_axis<T, N>, map.view(), from, to);
    });
  };
}

}  // namespace

void install_resize() {
  resize_kernel.set(DeviceType::cuda, [](const Resizing& p) -> Kernel {
    return dispatch_floating("resize", p.dtype, [&](auto tag) -> Kernel { return make_resize<typename decltype(tag)::type>(p); });
  });
  axis_map_kernel.set(DeviceType::cuda, [](const AxisMapping& p) -> Kernel {
    return p.dtype == DType::f64 ? make_axis_map<double>(p) : make_axis_map<float>(p);
  });
}

}  // namespace tenon::cuda
