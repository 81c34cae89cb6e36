// Short texts that people, clients and carriers write: numbers, amounts, dates, hours, percentages,
// addresses, networks, hexadecimal PDUs. The first octet is a type of number, the rest the text.
//
// What must hold: nothing but a text that says why, or a value that is within its bounds: a number
// exists and keeps its form, an amount, a network and an address read the same when they are
// written, a printed PDU is one line.
#include "gateway/config/ip.h"
#include "gateway/config/texts.h"
#include "proto/json.h"
#include "proto/time.h"
#include "routing/compile/cells.h"
#include "routing/dialling.h"
#include "routing/money.h"
#include "tests/fuzz/input.h"

using namespace tollgate;
using namespace tollgate::routing;
using fuzz::must;

namespace {

constexpr std::int64_t kNowS = 1'800'000'000;

void number(std::string_view text, std::uint8_t ton) {
  static const Dialling dialling = load_dialling();
  static const HomeCountry homes[] = {HomeCountry{}, load_home_country("GB").value(),
                                      load_home_country("IT").value()};
  for (const HomeCountry& home : homes) {
    Number read;
    if (!dialling.normalise(text, ton, home, read)) continue;
    must(read.length > 0 && read.length <= kNumberDigitsMax);
    must(dialling.possible(read.view()) && dialling.calling_code(read.view()) != 0);
    Number again;
    must(dialling.normalise("+" + std::string(read.view()), 1, home, again));
    must(again.view() == read.view());
  }
}

void amount(std::string_view text) {
  Nano read = 0, again = 0;
  if (parse_nano(text, read) != nullptr) return;
  must(parse_nano(format_nano(read), again) == nullptr && again == read);
  Nano up = 0, down = 0;
  const bool fits = convert(read, 900'000'001, Rounding::up, up);
  must(convert(read, 900'000'001, Rounding::down, down) == fits);
  if (fits) must(up >= down && up - down <= 1);
  if (read >= 0) must(share_up(read, 1'000'000) == read && share_up(read, 1) <= read);
}

void cells(std::string_view text) {
  std::int64_t value = 0;
  (void)parse_date(text, value);
  if (parse_ppm(text, value) == nullptr) must(value >= -1'000'000 && value <= 1'000'000);
  std::pair<std::uint16_t, std::uint16_t> hours;
  if (parse_hours(text, hours) == nullptr) must(hours.first <= 1440 && hours.second <= 1440);
  Sender sender;
  (void)parse_sender(text, sender);
  std::uint64_t volume = 0;
  (void)parse_volume(text, volume);
  std::uint32_t count = 0;
  if (parse_count(text, 8, count) == nullptr) must(count <= 8);
  (void)proto::parse_time(text, kNowS);
  (void)proto::parse_receipt_date(text, kNowS);
}

void addresses(std::string_view text) {
  if (const auto ip = gateway::parse_ip(text)) {
    must(gateway::parse_ip(gateway::format_ip(*ip)) == ip);
  }
  std::string why;
  if (const auto network = gateway::parse_network(text, why)) {
    must(network->contains(network->base) && network->prefix_length <= 128);
  } else {
    must(!why.empty());
  }
  for (const bool literal : {false, true}) {
    core::Address address;
    why.clear();
    must(gateway::parse_address(text, literal, address, why) || !why.empty());
  }
}

void pdu(std::string_view text) {
  const std::string argument(text);
  const auto printed = proto::hex_to_json({argument});
  must(printed ? !printed.json.empty() : fuzz::printable_line(printed.error));
  for (const char c : printed.json) must(c == '\n' || static_cast<unsigned char>(c) >= 0x20);
  const auto whole = proto::parse_hex(text);
  if (whole && text.size() >= 2) {
    const std::size_t half = text.size() / 2;
    (void)proto::hex_to_json({argument.substr(0, half), argument.substr(half)});
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text = fuzz::unfolded({data + 1, size - 1}, 8'192);
  number(text, data[0]);
  amount(text);
  cells(text);
  addresses(text);
  pdu(text);
  return 0;
}
