#include "proto/records/record.h"

#include <catch2/catch.hpp>

#include "tests/proto/records/record_support.h"
#include "tests/proto/support.h"

using namespace tollgate::proto;
using namespace tollgate::proto::record;
using record::test::payload_of;
using record::test::RecordMaker;
using record::test::with_each;

namespace {

bool same(const Accepted& a, const Accepted& b) {
  return a.message == b.message && a.public_id == b.public_id && a.wall_us == b.wall_us &&
         a.deadline_wall_us == b.deadline_wall_us && a.price_nano == b.price_nano &&
         a.tables_version == b.tables_version && a.destination_id == b.destination_id &&
         a.registered_delivery == b.registered_delivery && a.short_id == b.short_id &&
         a.client == b.client && a.source == b.source && a.destination == b.destination &&
         a.text == b.text && a.candidate_count == b.candidate_count &&
         std::equal(a.candidates.begin(), a.candidates.begin() + a.candidate_count,
                    b.candidates.begin()) &&
         a.decision == b.decision && same_octets(a.body, b.body);
}
template <class R>
bool same_attempt(const R& a, const R& b) {
  return a.message == b.message && a.wall_us == b.wall_us && a.attempt == b.attempt &&
         a.carrier == b.carrier;
}
bool same(const Intent& a, const Intent& b) {
  return same_attempt(a, b);
}
bool same(const InDoubt& a, const InDoubt& b) {
  return same_attempt(a, b);
}
bool same(const Sent& a, const Sent& b) {
  return same_attempt(a, b) && a.carrier_message_id == b.carrier_message_id;
}
bool same(const Refused& a, const Refused& b) {
  return same_attempt(a, b) && a.status == b.status && a.follows == b.follows;
}
bool same(const record::Receipt& a, const record::Receipt& b) {
  return a.message == b.message && a.wall_us == b.wall_us && a.carrier == b.carrier &&
         a.notice == b.notice;
}
bool same(const Ended& a, const Ended& b) {
  return a.message == b.message && a.wall_us == b.wall_us && a.notice == b.notice;
}
bool same(const Settled& a, const Settled& b) {
  return a.message == b.message && a.wall_us == b.wall_us && a.how == b.how &&
         same_octets(a.detail, b.detail);
}
bool same(const Detailed& a, const Detailed& b) {
  return a.wall_us == b.wall_us && a.upto == b.upto && a.segment == b.segment &&
         a.earlier_runs == b.earlier_runs;
}
bool same(const Clock& a, const Clock& b) {
  return a.wall_us == b.wall_us && a.mono_us == b.mono_us && a.boot == b.boot;
}
bool same(const Course& a, const Course& b) {
  return a.sent_wall_us == b.sent_wall_us && a.receipt_wall_us == b.receipt_wall_us &&
         a.last == b.last && a.in_doubt == b.in_doubt && a.resends == b.resends &&
         a.try_count == b.try_count && a.tries_kept == b.tries_kept &&
         std::equal(a.tries.begin(), a.tries.begin() + a.tries_kept, b.tries.begin());
}
bool same(const Carried& a, const Carried& b) {
  return same(a.accepted, b.accepted) && a.wall_us == b.wall_us && a.stage == b.stage &&
         a.attempt == b.attempt && a.carrier == b.carrier &&
         a.carrier_message_id == b.carrier_message_id && a.status == b.status &&
         a.notice == b.notice && same(a.course, b.course);
}
template <class R>
bool same_letter(const R& a, const R& b) {
  return a.wall_us == b.wall_us && a.carrier == b.carrier &&
         a.carrier_message_id == b.carrier_message_id && same_octets(a.pdu, b.pdu);
}
bool same(const Parked& a, const Parked& b) {
  return a.number == b.number && same_letter(a, b);
}
bool same(const Unparked& a, const Unparked& b) {
  return a.number == b.number && a.wall_us == b.wall_us && a.how == b.how && a.carrier == b.carrier;
}
bool same(const DeadLetter& a, const DeadLetter& b) {
  return a.message == b.message && a.why == b.why && a.state == b.state && same_letter(a, b);
}
bool same(const Ids& a, const Ids& b) {
  return a.message == b.message && a.wall_us == b.wall_us;
}

bool same(const Chunk& a, const Chunk& b) {
  return a.wall_us == b.wall_us && a.receipts == b.receipts && a.first_message == b.first_message &&
         a.first_deadline_wall_us == b.first_deadline_wall_us &&
         a.newest_deadline_wall_us == b.newest_deadline_wall_us && a.client == b.client;
}
bool same(const Spilled& a, const Spilled& b) {
  return a.chunk == b.chunk && a.wall_us == b.wall_us && a.client == b.client &&
         same_octets(a.messages, b.messages);
}
bool same(const Loaded& a, const Loaded& b) {
  return a.chunk == b.chunk && a.wall_us == b.wall_us && a.receipts == b.receipts &&
         a.how == b.how && a.client == b.client && same_octets(a.messages, b.messages);
}

}  // namespace

