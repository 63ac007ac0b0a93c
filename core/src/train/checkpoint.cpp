#include "train/checkpoint.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/safetensors.hpp"
#include "tenon/io/sha256.hpp"

namespace tenon {
namespace {

constexpr const char* kModel = "model.";
constexpr const char* kOptimiser = "optimizer.";
constexpr const char* kAverage = "average.";

/// Shortest text that reads back to the same bits.
std::string exact(double v) {
  char buffer[40];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, v).ptr;
  return {buffer, end};
}

std::map<std::string, std::string> metadata_of(const CheckpointInfo& i) {
  return {{"tenon.step", std::to_string(i.step)}, {"tenon.validated", std::to_string(i.validated)}, {"tenon.progress", exact(i.progress)}, {"tenon.elapsed", exact(i.timed ? i.elapsed : 0)},
          {"tenon.step_seconds", exact(i.timed ? i.step_seconds : 0)}, {"tenon.best_score", exact(i.best_score)}, {"tenon.finished", i.finished ? "1" : "0"},
          {"tenon.plateau_reduction", exact(i.plateau.reduction)}, {"tenon.plateau_best", exact(i.plateau.best)}, {"tenon.plateau_waited", std::to_string(i.plateau.waited)},
          {"tenon.stop_best", exact(i.stop.best)}, {"tenon.stop_waited", std::to_string(i.stop.waited)}, {"tenon.stop_step", std::to_string(i.stop.best_step)},
          {"tenon.pending_loss", exact(i.pending.loss_sum)}, {"tenon.pending_losses", std::to_string(i.pending.losses)}, {"tenon.pending_skipped", std::to_string(i.pending.skipped)},
          {"tenon.loss_scale", exact(i.loss_scale.scale)}, {"tenon.loss_scale_good", std::to_string(i.loss_scale.good)}};
}

double number(const std::map<std::string, std::string>& m, const char* key, const std::filesystem::path& file, double high, double low = 0) {
  auto it = m.find(key);
  double v = 0;
  if (it != m.end()) {
    auto [end, failed] = std::from_chars(it->second.data(), it->second.data() + it->second.size(), v);
    if (failed == std::errc() && end == it->second.data() + it->second.size() && v >= low && v <= high) return v;
  }
  throw Error(ErrorKind::data, "checkpoint.metadata", std::string("no valid ") + key + " in the checkpoint's metadata", "resume from another checkpoint", file.string());
}

CheckpointInfo info_of(const TensorFile& f, const std::filesystem::path& file) {
  constexpr double steps = 9007199254740992.0, seconds = 1e12;  // 2^53: whole numbers that a double holds
  CheckpointInfo i;
  i.step = std::int64_t(number(f.metadata, "tenon.step", file, steps));
  i.validated = std::int64_t(number(f.metadata, "tenon.validated", file, steps));
  i.progress = number(f.metadata, "tenon.progress", file, 1);
  i.elapsed = number(f.metadata, "tenon.elapsed", file, seconds);
  i.step_seconds = number(f.metadata, "tenon.step_seconds", file, seconds);
  i.best_score = number(f.metadata, "tenon.best_score", file, 1e300, -1e300);
  i.plateau = {number(f.metadata, "tenon.plateau_reduction", file, 1), number(f.metadata, "tenon.plateau_best", file, 1e300, -1e300),
               std::int64_t(number(f.metadata, "tenon.plateau_waited", file, steps))};
  if (f.metadata.contains("tenon.stop_best"))  // not in the first checkpoints of 0.1.0
    i.stop = {number(f.metadata, "tenon.stop_best", file, 1e300, -1e300), std::int64_t(number(f.metadata, "tenon.stop_waited", file, steps)),
              std::int64_t(number(f.metadata, "tenon.stop_step", file, steps))};
  if (f.metadata.contains("tenon.pending_loss"))
    i.pending = {number(f.metadata, "tenon.pending_loss", file, 1e300, -1e300), std::int64_t(number(f.metadata, "tenon.pending_losses", file, steps)),
                 std::int64_t(number(f.metadata, "tenon.pending_skipped", file, steps))};
  if (f.metadata.contains("tenon.loss_scale"))
    i.loss_scale = {number(f.metadata, "tenon.loss_scale", file, 3.5e38), std::int64_t(number(f.metadata, "tenon.loss_scale_good", file, steps))};
  i.finished = number(f.metadata, "tenon.finished", file, 1) != 0;
  return i;
}

nn::NamedTensors with_prefix(const nn::NamedTensors& all, const std::string& prefix) {
  nn::NamedTensors out;
  for (const auto& [name, t] : all)
    if (name.starts_with(prefix)) out.emplace_back(name.substr(prefix.size()), t);
  return out;
}

void append(nn::NamedTensors& all, const char* prefix, const nn::NamedTensors& more) {
  for (const auto& [name, t] : more) all.emplace_back(prefix + name, t);
}

/// Throws checkpoint.digest where `described` (JSON) holds another SHA-256 than the file has.
void require_digest(const std::filesystem::path& file, const std::filesystem::path& described) {
  const auto j = nlohmann::json::parse(read_text(described), nullptr, false);
  const bool known = j.is_object() && j.contains("sha256") && j["sha256"].is_string();
  const std::string saved = known ? j["sha256"].get<std::string>() : "no digest", found = sha256_of_file(file);
  if (found != saved)
    throw Error(ErrorKind::data, "checkpoint.digest", "the checkpoint is not what was saved: its SHA-256 is " + found + ", " + described.filename().string() + " has " + saved,
                "bring both files back from a copy, or use another checkpoint", file.string());
}

const std::vector<std::string> kNames = {"last", "best", "previous"};

}  // namespace

