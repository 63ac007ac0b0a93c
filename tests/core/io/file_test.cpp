#include "tenon/io/file.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "faulty_files.hpp"
#include "temporary_folder.hpp"

using namespace tenon;

TEST_CASE("a file that was written atomically reads back and leaves nothing beside it", "[io]") {
  TemporaryFolder folder("atomic");
  write_atomic(folder / "a.txt", "first");
  write_atomic(folder / "a.txt", std::string_view("second\0third", 12));
  CHECK(read_text(folder / "a.txt") == std::string("second\0third", 12));
  CHECK(read_file(folder / "a.txt").size() == 12);
  CHECK(files().list(folder.path) == std::vector<std::filesystem::path>{folder / "a.txt"});
}

TEST_CASE("an atomic file that is not committed leaves the old one and no temporary", "[io]") {
  TemporaryFolder folder("uncommitted");
  write_atomic(folder / "a", "old");
  {
    AtomicFile file(folder / "a");
    file.write("new");
    CHECK(files().list(folder.path).size() == 2);
    CHECK(files().list(folder.path)[0].filename().string().starts_with(".a.tmp-"));
  }
  CHECK(read_text(folder / "a") == "old");
  CHECK(files().list(folder.path).size() == 1);
}

TEST_CASE("whichever call fails, an atomic write leaves the old or the new file, whole, and no temporary", "[io]") {
  TemporaryFolder folder("faults");
  int calls = 0;
  {
    FaultyFiles counting(-1);
    write_atomic(folder / "a", "old bytes");
    calls = counting.calls();
  }
  REQUIRE(calls == 6);  // open, write, sync, close, rename, sync of the folder
  for (int i = 0; i < calls; ++i) {
    INFO("call " << i);
    write_atomic(folder / "a", "old bytes");
    {
      FaultyFiles faulty(i);
      CHECK(code_of([&] { write_atomic(folder / "a", "new and longer bytes"); }) == "io.no_space");
    }
    CHECK(read_text(folder / "a") == (i < 5 ? "old bytes" : "new and longer bytes"));
    CHECK(files().list(folder.path).size() == 1);
  }
}

TEST_CASE("errors of files name the file, the reason and a code", "[io]") {
  TemporaryFolder folder("errors");
  try {
    read_text(folder / "absent");
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == "io.not_found");
    CHECK(error.kind() == ErrorKind::data);
    CHECK(error.where() == (folder / "absent").string());
    CHECK_THAT(error.message(), Catch::Contains("absent") && Catch::Contains("No such file"));
    CHECK(!error.hint().empty());
  }
  CHECK(code_of([&] { read_text(folder.path); }) == "io.not_a_file");
  CHECK(code_of([&] { write_atomic(folder / "no/such/a", "x"); }) == "io.not_found");
  CHECK(code_of([&] { files().list(folder / "absent"); }) == "io.not_found");
  write_atomic(folder / "a", "0123456789");
  CHECK(code_of([&] { read_file(folder / "a", 9); }) == "io.too_large");
  CHECK(read_file(folder / "a", 10).size() == 10);
  CHECK(code_of([&] { throw_io_error(EDQUOT, "write", "x"); }) == "io.no_space");
  CHECK(code_of([&] { throw_io_error(EACCES, "open", "x"); }) == "io.permission");
  CHECK(code_of([&] { throw_io_error(EIO, "read", "x"); }) == "io.read");
  CHECK_THROWS_WITH(files().stat(folder / std::string(300, 'n')), Catch::Contains("name too long") && Catch::Contains("shorter name"));
  CHECK(code_of([&] { throw_io_error(EIO, "write", "x"); }) == "io.write");
}

TEST_CASE("a really full device is told as such", "[io]") {
  if (!file_exists("/dev/full")) {
    WARN("skipped: no /dev/full");
    return;
  }
  auto file = files().open_write("/dev/full", OpenMode::append);
  try {
    file->write("x", 1);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == "io.no_space");
    CHECK(error.kind() == ErrorKind::device);
    CHECK_THAT(error.message(), Catch::Contains("/dev/full"));
  }
}

TEST_CASE("files whose size is not known beforehand are read whole", "[io]") {
  CHECK_THAT(read_text("/proc/self/status"), Catch::Contains("Name:"));
  CHECK(code_of([] { read_text("/proc/self/status", 10); }) == "io.too_large");
}

