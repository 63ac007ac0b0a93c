// Complex tensors, transforms and the spectral convolution: against PyTorch (golden/make_spectral.py), and what they refuse.
#include <catch2/catch.hpp>
#include <cmath>
#include <complex>
#include <map>

#include "core/ops/gradient_check.hpp"
#include "tenon/complex.hpp"
#include "tenon/fft.hpp"
#include "tenon/nn/fno.hpp"
#include "tenon/plan.hpp"
#include "tenon/random.hpp"
#include "tenon/spectral.hpp"

using namespace tenon;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

using Values = std::vector<double>;
const std::map<std::string, Values> kGolden{
#include "golden/spectral.inc"
};

/// As make_spectral.py makes them.
Tensor made(double k, const Shape& shape) {
  Values v;
  for (std::int64_t i = 0; i < shape.numel(); ++i) v.push_back(std::sin(1.7 * double(i) + k));
  return Tensor::from(v, shape);
}

Values parts(const Tensor& t) {
  return (is_complex(t.dtype()) ? view_as_real(t) : t).to_vector();
}

void same(const std::string& name, const Tensor& t, double tolerance = 1e-13) {
  INFO(name);
  check::require_close(parts(t), kGolden.at(name), tolerance);
}

}  // namespace

TEST_CASE("complex arithmetic is PyTorch's", "[complex]") {
  Tensor z = complex(made(0, {2, 3}), made(1, {2, 3})), w = complex(made(2, {2, 3}), made(3, {2, 3}));
  REQUIRE(z.dtype() == DType::c128);
  const std::map<std::string, Tensor (*)(const Tensor&)> functions{{"exp", exp},       {"log", log},   {"sqrt", sqrt}, {"rsqrt", rsqrt},
                                                                   {"square", square}, {"sin", sin},   {"cos", cos},   {"sinh", sinh},
                                                                   {"cosh", cosh},     {"tanh", tanh}, {"abs", abs},   {"angle", angle}};
  for (const auto& [name, f] : functions) {
    same(name, f(z));
    INFO(name << " in single precision, over a transposed view");
    check::require_close(parts(f(z.to(DType::c64).transpose(0, 1)).transpose(0, 1).contiguous()), kGolden.at(name), 3e-6);
  }
  same("pow", pow(z, 2.7));
  same("mul", z * w);
  same("div", z / w);
  same("matmul", matmul(z, w.transpose(0, 1)));
}

TEST_CASE("complex division and roots neither overflow nor vanish", "[complex]") {
  const std::complex<double> big(1e200, 1e200), small(1e-200, 1e-200);
  for (const auto& v : {big, small}) {
    Tensor z = Tensor::from(std::vector<std::complex<double>>{v}, {1});
    check::require_close(parts(z / z), {1, 0}, 1e-15);
    Tensor root = sqrt(z);
    check::require_close(parts(root * root / z), {1, 0}, 1e-14);
  }
  Tensor far = Tensor::from(std::vector<std::complex<double>>{{1000, 1}, {-1000, 1}}, {2});
  check::require_close(parts(tanh(far)), {1, 0, -1, 0}, 1e-15);
}

