#include "plugin_check/elf.hpp"

#include <elf.h>

#include <cstring>

#include "tenon/error.hpp"

namespace tenon::command {
namespace {

[[noreturn]] void bad(const std::string& what) { throw Error(ErrorKind::plugin, "plugin.bad_elf", what, "build the plugin again"); }

class Bytes {
 public:
  explicit Bytes(std::span<const std::byte> all) : all_(all) {}
  template <class T>
  T at(std::uint64_t offset) const {
    if (offset > all_.size() || all_.size() - offset < sizeof(T)) bad("a structure lies beyond the end of the file");
    T value;
    std::memcpy(&value, all_.data() + offset, sizeof value);
    return value;
  }
  std::string text(std::uint64_t begin, std::uint64_t end) const {
    if (begin >= end || end > all_.size()) bad("a name lies outside its table");
    const auto* first = reinterpret_cast<const char*>(all_.data()) + begin;
    const auto* last = static_cast<const char*>(std::memchr(first, 0, end - begin));
    if (!last) bad("a name does not end within its table");
    return {first, last};
  }

 private:
  std::span<const std::byte> all_;
};

}  // namespace

DynamicFacts dynamic_facts(std::span<const std::byte> file) {
  const Bytes bytes(file);
  const auto header = bytes.at<Elf64_Ehdr>(0);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) bad("the file is no 64-bit ELF file");
  DynamicFacts out;
  bool stack_told = false;
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    const auto segment = bytes.at<Elf64_Phdr>(header.e_phoff + std::uint64_t(i) * sizeof(Elf64_Phdr));
    if (segment.p_type == PT_GNU_STACK) stack_told = true, out.executable_stack = segment.p_flags & PF_X;
    if (segment.p_type == PT_GNU_RELRO) out.read_only_relocations = true;
  }
  if (!stack_told) out.executable_stack = true;
  const auto section = [&](unsigned i) {
    if (i >= header.e_shnum) bad("a section refers to one that is not there");
    return bytes.at<Elf64_Shdr>(header.e_shoff + std::uint64_t(i) * sizeof(Elf64_Shdr));
  };
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    const auto s = section(i);
    if (s.sh_type != SHT_DYNAMIC && s.sh_type != SHT_DYNSYM) continue;
    const auto strings = section(s.sh_link);
    const auto name = [&](std::uint64_t at) { return at < strings.sh_size ? bytes.text(strings.sh_offset + at, strings.sh_offset + strings.sh_size) : (bad("a name lies outside its table"), std::string()); };
    if (s.sh_type == SHT_DYNAMIC) {
      for (std::uint64_t at = 0; at + sizeof(Elf64_Dyn) <= s.sh_size; at += sizeof(Elf64_Dyn)) {
        const auto d = bytes.at<Elf64_Dyn>(s.sh_offset + at);
        if (d.d_tag == DT_NULL) break;
        if (d.d_tag == DT_NEEDED) out.needed.push_back(name(d.d_un.d_val));
        if (d.d_tag == DT_RUNPATH || d.d_tag == DT_RPATH) out.run_path += (out.run_path.empty() ? "" : ":") + name(d.d_un.d_val);
        if (d.d_tag == DT_TEXTREL || (d.d_tag == DT_FLAGS && (d.d_un.d_val & DF_TEXTREL))) out.text_relocations = true;
      }
    } else {
      for (std::uint64_t at = sizeof(Elf64_Sym); at + sizeof(Elf64_Sym) <= s.sh_size; at += sizeof(Elf64_Sym)) {
        const auto symbol = bytes.at<Elf64_Sym>(s.sh_offset + at);
        const unsigned binding = ELF64_ST_BIND(symbol.st_info);
        if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS || (binding != STB_GLOBAL && binding != STB_WEAK && binding != STB_GNU_UNIQUE)) continue;
        const std::string text = name(symbol.st_name);
        if (text != "_init" && text != "_fini" && text != "_edata" && text != "_end" && text != "__bss_start") out.exports.push_back(text);
      }
    }
  }
  return out;
}

}  // namespace tenon::command
