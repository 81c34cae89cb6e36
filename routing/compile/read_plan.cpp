// carriers.csv, numbering_plan.csv, portability.csv and clients.csv.
#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "routing/compile/cells.h"
#include "routing/compile/source.h"

namespace tollgate::routing {
namespace {

// Sorts by key (and length) and names every row that has the same as an earlier one.
template <class Row, class Thing>
void check_repeats(Sheet& sheet, std::vector<Row>& rows, std::size_t column, Thing thing) {
  const auto before = [&](const Row& a, const Row& b) {
    return thing(a) != thing(b) ? thing(a) < thing(b) : a.row < b.row;
  };
  if (!std::is_sorted(rows.begin(), rows.end(), before))
    std::sort(rows.begin(), rows.end(), before);
  std::size_t first = 0;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (thing(rows[i]) != thing(rows[first]))
      first = i;
    else
      sheet.fault_at(rows[i].row, column, "", "repeats row " + std::to_string(rows[first].row));
  }
}

}  // namespace

std::uint32_t SourceTables::destination(std::string_view digits) {
  std::uint32_t code = 1;
  for (char c : digits) code = code * 10 + static_cast<std::uint32_t>(c - '0');
  if (const auto known = by_code.find(code); known != by_code.end()) return known->second;
  const std::uint32_t country = digits.size() == 3 ? 0 : destination(digits.substr(0, 3));
  const auto id = static_cast<std::uint32_t>(destinations.size());
  by_code[code] = id;
  destinations.push_back({std::string(digits), "", ""});
  country_of.push_back(country == 0 ? id : country);
  reachable.push_back(false);
  return id;
}

int SourceTables::find_carrier(std::string_view name) const {
  for (std::size_t i = 0; i < carriers.size() && !name.empty(); ++i) {
    if (carriers[i].carrier.name == name) return static_cast<int>(i);
  }
  return -1;
}

int SourceTables::find_plan(std::string_view name) const {
  const auto plan = std::lower_bound(plans.begin(), plans.end(), name);
  return plan == plans.end() || *plan != name ? -1 : static_cast<int>(plan - plans.begin());
}

void read_carriers(Reading& reading, std::string_view text) {
  enum : std::size_t { kCarrier, kQuality, kSenderTypes };
  constexpr std::array<Column, 3> kColumns = {
      {{"carrier"}, {"quality", false}, {"senders", false}}};
  SourceTables& source = reading.source;
  Sheet sheet("carriers.csv", text, kColumns, reading.faults);
  std::vector<bool> seen(source.carriers.size());
  while (sheet.next()) {
    ++source.rows;
    const int id = source.find_carrier(sheet[kCarrier]);
    if (id < 0) {
      sheet.fault(kCarrier, "is not a carrier");
      continue;
    }
    if (seen[id]) sheet.fault(kCarrier, "is there twice");
    seen[id] = true;
    SourceCarrier& carrier = source.carriers[id];
    if (!sheet[kQuality].empty()) {
      std::int64_t ppm = 0;
      const char* why = parse_ppm(sheet[kQuality], ppm);
      if (why == nullptr && ppm < 0) why = "is negative";
      if (why != nullptr) sheet.fault(kQuality, why);
      carrier.carrier.quality_ppm = static_cast<std::uint32_t>(ppm);
    }
    if (!sheet[kSenderTypes].empty()) carrier.sender_types = 0;
    for (std::string_view word : words(sheet[kSenderTypes])) {
      Sender type = Sender::none;
      if (parse_sender(word, type) != nullptr)
        sheet.fault(kSenderTypes, "is not made of alphanumeric, numeric and short_code");
      carrier.sender_types = static_cast<std::uint8_t>(carrier.sender_types | 1u << unsigned(type));
    }
  }
}

