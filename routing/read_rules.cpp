// rules.csv.
#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>

#include "routing/source.h"

namespace tollgate::routing {
namespace {

enum RuleColumn : std::size_t {
  kPlan,
  kClient,
  kDestination,
  kAllow,
  kDeny,
  kOrder,
  kPriorities,
  kWeights,
  kMaxAttempts,
  kMinMargin,
  kMinMarginPercent,
  kOnLoss,
  kMinQuality,
  kHours,
  kBlocked,
  kNote,
};
constexpr std::array<Column, 16> kColumns = {{{"plan", false},
                                              {"client", false},
                                              {"destination", false},
                                              {"allow", false},
                                              {"deny", false},
                                              {"order", false},
                                              {"priorities", false},
                                              {"weights", false},
                                              {"max_attempts", false},
                                              {"min_margin", false},
                                              {"min_margin_percent", false},
                                              {"on_loss", false},
                                              {"min_quality", false},
                                              {"hours", false},
                                              {"blocked", false},
                                              {"note", false}}};

class RuleReader {
 public:
  RuleReader(Reading& reading, Sheet& sheet) : source_(reading.source), sheet_(sheet) {
    for (std::size_t i = 0; i < source_.clients.size(); ++i)
      clients_.emplace(source_.clients[i].name, static_cast<std::uint32_t>(i));
  }

  RuleRow read() {
    RuleRow rule;
    rule.row = static_cast<std::uint32_t>(sheet_.row());
    read_scope(rule);
    read_fields(rule);
    return rule;
  }

 private:
  void check(std::size_t column, const char* why) {
    if (why != nullptr) sheet_.fault(column, why);
  }

  void read_scope(RuleRow& rule) {
    const std::string_view plan = sheet_[kPlan], client = sheet_[kClient];
    if (!plan.empty() && !client.empty())
      sheet_.fault_row("names both a plan and a client: a rule is for one of them");
    if (!plan.empty()) {
      const int id = source_.find_plan(plan);
      if (id < 0) sheet_.fault(kPlan, "is not a plan: there is no such file in plans/");
      rule.client_scope = ClientScope::plan;
      rule.client = static_cast<std::uint32_t>(id);
    }
    if (!client.empty()) {
      const auto found = clients_.find(std::string(client));
      if (found == clients_.end()) return sheet_.fault(kClient, "is not in clients.csv");
      rule.client_scope = ClientScope::client;
      rule.client = found->second;
    }
    const std::string_view place = sheet_[kDestination];
    if (place.empty()) return;
    if (const char* why = bad_destination(place)) return sheet_.fault(kDestination, why);
    rule.place = source_.destination(place);
    rule.place_scope = place.size() == 3 ? PlaceScope::country : PlaceScope::destination;
    if (!source_.reachable[rule.place])
      sheet_.fault(kDestination, "is reached by no number of the numbering plan");
  }

  // "all", "none" or carriers parted by blanks.
  std::optional<CarrierSet> read_set(std::size_t column) {
    const std::string_view text = sheet_[column];
    if (text.empty()) return std::nullopt;
    CarrierSet set;
    if (text == "none") return set;
    for (std::size_t i = 0; text == "all" && i < source_.carriers.size(); ++i) set.add(i);
    if (text == "all") return set;
    for (std::string_view word : words(text)) {
      const int id = source_.find_carrier(word);
      if (id < 0)
        sheet_.fault(column, "names a carrier that does not exist: " + printable(word));
      else
        set.add(static_cast<std::size_t>(id));
    }
    return set;
  }

  // "alpha=70 bravo=30".
  std::optional<std::vector<Ranked>> read_ranked(std::size_t column, std::uint32_t max) {
    const std::string_view text = sheet_[column];
    if (text.empty()) return std::nullopt;
    std::vector<Ranked> all;
    for (std::string_view word : words(text)) {
      const std::size_t equal = word.find('=');
      Ranked ranked{};
      const char* why = equal == std::string_view::npos
                            ? "is not of the form carrier=number"
                            : parse_count(word.substr(equal + 1), max, ranked.value);
      const int id = source_.find_carrier(word.substr(0, equal));
      ranked.carrier = static_cast<std::uint16_t>(id);
      const bool twice = std::any_of(all.begin(), all.end(), [&](const Ranked& other) {
        return other.carrier == ranked.carrier;
      });
      if (why != nullptr)
        sheet_.fault(column, printable(word) + " " + why);
      else if (id < 0)
        sheet_.fault(column,
                     "names a carrier that does not exist: " + printable(word.substr(0, equal)));
      else if (twice)
        sheet_.fault(column, "names a carrier twice: " + printable(word.substr(0, equal)));
      else
        all.push_back(ranked);
    }
    return all;
  }

