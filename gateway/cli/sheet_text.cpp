#include "gateway/cli/sheet_text.h"

#include <algorithm>
#include <array>
#include <span>

#include <nlohmann/json.hpp>

#include "gateway/cli/terminal.h"
#include "routing/sheets/book.h"

namespace tollgate::gateway::cli {
namespace {

using namespace routing;
using Json = nlohmann::ordered_json;
using Rows = std::vector<std::vector<std::string>>;

std::string money(Nano amount) {
  return amount == kNone ? "-" : format_nano(amount, 4);
}

std::string charge_text(const std::optional<Charge>& charge) {
  if (!charge) return "-";
  std::string text;
  if (charge->submit != kNone) text = format_nano(charge->submit) + " " + charge->currency;
  if (charge->delivered != kNone) {
    const std::string& own = charge->delivered_currency;
    text += (text.empty() ? "" : " + ") + format_nano(charge->delivered) + " " +
            (own.empty() ? charge->currency : own) + " delivered";
  }
  return text;
}

std::string percent_text(const std::optional<std::int64_t>& basis_points) {
  if (!basis_points) return "";
  return (*basis_points > 0 ? "+" : "") + format_nano(*basis_points * (kNanoPerUnit / 100));
}

std::string thing_of_all(const RateChange& change, const SheetContext& context) {
  if (change.is_prefix) return "+" + change.thing;
  std::string text = change.thing;
  const KnownNetwork* network = context.network(change.thing);
  if (network == nullptr) return text + " unknown";
  if (!network->name.empty()) text += " " + routing::printable(network->name);
  if (change.thing.size() == 3) text += " others";
  return network->country.empty() ? text : text + ", " + network->country;
}

std::string thing_text(const RateChange& change, const SheetContext& context) {
  const std::string thing = thing_of_all(change, context);
  return change.only.empty() ? thing : thing + " (" + change.only + ")";
}

// Widths count characters, not octets.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string aligned(const Rows& rows, const std::string& right) {  // 'r' a column to the right
  std::vector<std::size_t> widths(right.size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string blanks(widths[i] - width_of(row[i]), ' ');
      line += (i > 0 ? "  " : "") + (right[i] == 'r' ? blanks + row[i] : row[i] + blanks);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string more_text(std::size_t all, std::size_t limit) {
  return limit == 0 || all <= limit ? "" : "and " + std::to_string(all - limit) + " more\n";
}

std::string changes_text(const std::vector<RateChange>& changes, const SheetContext& context,
                         std::size_t limit) {
  const bool of_sheet = std::any_of(changes.begin(), changes.end(),
                                    [](const RateChange& change) { return change.row != 0; });
  Rows rows = {
      {"change", "destination", "before", "after", "%", "from", "until", of_sheet ? "row" : ""}};
  std::size_t count = 0;
  for (const RateChange& change : changes) {
    if (change.kind == ChangeKind::unchanged) continue;
    if (++count > limit && limit != 0) continue;
    rows.push_back({change_name(change.kind), thing_text(change, context),
                    charge_text(change.before), charge_text(change.after),
                    percent_text(change.basis_points), date_text(change.from_us),
                    date_text(change.to_us),
                    !of_sheet         ? ""
                    : change.row == 0 ? "-"
                                      : std::to_string(change.row)});
  }
  if (count == 0) return "";
  return aligned(rows, "llrrrllr") + more_text(count, limit) + "\n";
}

std::string effect_text(const ImportEffect& effect, std::size_t limit) {
  const MarginEffect& margins = effect.margins;
  std::string text = "margins as of " + date_text(effect.as_of_us) + ": " +
                     counted(margins.clients, "client") + ", " +
                     counted(margins.numbers, "number") + " asked; " +
                     std::to_string(margins.newly_unroutable) + " newly unroutable, " +
                     std::to_string(margins.newly_at_loss) + " newly at a loss\n";
  if (margins.rows.empty()) return text + "no route and no margin changes\n";
  Rows rows = {
      {"client", "destination", "example", "price", "margin", "becomes", "carrier", "becomes", ""}};
  for (const MarginRow& row : margins.rows) {
    if (limit != 0 && rows.size() > limit) break;
    const std::string note = row.newly_unroutable > 0
                                 ? std::string("no route: ") + reason_name(row.reason_after)
                             : row.newly_at_loss > 0 ? "loss"
                                                     : "";
    rows.push_back({row.client,
                    row.mccmnc + (row.network.empty() ? "" : " " + routing::printable(row.network)),
                    "+" + row.number, money(row.price_after), money(row.margin_before),
                    money(row.margin_after), row.carrier_before.empty() ? "-" : row.carrier_before,
                    row.carrier_after.empty() ? "-" : row.carrier_after, note});
  }
  return text + aligned(rows, "lllrrrlll") + more_text(margins.rows.size(), limit);
}

using Counts = std::array<std::size_t, kChangeKinds>;

Counts counts_of(const std::vector<RateChange>& changes) {
  Counts counts{};
  for (const RateChange& change : changes) ++counts[static_cast<std::size_t>(change.kind)];
  return counts;
}

std::string counts_text(std::span<const std::size_t, kChangeKinds> counts) {
  std::string text;
  for (std::size_t kind = 0; kind < kChangeKinds; ++kind)
    text += (kind == 0 ? "" : ", ") + std::to_string(counts[kind]) + " " +
            change_name(static_cast<ChangeKind>(kind));
  return text;
}

Json charge_json(const std::optional<Charge>& charge) {
  if (!charge) return {};
  const auto amount = [](Nano nano) { return nano == kNone ? Json() : Json(format_nano(nano)); };
  const std::string& own = charge->delivered_currency;
  return {{"submit", amount(charge->submit)},
          {"delivered", amount(charge->delivered)},
          {"currency", charge->currency},
          {"delivered_currency", own.empty() ? charge->currency : own}};
}

Json date_json(std::int64_t us) {
  const std::string text = date_text(us);
  return text.empty() ? Json() : Json(text);
}

Json finding_json(const SheetFinding& finding) {
  return {{"severity", finding.severity == Severity::fault ? "fault" : "warning"},
          {"file", finding.file},
          {"sheet", finding.sheet},
          {"row", finding.row},
          {"column", finding.column},
          {"cell", finding.cell},
          {"value", finding.value},
          {"reason", finding.reason},
          {"right", finding.right}};
}

Json change_json(const RateChange& change) {
  return {{"change", change_name(change.kind)},
          {change.is_prefix ? "prefix" : "mccmnc", change.thing},
          {"only", change.only.empty() ? Json() : Json(change.only)},
          {"before", charge_json(change.before)},
          {"after", charge_json(change.after)},
          {"percent", change.basis_points ? Json(percent_text(change.basis_points)) : Json()},
          {"effective_from", date_json(change.from_us)},
          {"effective_to", date_json(change.to_us)},
          {"row", change.row == 0 ? Json() : Json(change.row)}};
}

Json changes_json(const std::vector<RateChange>& changes) {
  Json json = Json::array();
  for (const RateChange& change : changes) json.push_back(change_json(change));
  return json;
}

Json effect_json(const ImportEffect& effect) {
  const auto amount = [](Nano nano) { return nano == kNone ? Json() : Json(format_nano(nano)); };
  Json rows = Json::array();
  for (const MarginRow& row : effect.margins.rows) {
    rows.push_back({{"client", row.client},
                    {"mccmnc", row.mccmnc},
                    {"country", row.country},
                    {"network", row.network},
                    {"numbers", row.numbers},
                    {"changed", row.changed},
                    {"newly_unroutable", row.newly_unroutable},
                    {"newly_at_loss", row.newly_at_loss},
                    {"number", row.number},
                    {"price_before", amount(row.price_before)},
                    {"price_after", amount(row.price_after)},
                    {"margin_before", amount(row.margin_before)},
                    {"margin_after", amount(row.margin_after)},
                    {"carrier_before", row.carrier_before},
                    {"carrier_after", row.carrier_after},
                    {"reason_after", reason_name(row.reason_after)}});
  }
  return {{"as_of", date_text(effect.as_of_us)},
          {"clients", effect.margins.clients},
          {"numbers", effect.margins.numbers},
          {"newly_unroutable", effect.margins.newly_unroutable},
          {"newly_at_loss", effect.margins.newly_at_loss},
          {"rows", std::move(rows)}};
}

void add_effect(const ImportEffect& effect, Json& json) {
  if (effect.faults.empty()) json["margins"] = effect_json(effect);
  json["table_faults"] = Json::array();
  for (const TableFault& fault : effect.faults) json["table_faults"].push_back(fault_text(fault));
}

}  // namespace

bool is_fine(const ImportEffect& effect) {
  return effect.faults.empty() && effect.margins.newly_unroutable == 0 &&
         effect.margins.newly_at_loss == 0;
}

bool is_fine(const SheetReport& report) {
  return report.import.findings.empty() && report.effect != nullptr && is_fine(*report.effect);
}

std::string counts_text(const Import& import) {
  return counts_text(std::span(import.counts)) + ", " + std::to_string(import.in_error) +
         " in error";
}

std::string sheet_text(const SheetReport& report) {
  const Import& import = report.import;
  std::string text;
  for (std::size_t i = 0; i < import.findings.size(); ++i) {
    if (report.limit != 0 && i == report.limit) break;
    const SheetFinding& finding = import.findings[i];
    const bool fault = finding.severity == Severity::fault;
    text += (fault ? red("fault", stdout) : bold("warning", stdout)) + "  " +
            finding_text(finding) + "\n";
  }
  text += more_text(import.findings.size(), report.limit);
  if (report.effect != nullptr) {
    for (const TableFault& fault : report.effect->faults)
      text += red("fault", stdout) + "  " + fault_text(fault) + "\n";
  }
  if (!text.empty()) text += "\n";
  if (import.header_row != 0) {
    text += bold(import.book_file, stdout) + ": " +
            (import.kind == SheetKind::full ? "full" : "partial") + " sheet" +
            (import.sheet.empty() ? "" : " " + import.sheet) + ", header in row " +
            std::to_string(import.header_row) + "\n";
    text += "  " + listed(import.columns, 30) + "\n\n";
  }
  text += changes_text(import.changes, report.context, report.limit);
  text += counts_text(import) + "\n";
  if (import.has_fault()) return text + red("nothing can be published of it", stdout) + "\n";
  if (report.effect == nullptr || !report.effect->faults.empty()) return text;
  return text + "\n" + effect_text(*report.effect, report.limit);
}

std::string sheet_json(const SheetReport& report) {
  const Import& import = report.import;
  Json json = {{"fine", is_fine(report)},
               {"publishable", !import.has_fault()},
               {"book", import.book_file},
               {"sheet", import.sheet},
               {"kind", import.kind == SheetKind::full ? "full" : "partial"},
               {"header_row", import.header_row},
               {"columns", import.columns},
               {"draft", report.draft == nullptr ? Json() : Json(report.draft->id)},
               {"based_on", report.draft == nullptr ? Json() : Json(report.draft->base)}};
  for (std::size_t kind = 0; kind < kChangeKinds; ++kind)
    json["counts"][change_name(static_cast<ChangeKind>(kind))] = import.counts[kind];
  json["counts"]["error"] = import.in_error;
  json["findings"] = Json::array();
  for (const SheetFinding& finding : import.findings)
    json["findings"].push_back(finding_json(finding));
  json["changes"] = changes_json(import.changes);
  json["table_faults"] = Json::array();
  if (report.effect != nullptr) add_effect(*report.effect, json);
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

std::string draft_text(const DraftReport& report) {
  const TableDraft& draft = report.draft;
  std::string text = bold("draft " + std::to_string(draft.id), stdout) + "  " +
                     state_name(draft.state) + "  " + printable(draft.who) + "  based on version " +
                     std::to_string(draft.base);
  if (draft.open() && report.current != draft.base)
    text += ", current is " + std::to_string(report.current) + ": rebase it before publishing";
  text += "\n";
  if (!draft.note.empty()) text += "note  " + printable(draft.note) + "\n";
  for (const TableFault& fault : report.effect.faults)
    text += red("fault", stdout) + "  " + fault_text(fault) + "\n";
  for (const BookReport& book : report.books) {
    const std::string changes = changes_text(book.changes, report.context, report.limit);
    text += "\n" + bold(book.file, stdout) + ": " + counts_text(counts_of(book.changes)) + "\n" +
            changes.substr(0, changes.empty() ? 0 : changes.size() - 1);
  }
  Rows rows = {{"file", "is", "rows removed", "rows added"}};
  for (const FileReport& file : report.files)
    rows.push_back({file.file, file.is, std::to_string(file.removed), std::to_string(file.added)});
  if (!report.files.empty()) text += "\n" + aligned(rows, "llrr");
  if (!report.effect.faults.empty()) return text;
  return text + "\n" + effect_text(report.effect, report.limit);
}

std::string draft_json(const DraftReport& report) {
  const TableDraft& draft = report.draft;
  Json json = {{"fine", is_fine(report.effect)},
               {"draft", draft.id},
               {"state", state_name(draft.state)},
               {"who", draft.who},
               {"note", draft.note},
               {"based_on", draft.base},
               {"current", report.current}};
  json["books"] = Json::array();
  for (const BookReport& book : report.books) {
    Json counts;
    const Counts counted = counts_of(book.changes);
    for (std::size_t kind = 0; kind < kChangeKinds; ++kind)
      counts[change_name(static_cast<ChangeKind>(kind))] = counted[kind];
    json["books"].push_back(
        {{"book", book.file}, {"counts", counts}, {"changes", changes_json(book.changes)}});
  }
  json["files"] = Json::array();
  for (const FileReport& file : report.files) {
    json["files"].push_back(
        {{"file", file.file}, {"is", file.is}, {"removed", file.removed}, {"added", file.added}});
  }
  add_effect(report.effect, json);
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace tollgate::gateway::cli
