/// A made run directory with everything that a report can show, hostile names included.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tenon/io/png.hpp"
#include "tenon/random.hpp"
#include "tenon/report.hpp"

namespace sample {

inline constexpr const char* kHostile = "</script><script>window.hacked=1</script><img src=x onerror=\"window.hacked=1\">'&";

/// Three panels side by side, each a soft ellipse, as truth, prediction and difference would be.
inline std::vector<std::uint8_t> panels(double shift) {
  const int height = 150, width = 450;
  std::vector<std::uint8_t> rgb(std::size_t(width * height * 3));
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      double u = x % 150 - 75.0, v = y - 75.0, move = x < 150 ? 0 : shift;
      double gray = 90 + 60 * std::cos(u / 14) * std::sin(v / 17) - 0.5 * std::hypot(u, v);
      bool truth = u * u / 1600 + v * v / 500 < 1, guess = (u - move) * (u - move) / 1600 + v * v / 450 < 1;
      bool mark = x < 150 ? truth : x < 300 ? guess : truth != guess;
      std::uint8_t* p = &rgb[std::size_t((y * width + x) * 3)];
      for (int c = 0; c < 3; ++c) p[c] = std::uint8_t(std::clamp(gray, 0.0, 255.0));
      if (mark) p[x < 300 ? 1 : 0] = std::uint8_t(std::min(255, p[0] + 110));
    }
  }
  return tenon::encode_png(rgb, width, height, 3);
}

inline tenon::Evaluation evaluation() {
  tenon::Evaluation e;
  e.split = "validation";
  e.columns = {{"Dice anterior", "", true}, {"Dice posterior", "", true}, {"95 % surface distance", "mm", false}};
  tenon::Random random(7, 1);
  for (std::uint64_t i = 0; i < 65; ++i) {
    tenon::CaseResult c;
    c.id = i == 13 ? kHostile : "hippocampus_" + std::string(i < 10 ? "00" : "0") + std::to_string(i);
    double skew = random.uniform(4 * i) * random.uniform(4 * i + 3);
    double a = 0.915 - 0.14 * skew * skew + 0.012 * random.normal(4 * i + 1), b = 0.897 - 0.13 * skew + 0.014 * random.normal(4 * i + 2);
    c.values = {a, i == 40 ? NAN : b, 0.8 + 9 * std::pow(1 - a, 1.2) + 0.15 * std::abs(random.normal(4 * i + 3))};
    if (i % 11 == 2) c.pictures.push_back({"axial, coronal, sagittal: truth, prediction, difference", panels(4.0 + double(i) / 4)});
    e.cases.push_back(c);
  }
  e.baselines = {{"image-blind atlas", {0.742, 0.687, 3.1}, "computed on this split"},
                 {"nnU-Net, five folds", {0.8975, 0.8807, NAN}, "Isensee et al., Nature Methods 2021, more training cases"}};
  e.picture_key = {{"anterior", {0, 158, 115}}, {"missed", {213, 94, 0}}};
  e.notes = {"Both masks empty: the case is not scored for that structure. One of them empty: Dice 0.",
             "A note with markup <b onclick=alert(1)>stays text</b> & is harmless."};
  return e;
}

inline void write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

inline void make_run(const std::filesystem::path& run) {
  write(run / "recipe.toml",
        "name = \"hippocampus\"\ntask = \"medical.segmentation\"\nseed = 1  # default\n\n[data]\nroot = \"data/samples/hippocampus\"\nfold "
        "= 0  # default\n"
        "labels = [\"anterior\", \"posterior\"]\n\n[model]\nname = \"medical.unet3d\"\nchannels = 16\nlevels = 4  # "
        "default\n\n[train]\nminutes = 6.0\n"
        "batch = 2  # default\nprecision = \"auto\"  # default\npatch = [40, 56, 40]  # <not a tag>\n");
  write(
      run / "state.json",
      R"json({"tenon":"0.1.0","status":"finished","device":"cpu (16 cores, AVX512_BF16)","precision":"bf16 (auto)","threads":2,"steps":900,"seconds":362.4,
"parameters":1402563,"model":"medical.unet3d","task":"medical.segmentation","versions":{"tenon":"0.1.0","oneDNN":"2.6.3","compiler":"GCC 12.2.0","ITK":"5.2.1"},
"inputs":{"imagesTr/hippocampus_001.nii.gz":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
"labelsTr/hippocampus_001.nii.gz":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
"acceptance":"Dice anterior >= 0.85: met","peak_memory_bytes":734003200,"made-up key <i>":{"nested":[1,2,"</table>"]}})json");
  std::ofstream metrics(run / "metrics.jsonl", std::ios::binary);
  tenon::Random random(3, 2);
  for (int step = 1; step <= 900; ++step) {
    double t = step / 900.0, noise = random.normal(std::uint64_t(step));
    metrics << "{\"kind\":\"step\",\"step\":" << step
            << ",\"loss\":" << (step == 450 ? "null" : std::to_string(-0.82 + 1.9 * std::exp(-t * 9) + 0.06 * noise))
            << ",\"learning_rate\":" << 0.01 * std::pow(1 - t, 0.9)
            << ",\"gradient_norm\":" << 0.4 + 2 * std::exp(-t * 6) + 0.1 * std::abs(noise) << ",\"seconds\":" << step * 0.4 << "}\n";
    if (step % 90 == 0)
      metrics << "{\"kind\":\"validation\",\"step\":" << step
              << ",\"columns\":[\"Dice anterior\",\"Dice posterior\",\"95 % surface distance\"],\"mean\":["
              << 0.893 - 0.3 * std::exp(-t * 5) << "," << 0.874 - 0.34 * std::exp(-t * 5) << "," << 1.35 + 3 * std::exp(-t * 5)
              << "],\"score\":0.8}\n";
  }
  metrics << "{\"kind\":\"step\",\"st";  // a killed writer's last line
  metrics.close();
  tenon::write_evaluation(run, evaluation());
}

}  // namespace sample
