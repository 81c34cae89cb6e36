#include "bench/carrier/spec.h"

#include <array>
#include <charconv>
#include <functional>
#include <stdexcept>

namespace tollgate::bench {
namespace {

using std::string_view;

[[noreturn]] void refuse(string_view value, string_view why) {
  throw std::invalid_argument("'" + std::string(value) + "': " + std::string(why));
}

std::vector<string_view> split(string_view text, char separator) {
  std::vector<string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

double read_number(string_view text, double low, double high) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) refuse(text, "not a number");
  if (!(value >= low && value <= high)) refuse(text, "out of range");
  return value;
}

double read_share(string_view text) {
  return read_number(text, 0, 1);
}

std::uint64_t read_integer(string_view text, std::uint64_t high) {
  const bool hex = text.starts_with("0x");
  const string_view digits = hex ? text.substr(2) : text;
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
  if (error != std::errc{} || end != digits.data() + digits.size())
    refuse(text, "not a whole number");
  if (value > high) refuse(text, "out of range");
  return value;
}

Range read_range_ms(string_view text) {
  const auto parts = split(text, '-');
  if (parts.size() > 2) refuse(text, "expected MS or LOW-HIGH in milliseconds");
  const double low = read_number(parts.front(), 0, 86'400'000);
  const double high = read_number(parts.back(), 0, 86'400'000);
  if (high < low) refuse(text, "the upper end is below the lower");
  return {static_cast<std::int64_t>(low * 1e6), static_cast<std::int64_t>(high * 1e6)};
}

struct Word {
  string_view text;
  int value;
};

template <std::size_t N>
int read_word(string_view text, const std::array<Word, N>& words) {
  std::string all;
  for (const Word& word : words) {
    if (word.text == text) return word.value;
    all += all.empty() ? "" : ", ";
    all += word.text;
  }
  refuse(text, "expected one of " + all);
}

constexpr std::array<Word, 6> id_words{{{"decimal", static_cast<int>(IdForm::decimal)},
                                        {"zeros", static_cast<int>(IdForm::zeros)},
                                        {"hex", static_cast<int>(IdForm::hex)},
                                        {"hex-upper", static_cast<int>(IdForm::hex_upper)},
                                        {"uuid", static_cast<int>(IdForm::uuid)},
                                        {"uuid-upper", static_cast<int>(IdForm::uuid_upper)}}};
constexpr std::array<Word, 3> bind_words{{{"any", static_cast<int>(ReceiptBind::any)},
                                          {"same", static_cast<int>(ReceiptBind::same)},
                                          {"other", static_cast<int>(ReceiptBind::other)}}};
constexpr std::array<Word, 3> form_words{{{"both", static_cast<int>(ReceiptForm::both)},
                                          {"text", static_cast<int>(ReceiptForm::text)},
                                          {"tlv", static_cast<int>(ReceiptForm::tlv)}}};
constexpr std::array<Word, 2> die_words{{{"abrupt", 0}, {"polite", 1}}};
constexpr std::array<Word, 2> write_words{{{"batch", 0}, {"one", 1}}};
constexpr std::array<Word, 7> state_words{{{"DELIVRD", 2},
                                           {"EXPIRED", 3},
                                           {"DELETED", 4},
                                           {"UNDELIV", 5},
                                           {"ACCEPTD", 6},
                                           {"UNKNOWN", 7},
                                           {"REJECTD", 8}}};

IdForm read_id_form(string_view text) {
  return static_cast<IdForm>(read_word(text, id_words));
}

// "A:0.9/B:0.1" -> on_part("A", 0.9), on_part("B", 0.1).
void read_mix(string_view text, const std::function<void(string_view, double)>& on_part) {
  double sum = 0;
  for (const string_view part : split(text, '/')) {
    const std::size_t colon = part.find(':');
    if (colon == string_view::npos) refuse(part, "expected VALUE:SHARE");
    const double share = read_share(part.substr(colon + 1));
    on_part(part.substr(0, colon), share);
    sum += share;
  }
  if (sum > 1 + 1e-9) refuse(text, "the shares add up to more than 1");
}

void read_statuses(string_view text, Spec& spec) {
  spec.statuses.clear();
  read_mix(text, [&](string_view status, double share) {
    const auto value = static_cast<std::uint32_t>(read_integer(status, 0xFFFFFFFF));
    if (value == 0) refuse(text, "a share of 0x00 is what the others leave");
    spec.statuses.push_back({value, share});
  });
}

void read_receipt_mix(string_view text, Spec& spec) {
  spec.receipt_mix.clear();
  read_mix(text, [&](string_view word, double share) {
    const auto state = static_cast<std::uint8_t>(read_word(word, state_words));
    spec.receipt_mix.push_back({std::string(word), state, share});
  });
}

struct Key {
  string_view name;
  string_view help;
  void (*read)(string_view, Spec&);
};

constexpr double day_s = 86'400;

const std::vector<Key>& keys() {
  static const std::vector<Key> all{
      {"name", "name in the report", [](string_view v, Spec& s) { s.name = v; }},
      {"port", "port to listen on; 0 = any",
       [](string_view v, Spec& s) { s.port = static_cast<std::uint16_t>(read_integer(v, 65535)); }},
      {"latency", "LOW-HIGH ms until a response",
       [](string_view v, Spec& s) { s.latency = read_range_ms(v); }},
      {"loss", "share of submits neither taken nor answered",
       [](string_view v, Spec& s) { s.loss = read_share(v); }},
      {"silent", "share taken (with receipt) but never answered",
       [](string_view v, Spec& s) { s.silent = read_share(v); }},
      {"keep", "share of what is unanswered when its bind falls that is taken all the same",
       [](string_view v, Spec& s) { s.keep = read_share(v); }},
      {"status", "STATUS:SHARE/... of refusals, as 0x45:0.05/0x08:0.01", read_statuses},
      {"throttle", "submits a second above which ESME_RTHROTTLED is answered",
       [](string_view v, Spec& s) { s.throttle = read_number(v, 0, 1e9); }},
      {"receipt-delay", "LOW-HIGH ms from the response to the receipt",
       [](string_view v, Spec& s) { s.receipt_delay = read_range_ms(v); }},
      {"receipt-mix", "STAT:SHARE/... as DELIVRD:0.9/UNDELIV:0.1; the rest is DELIVRD",
       read_receipt_mix},
      {"receipt-loss", "share of receipts never sent",
       [](string_view v, Spec& s) { s.receipt_loss = read_share(v); }},
      {"receipt-duplicate", "share of receipts sent twice",
       [](string_view v, Spec& s) { s.receipt_duplicate = read_share(v); }},
      {"receipt-early", "share of receipts sent before the submit_sm_resp",
       [](string_view v, Spec& s) { s.receipt_early = read_share(v); }},
      {"receipt-bind", "any, same or other bind of the system_id that submitted",
       [](string_view v, Spec& s) {
         s.receipt_bind = static_cast<ReceiptBind>(read_word(v, bind_words));
       }},
      {"receipt-form", "both, text or tlv",
       [](string_view v, Spec& s) {
         s.receipt_form = static_cast<ReceiptForm>(read_word(v, form_words));
       }},
      {"ids", "id form in the response: decimal, zeros, hex, hex-upper, uuid, uuid-upper",
       [](string_view v, Spec& s) { s.ids = read_id_form(v); }},
      {"receipt-id", "id form in the receipt; as in the response when not given",
       [](string_view v, Spec& s) {
         s.receipt_ids = read_id_form(v);
         s.receipt_ids_given = true;
       }},
      {"id-start", "first message id, decimal or 0x...",
       [](string_view v, Spec& s) { s.id_start = read_integer(v, UINT64_MAX); }},
      {"id-repeat", "share of messages given the id of the one before",
       [](string_view v, Spec& s) { s.id_repeat = read_share(v); }},
      {"window", "outstanding deliver_sm a bind",
       [](string_view v, Spec& s) {
         s.window = static_cast<std::uint32_t>(read_integer(v, 1'000'000));
         if (s.window == 0) refuse(v, "out of range");
       }},
      {"enquire", "seconds between enquire_link; 0 = never",
       [](string_view v, Spec& s) { s.enquire_s = read_number(v, 0, day_s); }},
      {"system-id", "the only system_id that may bind",
       [](string_view v, Spec& s) { s.system_id = v; }},
      {"password", "the password that a bind must give",
       [](string_view v, Spec& s) { s.password = v; }},
      {"die-at", "seconds after the first tagged submit at which it goes down",
       [](string_view v, Spec& s) { s.die_at_s = read_number(v, 0, day_s); }},
      {"down", "seconds until it listens again, knowing its due receipts",
       [](string_view v, Spec& s) { s.down_s = read_number(v, 0, day_s); }},
      {"die", "abrupt (drops all at once) or polite (refuses, answers, unbinds first)",
       [](string_view v, Spec& s) { s.polite = read_word(v, die_words) != 0; }},
      {"write", "batch (one write a turn) or one (one write per PDU)",
       [](string_view v, Spec& s) { s.one_write = read_word(v, write_words) != 0; }},
  };
  return all;
}

std::uint64_t mixed(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

std::size_t put_hex(std::uint64_t v, std::size_t digits, const char* alphabet, char* out) {
  for (std::size_t i = digits; i-- > 0; v >>= 4) out[i] = alphabet[v & 15];
  return digits;
}

std::size_t put_uuid(std::uint64_t id, const char* alphabet, char* out) {
  const std::uint64_t high = id;  // unique, then scattered digits
  const std::uint64_t low = mixed(id);
  char* p = out;
  p += put_hex(high >> 32, 8, alphabet, p);
  *p++ = '-';
  p += put_hex(high >> 16 & 0xFFFF, 4, alphabet, p);
  *p++ = '-';
  p += put_hex(high & 0xFFFF, 4, alphabet, p);
  *p++ = '-';
  p += put_hex(low >> 48, 4, alphabet, p);
  *p++ = '-';
  p += put_hex(low & 0xFFFFFFFFFFFF, 12, alphabet, p);
  return static_cast<std::size_t>(p - out);
}

}  // namespace

void parse_spec(string_view list, Spec& spec) {
  if (list.empty()) return;
  for (const string_view item : split(list, ',')) {
    const std::size_t equals = item.find('=');
    if (equals == string_view::npos) refuse(item, "expected KEY=VALUE");
    const string_view name = item.substr(0, equals);
    const Key* found = nullptr;
    for (const Key& key : keys())
      if (key.name == name) found = &key;
    if (found == nullptr) refuse(name, "no such key of a carrier");
    try {
      found->read(item.substr(equals + 1), spec);
    } catch (const std::invalid_argument& e) {
      throw std::invalid_argument(std::string(name) + "=" + e.what());
    }
  }
  if (!spec.receipt_ids_given) spec.receipt_ids = spec.ids;
}

std::string spec_help() {
  std::string text;
  for (const Key& key : keys()) {
    text += "  " + std::string(key.name) + std::string(20 - key.name.size(), ' ');
    text += std::string(key.help) + "\n";
  }
  return text;
}

std::size_t format_id(IdForm form, std::uint64_t id, char* out) {
  static constexpr const char* lower = "0123456789abcdef";
  static constexpr const char* upper = "0123456789ABCDEF";
  switch (form) {
    case IdForm::decimal:
      return static_cast<std::size_t>(std::to_chars(out, out + id_size_max, id).ptr - out);
    case IdForm::zeros: {
      char digits[24];
      const auto n =
          static_cast<std::size_t>(std::to_chars(digits, digits + sizeof digits, id).ptr - digits);
      std::size_t at = 0;
      while (at + n < 20) out[at++] = '0';
      for (std::size_t i = 0; i < n; ++i) out[at++] = digits[i];
      return at;
    }
    case IdForm::hex:
      return static_cast<std::size_t>(std::to_chars(out, out + id_size_max, id, 16).ptr - out);
    case IdForm::hex_upper: {
      std::size_t digits = 1;
      while (digits < 16 && id >> (4 * digits) != 0) ++digits;
      return put_hex(id, digits, upper, out);
    }
    case IdForm::uuid:
      return put_uuid(id, lower, out);
    case IdForm::uuid_upper:
      return put_uuid(id, upper, out);
  }
  return 0;
}

}  // namespace tollgate::bench
