#include "tenon/io/npz.hpp"

#include <set>
#include <span>

#include "io/npy_format.hpp"
#include "io/zip.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon {
namespace {

constexpr std::string_view kSuffix = ".npy";

class MemberSource final : public NpySource {
 public:
  MemberSource(ZipStream& stream, std::uint64_t size) : stream_(stream), size_(size) {}
  std::uint64_t size() const override { return size_; }
  std::size_t read(void* data, std::size_t size) override { return stream_.read(data, size); }

 private:
  ZipStream& stream_;
  std::uint64_t size_;
};

}  // namespace

void save_npz(const std::filesystem::path& path, const std::vector<std::pair<std::string, Tensor>>& tensors, NpzCompression compression) {
  std::set<std::string> names;
  std::vector<std::string> heads;
  for (const auto& [name, tensor] : tensors) {  // all is checked before anything is written
    if (name.empty() || !names.insert(name).second)
      throw_usage("save_npz", name.empty() ? "a name is empty" : "the name '" + name + "' stands twice");
    heads.push_back(npy_head("save_npz", tensor));
  }
  AtomicFile file(path);
  ZipWriter zip(file);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, tensor] = tensors[i];
    const Tensor dense = tensor.detach().to(kCpu).contiguous();
    std::vector<std::span<const std::byte>> parts{std::as_bytes(std::span(heads[i]))};
    if (dense.nbytes() > 0) parts.emplace_back(static_cast<const std::byte*>(dense.raw()), dense.nbytes());
    zip.add(name + std::string(kSuffix), parts, compression == NpzCompression::deflated);
  }
  zip.finish();
  file.commit();
}

std::vector<std::pair<std::string, Tensor>> load_npz(const std::filesystem::path& path, std::uint64_t max_bytes) {
  ZipReader zip(path);
  std::uint64_t total = 0;
  for (const ZipMember& m : zip.members()) {
    if (!m.name.ends_with(kSuffix)) zip.refuse("member", "'" + m.name + "' is no .npy member");
    if (m.size > max_bytes || (total += m.size) > max_bytes)
      zip.refuse("too_large", "more than " + std::to_string(max_bytes) + " bytes unpacked");
  }
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const ZipMember& m : zip.members()) {
    ZipStream stream(zip, m);
    MemberSource source(stream, m.size);
    tensors.emplace_back(m.name.substr(0, m.name.size() - kSuffix.size()), read_npy(source, path.string() + ": " + m.name));
    stream.finish();
  }
  return tensors;
}

}  // namespace tenon
