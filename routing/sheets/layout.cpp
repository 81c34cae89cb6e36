#include "routing/sheets/layout.h"

#include <algorithm>

#include "routing/sheets/values.h"

namespace tollgate::routing {
namespace {

struct Alias {
  std::string_view words;
  Meaning meaning;
};

constexpr std::array kAliases = std::to_array<Alias>({
    {"country", Meaning::country},
    {"country name", Meaning::country},
    {"land", Meaning::country},
    {"iso", Meaning::iso},
    {"iso code", Meaning::iso},
    {"iso2", Meaning::iso},
    {"country iso", Meaning::iso},
    {"country code", Meaning::iso},
    {"network", Meaning::network},
    {"network name", Meaning::network},
    {"operator", Meaning::network},
    {"operator name", Meaning::network},
    {"operator network", Meaning::network},
    {"mobile network", Meaning::network},
    {"mno", Meaning::network},
    {"brand", Meaning::network},
    {"carrier", Meaning::network},
    {"destination", Meaning::network},
    {"destination name", Meaning::network},
    {"mcc", Meaning::mcc},
    {"mobile country code", Meaning::mcc},
    {"mnc", Meaning::mnc},
    {"mncs", Meaning::mnc},
    {"mobile network code", Meaning::mnc},
    {"mccmnc", Meaning::mccmnc},
    {"mcc mnc", Meaning::mccmnc},
    {"mccmncs", Meaning::mccmnc},
    {"plmn", Meaning::mccmnc},
    {"mwx", Meaning::mccmnc},
    {"e212", Meaning::mccmnc},
    {"hni", Meaning::mccmnc},
    {"imsi", Meaning::mccmnc},
    {"prefix", Meaning::prefix},
    {"prefixes", Meaning::prefix},
    {"number prefix", Meaning::prefix},
    {"dial code", Meaning::prefix},
    {"dial codes", Meaning::prefix},
    {"dialcode", Meaning::prefix},
    {"dialing code", Meaning::prefix},
    {"dialling code", Meaning::prefix},
    {"code", Meaning::prefix},
    {"codes", Meaning::prefix},
    {"e164", Meaning::prefix},
    {"price", Meaning::price},
    {"rate", Meaning::price},
    {"new price", Meaning::price},
    {"new rate", Meaning::price},
    {"price new", Meaning::price},
    {"rate new", Meaning::price},
    {"cost", Meaning::price},
    {"tariff", Meaning::price},
    {"unit price", Meaning::price},
    {"your price", Meaning::price},
    {"preis", Meaning::price},
    {"pricesubmit", Meaning::price_submit},
    {"price submit", Meaning::price_submit},
    {"price submitted", Meaning::price_submit},
    {"submit price", Meaning::price_submit},
    {"rate submit", Meaning::price_submit},
    {"submit rate", Meaning::price_submit},
    {"pricedelivered", Meaning::price_delivered},
    {"price delivered", Meaning::price_delivered},
    {"delivered price", Meaning::price_delivered},
    {"delivery price", Meaning::price_delivered},
    {"rate delivered", Meaning::price_delivered},
    {"delivered rate", Meaning::price_delivered},
    {"old price", Meaning::price_old},
    {"old rate", Meaning::price_old},
    {"price old", Meaning::price_old},
    {"current price", Meaning::price_old},
    {"current rate", Meaning::price_old},
    {"previous price", Meaning::price_old},
    {"previous rate", Meaning::price_old},
    {"currency", Meaning::currency},
    {"currency code", Meaning::currency},
    {"curr", Meaning::currency},
    {"ccy", Meaning::currency},
    {"effective", Meaning::effective},
    {"effective from", Meaning::effective},
    {"effective date", Meaning::effective},
    {"date effective", Meaning::effective},
    {"valid from", Meaning::effective},
    {"valid", Meaning::effective},
    {"start date", Meaning::effective},
    {"start", Meaning::effective},
    {"from", Meaning::effective},
    {"date", Meaning::effective},
    {"activation date", Meaning::effective},
    {"with effect from", Meaning::effective},
    {"valid till", Meaning::till},
    {"valid to", Meaning::till},
    {"valid until", Meaning::till},
    {"effective to", Meaning::till},
    {"effective till", Meaning::till},
    {"effective until", Meaning::till},
    {"end date", Meaning::till},
    {"until", Meaning::till},
    {"till", Meaning::till},
    {"to", Meaning::till},
    {"expiry", Meaning::till},
    {"expiry date", Meaning::till},
    {"expires", Meaning::till},
    {"charge", Meaning::charge},
    {"charge type", Meaning::charge},
    {"charge basis", Meaning::charge},
    {"charging", Meaning::charge},
    {"billing", Meaning::charge},
    {"billing type", Meaning::charge},
    {"change", Meaning::action},
    {"changes", Meaning::action},
    {"change type", Meaning::action},
    {"type of change", Meaning::action},
    {"action", Meaning::action},
    {"status", Meaning::action},
});

constexpr std::array<std::string_view, 14> kFillers = {"per", "sms",  "mt",   "message", "segment",
                                                       "in",  "of",   "net",  "the",     "excl",
                                                       "vat", "each", "unit", "only"};
constexpr std::array<std::string_view, 6> kCents = {"cent", "cents", "ct", "cts", "pence", "c"};

struct Reading {
  std::optional<Meaning> meaning;
  std::string currency;
  bool cents = false;
};

// Lower-case words; everything but letters, digits and octets beyond ASCII parts them.
std::vector<std::string> words_of(std::string_view title) {
  std::string marked;
  for (std::size_t i = 0; i < title.size(); ++i) {
    if (title.substr(i).starts_with("\xe2\x82\xac")) {
      marked += " eur ";
      i += 2;
    } else if (title.substr(i).starts_with("\xc2\xa3")) {
      marked += " gbp ";
      ++i;
    } else {
      marked += title[i];
    }
  }
  std::vector<std::string> words;
  bool within = false;
  for (char c : lower(marked)) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c & 0x80) != 0;
    if (letter && !within) words.emplace_back();
    if (letter) words.back() += c;
    within = letter;
  }
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::optional<Meaning> alias_of(std::string_view words) {
  const auto found = std::find_if(kAliases.begin(), kAliases.end(),
                                  [&](const Alias& alias) { return alias.words == words; });
  if (found == kAliases.end()) return std::nullopt;
  return found->meaning;
}

bool is_price(Meaning meaning) {
  return meaning == Meaning::price || meaning == Meaning::price_submit ||
         meaning == Meaning::price_delivered || meaning == Meaning::price_old;
}

// Currency, cents and fillers are taken out of the title; what is left names the column.
Reading read_title(std::string_view title, const SheetContext& context) {
  Reading reading;
  const std::vector<std::string> words = words_of(title);
  if (words.empty()) return reading;
  reading.meaning = alias_of(joined(words));
  if (reading.meaning) return reading;
  std::vector<std::string> left;
  for (const std::string& word : words) {
    std::string code = word;
    for (char& c : code) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    if (word == "eurocent" || word == "eurocents") {
      reading.currency = "EUR";
      reading.cents = true;
    } else if (word == "euro") {
      reading.currency = "EUR";
    } else if (std::find(kCents.begin(), kCents.end(), word) != kCents.end()) {
      reading.cents = true;
    } else if (context.currency(code) != nullptr) {
      reading.currency = code;
    } else if (std::find(kFillers.begin(), kFillers.end(), word) == kFillers.end()) {
      left.push_back(word);
    }
  }
  if (left.empty() && !reading.currency.empty())
    reading.meaning = Meaning::price;  // "EUR / SMS"
  else
    reading.meaning = alias_of(joined(left));
  if (reading.meaning && !is_price(*reading.meaning)) {
    // "Currency EUR" or "Country (cent)" say nothing of an amount.
    reading.currency.clear();
    reading.cents = false;
  }
  return reading;
}

class LayoutFinder {
 public:
  LayoutFinder(const Grid& grid, const SheetTemplate& form, const SheetContext& context)
      : grid_(grid), form_(form), context_(context) {}

