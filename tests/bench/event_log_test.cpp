#include "bench/peers/event_log.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <unistd.h>

#include <catch2/catch.hpp>

using tollgate::bench::EventLog;

namespace {

struct TemporaryFile {
  std::string path =
      (std::filesystem::temp_directory_path() / ("tollgate-event-log-" + std::to_string(getpid())))
          .string();
  ~TemporaryFile() { std::filesystem::remove(path); }
  std::string text() const {
    std::ifstream file(path);
    std::stringstream all;
    all << file.rdbuf();
    return all.str();
  }
};

}  // namespace

TEST_CASE("an event log writes a line an event, fields apart by one blank") {
  const TemporaryFile file;
  EventLog log;
  log.open(file.path);
  log.line(1'234'567'890, "accepted", 17u, std::string_view("a b\n%\xff"));
  log.line(1'234'568'000, "receipt", std::string_view(), -1);
  CHECK(file.text().empty());
  log.flush();
  CHECK(file.text() == "1234567 accepted 17 a%20b%0A%25%FF\n1234568 receipt - -1\n");
}

TEST_CASE("an event log appends to what is there, and its end loses nothing") {
  const TemporaryFile file;
  for (int i = 0; i < 2; ++i) {
    EventLog log;
    log.open(file.path);
    log.line(i * 1000, "bound", i);
  }
  CHECK(file.text() == "0 bound 0\n1 bound 1\n");
}

TEST_CASE("an event log without a file does nothing; one that cannot be written throws") {
  EventLog none;
  none.line(0, "bound", 0);
  none.flush();
  CHECK_FALSE(none.is_open());
  EventLog log;
  CHECK_THROWS_AS(log.open("/nowhere/log"), std::system_error);
  log.open("/dev/full");
  log.line(0, "bound", 0);
  CHECK_THROWS_AS(log.flush(), std::system_error);
}
