#include "tests/routing/store/redis_server.h"

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace tollgate::routing {
namespace {

namespace fs = std::filesystem;

fs::path new_folder() {
  std::string path = (fs::temp_directory_path() / "tollgate-test-XXXXXX").string();
  REQUIRE(mkdtemp(path.data()) != nullptr);
  return path;
}

}  // namespace

RedisServer::RedisServer(std::vector<std::string> arguments)
    : folder_(new_folder()), arguments_(std::move(arguments)) {
  start();
}

RedisServer::~RedisServer() {
  kill();
  fs::remove_all(folder_);
}

void RedisServer::start() {
  std::vector<std::string> words{"redis-server",   "--port", "0", "--unixsocket", socket(), "--dir",
                                 folder_.string(), "--save", ""};
  words.insert(words.end(), arguments_.begin(), arguments_.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const std::string log = (folder_ / "redis.log").string();
  pid_ = fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(out, 1);
    dup2(out, 2);
    execvp("redis-server", pointers.data());
    _exit(127);
  }
  Redis redis(options().redis);
  for (int i = 0; i < 500 && !redis.command({"PING"}); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  INFO("redis-server is of Debian's package of that name: deploy/install");
  REQUIRE(redis.command({"PING"}));
}

void RedisServer::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
  fs::remove(socket());
}

void RedisServer::stop_still() {
  REQUIRE(::kill(pid_, SIGSTOP) == 0);
}

void RedisServer::go_on() {
  REQUIRE(::kill(pid_, SIGCONT) == 0);
}

RedisReply RedisServer::say(const std::vector<std::string>& words) {
  Redis redis(options().redis);
  auto reply = redis.command({words.begin(), words.end()});
  if (!reply) FAIL(reply.error().reason);
  return std::move(*reply);
}

std::uint64_t RedisServer::calls(const std::string& command) {
  const std::string text = say({"INFO", "commandstats"}).text;
  const std::string begin = "cmdstat_" + command + ":calls=";
  const std::size_t at = text.find(begin);
  return at == std::string::npos ? 0 : std::stoull(text.substr(at + begin.size()));
}

StoreOptions RedisServer::options() const {
  StoreOptions options;
  options.redis.host = socket();
  return options;
}

SampleTables::SampleTables() : folder_(new_folder()) {
  fs::copy(TOLLGATE_SAMPLE_TABLES, folder_, fs::copy_options::recursive);
}

SampleTables::~SampleTables() {
  fs::remove_all(folder_);
}

std::string SampleTables::read(const std::string& file) const {
  std::ostringstream text;
  text << std::ifstream(folder_ / file).rdbuf();
  return text.str();
}

void SampleTables::write(const std::string& file, const std::string& text) const {
  std::ofstream(folder_ / file) << text;
}

void SampleTables::price(const std::string& carrier, int thousandths) const {
  const std::string file = "rates/" + carrier + ".csv";
  write(file, priced(read(file), thousandths));
}

std::vector<FileChange> SampleTables::changes() const {
  auto texts = read_directory(path());
  REQUIRE(texts);
  std::vector<FileChange> changes;
  for (auto& [name, text] : *texts) changes.push_back({name, std::move(text)});
  return changes;
}

std::string priced(const std::string& book, int thousandths) {
  std::istringstream lines(book);
  std::string text, line;
  std::getline(lines, line);
  REQUIRE(line.starts_with("mccmnc,mcc,prefix,price,"));
  text = line + "\n";
  while (std::getline(lines, line)) {
    std::size_t at = 0;
    for (int comma = 0; comma < 3; ++comma) at = line.find(',', at) + 1;
    line.replace(at, line.find(',', at) - at, "0." + std::to_string(1000 + thousandths).substr(1));
    text += line + "\n";
  }
  return text;
}

}  // namespace tollgate::routing
