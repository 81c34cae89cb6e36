// Sender rules resolved field by field, as rules are.
#include <algorithm>
#include <map>

#include "routing/compile/build_parts.h"
#include "routing/compile/scopes.h"

namespace tollgate::routing {
namespace {

constexpr std::uint8_t kTonInternational = 1, kTonNetworkSpecific = 3, kTonAlphanumeric = 5;
constexpr std::uint8_t kNpiUnknown = 0, kNpiE164 = 1;

// What the layers say, and which row said it.
struct Resolved {
  std::uint8_t allowed = kEverySender;
  const SenderRow* replace = nullptr;
  const SenderRow* deny = nullptr;
  Resolved(const std::vector<SenderRow>& rows, const Layers& layers) {
    for (std::uint32_t index : layers) {
      if (index == kNoRow) continue;
      const SenderRow& row = rows[index];
      lay(row.allowed, allowed);
      if (row.replace_by) replace = &row;
      if (row.denied) deny = &row;
    }
    if (replace != nullptr && replace->replace_by->empty()) replace = nullptr;
  }
};

Replacement replacement_of(const std::string& sender) {
  switch (const Sender type = sender_of(sender, 0)) {
    case Sender::alphanumeric:
      return {sender, type, kTonAlphanumeric, kNpiUnknown};
    case Sender::short_code:
      return {sender, type, kTonNetworkSpecific, kNpiUnknown};
    case Sender::numeric:
    case Sender::none:
      break;
  }
  return {sender, Sender::numeric, kTonInternational, kNpiE164};
}

}  // namespace

void check_senders(Reading& reading) {
  const SourceTables& source = reading.source;
  std::map<std::uint32_t, const char*> wrong;  // by row
  for (const Layers& layers : source.sender_grid.distinct) {
    const Resolved rule(source.senders, layers);
    if (rule.replace == nullptr) continue;
    const std::string& sender = *rule.replace->replace_by;
    char form[kSenderOctetsMax];
    const std::vector<std::string> none;
    const auto& denied = rule.deny == nullptr ? none : *rule.deny->denied;
    if (!(rule.allowed >> unsigned(sender_of(sender, 0)) & 1))
      wrong.emplace(rule.replace->row, "is of a type that is not allowed itself");
    else if (std::binary_search(denied.begin(), denied.end(), denied_form(sender, form)))
      wrong.emplace(rule.replace->row, "is denied itself");
  }
  for (const SenderRow& row : source.senders) {
    if (const auto found = wrong.find(row.row); found != wrong.end())
      reading.faults.add(
          {"senders.csv", row.row, "replace_by", printable(*row.replace_by), found->second});
  }
}

void build_senders(SourceTables& source, Tables& tables) {
  tables.replacements.resize(1);
  if (source.senders.empty()) return;
  ScopeGrid& grid = source.sender_grid;
  std::map<const SenderRow*, std::uint32_t> replacements;
  std::map<const SenderRow*, std::pair<std::uint32_t, std::uint32_t>> denied;
  for (const Layers& layers : grid.distinct) {
    const Resolved resolved(source.senders, layers);
    SenderRule rule;
    rule.allowed = resolved.allowed;
    if (resolved.replace != nullptr) {
      const auto [known, fresh] = replacements.emplace(
          resolved.replace, static_cast<std::uint32_t>(tables.replacements.size()));
      if (fresh) tables.replacements.push_back(replacement_of(*resolved.replace->replace_by));
      rule.replacement = known->second;
    }
    if (resolved.deny != nullptr) {
      const auto begin = static_cast<std::uint32_t>(tables.denied.size());
      const auto& list = *resolved.deny->denied;
      const auto [known, fresh] = denied.emplace(
          resolved.deny, std::pair(begin, begin + static_cast<std::uint32_t>(list.size())));
      if (fresh) tables.denied.insert(tables.denied.end(), list.begin(), list.end());
      std::tie(rule.denied_begin, rule.denied_end) = known->second;
    }
    tables.sender_rules.push_back(rule);
  }
  tables.sender_columns = grid.columns;
  tables.sender_ids = std::move(grid.cells);
  for (std::size_t i = 0; i < tables.clients.size(); ++i)
    tables.clients[i].sender_class = grid.class_of[i];
  for (std::size_t i = 0; i < tables.places.size(); ++i)
    tables.places[i].sender_column = grid.column_of[i % tables.destinations.size()];
}

}  // namespace tollgate::routing
