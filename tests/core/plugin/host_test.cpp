#include <sys/stat.h>
#include <catch2/catch.hpp>

#include <elf.h>

#include <chrono>
#include <cstdlib>

#include "core/plugin/plugin_files.hpp"
#include "tenon/error.hpp"
#include "tenon/io/sha256.hpp"
#include "tenon/plugin.hpp"

using namespace tenon;
using namespace tenon::test;

namespace {

// The host is one a process and never unloads, so the tests give every plugin that they activate a name of its own:
// a copy of a built plugin whose record says `name`.
std::vector<std::byte> named(const std::string& built, const std::string& name) {
  return with_record(bytes_of(built_plugin(built)), [&](AbiRecord& r) { put_text(r.name, name); });
}

// Sets a variable of the environment for a scope.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old, had_ = true;
    ::setenv(name, value.c_str(), 1);
  }
  ~Environment() {
    if (had_)
      ::setenv(name_, old_.c_str(), 1);
    else
      ::unsetenv(name_);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::string old_;
  bool had_ = false;
};

PluginHost& host_for(const fs::path& directory) {
  PluginHost& host = PluginHost::instance();
  host.set_extra_directories({directory});
  return host;
}

PluginInfo info_of(const fs::path& file) {
  for (const PluginInfo& info : PluginHost::instance().scan()) {
    if (info.file == file) return info;
  }
  FAIL("not seen: " << file);
  return {};
}

template <class F>
Error error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e;
  }
  FAIL("nothing was thrown");
  return Error(ErrorKind::internal, "", "");
}

ParamValues how(const ParamSpec& spec, const std::string& value) {
  ParamValues values(spec);
  values.set(spec, "how", value, "test");
  return values;
}

class Printed final : public ToolContext {
 public:
  void print(const std::string& text) override { text_ += text + "|"; }
  void status(const std::string&) override {}
  void progress(std::int64_t, std::int64_t) override {}
  bool json() const override { return false; }
  bool interrupted() const override { return false; }
  std::string text_;
};

}  // namespace

TEST_CASE("a good plugin: its record is known before it is loaded, its entries after") {
  const TemporaryFolder folder;
  write_bytes(folder / "alpha.tenon.so", named("good", "alpha"));
  PluginHost& host = host_for(folder.path());

  PluginInfo info = info_of(folder / "alpha.tenon.so");
  CHECK(info.state == PluginState::ready);
  CHECK(info.name == "alpha");
  CHECK(info.version == "1.2.3");
  CHECK(info.licence == "Apache-2.0");
  CHECK(info.provides.size() == 6);
  const auto tools = host.tools();
  CHECK(std::count(tools.begin(), tools.end(), "alpha.echo") == 1);
  CHECK(info_of(folder / "alpha.tenon.so").state == PluginState::ready);  // listing loads nothing

  const ToolEntry& echo = host.tool("alpha.echo");
  CHECK(info_of(folder / "alpha.tenon.so").state == PluginState::active);
  Printed printed;
  CHECK(echo.run({"a", "b"}, ParamValues(echo.params), printed) == 2);
  CHECK(printed.text_ == "a|b|");
  CHECK(&host.tool("alpha.echo") == &echo);
  CHECK(host.task("alpha.sum").sections.size() == 2);
  CHECK(host.model("alpha.twice").help == "Returns no model");
  CHECK(host.format("alpha.lines").extensions.size() == 2);
}

TEST_CASE("pages of errors are read without loading anything, and a bad one costs nothing but itself") {
  const TemporaryFolder folder;
  write_bytes(folder / "paged.tenon.so", named("good", "paged"));
  std::vector<std::byte> spoilt = named("good", "spoilt");
  const std::string_view title = "# Error codes of a plugin for the tests";
  const auto* text = reinterpret_cast<const std::byte*>(title.data());
  *std::search(spoilt.begin(), spoilt.end(), text, text + title.size()) = std::byte{0x1b};
  write_bytes(folder / "spoilt.tenon.so", spoilt);
  std::vector<std::string> names;
  for (const auto& [plugin, page] : host_for(folder.path()).error_pages()) {
    if (plugin == "paged") CHECK_THAT(page, Catch::Contains("## good.broken\nA line of the file is empty."));
    names.push_back(plugin);
  }
  CHECK(std::count(names.begin(), names.end(), "paged") == 1);
  CHECK(std::count(names.begin(), names.end(), "spoilt") == 0);
  CHECK(info_of(folder / "paged.tenon.so").state == PluginState::ready);
  CHECK(info_of(folder / "spoilt.tenon.so").state == PluginState::ready);
}

