#include "genomics/models/sequence_net.hpp"

#include <catch2/catch.hpp>

#include "core/ops/gradient_check.hpp"
#include "genomics/models/models.hpp"
#include "tenon/autograd.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::genomics;
using Catch::Matchers::Contains;

namespace {

Tensor random_codes(std::int64_t n, std::int64_t length, std::uint64_t seed, std::uint64_t below = 5) {
  std::vector<std::uint8_t> codes;
  for (std::int64_t i = 0; i < n * length; ++i) codes.push_back(std::uint8_t(Random(seed, 1).below(std::uint64_t(i), below)));
  return Tensor::from(codes, {n, length});
}

ModelContext context(std::int64_t length, std::int64_t classes = 3) {
  ModelContext c;
  c.in_channels = 4;
  c.out_channels = classes;
  c.spatial = {length};
  return c;
}

ParamValues given(const ModelEntry& entry, const std::vector<std::pair<std::string, std::string>>& values) {
  ParamValues v(entry.params);
  for (const auto& [name, text] : values) v.set_from_text(entry.params, name, text, "test");
  return v;
}

/// With running statistics that are not those of the start.
nn::ModulePtr made(const ModelEntry& entry, const ModelContext& c, const std::vector<std::pair<std::string, std::string>>& values) {
  auto net = entry.make(given(entry, values), c);
  net->initialise(7);
  net->set_random_key(Tensor::from(std::vector<std::int64_t>{3, 0}, {2}));
  NoGrad none;
  net->train();
  for (int i = 0; i < 3; ++i) net->forward(random_codes(16, c.spatial[0], std::uint64_t(i)));
  net->eval();
  return net;
}

const std::vector<std::pair<std::string, std::string>> kSmallBasset{{"filters", "[12, 20]"}, {"kernels", "[7, 5]"}, {"pools", "[3, 2]"}, {"hidden", "[24]"}};
const std::vector<std::pair<std::string, std::string>> kSmallDilated{{"filters", "20"}, {"kernel", "9"}, {"dilations", "[1, 2, 4]"}};

std::vector<std::pair<std::string, std::string>> with(std::vector<std::pair<std::string, std::string>> values, const std::string& name, const std::string& text) {
  values.emplace_back(name, text);
  return values;
}

}  // namespace

TEST_CASE("codes of the other strand", "[genomics][strand]") {
  const Tensor codes = Tensor::from(std::vector<std::uint8_t>{0, 1, 2, 3, 4, 0}, {1, 6});
  CHECK(reverse_complement_codes(codes).to_vector() == std::vector<double>{3, 4, 0, 1, 2, 3});
  const Tensor many = random_codes(9, 31, 5);
  CHECK(reverse_complement_codes(reverse_complement_codes(many)).to_vector() == many.to_vector());
}

TEST_CASE("the first layer reads letters as a convolution reads their one-hot vectors, N as zeros", "[genomics][models]") {
  LetterConv layer(6, 5, true, DType::f32);
  layer.initialise(3);
  const Tensor codes = random_codes(4, 20, 2);
  NoGrad none;
  const Tensor expected = conv(one_hot(codes, 4), layer.weight, layer.bias, {.padding = {2}});
  check::require_close(layer.forward(codes).to_vector(), expected.to_vector(), 1e-5);
  const Tensor unknown = Tensor::full({1, 20}, 4, DType::u8);
  for (double v : layer.forward(unknown).to_vector()) CHECK(v == 0);  // the bias begins with 0
}

TEST_CASE("tied networks give both strands the same bytes", "[genomics][strand]") {
  for (std::int64_t length : {30, 47, 60})
    for (const bool basset : {false, true})
      for (const char* head : {"dense", "mean", "max", "mean_max"}) {
        if (basset && std::string(head) != "dense") continue;
        INFO((basset ? "basset " : "dilated ") << head << ", " << length << " bases");
        const auto values = basset ? with(kSmallBasset, "strand", "tied") : with(with(kSmallDilated, "head", head), "strand", "tied");
        const auto net = made(basset ? basset_model() : dilated_model(), context(length), values);
        NoGrad none;
        const Tensor codes = random_codes(11, length, 77), turned = reverse_complement_codes(codes);
        CHECK(codes.to_vector() != turned.to_vector());
        const auto one = net->forward(codes).to_vector(), other = net->forward(turned).to_vector();
        CHECK(one == other);
        // a strand of its own in the batch changes nothing for its neighbours
        const Tensor mixed = concat({codes.narrow(0, 0, 5), turned.narrow(0, 5, 6)}, 0);
        CHECK(net->forward(mixed).to_vector() == one);
        for (std::size_t i = 3; i < one.size(); ++i) REQUIRE(one[i] == one[i]);
        CHECK(one != net->forward(random_codes(11, length, 78)).to_vector());
      }
}

