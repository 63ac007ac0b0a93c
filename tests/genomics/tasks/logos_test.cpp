#include "genomics/tasks/logos.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace tenon;
using namespace tenon::genomics;

namespace {

/// A network whose only filter looks for GAT.
class Gat final : public SequenceNet {
 public:
  explicit Gat(const ModelContext& context) : SequenceNet(Strand::none, context) {
    letters_ = add_module("letters", std::make_shared<LetterConv>(2, 3, false, DType::f32));
    std::vector<float> w(24, -1.0f);
    w[0 * 4 + 2] = w[1 * 4 + 0] = w[2 * 4 + 3] = 1;
    letters_->weight.assign(Tensor::from(w, {2, 3, 4}));
    make_head(context.spatial[0], 2, {"mean", {}, 0});
  }
  const LetterConv& letters() const override { return *letters_; }

 private:
  Tensor trunk(const Tensor& codes) override { return letters_->forward(codes); }
  std::shared_ptr<LetterConv> letters_;
};

ModelContext context(std::int64_t length) {
  ModelContext c;
  c.in_channels = 4;
  c.out_channels = 2;
  c.spatial = {length};
  return c;
}

}  // namespace

TEST_CASE("a filter's motif is what makes it answer", "[genomics][logo]") {
  // 20 sequences with GAT at place i % 8; the second filter answers nothing above 0
  std::vector<std::uint8_t> codes;
  for (int i = 0; i < 20; ++i)
    for (int j = 0; j < 12; ++j) codes.push_back(std::uint8_t(j == i % 8 ? 2 : j == i % 8 + 1 ? 0 : j == i % 8 + 2 ? 3 : 1));
  Gat net(context(12));
  const auto motifs = filter_motifs(net, Tensor::from(codes, {20, 12}));
  REQUIRE(motifs.size() == 1);
  CHECK(motifs[0].filter == 0);
  CHECK(motifs[0].sites == 20);
  CHECK(motifs[0].consensus() == "GAT");
  const double correction = 3 / (2 * std::log(2.0) * 20);
  for (double b : motifs[0].bits) CHECK(b == Approx(2 - correction));
  CHECK(motifs[0].total() == Approx(6 - 3 * correction));
  CHECK(filter_motifs(net, Tensor::from(codes, {20, 12}), 21).empty());
}

TEST_CASE("logos are drawn as high as their information", "[genomics][logo]") {
  Motif m;
  m.sites = 100;
  m.frequency = {{1, 0, 0, 0}, {0.25, 0.25, 0.25, 0.25}, {0, 0.5, 0.5, 0}};
  m.bits = {2, 0, 1};
  CHECK(m.consensus() == "A.C");
  const Picture one = draw_logo(m), again = draw_logo(m);
  CHECK(one.png == again.png);
  CHECK(one.caption.find("3.0 bits in 100 windows") != std::string::npos);
  m.frequency[0] = {0, 0, 0, 1};
  CHECK(draw_logo(m).png != one.png);
}