TEST_CASE("whatever a plugin throws reaches the caller as an error that names plugin and call") {
  const TemporaryFolder folder;
  write_bytes(folder / "beta.tenon.so", named("good", "beta"));
  PluginHost& host = host_for(folder.path());
  const FormatEntry& lines = host.format("beta.lines");
  const auto read = [&](const std::string& behaviour) { return error_of([&] { lines.read("x", how(lines.params, behaviour)); }); };

  Error e = read("std");
  CHECK(e.kind() == ErrorKind::plugin);
  CHECK(e.code() == "plugin.exception");
  CHECK(e.message() == "plugin 'beta' threw in read of format lines: std::out_of_range: shelf 7");
  CHECK(read("int").message() == "plugin 'beta' threw in read of format lines: an object of type int");
  CHECK(read("memory").kind() == ErrorKind::device);
  e = read("error");  // an Error is the plugin's own word
  CHECK(e.kind() == ErrorKind::data);
  CHECK(e.code() == "lines.broken");
  CHECK_NOTHROW(lines.read("x", how(lines.params, "well")));

  const ToolEntry& echo = host.tool("beta.echo");
  Printed printed;
  CHECK(error_of([&] { echo.run({}, how(echo.params, "std"), printed); }).message() ==
        "plugin 'beta' threw in tool echo: std::out_of_range: shelf 7");
  CHECK(error_of([&] { host.model("beta.twice").make({}, {}); }).code() == "plugin.no_result");

  const auto task = host.task("beta.sum").make({});
  CHECK(&task->unguarded() != task.get());  // the plugin's own, which its tools know by class
  CHECK(&task->unguarded().unguarded() == &task->unguarded());
  CHECK(task->check({}).size() == 1);
  CHECK(task->score({}) == 0.5);
  CHECK(error_of([&] { task->load({}); }).message() == "plugin 'beta' threw in load of task sum: std::runtime_error: no data here");
  std::vector<Tensor> batch;
  CHECK(error_of([&] { task->fill_batch(0, Random(1, 0), batch); }).message() ==
        "plugin 'beta' threw in fill_batch of task sum: an object of type int");
}

TEST_CASE("files are matched to formats by content first, and to writers by extension") {
  const TemporaryFolder folder;
  write_bytes(folder / "gamma.tenon.so", named("good", "gamma"));
  write_text(folder / "a.dat", "L1234567");
  write_text(folder / "b.txt", "nothing");
  write_text(folder / "x.blob", "X");
  PluginHost& host = host_for(folder.path());
  CHECK(host.format_of(folder / "a.dat").name == "lines");
  Error e = error_of([&] { host.format_of(folder / "b.txt"); });
  CHECK(e.kind() == ErrorKind::data);
  CHECK(e.code() == "format.unknown");
  CHECK_THAT(e.hint(), Catch::Contains("gamma.lines (.lines.txt, .txt)"));
  CHECK_THAT(error_of([&] { host.format_of(folder / "x.blob"); }).message(), Catch::Contains("X is too much"));
  CHECK(error_of([&] { host.format_of(folder / "absent"); }).code() == "file.missing");
  CHECK(host.format_for_writing("out/C.Lines.TXT").name == "lines");
  e = error_of([&] { host.format_for_writing("out/a.blob"); });  // that format does not write
  CHECK(e.kind() == ErrorKind::usage);
  CHECK(e.code() == "format.unknown_extension");
  CHECK_THROWS_AS(host.format_for_writing(".txt"), Error);
}

