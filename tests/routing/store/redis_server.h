// A real redis-server of a test's own, on a Unix socket in a folder of its own; gone with the
// object. Tests that need one are skipped, with a word, where Debian's redis-server is missing.
#pragma once
#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

#include "routing/store/store.h"

namespace tollgate::routing {

class RedisServer {
 public:
  explicit RedisServer(std::vector<std::string> arguments = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  void start();  // also again, with what it had written
  void kill();
  void stop_still();  // SIGSTOP
  void go_on();       // SIGCONT
  // One command; the test fails when Redis refuses it.
  RedisReply say(const std::vector<std::string>& words);
  // How often it has done a command: "get".
  std::uint64_t calls(const std::string& command);

  StoreOptions options() const;
  const std::filesystem::path& folder() const { return folder_; }
  std::string socket() const { return (folder_ / "redis.sock").string(); }

 private:
  std::filesystem::path folder_;
  std::vector<std::string> arguments_;
  pid_t pid_ = -1;
};

// A folder with a copy of the sample tables, gone with the object.
class SampleTables {
 public:
  SampleTables();
  ~SampleTables();
  SampleTables(const SampleTables&) = delete;
  SampleTables& operator=(const SampleTables&) = delete;
  std::string path() const { return folder_.string(); }
  std::string read(const std::string& file) const;
  void write(const std::string& file, const std::string& text) const;
  // Every price of a rate book set to so many thousandths.
  void price(const std::string& carrier, int thousandths) const;
  std::vector<FileChange> changes() const;  // all of its files

 private:
  std::filesystem::path folder_;
};

// A rate book whose every price is so many thousandths.
std::string priced(const std::string& book, int thousandths);

}  // namespace tollgate::routing
