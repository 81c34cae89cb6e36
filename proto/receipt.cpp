#include "proto/receipt.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>

#include "proto/text.h"
#include "proto/tlv.h"

namespace tollgate::proto {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
bool same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         (a == b || std::equal(a.begin(), a.end(), b.begin(),
                               [](char x, char y) { return lower(x) == lower(y); }));
}
bool is_blank(char c) {
  return static_cast<unsigned char>(c) <= ' ';
}
bool is_letter(char c) {
  return (lower(c) >= 'a' && lower(c) <= 'z') || c == '_';
}
bool is_word(char c) {
  return is_letter(c) || (c >= '0' && c <= '9');
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}
std::string_view bounded(std::string_view word) {
  return word.substr(0, kReceiptWordMax);
}
std::string_view first_token(std::string_view text) {
  const auto begin = std::find_if_not(text.begin(), text.end(), is_blank);
  return {begin, std::find_if(begin, text.end(), is_blank)};
}

struct Word {
  std::string_view word;
  MessageState state;
};
// Appendix B's words first, so that stat_word() finds those; then what carriers write instead.
constexpr Word kWords[] = {
    {"DELIVRD", MessageState::delivered},
    {"EXPIRED", MessageState::expired},
    {"DELETED", MessageState::deleted},
    {"UNDELIV", MessageState::undeliverable},
    {"ACCEPTD", MessageState::accepted},
    {"UNKNOWN", MessageState::unknown},
    {"REJECTD", MessageState::rejected},
    {"ENROUTE", MessageState::enroute},
    {"SKIPPED", MessageState::skipped},
    {"SCHEDULED", MessageState::scheduled},
    {"DELIVERED", MessageState::delivered},
    {"UNDELIVERABLE", MessageState::undeliverable},
    {"UNDELIVERED", MessageState::undeliverable},
    {"UNDELIVRD", MessageState::undeliverable},
    {"FAILED", MessageState::undeliverable},
    {"NOROUTE", MessageState::undeliverable},
    {"ACCEPTED", MessageState::accepted},
    {"REJECTED", MessageState::rejected},
    {"DND_REJECTED", MessageState::rejected},
    {"NACK", MessageState::rejected},
    {"BLOCKED", MessageState::rejected},
    {"BUFFRED", MessageState::enroute},
    {"BUFFERD", MessageState::enroute},
    {"BUFFERED", MessageState::enroute},
    {"ACKED", MessageState::enroute},
};

const Word* find_word(std::string_view stat) {
  for (const Word& word : kWords) {
    if (same_word(word.word, stat)) return &word;
  }
  return nullptr;
}

enum Field : std::uint8_t { id, sub, dlvrd, submit_date, done_date, stat, err, text, kFields };

struct Label {
  std::string_view name;
  Field field;
};
constexpr Label kIn_b[] = {{"sub", sub}};
constexpr Label kIn_d[] = {{"id", id}, {"dlvrd", dlvrd}};
constexpr Label kIn_e[] = {{"submit date", submit_date}, {"done date", done_date},
                           {"submitdate", submit_date},  {"donedate", done_date},
                           {"submit_date", submit_date}, {"done_date", done_date}};
constexpr Label kIn_r[] = {{"err", err}};
constexpr Label kIn_t[] = {{"stat", stat}, {"text", text}};

// The labels that end in a letter.
std::span<const Label> labels_in(char last) {
  switch (lower(last)) {
    case 'b':
      return kIn_b;
    case 'd':
      return kIn_d;
    case 'e':
      return kIn_e;
    case 'r':
      return kIn_r;
    case 't':
      return kIn_t;
    default:
      return {};
  }
}

// The label that ends at the colon `colon`, and where it begins.
const Label* label_before(std::string_view all, std::size_t colon, std::size_t& begin) {
  if (colon == 0) return nullptr;
  for (const Label& label : labels_in(all[colon - 1])) {
    if (colon < label.name.size()) continue;
    begin = colon - label.name.size();
    if (begin > 0 && is_word(all[begin - 1])) continue;
    if (same_word(all.substr(begin, label.name.size()), label.name)) return &label;
  }
  return nullptr;
}

