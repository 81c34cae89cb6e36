// Where a row leads: networks, a country's default, prefixes.
#include <algorithm>

#include "routing/compile/cells.h"
#include "routing/sheets/row.h"

namespace tollgate::routing {
namespace {

constexpr std::size_t kMccDigits = 3;

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// A token of the cell has a zero in front, so this column keeps its zeros.
bool shows_zeros(std::string_view text, std::size_t place) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = text.find_first_of("0123456789", at);
    if (begin == std::string_view::npos) return false;
    const std::size_t end = std::min(text.find_first_not_of("0123456789", begin), text.size());
    const std::string_view token = text.substr(begin, end - begin);
    if (token.size() > place + 1 && token[place] == '0' &&
        token.find_first_not_of('0', place) != std::string_view::npos)
      return true;
    at = end;
  }
  return false;
}

int value_of(std::string_view digits) {
  int value = 0;
  for (char c : digits) value = value * 10 + (c - '0');
  return value;
}

}  // namespace

void RowReader::see_zeros() {
  for (std::size_t row = layout_.row + 1; row < grid_.rows(); ++row) {
    row_ = row;
    zeros_seen_mnc_ = zeros_seen_mnc_ || shows_zeros(text(Meaning::mnc), 0);
    zeros_seen_mccmnc_ = zeros_seen_mccmnc_ || shows_zeros(text(Meaning::mccmnc), kMccDigits);
    if (zeros_seen_mnc_ && zeros_seen_mccmnc_) break;
  }
}

// Text of a workbook is as it was typed; elsewhere other codes of the column show it.
bool RowReader::zeros_kept(Meaning column) const {
  if (grid_.typed && cell(column).kind == CellKind::text) return true;
  if (grid_.typed) return false;
  return column == Meaning::mnc ? zeros_seen_mnc_ : zeros_seen_mccmnc_;
}

void RowReader::carry() {
  const std::string_view country = text(Meaning::country), mcc = text(Meaning::mcc);
  if (!country.empty() && country != country_) {
    country_ = country;
    mcc_.clear();
  }
  if (!mcc.empty()) mcc_ = mcc;
}

bool RowReader::places_itself() const {
  for (Meaning column : {Meaning::mccmnc, Meaning::mnc, Meaning::prefix}) {
    // Words alone are a note below the table.
    if (is_default_word(text(column)) ||
        text(column).find_first_of("0123456789") != std::string_view::npos)
      return true;
  }
  return names_a_network() && !text(Meaning::mcc).empty();
}

bool RowReader::names_a_network() const {
  const std::string_view name = text(Meaning::network);
  return !name.empty() && !is_default_word(name) && name != text(Meaning::country);
}

// A fault, or a row passed over where the template says so.
void RowReader::uncoded(Meaning column, const Bad& bad) {
  if (request_.layout.skip_uncoded)
    findings_.warn(finding(column, bad.reason + "; the row is passed over", bad.right));
  else
    refuse(column, bad);
}

// MCC and MNC beside MCCMNC must not say something else.
bool RowReader::agrees(const std::vector<std::string>& networks) {
  const std::string_view mcc = text(Meaning::mcc), mnc = text(Meaning::mnc);
  for (const std::string& network : networks) {
    if (mcc.size() == kMccDigits && all_digits(mcc) && network.substr(0, kMccDigits) != mcc)
      return refuse(Meaning::mccmnc, {"disagrees with the MCC beside it", "make them the same"});
  }
  // The MNC may have lost its zeros there: its value counts.
  if (networks.size() != 1 || mnc.empty() || mnc.size() > 3 || !all_digits(mnc)) return true;
  const std::string_view own = std::string_view(networks[0]).substr(kMccDigits);
  if (value_of(own) == value_of(mnc)) return true;
  return refuse(Meaning::mccmnc, {"disagrees with the MNC beside it", "make them the same"});
}

// MCC and MNC together; may become a country's default (000). What Excel may have cut is a fault.
bool RowReader::check_network(std::string& digits, Meaning column) {
  if (digits.size() == kMccDigits) {
    if (digits != "000") return true;
    return refuse(column, {"is no MCC", "write the MCC's three digits"});
  }
  const std::string mcc = digits.substr(0, kMccDigits), mnc = digits.substr(kMccDigits);
  const auto known = [&](const std::string& code) { return context_.network(code) != nullptr; };
  if (mnc == "000" && !known(digits)) {
    digits = mcc;
    return true;
  }
  if (mnc.size() == 1) {
    std::string right = "write " + mcc + "-0" + mnc + " or " + mcc + "-00" + mnc + " as text";
    if (known(mcc + "0" + mnc)) right += "; the numbering plan knows " + mcc + "0" + mnc;
    if (known(mcc + "00" + mnc)) right += "; the numbering plan knows " + mcc + "00" + mnc;
    return refuse(column, {"has an MNC of one digit: a spreadsheet took its zeros", right});
  }
  if (mnc.size() != 2 || zeros_kept(column) || !known(mcc + "0" + mnc)) return true;
  return refuse(column, {known(digits) ? "can be " + digits + " or " + mcc + "0" + mnc +
                                             ": both are networks, and a spreadsheet takes zeros"
                                       : "is no known network, but " + mcc + "0" + mnc +
                                             " is: a spreadsheet may have taken the zero",
                         "write the MNC as text with all its digits"});
}

