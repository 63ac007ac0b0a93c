#include "tenon/abi.hpp"

#include <elf.h>
#include <fcntl.h>
#include <catch2/catch.hpp>

#include <functional>
#include <map>
#include <random>

#include "core/plugin/plugin_files.hpp"
#include "tenon/error.hpp"

using namespace tenon;
using namespace tenon::test;

namespace {

std::string code_of(const std::vector<std::byte>& file) {
  try {
    read_abi_record(file);
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::plugin);
    CHECK_FALSE(e.message().empty());
    return e.code();
  }
  return "good";
}

const std::vector<std::byte>& good() {
  static const std::vector<std::byte> bytes = bytes_of(built_plugin("good"));
  return bytes;
}

template <class T, class F>
std::vector<std::byte> with(std::size_t offset, F&& change) {
  std::vector<std::byte> file = good();
  T value;
  std::memcpy(&value, file.data() + offset, sizeof value);
  change(value);
  std::memcpy(file.data() + offset, &value, sizeof value);
  return file;
}
template <class F>
std::vector<std::byte> with_header(F&& change) {
  return with<Elf64_Ehdr>(0, std::forward<F>(change));
}

// Offset of the section header whose content starts at `offset`.
std::size_t section_header(std::size_t offset) {
  Elf64_Ehdr header;
  std::memcpy(&header, good().data(), sizeof header);
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    const std::size_t at = header.e_shoff + i * sizeof(Elf64_Shdr);
    Elf64_Shdr section;
    std::memcpy(&section, good().data() + at, sizeof section);
    if (section.sh_type == SHT_PROGBITS && section.sh_offset == offset) return at;
  }
  FAIL("no section header for byte " << offset);
  return 0;
}
template <class F>
std::vector<std::byte> with_section(F&& change) {
  return with<Elf64_Shdr>(section_header(record_offset(good())), std::forward<F>(change));
}

// Where the page of errors begins.
std::size_t page_offset() {
  constexpr std::string_view kBegin = "# Error codes of a plugin for the tests";
  const auto* text = reinterpret_cast<const std::byte*>(kBegin.data());
  return static_cast<std::size_t>(std::search(good().begin(), good().end(), text, text + kBegin.size()) - good().begin());
}

std::string page_code(const std::vector<std::byte>& file) {
  try {
    read_error_page(file);
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::plugin);
    return e.code();
  }
  return "good";
}

}  // namespace