TEST_CASE("unknown names get the nearest ones") {
  const TemporaryFolder folder;
  write_bytes(folder / "delta.tenon.so", named("good", "delta"));
  write_text(folder / "broken.tenon.so", "text");
  PluginHost& host = host_for(folder.path());
  Error e = error_of([&] { host.task("delta.smu"); });
  CHECK(e.kind() == ErrorKind::usage);  // misspelt: the user's to mend
  CHECK(e.code() == "plugin.unknown");
  CHECK(e.message() == "no task is called 'delta.smu'");
  CHECK_THAT(e.hint(), Catch::Contains("'delta.sum'"));
  CHECK_THAT(error_of([&] { host.task("sum"); }).hint(), Catch::Contains("'delta.sum'"));
  CHECK(error_of([&] { host.task(""); }).code() == "plugin.unknown");
  e = error_of([&] { host.task("broken.task"); });  // the file is there, so its reason is the answer
  CHECK(e.code() == "plugin.not_elf");
  CHECK_THAT(e.message(), Catch::Contains("needs plugin 'broken', which is refused: "));
  CHECK(e.where() == (folder / "broken.tenon.so").string());
}

TEST_CASE("each bad plugin has its code and reason, and harms neither the host nor the others") {
  const TemporaryFolder folder;
  const std::vector<std::byte> good = bytes_of(built_plugin("good"));
  write_bytes(folder / "zz_well.tenon.so", named("good", "zz_well"));

  write_text(folder / "text.tenon.so", "not a plugin\n");
  write_text(folder / "empty.tenon.so", "");
  write_bytes(folder / "cut.tenon.so", std::vector<std::byte>(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(good.size() / 2)));
  write_bytes(folder / "foreign.tenon.so", with_record(good, [](AbiRecord& r) {
                put_text(r.name, "foreign");
                std::string tag(core_abi_tag());
                tag.replace(tag.find("pointer size=8"), 14, "pointer size=4");
                tag.replace(tag.find("sanitizer="), tag.find(";library checks=") - tag.find("sanitizer="), "sanitizer=memory");
                put_text(r.abi_tag, tag);
              }));
  write_bytes(folder / "future.tenon.so", with_record(good, [](AbiRecord& r) { r.api_version = 7; }));
  const auto with_header = [&](auto&& change) {
    std::vector<std::byte> bytes = good;
    Elf64_Ehdr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    change(header);
    std::memcpy(bytes.data(), &header, sizeof header);
    return bytes;
  };
  write_bytes(folder / "other_machine.tenon.so", with_header([](Elf64_Ehdr& h) { h.e_machine = EM_AARCH64; }));
  write_bytes(folder / "stripped.tenon.so", with_header([](Elf64_Ehdr& h) { h.e_shoff = 0, h.e_shnum = 0, h.e_shstrndx = 0; }));
  {
    std::vector<std::byte> huge = good;
    Elf64_Ehdr header;
    std::memcpy(&header, huge.data(), sizeof header);
    for (int i = 0; i < header.e_shnum; ++i) {
      const std::size_t at = header.e_shoff + std::size_t(i) * header.e_shentsize;
      Elf64_Shdr section;
      std::memcpy(&section, huge.data() + at, sizeof section);
      if (section.sh_offset != record_offset(good)) continue;
      section.sh_size = std::uint64_t(1) << 40;
      std::memcpy(huge.data() + at, &section, sizeof section);
    }
    write_bytes(folder / "huge_section.tenon.so", huge);
  }
  for (int i = 0; i < 20; ++i)
    write_bytes(folder / ("cut_" + std::to_string(i) + ".tenon.so"), std::vector<std::byte>(good.begin(), good.begin() + std::ptrdiff_t(good.size() * std::size_t(i) / 20)));
  write_bytes(folder / "lonely.tenon.so", with_record(good, [](AbiRecord& r) { put_text(r.name, "lonely"), put_text(r.needs, "nobody"); }));
  for (const auto& [name, needs] : {std::pair{"hen", "egg"}, {"egg", "chick"}, {"chick", "hen"}, {"farm", "hen"}, {"upon_throws", "throws"}})
    write_bytes(folder / (std::string(name) + ".tenon.so"), with_record(good, [&](AbiRecord& r) { put_text(r.name, name), put_text(r.needs, needs); }));
  fs::create_directory(folder / "folder.tenon.so");
  fs::create_symlink("loop.tenon.so", folder / "loop.tenon.so");
  fs::create_symlink("nowhere", folder / "dangling.tenon.so");
  REQUIRE(::mkfifo((folder / "fifo.tenon.so").c_str(), 0600) == 0);
  write_bytes(folder / "writable.tenon.so", named("good", "writable"));
  REQUIRE(::chmod((folder / "writable.tenon.so").c_str(), 0666) == 0);
  fs::create_symlink(folder / "writable.tenon.so", folder / "writable_link.tenon.so");
  fs::copy_file("/proc/self/exe", folder / "program.tenon.so");
  fs::permissions(folder / "program.tenon.so", fs::perms::owner_all);
  for (const char* built : {"throws", "throws_int", "duplicate_id", "swallows", "registers_less", "registers_more", "bad_default",
                            "no_entry", "undefined_symbol", "asks_host", "crashes", "aborts", "exits", "hangs", "forks", "throws_early"}) {
    fs::copy_file(built_plugin(built), folder / (std::string(built) + ".tenon.so"));
  }

  const TemporaryFolder memory;
  const Environment seconds("TENON_PLUGIN_SECONDS", "0.5"), cache("XDG_CACHE_HOME", memory.path().string());
  PluginHost& host = host_for(folder.path());
  host.load_all();

  struct Expected {
    const char* file;
    PluginState state;
    const char* code;
    const char* reason;  // a part of it
  };
  const Expected expected[] = {
      {"text", PluginState::refused, "plugin.not_elf", "does not start with the ELF magic"},
      {"empty", PluginState::refused, "plugin.truncated", "the file is empty"},
      {"cut", PluginState::refused, "plugin.truncated", "the section table lies at bytes"},
      {"foreign", PluginState::refused, "plugin.abi_mismatch",
       "pointer size is '4', this core has '8'; sanitizer is 'memory', this core has '"},
      {"future", PluginState::refused, "plugin.api_version", "built for plugin API 7, this core offers 4"},
      {"other_machine", PluginState::refused, "plugin.wrong_architecture", ""},
      {"stripped", PluginState::refused, "plugin.no_record", ""},
      {"huge_section", PluginState::refused, "plugin.truncated", ""},
      {"lonely", PluginState::refused, "plugin.missing_dependency", "it needs plugin 'nobody', which is not there"},
      {"hen", PluginState::refused, "plugin.dependency_cycle", "in a circle: "},
      {"egg", PluginState::refused, "plugin.dependency_cycle", "chick needs hen"},
      {"chick", PluginState::refused, "plugin.dependency_cycle", "hen needs egg"},
      {"farm", PluginState::refused, "plugin.missing_dependency", "it needs plugin 'hen', which is refused (plugin.dependency_cycle)"},
      {"upon_throws", PluginState::failed, "plugin.dependency_failed", "it needs plugin 'throws', which failed: registration threw"},
      {"folder", PluginState::refused, "plugin.not_regular_file", "this is a directory, not a file"},
      {"loop", PluginState::refused, "plugin.unreadable", "Too many levels of symbolic links"},
      {"dangling", PluginState::refused, "plugin.unreadable", "No such file"},
      {"fifo", PluginState::refused, "plugin.not_regular_file", "not a regular file"},
      {"writable", PluginState::refused, "plugin.world_writable", "the file may be written by everybody (chmod o-w)"},
      {"program", PluginState::refused, "plugin.no_record", "has no section .tenon_abi"},
      {"throws", PluginState::failed, "plugin.registration_failed", "registration threw std::runtime_error: the licence server is away"},
      {"throws_int", PluginState::failed, "plugin.registration_failed", "registration threw an object of type int"},
      {"duplicate_id", PluginState::failed, "plugin.duplicate_id", "'tool one' is registered twice by plugin 'duplicate_id'"},
      {"swallows", PluginState::failed, "plugin.bad_entry", "a tool is called 'Not A Name'"},
      {"registers_less", PluginState::failed, "plugin.provides_mismatch", "missing 'tool two'"},
      {"registers_more", PluginState::failed, "plugin.provides_mismatch", "not in the record 'tool two'"},
      {"bad_default", PluginState::failed, "plugin.bad_entry",
       "tool one: default of parameter 'count' is 0, out of its range: it may be from 1 to 9"},
      {"no_entry", PluginState::failed, "plugin.no_entry", "no function tenon_plugin_register"},
      {"undefined_symbol", PluginState::failed, "plugin.load_failed",
       "refuses the file: undefined_symbol.tenon.so: undefined symbol: _Z24function_that_nobody_hasv"},
      {"asks_host", PluginState::failed, "plugin.registration_failed",
       "tool 'asks_host.one' is asked for while plugin 'asks_host' registers"},
      {"crashes", PluginState::failed, "plugin.crashed", "was ended by SIGSEGV"},
      {"aborts", PluginState::failed, "plugin.crashed", "was ended by SIGABRT"},
      {"exits", PluginState::failed, "plugin.exited", "ended with status 0 while it loaded"},
      {"hangs", PluginState::failed, "plugin.hung", "was not done after 0.5 s"},
      {"forks", PluginState::failed, "plugin.forked", "it starts a process when it is loaded"},
      {"throws_early", PluginState::failed, "plugin.crashed", "was ended by SIGABRT"},
      {"zz_well", PluginState::active, "", ""},
  };
  for (const Expected& e : expected) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)  // makes the program too large to be looked at, and looks for leaks when one exits
    if (std::string(e.file) == "program" || std::string(e.file) == "exits") continue;