// Where an unknown "word:" begins that ends at `colon`: behind a blank, of letters only.
std::optional<std::size_t> unknown_label(std::string_view all, std::size_t colon) {
  std::size_t begin = colon;
  while (begin > 0 && is_letter(all[begin - 1])) --begin;
  if (begin == colon || begin == 0 || !is_blank(all[begin - 1])) return std::nullopt;
  return begin;
}

// Cuts a receipt's text into fields.
class TextParser {
 public:
  explicit TextParser(std::string_view all) : all_(all) {}

  void parse() {
    if (!parse_as_written()) parse_by_colons();
  }

  std::string_view operator[](Field field) const { return values_[field]; }

 private:
  // Most receipts are written to the letter, and cheap to read so.
  bool parse_as_written() {
    std::string_view left = all_;
    const bool good = cut(left, "id:", id) && cut(left, " sub:", sub) &&
                      cut(left, " dlvrd:", dlvrd) && cut(left, " submit date:", submit_date) &&
                      cut(left, " done date:", done_date) && cut(left, " stat:", stat) &&
                      cut(left, " err:", err) && cut_text(left);
    if (!good) std::fill(std::begin(values_), std::end(values_), std::string_view());
    return good;
  }
  // A label whose length is known is compared in one piece.
  template <std::size_t N>
  static bool pass(std::string_view& left, const char (&label)[N]) {
    if (left.size() < N - 1 || std::memcmp(left.data(), label, N - 1) != 0) return false;
    left.remove_prefix(N - 1);
    return true;
  }
  template <std::size_t N>
  bool cut(std::string_view& left, const char (&label)[N], Field field) {
    if (!pass(left, label)) return false;
    const char* const begin = left.data();
    const char* const all_end = begin + left.size();
    const char* end = begin;
    while (end != all_end && !is_blank(*end) && *end != ':') ++end;
    values_[field] = {begin, end};
    left = {end, all_end};
    return true;
  }
  bool cut_text(std::string_view left) {
    if (left.empty()) return true;
    if (!pass(left, " text:") && !pass(left, " Text:")) return false;
    if (left.find(':') != std::string_view::npos) return false;
    values_[text] = trimmed(left);
    return true;
  }

  // Any other: walks the colons from left to right.
  void parse_by_colons() {
    for (std::size_t colon = all_.find(':'); colon != std::string_view::npos;
         colon = all_.find(':', colon + 1)) {
      std::size_t begin = 0;
      const Label* label = label_before(all_, colon, begin);
      if (label != nullptr) {
        if (begin < value_begin_) continue;
        // Inside the quote only a field that is still missing counts.
        if (in_text_ && seen_[label->field]) continue;
        close(begin);
        open_ = label->field;
        value_begin_ = colon + 1;
        in_text_ = in_text_ || open_ == text;
      } else if (open_ == id && !in_text_) {
        const auto unknown = unknown_label(all_, colon);
        if (unknown && *unknown >= value_begin_) close(*unknown);
      }
    }
    close(all_.size());
  }

  void close(std::size_t end) {
    if (open_ == kFields) return;
    if (!seen_[open_]) {
      const std::string_view value = all_.substr(value_begin_, end - value_begin_);
      const bool whole = open_ == text || (open_ == id && !in_text_);
      values_[open_] = whole ? trimmed(value) : first_token(value);
      seen_[open_] = true;
    }
    open_ = kFields;
  }

  std::string_view all_;
  Field open_ = kFields;
  std::size_t value_begin_ = 0;
  bool in_text_ = false;
  bool seen_[kFields] = {};
  std::string_view values_[kFields];
};

