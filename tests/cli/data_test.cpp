#include <catch2/catch.hpp>
#include <cstdlib>

#include "run.hpp"

using namespace cli;

namespace {

std::string output_of(const std::string& command) {
  std::FILE* pipe = popen(command.c_str(), "r");
  std::string out;
  char buffer[256];
  while (std::fgets(buffer, sizeof buffer, pipe)) out += buffer;
  pclose(pipe);
  return out;
}

// A catalogue with one data set whose archive is made here.
struct Catalogue {
  Folder folder;
  fs::path archive = folder.path / "Set.tar";

  explicit Catalogue(const std::string& digest = "", const std::string& sum = "") {
    folder.write("in/Set/a/one.txt", "one\n");
    folder.write("in/Set/two.txt", "two\n");
    folder.write("in/Set/._two.txt", "no data");
    REQUIRE(std::system(("tar -C " + (folder.path / "in").string() + " -cf " + archive.string() + " Set").c_str()) == 0);
    const std::string md5 = digest.empty() ? output_of("md5sum " + archive.string()).substr(0, 32) : digest;
    const std::string one = sum.empty() ? output_of("sha256sum " + (folder.path / "in/Set/a/one.txt").string()).substr(0, 64) : sum;
    folder.write("share/sums", one + "  a/one.txt\n" + output_of("sha256sum " + (folder.path / "in/Set/two.txt").string()).substr(0, 64) + "  two.txt\n");
    folder.write("share/extra.json", "{}\n");
    folder.write("share/catalogue.toml", "[set]\ntitle = \"A set\"\nlicence = \"CC0\"\nsize = \"10 kB\"\npath = \"x/set\"\nurl = \"file://" + archive.string() +
                                             "\"\nmd5 = \"" + md5 + "\"\narchive_root = \"Set\"\nexclude = [\"._*\"]\nchecksums = \"sums\"\nadd = [\"extra.json\"]\n");
  }
  Result run(std::vector<std::string> arguments) const {
    return tenon(arguments, folder.path, {"TENON_SHARE=" + (folder.path / "share").string(), "XDG_DATA_HOME=" + (folder.path / "home").string(), "TENON_DATA="});
  }
  bool nothing_left() const {
    const fs::path base = folder.path / "home" / "tenon" / "data";
    return !fs::exists(base) || fs::is_empty(base);
  }
};

}  // namespace

TEST_CASE("fetch downloads, verifies and puts the set in place whole") {
  const Catalogue c;
  CHECK(c.run({"data", "list"}).prints("not here"));
  const Result r = c.run({"data", "fetch", "set"});
  INFO(r.err);
  REQUIRE(r.status == 0);
  const fs::path place = c.folder.path / "home" / "tenon" / "data" / "set";
  CHECK(r.out == place.string() + "\n");
  CHECK(slurp(place / "a" / "one.txt") == "one\n");
  CHECK(slurp(place / "extra.json") == "{}\n");
  CHECK_FALSE(fs::exists(place / "._two.txt"));
  CHECK(std::distance(fs::directory_iterator(place.parent_path()), {}) == 1);
  CHECK(c.run({"data", "list"}).prints(place.string()));
  CHECK(c.run({"data", "fetch", "set"}).says("already here"));

  std::ofstream(place / "two.txt") << "changed";
  const Result changed = c.run({"data", "fetch", "set"});
  CHECK(changed.status == 3);
  CHECK(changed.says("error[data.in_the_way]"));
  CHECK(slurp(place / "two.txt") == "changed");
}

TEST_CASE("fetch takes an archive or mirror that is named, and another folder") {
  const Catalogue c;
  CHECK(c.run({"data", "fetch", "set", "--from", c.archive.string(), "--to", "here"}).status == 0);
  CHECK(fs::exists(c.folder.path / "here" / "two.txt"));
  CHECK(fs::exists(c.archive));
  CHECK(c.run({"data", "fetch", "set", "--from", "file://" + c.archive.string(), "--to", "there"}).status == 0);
  CHECK(c.run({"data", "fetch", "set", "--from", "nowhere.tar"}).status == 3);
  CHECK(c.nothing_left());
}

TEST_CASE("a wrong digest is exit 3 and leaves nothing") {
  SECTION("of the archive") {
    const Catalogue c("00000000000000000000000000000000");
    const Result r = c.run({"data", "fetch", "set"});
    CHECK(r.status == 3);
    CHECK(r.says("error[data.digest]"));
    CHECK(c.nothing_left());
    CHECK(c.run({"data", "fetch", "set", "--from", c.archive.string()}).status == 3);
    CHECK(fs::exists(c.archive));
    CHECK(c.nothing_left());
  }
  SECTION("of a file in it") {
    const Catalogue c("", std::string(64, '0'));
    const Result r = c.run({"data", "fetch", "set"});
    CHECK(r.status == 3);
    CHECK(r.says("a/one.txt"));
    CHECK(c.nothing_left());
  }
}

TEST_CASE("a download that fails says what to do instead") {
  const Catalogue c;
  const Result gone = c.run({"data", "fetch", "set", "--from", "file:///nowhere/at/all.tar"});
  CHECK(gone.status == 3);
  CHECK(gone.says("error[data.download]"));
  CHECK(gone.says("--from"));
  const Result offline = c.run({"data", "fetch", "set", "--from", "http://127.0.0.1:9/set.tar"});
  CHECK(offline.status == 3);
  CHECK(offline.says("is there a network?"));
  CHECK(c.nothing_left());
}

TEST_CASE("a broken part of an earlier download is continued") {
  const Catalogue c;
  const fs::path part = c.folder.path / "home" / "tenon" / "data" / "set.download.part";
  c.folder.write(fs::relative(part, c.folder.path), slurp(c.archive).substr(0, 5000));
  CHECK(c.run({"data", "fetch", "set"}).status == 0);
  CHECK_FALSE(fs::exists(part));
}

TEST_CASE("the shipped sample is whole") {
  const Result r = tenon({"data", "fetch", "hippocampus-sample"});
  INFO(r.err);
  CHECK(r.status == 0);
  CHECK(r.says("every digest is right"));
}
