#include "bench/load/numbers.h"

#include <cstdio>
#include <fstream>
#include <unistd.h>

#include <catch2/catch.hpp>

using tollgate::bench::Numbers;

namespace {
class File {
 public:
  explicit File(const std::string& text) {
    char path[] = "/tmp/tollgate_numbers_XXXXXX";
    const int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    close(fd);
    path_ = path;
    std::ofstream(path_) << text;
  }
  ~File() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string at(const Numbers& numbers, std::uint64_t i) {
  const auto& slot = numbers.at(i);
  return {slot.digits.data(), slot.size};
}
}  // namespace

TEST_CASE("numbers of a file go round") {
  const File file("number\n447911123456\r\n+4915112345678\n\n");
  const Numbers numbers = Numbers::from_file(file.path(), "");
  CHECK(numbers.size() == 2);
  CHECK(at(numbers, 0) == "447911123456");
  CHECK(at(numbers, 3) == "4915112345678");
}

TEST_CASE("a column is found by its heading") {
  const File file("name,msisdn\nann,447911\nbob,\"49151\"\n");
  CHECK(at(Numbers::from_file(file.path(), "msisdn"), 1) == "49151");
  CHECK_THROWS_WITH(Numbers::from_file(file.path(), "phone"), Catch::Contains("phone"));
}

TEST_CASE("a bad line is refused with its place") {
  const File file("447911\n44 79x\n");
  CHECK_THROWS_WITH(Numbers::from_file(file.path(), ""), Catch::Contains(":2: '44 79x'"));
  const File empty("number\n");
  CHECK_THROWS_WITH(Numbers::from_file(empty.path(), ""), Catch::Contains("no number"));
  CHECK_THROWS_WITH(Numbers::from_file("/nowhere/at/all", ""), Catch::Contains("/nowhere"));
}

TEST_CASE("drawn numbers keep their prefixes and their seed") {
  const Numbers a = Numbers::from_prefixes({"44791", "49151"}, 5);
  CHECK(at(a, 0).substr(0, 5) == "44791");
  CHECK(at(a, 1).substr(0, 5) == "49151");
  CHECK(at(a, 1).size() == 12);
  const Numbers french = Numbers::from_prefixes({"33610:11"}, 5);
  CHECK(at(french, 0).size() == 11);
  CHECK(at(french, 0).substr(0, 5) == "33610");
  CHECK(at(a, 1) == at(Numbers::from_prefixes({"44791", "49151"}, 5), 1));
  CHECK(at(a, 1) != at(Numbers::from_prefixes({"44791", "49151"}, 6), 1));
}
