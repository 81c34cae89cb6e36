// What one simulated carrier does, read from a list such as
// "name=alpha,latency=0-50,status=0x45:0.05,ids=hex". parse_spec refuses an unknown key, a value
// out of range and a share above 1 with std::invalid_argument that names the key and the value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::bench {

enum class IdForm : std::uint8_t { decimal, zeros, hex, hex_upper, uuid, uuid_upper };
enum class ReceiptBind : std::uint8_t { any, same, other };
enum class ReceiptForm : std::uint8_t { both, text, tlv };

struct Range {
  std::int64_t low_ns = 0;
  std::int64_t high_ns = 0;
};

struct StatusShare {
  std::uint32_t status = 0;
  double share = 0;
};

struct ReceiptShare {
  std::string word;  // of the text form's stat field
  std::uint8_t message_state = 0;
  double share = 0;
};

struct Spec {
  std::string name;
  std::uint16_t port = 0;
  Range latency;
  double loss = 0;
  double silent = 0;
  double keep = 0;
  std::vector<StatusShare> statuses;
  double throttle = 0;  // submits a second; 0 = no limit
  Range receipt_delay;
  std::vector<ReceiptShare> receipt_mix;
  double receipt_loss = 0;
  double receipt_duplicate = 0;
  double receipt_early = 0;
  double id_repeat = 0;
  ReceiptBind receipt_bind = ReceiptBind::any;
  ReceiptForm receipt_form = ReceiptForm::both;
  IdForm ids = IdForm::decimal;
  IdForm receipt_ids = IdForm::decimal;
  bool receipt_ids_given = false;
  std::uint64_t id_start = 0;
  std::uint32_t window = 1000;
  double enquire_s = 0;
  std::string system_id;
  std::string password;
  double die_at_s = 0;
  double down_s = 1;
  bool polite = false;  // dies by answering what it took, unbinding, then closing
  bool one_write = false;
};

// Changes what the list names, keeps the rest.
void parse_spec(std::string_view list, Spec& spec);
// The keys, one a line, for --help.
std::string spec_help();

// Writes the id's form at `out` (room for id_size_max octets); returns its length.
inline constexpr std::size_t id_size_max = 40;
std::size_t format_id(IdForm form, std::uint64_t id, char* out);

}  // namespace tollgate::bench
