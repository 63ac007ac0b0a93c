#include "backend/cpu/conv_tasks.hpp"

#include <algorithm>

#include "backend/cpu/ceil_div.hpp"

namespace tenon::cpu {
namespace {

constexpr std::int64_t kMostTasks = 32;
constexpr double kFlopsWorthATask = 4e6;             // some 20 us at one core's f32 rate
constexpr std::int64_t kVoxelsWorthAPartial = 2048;  // so that adding the partial sums costs a few per cent

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a >= 0 ? a / b : -ceil_div(-a, b);
}

ConvTask whole(const ConvGeometry& g, std::int64_t sample, std::int64_t samples) {
  ConvTask t;
  t.part = g;
  t.part.batch = samples;
  t.sample = sample;
  t.own_in_rows = g.in[0];
  return t;
}

/// Rows [begin, end) of y and the rows of x that they read. False where they would read padding only.
bool output_slab(const ConvGeometry& g, std::int64_t begin, std::int64_t end, ConvTask& t) {
  std::int64_t low = begin * g.stride[0] - g.pad[0], high = (end - 1) * g.stride[0] - g.pad[0] + g.reach(0);
  std::int64_t first = std::clamp<std::int64_t>(low, 0, g.in[0]), last = std::clamp<std::int64_t>(high, 0, g.in[0]);
  if (first >= last || low > first) return false;
  t.part.out[0] = end - begin;
  t.part.in[0] = last - first;
  t.part.pad[0] = first - low;
  t.in_row = first;
  t.out_row = begin;
  std::int64_t own_end = end == g.out[0] ? g.in[0] : std::clamp<std::int64_t>(end * g.stride[0] - g.pad[0], 0, g.in[0]);
  t.own_in_row = begin == 0 ? 0 : std::clamp<std::int64_t>(begin * g.stride[0] - g.pad[0], 0, g.in[0]);
  t.own_in_rows = own_end - t.own_in_row;
  return true;
}

/// Rows [begin, end) of x and the rows of y whose windows reach them. `begin + pad` is a multiple of the stride, or 0.
bool input_slab(const ConvGeometry& g, std::int64_t begin, std::int64_t end, ConvTask& t) {
  std::int64_t low = floor_div(begin + g.pad[0] - g.reach(0), g.stride[0]) + 1;
  low = std::min(low, floor_div(begin + g.pad[0], g.stride[0]));  // the padding before a slab cannot be negative
  std::int64_t first = std::clamp<std::int64_t>(low, 0, g.out[0]);
  std::int64_t last = std::clamp<std::int64_t>(floor_div(end - 1 + g.pad[0], g.stride[0]) + 1, 0, g.out[0]);
  if (first >= last) return false;
  t.part.in[0] = end - begin;
  t.part.out[0] = last - first;
  t.part.pad[0] = begin + g.pad[0] - first * g.stride[0];
  t.in_row = begin;
  t.out_row = first;
  std::int64_t unread = t.part.in[0] + t.part.pad[0] - ((t.part.out[0] - 1) * g.stride[0] + g.reach(0));
  return t.part.pad[0] >= 0 && unread < g.stride[0];
}

}  // namespace

std::int64_t pad_after(const ConvGeometry& g, int axis) {
  auto a = std::size_t(axis);
  return std::max<std::int64_t>(0, (g.out[a] - 1) * g.stride[a] + g.reach(axis) - g.in[a] - g.pad[a]);
}

std::vector<ConvTask> cut_convolution(const ConvGeometry& g, ConvPass pass, std::int64_t most) {
  std::vector<ConvTask> tasks;
  bool over_input = pass == ConvPass::input_gradient;
  std::int64_t rows = over_input ? g.in[0] : g.out[0];
  std::int64_t slabs = std::clamp<std::int64_t>(most / g.batch, 1, rows);
  std::int64_t height = ceil_div(rows, slabs), first_height = height;
  if (over_input && g.stride[0] > 1) {  // slabs begin where a window may begin
    height = ceil_div(height, g.stride[0]) * g.stride[0];
    first_height = height - g.pad[0] % g.stride[0];
  }
  if (slabs > 1) {
    for (std::int64_t n = 0; n < g.batch; ++n) {
      for (std::int64_t begin = 0; begin < rows;) {
        std::int64_t end = std::min(rows, begin == 0 ? first_height : begin + height);
        ConvTask t = whole(g, n, 1);
        if (over_input ? !input_slab(g, begin, end, t) : !output_slab(g, begin, end, t)) {
          slabs = 1;  // some rows meet padding only: an odd size, not worth a rule of its own
          break;
        }
        tasks.push_back(t);
        begin = end;
      }
      if (slabs == 1) break;
    }
    if (slabs > 1) return tasks;
    tasks.clear();
  }
  std::int64_t samples = ceil_div(g.batch, std::clamp<std::int64_t>(most, 1, g.batch));
  for (std::int64_t n = 0; n < g.batch; n += samples) tasks.push_back(whole(g, n, std::min(samples, g.batch - n)));
  return tasks;
}

std::int64_t task_budget(const ConvGeometry& g, ConvPass pass) {
  auto by_work = std::int64_t(g.flops() / kFlopsWorthATask);
  std::int64_t budget = std::clamp<std::int64_t>(by_work, 1, kMostTasks);
  if (pass != ConvPass::weight_gradient) return budget;
  std::int64_t by_voxels = std::max<std::int64_t>(2, g.batch * g.out_voxels() / kVoxelsWorthAPartial);
  return std::min(budget, by_voxels);
}

}  // namespace tenon::cpu
