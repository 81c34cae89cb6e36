#include "routing/store/table_set.h"

#include <filesystem>

#include <catch2/catch.hpp>

#include "proto/records/tables.pb.h"
#include "routing/store/table_codec.h"

using namespace tollgate::routing;

namespace {

TableFile file(const std::string& name, const std::string& text) {
  return describe(name, text);
}

TableVersion version_of(std::vector<TableFile> files) {
  TableVersion version;
  version.number = 42;
  version.based_on = 41;
  version.who = "ann";
  version.when_us = 1'700'000'000'000'000;
  version.note = "why";
  version.origin = Origin::rollback;
  version.rolled_back_to = 40;
  version.draft = 7;
  version.files = std::move(files);
  return version;
}

// What the octets' envelope says, changed, and sealed again or not.
template <class Change>
std::string altered(const std::string& octets, Change change, bool seal) {
  tollgate::tables::Envelope envelope;
  REQUIRE(envelope.ParseFromString(octets));
  tollgate::tables::Version version;
  REQUIRE(version.ParseFromString(envelope.payload()));
  change(envelope, version);
  envelope.set_payload(version.SerializeAsString());
  if (seal) {
    const Sha256 sha256 = sha256_of(envelope.payload());
    envelope.set_sha256(std::string(sha256.begin(), sha256.end()));
  }
  return envelope.SerializeAsString();
}

}  // namespace

TEST_CASE("a record that nests without end is refused", "[store]") {
  // Groups of an unknown field, one in the other.
  const std::string deep(2'000'000, '\x7b');
  CHECK_FALSE(decode_version(deep));
  CHECK_FALSE(decode_draft(deep));
}

TEST_CASE("a file's name can be joined to any directory", "[table_set]") {
  for (const char* good :
       {"clients.csv", "rates/alpha.csv", "rates/a-b_c.9.csv", "templates/alpha.toml"}) {
    INFO(good);
    CHECK(bad_table_name(good) == nullptr);
  }
  for (const char* bad : {"",
                          ".csv",
                          "a",
                          "a.txt",
                          "../a.csv",
                          "/a.csv",
                          "a/b/c.csv",
                          "a/../b.csv",
                          "rates/.a.csv",
                          ".hidden/a.csv",
                          "a b.csv",
                          "a\n.csv",
                          "a\\b.csv",
                          "rates/",
                          "rates/.csv",
                          "\xc3\xa9.csv",
                          "alpha.toml",
                          "rates/alpha.toml",
                          "templates/alpha.csv",
                          "templates/.toml",
                          "templates/../a.toml"}) {
    INFO(bad);
    CHECK(bad_table_name(bad) != nullptr);
  }
  CHECK(bad_table_name(std::string(200, 'a') + ".csv") != nullptr);
}