#endif
    INFO(e.file);
    const PluginInfo info = info_of(folder / (std::string(e.file) + ".tenon.so"));
    CHECK(info.state == e.state);
    CHECK(info.code == e.code);
    CHECK_THAT(info.reason, Catch::Contains(e.reason));
    CHECK_THAT(info.reason, !Catch::Contains("/proc/self/fd"));
  }
  for (int i = 0; i < 20; ++i) {
    INFO("cut " << i);
    const PluginInfo info = info_of(folder / ("cut_" + std::to_string(i) + ".tenon.so"));
    CHECK(info.state == PluginState::refused);
    CHECK(info.code == "plugin.truncated");
  }
  CHECK(host.tool("zz_well.echo").name == "echo");
  CHECK(error_of([&] { host.tool("throws.one"); }).code() == "plugin.registration_failed");  // nothing of it stayed
  const auto tools = host.tools();
  CHECK(std::none_of(tools.begin(), tools.end(), [](const std::string& id) { return id.starts_with("throws"); }));
  host.load_all();  // again: nothing is tried twice
  CHECK(info_of(folder / "throws.tenon.so").code == "plugin.registration_failed");
}

TEST_CASE("a plugin is loaded after those that it needs, whatever their names") {
  const TemporaryFolder folder;
  // in order of name the first needs the second, and that the third
  for (const auto& [name, needs] : {std::pair{"need_a", "need_b"}, {"need_b", "need_c"}, {"need_c", ""}})
    write_bytes(folder / (std::string(name) + ".tenon.so"), with_record(bytes_of(built_plugin("good")), [&](AbiRecord& r) { put_text(r.name, name), put_text(r.needs, needs); }));
  PluginHost& host = host_for(folder.path());
  CHECK(info_of(folder / "need_a.tenon.so").needs == std::vector<std::string>{"need_b"});
  CHECK(host.tool("need_b.echo").name == "echo");
  CHECK(info_of(folder / "need_a.tenon.so").state == PluginState::ready);
  CHECK(info_of(folder / "need_b.tenon.so").state == PluginState::active);
  CHECK(info_of(folder / "need_c.tenon.so").state == PluginState::active);  // it alone was asked for, the third came first
  host.load_all();
  CHECK(info_of(folder / "need_a.tenon.so").state == PluginState::active);
}

