// SMPP times and receipt dates against instants worked out by date(1).
#include "proto/time.h"

#include <catch2/catch.hpp>

#include "proto/escape.h"

using namespace tollgate::proto;

namespace {

constexpr std::int64_t kNow = 1'795'168'800;  // 2026-11-20 10:00:00 UTC

std::int64_t at(std::string_view text) {
  const Time time = parse_time(text, kNow);
  INFO(text);
  REQUIRE((time.kind == TimeKind::absolute || time.kind == TimeKind::relative));
  return time.unix_s;
}
TimeKind kind(std::string_view text) {
  return parse_time(text, kNow).kind;
}

}  // namespace

TEST_CASE("absolute times") {
  CHECK(at("261120100000000+") == kNow);
  CHECK(at("261120100000904+") == kNow - 3'600);  // one hour ahead of UTC; tenths dropped
  CHECK(at("261120100000004-") == kNow + 3'600);
  CHECK(at("280229235959000+") == 1'835'481'599);
  CHECK(at("000101000000000+") == 946'684'800);
  CHECK(at("760101000000000+") == 3'345'062'400);  // 2076: within 50 years
  CHECK(at("770101000000000+") == 220'924'800);    // 1977
}

TEST_CASE("relative times count calendar months and years") {
  CHECK(at("000001000000000R") == kNow + 86'400);
  CHECK(at("000000010203000R") == kNow + 3'723);
  CHECK(at("010000000000000R") == 1'826'704'800);  // 2027-11-20
  CHECK(at("000300000000000R") == 1'803'117'600);  // 2027-02-20
  CHECK(at("000000000000000R") == kNow);
  // 31 January + one month is the last of February.
  CHECK(parse_time("000100000000000R", 1'801'353'600).unix_s == 1'803'772'800);
}

TEST_CASE("times that are none") {
  CHECK(kind("") == TimeKind::empty);
  for (std::string_view bad :
       {"26112010000000+", "2611201000000000+", "260230100000000+", "261320100000000+",
        "261100100000000+", "261120240000000+", "261120106000000+", "261120100060000+",
        "261120100000049+", "261120100000000 ", "26112010000a000+", "261120100000000r", "+",
        "0000000000000000"}) {
    INFO(bad);
    CHECK(kind(bad) == TimeKind::bad);
  }
}

TEST_CASE("formatting, and back") {
  char out[16];
  REQUIRE(format_time(kNow + 59, out) == 16);
  CHECK(std::string_view(out, 16) == "261120100059000+");
  REQUIRE(format_receipt_date(kNow, out) == 10);
  CHECK(std::string_view(out, 10) == "2611201000");
  CHECK(format_time(kNow, std::span<char>(out).first(15)) == 0);
  CHECK(format_receipt_date(kNow, std::span<char>(out).first(9)) == 0);
  for (std::int64_t day = -7'300; day < 17'000; day += 1) {
    const std::int64_t moment = kNow + day * 86'399;
    format_time(moment, out);
    CHECK(parse_time({out, 16}, kNow).unix_s == moment);
  }
}

TEST_CASE("receipt dates of 10, 12 and 14 digits") {
  CHECK(parse_receipt_date("2611201000", kNow) == kNow);
  CHECK(parse_receipt_date("261120100007", kNow) == kNow + 7);
  CHECK(parse_receipt_date("20261120100007", kNow) == kNow + 7);
  CHECK(parse_receipt_date("201506201641", kNow) == 1'434'818'460);  // YYYYMMDDhhmm
  for (std::string_view bad : {"", "0000000000", "000000000000", "26112010", "2611201060",
                               "26112010xx", "99999999999999"}) {
    CHECK_FALSE(parse_receipt_date(bad, kNow));
  }
}

TEST_CASE("escaped: printable, reversible, bounded") {
  using namespace std::string_view_literals;
  CHECK(escaped("plain text") == "plain text");
  CHECK(escaped("a\nb\0c\xFF\"\\"sv) == "a\\x0ab\\x00c\\xff\\\"\\\\");
  CHECK(escaped("abcdef", 4) == "abcd...(+2 octets)");
}