  // The header's place in the grid, or none.
  std::optional<std::size_t> find_row() const {
    const std::size_t rows = std::min(grid_.rows(), kHeaderRowsSeen);
    for (std::size_t row = 0; row < (form_.header_row != 0 ? grid_.rows() : rows); ++row) {
      if (form_.header_row != 0) {
        if (grid_.number(row) == form_.header_row) return row;
      } else if (names_enough(row)) {
        return row;
      }
    }
    return std::nullopt;
  }

  bool read(std::size_t row, Findings& findings, Layout& out) const {
    out.row = row;
    bool good = true;
    for (std::size_t column = 0; column < grid_.columns(row); ++column) {
      const std::string_view title = grid_.at(row, column).text;
      if (title.empty()) continue;
      const std::string shown = shown_value(title);
      const Reading reading = meaning_of(title);
      if (!reading.meaning || *reading.meaning == Meaning::ignore) {
        out.told.push_back(shown + " is not used");
        continue;
      }
      auto& place = out.columns[static_cast<std::size_t>(*reading.meaning)];
      if (place) {
        findings.fault({.row = grid_.number(row),
                        .column = shown,
                        .cell = column_letters(column) + std::to_string(grid_.number(row)),
                        .reason = std::string("means ") + meaning_name(*reading.meaning) +
                                  ", as column " + place->title + " does",
                        .right = "say under [columns] of the template which one to ignore"});
        good = false;
        continue;
      }
      place = HeaderColumn{column, shown, reading.currency, reading.cents};
      out.told.push_back(shown + " is " + meaning_name(*reading.meaning) +
                         (reading.cents ? ", in cents" : ""));
    }
    return good && complete(row, findings, out);
  }

