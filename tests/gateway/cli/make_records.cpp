// Writes detail records into a directory, for tests of the commands that read them and for how long
// these take:  make_records DIRECTORY COUNT [NOW_US [SEGMENTS]]
// Messages of shop and depot to GB (price 0.05), by alpha (0.01) or, each tenth, bravo (0.02). Each
// fifth has two segments, each twentieth is undeliverable, each fiftieth was refused by all. They
// ended evenly over the last 24 hours, oldest first.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/clock.h"
#include "core/journal/storage.h"
#include "gateway/keeping/detail_store.h"

namespace tollgate::gateway {
namespace {

using proto::detail::Detail;

constexpr std::int64_t kDayUs = 86'400'000'000;

void fill(Detail& detail, std::uint64_t i, std::string& number, std::string& id) {
  detail = Detail{};
  detail.message = detail.public_id = 0x018f000000000000 + i;
  detail.client = i % 3 == 0 ? "depot" : "shop";
  detail.source = {5, 0, "ACME"};
  number = "4477009" + std::to_string(10'000 + i % 90'000);
  detail.destination = {1, 1, number};
  detail.number = number;
  detail.mccmnc = "23415";
  detail.tables_version = 1;
  detail.draw = detail.message;
  detail.price_nano = 50'000'000;
  detail.currency = "EUR";
  detail.segments = i % 5 == 0 ? 2 : 1;
  detail.candidate_count = 2;
  detail.candidates[0] = {"alpha", 10'000'000};
  detail.candidates[1] = {"bravo", 20'000'000};
  const bool refused = i % 50 == 7;
  const bool second = i % 10 == 3;
  if (second || refused) {
    detail.tries[detail.tries_kept++] = {
        "alpha", 1, proto::record::TryEnd::next, proto::Status::ESME_RSUBMITFAIL, 20, 0, false};
  }
  if (!refused) {
    detail.carrier = second ? "bravo" : "alpha";
    id = "c" + std::to_string(i);
    detail.carrier_message_id = id;
    detail.tries[detail.tries_kept] = {detail.carrier, detail.tries_kept + 1U};
    detail.tries[detail.tries_kept++].after_ms = 40;
  }
  detail.try_count = detail.tries_kept;
  detail.registered_delivery = 1;
  detail.text_octets = 40;
  const bool failed = i % 20 == 11;
  detail.state = static_cast<std::uint32_t>(refused  ? proto::MessageState::undeliverable
                                            : failed ? proto::MessageState::undeliverable
                                                     : proto::MessageState::delivered);
  detail.by_gateway = refused;
}

int run(const std::string& directory, std::uint64_t count, std::int64_t now_us,
        std::uint32_t segments) {
  auto storage = core::open_directory(directory, core::StorageUse::exclusive);
  if (!storage) {
    std::fprintf(stderr, "%s\n", storage.error().c_str());
    return 1;
  }
  DetailStoreOptions options;
  options.storage = storage->get();
  // Each file says when it was begun: a bit before its first record ended.
  std::int64_t at_us = now_us - kDayUs;
  options.clock = [&] { return core::Now{at_us, at_us}; };
  options.own_thread = false;
  auto store = open_details(options, {});
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().c_str());
    return 1;
  }
  core::Journal::Stream& stream = store->journal->stream(0);
  Detail detail;
  std::string number, id;
  std::array<std::uint8_t, proto::detail::kDetailMax> octets;
  for (std::uint64_t i = 0; i < count; ++i) {
    fill(detail, i, number, id);
    at_us = now_us - kDayUs + static_cast<std::int64_t>((i + 1) * (kDayUs / (count + 1)));
    if (segments != 0) detail.segments = segments;
    detail.settled_us = at_us;
    detail.accepted_us = at_us - 2'000'000;
    if (!detail.carrier.empty()) {
      detail.sent_us = at_us - 1'900'000;
      detail.receipt_us = at_us - 100'000;
    }
    charge(detail);
    stream.append(kDetailType, proto::Octets(octets).first(encode(detail, octets)));
    if (i % 1'000 != 999 && i + 1 != count) continue;
    stream.publish();
    while (stream.durable() != stream.appended()) store->journal->step();
  }
  return 0;
}

}  // namespace
}  // namespace tollgate::gateway

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: make_records DIRECTORY COUNT [NOW_US [SEGMENTS]]\n");
    return 2;
  }
  const std::int64_t now_us = argc > 3 ? std::atoll(argv[3]) : tollgate::core::read_clock().wall_us;
  const unsigned long segments = argc > 4 ? std::strtoul(argv[4], nullptr, 10) : 0;
  return tollgate::gateway::run(argv[1], std::strtoull(argv[2], nullptr, 10), now_us,
                                static_cast<std::uint32_t>(segments));
}
