#include "routing/router.h"

#include <algorithm>
#include <array>
#include <bit>
#include <tuple>

#include "core/check.h"
#include "routing/explain.h"

namespace tollgate::routing {
namespace {

__extension__ using Wide = __int128;
constexpr std::int64_t kMillion = 1'000'000;
constexpr std::int64_t kMinuteUs = 60'000'000, kDayMinutes = 1'440;

// A carrier that may be used, with what it is ordered by.
struct Pick {
  std::int64_t first, second;
  std::uint64_t tie;
  Nano cost;
  std::uint16_t carrier;
  bool operator<(const Pick& other) const {
    return std::tie(first, second, tie) < std::tie(other.first, other.second, other.tie);
  }
};

// The best few picks, in order. `seen` counts all.
struct Best {
  std::array<Pick, kCandidatesMax> picks;
  std::size_t count = 0, max = 0, seen = 0;
  void add(const Pick& pick) {
    ++seen;
    if (count == max) {
      if (max == 0 || !(pick < picks[count - 1])) return;
      --count;
    }
    std::size_t at = count++;
    for (; at > 0 && pick < picks[at - 1]; --at) picks[at] = picks[at - 1];
    picks[at] = pick;
  }
};

// Where a decision tells what it found about each carrier: nowhere (the messages' way) ...
struct NoSink {
  void ported() {}
  void rule(const Rule&) {}
  void drop(std::size_t, Reason) {}
  void finish(const Tables&, const Nano*, const CarrierSet&, const Route&) {}
};

// ... or into an Explanation. Whoever is neither dropped nor chosen was cut.
struct Collect {
  Explanation& to;
  void ported() { to.ported = true; }
  void rule(const Rule& rule) { to.rule = &rule; }
  void drop(std::size_t carrier, Reason reason) { to.verdicts[carrier].reason = reason; }
  void finish(const Tables& tables, const Nano* costs, const CarrierSet& by_prefix,
              const Route& route) {
    to.priced = route.price_nano != kNone;
    for (Verdict& verdict : to.verdicts) {
      const std::size_t carrier = verdict.carrier;
      verdict.cost_nano = costs[carrier];
      if (costs[carrier] == kNone) continue;
      if (to.priced) verdict.margin_nano = route.price_nano - costs[carrier];
      verdict.cost_source = by_prefix.has(carrier)                         ? CostSource::prefix
                            : tables.exact[route.destination].has(carrier) ? CostSource::network
                                                                           : CostSource::country;
    }
    for (unsigned i = 0; i < route.count; ++i) {
      Verdict& verdict = to.verdicts[route.candidates[i].carrier];
      verdict.reason = Reason::chosen;
      verdict.rank = i + 1;
    }
  }
};

// The plan's price: by network or country as compiled, else the longest priced prefix; kNone =
// none.
Nano price_of(const Tables& tables, std::uint16_t plan, const Leaf& leaf,
              std::uint32_t destination) {
  const Nano price = tables.prices[std::size_t{plan} * tables.destinations.size() + destination];
  if (price != kNone) return price;
  for (std::uint32_t n = leaf.node; n != 0; n = tables.nodes[n].parent) {
    const auto begin = tables.prefix_prices.begin() + tables.nodes[n].prices_begin;
    const auto end = tables.prefix_prices.begin() + tables.nodes[n].prices_end;
    const auto row = std::lower_bound(
        begin, end, plan,
        [](const PrefixAmount& a, std::uint16_t owner) { return a.owner < owner; });
    if (row != end && row->owner == plan) return row->amount;
  }
  return kNone;
}

// Every carrier's cost: by network; else the longest prefix row; else the country's default.
// Without prefix rows that is a row of the tables, else `room` is filled and `by_prefix` says for
// whom.
const Nano* costs_of(const Tables& tables, const Leaf& leaf, std::uint32_t destination,
                     std::array<Nano, kCarriersMax>& room, CarrierSet& by_prefix) {
  const Nano* compiled = tables.costs.data() + std::size_t{destination} * tables.carriers.size();
  if (leaf.node == 0) return compiled;
  std::copy_n(compiled, tables.carriers.size(), room.begin());
  const CarrierSet& exact = tables.exact[destination];
  for (std::uint32_t n = leaf.node; n != 0; n = tables.nodes[n].parent) {
    const PrefixNode& node = tables.nodes[n];
    for (std::uint32_t row = node.costs_begin; row < node.costs_end; ++row) {
      const PrefixAmount& cost = tables.prefix_costs[row];
      if (exact.has(cost.owner) || by_prefix.has(cost.owner)) continue;
      room[cost.owner] = cost.amount;
      by_prefix.add(cost.owner);
    }
  }
  return room.data();
}

bool within_hours(const Rule& rule, std::int64_t wall_us) {
  if (rule.hours_from == rule.hours_to) return true;
  std::int64_t minute = wall_us / kMinuteUs % kDayMinutes;
  if (minute < 0) minute += kDayMinutes;
  if (rule.hours_from < rule.hours_to) return minute >= rule.hours_from && minute < rule.hours_to;
  return minute >= rule.hours_from || minute < rule.hours_to;  // over midnight
}

// The least margin that the rule's minimums demand.
Nano margin_floor(const Rule& rule, Nano price) {
  Nano floor = rule.margin_min;
  if (rule.margin_min_ppm != kNone) {
    const Wide product = Wide{price} * rule.margin_min_ppm;
    Wide percent = product / kMillion;
    if (product % kMillion > 0) ++percent;
    floor = std::max(floor, static_cast<Nano>(percent));
  }
  return floor;
}

Pick pick_of(const Tables& tables, const Rule& rule, std::uint16_t carrier, Nano cost) {
  const std::uint64_t worse = kMillion - tables.carriers[carrier].quality_ppm;
  const std::uint64_t priority = tables.ranks[rule.ranks + carrier].priority;
  switch (rule.order) {
    case Order::priority:
      return {static_cast<std::int64_t>(priority), cost, worse << 16 | carrier, cost, carrier};
    case Order::quality:
      return {static_cast<std::int64_t>(worse), cost, priority << 16 | carrier, cost, carrier};
    case Order::least_cost:
    case Order::weighted:
      break;
  }
  return {cost, 0, worse << 32 | priority << 16 | carrier, cost, carrier};
}

std::uint64_t mixed(std::uint64_t message, std::uint64_t round) {  // splitmix64
  std::uint64_t x = message + (round + 1) * 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

// Carriers with weights, drawn one after the other without putting back.
struct Lots {
  std::array<Candidate, kCarriersMax> all;
  std::array<std::uint32_t, kCarriersMax> weights;
  std::size_t count = 0;
  std::uint64_t total = 0;
  void add(Candidate candidate, std::uint32_t weight) {
    all[count] = candidate;
    weights[count++] = weight;
    total += weight;
  }
  Candidate draw(std::uint64_t hash) {
    __extension__ using WideUnsigned = unsigned __int128;
    auto point = static_cast<std::uint64_t>(WideUnsigned{hash} * total >> 64);
    std::size_t at = 0;
    while (point >= weights[at]) point -= weights[at++];
    const Candidate drawn = all[at];
    total -= weights[at];
    --count;
    for (; at < count; ++at) {
      all[at] = all[at + 1];
      weights[at] = weights[at + 1];
    }
    return drawn;
  }
};

template <class Sink>
class Decision {
 public:
  Decision(const Tables& tables, const Query& query, std::span<const CarrierState> states,
           Route& out, Sink sink)
      : tables_(tables), query_(query), states_(states), out_(out), sink_(sink) {}

  void run() {
    const TableClient& client = tables_.clients[query_.client];
    Number number;
    if (!tables_.dialling.normalise(query_.destination, query_.ton, client.home, number)) {
      out_.reason = Reason::bad_number;
      return;
    }
    std::copy_n(number.digits.begin(), number.length, out_.number);
    out_.number_length = number.length;
    const NumberKey key = number_key(number.view());
    const Leaf& leaf = tables_.index.find(number.view(), key);
    out_.destination = leaf.destination;
    if (const std::uint32_t ported = tables_.portability.find(key); ported != 0) {
      out_.destination = ported;
      sink_.ported();
    }
    std::array<Nano, kCarriersMax> room;
    CarrierSet by_prefix;
    const Nano* costs = costs_of(tables_, leaf, out_.destination, room, by_prefix);
    const Rule& rule = tables_.rule(query_.client, out_.destination);
    sink_.rule(rule);
    const Nano price = price_of(tables_, client.plan, leaf, out_.destination);
    out_.price_nano = price;
    if (rule.blocked)
      refuse(Reason::blocked);
    else if (!within_hours(rule, query_.wall_us))
      refuse(Reason::outside_hours);
    else if (price == kNone)
      refuse(Reason::no_price);
    else
      choose(rule, costs);
    sink_.finish(tables_, costs, by_prefix, out_);
    if (price == kNone) out_.price_nano = 0;
  }

 private:
  void refuse(Reason reason) {
    out_.reason = reason;
    for (std::size_t carrier = 0; carrier < tables_.carriers.size(); ++carrier)
      sink_.drop(carrier, reason);
  }

  // The one place that says why a carrier cannot be used.
  Reason judge(const Rule& rule, std::size_t carrier, Nano cost, Nano floor) const {
    if (cost == kNone) return Reason::no_cost;
    const Nano margin = out_.price_nano - cost;
    if (margin < 0 && !rule.loss_allowed) return Reason::at_loss;
    if (margin < floor) return Reason::below_margin;
    if (states_.empty()) return Reason::chosen;
    if (!states_[carrier].up) return Reason::bind_down;
    if (!states_[carrier].has_room) return Reason::over_pace;
    return Reason::chosen;
  }

  void choose(const Rule& rule, const Nano* costs) {
    const Sender sender = sender_of(query_.source, query_.source_ton);
    const CarrierSet& takes = tables_.senders[static_cast<std::size_t>(sender)];
    const Nano floor = margin_floor(rule, out_.price_nano);
    const bool weighted = rule.order == Order::weighted;
    Best best;
    best.max = rule.attempts_max;
    Lots lots;
    const std::size_t words = (tables_.carriers.size() + 63) / 64;
    for (std::size_t word = 0; word < words; ++word) {
      std::uint64_t left = rule.qualified.words[word] & takes.words[word];
      drop_unfit(rule, takes, word, left);
      for (; left != 0; left &= left - 1) {
        const auto carrier = static_cast<std::uint16_t>(word * 64 + std::countr_zero(left));
        const Nano cost = costs[carrier];
        const Reason reason = judge(rule, carrier, cost, floor);
        const std::uint32_t weight = weighted ? tables_.ranks[rule.ranks + carrier].weight : 0;
        if (reason != Reason::chosen)
          sink_.drop(carrier, reason);
        else if (weight != 0)
          lots.add({carrier, cost, out_.price_nano - cost}, weight);
        else
          best.add(pick_of(tables_, rule, carrier, cost));
      }
    }
    for (; lots.count > 0 && out_.count < rule.attempts_max; ++out_.count)
      out_.candidates[out_.count] = lots.draw(mixed(query_.message, out_.count));
    for (std::size_t i = 0; i < best.count && out_.count < rule.attempts_max; ++i) {
      const Pick& pick = best.picks[i];
      out_.candidates[out_.count++] = {pick.carrier, pick.cost, out_.price_nano - pick.cost};
    }
    out_.reason = out_.count > 0 ? Reason::chosen : Reason::no_route;
  }

  // Carriers that the rule or the sender rules out; walked only to be explained.
  void drop_unfit(const Rule& rule, const CarrierSet& takes, std::size_t word, std::uint64_t fit) {
    if constexpr (std::is_same_v<Sink, Collect>) {
      for (std::size_t carrier = word * 64;
           carrier < std::min(word * 64 + 64, tables_.carriers.size()); ++carrier) {
        if (fit >> (carrier % 64) & 1) continue;
        sink_.drop(carrier, !rule.allowed.has(carrier) ? Reason::not_allowed
                            : !takes.has(carrier)      ? Reason::sender_not_supported
                                                       : Reason::quality_floor);
      }
    }
  }

  const Tables& tables_;
  const Query& query_;
  const std::span<const CarrierState> states_;
  Route& out_;
  Sink sink_;
};

}  // namespace

const char* reason_name(Reason reason) {
  switch (reason) {
    case Reason::chosen:
      return "chosen";
    case Reason::not_allowed:
      return "not_allowed";
    case Reason::no_cost:
      return "no_cost";
    case Reason::below_margin:
      return "below_margin";
    case Reason::at_loss:
      return "at_loss";
    case Reason::sender_not_supported:
      return "sender_not_supported";
    case Reason::bind_down:
      return "bind_down";
    case Reason::over_pace:
      return "over_pace";
    case Reason::quality_floor:
      return "quality_floor";
    case Reason::cut:
      return "cut";
    case Reason::blocked:
      return "blocked";
    case Reason::outside_hours:
      return "outside_hours";
    case Reason::no_price:
      return "no_price";
    case Reason::no_route:
      return "no_route";
    case Reason::bad_number:
      return "bad_number";
  }
  return "";
}

void decide(const Tables& tables, const Query& query, std::span<const CarrierState> states,
            Route& out, Explanation* explanation) {
  TOLLGATE_CHECK(query.client < tables.clients.size(), "a client of these tables");
  TOLLGATE_CHECK(states.empty() || states.size() >= tables.carriers.size(), "a state a carrier");
  out.reason = Reason::no_route;
  out.destination = 0;
  out.price_nano = 0;
  out.number_length = 0;
  out.count = 0;
  out.tables_version = tables.version;
  if (explanation == nullptr) return Decision(tables, query, states, out, NoSink{}).run();
  *explanation = {};
  explanation->client = query.client;
  explanation->asked = query.destination;
  explanation->verdicts.resize(tables.carriers.size());
  for (std::size_t i = 0; i < explanation->verdicts.size(); ++i) {
    explanation->verdicts[i].carrier = static_cast<std::uint16_t>(i);
    explanation->verdicts[i].reason = Reason::cut;
  }
  Decision(tables, query, states, out, Collect{*explanation}).run();
  if (out.reason == Reason::bad_number) explanation->verdicts.clear();
  explanation->route = out;
}

}  // namespace tollgate::routing
