// The detail records' files on their way into a Redis Stream, after anything has happened to them
// and to `stream-position`; the Redis is a thread that takes all that it is told.
//
// What must hold: what is added is what was written, in its order; without a position all that can
// be read of the files is added, of the last one what stands in front of its first damage. It ends.
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include "core/journal/reader.h"
#include "gateway/keeping/detail_stream.h"
#include "gateway/keeping/details.h"
#include "gateway/keeping/prefixed_storage.h"
#include "tests/fuzz/disk.h"
#include "tests/fuzz/log.h"

using namespace tollgate;
using fuzz::Input;
using fuzz::must;
using fuzz::Octets;

namespace {

constexpr std::size_t kStepsMax = 10'000;

const std::string& folder() {
  static const std::string path = [] {
    std::string name = (std::filesystem::temp_directory_path() / "fuzz-stream-XXXXXX").string();
    must(mkdtemp(name.data()) != nullptr);
    std::filesystem::create_directory(name + "/records");
    return name;
  }();
  return path;
}

// Takes transactions of XADDs, one connection after the other.
class Server {
 public:
  Server() {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, path_.data(), path_.size());
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(bind(listener_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    must(listen(listener_, 8) == 0);
    std::thread([this] { serve(); }).detach();
  }
  const std::string& path() const { return path_; }
  std::vector<std::string> taken() {
    const std::lock_guard lock(mutex_);
    return std::exchange(taken_, {});
  }

 private:
  void serve() {
    for (;;) {
      peer_ = accept(listener_, nullptr, nullptr);
      if (peer_ < 0) return;
      said_.clear();
      std::vector<std::string> batch;
      for (std::vector<std::string> words; command(words);) {
        if (words[0] == "XADD") batch.push_back(words.back());
        answer(words[0] == "EXEC" ? executed(batch) : words[0] == "XADD" ? "+QUEUED" : "+OK");
      }
      close(peer_);
    }
  }
  // Taken before it is answered.
  std::string executed(std::vector<std::string>& batch) {
    std::string reply = "*" + std::to_string(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) reply += "\r\n$3\r\n1-1";
    const std::lock_guard lock(mutex_);
    taken_.insert(taken_.end(), batch.begin(), batch.end());
    batch.clear();
    return reply;
  }
  void answer(const std::string& reply) {
    const std::string line = reply + "\r\n";
    (void)!send(peer_, line.data(), line.size(), MSG_NOSIGNAL);
  }
  bool command(std::vector<std::string>& words) {
    words.clear();
    std::size_t count = 0;
    if (!number('*', count)) return false;
    for (; count > 0; --count) {
      std::size_t size = 0;
      if (!number('$', size)) return false;
      while (said_.size() < size + 2) {
        if (!more()) return false;
      }
      words.push_back(said_.substr(0, size));
      said_.erase(0, size + 2);
    }
    return !words.empty();
  }
  bool number(char kind, std::size_t& value) {
    std::size_t end = 0;
    while ((end = said_.find("\r\n")) == said_.npos) {
      if (!more()) return false;
    }
    must(said_[0] == kind);
    value = std::stoul(said_.substr(1, end - 1));
    said_.erase(0, end + 2);
    return true;
  }
  bool more() {
    char octets[16 * 1024];
    const ssize_t got = recv(peer_, octets, sizeof octets, 0);
    if (got > 0) said_.append(octets, static_cast<std::size_t>(got));
    return got > 0;
  }

  const std::string path_ = folder() + "/redis";
  int listener_ = -1, peer_ = -1;
  std::string said_;
  std::mutex mutex_;
  std::vector<std::string> taken_;
};

class Play {
 public:
  explicit Play(Input& in) : in_(in) {
    for (unsigned i = 1 + in_.below(3); i > 0; --i) files_.add(in_, [this] { return one(); });
    for (std::size_t i = in_.below(fuzz::kDamagesMax); i > 0; --i) {
      const auto file = std::next(disk_.names.begin(), in_.octet() % disk_.names.size());
      damaged_ = fuzz::damage(file->second->now, in_) || damaged_;
    }
    if (in_.below(8) == 7) disk_.names.erase(disk_.names.begin());
    placed_ = in_.flag();
    if (placed_) place_ = in_.text();
  }

  void run() {
    static auto* const server = new Server;
    put_files();
    (void)server->taken();
    gateway::DetailStreamOptions options;
    options.directory = folder() + "/records";
    options.redis.host = server->path();
    options.redis.connect_us = options.redis.command_us = 60'000'000;
    options.key = "records";
    options.own_thread = false;
    auto stream = gateway::DetailStream::open(std::move(options));
    must(stream.has_value());
    for (std::size_t i = 0; (*stream)->step(); ++i) must(i < kStepsMax);
    must((*stream)->counters().failures.get() == 0);
    const auto added = server->taken();
    must(is_part(added, written()));
    if (!placed_) must(is_part(readable(), added));
    if (!placed_ && !damaged_) must(added.size() == readable().size());
  }

 private:
  fuzz::Record one() {
    const std::uint32_t type = in_.below(8) == 0 ? in_.octet() : gateway::kDetailType;
    const std::string payload = fuzz::unfolded(in_.counted(), 4'000);
    return {type, {payload.begin(), payload.end()}};
  }
  void put_files() {
    const std::filesystem::path path = folder() + "/records";
    for (const auto& old : std::filesystem::directory_iterator(path)) {
      std::filesystem::remove(old);
    }
    for (const auto& [name, inode] : disk_.names) {
      std::ofstream out(path / name, std::ios::binary);
      out.write(reinterpret_cast<const char*>(inode->now.data()),
                static_cast<std::streamsize>(inode->now.size()));
    }
    if (placed_) std::ofstream(path / "stream-position", std::ios::binary) << place_;
  }
  std::vector<std::string> written() const {
    std::vector<std::string> all;
    for (const auto& [place, one] : files_.written) {
      if (one.type == gateway::kDetailType)
        all.emplace_back(one.payload.begin(), one.payload.end());
    }
    return all;
  }
  // In front of the first damage of the last file, all that is readable.
  std::vector<std::string> readable() {
    std::vector<std::string> all;
    gateway::PrefixedStorage names(disk_, "records-");
    const auto files = core::list_journal(names);
    must(files.has_value() || damaged_);
    std::uint64_t next = 0;
    (void)core::read_journal(names, [&](const core::JournalRecord& at) {
      if (at.segment == files->back().number) {
        if (next == 0) next = fuzz::journal::kRecordsBegin;
        if (at.offset != next) return;
        next += fuzz::journal::record_octets(at.payload.size());
      }
      if (at.type == gateway::kDetailType) all.emplace_back(at.payload.begin(), at.payload.end());
    });
    return all;
  }
  static bool is_part(const std::vector<std::string>& part, const std::vector<std::string>& of) {
    auto from = of.begin();
    for (const std::string& each : part) {
      from = std::find(from, of.end(), each);
      if (from++ == of.end()) return false;
    }
    return true;
  }

  Input& in_;
  core::testing::FaultyStorage disk_;
  fuzz::Segments files_{disk_, "records-"};
  bool damaged_ = false, placed_ = false;
  std::string place_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::log_nowhere();
  Input in(data, size);
  Play(in).run();
  return 0;
}