std::optional<std::vector<std::string>> RowReader::networks_by_parts() {
  const std::string_view own = text(Meaning::mcc);
  if (own.empty() && mcc_.empty()) {
    fault(Meaning::mcc, "is empty, and no row above gives this country's MCC", "write the MCC");
    return std::nullopt;
  }
  const auto mccs = parse_mccs(own.empty() ? std::string_view(mcc_) : own);
  const auto mncs = parse_mncs(text(Meaning::mnc));
  if (!mccs || !mncs) {
    if (!mccs) refuse(Meaning::mcc, mccs.error());
    if (!mncs) refuse(Meaning::mnc, mncs.error());
    return std::nullopt;
  }
  if (mncs->empty() && text(Meaning::mnc).empty() && names_a_network()) {
    uncoded(layout_[Meaning::mnc] ? Meaning::mnc : Meaning::network,
            {"names a network without its MNC", "write the MNC, or * for the country's default"});
    return std::nullopt;
  }
  if (!mncs->empty() && mccs->size() > 1) {
    fault(Meaning::mcc, "names more than one country for an MNC", "one row for each MCC");
    return std::nullopt;
  }
  if (mncs->empty()) return *mccs;
  std::vector<std::string> all;
  for (const std::string& mnc : *mncs) {
    // In a list every code shows whether zeros were kept.
    all.push_back(mccs->front() + mnc);
    if (!check_network(all.back(), Meaning::mnc)) return std::nullopt;
  }
  return all;
}

std::optional<std::vector<std::string>> RowReader::networks() {
  const std::string_view together = text(Meaning::mccmnc);
  if (!together.empty() && !is_default_word(together)) {
    auto all = parse_networks(together);
    if (!all) {
      refuse(Meaning::mccmnc, all.error());
      return std::nullopt;
    }
    for (std::string& digits : *all) {
      if (!check_network(digits, Meaning::mccmnc)) return std::nullopt;
    }
    if (!agrees(*all)) return std::nullopt;
    return *all;
  }
  if (layout_[Meaning::mcc] && !(text(Meaning::mcc).empty() && mcc_.empty() && !country_.empty() &&
                                 text(Meaning::mnc).empty()))
    return networks_by_parts();
  if (names_a_network() && together.empty()) {
    uncoded(layout_[Meaning::mccmnc] ? Meaning::mccmnc : Meaning::mcc,
            {"is empty, and a network's name is not enough", "write its MCC and MNC"});
    return std::nullopt;
  }
  if (!country_.empty() || !iso().empty()) return std::vector<std::string>();
  fault(layout_[Meaning::mccmnc] ? Meaning::mccmnc : Meaning::mcc, "names no destination",
        "write MCC and MNC, or a country for its default");
  return std::nullopt;
}

std::optional<std::vector<std::string>> RowReader::prefixes() {
  auto all = parse_prefixes(text(Meaning::prefix));
  if (!all) {
    refuse(Meaning::prefix, all.error());
    return std::nullopt;
  }
  for (const std::string& prefix : *all) {
    if (const char* why = bad_prefix(context_.dialling(), prefix)) {
      refuse(Meaning::prefix, {why, "write it as 447700"});
      return std::nullopt;
    }
  }
  return *all;
}

std::optional<RowReader::Place> RowReader::read_place() {
  const bool by_prefix = !text(Meaning::prefix).empty();
  const bool by_network =
      !text(Meaning::mccmnc).empty() || !text(Meaning::mcc).empty() || !text(Meaning::mnc).empty();
  const bool has_networks = layout_[Meaning::mccmnc] || layout_[Meaning::mcc];
  if (by_prefix) {
    auto all = prefixes();
    if (!all) return std::nullopt;
    if (!by_network) return Place{std::move(*all), true};
    // A country's calling code beside its networks is for people.
    const bool calling_code = all->size() == 1 && all->front().size() <= 3 &&
                              context_.dialling().calling_code(all->front() + "000") ==
                                  static_cast<unsigned>(value_of(all->front()));
    if (!calling_code) {
      fault(Meaning::prefix, "is a prefix beside a network: a price is for one of them",
            "say under [columns] of the template which column to ignore");
      return std::nullopt;
    }
  }
  if (!has_networks) {
    fault(Meaning::prefix, "is empty", "write the prefix");
    return std::nullopt;
  }
  auto all = networks();
  if (!all) return std::nullopt;
  return Place{std::move(*all), false};
}

}  // namespace tollgate::routing
