// Our encoding of detail records against protobuf's own classes.
#include "proto/records/detail.h"

#include <deque>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "proto/records/detail.pb.h"

using namespace tollgate::proto;
using detail::Detail;
namespace pb = tollgate::records;

namespace {

class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  std::string_view text(std::size_t most = 40) {
    std::string& made = texts_.emplace_back(below(6) == 0 ? 0 : below(most), 'x');
    for (char& c : made) c = static_cast<char>('a' + below(26));
    return made;
  }
  record::Address address() {
    return {static_cast<std::uint8_t>(below(8)), static_cast<std::uint8_t>(below(20)), text(21)};
  }
  std::int64_t money() {
    const auto any = static_cast<std::int64_t>(random_());
    return below(3) == 0 ? any : any % 1'000'000'000;
  }
  Detail make() {
    Detail made;
    made.message = random_();
    made.public_id = random_();
    made.client = text();
    made.source = address();
    made.destination = address();
    made.number = text();
    if (below(2) != 0) made.sender = address();
    made.mccmnc = text(7);
    made.tables_version = static_cast<std::uint32_t>(random_());
    made.facts = static_cast<std::uint32_t>(below(300));
    made.draw = random_();
    for (auto i = below(4); i > 0; --i) made.down.add(name());
    for (auto i = below(4); i > 0; --i) made.full.add(name());
    made.states_cut = below(2) != 0;
    made.price_nano = money();
    made.currency = text(4);
    made.segments = static_cast<std::uint32_t>(1 + below(300));
    made.candidate_count = static_cast<std::uint8_t>(below(detail::kCandidatesMax + 1));
    for (std::size_t i = 0; i < made.candidate_count; ++i) made.candidates[i] = {name(), money()};
    made.tries_kept = static_cast<std::uint8_t>(below(detail::kTriesMax + 1));
    for (std::size_t i = 0; i < made.tries_kept; ++i) {
      made.tries[i] = {name(),
                       static_cast<std::uint32_t>(below(70'000)),
                       static_cast<record::TryEnd>(below(7)),
                       static_cast<Status>(static_cast<std::uint32_t>(random_())),
                       static_cast<std::uint32_t>(random_()),
                       money(),
                       below(2) != 0};
    }
    make_end(made);
    return made;
  }

 private:
  std::string_view name() {
    std::string& made = texts_.emplace_back(1 + below(250), 'n');
    return made;
  }
  void make_end(Detail& made) {
    made.try_count = static_cast<std::uint32_t>(below(1000));
    made.carrier = text();
    made.carrier_message_id = text(65);
    made.registered_delivery = static_cast<std::uint32_t>(below(32));
    made.data_coding = static_cast<std::uint32_t>(below(256));
    made.esm_class = static_cast<std::uint32_t>(below(256));
    made.text_octets = static_cast<std::uint32_t>(below(65'536));
    made.accepted_us = static_cast<std::int64_t>(random_() >> 1);
    made.sent_us = below(2) == 0 ? 0 : made.accepted_us + 5;
    made.receipt_us = below(2) == 0 ? 0 : made.accepted_us + 7;
    made.settled_us = made.accepted_us + 9;
    made.state = static_cast<std::uint32_t>(below(10));
    made.error = text(10);
    made.how = static_cast<record::How>(below(3));
    made.by_gateway = below(2) != 0;
    made.relayed = below(2) != 0;
    made.in_doubt = below(2) != 0;
    made.resends = static_cast<std::uint32_t>(below(4));
    made.recovered = below(2) != 0;
    made.revenue_nano = money();
    made.cost_nano = money();
    made.margin_nano = money();
  }

  std::mt19937_64 random_;
  std::deque<std::string> texts_;
};

bool same(const pb::Address& a, const record::Address& b) {
  return a.ton() == b.ton && a.npi() == b.npi && a.address() == b.digits;
}

void check_same(const pb::DetailRecord& a, const Detail& b) {
  CHECK(a.message() == b.message);
  CHECK(a.public_id() == b.public_id);
  CHECK(a.client() == b.client);
  CHECK(same(a.source(), b.source));
  CHECK(same(a.destination(), b.destination));
  CHECK(a.number() == b.number);
  CHECK(same(a.sender(), b.sender));
  CHECK(a.mccmnc() == b.mccmnc);
  CHECK(a.tables_version() == b.tables_version);
  CHECK(a.facts() == b.facts);
  CHECK(a.draw() == b.draw);
  REQUIRE(a.down_size() == b.down.count);
  REQUIRE(a.full_size() == b.full.count);
  for (int i = 0; i < a.down_size(); ++i) CHECK(a.down(i) == b.down.names[std::size_t(i)]);
  for (int i = 0; i < a.full_size(); ++i) CHECK(a.full(i) == b.full.names[std::size_t(i)]);
  CHECK(a.states_cut() == b.states_cut);
  CHECK(a.price_nano() == b.price_nano);
  CHECK(a.currency() == b.currency);
  CHECK(a.segments() == b.segments);
  REQUIRE(a.candidates_size() == b.candidate_count);
  for (int i = 0; i < a.candidates_size(); ++i) {
    CHECK(a.candidates(i).carrier() == b.candidates[std::size_t(i)].carrier);
    CHECK(a.candidates(i).cost_nano() == b.candidates[std::size_t(i)].cost_nano);
  }
  REQUIRE(a.tries_size() == b.tries_kept);
  for (int i = 0; i < a.tries_size(); ++i) {
    const auto& one = b.tries[std::size_t(i)];
    CHECK(a.tries(i).carrier() == one.carrier);
    CHECK(a.tries(i).attempt() == one.attempt);
    CHECK(int(a.tries(i).end()) == int(one.end));
    CHECK(a.tries(i).status() == std::uint32_t(one.status));
    CHECK(a.tries(i).after_ms() == one.after_ms);
    CHECK(a.tries(i).cost_nano() == one.cost_nano);
    CHECK(a.tries(i).billed() == one.billed);
  }
  CHECK(a.try_count() == b.try_count);
  CHECK(a.carrier() == b.carrier);
  CHECK(a.carrier_message_id() == b.carrier_message_id);
  CHECK(a.registered_delivery() == b.registered_delivery);
  CHECK(a.data_coding() == b.data_coding);
  CHECK(a.esm_class() == b.esm_class);
  CHECK(a.text_octets() == b.text_octets);
  CHECK(a.accepted_us() == b.accepted_us);
  CHECK(a.sent_us() == b.sent_us);
  CHECK(a.receipt_us() == b.receipt_us);
  CHECK(a.settled_us() == b.settled_us);
  CHECK(a.state() == b.state);
  CHECK(a.error() == b.error);
  CHECK(a.network_error() == as_text(b.network_error));
  CHECK(int(a.how()) == int(b.how));
  CHECK(a.by_gateway() == b.by_gateway);
  CHECK(a.relayed() == b.relayed);
  CHECK(a.in_doubt() == b.in_doubt);
  CHECK(a.resends() == b.resends);
  CHECK(a.recovered() == b.recovered);
  CHECK(a.revenue_nano() == b.revenue_nano);
  CHECK(a.cost_nano() == b.cost_nano);
  CHECK(a.margin_nano() == b.margin_nano);
}

}  // namespace

TEST_CASE("protobuf reads what we write, and we read what it writes", "[detail]") {
  Maker maker(3);
  std::vector<std::uint8_t> out(detail::kDetailMax);
  for (int i = 0; i < 3'000; ++i) {
    const Detail made = maker.make();
    const std::size_t length = encode(made, out);
    REQUIRE(length != 0);
    CHECK(detail::message_of(Octets(out).first(length)) == made.message);
    pb::DetailRecord read;
    REQUIRE(read.ParseFromArray(out.data(), static_cast<int>(length)));
    check_same(read, made);
    const std::string theirs = read.SerializeAsString();
    Detail back;
    REQUIRE(detail::decode(as_octets(theirs), back));
    check_same(read, back);
  }
}

TEST_CASE("a record that is recovered is the same record with a mark behind it", "[detail]") {
  Maker maker(4);
  Detail made = maker.make();
  made.recovered = false;
  std::vector<std::uint8_t> out(detail::kDetailMax);
  out.resize(encode(made, out));
  out.insert(out.end(), detail::kRecovered.begin(), detail::kRecovered.end());
  made.recovered = true;
  Detail back;
  REQUIRE(detail::decode(out, back));
  pb::DetailRecord read;
  REQUIRE(read.ParseFromArray(out.data(), static_cast<int>(out.size())));
  check_same(read, made);
  check_same(read, back);
}

TEST_CASE("what is no detail record is refused, and never read past its end", "[detail]") {
  Maker maker(5);
  std::mt19937 random(5);
  Detail back;
  for (int i = 0; i < 300; ++i) {
    std::vector<std::uint8_t> out(detail::kDetailMax);
    out.resize(encode(maker.make(), out));
    for (std::size_t length = 0; length < out.size(); length += 1 + random() % 9) {
      const std::vector<std::uint8_t> cut(out.begin(),
                                          out.begin() + static_cast<std::ptrdiff_t>(length));
      pb::DetailRecord read;
      const bool theirs = read.ParseFromArray(cut.data(), static_cast<int>(cut.size()));
      const bool ours = detail::decode(cut, back);
      CHECK((!ours || theirs));
    }
    for (int n = 0; n < 50; ++n) {
      std::vector<std::uint8_t> bad = out;
      bad[random() % bad.size()] = static_cast<std::uint8_t>(random());
      detail::decode(bad, back);  // the sanitizers watch
    }
  }
}

TEST_CASE("a record fits its bound with the longest of everything", "[detail]") {
  const std::string longest(255, 'x');
  Detail made;
  made.client = made.number = made.mccmnc = made.currency = longest;
  made.source.digits = made.destination.digits = made.sender.digits = longest;
  made.carrier = made.carrier_message_id = made.error = longest;
  made.down.add(longest);
  made.full.add(longest);
  made.candidate_count = detail::kCandidatesMax;
  for (auto& candidate : made.candidates) candidate = {longest, -1};
  made.tries_kept = detail::kTriesMax;
  for (auto& one : made.tries) one.carrier = longest;
  std::vector<std::uint8_t> out(detail::kDetailMax);
  CHECK(encode(made, out) != 0);
  for (std::size_t room = 0; room < 100; ++room) CHECK(encode(made, Out(out).first(room)) == 0);
  const std::string too_long(256, 'x');
  made.client = too_long;
  out.resize(encode(made, out));
  Detail back;
  REQUIRE(decode(out, back));
  CHECK(back.client == longest);
}

TEST_CASE("money: the price once, the cost for each try that was billed", "[detail]") {
  Detail made;
  made.price_nano = 50;
  made.segments = 3;
  made.candidate_count = 2;
  made.candidates[0] = {"alpha", 10};
  made.candidates[1] = {"bravo", 20};
  made.tries_kept = 2;
  made.tries[0].carrier = "alpha";
  made.tries[0].end = record::TryEnd::in_doubt;
  made.tries[1].carrier = "bravo";
  made.sent_us = 1;
  charge(made);
  CHECK(made.revenue_nano == 150);
  CHECK(made.cost_nano == 60);
  CHECK(made.margin_nano == 90);
  CHECK(made.tries[0].cost_nano == 10);
  CHECK_FALSE(made.tries[0].billed);
  made.tries[0].end = record::TryEnd::sent;  // both had it
  charge(made);
  CHECK(made.revenue_nano == 150);
  CHECK(made.cost_nano == 90);
  made.price_nano = 1'000'000'000'000'000;
  made.candidates[1].cost_nano = made.price_nano;
  made.segments = 100'000;  // beyond 64 bits: the most that is counted, never another sign
  charge(made);
  CHECK(made.revenue_nano == std::numeric_limits<std::int64_t>::max());
  CHECK(made.cost_nano == std::numeric_limits<std::int64_t>::max());
  CHECK(made.margin_nano == 0);
  made.sent_us = 0;
  made.tries_kept = 0;
  charge(made);
  CHECK(made.revenue_nano == 0);
  CHECK(made.margin_nano == 0);
}