  std::optional<bool> read_choice(std::size_t column, std::string_view yes, std::string_view no) {
    const std::string_view text = sheet_[column];
    if (text.empty()) return std::nullopt;
    if (text != yes && text != no)
      sheet_.fault(column, "is neither " + std::string(yes) + " nor " + std::string(no));
    return text == yes;
  }

  void read_fields(RuleRow& rule) {
    rule.allow = read_set(kAllow);
    rule.deny = read_set(kDeny);
    rule.priorities = read_ranked(kPriorities, 65'534);
    rule.weights = read_ranked(kWeights, 1'000'000);
    rule.loss_allowed = read_choice(kOnLoss, "allow", "block");
    rule.blocked = read_choice(kBlocked, "yes", "no");
    if (!sheet_[kOrder].empty()) read_order(rule);
    if (!sheet_[kMaxAttempts].empty()) {
      std::uint32_t count = 0;
      const char* why = parse_count(sheet_[kMaxAttempts], kCandidatesMax, count);
      if (why == nullptr && count == 0) why = "is 0; to send nothing, say blocked";
      check(kMaxAttempts, why);
      rule.attempts_max = static_cast<std::uint8_t>(count);
    }
    if (!sheet_[kMinMargin].empty()) {
      Nano margin = 0;
      const char* why = parse_nano(sheet_[kMinMargin], margin);
      if (why == nullptr && (margin > kAmountMax || margin < -kAmountMax)) why = "is too large";
      check(kMinMargin, why);
      rule.margin_min = margin;
    }
    if (!sheet_[kMinMarginPercent].empty())
      check(kMinMarginPercent, parse_ppm(sheet_[kMinMarginPercent], rule.margin_min_ppm.emplace()));
    if (!sheet_[kMinQuality].empty()) {
      std::int64_t ppm = 0;
      const char* why = parse_ppm(sheet_[kMinQuality], ppm);
      check(kMinQuality, why == nullptr && ppm < 0 ? "is negative" : why);
      rule.quality_min_ppm = static_cast<std::uint32_t>(ppm);
    }
    if (!sheet_[kHours].empty()) check(kHours, parse_hours(sheet_[kHours], rule.hours.emplace()));
  }

  void read_order(RuleRow& rule) {
    for (Order order : {Order::least_cost, Order::priority, Order::weighted, Order::quality}) {
      if (sheet_[kOrder] == order_name(order)) rule.order = order;
    }
    if (!rule.order) sheet_.fault(kOrder, "is not least_cost, priority, weighted or quality");
  }

  SourceTables& source_;
  Sheet& sheet_;
  std::unordered_map<std::string, std::uint32_t> clients_;
};

}  // namespace

void read_rules(Reading& reading, std::string_view text) {
  Sheet sheet("rules.csv", text, kColumns, reading.faults);
  RuleReader reader(reading, sheet);
  std::map<std::tuple<ClientScope, std::uint32_t, PlaceScope, std::uint32_t>, std::uint32_t> seen;
  while (sheet.next()) {
    ++reading.source.rows;
    const std::size_t faults = reading.faults.count();
    const RuleRow rule = reader.read();
    if (reading.faults.count() != faults) continue;
    const auto [same, fresh] = seen.emplace(
        std::tuple(rule.client_scope, rule.client, rule.place_scope, rule.place), rule.row);
    if (!fresh)
      sheet.fault_row("has the same plan, client and destination as row " +
                      std::to_string(same->second));
    reading.source.rules.push_back(rule);
  }
}

}  // namespace tollgate::routing
