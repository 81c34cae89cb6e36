// What the load program was asked to do; the defaults are the bench's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tollgate::bench {

struct Options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 2775;
  unsigned connections = 1;
  bool pairs = false;  // a transmitter and a receiver instead of a transceiver
  std::uint32_t window = 100;
  std::uint64_t count = 0;  // 0 = until `seconds`
  double seconds = 0;
  double rate = 0;  // submits a second, open loop; 0 = closed loop
  std::int64_t tick_us = 100;
  bool one_write = false;

  std::string system_id = "shop";
  unsigned accounts = 1;  // more: system_id0, system_id1, ..., for one connection after the other
  std::string password = "shop-pw";
  std::string system_type;
  unsigned interface_version = 0x34;
  double bind_wait_s = 10;

  std::string source = "Tollgate";
  unsigned source_ton = 5, source_npi = 0, dest_ton = 1, dest_npi = 1;
  unsigned text_size = 127;  // frames of 180 octets
  unsigned registered_delivery = 0;
  std::uint32_t tag_base = 0;
  std::string numbers_file, column;
  std::vector<std::string> prefixes;
  std::uint64_t seed = 1;

  double response_timeout_s = 30;
  double receipt_wait_s = 60;
  unsigned retries = 0;
  double retry_ms = 100;
  bool allow_refused = false;
  bool reconnect = false;  // a lost session comes back until the run's end
  bool resubmit = false;   // what was unanswered on it goes again, with the same tag
  std::string log;
  bool progress = true;
  std::string json;
};

}  // namespace tollgate::bench
