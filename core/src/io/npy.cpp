#include "tenon/io/npy.hpp"

#include "io/npy_format.hpp"
#include "tenon/io/file.hpp"

namespace tenon {
namespace {

class FileSource final : public NpySource {
 public:
  explicit FileSource(const std::filesystem::path& path) : file_(files().open_read(path)), size_(file_->size()) {}
  std::uint64_t size() const override { return size_; }
  std::size_t read(void* data, std::size_t size) override { return file_->read(data, size); }

 private:
  std::unique_ptr<File> file_;
  std::uint64_t size_;
};

}  // namespace

void save_npy(const std::filesystem::path& path, const Tensor& tensor) {
  const std::string head = npy_head("save_npy", tensor);
  AtomicFile file(path);
  file.write(head);
  if (tensor.nbytes() > 0) {
    Tensor dense = tensor.detach().to(kCpu).contiguous();
    file.write(dense.raw(), dense.nbytes());
  }
  file.commit();
}

Tensor load_npy(const std::filesystem::path& path) {
  FileSource source(path);
  return read_npy(source, path.string());
}

}  // namespace tenon
