/// Data sets that remember what another one gave, in memory or on disk, within a budget of bytes.
///
/// For slow sources (decoding, resampling). A cache stands between the slow part and the random transforms. Safe from several threads; two
/// threads that miss the same item at once both read it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>

#include "tenon/data/dataset.hpp"

namespace tenon::data {

struct CacheStats {
  std::int64_t hits = 0, misses = 0;
  std::int64_t evicted = 0;    ///< given up for others
  std::int64_t damaged = 0;    ///< disk: files that failed their check and were read anew from the source
  std::int64_t unwritten = 0;  ///< disk: items that could not be written; after the first none is tried
  std::uint64_t bytes = 0;     ///< held now
};

enum class CachePolicy {
  first_come,  ///< what came first stays; best when every item is visited equally often
  lru,         ///< the item not used for longest gives way
};

/// Keeps samples in memory. An item larger than the budget is passed through.
class TENON_API MemoryCache : public Dataset {
 public:
  MemoryCache(DatasetPtr base, std::uint64_t budget_bytes, CachePolicy policy = CachePolicy::first_come);
  std::int64_t size() const override { return base_->size(); }
  CacheStats stats() const;

 protected:
  Sample read(std::int64_t index) const override;

 private:
  struct Entry {
    Sample sample;
    std::uint64_t bytes = 0;
    std::list<std::int64_t>::iterator place;  ///< in used_
  };
  void keep(std::int64_t index, const Sample& sample) const;

  DatasetPtr base_;
  std::uint64_t budget_;
  CachePolicy policy_;
  mutable std::mutex mutex_;
  mutable std::unordered_map<std::int64_t, Entry> entries_;
  mutable std::list<std::int64_t> used_;  ///< latest first
  mutable CacheStats stats_;
};

/// Keeps samples as files, <folder>/<digest of key>/<index>.safetensors, first come.
///
/// `key` says what the items are made of (digests of the sources, the settings of the slow part): another key, another folder. Each file
/// carries the SHA-256 of its tensors; one that does not fit, or does not parse, is made anew. Files appear whole or not at all, so
/// processes may share the folder. Each of them counts the bytes that it found and wrote and looks again every 64 files: processes that
/// write at the same time may pass the budget by that much. A disk that cannot take a file costs speed, not the run: see
/// CacheStats::unwritten.
class TENON_API DiskCache : public Dataset {
 public:
  DiskCache(DatasetPtr base, const std::filesystem::path& folder, const std::string& key, std::uint64_t budget_bytes);
  std::int64_t size() const override { return base_->size(); }
  CacheStats stats() const;
  const std::filesystem::path& folder() const noexcept { return folder_; }  ///< of this key

 protected:
  Sample read(std::int64_t index) const override;

 private:
  std::filesystem::path file_of(std::int64_t index) const;
  bool load(std::int64_t index, Sample& sample) const;
  void store(std::int64_t index, const Sample& sample) const;
  void count_folder() const;

  DatasetPtr base_;
  std::filesystem::path folder_;
  std::string key_;
  std::uint64_t budget_;
  mutable std::mutex mutex_;
  mutable CacheStats stats_;
  mutable std::int64_t written_ = 0;
};

}  // namespace tenon::data