TEST_CASE("every record comes back as it was written") {
  RecordMaker maker(7);
  with_each([&](auto empty) {
    for (int i = 0; i < 2'000; ++i) {
      maker.clear();
      auto record = empty;
      maker.make(record);
      const auto payload = payload_of(record);
      REQUIRE(!payload.empty());
      decltype(empty) back;
      REQUIRE(decode(payload, back));
      REQUIRE(same(record, back));
    }
  });
}

TEST_CASE("a record with a decision has a layout and a type of its own") {
  RecordMaker maker(17);
  for (int i = 0; i < 2'000; ++i) {
    maker.clear();
    Accepted accepted, accepted_back;
    maker.make_decided(accepted);
    CHECK(type_of(accepted) == Type::accepted_decided);
    const auto octets = payload_of(accepted);
    REQUIRE(decode_decided(octets, accepted_back));
    REQUIRE(same(accepted, accepted_back));
    Carried carried, back;
    maker.make_decided(carried);
    CHECK(type_of(carried) == Type::carried_decided);
    const auto whole = payload_of(carried);
    REQUIRE(decode_decided(whole, back));
    REQUIRE(same(carried, back));
    // Without a body the octets tell the layout.
    carried.accepted.body = {};
    const auto without_body = payload_of(carried);
    REQUIRE(decode_either(without_body, back));
    REQUIRE(same(carried, back));
    Carried plain;
    maker.make(plain);
    plain.accepted.body = {};
    CHECK(type_of(plain) == Type::carried);
    const auto plain_octets = payload_of(plain);
    REQUIRE(decode_either(plain_octets, back));
    REQUIRE(same(plain, back));
  }
}

TEST_CASE("a head that is cut at any octet is malformed") {
  RecordMaker maker(8);
  with_each([&](auto record) {
    maker.make(record);
    std::vector<std::uint8_t> head(kHeadMax);
    head.resize(encode(record, head));
    decltype(record) back;
    for (std::size_t length = 0; length < head.size(); ++length) {
      REQUIRE_FALSE(decode(Octets(head).first(length), back));
    }
    CHECK(decode(head, back));
    // What follows a head is the rest, of the records that have one.
    head.push_back(0);
    constexpr bool has_rest =
        std::is_same_v<decltype(record), Accepted> || std::is_same_v<decltype(record), Carried> ||
        std::is_same_v<decltype(record), Parked> || std::is_same_v<decltype(record), DeadLetter>;
    CHECK(decode(head, back) == has_rest);  // a list, or a detail, has more to it than one octet
  });
}

TEST_CASE("a head needs all of its room and never writes behind it") {
  RecordMaker maker(9);
  with_each([&](auto record) {
    maker.make(record);
    std::vector<std::uint8_t> out(kHeadMax, 0xEE);
    const std::size_t length = encode(record, out);
    REQUIRE(length != 0);
    CHECK(std::all_of(out.begin() + static_cast<std::ptrdiff_t>(length), out.end(),
                      [](auto octet) { return octet == 0xEE; }));
    CHECK(encode(record, Out(out).first(length)) == length);
    CHECK(encode(record, Out(out).first(length - 1)) == 0);
    CHECK(encode(record, Out()) == 0);
  });
}

TEST_CASE("the longest heads fit in kHeadMax") {
  const std::string longest(kTextMax, 'x');
  Carried carried;
  Accepted& accepted = carried.accepted;
  accepted.client = accepted.text = accepted.source.digits = accepted.destination.digits = longest;
  accepted.candidate_count = kCandidatesMax;
  for (auto& candidate : accepted.candidates) candidate.carrier = longest;
  carried.carrier = carried.carrier_message_id = carried.notice.error = longest;
  Decision& decision = accepted.decision;
  decision.known = true;
  decision.mccmnc = decision.number = decision.currency = longest;
  decision.down = decision.full = decision.sender.digits = longest;
  carried.course.last.error = longest;
  carried.course.tries_kept = kTriesMax;
  for (auto& one : carried.course.tries) one.carrier = longest;
  std::vector<std::uint8_t> out(kHeadMax);
  CHECK(encode(carried, out) != 0);
}

