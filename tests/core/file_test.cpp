// Every kind of thing that a name can stand for, read as a file.
#include "core/file.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/core/temporary_directory.h"

namespace tollgate::core {
namespace {

namespace fs = std::filesystem;

std::string why(const FileText& text) {
  return text ? "read: " + *text : text.error().reason;
}

void write(const fs::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

TEST_CASE("only a file of bounded size is read, and nothing is waited for") {
  const testing::TemporaryDirectory place;
  const fs::path at(place.path());
  const auto reason = [&](const std::string& name) {
    const std::string plain = why(read_file((at / name).string(), 10));
    CHECK(why(read_file_below(place.path(), name, 10)) == plain);
    return plain;
  };
  write(at / "ten", "0123456789");
  CHECK(reason("ten") == "read: 0123456789");
  write(at / "eleven", "0123456789a");
  CHECK(reason("eleven") == "is larger than 10 octets");
  write(at / "empty", "");
  CHECK(reason("empty") == "read: ");
  CHECK(reason("none") == "does not exist");
  CHECK(read_file((at / "none").string(), 10).error().error == ENOENT);
  fs::create_directory(at / "folder");
  CHECK(reason("folder") == "is a directory");
  REQUIRE(mkfifo((at / "pipe").c_str(), 0600) == 0);
  CHECK(reason("pipe") == "is a pipe, not a file");
  fs::create_symlink("nowhere", at / "dangling");
  CHECK(reason("dangling") == "does not exist");
  fs::create_symlink("loop", at / "loop");
  CHECK(reason("loop") == "is a link that leads to itself");
  fs::create_symlink("ten", at / "link");
  CHECK(reason("link") == "read: 0123456789");
  CHECK(reason("ten/below") == "cannot be read: Not a directory");
  CHECK(why(read_file("/dev/zero", 10)) == "is a device, not a file");
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string path = (at / "socket").string();
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0);
  CHECK(reason("socket").starts_with("cannot be read: "));
  close(listener);
}

TEST_CASE("a file that is not as long as it says has changed") {
  // The kernel says 0 octets of each of these and has more.
  CHECK(why(read_file("/proc/self/stat", 1 << 20)) == "changed while it was read");
}

TEST_CASE("a file that may not be read says so") {
  if (geteuid() == 0) return;  // may read all
  const testing::TemporaryDirectory place;
  const fs::path file = fs::path(place.path()) / "file";
  write(file, "x");
  fs::permissions(file, fs::perms::none);
  CHECK(why(read_file(file.string(), 10)) == "cannot be read: Permission denied");
}

TEST_CASE("nothing leads out of the folder") {
  const testing::TemporaryDirectory place;
  const fs::path at(place.path());
  fs::create_directories(at / "in/deep");
  write(at / "secret", "hush");
  write(at / "in/own", "fine");
  const std::string out = "is a link that leads out of its folder";
  const auto reason = [&](const std::string& name) {
    return why(read_file_below((at / "in").string(), name, 10));
  };
  CHECK(reason("own") == "read: fine");
  CHECK(reason("deep/../own") == "read: fine");
  CHECK(reason("../secret") == out);
  CHECK(reason("deep/../../secret") == out);
  CHECK(reason((at / "secret").string()) == out);
  fs::create_symlink(at / "secret", at / "in/absolute");
  CHECK(reason("absolute") == out);
  fs::create_symlink("../secret", at / "in/relative");
  CHECK(reason("relative") == out);
  fs::create_directory_symlink("..", at / "in/up");
  CHECK(reason("up/secret") == out);
  fs::create_symlink("../own", at / "in/deep/within");
  CHECK(reason("deep/within") == "read: fine");
  CHECK(reason("/proc/self/root/etc/passwd") == out);
}

}  // namespace tollgate::core