TEST_CASE("with a plugins.lock the files that it names load as they were, and no others") {
  const TemporaryFolder folder, elsewhere;
  for (const char* name : {"lock_kept", "lock_changed", "lock_new"}) write_bytes(folder / (std::string(name) + ".tenon.so"), named("good", name));
  const auto line = [&](const std::string& name) { return sha256_of_file(folder / (name + ".tenon.so")) + "  " + name + ".tenon.so\n"; };
  const std::string lock = "# allowed\n\n" + line("lock_kept") + line("lock_changed");
  write_text(folder / "plugins.lock", lock);
  write_bytes(folder / "lock_changed.tenon.so", with_record(bytes_of(folder / "lock_changed.tenon.so"), [](AbiRecord& r) { put_text(r.summary, "another"); }));
  const auto rescan = [&] { host_for(folder.path()); };

  rescan();
  CHECK(info_of(folder / "lock_kept.tenon.so").state == PluginState::ready);
  PluginInfo info = info_of(folder / "lock_changed.tenon.so");
  CHECK(info.code == "plugin.lock_mismatch");
  CHECK_THAT(info.reason, Catch::Contains("its SHA-256 is " + sha256_of_file(folder / "lock_changed.tenon.so")));
  info = info_of(folder / "lock_new.tenon.so");
  CHECK(info.code == "plugin.not_in_lock");
  CHECK_THAT(info.reason, Catch::Contains("not in plugins.lock") && Catch::Contains("tenon plugin lock"));
  CHECK(PluginHost::instance().tool("lock_kept.echo").name == "echo");

  struct Bad {
    std::string text, reason;
  };
  const std::string digest(64, 'a');
  for (const Bad& bad : {Bad{"# x\nhello\n", "plugins.lock, line 2: wanted is a SHA-256 digest"}, {digest + " a.tenon.so\n", "line 1"}, {std::string(64, 'A') + "  a.tenon.so\n", "line 1"},
                         {digest + "  ../a.tenon.so\n", "'../a.tenon.so' is not the name of a plugin's file"}, {digest + "  a.so\n", "'a.so' is not the name"},
                         {digest + "  a.tenon.so\n" + digest + "  a.tenon.so\n", "line 2: 'a.tenon.so' is there twice"}, {std::string(2 << 20, '#'), "at most 1048576 are read"}}) {
    INFO(bad.reason);
    write_text(folder / "plugins.lock", bad.text);
    rescan();
    CHECK(info_of(folder.path()).code == "plugin.bad_lock");  // whoever locks a folder wants nothing else from it
    CHECK_THAT(info_of(folder.path()).reason, Catch::Contains(bad.reason));
  }
  write_text(folder / "plugins.lock", lock);
  REQUIRE(::chmod((folder / "plugins.lock").c_str(), 0666) == 0);
  rescan();
  CHECK(info_of(folder.path()).code == "plugin.world_writable");
  fs::remove(folder / "plugins.lock");
  fs::create_symlink("nowhere", folder / "plugins.lock");
  rescan();
  CHECK(info_of(folder.path()).code == "plugin.unreadable");
  fs::remove(folder / "plugins.lock");

  // One file for every folder, named by who starts the program.
  write_text(elsewhere / "any.lock", line("lock_new"));
  {
    const Environment named_lock("TENON_PLUGIN_LOCK", (elsewhere / "any.lock").string());
    rescan();
    CHECK(info_of(folder / "lock_new.tenon.so").state == PluginState::ready);
    CHECK(info_of(folder / "lock_changed.tenon.so").code == "plugin.not_in_lock");
  }
  for (const std::string& wrong : {std::string("any.lock"), (elsewhere / "absent").string()}) {
    const Environment named_lock("TENON_PLUGIN_LOCK", wrong);
    rescan();
    CHECK(info_of(folder.path()).state == PluginState::refused);
  }
}

