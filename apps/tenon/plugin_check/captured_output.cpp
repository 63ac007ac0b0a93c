#include "plugin_check/captured_output.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>

namespace tenon::command {
namespace {

constexpr off_t kMostOutput = 1 << 20;

}  // namespace

CapturedOutput::CapturedOutput() {
  std::cout.flush();
  ::fflush(nullptr);
  file_ = ::memfd_create("output", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (file_ < 0 || ::ftruncate(file_, kMostOutput) != 0) return;
  ::fcntl(file_, F_ADD_SEALS, F_SEAL_GROW);  // a check that prints for ever does not fill the memory
  for (int i : {0, 1}) {
    before_[i] = ::fcntl(i + 1, F_DUPFD_CLOEXEC, 3);
    ::dup2(file_, i + 1);
  }
}

CapturedOutput::~CapturedOutput() {
  for (int i : {0, 1}) {
    if (before_[i] < 0) continue;
    ::dup2(before_[i], i + 1);
    ::close(before_[i]);
  }
  if (file_ >= 0) ::close(file_);
}

std::string CapturedOutput::text() const {
  std::cout.flush();
  ::fflush(nullptr);
  const off_t end = ::lseek(file_, 0, SEEK_CUR);
  if (end <= 0) return {};
  std::string out(std::size_t(std::min<off_t>(end, 200)), '\0');
  if (::pread(file_, out.data(), out.size(), 0) < 0) out.clear();
  const std::size_t first = std::min(out.find_first_not_of("\r\n "), out.size());
  out = out.substr(first, out.find('\n', first) - first);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return out.empty() ? "(blank)" : out;
}

}  // namespace tenon::command