TEST_CASE("complex tensors: views, types, elements", "[complex]") {
  const std::vector<std::complex<float>> values{{1, 2}, {3, 4}, {5, 6}, {7, 8}};
  Tensor z = Tensor::from(values, {2, 2});
  CHECK(z.dtype() == DType::c64);
  CHECK(name_of(z.dtype()) == "c64");
  CHECK(z.nbytes() == 32);
  CHECK(dtype_from_name("c128") == DType::c128);
  CHECK(real(z).storage() == z.storage());
  CHECK(imag(z.transpose(0, 1)).contiguous().to_vector() == Values{2, 6, 4, 8});
  Tensor mirrored = conj(z);
  CHECK(mirrored.span<std::complex<float>>()[1] == std::complex<float>(3, -4));
  CHECK(parts(z.to(DType::c128)) == Values{1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(parts(Tensor::from(std::vector<std::int32_t>{-3}, {1}).to(DType::c64)) == Values{-3, 0});
  CHECK(parts(Tensor::full({1}, 2.5, DType::c64)) == Values{2.5, 0});
  CHECK(parts(sum(z)) == Values{16, 20});
  CHECK(parts(mean(z, {0})) == Values{3, 4, 5, 6});
  CHECK(parts(view_as_complex(real(z))) == Values{1, 3, 5, 7});  // pairs that do not lie at even places are copied
  CHECK(equal(z, z).to_vector() == Values{1, 1, 1, 1});
  Tensor c = Tensor::from(std::vector<std::uint8_t>{1, 0}, {2}).to(DType::boolean);
  CHECK(parts(where(c, z, z * 2.0)) == Values{1, 2, 6, 8, 5, 6, 14, 16});
  CHECK_THROWS_WITH(z.to(DType::f32), StartsWith("to: c64[2, 2] cpu does not become f32"));
  CHECK_THROWS_WITH(less(z, z), StartsWith("less: c64[2, 2] cpu is complex"));
  CHECK_THROWS_WITH(max(z, 0), StartsWith("max: c64[2, 2] cpu is complex"));
  CHECK_THROWS_WITH(erf(z), StartsWith("erf: c64[2, 2] cpu is complex"));
  CHECK_THROWS_WITH(imag(real(z)), StartsWith("imag: f32[2, 2] cpu is not complex"));
  CHECK_THROWS_WITH(view_as_complex(Tensor::zeros({3, 3})), StartsWith("view_as_complex: f32[3, 3] cpu does not hold pairs"));
  CHECK_THROWS_WITH(z + real(z), Contains("element types differ"));
  z.set_requires_grad();
  CHECK_THROWS_WITH(sum(z).backward(), Contains("is complex"));
}

TEST_CASE("transforms are PyTorch's, in every norm", "[fft]") {
  for (std::int64_t n : {5, 6}) {
    Tensor x = made(4, {2, n, 3}), z = complex(x, made(5, x.shape()));
    const std::pair<const char*, FftNorm> norms[] = {
        {"backward", FftNorm::backward}, {"ortho", FftNorm::ortho}, {"forward", FftNorm::forward}};
    for (const auto& [name, norm] : norms) {
      const std::string tail = " " + std::to_string(n) + " " + name;
      same("fft" + tail, fft(z, {0, 1}, norm));
      same("ifft" + tail, ifft(z, {0, 1}, norm));
      same("rfft" + tail, rfft(x, {0, 1}, norm));
      same("irfft" + tail, irfft(rfft(x, {0, 1}) * 0.3, n, {0, 1}, norm));
    }
    same("frequencies " + std::to_string(n), fft_frequencies(n, 0.5));
  }
  same("shift 5", fft_shift(Tensor::arange(5, DType::f64)));
  CHECK(ifft_shift(fft_shift(Tensor::arange(5))).to_vector() == Values{0, 1, 2, 3, 4});
  CHECK(rfft_frequencies(5).to_vector() == Values{0, 0.2, 0.4});
}

TEST_CASE("transforms refuse what they do not take", "[fft]") {
  Tensor x = Tensor::zeros({2, 6});
  CHECK_THROWS_WITH(fft(x.to(DType::bf16)), StartsWith("fft: bf16[2, 6] cpu is not f32"));
  CHECK_THROWS_WITH(fft(x, {2}), StartsWith("fft: axis 2 does not exist"));
  CHECK_THROWS_WITH(fft(x, {1, -1}), StartsWith("fft: axis 1 of f32[2, 6] cpu is given twice"));
  CHECK_THROWS_WITH(rfft(fft(x)), StartsWith("rfft: c64[2, 6] cpu is complex"));
  CHECK_THROWS_WITH(irfft(x), StartsWith("irfft: f32[2, 6] cpu is real"));
  CHECK_THROWS_WITH(irfft(rfft(x), 9), StartsWith("irfft: size 9 from 4 values"));
  CHECK_THROWS_WITH(fft(Tensor::zeros({2, 0})), StartsWith("fft: axis 1 of f32[2, 0] cpu is empty"));
  CHECK_THROWS_WITH(fft(Tensor::zeros({})), StartsWith("fft: "));
}

TEST_CASE("gradients of complex products, first and second, of batches of either operand", "[complex][matmul][gradient]") {
  const auto product = [](auto& v) { return view_as_real(matmul(view_as_complex(v[0]), view_as_complex(v[1]))); };
  const auto square_of = [](auto& v) {
    const Tensor c = matmul(view_as_complex(v[0]), view_as_complex(v[1]));
    return square(view_as_real(c));
  };
  for (const auto& [a, b] :
       {std::pair{Shape{3, 4, 2}, Shape{4, 2, 2}}, {Shape{2, 3, 4, 2}, Shape{4, 2, 2}}, {Shape{2, 1, 3, 2, 2}, Shape{2, 2, 1, 2}}}) {
    const std::vector<Tensor> in{check::made(1, a), check::made(2, b)};
    check::first_gradients(product, in);
    check::second_gradients(square_of, in);
  }
}

TEST_CASE("the spectral convolution and its gradients are PyTorch's", "[spectral]") {
  Tensor x = made(6, {2, 6, 7, 3}), w = made(7, {4, 2, 3, 2, 2});
  x.set_requires_grad();
  w.set_requires_grad();
  Tensor y = spectral_conv(x, w, {2, 2});
  sum(y * made(8, y.shape())).backward();
  same("spectral_conv", y.detach());
  same("spectral_conv dx", x.grad());
  same("spectral_conv dw", w.grad());
  Tensor single = spectral_conv(x.detach().to(DType::f32), w.detach().to(DType::f32), {2, 2});
  check::require_close(single.to_vector(), kGolden.at("spectral_conv"), 2e-6);
}

TEST_CASE("the spectral convolution refuses what does not fit", "[spectral]") {
  Tensor x = Tensor::zeros({2, 6, 7, 3}), w = Tensor::zeros({4, 2, 3, 2, 2});
  CHECK_THROWS_WITH(spectral_conv(x, w, {2}), StartsWith("spectral_conv: 1 mode counts for x f32[2, 6, 7, 3] cpu"));
  CHECK_THROWS_WITH(spectral_conv(x, w, {4, 2}), StartsWith("spectral_conv: 4 modes along axis 1"));
  CHECK_THROWS_WITH(spectral_conv(x, w, {2, 5}), StartsWith("spectral_conv: 5 modes along axis 2"));
  CHECK_THROWS_WITH(spectral_conv(x, w, {1, 2}), StartsWith("spectral_conv: weight f32[4, 2, 3, 2, 2] cpu for modes [1, 2]"));
  CHECK_THROWS_WITH(spectral_conv(x.to(DType::bf16), w, {2, 2}), StartsWith("spectral_conv: x bf16"));
  CHECK_THROWS_WITH(mode_product(fft(x), fft(w)), StartsWith("mode_product: x c64[2, 6, 7, 3] cpu and weight"));
}

TEST_CASE("complex ops and the spectral convolution have the same bits for any number of threads", "[determinism][spectral]") {
  check::same_bits([] {
    Tensor z = complex(random_normal({64, 300}, 1, 0), random_normal({64, 300}, 1, 1));
    return std::vector<Tensor>{view_as_real(exp(z * z / (z + conj(z) * 0.5))), view_as_real(matmul(z, z.transpose(0, 1))),
                               view_as_real(sum(z, {0}))};
  });
  check::same_bits([] {
    return check::with_gradients(
        [](const std::vector<Tensor>& x) {
          return spectral_conv(x[0], x[1], {5, 6});
        },
        {random_normal({3, 24, 30, 20}, 2, 0), random_normal({10, 6, 20, 12, 2}, 2, 1)});
  });
}

TEST_CASE("a Fourier neural operator trains in a recorded step as it does eagerly", "[spectral][plan]") {
  nn::FnoOptions options;
  options.width = 6;
  options.projection = 8;
  options.layers = 2;
  options.modes = {3, 3};
  Tensor x = random_normal({2, 8, 10, 1}, 0, 1), y = random_normal({2, 8, 10, 1}, 0, 2);
  auto gradients_of = [&](bool recorded) {
    nn::Fno model(options);
    model.initialise(7);
    auto step = [&] {
      Tensor loss = mse_loss(model(x), y);
      loss.backward();
    };
    if (recorded) {
      StepPlan plan = StepPlan::record(step);
      plan.run();
      std::vector<Values> all;
      for (const auto& [name, p] : model.parameters()) all.push_back(p.grad().to_vector());
      return all;
    }
    step();
    std::vector<Values> all;
    for (const auto& [name, p] : model.parameters()) all.push_back(p.grad().to_vector());
    return all;
  };
  CHECK(gradients_of(false) == gradients_of(true));
}

TEST_CASE("polar speaks for itself", "[complex][misuse]") {
  const auto of = [](DType t, const Shape& s = {4}) { return Tensor::zeros(s, t); };
  CHECK_THROWS_WITH(polar(of(DType::i32), of(DType::i32)), StartsWith("polar: size i32[4]"));
  CHECK_THROWS_WITH(polar(of(DType::f16), of(DType::f16)), StartsWith("polar: size f16[4]"));
  CHECK_THROWS_WITH(polar(of(DType::c64), of(DType::c64)), StartsWith("polar: size c64[4]"));
  CHECK_THROWS_WITH(polar(of(DType::f32), of(DType::f32, {3})), StartsWith("polar: "));
  CHECK_THROWS_WITH(polar({}, of(DType::f32)), StartsWith("polar: size is undefined"));
}