void read_numbering_plan(Reading& reading, std::string_view text) {
  enum : std::size_t { kPrefix, kMccmnc, kCountry, kNetwork };
  constexpr std::array<Column, 4> kColumns = {
      {{"prefix"}, {"mccmnc"}, {"country", false}, {"network", false}}};
  SourceTables& source = reading.source;
  Sheet sheet("numbering_plan.csv", text, kColumns, reading.faults);
  while (sheet.next()) {
    ++source.rows;
    const std::string_view prefix = sheet[kPrefix];
    const char* bad = bad_prefix(source.dialling, prefix);
    if (bad != nullptr) sheet.fault(kPrefix, bad);
    const char* bad_place = bad_destination(sheet[kMccmnc]);
    if (bad_place != nullptr) sheet.fault(kMccmnc, bad_place);
    if (!sheet[kCountry].empty()) {
      if (const char* why = bad_iso(sheet[kCountry])) sheet.fault(kCountry, why);
    }
    if (bad != nullptr || bad_place != nullptr) continue;
    const std::uint32_t id = source.destination(sheet[kMccmnc]);
    const std::uint32_t country = source.country_of[id];
    source.reachable[id] = source.reachable[country] = true;
    // The first row that names a destination's country and network gives it its names.
    if (source.destinations[id].network.empty() && id != country)
      source.destinations[id].network = sheet[kNetwork];
    for (std::uint32_t place : {id, country}) {
      if (source.destinations[place].country.empty())
        source.destinations[place].country = sheet[kCountry];
    }
    source.prefixes.push_back({number_key(prefix), id, static_cast<std::uint32_t>(sheet.row()),
                               static_cast<std::uint8_t>(prefix.size())});
  }
  check_repeats(sheet, source.prefixes, kPrefix,
                [](const PlanPrefix& p) { return std::pair(p.key, p.length); });
}

void read_portability(Reading& reading, std::string_view text) {
  enum : std::size_t { kNumber, kMccmnc };
  constexpr std::array<Column, 2> kColumns = {{{"number"}, {"mccmnc"}}};
  SourceTables& source = reading.source;
  Sheet sheet("portability.csv", text, kColumns, reading.faults);
  while (sheet.next()) {
    ++source.rows;
    const std::string_view number = sheet[kNumber];
    const char* bad = bad_digits(number, kNumberDigitsMax);
    if (bad == nullptr && !source.dialling.possible(number)) bad = "is not a possible number";
    if (bad != nullptr) sheet.fault(kNumber, bad);
    const char* bad_place = bad_destination(sheet[kMccmnc]);
    if (bad_place != nullptr) sheet.fault(kMccmnc, bad_place);
    if (bad != nullptr || bad_place != nullptr) continue;
    const std::uint32_t id = source.destination(sheet[kMccmnc]);
    source.reachable[id] = source.reachable[source.country_of[id]] = true;
    source.ported.push_back({number_key(number), id, static_cast<std::uint32_t>(sheet.row())});
  }
  check_repeats(sheet, source.ported, kNumber, [](const PortedNumber& p) { return p.key; });
}

namespace {

// A client's row, when it has no fault.
std::optional<TableClient> read_client(Reading& reading, Sheet& sheet) {
  enum : std::size_t { kClient, kPlan, kCountry };
  bool good = true;
  const auto fault = [&](std::size_t column, const char* why) {
    sheet.fault(column, why);
    good = false;
  };
  TableClient client;
  client.name = sheet[kClient];
  if (const char* why = bad_name(client.name)) fault(kClient, why);
  const int plan = reading.source.find_plan(sheet[kPlan]);
  if (plan < 0) fault(kPlan, "is not a plan: there is no such file in plans/");
  client.plan = static_cast<std::uint16_t>(plan);
  if (!sheet[kCountry].empty()) {
    const auto home = load_home_country(sheet[kCountry]);
    if (!home) fault(kCountry, "is not a country code such as GB");
    if (home) client.home = *home;
  }
  if (!good) return std::nullopt;
  return client;
}

}  // namespace

void read_clients(Reading& reading, std::string_view text) {
  constexpr std::array<Column, 3> kColumns = {{{"client"}, {"plan"}, {"default_country", false}}};
  Sheet sheet("clients.csv", text, kColumns, reading.faults);
  std::vector<TableClient> rows;
  std::unordered_map<std::string, std::size_t> by_name;  // -> rows
  std::unordered_set<std::string> seen;
  while (sheet.next()) {
    ++reading.source.rows;
    if (!seen.emplace(sheet[0]).second) sheet.fault(0, "is there twice");
    if (seen.size() > kClientsMax) return sheet.fault_row("is one client too many");
    if (auto client = read_client(reading, sheet)) {
      by_name.emplace(client->name, rows.size());
      rows.push_back(std::move(*client));
    }
  }
  // The gateway's clients first, in its order, then the others.
  std::vector<bool> placed(rows.size());
  for (const std::string& name : reading.options.clients) {
    if (name.empty()) {
      reading.source.clients.emplace_back();
      continue;
    }
    const auto found = by_name.find(name);
    if (found != by_name.end()) {
      reading.source.clients.push_back(rows[found->second]);
      placed[found->second] = true;
    } else if (!seen.contains(name)) {
      reading.faults.add(
          {"clients.csv", 0, "client", printable(name), "is missing: the gateway has this client"});
    }
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!placed[i]) reading.source.clients.push_back(std::move(rows[i]));
  }
}

}  // namespace tollgate::routing
