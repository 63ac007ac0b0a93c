/// Files that lie in memory: no disk in the loop of a fuzzer.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <string>

#include "tenon/io/file.hpp"

namespace fuzz {

class MemoryFiles : public tenon::FileSystem {
 public:
  MemoryFiles() : previous_(tenon::set_files_for_testing(this)) {}
  ~MemoryFiles() override { tenon::set_files_for_testing(previous_); }
  MemoryFiles(const MemoryFiles&) = delete;
  MemoryFiles& operator=(const MemoryFiles&) = delete;

  std::string& operator[](const std::filesystem::path& path) { return bytes_[path]; }

  std::unique_ptr<tenon::File> open_read(const std::filesystem::path& path) override { return std::make_unique<Memory>(bytes_.at(path)); }
  std::unique_ptr<tenon::File> open_write(const std::filesystem::path& path, tenon::OpenMode) override {
    bytes_[path].clear();
    return std::make_unique<Memory>(bytes_[path]);
  }
  void rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    bytes_[to] = std::move(bytes_.at(from));
    bytes_.erase(from);
  }
  void remove(const std::filesystem::path& path) override { bytes_.erase(path); }
  void sync_directory(const std::filesystem::path&) override {}

 private:
  class Memory : public tenon::File {
   public:
    explicit Memory(std::string& bytes) : bytes_(bytes) {}
    std::size_t read(void* data, std::size_t size) override {
      const std::size_t n = read_at(at_, data, size);
      at_ += n;
      return n;
    }
    std::size_t read_at(std::uint64_t offset, void* data, std::size_t size) override {
      if (offset >= bytes_.size()) return 0;
      const std::size_t n = std::min<std::size_t>(size, bytes_.size() - std::size_t(offset));
      if (n > 0) std::memcpy(data, bytes_.data() + offset, n);
      return n;
    }
    void write(const void* data, std::size_t size) override { bytes_.append(static_cast<const char*>(data), size); }
    void sync() override {}
    void close() override {}
    std::uint64_t size() override { return bytes_.size(); }

   private:
    std::string& bytes_;
    std::size_t at_ = 0;
  };

  std::map<std::filesystem::path, std::string> bytes_;
  tenon::FileSystem* previous_;
};

}  // namespace fuzz
