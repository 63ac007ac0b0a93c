#include <algorithm>
#include <optional>

#include "tenon/data/cache.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/safetensors.hpp"
#include "tenon/io/sha256.hpp"

namespace tenon::data {
namespace {

constexpr std::int64_t kLookAgain = 64;  ///< files written between two counts of the folder

/// Of names, types, shapes and bytes, in order.
std::string digest_of(const std::vector<Sample::Item>& items) {
  Sha256 sha;
  for (const auto& [name, tensor] : items) {
    const std::string head = std::to_string(name.size()) + ":" + name + " " + std::string(name_of(tensor.dtype())) + tensor.shape().str();
    sha.update(head.data(), head.size());
    if (tensor.nbytes() == 0) continue;
    const Tensor dense = tensor.contiguous();
    sha.update(dense.raw(), dense.nbytes());
  }
  return sha.hex_digest();
}

}  // namespace

DiskCache::DiskCache(DatasetPtr base, const std::filesystem::path& folder, const std::string& key, std::uint64_t budget_bytes)
    : base_(std::move(base)), folder_(folder / sha256_hex(key).substr(0, 32)), key_(key), budget_(budget_bytes) {
  if (!base_) throw_usage("DiskCache", "no data set given");
  files().make_directories(folder_);
  count_folder();
}

std::filesystem::path DiskCache::file_of(std::int64_t index) const {
  return folder_ / (std::to_string(index) + ".safetensors");
}

void DiskCache::count_folder() const {
  std::uint64_t bytes = 0;
  for (const auto& path : files().list(folder_))
    if (auto info = files().stat(path)) bytes += info->size;
  stats_.bytes = bytes;
}

Sample DiskCache::read(std::int64_t index) const {
  Sample sample;
  if (load(index, sample)) return sample;
  sample = base_->get(index);
  store(index, sample);
  return sample;
}

bool DiskCache::load(std::int64_t index, Sample& sample) const {
  const std::filesystem::path path = file_of(index);
  const auto count = [this](std::int64_t CacheStats::*which) {
    std::lock_guard lock(mutex_);
    ++(stats_.*which);
  };
  if (!files().stat(path)) {
    count(&CacheStats::misses);
    return false;
  }
  try {
    TensorFile file = load_safetensors(path);
    // the order of the sample's tensors, which the file may have changed
    std::vector<Sample::Item> items(file.tensors.size());
    for (const auto& [name, tensor] : file.tensors) {
      const auto place = std::size_t(std::stoull(name.substr(0, name.find('/'))));
      items.at(place) = {name.substr(name.find('/') + 1), tensor};
    }
    if (file.metadata["digest"] == digest_of(items) && file.metadata["key"] == key_) {
      sample = Sample(std::move(items));
      count(&CacheStats::hits);
      return true;
    }
  } catch (const Error&) {             // unreadable, or gone since: made anew below, and counted
  } catch (const std::logic_error&) {  // a name that we did not write
  }
  count(&CacheStats::damaged);
  count(&CacheStats::misses);
  return false;
}

void DiskCache::store(std::int64_t index, const Sample& sample) const {
  const std::uint64_t expected = sample.nbytes() + 512;  // with a header
  {
    std::lock_guard lock(mutex_);
    if (stats_.unwritten > 0) return;
    if (written_ > 0 && written_ % kLookAgain == 0) count_folder();
    if (stats_.bytes + expected > budget_) return;
    stats_.bytes += expected;  // reserved
    ++written_;
  }
  std::vector<Sample::Item> items, named;
  for (const auto& [name, tensor] : sample.items()) {
    items.emplace_back(name, tensor.detach().to(kCpu));
    named.emplace_back(std::to_string(named.size()) + "/" + name, items.back().second);
  }
  std::optional<std::uint64_t> size;
  try {
    save_safetensors(file_of(index), named, {{"digest", digest_of(items)}, {"key", key_}});
    if (auto info = files().stat(file_of(index))) size = info->size;
  } catch (const Error&) {  // told by stats(): a full disk costs the cache, not the run
  }
  std::lock_guard lock(mutex_);
  stats_.bytes = stats_.bytes - std::min(stats_.bytes, expected) + size.value_or(0);
  if (!size) ++stats_.unwritten;
}

CacheStats DiskCache::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace tenon::data
