#include <catch2/catch.hpp>
#include <limits>
#include <numeric>

#include "tenon/error.hpp"
#include "tenon/random.hpp"
#include "tenon/tensor.hpp"

using namespace tenon;
using Catch::Matchers::Contains;

namespace {

/// The plain model of a view: all values in row-major order. Every operation makes a new one.
struct Dense {
  std::vector<std::int64_t> shape;
  std::vector<double> values;

  std::vector<std::int64_t> strides() const {
    std::vector<std::int64_t> s(shape.size());
    std::int64_t step = 1;
    for (std::size_t i = shape.size(); i-- > 0; step *= shape[i]) s[i] = step;
    return s;
  }
  /// Values at `start` + index . `steps`, for every index of `to`.
  Dense gather(std::vector<std::int64_t> to, const std::vector<std::int64_t>& steps, std::int64_t start) const {
    Dense out{std::move(to), {}};
    std::int64_t n = std::accumulate(out.shape.begin(), out.shape.end(), std::int64_t(1), std::multiplies<>());
    for (std::int64_t e = 0; e < n; ++e) {
      std::int64_t rest = e, at = start;
      for (std::size_t i = out.shape.size(); i-- > 0; rest /= out.shape[i]) at += rest % out.shape[i] * steps[i];
      out.values.push_back(values[std::size_t(at)]);
    }
    return out;
  }
};

/// Any factorisation of n, with ones thrown in.
std::vector<std::int64_t> random_shape(std::int64_t n, const Random& random, std::uint64_t& at) {
  std::vector<std::int64_t> shape;
  while (n > 1 && shape.size() < 5) {
    std::vector<std::int64_t> divisors;
    for (std::int64_t d = 1; d <= n; ++d)
      if (n % d == 0) divisors.push_back(d);
    std::int64_t d = divisors[random.below(at++, divisors.size())];
    shape.push_back(d);
    n /= d;
  }
  shape.push_back(n);
  return shape;
}

}  // namespace

TEST_CASE("random chains of views equal the plain model", "[views]") {
  for (std::uint64_t chain = 0; chain < 1500; ++chain) {
    Random random(11, chain);
    std::uint64_t at = 0;
    Dense model{{2, 3, 4, 1}, std::vector<double>(24)};
    std::iota(model.values.begin(), model.values.end(), 0);
    Tensor x = Tensor::arange(24, DType::f32).reshape({2, 3, 4, 1});
    std::string story;
    for (int step = 0; step < 7; ++step) {
      const std::size_t rank = model.shape.size();
      auto strides = model.strides();
      const std::size_t a = rank ? random.below(at++, rank) : 0, b = rank ? random.below(at++, rank) : 0;
      switch (random.below(at++, 7)) {
        case 0: {
          std::int64_t n = std::int64_t(model.values.size());
          if (n == 0) break;
          auto to = random_shape(n, random, at);
          x = x.reshape(Shape(to));
          model.shape = to;
          story += " reshape" + Shape(to).str();
          break;
        }
        case 1: {
          if (rank == 0) break;
          x = x.transpose(int(a), int(b) - int(rank));
          std::swap(model.shape[a], model.shape[b]);
          std::swap(strides[a], strides[b]);
          model = model.gather(model.shape, strides, 0);
          story += " transpose " + std::to_string(a) + " " + std::to_string(b);
          break;
        }
        case 2: {
          if (rank == 0 || model.shape[a] == 0) break;
          const auto start = std::int64_t(random.below(at++, std::uint64_t(model.shape[a])));
          const auto length = 1 + std::int64_t(random.below(at++, std::uint64_t(model.shape[a] - start)));
          x = x.narrow(int(a), start, length);
          auto to = model.shape;
          to[a] = length;
          model = model.gather(to, strides, start * strides[a]);
          story += " narrow " + std::to_string(a) + " " + std::to_string(start) + "+" + std::to_string(length);
          break;
        }
        case 3: {
          if (rank > 5) break;
          x = x.unsqueeze(int(a));
          model.shape.insert(model.shape.begin() + long(a), 1);
          story += " unsqueeze " + std::to_string(a);
          break;
        }
        case 4: {
          if (rank == 0 || model.shape[a] != 1) break;
          if (random.below(at++, 2)) {
            x = x.squeeze(int(a));
            model.shape.erase(model.shape.begin() + long(a));
            story += " squeeze " + std::to_string(a);
          } else if (model.values.size() <= 100) {
            auto to = model.shape;
            to[a] = 3;
            strides[a] = 0;
            x = x.expand(Shape(to));
            model = model.gather(to, strides, 0);
            story += " expand " + std::to_string(a);
          }
          break;
        }
        case 5: {
          if (rank == 0 || model.shape[a] == 0) break;
          const auto index = std::int64_t(random.below(at++, std::uint64_t(model.shape[a])));
          x = x.select(int(a), index);
          auto to = model.shape, steps = strides;
          to.erase(to.begin() + long(a));
          steps.erase(steps.begin() + long(a));
          model = model.gather(to, steps, index * strides[a]);
          story += " select " + std::to_string(a) + " " + std::to_string(index);
          break;
        }
        default: {
          if (rank != 3) break;
          x = x.permute({2, 0, 1});
          model = model.gather({model.shape[2], model.shape[0], model.shape[1]}, {strides[2], strides[0], strides[1]}, 0);
          story += " permute";
        }
      }
    }
    if (!(x.shape() == Shape(model.shape)) || x.to_vector() != model.values) {
      FAIL("chain " << chain << ":" << story);
    }
  }
}