TensorFile Checkpoints::load(const std::string& name) const {
  if (const auto described = folder_ / (name + ".json"); file_exists(described)) require_digest(file(name), described);
  return load_safetensors(file(name));
}

void Checkpoints::describe(const std::string& name, const CheckpointInfo& i) const {
  nlohmann::ordered_json j{{"step", i.step}, {"progress", i.progress}, {"elapsed_seconds", i.elapsed}, {"finished", i.finished}, {"sha256", sha256_of_file(file(name))}};
  if (i.best_score > -1e299) j["best_score"] = i.best_score;
  write_atomic(folder_ / (name + ".json"), j.dump(1) + "\n");
}

void Checkpoints::save_last(const nn::Module& model, const Optimiser& optimiser, const nn::NamedTensors& average, const CheckpointInfo& info) {
  nn::NamedTensors all;
  append(all, kModel, model.parameters());
  append(all, kModel, model.buffers());
  append(all, kOptimiser, optimiser.state());
  append(all, kAverage, average);
  save_safetensors(file("next"), all, metadata_of(info));
  promote_next(info);
}

void Checkpoints::promote_next(const CheckpointInfo& info) const {
  // a description never stands beside a checkpoint that it does not describe, wherever this is cut off
  if (file_exists(file("last"))) {
    files().remove(folder_ / "previous.json");
    files().rename(file("last"), file("previous"));
    if (file_exists(folder_ / "last.json")) files().rename(folder_ / "last.json", folder_ / "previous.json");
  } else {
    files().remove(folder_ / "last.json");
  }
  files().rename(file("next"), file("last"));
  files().sync_directory(folder_);
  describe("last", info);
}

void Checkpoints::save_best(const nn::NamedTensors& weights, const CheckpointInfo& info) {
  nn::NamedTensors all;
  append(all, kModel, weights);
  files().remove(folder_ / "best.json");
  save_safetensors(file("best"), all, metadata_of(info));
  describe("best", info);
}

std::optional<CheckpointInfo> Checkpoints::resume(nn::Module& model, Optimiser& optimiser, nn::NamedTensors& average, std::string& remark) const {
  struct Found {
    TensorFile file;
    CheckpointInfo info;
    std::string name;
  };
  std::optional<Found> best;
  for (const char* name : {"next", "last", "previous"}) {
    if (!file_exists(file(name))) continue;
    try {
      Found f{load(name), {}, name};
      f.info = info_of(f.file, file(name));
      if (!best || f.info.step > best->info.step) best = std::move(f);
    } catch (const Error& e) {
      remark += (remark.empty() ? "" : "; ") + std::string("passed over checkpoint ") + name + ": " + e.message();
    }
  }
  if (!best && !remark.empty())
    throw Error(ErrorKind::data, "checkpoint.unreadable", "no checkpoint of the run can be read: " + remark,
                "bring one back from a copy, or start a new run with its recipe.toml", folder_.string());
  if (!best) return {};
  if (best->name == "next") promote_next(best->info);  // a kill came between its writing and its turn
  model.load(with_prefix(best->file.tensors, kModel));
  optimiser.load(with_prefix(best->file.tensors, kOptimiser));
  average = with_prefix(best->file.tensors, kAverage);
  if (!best->info.elapsed && file_exists(folder_ / (best->name + ".json"))) {  // for display only: the run does not depend on it
    auto j = nlohmann::json::parse(read_text(folder_ / (best->name + ".json")), nullptr, false);
    if (j.is_object() && j.contains("elapsed_seconds") && j["elapsed_seconds"].is_number()) best->info.elapsed = j["elapsed_seconds"];
  }
  return best->info;
}

CheckpointInfo Checkpoints::load_weights(const std::string& name, nn::Module& model) const {
  std::vector<std::string> there;
  for (const std::string& each : kNames)
    if (file_exists(file(each))) there.push_back(each);
  std::string there_text;
  for (const std::string& each : there) there_text += (there_text.empty() ? "" : ", ") + each;
  if (std::find(kNames.begin(), kNames.end(), name) == kNames.end())
    throw Error(ErrorKind::usage, "checkpoint.unknown", "there is no checkpoint '" + name + "'", there.empty() ? "the run has none yet: train it first" : "the run has " + there_text, folder_.string());
  const std::string found = name == "best" && !file_exists(file(name)) ? "last" : name;
  if (!file_exists(file(found)))
    throw Error(there.empty() ? ErrorKind::data : ErrorKind::usage, "checkpoint.not_found", "the run has no checkpoint '" + name + "'",
                there.empty() ? "train the run first" : "it has " + there_text, file(found).string());
  const std::filesystem::path path = file(found);
  TensorFile f = load(found);
  nn::NamedTensors weights = with_prefix(f.tensors, kAverage);
  if (weights.empty()) weights = with_prefix(f.tensors, kModel);
  model.load(weights);
  return info_of(f, path);
}

}  // namespace tenon
