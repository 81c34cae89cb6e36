#include "routing/money.h"

#include <limits>

#include <catch2/catch.hpp>

namespace tollgate::routing {

TEST_CASE("amounts are parsed exactly") {
  Nano nano = 0;
  for (const auto& [text, value] : std::initializer_list<std::pair<const char*, Nano>>{
           {"0", 0},
           {"1", 1'000'000'000},
           {"0.0075", 7'500'000},
           {"0.000000001", 1},
           {"-0.5", -500'000'000},
           {"9223372036.854775807", std::numeric_limits<Nano>::max()}}) {
    CAPTURE(text);
    REQUIRE(parse_nano(text, nano) == nullptr);
    CHECK(nano == value);
  }
  for (const char* text : {"", "-", ".", "1.", ".5", "1.2.3", "+1", " 1", "1e3", "1,5", "0x1",
                           "0.0000000001", "9223372036.854775808", "99999999999999999999999"}) {
    CAPTURE(text);
    CHECK(parse_nano(text, nano) != nullptr);
  }
}

TEST_CASE("format_nano gives what parse_nano reads") {
  CHECK(format_nano(7'500'000) == "0.0075");
  CHECK(format_nano(1'000'000'000) == "1.00");
  CHECK(format_nano(1'000'000'000, 0) == "1");
  CHECK(format_nano(-1) == "-0.000000001");
  CHECK(format_nano(std::numeric_limits<Nano>::min()) == "-9223372036.854775808");
  std::uint64_t seed = 7;
  for (int i = 0; i < 10'000; ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    const Nano amount = static_cast<Nano>(seed >> (seed % 60)) * (i % 2 ? 1 : -1);
    Nano back = 0;
    REQUIRE(parse_nano(format_nano(amount, i % 10), back) == nullptr);
    REQUIRE(back == amount);
  }
}

TEST_CASE("conversion rounds costs up and prices down, and refuses what is too large") {
  Nano out = 0;
  REQUIRE(convert(10, 333'333'333, Rounding::up, out));
  CHECK(out == 4);
  REQUIRE(convert(10, 333'333'333, Rounding::down, out));
  CHECK(out == 3);
  REQUIRE(convert(-10, 333'333'333, Rounding::down, out));
  CHECK(out == -4);
  REQUIRE(convert(-10, 333'333'333, Rounding::up, out));
  CHECK(out == -3);
  REQUIRE(convert(3, 1'000'000'000, Rounding::up, out));
  CHECK(out == 3);
  CHECK_FALSE(convert(std::numeric_limits<Nano>::max(), 1'000'000'001, Rounding::up, out));
}

}  // namespace tollgate::routing