TEST_CASE("views write through to the buffer", "[views]") {
  Tensor x = Tensor::zeros({2, 3, 4});
  x.narrow(2, 1, 2).select(0, 1).fill(1);
  x.permute({2, 0, 1}).select(0, 3).fill(2);
  x.reshape({6, 4}).select(0, 0).fill(3);
  CHECK(x.to_vector() == std::vector<double>{3, 3, 3, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 1, 2, 0, 1, 1, 2, 0, 1, 1, 2});
  CHECK(x.reshape({24}).storage() == x.storage());
  CHECK(x.unsqueeze(1).squeeze(1).storage() == x.storage());
}

TEST_CASE("reshape of a strided tensor is a view where strides allow it and a copy otherwise", "[views]") {
  Tensor x = Tensor::arange(24).reshape({2, 3, 4});
  Tensor inner = x.permute({1, 0, 2});  // [3, 2, 4]
  CHECK(inner.reshape({3, 2, 2, 2}).storage() == x.storage());
  CHECK(inner.reshape({3, 8}).storage() != x.storage());
  CHECK(inner.reshape({3, 8}).to_vector() == inner.to_vector());
  CHECK(x.narrow(1, 0, 2).reshape({2, 8}).storage() == x.storage());
  CHECK(x.narrow(1, 0, 2).reshape({16}).storage() != x.storage());
  CHECK(x.reshape({4, -1}).shape() == Shape{4, 6});
  CHECK(x.reshape({-1}).shape() == Shape{24});
  CHECK(Tensor::arange(1).reshape({}).rank() == 0);
}

TEST_CASE("an axis of size 1 with an odd stride does not mislead reshape", "[views]") {
  Tensor x = Tensor::arange(12).reshape({2, 1, 6}).narrow(2, 0, 2);  // sizes [2, 1, 2], strides [6, 6, 1]
  CHECK(x.reshape({4}).to_vector() == std::vector<double>{0, 1, 6, 7});
  Tensor y = Tensor::arange(12).reshape({2, 6}).narrow(1, 0, 4).unsqueeze(1);
  CHECK(y.reshape({2, 2, 2}).to_vector() == std::vector<double>{0, 1, 2, 3, 6, 7, 8, 9});
}

TEST_CASE("expand repeats without a copy", "[views]") {
  Tensor x = Tensor::arange(3);
  Tensor e = x.expand({2, 3});
  CHECK(e.storage() == x.storage());
  CHECK(e.to_vector() == std::vector<double>{0, 1, 2, 0, 1, 2});
  CHECK(x.unsqueeze(1).expand({3, 2}).to_vector() == std::vector<double>{0, 0, 1, 1, 2, 2});
  CHECK(Tensor::full({}, 5).expand({2, 2}).to_vector() == std::vector<double>{5, 5, 5, 5});
}

