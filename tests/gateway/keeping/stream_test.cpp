// Detail records into a real Redis Stream: away, stopped, killed, empty; over files and restarts.
#include <algorithm>
#include <fstream>
#include <set>
#include <stdlib.h>

#include "gateway/keeping/detail_store.h"
#include "gateway/keeping/detail_stream.h"
#include "proto/records/detail.h"
#include "tests/catch_pch.h"
#include "tests/routing/store/redis_server.h"

namespace tollgate::gateway {
namespace {

using proto::detail::Detail;

// A gateway's files, written by hand.
class Files {
 public:
  explicit Files(std::string path, std::size_t ring = 8'192) : path_(std::move(path)) {
    std::filesystem::create_directories(path_);
    auto storage = core::open_directory(path_, core::StorageUse::exclusive);
    REQUIRE(storage.has_value());
    storage_ = std::move(*storage);
    DetailStoreOptions options;
    options.storage = storage_.get();
    options.segment_octets = 8 * ring;
    options.ring_octets = options.batch_octets = ring;
    options.own_thread = false;
    auto store = open_details(options, {});
    REQUIRE(store.has_value());
    store_ = std::move(*store);
  }
  void append(proto::Octets octets) {
    core::Journal::Stream& stream = store_.journal->stream(0);
    stream.append(kDetailType, octets);
    stream.publish();
    while (stream.durable() != stream.appended()) store_.journal->step();
  }
  void write(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      Detail detail;
      detail.message = ++written;
      detail.client = "shop";
      detail.number = "447700900123";
      std::array<std::uint8_t, proto::detail::kDetailMax> octets;
      append(proto::Octets(octets).first(encode(detail, octets)));
    }
  }
  const std::string& path() const { return path_; }
  std::string file(const char* name) const { return path_ + "/" + name; }

  std::uint64_t written = 0;

 private:
  std::string path_;
  std::unique_ptr<core::Storage> storage_;
  DetailStore store_;
};

std::unique_ptr<DetailStream> streaming(const Files& files, const routing::RedisServer& redis,
                                        std::int64_t patience_us = 20'000'000) {
  DetailStreamOptions options;
  options.directory = files.path();
  options.redis = redis.options().redis;
  options.redis.connect_us = options.redis.command_us = patience_us;
  options.key = "records";
  options.own_thread = false;
  auto stream = DetailStream::open(std::move(options));
  REQUIRE(stream.has_value());
  return std::move(*stream);
}

void drain(DetailStream& stream) {
  for (int i = 0; i < 1'000 && stream.step(); ++i) {
  }
}

// The messages of the stream, in its order.
std::vector<std::uint64_t> entries(routing::RedisServer& redis) {
  std::vector<std::uint64_t> all;
  for (const auto& entry : redis.say({"XRANGE", "records", "-", "+"}).parts) {
    const auto& fields = entry.parts[1].parts;
    REQUIRE(fields.size() == 4);
    CHECK(fields[0].text == "message");
    CHECK(fields[2].text == "record");
    Detail detail;
    REQUIRE(proto::detail::decode(proto::as_octets(fields[3].text), detail));
    CHECK(std::stoull(fields[1].text, nullptr, 16) == detail.message);
    all.push_back(detail.message);
  }
  return all;
}

bool is_run(const std::vector<std::uint64_t>& all, std::uint64_t count) {
  if (all.size() != count) return false;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i] != i + 1) return false;
  }
  return true;
}