TEST_CASE("SHA-256 and rows of a content", "[table_set]") {
  CHECK(hex(sha256_of("abc")) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(count_rows("") == 0);
  CHECK(count_rows("a,b\n") == 0);
  CHECK(count_rows("a,b\r\n1,2\r\n\r\n3,4") == 2);
  CHECK(describe("a.csv", "h\n1\n").rows == 1);
}

TEST_CASE("a draft's files are its base's with its changes", "[table_set]") {
  const std::vector<TableFile> base{file("a.csv", "1"), file("b.csv", "1"), file("c.csv", "1")};
  TableDraft draft;
  draft.changed = {file("aa.csv", "new"), file("b.csv", "2")};
  draft.removed = {"c.csv"};
  const auto files = changed_files(base, draft);
  CHECK(files ==
        std::vector<TableFile>{file("a.csv", "1"), file("aa.csv", "new"), file("b.csv", "2")});
  const auto found = differences(base, files);
  REQUIRE(found.size() == 3);
  CHECK((found[0].name == "aa.csv" && !found[0].before && found[0].after));
  CHECK((found[1].name == "b.csv" && found[1].before && found[1].after));
  CHECK((found[2].name == "c.csv" && found[2].before && !found[2].after));
}

TEST_CASE("a rebase conflicts where both changed a file differently", "[table_set]") {
  const std::vector<TableFile> base{file("a.csv", "1"), file("b.csv", "1"), file("c.csv", "1"),
                                    file("d.csv", "1"), file("e.csv", "1")};
  TableDraft draft;
  draft.changed = {file("a.csv", "ours"), file("b.csv", "same"), file("n.csv", "ours")};
  draft.removed = {"c.csv", "d.csv"};
  CHECK(conflicts(draft, base, base).empty());
  const std::vector<TableFile> current{file("a.csv", "theirs"), file("b.csv", "same"),
                                       file("c.csv", "theirs"), file("e.csv", "theirs"),
                                       file("n.csv", "theirs")};
  CHECK(conflicts(draft, base, current) == std::vector<std::string>{"a.csv", "c.csv", "n.csv"});
  // They removed what we changed.
  CHECK(conflicts(draft, base, {file("b.csv", "1")}) == std::vector<std::string>{"a.csv"});
}

TEST_CASE("records come back as they were", "[table_codec]") {
  TableVersion version = version_of({file("a.csv", "1\n2\n"), file("rates/b.csv", "3")});
  const auto back = decode_version(encode(version));
  REQUIRE(back);
  CHECK(back->number == 42);
  CHECK(back->based_on == 41);
  CHECK(back->who == "ann");
  CHECK(back->when_us == version.when_us);
  CHECK(back->note == "why");
  CHECK(back->origin == Origin::rollback);
  CHECK(back->rolled_back_to == 40);
  CHECK(back->draft == 7);
  CHECK(back->files == version.files);
  CHECK(back->checksum == version.checksum);
  CHECK(version.checksum != Sha256{});

  TableDraft draft{3,
                   2,
                   5,
                   "ann",
                   9,
                   "n",
                   DraftState::scheduled,
                   {file("a.csv", "x")},
                   {"b.csv"},
                   "sum",
                   "bob",
                   "cy",
                   77,
                   4,
                   "because"};
  const auto draft_back = decode_draft(encode(draft));
  REQUIRE(draft_back);
  CHECK(draft_back->state == DraftState::scheduled);
  CHECK(draft_back->changed == draft.changed);
  CHECK(draft_back->removed == draft.removed);
  CHECK(draft_back->publish_at_us == 77);
  CHECK(draft_back->revision == 5);
  CHECK(draft_back->reason == "because");
  const auto act = decode_act(encode(TableAct{{}, "ann", 1, "publish", "n", 2, 1, 3, "d"}));
  REQUIRE(act);
  CHECK((act->what == "publish" && act->version == 2 && act->draft == 3 && act->detail == "d"));
  const auto report = decode_report(encode(GatewayReport{"g", 2, 3, 4, "r", 5}));
  REQUIRE(report);
  CHECK((report->gateway == "g" && report->refused_version == 4 && report->when_us == 5));
}

TEST_CASE("a record that is not what it should be is refused with the reason", "[table_codec]") {
  TableVersion version = version_of({file("a.csv", "1"), file("b.csv", "2")});
  const std::string good = encode(version);
  const auto reason = [](const std::string& octets) {
    const auto decoded = decode_version(octets);
    REQUIRE_FALSE(decoded);
    return decoded.error();
  };
  using Catch::Contains;
  CHECK_THAT(reason("garbage"), Contains("is no record"));
  CHECK_THAT(reason(""), Contains("format 0"));
  CHECK_THAT(reason(encode(TableDraft{})), Contains("\"draft\", not a version"));
  CHECK_THAT(reason(altered(
                 good, [](auto& e, auto&) { e.set_format(2); }, true)),
             Contains("format 2, this program reads 1"));
  CHECK_THAT(reason(altered(
                 good, [](auto&, auto& v) { v.set_note("other"); }, false)),
             Contains("checksum"));
  const auto refused = [&](auto change) {
    return reason(altered(
        good, [&](auto&, auto& v) { change(v); }, true));
  };
  CHECK_THAT(refused([](auto& v) { v.mutable_files(0)->set_name("../a.csv"); }),
             Contains("begins with a dot"));
  CHECK_THAT(refused([](auto& v) { v.mutable_files(0)->set_name("c.csv"); }),
             Contains("out of order"));
  CHECK_THAT(refused([](auto& v) { v.mutable_files(1)->set_name("a.csv"); }),
             Contains("out of order"));
  CHECK_THAT(refused([](auto& v) { v.mutable_files(0)->set_sha256("short"); }),
             Contains("no SHA-256"));
  CHECK_THAT(refused([](auto& v) { v.mutable_files(0)->set_octets(std::uint64_t{1} << 40); }),
             Contains("512 MiB"));
  CHECK_THAT(refused([](auto& v) { v.set_number(0); }), Contains("no number"));
  CHECK_THAT(refused([](auto& v) { v.set_origin(static_cast<tollgate::tables::Origin>(9)); }),
             Contains("origin"));
  // Every single octet: found, or without a meaning of its own.
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x21);
    const auto decoded = decode_version(bad);
    if (decoded) CHECK(decoded->files == version.files);
  }
}

TEST_CASE("a chunk is the one that was asked for", "[table_codec]") {
  const Sha256 blob = sha256_of("abc");
  const std::string chunk = encode_chunk(blob, 1, 3, "data");
  const auto fine = decode_chunk(chunk, blob, 1, 3);
  REQUIRE(fine);
  CHECK(*fine == "data");
  CHECK_FALSE(decode_chunk(chunk, sha256_of("x"), 1, 3));
  CHECK_FALSE(decode_chunk(chunk, blob, 0, 3));
  CHECK_FALSE(decode_chunk(chunk, blob, 1, 4));
  CHECK_FALSE(decode_chunk("\xff\xff", blob, 1, 3));
}