// A receipt's text starts in ASCII: a zero in the first or second octet gives UTF-16 away, whether
// data_coding says so or not. Cut to what `scratch` takes.
std::string_view readable(Octets octets, std::span<char> scratch) {
  bool little = false;
  if (octets.size() >= 2 && octets[0] == 0xFE && octets[1] == 0xFF) {
    octets = octets.subspan(2);
  } else if (octets.size() >= 2 && octets[0] == 0xFF && octets[1] == 0xFE) {
    octets = octets.subspan(2);
    little = true;
  } else if (octets.size() >= 2 && octets[0] != 0 && octets[1] == 0) {
    little = true;
  } else if (octets.size() < 2 || octets[0] != 0) {
    return as_text(octets);
  }
  octets = octets.first(std::min(octets.size() / 2, scratch.size() / 3) * 2);
  std::size_t length = 0;
  for (std::size_t i = 0; i < octets.size(); i += 2) {
    const std::uint8_t pair[] = {octets[i + (little ? 1 : 0)], octets[i + (little ? 0 : 1)]};
    length += ucs2_to_utf8(pair, scratch.subspan(length)).value_or(0);
  }
  return {scratch.data(), length};
}

struct Source {
  std::uint8_t esm_class;
  Octets message;
  Octets tlvs;
};

Source source_of(const DeliverSm& sm) {
  return {sm.esm_class, message_octets(sm.short_message, sm.tlvs), sm.tlvs};
}
Source source_of(const DataSm& sm) {
  return {sm.esm_class, message_octets({}, sm.tlvs), sm.tlvs};
}

bool reads_as_receipt(Octets octets) {
  char scratch[kReceiptScratch];
  TextParser parser(readable(octets, scratch));
  parser.parse();
  return !parser[id].empty() && find_word(parser[stat]) != nullptr;
}

bool is_receipt(const Source& source) {
  const std::uint8_t type = source.esm_class & kEsmTypeMask;
  if (type == kEsmReceipt || type == kEsmIntermediate) return true;
  if (type != 0) return false;
  if (find(source.tlvs, Tag::receipted_message_id)) return true;
  return reads_as_receipt(split_user_data(source.esm_class, source.message).text);
}

bool parse_tlvs(Octets tlvs, Receipt& out) {
  bool found = false;
  for (Tlv tlv : Tlvs(tlvs)) {
    if (tlv.tag == Tag::receipted_message_id && !out.id_from_tlv) {
      std::string_view value = as_text(tlv.value);
      value = trimmed(value.substr(0, value.find('\0')));
      if (value.empty() || (value.size() >= kMessageIdMax && !out.id.empty())) continue;
      value = bounded(value);
      out.text_id = out.id;
      out.id = value;
      out.id_from_tlv = true;
      found = true;
    } else if (tlv.tag == Tag::message_state && tlv.value.size() == 1) {
      const std::uint8_t value = tlv.value[0];
      if (value > static_cast<std::uint8_t>(MessageState::skipped)) continue;
      out.state = MessageState{value};
      found = true;
    } else if (tlv.tag == Tag::network_error_code && tlv.value.size() == 3) {
      std::copy_n(tlv.value.begin(), 3, out.network_error);
      out.has_network_error = true;
    }
  }
  return found;
}

bool parse(const Source& source, Receipt& out, std::span<char> scratch) {
  const Octets octets = split_user_data(source.esm_class, source.message).text;
  const bool from_text = parse_receipt_text(readable(octets, scratch), out);
  out.intermediate = (source.esm_class & kEsmTypeMask) == kEsmIntermediate;
  const bool from_tlvs = parse_tlvs(source.tlvs, out);
  return from_text || from_tlvs;
}