TEST_CASE("tied networks learn from both strands: the other strand's gradient is the same", "[genomics][strand]") {
  const auto net = made(dilated_model(), context(40), with(kSmallDilated, "strand", "tied"));
  const Tensor codes = random_codes(6, 40, 9), labels = Tensor::from(std::vector<std::int64_t>{0, 1, 2, 0, 1, 2}, {6});
  std::vector<std::vector<double>> gradients_of;
  for (const Tensor& x : {codes, reverse_complement_codes(codes)}) {
    std::vector<Tensor> leaves;
    for (const auto& [name, p] : net->parameters()) leaves.push_back(p);
    std::vector<double> all;
    for (const Tensor& g : gradients({cross_entropy(net->forward(x), labels)}, leaves))
      for (double v : g.to_vector()) all.push_back(v);
    gradients_of.push_back(all);
  }
  check::require_close(gradients_of[0], gradients_of[1], 1e-5);  // sums over the batch run in another order
}

TEST_CASE("average predicts the mean of both strands, none and augment the given one", "[genomics][strand]") {
  const Tensor codes = random_codes(5, 33, 4);
  std::map<std::string, std::vector<double>> given_strand, other_strand;
  for (const char* strand : {"none", "augment", "average"}) {
    const auto net = made(dilated_model(), context(33), with(kSmallDilated, "strand", strand));
    NoGrad none;
    given_strand[strand] = net->forward(codes).to_vector();
    other_strand[strand] = net->forward(reverse_complement_codes(codes)).to_vector();
  }
  CHECK(given_strand["none"] == given_strand["augment"]);
  CHECK(given_strand["average"] == other_strand["average"]);
  CHECK(given_strand["none"] != other_strand["none"]);
  for (std::size_t i = 0; i < given_strand["none"].size(); ++i)
    CHECK(given_strand["average"][i] == Approx((given_strand["none"][i] + other_strand["none"][i]) / 2).margin(1e-5));
}

TEST_CASE("the same bits for any number of threads", "[genomics][threads]") {
  const Tensor codes = random_codes(13, 50, 6);
  for (const auto& entry : {basset_model(), dilated_model()})
    check::same_bits([&] {
      const auto net = entry.make(given(entry, entry.name == "basset" ? kSmallBasset : kSmallDilated), context(50));
      net->initialise(1);
      net->set_random_key(Tensor::from(std::vector<std::int64_t>{3, 0}, {2}));
      std::vector<Tensor> leaves;
      for (const auto& [name, p] : net->parameters()) leaves.push_back(p);
      const Tensor y = net->forward(codes);
      auto out = gradients({sum(square(y))}, leaves);
      out.push_back(y.detach());
      return out;
    });
}

TEST_CASE("what makes no network is refused by name", "[genomics][models]") {
  const auto refuses = [](const ModelEntry& entry, const std::vector<std::pair<std::string, std::string>>& values, std::int64_t length, const std::string& words) {
    CHECK_THROWS_WITH(entry.make(given(entry, values), context(length)), Contains(words));
  };
  refuses(basset_model(), {}, 20, "model.pools leave nothing of 20 bases");
  refuses(basset_model(), {{"filters", "[3]"}}, 200, "1 filters, 3 kernels");
  refuses(dilated_model(), {{"kernel", "4"}}, 60, "odd number");
  refuses(dilated_model(), {{"pool", "70"}}, 60, "leave nothing of 60 bases");
  ModelContext images = context(60);
  images.spatial = {8, 8};
  CHECK_THROWS_WITH(dilated_model().make(given(dilated_model(), {}), images), Contains("sequences of one length"));
  const auto net = made(dilated_model(), context(33), kSmallDilated);
  CHECK_THROWS_WITH(net->forward(random_codes(2, 34, 1)), Contains("33 bases"));
}