TEST_CASE("what has no layout is refused at the writer") {
  std::vector<std::uint8_t> out(kHeadMax);
  Accepted accepted;
  accepted.candidate_count = kCandidatesMax + 1;
  CHECK(encode(accepted, out) == 0);
  Carried carried;
  carried.accepted.decision.known = true;
  carried.course.tries_kept = kTriesMax + 1;
  CHECK(encode(carried, out) == 0);
}

TEST_CASE("no text is too long for its record: it is cut") {
  for (const std::size_t length : {kTextMax - 1, kTextMax, kTextMax + 1, std::size_t{66'000}}) {
    const std::string text(length, 'x');
    const std::string_view kept = std::string_view(text).substr(0, kTextMax);
    std::vector<std::uint8_t> out(kHeadMax);
    Parked parked;
    parked.carrier = parked.carrier_message_id = text;
    out.resize(encode(parked, out));
    Parked back;
    REQUIRE(decode(out, back));
    CHECK(back.carrier == kept);
    CHECK(back.carrier_message_id == kept);
    Carried carried;
    carried.accepted.source.digits = carried.notice.error = text;
    out.assign(kHeadMax, 0);
    out.resize(encode(carried, out));
    Carried carried_back;
    REQUIRE(decode(out, carried_back));
    CHECK(carried_back.accepted.source.digits == kept);
    CHECK(carried_back.notice.error == kept);
  }
}

TEST_CASE("values out of range are malformed") {
  const auto refused_at = [](auto record, std::size_t offset, std::uint8_t value) {
    auto payload = payload_of(record);
    REQUIRE(payload.size() > offset);
    REQUIRE(decode(payload, record));
    payload[offset] = value;
    return !decode(payload, record);
  };
  CHECK(refused_at(Settled{}, 16, 4));
  CHECK(refused_at(Detailed{}, 24, 2));
  CHECK(refused_at(Refused{}, 22, 4));
  CHECK(refused_at(Unparked{}, 16, 3));
  CHECK(refused_at(Ended{}, 16, 10));       // message_state
  CHECK(refused_at(Ended{}, 17, 4));        // an unknown flag
  CHECK(refused_at(Accepted{}, 49, 2));     // neither true nor false
  CHECK(refused_at(Accepted{}, 58, 9));     // candidates
  CHECK(refused_at(Carried{}, 59 + 8, 4));  // stage
  CHECK(refused_at(Loaded{}, 20, 3));       // how
  CHECK_FALSE(refused_at(Settled{}, 16, 2));
  CHECK_FALSE(refused_at(Ended{}, 16, 9));
}

TEST_CASE("the lists in spilled and loaded are whole") {
  const std::vector<std::uint8_t> ids(24, 1);
  Spilled spilled;
  for (std::size_t size = 0; size <= ids.size(); ++size) {
    spilled.messages = Octets(ids).first(size);
    const auto payload = payload_of(spilled);
    Spilled back;
    CHECK(decode(payload, back) == (size % 8 == 0));
  }
  const std::vector<std::uint8_t> listed{2, 0, 0, 0, 7, 8, 0, 0, 0, 0, 1, 0, 0, 0, 9};
  Loaded loaded;
  for (std::size_t size = 0; size <= listed.size(); ++size) {
    loaded.messages = Octets(listed).first(size);
    const auto payload = payload_of(loaded);
    Loaded back;
    CHECK(decode(payload, back) == (size == 0 || size == 6 || size == 10 || size == 15));
  }
  std::vector<std::size_t> sizes;
  CHECK(for_each_loaded(listed, [&](Octets one) { sizes.push_back(one.size()); }));
  CHECK(sizes == std::vector<std::size_t>{2, 0, 1});
}

// The layout is a promise to files that exist: this fails when it changes without a new version.
TEST_CASE("the octets of each layout") {
  Intent intent;
  intent.message = 0x0102030405060708;
  intent.wall_us = 0x1112131415161718;
  intent.attempt = 0x2122;
  intent.carrier = "alpha";
  CHECK(payload_of(intent) ==
        tollgate::proto::test::unhex("0807060504030201 1817161514131211 2221 05 616c706861"));
  Sent sent;
  sent.message = 1;
  sent.wall_us = 2;
  sent.attempt = 3;
  sent.carrier = "b";
  sent.carrier_message_id = "9f";
  CHECK(payload_of(sent) ==
        tollgate::proto::test::unhex("0100000000000000 0200000000000000 0300 01 62 02 3966"));
  Refused refused;
  refused.message = 1;
  refused.wall_us = 2;
  refused.attempt = 3;
  refused.status = Status::ESME_RTHROTTLED;
  refused.follows = Follows::again;
  refused.carrier = "b";
  CHECK(payload_of(refused) ==
        tollgate::proto::test::unhex("0100000000000000 0200000000000000 0300 58000000 01 01 62"));
  Ended ended;
  ended.message = 1;
  ended.wall_us = 2;
  ended.notice.state = MessageState::undeliverable;
  ended.notice.has_network_error = true;
  ended.notice.network_error = {3, 0, 8};
  ended.notice.done_wall_us = 4;
  ended.notice.error = "069";
  CHECK(payload_of(ended) ==
        tollgate::proto::test::unhex("0100000000000000 0200000000000000 05 02 030008 "
                                     "0400000000000000 03 303639"));
  Accepted accepted;
  accepted.message = 1;
  accepted.public_id = 2;
  accepted.wall_us = 3;
  accepted.deadline_wall_us = 4;
  accepted.price_nano = -1;
  accepted.tables_version = 5;
  accepted.destination_id = 6;
  accepted.registered_delivery = 0x11;
  accepted.short_id = true;
  accepted.client = "shop";
  accepted.source = {5, 0, "ACME"};
  accepted.destination = {1, 1, "44"};
  accepted.text = "Hi";
  accepted.candidate_count = 1;
  accepted.candidates[0] = {7, "a"};
  const std::uint8_t body[] = {0xAA, 0xBB};
  accepted.body = body;
  CHECK(payload_of(accepted) ==
        tollgate::proto::test::unhex(
            "0100000000000000 0200000000000000 0300000000000000 0400000000000000 "
            "ffffffffffffffff 05000000 06000000 11 01 04 73686f70 05 00 04 41434d45 "
            "01 01 02 3434 02 4869 01 0700000000000000 01 61 aabb"));
  CHECK(payload_of(Settled{1, 2, How::given_up}) ==
        tollgate::proto::test::unhex("0100000000000000 0200000000000000 02"));
}

TEST_CASE("the octets of what leaves for the due store and comes back") {
  const std::uint8_t ids[] = {9, 0, 0, 0, 0, 0, 0, 0};
  CHECK(payload_of(Spilled{1, 2, "a", ids}) ==
        tollgate::proto::test::unhex("0100000000000000 0200000000000000 01 61 0900000000000000"));
  const std::uint8_t one[] = {1, 0, 0, 0, 0xAA};
  CHECK(payload_of(Loaded{1, 2, 3, How::told, "a", one}) ==
        tollgate::proto::test::unhex("0100000000000000 0200000000000000 03000000 00 01 61 "
                                     "01000000 aa"));
  CHECK(payload_of(Chunk{1, 2, 3, 4, 5, "a"}) ==
        tollgate::proto::test::unhex("0100000000000000 02000000 0300000000000000 "
                                     "0400000000000000 0500000000000000 01 61"));
}

TEST_CASE("types have the names of their records, and no other number has one") {
  std::vector<std::string_view> names;
  with_each([&](auto record) {
    names.push_back(type_name(static_cast<std::uint32_t>(decltype(record)::kType)));
  });
  CHECK(names == std::vector<std::string_view>{"accepted", "intent", "sent", "refused", "in_doubt",
                                               "receipt", "ended", "settled", "carried", "parked",
                                               "unparked", "dead_letter", "ids", "chunk", "spilled",
                                               "loaded", "detailed", "clock"});
  CHECK(type_name(static_cast<std::uint32_t>(Type::accepted_decided)) == "accepted");
  CHECK(type_name(static_cast<std::uint32_t>(Type::carried_decided)) == "carried");
  CHECK(type_name(static_cast<std::uint32_t>(Type::settled_detailed)) == "settled");
  CHECK(type_name(0).empty());
  CHECK(type_name(1).empty());
  CHECK(type_name(kLayout << 8).empty());
  CHECK(type_name(kLayout << 8 | 19).empty());
  CHECK(type_name((kLayout + 1) << 8 | 2).empty());
  CHECK(type_name((kLayout + 2) << 8 | 1).empty());
}