 private:
  Reading meaning_of(std::string_view title) const {
    const std::string low = lower(title);
    for (const auto& [name, meaning] : form_.columns) {
      if (lower(name) != low) continue;
      Reading reading = read_title(title, context_);
      if (!is_price(meaning)) reading = {};
      reading.meaning = meaning;
      return reading;
    }
    return read_title(title, context_);
  }

  bool names_enough(std::size_t row) const {
    bool place = false, price = false;
    for (std::size_t column = 0; column < grid_.columns(row); ++column) {
      const std::string_view title = grid_.at(row, column).text;
      if (title.empty() || title.size() > 100) continue;
      const auto meaning = meaning_of(title).meaning;
      if (!meaning) continue;
      place = place || *meaning == Meaning::mccmnc || *meaning == Meaning::mcc ||
              *meaning == Meaning::prefix;
      price = price || (is_price(*meaning) && *meaning != Meaning::price_old);
    }
    return place && price;
  }

  bool complete(std::size_t row, Findings& findings, const Layout& layout) const {
    const auto refuse = [&](const char* reason, const char* right) {
      findings.fault({.row = grid_.number(row), .reason = reason, .right = right});
      return false;
    };
    if (!layout[Meaning::mccmnc] && !layout[Meaning::mcc] && !layout[Meaning::prefix])
      return refuse("names no column for the destination",
                    "it needs MCC and MNC, MCCMNC or Prefix; see [columns] of the template");
    const bool parts = layout[Meaning::price_submit] || layout[Meaning::price_delivered];
    if (!layout[Meaning::price] && !parts)
      return refuse("names no column for the price", "see [columns] of the template");
    if (layout[Meaning::price] && parts)
      return refuse("has a price beside prices by submit and delivered",
                    "say under [columns] of the template which ones to ignore");
    return true;
  }

  const Grid& grid_;
  const SheetTemplate& form_;
  const SheetContext& context_;
};

// What the beginning of the sheet holds, for the fault that there is no header in it.
std::string seen_titles(const Grid& grid) {
  for (std::size_t row = 0; row < std::min(grid.rows(), kHeaderRowsSeen); ++row) {
    std::string text;
    for (std::size_t column = 0; column < std::min<std::size_t>(grid.columns(row), 12); ++column) {
      const std::string_view title = grid.at(row, column).text;
      if (!title.empty()) text += (text.empty() ? "" : " | ") + shown_value(title);
    }
    if (!text.empty()) return text;
  }
  return "";
}

struct Found {
  std::size_t grid, row;
};

std::optional<Found> choose(const std::vector<Grid>& grids, const SheetTemplate& form,
                            const SheetContext& context, Findings& findings) {
  std::vector<Found> found;
  std::string names;
  for (std::size_t i = 0; i < grids.size(); ++i) {
    names += (names.empty() ? "" : ", ") + grids[i].name;
    const bool named = !form.sheet.empty() && grids[i].typed;
    if (named ? grids[i].name != form.sheet : grids[i].hidden) continue;
    if (const auto row = LayoutFinder(grids[i], form, context).find_row())
      found.push_back({i, *row});
  }
  if (found.size() == 1) return found[0];
  if (found.empty()) {
    const bool one = grids.size() == 1;
    findings.fault(
        {.value = one ? seen_titles(grids[0]) : names,
         .reason = form.header_row != 0 ? "has no such header row"
                   : one ? "has no header: no row of the first 100 names a destination and a price"
                         : "has no sheet with a header that names a destination and a price",
         .right = "name the columns MCC, MNC (or MCCMNC, or Prefix) and Price, or say what they "
                  "are in a template"});
    return std::nullopt;
  }
  findings.fault({.value = names,
                  .reason = "has more than one sheet with rates",
                  .right = "say sheet = \"...\" in the template"});
  return std::nullopt;
}

}  // namespace

std::optional<Layout> find_layout(const std::vector<Grid>& grids, const SheetTemplate& form,
                                  const SheetContext& context, Findings& findings,
                                  std::size_t& grid) {
  const auto found = choose(grids, form, context, findings);
  if (!found) return std::nullopt;
  grid = found->grid;
  findings.sheet = grids[grid].name;
  Layout layout;
  if (!LayoutFinder(grids[grid], form, context).read(found->row, findings, layout))
    return std::nullopt;
  return layout;
}

}  // namespace tollgate::routing