TEST_CASE("directories: order, policy, and never the current one") {
  const TemporaryFolder one, two, open, home;
  write_bytes(one / "epsilon.tenon.so", named("good", "epsilon"));
  write_bytes(two / "other.tenon.so", named("good", "epsilon"));
  write_bytes(open / "zeta.tenon.so", named("good", "zeta"));
  REQUIRE(::chmod(open.path().c_str(), 0777) == 0);
  write_text(home / "file", "");
  fs::create_directories(home / "tenon/plugins");
  write_bytes(home / "tenon/plugins/eta.tenon.so", named("good", "eta"));

  const Environment xdg("XDG_DATA_HOME", home.path().string());
  const Environment path("TENON_PLUGIN_PATH", two.path().string() + ":relative/place::" + (home / "absent").string() + ":" +
                                                  (home / "file").string() + ":" + open.path().string() + ":" + one.path().string());
  PluginHost& host = host_for(one.path());

  const auto directories = host.directories();
  REQUIRE(directories.size() >= 6);
  CHECK(directories[0] == one.path());
  CHECK(directories[1] == two.path());
  CHECK(directories[directories.size() - 2] == home / "tenon/plugins");
  CHECK(directories.back().parent_path().filename() == "tenon");
  CHECK(std::none_of(directories.begin(), directories.end(), [](const fs::path& p) { return p.is_relative(); }));

  CHECK(info_of(one / "epsilon.tenon.so").state == PluginState::ready);  // seen twice, listed once
  CHECK(std::count_if(host.scan().begin(), host.scan().end(),
                      [&](const PluginInfo& i) { return i.file.filename() == "epsilon.tenon.so"; }) == 1);
  const PluginInfo second = info_of(two / "other.tenon.so");
  CHECK(second.code == "plugin.duplicate_name");
  CHECK_THAT(second.reason, Catch::Contains((one / "epsilon.tenon.so").string()) && Catch::Contains((two / "other.tenon.so").string()));
  CHECK(info_of(home / "tenon/plugins/eta.tenon.so").state == PluginState::ready);

  CHECK(info_of("relative/place").code == "plugin.relative_path");
  CHECK_THAT(info_of("relative/place").reason, Catch::Contains("current directory"));
  CHECK(info_of("TENON_PLUGIN_PATH").code == "plugin.relative_path");  // the empty entry
  CHECK(info_of(home / "absent").code == "plugin.no_directory");
  CHECK(info_of(home / "file").code == "plugin.not_directory");
  CHECK(info_of(open.path()).code == "plugin.world_writable");
  CHECK_THAT(error_of([&] { host.tool("zeta.echo"); }).code(), Catch::Equals("plugin.unknown"));
}

