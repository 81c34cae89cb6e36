#include "bench/carrier/spec.h"

#include <catch2/catch.hpp>

using namespace tollgate::bench;
using Catch::Contains;

namespace {
Spec spec_of(std::string_view list) {
  Spec spec;
  parse_spec(list, spec);
  return spec;
}

std::string id_of(IdForm form, std::uint64_t id) {
  char out[id_size_max];
  return {out, format_id(form, id, out)};
}
}  // namespace

TEST_CASE("a list sets what it names and keeps the rest") {
  Spec spec = spec_of(
      "name=alpha,latency=0.5-50,status=0x45:0.05/8:0.01,receipt-mix=DELIVRD:0.9/UNDELIV:0.1,"
      "ids=hex,window=7");
  CHECK(spec.name == "alpha");
  CHECK(spec.latency.low_ns == 500'000);
  CHECK(spec.latency.high_ns == 50'000'000);
  REQUIRE(spec.statuses.size() == 2);
  CHECK(spec.statuses[0].status == 0x45);
  CHECK(spec.statuses[1].status == 8);
  CHECK(spec.receipt_mix[1].message_state == 5);
  CHECK(spec.receipt_ids == IdForm::hex);
  parse_spec("receipt-id=decimal", spec);
  CHECK(spec.ids == IdForm::hex);
  CHECK(spec.receipt_ids == IdForm::decimal);
  CHECK(spec.window == 7);
}

TEST_CASE("a bad list is refused by name") {
  CHECK_THROWS_WITH(spec_of("colour=red"), Contains("colour"));
  CHECK_THROWS_WITH(spec_of("loss"), Contains("KEY=VALUE"));
  CHECK_THROWS_WITH(spec_of("loss=1.5"), Contains("loss") && Contains("out of range"));
  CHECK_THROWS_WITH(spec_of("loss=nan"), Contains("loss"));
  CHECK_THROWS_WITH(spec_of("latency=50-5"), Contains("below"));
  CHECK_THROWS_WITH(spec_of("status=0x45:0.7/0x08:0.7"), Contains("more than 1"));
  CHECK_THROWS_WITH(spec_of("status=0:0.5"), Contains("0x00"));
  CHECK_THROWS_WITH(spec_of("receipt-mix=FINE:1"), Contains("DELIVRD, EXPIRED"));
  CHECK_THROWS_WITH(spec_of("ids=roman"), Contains("hex-upper"));
  CHECK_THROWS_WITH(spec_of("port=65536"), Contains("port"));
  CHECK_THROWS_WITH(spec_of("window=0"), Contains("window"));
}

TEST_CASE("ids in every form") {
  CHECK(id_of(IdForm::decimal, 9308878062554710043u) == "9308878062554710043");
  CHECK(id_of(IdForm::hex, 9308878062554710043u) == "812fc7470000001b");
  CHECK(id_of(IdForm::hex_upper, 9308878062554710043u) == "812FC7470000001B");
  CHECK(id_of(IdForm::hex_upper, 0) == "0");
  CHECK(id_of(IdForm::zeros, 24) == "00000000000000000024");
  const std::string lower = id_of(IdForm::uuid, 77), upper = id_of(IdForm::uuid_upper, 77);
  CHECK(lower.size() == 36);
  CHECK(lower != upper);
  CHECK(lower != id_of(IdForm::uuid, 78));
  CHECK(strcasecmp(lower.c_str(), upper.c_str()) == 0);
}
