// What Redis says. The first octet chooses: a record of the tables (routing/store/table_codec.h),
// whose payload is the input and whose envelope is right or the input too; or what a server answers
// to some commands and on a subscription, as octets of RESP.
//
// What must hold: a record that is taken has what its reader promises, and is read back as it was
// when it is written again; an answer is a reply within the bounds, or an error of one printable
// line after which the connection is closed or still good.
#include <atomic>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include "proto/records/tables.pb.h"
#include "routing/store/redis.h"
#include "routing/store/table_codec.h"
#include "tests/fuzz/input.h"

using namespace tollgate;
using namespace tollgate::routing;
using fuzz::must;

namespace {

std::string enveloped(const char* record, std::string_view payload) {
  const Sha256 sha256 = sha256_of(payload);
  tables::Envelope envelope;
  envelope.set_format(kTablesFormat);
  envelope.set_record(record);
  envelope.set_payload(payload.data(), payload.size());
  envelope.set_sha256(sha256.data(), sha256.size());
  return envelope.SerializeAsString();
}

void check_files(const std::vector<TableFile>& files) {
  must(files.size() <= kTableFilesMax);
  for (std::size_t i = 0; i < files.size(); ++i) {
    must(bad_table_name(files[i].name) == nullptr);
    must(i == 0 || files[i - 1].name < files[i].name);
  }
}

template <class Decoded>
void check_error(const Decoded& decoded) {
  must(decoded.has_value() || fuzz::printable_line(decoded.error()));
}

void records(std::string_view payload, bool sealed) {
  const auto record = [&](const char* kind) {
    return sealed ? enveloped(kind, payload) : std::string(payload);
  };
  auto version = decode_version(record("version"));
  check_error(version);
  if (version) {
    check_files(version->files);
    must(version->number != 0);
    auto again = decode_version(encode(*version));
    must(again && again->files == version->files && again->who == version->who &&
         again->origin == version->origin && again->checksum == version->checksum);
  }
  const auto draft = decode_draft(record("draft"));
  check_error(draft);
  if (draft) {
    check_files(draft->changed);
    for (const std::string& name : draft->removed) must(bad_table_name(name) == nullptr);
    const auto again = decode_draft(encode(*draft));
    must(again && again->changed == draft->changed && again->state == draft->state);
    if (version) {
      check_files(changed_files(version->files, *draft));
      (void)conflicts(*draft, version->files, draft->changed);
    }
  }
  const auto act = decode_act(record("act"));
  check_error(act);
  if (act) must(decode_act(encode(*act)).has_value());
  const auto report = decode_report(record("report"));
  check_error(report);
  if (report) must(decode_report(encode(*report)).has_value());
  check_error(decode_chunk(payload, Sha256{}, 0, 1));
  const Sha256 blob = sha256_of(payload);
  const auto chunk = decode_chunk(encode_chunk(blob, 1, 3, payload), blob, 1, 3);
  must(chunk && *chunk == payload);
}

// Answers each connection with the same octets, whatever it is asked, and says no more.
class Server {
 public:
  Server() {
    std::string folder = (std::filesystem::temp_directory_path() / "fuzz-redis-XXXXXX").string();
    must(mkdtemp(folder.data()) != nullptr);
    path_ = folder + "/socket";
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, path_.data(), path_.size());
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(bind(listener_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    must(listen(listener_, 8) == 0);
    std::thread([this] { serve(); }).detach();
  }
  const std::string& path() const { return path_; }
  void answer_with(std::string_view octets) {
    const std::lock_guard lock(mutex_);
    octets_ = octets;
  }

 private:
  void serve() {
    for (;;) {
      const int peer = accept(listener_, nullptr, nullptr);
      if (peer < 0) return;
      const std::lock_guard lock(mutex_);
      (void)!send(peer, octets_.data(), octets_.size(), MSG_NOSIGNAL);
      shutdown(peer, SHUT_WR);
      char asked[4096];
      while (recv(peer, asked, sizeof asked, 0) > 0) {
      }
      close(peer);
    }
  }

  std::string path_;
  int listener_ = -1;
  std::mutex mutex_;
  std::string octets_;
};

std::size_t parts_of(const RedisReply& reply) {
  std::size_t count = 1;
  for (const RedisReply& part : reply.parts) count += parts_of(part);
  return count;
}

template <class Result>
void check_answer(const Result& result) {
  must(result.has_value() ||
       (!result.error().reason.empty() && fuzz::printable_line(result.error().reason)));
}

void answers(std::string_view octets) {
  static auto* const server = new Server;
  server->answer_with(octets);
  RedisOptions options;
  options.host = server->path();
  Redis redis(options);
  for (int i = 0; i < 3; ++i) {
    const auto reply = redis.command({"GET", "key"});
    check_answer(reply);
    if (!reply && reply.error().fault != StoreFault::refused) must(!redis.connected());
    if (reply) must(parts_of(*reply) <= kReplyPartsMax);
    if (!redis.connected()) return;
  }
  check_answer(redis.message(1'000'000));
  if (redis.connected()) check_answer(redis.transaction({{"SET", "key", "value"}, {"GET", "key"}}));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text = fuzz::unfolded({data + 1, size - 1}, 64 * 1024);
  switch (data[0] % 4) {
    case 0:
      records(text, false);
      break;
    case 1:
      answers(text);
      break;
    default:
      records(text, true);
  }
  return 0;
}