TEST_CASE("links and folders above do not lead past the policy") {
  const TemporaryFolder folder;
  for (const char* name : {"open", "links", "parent", "parent/inner", "sticky", "sticky/inner"}) fs::create_directory(folder / name);
  write_bytes(folder / "open/kappa.tenon.so", named("good", "kappa"));
  fs::create_symlink(folder / "open/kappa.tenon.so", folder / "links/kappa.tenon.so");
  write_bytes(folder / "parent/inner/lambda.tenon.so", named("good", "lambda"));
  fs::create_symlink(folder / "parent/inner/lambda.tenon.so", folder / "links/lambda.tenon.so");
  write_bytes(folder / "sticky/inner/mu.tenon.so", named("good", "mu"));
  fs::create_symlink(folder / "sticky/inner/mu.tenon.so", folder / "links/mu.tenon.so");
  REQUIRE(::chmod((folder / "open").c_str(), 0777) == 0);
  REQUIRE(::chmod((folder / "parent").c_str(), 0777) == 0);
  REQUIRE(::chmod((folder / "sticky").c_str(), 01777) == 0);

  host_for(folder / "links");
  PluginInfo info = info_of(folder / "links/kappa.tenon.so");
  CHECK(info.code == "plugin.world_writable");
  CHECK_THAT(info.reason, Catch::Contains((folder / "open").string()));
  info = info_of(folder / "links/lambda.tenon.so");
  CHECK(info.code == "plugin.world_writable");
  CHECK_THAT(info.reason, Catch::Contains((folder / "parent").string()));
  CHECK(info_of(folder / "links/mu.tenon.so").state == PluginState::ready);

  host_for(folder / "parent/inner");
  info = info_of(folder / "parent/inner");
  CHECK(info.code == "plugin.world_writable");
  CHECK_THAT(info.reason, Catch::Contains("chmod o-w " + (folder / "parent").string()));
  host_for(folder / "sticky/inner");
  CHECK(info_of(folder / "sticky/inner/mu.tenon.so").state == PluginState::ready);
}

TEST_CASE("what was checked is what loads, even if the path names another file by then") {
  const TemporaryFolder folder;
  const fs::path file = folder / "theta.tenon.so";
  write_bytes(file, named("good", "theta"));
  PluginHost& host = host_for(folder.path());
  REQUIRE(info_of(file).state == PluginState::ready);
  write_text(folder / "new", "something else");
  fs::rename(folder / "new", file);
  CHECK(host.tool("theta.echo").name == "echo");
  // An active plugin stays, whatever becomes of its file or of the directories.
  host.set_extra_directories({});
  CHECK(info_of(file).state == PluginState::active);
  CHECK(host.tool("theta.echo").name == "echo");
}