// Appends to a span; remembers that it did not fit.
class Writer {
 public:
  explicit Writer(std::span<char> out) : out_(out) {}
  void put(std::string_view text) {
    if (out_.size() - length_ < text.size()) fits_ = false;
    if (!fits_) return;
    std::copy(text.begin(), text.end(), out_.begin() + static_cast<std::ptrdiff_t>(length_));
    length_ += text.size();
  }
  template <std::size_t N>
  void put(const char (&literal)[N]) {
    if (out_.size() - length_ < N - 1) fits_ = false;
    if (!fits_) return;
    std::memcpy(out_.data() + length_, literal, N - 1);
    length_ += N - 1;
  }
  // On one line, whatever it holds.
  void put_quote(std::string_view text) {
    if (out_.size() - length_ < text.size()) fits_ = false;
    if (!fits_) return;
    std::transform(text.begin(), text.end(), out_.begin() + static_cast<std::ptrdiff_t>(length_),
                   [](char c) { return is_blank(c) || c == 0x7F ? ' ' : c; });
    length_ += text.size();
  }
  void put_3_digits(unsigned value) {
    value = std::min(value, 999U);
    const char digits[] = {static_cast<char>('0' + value / 100),
                           static_cast<char>('0' + value / 10 % 10),
                           static_cast<char>('0' + value % 10), 0};
    put(digits);
  }
  std::size_t length() const { return fits_ ? length_ : 0; }

 private:
  std::span<char> out_;
  std::size_t length_ = 0;
  bool fits_ = true;
};

}  // namespace

std::string_view stat_word(MessageState state) {
  for (const Word& word : kWords) {
    if (word.state == state) return word.word;
  }
  return "UNKNOWN";
}

std::string_view message_state_name(MessageState state) {
  constexpr std::string_view kNames[] = {"scheduled", "enroute",       "delivered", "expired",
                                         "deleted",   "undeliverable", "accepted",  "unknown",
                                         "rejected",  "skipped"};
  const auto index = static_cast<std::size_t>(state);
  return index < std::size(kNames) ? kNames[index] : "unknown";
}

MessageState state_of_word(std::string_view stat_value) {
  const Word* word = find_word(stat_value);
  return word == nullptr ? MessageState::unknown : word->state;
}

bool is_receipt(const DeliverSm& sm) {
  return is_receipt(source_of(sm));
}
bool is_receipt(const DataSm& sm) {
  return is_receipt(source_of(sm));
}

bool parse_receipt_text(std::string_view all, Receipt& out) {
  TextParser parser(all);
  parser.parse();
  out = {};
  out.id = bounded(parser[id]);
  out.stat_text = bounded(parser[stat]);
  out.state = state_of_word(out.stat_text);
  out.err = bounded(parser[err]);
  out.submit_date = bounded(parser[submit_date]);
  out.done_date = bounded(parser[done_date]);
  out.sub = bounded(parser[sub]);
  out.dlvrd = bounded(parser[dlvrd]);
  out.text = bounded(parser[text]);
  return !out.id.empty() || !out.stat_text.empty();
}

bool parse_receipt(const DeliverSm& sm, Receipt& out, std::span<char> scratch) {
  return parse(source_of(sm), out, scratch);
}
bool parse_receipt(const DataSm& sm, Receipt& out, std::span<char> scratch) {
  return parse(source_of(sm), out, scratch);
}

std::size_t format_receipt(const ReceiptText& in, std::span<char> out) {
  Writer writer(out);
  writer.put("id:");
  writer.put(in.id);
  writer.put(" sub:");
  writer.put_3_digits(in.sub);
  writer.put(" dlvrd:");
  writer.put_3_digits(in.dlvrd);
  writer.put(" submit date:");
  writer.put(in.submit_date);
  writer.put(" done date:");
  writer.put(in.done_date);
  writer.put(" stat:");
  writer.put(stat_word(in.state));
  writer.put(" err:");
  writer.put(std::string_view("000").substr(std::min<std::size_t>(in.err.size(), 3)));
  writer.put(in.err);
  writer.put(" Text:");
  writer.put_quote(in.text.substr(0, kReceiptQuoteMax));
  return writer.length();
}

}  // namespace tollgate::proto