TEST_CASE("the record that tenon_add_plugin wrote is read back, from bytes and from a descriptor") {
  const AbiRecord record = read_abi_record(good());
  CHECK(std::string(record.name) == "good");
  CHECK(std::string(record.version) == "1.2.3");
  CHECK(std::string(record.summary) == "A \"good\" plugin; all kinds of entries");
  CHECK(std::string(record.licence) == "Apache-2.0");
  CHECK(record.api_version == kPluginApi);
  CHECK(std::string(record.abi_tag) == core_abi_tag());
  CHECK(provided_ids(record) == std::vector<std::string>{"format lines", "format blob", "model twice", "model fails", "task sum", "tool echo"});

  const int fd = ::open(built_plugin("good").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  const AbiRecord again = read_abi_record(fd, good().size());
  CHECK(std::memcmp(&record, &again, sizeof record) == 0);
  ::close(fd);
}

TEST_CASE("a file that becomes shorter while it is read is told as such") {
  const TemporaryFolder folder;
  write_bytes(folder / "cut.tenon.so", std::vector<std::byte>(good().begin(), good().begin() + 4096));
  const int fd = ::open((folder / "cut.tenon.so").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  CHECK_THROWS_WITH(read_abi_record(fd, good().size()), Catch::Contains("became shorter"));
  ::close(fd);
}

TEST_CASE("files that are no plugin have a code of their own") {
  const auto text = [](const std::string& s) {
    const auto* p = reinterpret_cast<const std::byte*>(s.data());
    return std::vector<std::byte>(p, p + s.size());
  };
  CHECK(code_of({}) == "plugin.truncated");
  CHECK(code_of(text("hello")) == "plugin.not_elf");
  CHECK(code_of(text("#!/bin/sh\nexit 0\n")) == "plugin.not_elf");
  CHECK(code_of(text("\x7f"
                     "ELF")) == "plugin.truncated");
  CHECK(code_of(std::vector<std::byte>(100000)) == "plugin.not_elf");
  CHECK(code_of(with_header([](Elf64_Ehdr& h) { h.e_ident[EI_CLASS] = ELFCLASS32; })) == "plugin.wrong_architecture");
  CHECK(code_of(with_header([](Elf64_Ehdr& h) { h.e_ident[EI_DATA] = ELFDATA2MSB; })) == "plugin.wrong_architecture");
  CHECK(code_of(with_header([](Elf64_Ehdr& h) { h.e_machine = EM_S390; })) == "plugin.wrong_architecture");
  CHECK(code_of(with_header([](Elf64_Ehdr& h) { h.e_type = ET_EXEC; })) == "plugin.not_shared_library");
  CHECK(code_of(with_header([](Elf64_Ehdr& h) { h.e_shnum = 0; })) == "plugin.no_record");
  CHECK(code_of(with_header([](Elf64_Ehdr& h) { h.e_shoff = 0; })) == "plugin.no_record");
  CHECK(code_of(with_header([](Elf64_Ehdr& h) { h.e_shnum = 65535; })) == "plugin.bad_elf");
  CHECK(code_of(with_header([](Elf64_Ehdr& h) { h.e_shstrndx = 65535; })) == "plugin.bad_elf");
  CHECK(code_of(with_header([](Elf64_Ehdr& h) { h.e_shentsize = 1; })) == "plugin.bad_elf");
  CHECK(code_of(with_header([](Elf64_Ehdr& h) { h.e_shoff = ~std::uint64_t{0} - 8; })) == "plugin.truncated");
  CHECK(code_of(with_header([](Elf64_Ehdr& h) { h.e_phoff = ~std::uint64_t{0} - 8; })) == "plugin.truncated");
  CHECK(code_of(with_header([](Elf64_Ehdr& h) { h.e_phnum = 0; })) == "plugin.bad_elf");
}

TEST_CASE("a plugin cut at any length is refused") {
  std::size_t cut = 0;
  for (std::size_t length = 0; length < good().size(); length += length < 2000 ? 1 : 997) {
    const std::string code = code_of(std::vector<std::byte>(good().begin(), good().begin() + static_cast<std::ptrdiff_t>(length)));
    if (code != "plugin.truncated") FAIL("cut at " << length << ": " << code);
    ++cut;
  }
  CHECK(cut > 2000);
  CHECK(code_of(std::vector<std::byte>(good().begin(), good().end() - 1)) == "plugin.truncated");
}

TEST_CASE("segments that are not as they should be, and a library's name that is a path") {
  Elf64_Ehdr header;
  std::memcpy(&header, good().data(), sizeof header);
  const auto with_segment = [&](std::uint32_t type, auto&& change) {
    for (std::size_t i = 0; i < header.e_phnum; ++i) {
      const std::size_t at = header.e_phoff + i * sizeof(Elf64_Phdr);
      Elf64_Phdr segment;
      std::memcpy(&segment, good().data() + at, sizeof segment);
      if (segment.p_type == type) return with<Elf64_Phdr>(at, change);
    }
    FAIL("no segment of type " << type);
    return good();
  };
  CHECK(code_of(with_segment(PT_GNU_RELRO, [](Elf64_Phdr& s) { s.p_memsz += 1 << 20; })) == "plugin.bad_elf");
  CHECK(code_of(with_segment(PT_GNU_RELRO, [](Elf64_Phdr& s) { s.p_vaddr = 0; s.p_memsz = ~std::uint64_t{0}; })) == "plugin.bad_elf");
  CHECK(code_of(with_segment(PT_DYNAMIC, [](Elf64_Phdr& s) { s.p_vaddr += 1 << 24; })) == "plugin.bad_elf");
  CHECK(code_of(with_segment(PT_LOAD, [](Elf64_Phdr& s) { s.p_memsz = s.p_filesz - 1; })) == "plugin.bad_elf");
  CHECK(code_of(with_segment(PT_LOAD, [](Elf64_Phdr& s) { s.p_vaddr = ~std::uint64_t{0}; })) == "plugin.bad_elf");

  // The second entry of the dynamic section becomes a DT_SONAME: a text of the record's, which lies in what is loaded.
  Elf64_Phdr dynamic{}, whole{};
  std::uint64_t texts = 0;
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr s;
    std::memcpy(&s, good().data() + header.e_phoff + i * sizeof s, sizeof s);
    if (s.p_type == PT_DYNAMIC) dynamic = s;
    if (s.p_type == PT_LOAD && s.p_offset <= record_offset(good()) && record_offset(good()) < s.p_offset + s.p_filesz) whole = s;
  }
  for (std::uint64_t at = dynamic.p_offset; at + sizeof(Elf64_Dyn) <= dynamic.p_offset + dynamic.p_filesz; at += sizeof(Elf64_Dyn)) {
    Elf64_Dyn entry;
    std::memcpy(&entry, good().data() + at, sizeof entry);
    if (entry.d_tag == DT_STRTAB) texts = entry.d_un.d_ptr;
  }
  REQUIRE(texts != 0);
  const std::uint64_t licence = record_offset(good()) + offsetof(AbiRecord, licence) - whole.p_offset + whole.p_vaddr;
  const auto named = with<Elf64_Dyn>(dynamic.p_offset, [&](Elf64_Dyn& e) { e.d_tag = DT_SONAME, e.d_un.d_val = licence - texts; });
  CHECK(code_of(named) == "good");
  CHECK(code_of(with_record(named, [](AbiRecord& r) { put_text(r.licence, "/proc/self/fd/5"); })) == "plugin.bad_elf");
  CHECK(code_of(with<Elf64_Dyn>(dynamic.p_offset, [&](Elf64_Dyn& e) { e.d_tag = DT_SONAME, e.d_un.d_val = ~std::uint64_t{0} / 2; })) == "plugin.bad_elf");
}

TEST_CASE("sections and records that are not as they should be") {
  CHECK(code_of(with_section([](Elf64_Shdr& s) { s.sh_name = 0; })) == "plugin.no_record");
  CHECK(code_of(with_section([](Elf64_Shdr& s) { s.sh_name = ~0U; })) == "plugin.no_record");
  CHECK(code_of(with_section([](Elf64_Shdr& s) { s.sh_type = SHT_NOBITS; })) == "plugin.no_record");
  CHECK(code_of(with_section([](Elf64_Shdr& s) { s.sh_size = 0; })) == "plugin.bad_record");
  CHECK(code_of(with_section([](Elf64_Shdr& s) { s.sh_size = 23; })) == "plugin.bad_record");
  CHECK(code_of(with_section([](Elf64_Shdr& s) { s.sh_size -= 1; })) == "plugin.bad_record");
  CHECK(code_of(with_section([](Elf64_Shdr& s) { s.sh_size = ~std::uint64_t{0}; })) == "plugin.truncated");
  {
    std::vector<std::byte> big = with_section([](Elf64_Shdr& s) { s.sh_size = kMaxAbiSection + 1; });
    big.resize(big.size() + kMaxAbiSection + 1);
    CHECK(code_of(big) == "plugin.bad_record");
  }
  CHECK(code_of(with_section([](Elf64_Shdr& s) { s.sh_offset += 1; })) == "plugin.bad_record");

  const std::map<std::string, std::pair<std::string, std::function<void(AbiRecord&)>>> changes = {
      {"magic", {"plugin.bad_record", [](AbiRecord& r) { r.magic[0] = 'X'; }}},
      {"size", {"plugin.bad_record", [](AbiRecord& r) { r.record_size = 12; }}},
      {"api", {"plugin.api_version", [](AbiRecord& r) { r.api_version = 99; }}},
      {"api and size", {"plugin.api_version", [](AbiRecord& r) { r.api_version = 98, r.record_size = 9999; }}},
      {"name empty", {"plugin.bad_record", [](AbiRecord& r) { put_text(r.name, ""); }}},
      {"name with path", {"plugin.bad_record", [](AbiRecord& r) { put_text(r.name, "../../etc"); }}},
      {"name without end", {"plugin.bad_record", [](AbiRecord& r) { put_text(r.name, std::string(64, 'a')); }}},
      {"tag without end", {"plugin.bad_record", [](AbiRecord& r) { put_text(r.abi_tag, std::string(256, 'a')); }}},
      {"terminal control", {"plugin.bad_record", [](AbiRecord& r) { put_text(r.summary, "\x1b[2Jgone"); }}},
      {"C1 control",
       {"plugin.bad_record",
        [](AbiRecord& r) {
          put_text(r.summary,
                   "\xc2\x9b"
                   "2J");
        }}},
      {"broken UTF-8", {"plugin.bad_record", [](AbiRecord& r) { put_text(r.summary, "caf\xe9"); }}},
      {"overlong UTF-8", {"plugin.bad_record", [](AbiRecord& r) { put_text(r.summary, "\xc0\xaf"); }}},
      {"surrogate", {"plugin.bad_record", [](AbiRecord& r) { put_text(r.summary, "\xed\xa0\x80"); }}},
      {"UTF-8", {"good", [](AbiRecord& r) { put_text(r.summary, "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\xa7\xa0"); }}},
      {"line in licence", {"plugin.bad_record", [](AbiRecord& r) { put_text(r.licence, "a\nb"); }}},
      {"kind", {"plugin.bad_record", [](AbiRecord& r) { put_text(r.provides, "spell fireball"); }}},
      {"no kind", {"plugin.bad_record", [](AbiRecord& r) { put_text(r.provides, "echo"); }}},
      {"id", {"plugin.bad_record", [](AbiRecord& r) { put_text(r.provides, "tool Echo"); }}},
      {"twice", {"plugin.duplicate_id", [](AbiRecord& r) { put_text(r.provides, "tool a\ntool b\ntool a"); }}},
      {"needs a path", {"plugin.bad_record", [](AbiRecord& r) { put_text(r.needs, "../other"); }}},
      {"needs itself", {"plugin.bad_record", [](AbiRecord& r) { put_text(r.needs, "other\ngood"); }}},
      {"needs without end", {"plugin.bad_record", [](AbiRecord& r) { put_text(r.needs, std::string(512, 'a')); }}},
      {"needs others", {"good", [](AbiRecord& r) { put_text(r.needs, "one\ntwo"); }}},
      {"nothing", {"good", [](AbiRecord& r) { put_text(r.provides, ""); }}},
  };
  for (const auto& [name, change] : changes) {
    INFO(name);
    CHECK(code_of(with_record(good(), change.second)) == change.first);
  }
}

TEST_CASE("the page of errors is read as it was written, from bytes and from a descriptor") {
  const std::string page = read_error_page(good());
  const std::vector<std::byte> written = bytes_of(fs::path(TENON_SOURCE_DIR) / "tests" / "plugins-bad" / "good_errors.md");
  CHECK(page == std::string(reinterpret_cast<const char*>(written.data()), written.size()));
  const int fd = ::open(built_plugin("good").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  CHECK(read_error_page(fd, good().size()) == page);
  ::close(fd);
  CHECK(read_error_page(bytes_of(built_plugin("throws"))).empty());
}

TEST_CASE("a page of errors that is not as it should be is refused, and the record beside it is not") {
  const std::size_t header = section_header(page_offset());
  const auto with_page = [&](auto&& change) { return with<Elf64_Shdr>(header, change); };
  CHECK(page_code(with_page([](Elf64_Shdr& s) { s.sh_size = ~std::uint64_t{0}; })) == "plugin.truncated");
  std::vector<std::byte> big = with_page([](Elf64_Shdr& s) { s.sh_size = kMaxErrorsSection + 1; });
  big.resize(big.size() + kMaxErrorsSection + 1);
  CHECK(page_code(big) == "plugin.bad_record");
  for (const char bad : {'\x1b', '\xe9', '\x7f', '\r'}) {
    const auto changed = with<char>(page_offset() + 5, [bad](char& c) { c = bad; });
    CHECK(page_code(changed) == "plugin.bad_record");
    CHECK(code_of(changed) == "good");
  }
  CHECK(read_error_page(with_page([](Elf64_Shdr& s) { s.sh_size = 0; })).empty());
  CHECK(read_error_page(with_page([](Elf64_Shdr& s) { s.sh_name = 0; })).empty());
  CHECK(read_error_page(with<char>(page_offset() + 7, [](char& c) { c = '\0'; })) == "# Error");
  CHECK(page_code({}) == "plugin.truncated");
}

TEST_CASE("tags are compared field by field") {
  CHECK(abi_differences(core_abi_tag(), core_abi_tag()).empty());
  const auto d = abi_differences("core=1;compiler=gcc 13;extra=x", "core=1;compiler=gcc 12;pointer size=8");
  REQUIRE(d.size() == 3);
  CHECK((d[0].field == "compiler" && d[0].plugin == "gcc 13" && d[0].core == "gcc 12"));
  CHECK((d[1].field == "pointer size" && d[1].plugin == "(none)" && d[1].core == "8"));
  CHECK((d[2].field == "extra" && d[2].plugin == "x" && d[2].core == "(none)"));
  CHECK(abi_differences("a=1;b=2", "b=2;a=1").size() == 1);  // equal in fields is not equal
  CHECK(abi_differences("", "a=1").size() == 1);
  for (const char* field :
       {"core=", "compiler=", "c++ ABI=", "c++ library=", "cxx11=1", "pointer size=8", "sanitizer=", "library checks="}) {
    CHECK_THAT(std::string(core_abi_tag()), Catch::Contains(field));
  }
}

TEST_CASE("no change of bytes gets past the reader other than as a record or a plugin error") {
  std::mt19937_64 random(20240611);  // the same mutations in every run
  // Bytes that steer the reader: headers, section and program tables, the record.
  Elf64_Ehdr header;
  std::memcpy(&header, good().data(), sizeof header);
  const std::vector<std::pair<std::size_t, std::size_t>> zones = {{0, sizeof header},
                                                                  {header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr)},
                                                                  {header.e_shoff, header.e_shnum * sizeof(Elf64_Shdr)},
                                                                  {section_header(record_offset(good())), sizeof(Elf64_Shdr)},
                                                                  {record_offset(good()), sizeof(AbiRecord)},
                                                                  {section_header(page_offset()), sizeof(Elf64_Shdr)},
                                                                  {page_offset(), 200},
                                                                  {0, good().size()}};
  const std::byte edges[] = {std::byte{0}, std::byte{0xff}, std::byte{0x7f}, std::byte{0x80}, std::byte{1}};
  std::map<std::string, int> seen, pages;
  std::vector<std::byte> file = good();
  for (int round = 0; round < 5000; ++round) {
    std::vector<std::pair<std::size_t, std::byte>> undo;
    const auto changes = 1 + random() % 6;
    for (std::uint64_t i = 0; i < changes; ++i) {
      const auto& [start, length] = zones[random() % zones.size()];
      const std::size_t at = start + random() % length;
      undo.emplace_back(at, file[at]);
      file[at] = random() % 2 == 0 ? edges[random() % std::size(edges)] : static_cast<std::byte>(random() & 0xff);
    }
    ++seen[code_of(file)];
    ++pages[page_code(file)];
    while (!undo.empty()) {
      file[undo.back().first] = undo.back().second;
      undo.pop_back();
    }
  }
  CHECK(seen.size() > 6);
  CHECK(seen["good"] > 0);
  CHECK(seen["good"] < 5000);
  CHECK(pages["good"] > 0);
  CHECK(pages["plugin.bad_record"] > 0);
  CHECK(code_of(file) == "good");
}