TEST_CASE("a file of another owner is refused") {
  if (::geteuid() != 0) {
    WARN("skipped: only root can give files away");
    return;
  }
  const TemporaryFolder folder;
  write_bytes(folder / "iota.tenon.so", named("good", "iota"));
  REQUIRE(::chown((folder / "iota.tenon.so").c_str(), 54321, 54321) == 0);
  host_for(folder.path());
  const PluginInfo info = info_of(folder / "iota.tenon.so");
  CHECK(info.code == "plugin.foreign_owner");
  CHECK_THAT(info.reason, Catch::Contains("belongs to user 54321"));
}

TEST_CASE("a file or a folder that a group of others may write is refused, one of a private group is not") {
  const TemporaryFolder folder;
  write_bytes(folder / "kappa.tenon.so", named("good", "kappa"));
  REQUIRE(::chmod((folder / "kappa.tenon.so").c_str(), 0664) == 0);
  if (::geteuid() != 0) {
    WARN("skipped: only root can give files to any group");
    return;
  }
  REQUIRE(::chown((folder / "kappa.tenon.so").c_str(), 0, 0) == 0);
  host_for(folder.path());
  CHECK(info_of(folder / "kappa.tenon.so").state == PluginState::ready);
  REQUIRE(::chown((folder / "kappa.tenon.so").c_str(), 0, 54321) == 0);
  host_for(folder.path());
  CHECK(info_of(folder / "kappa.tenon.so").code == "plugin.group_writable");
  CHECK_THAT(info_of(folder / "kappa.tenon.so").reason, Catch::Contains("by group 54321 (chmod g-w)"));
  REQUIRE(::chmod((folder / "kappa.tenon.so").c_str(), 0644) == 0);
  REQUIRE((::chown(folder.path().c_str(), 0, 54321) == 0 && ::chmod(folder.path().c_str(), 0775) == 0));
  host_for(folder.path());
  CHECK(info_of(folder.path()).code == "plugin.group_writable");
}

TEST_CASE("what a model throws names the plugin that it is of, whoever calls it") {
  const TemporaryFolder folder;
  write_bytes(folder / "lambda.tenon.so", named("good", "lambda"));
  const ModelEntry& entry = host_for(folder.path()).model("lambda.fails");
  const nn::ModulePtr model = entry.make(ParamValues(entry.params), ModelContext{});
  const Error e = error_of([&] { (*model)(Tensor::zeros(Shape{1})); });
  CHECK(e.code() == "plugin.exception");
  CHECK_THAT(e.message(), Catch::Contains("plugin 'lambda' threw in forward of model fails: std::runtime_error: no such layer"));
}

TEST_CASE("a thousand files of one plugin keep no descriptors") {
  const TemporaryFolder folder;
  const std::vector<std::byte> bytes = named("good", "my_copy");
  for (int i = 0; i < 300; ++i) write_bytes(folder / ("copy_" + std::to_string(i) + ".tenon.so"), bytes);
  const auto open_ones = [] { return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()); };
  host_for(TemporaryFolder().path()).scan();
  const auto before = open_ones();
  host_for(folder.path()).scan();
  CHECK(open_ones() <= before + 1);
}

TEST_CASE("many plugins load side by side, and looking costs little") {
  const TemporaryFolder folder;
  for (int i = 0; i < 40; ++i) {
    const std::string name = "many_" + std::to_string(i);
    write_bytes(folder / (name + ".tenon.so"), named("good", name));
  }
  PluginHost& host = host_for(folder.path());
  const auto start = std::chrono::steady_clock::now();
  host.scan();
  const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  INFO("scan of 40 plugins took " << ms << " ms");
  CHECK(ms < 200);  // about 1 ms on an idle machine; the bound is for a loaded one
  host.load_all();
  for (int i = 0; i < 40; ++i) CHECK(host.tool("many_" + std::to_string(i) + ".echo").name == "echo");
}