TEST_CASE("only regular files are opened for reading: a pipe, socket or device is refused at once", "[io]") {
  TemporaryFolder folder("pipe");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  std::filesystem::create_symlink("pipe", folder / "link");
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = (folder / "socket").string();
  REQUIRE(name.size() < sizeof address.sun_path);
  name.copy(address.sun_path, name.size());
  REQUIRE(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  for (const std::filesystem::path& path : {folder / "pipe", folder / "link", folder / "socket", std::filesystem::path("/dev/null")}) {
    INFO(path);
    CHECK(code_of([&] { read_text(path); }) == "io.not_a_file");
    CHECK(code_of([&] { files().open_read(path); }) == "io.not_a_file");
  }
  ::close(socket);
}

TEST_CASE("writing never puts a regular file in the place of a pipe, a device or a folder", "[io]") {
  TemporaryFolder folder("special");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  std::filesystem::create_symlink("pipe", folder / "link");
  std::filesystem::create_directory(folder / "folder");
  for (const char* name : {"pipe", "link", "folder"}) {
    INFO(name);
    const auto before = std::filesystem::symlink_status(folder / name).type();
    CHECK(code_of([&] { write_atomic(folder / name, "x"); }) == "io.not_a_file");
    CHECK(code_of([&] { temporary_sibling(folder / name); }) == (name == std::string("folder") ? "" : "io.not_a_file"));
    std::ofstream(folder / ".made") << "x";
    CHECK(code_of([&] { replace_file(folder / ".made", folder / name); }) == "io.not_a_file");
    std::filesystem::remove(folder / ".made");
    CHECK(std::filesystem::symlink_status(folder / name).type() == before);
  }
  {  // one that comes while the file is written
    AtomicFile file(folder / "late");
    file.write("x");
    REQUIRE(::mkfifo((folder / "late").c_str(), 0600) == 0);
    CHECK(code_of([&] { file.commit(); }) == "io.not_a_file");
  }
  CHECK(std::filesystem::is_fifo(folder / "late"));
  CHECK(files().list(folder.path).size() == 4);
  try {
    write_atomic(folder / "pipe", "x");
  } catch (const Error& error) {
    CHECK_THAT(error.message(), Catch::Contains("pipe") && Catch::Contains("device"));
    CHECK(error.hint() == "name a regular file");
  }
}

TEST_CASE("a link is written through and stays a link, whether it leads to a file already or not yet", "[io]") {
  TemporaryFolder folder("links");
  std::filesystem::create_directory(folder / "there");
  std::filesystem::create_symlink("there/target", folder / "link");  // relative to the link's own folder
  std::filesystem::create_symlink("link", folder / "second");
  for (const char* text : {"new", "newer"}) {
    write_atomic(folder / "second", text);
    CHECK(std::filesystem::is_symlink(folder / "second"));
    CHECK(std::filesystem::is_symlink(folder / "link"));
    CHECK(read_text(folder / "there/target") == text);
    CHECK(files().list(folder / "there").size() == 1);
  }
  const auto temporary = temporary_sibling(folder / "link");
  CHECK(temporary.parent_path() == folder / "there");
  std::ofstream(temporary) << "of a library";
  replace_file(temporary, folder / "link");
  CHECK(read_text(folder / "there/target") == "of a library");
  std::filesystem::create_symlink("circle", folder / "circle");
  CHECK(code_of([&] { write_atomic(folder / "circle", "x"); }) != "");
  std::filesystem::create_symlink("absent/target", folder / "astray");
  CHECK(code_of([&] { write_atomic(folder / "astray", "x"); }) == "io.not_found");
  CHECK(files().list(folder.path).size() == 5);
}

TEST_CASE("names as long as a file system takes, and those that are none", "[io]") {
  TemporaryFolder folder("names");
  for (const std::string& name : {std::string(250, 'n'), std::string(240, 'n') + ".nii.gz", "a." + std::string(240, 'x')}) {
    write_atomic(folder / name, "x");
    CHECK(read_text(folder / name) == "x");
    const auto temporary = temporary_sibling(folder / name);
    std::ofstream(temporary) << "y";
    replace_file(temporary, folder / name);
    CHECK(read_text(folder / name) == "y");
  }
  CHECK(temporary_sibling(folder / (std::string(240, 'n') + ".nii.gz")).filename().string().ends_with(".nii.gz"));
  CHECK(code_of([&] { write_atomic("", "x"); }) == "io.not_a_file");
  CHECK(code_of([&] { write_atomic("-", "x"); }) == "io.not_a_file");
}

TEST_CASE("a folder that is not there is told as such, whoever writes into it", "[io]") {
  TemporaryFolder folder("no-folder");
  CHECK_THROWS_WITH(temporary_sibling(folder / "absent/a.nc"), Catch::Contains("no folder") && Catch::Contains("absent"));
  CHECK(code_of([&] { temporary_sibling(folder / "absent/a.nc"); }) == "io.not_found");
  write_atomic(folder / "file", "x");
  CHECK(code_of([&] { temporary_sibling(folder / "file/a.nc"); }) == "io.not_a_folder");
  CHECK_NOTHROW(temporary_sibling("a.nc"));
}

TEST_CASE("an appended line ends what a killed writer left unfinished", "[io]") {
  TemporaryFolder folder("append");
  append_line(folder / "m", "one");
  append_line(folder / "m", "two");
  CHECK(read_text(folder / "m") == "one\ntwo\n");
  std::ofstream(folder / "m", std::ios::app) << "{\"cut";
  append_line(folder / "m", "three");
  CHECK(read_text(folder / "m") == "one\ntwo\n{\"cut\nthree\n");
}

TEST_CASE("a library's own temporary keeps the extensions and replaces the file", "[io]") {
  TemporaryFolder folder("sibling");
  auto temporary = temporary_sibling(folder / "scan.nii.gz");
  CHECK(temporary.parent_path() == folder.path);
  CHECK(temporary.filename().string().starts_with(".scan.nii.gz.tmp-"));
  CHECK(temporary.filename().string().ends_with(".nii.gz"));
  CHECK(temporary != temporary_sibling(folder / "scan.nii.gz"));
  std::ofstream(temporary) << "bytes";
  replace_file(temporary, folder / "scan.nii.gz");
  CHECK(read_text(folder / "scan.nii.gz") == "bytes");
  CHECK(files().list(folder.path).size() == 1);
}

TEST_CASE("stat, list and remove", "[io]") {
  TemporaryFolder folder("stat");
  CHECK(!files().stat(folder / "a"));
  CHECK_NOTHROW(files().remove(folder / "a"));
  write_atomic(folder / "b", "12");
  write_atomic(folder / "a", "1");
  CHECK(files().stat(folder / "b")->size == 2);
  CHECK(files().stat(folder / "b")->is_regular);
  CHECK(files().stat(folder.path)->is_directory);
  CHECK(files().list(folder.path) == std::vector<std::filesystem::path>{folder / "a", folder / "b"});
  files().remove(folder / "a");
  CHECK(!file_exists(folder / "a"));
  files().make_directories(folder / "c/d");
  CHECK(files().stat(folder / "c/d")->is_directory);
}