TEST_CASE("views refuse wrong arguments by name and with the shape", "[views]") {
  Tensor x = Tensor::zeros({2, 3});
  CHECK_THROWS_WITH(x.reshape({4}), Contains("reshape: f32[2, 3] cpu has 6 elements, [4] asks for another number"));
  CHECK_THROWS_WITH(x.reshape({-1, -1}), Contains("reshape:") && Contains("one size may be -1"));
  CHECK_THROWS_WITH(x.reshape({-2, -3}), Contains("reshape:"));
  CHECK_THROWS_WITH(x.reshape({4, -1}), Contains("another number"));
  CHECK_THROWS_WITH(x.permute({0}), Contains("permute: an order of 1 axes"));
  CHECK_THROWS_WITH(x.permute({0, 0}), Contains("named twice"));
  CHECK_THROWS_WITH(x.permute({0, 2}), Contains("axis 2 is not within the 2 axes"));
  CHECK_THROWS_WITH(x.transpose(0, -3), Contains("transpose: axis -3"));
  CHECK_THROWS_WITH(x.narrow(1, 2, 2), Contains("narrow: positions 2 to 4"));
  CHECK_THROWS_WITH(x.narrow(1, -1, 2), Contains("narrow:"));
  CHECK_THROWS_WITH(x.narrow(0, 1, -1), Contains("narrow:"));
  CHECK_THROWS_WITH(x.select(0, 2), Contains("select: index 2"));
  CHECK_THROWS_WITH(x.select(0, -1), Contains("select: index -1"));
  CHECK_THROWS_WITH(x.expand({3, 3}), Contains("expand: f32[2, 3] cpu does not broadcast to [3, 3]"));
  CHECK_THROWS_WITH(x.expand({3}), Contains("more axes"));
  CHECK_THROWS_WITH(x.expand({-1, 2, 3}), Contains("negative"));
  CHECK_THROWS_WITH(x.squeeze(0), Contains("squeeze: axis 0"));
  CHECK_THROWS_WITH(x.unsqueeze(4), Contains("unsqueeze: axis 4"));
}

TEST_CASE("slices are numpy's", "[views]") {
  const Tensor x = Tensor::arange(7, DType::f32);
  const auto values = [&](std::int64_t start, std::int64_t stop, std::int64_t step = 1) { return x.slice(0, start, stop, step).to_vector(); };
  using V = std::vector<double>;
  CHECK(values(1, 6, 2) == V{1, 3, 5});
  CHECK(values(0, 7, 3) == V{0, 3, 6});
  CHECK(values(-3, -1) == V{4, 5});
  CHECK(values(-100, 100, 4) == V{0, 4});
  CHECK(values(5, 2).empty());
  CHECK(values(9, 12, 2).empty());
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max(), least = std::numeric_limits<std::int64_t>::min();
  CHECK(values(2, most, most) == V{2});
  CHECK(values(least, most) == x.to_vector());
  CHECK(Tensor::zeros({0, 3}).slice(0, 0, 5, 2).shape() == Shape{0, 3});

  const Tensor grid = Tensor::arange(24, DType::i64).reshape({4, 6});
  const Tensor part = grid.slice(0, 1, most, 2).slice(-1, 0, 6, 3);
  CHECK(part.to_vector() == V{6, 9, 18, 21});
  CHECK(part.storage() == grid.storage());
  CHECK(grid.transpose(0, 1).slice(0, 4, 6).slice(1, 0, 4, 3).to_vector() == V{4, 22, 5, 23});

  CHECK_THROWS_WITH(x.slice(0, 0, 4, 0), Contains("slice: step 0 along axis 0 of f32[7]") && Contains("steps are 1 or more"));
  CHECK_THROWS_WITH(x.slice(1, 0, 4), Contains("slice: axis 1"));
}
