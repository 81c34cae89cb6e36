// rules.csv.
#include <algorithm>
#include <array>
#include <string>

#include "routing/compile/cells.h"
#include "routing/compile/scopes.h"

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
  kExplorePercent,
  kHours,
  kBlocked,
  kNote,
};
constexpr std::array<Column, 17> kColumns = {{{"plan", false},
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
                                              {"explore_percent", false},
                                              {"hours", false},
                                              {"blocked", false},
                                              {"note", false}}};

class RuleReader {
 public:
  RuleReader(Reading& reading, Sheet& sheet)
      : source_(reading.source), sheet_(sheet), scopes_(reading, sheet) {}

  RuleRow read() {
    RuleRow rule;
    scopes_.read(rule);
    read_fields(rule);
    return rule;
  }
  void check_repeats(const RuleRow& rule) { scopes_.check_repeats(rule); }

 private:
  void check(std::size_t column, const char* why) {
    if (why != nullptr) sheet_.fault(column, why);
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
    if (!sheet_[kExplorePercent].empty()) {
      std::int64_t ppm = 0;
      const char* why = parse_ppm(sheet_[kExplorePercent], ppm);
      if (why == nullptr && (ppm < 0 || ppm > kPpm / 2)) why = "is not between 0 and 50 percent";
      check(kExplorePercent, why);
      rule.explore_ppm = static_cast<std::uint32_t>(ppm);
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
  ScopeReader scopes_;
};

}  // namespace

void read_rules(Reading& reading, std::string_view text) {
  Sheet sheet("rules.csv", text, kColumns, reading.faults);
  RuleReader reader(reading, sheet);
  while (sheet.next()) {
    ++reading.source.rows;
    const std::size_t faults = reading.faults.count();
    const RuleRow rule = reader.read();
    if (reading.faults.count() != faults) continue;
    reader.check_repeats(rule);
    reading.source.rules.push_back(rule);
  }
}

}  // namespace tollgate::routing
