#include <catch2/catch.hpp>
#include <string>

#include "faulty_files.hpp"
#include "temporary_folder.hpp"
#include "tenon/io/sha256.hpp"

using namespace tenon;

TEST_CASE("SHA-256 gives the digests of FIPS 180-4's examples", "[io]") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu") ==
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  CHECK(sha256_hex(std::string(1000000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 does not depend on how the bytes are cut", "[io]") {
  std::string text;
  for (int i = 0; i < 300; ++i) text += char(i * 7);
  for (std::size_t length = 0; length < text.size(); length += 13) {
    std::string_view all = std::string_view(text).substr(0, length);
    for (std::size_t cut : {std::size_t(0), length / 3, length / 2, length}) {
      Sha256 sha;
      sha.update(all.data(), cut);
      sha.update(all.data() + cut, length - cut);
      CHECK(sha.hex_digest() == sha256_hex(all));
    }
  }
}

TEST_CASE("digest of a file, and CRC-32's check value", "[io]") {
  TemporaryFolder folder("digest");
  write_atomic(folder / "a", "abc");
  CHECK(sha256_of_file(folder / "a") == sha256_hex("abc"));
  CHECK(code_of([&] { sha256_of_file(folder / "b"); }) == "io.not_found");
  std::string digits = "123456789";
  auto bytes = std::as_bytes(std::span(digits));
  CHECK(crc32_of(bytes) == 0xCBF43926u);
  CHECK(crc32_of(bytes.subspan(4), crc32_of(bytes.first(4))) == 0xCBF43926u);
}
