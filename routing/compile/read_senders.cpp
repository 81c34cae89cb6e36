// senders.csv.
#include <algorithm>
#include <array>

#include "routing/compile/cells.h"
#include "routing/compile/scopes.h"

namespace tollgate::routing {
namespace {

enum SenderColumn : std::size_t { kAllow = ScopeReader::kDestination + 1, kReplaceBy, kDeny };
constexpr std::array<Column, 7> kColumns = {{{"plan", false},
                                             {"client", false},
                                             {"destination", false},
                                             {"allow", false},
                                             {"replace_by", false},
                                             {"deny", false},
                                             {"note", false}}};
constexpr std::string_view kNothing = "-";

// What a carrier can take as a sender: at most 11 characters with letters, else 15 digits.
const char* bad_sender(std::string_view text) {
  constexpr std::size_t kAlphanumericMax = 11;
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (!printable) return "has other characters than ASCII's printable ones";
  if (text.starts_with('+')) return "is a number with '+': write its digits alone";
  if (sender_of(text, 0) == Sender::alphanumeric)
    return text.size() > kAlphanumericMax ? "is longer than 11 characters" : nullptr;
  return text.size() > kNumberDigitsMax ? "has more than 15 digits" : nullptr;
}

std::optional<std::uint8_t> read_types(Sheet& sheet) {
  const std::string_view text = sheet[kAllow];
  if (text.empty()) return std::nullopt;
  constexpr auto kNoSender = static_cast<std::uint8_t>(1u << unsigned(Sender::none));
  if (text == "all") return kEverySender;
  std::uint8_t types = kNoSender;
  for (std::string_view word : words(text)) {
    Sender type = Sender::none;
    if (parse_sender(word, type) != nullptr)
      sheet.fault(kAllow, "is not made of alphanumeric, numeric and short_code, nor all");
    types = static_cast<std::uint8_t>(types | 1u << unsigned(type));
  }
  return types;
}

std::optional<std::vector<std::string>> read_denied(Sheet& sheet) {
  const std::string_view text = sheet[kDeny];
  if (text.empty()) return std::nullopt;
  std::vector<std::string> denied;
  if (text == kNothing) return denied;
  for (std::string_view word : words(text)) {
    char form[kSenderOctetsMax];
    const std::string_view known = denied_form(word, form);
    if (known.empty())
      sheet.fault(kDeny, "names no possible sender: " + printable(word));
    else
      denied.emplace_back(known);
  }
  std::sort(denied.begin(), denied.end());
  denied.erase(std::unique(denied.begin(), denied.end()), denied.end());
  return denied;
}

std::optional<std::string> read_replacement(Sheet& sheet) {
  const std::string_view text = sheet[kReplaceBy];
  if (text.empty()) return std::nullopt;
  if (text == kNothing) return "";
  if (const char* why = bad_sender(text)) sheet.fault(kReplaceBy, why);
  return std::string(text);
}

}  // namespace

void read_senders(Reading& reading, std::string_view text) {
  Sheet sheet("senders.csv", text, kColumns, reading.faults);
  ScopeReader scopes(reading, sheet);
  while (sheet.next()) {
    ++reading.source.rows;
    const std::size_t faults = reading.faults.count();
    SenderRow row;
    scopes.read(row);
    row.allowed = read_types(sheet);
    row.replace_by = read_replacement(sheet);
    row.denied = read_denied(sheet);
    if (reading.faults.count() != faults) continue;
    scopes.check_repeats(row);
    reading.source.senders.push_back(std::move(row));
  }
}

}  // namespace tollgate::routing
