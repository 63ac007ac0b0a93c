/// A file system that fails at a chosen call, and the code of what was thrown.
#pragma once

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

/// Counts every call that changes the disk (open for writing, write, sync, close, rename, directory sync) and makes the
/// `fail_at`-th of them, from 0, fail with `error_number`. Installed while it lives.
class FaultyFiles : public tenon::FileSystem {
 public:
  explicit FaultyFiles(int fail_at, int error_number = ENOSPC)
      : fail_at_(fail_at), error_number_(error_number), previous_(tenon::set_files_for_testing(this)) {}
  FaultyFiles(const FaultyFiles&) = delete;
  FaultyFiles& operator=(const FaultyFiles&) = delete;
  ~FaultyFiles() override { tenon::set_files_for_testing(previous_); }

  int calls() const { return calls_; }

  std::unique_ptr<tenon::File> open_write(const std::filesystem::path& path, tenon::OpenMode mode) override {
    count(path);
    return std::make_unique<Faulty>(*this, FileSystem::open_write(path, mode), path);
  }
  void rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    count(to);
    FileSystem::rename(from, to);
  }
  void sync_directory(const std::filesystem::path& path) override {
    count(path);
    FileSystem::sync_directory(path);
  }

 private:
  class Faulty : public tenon::File {
   public:
    Faulty(FaultyFiles& owner, std::unique_ptr<tenon::File> file, std::filesystem::path path)
        : owner_(owner), file_(std::move(file)), path_(std::move(path)) {}
    std::size_t read(void* data, std::size_t size) override { return file_->read(data, size); }
    std::size_t read_at(std::uint64_t offset, void* data, std::size_t size) override { return file_->read_at(offset, data, size); }
    std::uint64_t size() override { return file_->size(); }
    void write(const void* data, std::size_t size) override {
      if (owner_.calls_ == owner_.fail_at_) file_->write(data, size / 2);  // a full disk takes a part
      owner_.count(path_);
      file_->write(data, size);
    }
    void sync() override {
      owner_.count(path_);
      file_->sync();
    }
    void close() override {
      owner_.count(path_);
      file_->close();
    }

   private:
    FaultyFiles& owner_;
    std::unique_ptr<tenon::File> file_;
    std::filesystem::path path_;
  };

  void count(const std::filesystem::path& path) {
    if (calls_++ == fail_at_) tenon::throw_io_error(error_number_, "write", path);
  }

  int fail_at_, error_number_, calls_ = 0;
  tenon::FileSystem* previous_;
};

/// The code of the Error that `call` throws; empty when it throws none.
template <class Call>
std::string code_of(Call call) {
  try {
    call();
  } catch (const tenon::Error& error) {
    return error.code();
  }
  return {};
}
