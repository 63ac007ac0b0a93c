#include "medical/io/dicom_decode.hpp"

#include <fcntl.h>
#include <gdcmImageReader.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "tenon/error.hpp"

namespace tenon::medical {
namespace {

constexpr rlim_t kDecodeSpace = rlim_t(8) << 30;  ///< bytes of address space for one image, beyond what the fork brought along

enum ChildStatus : int { done = 0, unreadable = 10, other_size = 11, refused = 12 };

/// Bytes of address space in use; 0 where /proc does not say. Allocates nothing: it runs in the child of a process with threads.
rlim_t address_space() {
  char pages[32] = {};
  int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t got = ::read(file, pages, sizeof pages - 1);
  ::close(file);
  return got > 0 ? rlim_t(std::strtoull(pages, nullptr, 10)) * rlim_t(::sysconf(_SC_PAGESIZE)) : 0;
}

/// Runs in the child alone; never returns. Only the decoder and the shared memory are touched.
[[noreturn]] void decode_and_exit(const char* path, std::byte* to, std::size_t size, unsigned seconds) {
  int null = ::open("/dev/null", O_WRONLY);
  if (null >= 0) ::dup2(null, 1), ::dup2(null, 2);
  // The child starts with all that its parent has mapped, which may be more than any fixed limit.
  const rlim_t space = address_space() + kDecodeSpace;
  rlimit no_core{0, 0}, memory{space, space}, cpu{seconds, seconds};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::setrlimit(RLIMIT_AS, &memory);
  ::setrlimit(RLIMIT_CPU, &cpu);
  int status = unreadable;
  try {
    gdcm::ImageReader reader;
    reader.SetFileName(path);
    if (reader.Read()) {
      const gdcm::Image& image = reader.GetImage();
      status = other_size;
      if (image.GetBufferLength() == size) status = image.GetBuffer(reinterpret_cast<char*>(to)) ? done : refused;
    }
  } catch (...) {
    status = refused;
  }
  ::_exit(status);
}

struct Shared {
  void* at;
  std::size_t size;
  explicit Shared(std::size_t n) : at(::mmap(nullptr, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)), size(n) {
    if (at == MAP_FAILED) throw Error(ErrorKind::device, "io.memory", "no memory for " + std::to_string(n) + " bytes of pixels");
  }
  ~Shared() { ::munmap(at, size); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
};

}  // namespace

void decode_dicom_pixels(const std::filesystem::path& path, std::span<std::byte> to) {
  Shared memory(to.size());
  auto seconds = unsigned(10 + to.size() / (2u << 20));
  std::string name = path.string();
  pid_t child = ::fork();
  if (child < 0) throw Error(ErrorKind::device, "dicom.decode", std::string("no process for the decoder: ") + std::strerror(errno), "free memory or processes", name);
  if (child == 0) decode_and_exit(name.c_str(), static_cast<std::byte*>(memory.at), to.size(), seconds);
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds + 1);
  int status = 0;
  while (true) {
    pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) break;
    if (ended < 0 && errno != EINTR) throw Error(ErrorKind::internal, "dicom.decode", std::string("lost the decoder: ") + std::strerror(errno), {}, name);
    if (std::chrono::steady_clock::now() > deadline) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      break;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
  const char hint[] = "convert the file to Explicit VR Little Endian, for example with gdcmconv --raw";
  if (WIFSIGNALED(status)) {
    throw Error(ErrorKind::data, "dicom.decode", "the decoder of compressed pixels died on this file (signal " + std::to_string(WTERMSIG(status)) + ")", hint, name);
  }
  if (WEXITSTATUS(status) != done) {
    const char* why = WEXITSTATUS(status) == other_size ? "the decoded pixels do not fill Rows x Columns x bits" : "the compressed pixels cannot be decoded";
    throw Error(ErrorKind::data, "dicom.decode", why, hint, name);
  }
  std::memcpy(to.data(), memory.at, to.size());
}

}  // namespace tenon::medical