TEST_CASE("each record comes once, in order, over files and restarts", "[stream]") {
  routing::RedisServer redis;
  Files files((redis.folder() / "records").string());
  auto stream = streaming(files, redis);
  drain(*stream);
  files.write(700);
  drain(*stream);
  CHECK(is_run(entries(redis), 700));
  files.write(1'500);  // some files more
  drain(*stream);
  CHECK(is_run(entries(redis), 2'200));
  stream = streaming(files, redis);
  drain(*stream);
  CHECK(is_run(entries(redis), 2'200));
  files.write(1);
  drain(*stream);
  CHECK(is_run(entries(redis), 2'201));
  CHECK(stream->counters().added.get() == 1);
}

TEST_CASE("while Redis is away the files go on, and the stream catches up", "[stream]") {
  routing::RedisServer redis;
  Files files((redis.folder() / "records").string());
  auto stream = streaming(files, redis);
  files.write(10);
  drain(*stream);
  CHECK(is_run(entries(redis), 10));
  stream = streaming(files, redis, 300'000);
  redis.stop_still();
  files.write(400);
  CHECK_FALSE(stream->step());
  CHECK(stream->counters().failures.get() == 1);
  CHECK(stream->counters().up.get() == 0);
  redis.go_on();
  stream = streaming(files, redis);
  drain(*stream);
  // What it had taken without a word may be there twice: at least once is the promise.
  const auto all = entries(redis);
  const std::set<std::uint64_t> once(all.begin(), all.end());
  CHECK(once.size() == 410);
  CHECK(*once.rbegin() == 410);
  CHECK(stream->counters().up.get() == 1);
}

TEST_CASE("a stream whose place is lost begins anew", "[stream]") {
  routing::RedisServer redis;
  Files files((redis.folder() / "records").string());
  files.write(300);
  auto stream = streaming(files, redis);
  drain(*stream);
  std::filesystem::remove(std::filesystem::path(files.path()) / "stream-position");
  stream = streaming(files, redis);
  drain(*stream);
  const auto all = entries(redis);
  CHECK(all.size() == 600);
  CHECK(std::set<std::uint64_t>(all.begin(), all.end()).size() == 300);
}

TEST_CASE("a place that is none loses nothing", "[stream]") {
  routing::RedisServer redis;
  Files files((redis.folder() / "records").string());
  files.write(2'200);  // in more files than one
  auto stream = streaming(files, redis);
  for (const char* place : {"", "x", "1", "1 0", "1 3", "1 99999999", "1 18446744073709551608",
                            "1 -8", "0 0", "9999 8", "18446744073709551615 18446744073709551615"}) {
    INFO(place);
    stream.reset();
    redis.say({"DEL", "records"});
    std::ofstream(files.file("stream-position")) << place;
    stream = streaming(files, redis);
    drain(*stream);
    CHECK(is_run(entries(redis), 2'200));
  }
}

TEST_CASE("damage in a file costs the stream what cannot be read", "[stream]") {
  routing::RedisServer redis;
  Files files((redis.folder() / "records").string());
  files.write(2'200);  // in more files than one
  std::fstream first(files.file("records-00000000000000000001"),
                     std::ios::in | std::ios::out | std::ios::binary);
  first.seekp(0).put('x');       // one of two headers
  first.seekp(20'000).put('x');  // a record
  first.seekp(20'001).put('y');
  first.close();
  auto stream = streaming(files, redis);
  drain(*stream);
  const auto all = entries(redis);
  CHECK(all.size() == 2'199);
  CHECK(std::is_sorted(all.begin(), all.end()));
}

TEST_CASE("a record that ends in zeros at the end of what was read", "[stream]") {
  routing::RedisServer redis;
  Files files((redis.folder() / "records").string(), std::size_t{1} << 20);
  const std::vector<std::uint8_t> zeros(200'000);
  for (int i = 0; i < 8; ++i) files.append(zeros);
  auto stream = streaming(files, redis);
  drain(*stream);
  CHECK(redis.say({"XLEN", "records"}).integer == 8);
}

TEST_CASE("a key that is no stream is refused, counted, and nothing is lost", "[stream]") {
  routing::RedisServer redis;
  Files files((redis.folder() / "records").string());
  redis.say({"SET", "records", "text"});
  auto stream = streaming(files, redis);
  files.write(5);
  CHECK_FALSE(stream->step());
  CHECK(stream->counters().failures.get() == 1);
  redis.say({"DEL", "records"});
  drain(*stream);
  CHECK(is_run(entries(redis), 5));
}

}  // namespace
}  // namespace tollgate::gateway
