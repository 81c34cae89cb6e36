#include "routing/router.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "core/check.h"
#include "routing/explain.h"

namespace tollgate::routing {
namespace {

__extension__ using Wide = __int128;
constexpr std::int64_t kMillion = 1'000'000;
constexpr std::uint16_t kNobody = 0xffff;
constexpr std::int64_t kMinuteUs = 60'000'000, kDayMinutes = 1'440;
// Rounds of mixed() that no draw by weights reaches.
constexpr std::uint64_t kWhetherToExplore = 100, kWhomToExplore = 101;

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

// The best few picks, in order.
struct Best {
  std::array<Pick, kCandidatesMax> picks;
  std::size_t count = 0, max = 0;
  bool full() const { return count == max; }
  const Pick& last() const { return picks[count - 1]; }
  void add(const Pick& pick) {
    if (full()) {
      if (!(pick < last())) return;
      --count;
    }
    std::size_t at = count++;
    for (; at > 0 && pick < picks[at - 1]; --at) picks[at] = picks[at - 1];
    picks[at] = pick;
  }
};

// What carriers ask for this number: by its prefix, and by network or country. A carrier that asks
// by prefix is skipped among the others.
struct Offers {
  std::array<Offer, kCarriersMax> by_prefix;
  std::size_t count = 0;
  CarrierSet has_prefix;
  std::span<const Offer> by_place;  // the cheapest first
  const CarrierSet* exact = nullptr;
};

// A carrier's delivery rate, when it was learned here.
std::uint32_t learned_ppm(std::span<const LearnedQuality> here, std::uint16_t carrier,
                          std::uint32_t otherwise) {
  const auto found = std::lower_bound(
      here.begin(), here.end(), carrier,
      [](const LearnedQuality& a, std::uint16_t wanted) { return a.carrier < wanted; });
  return found != here.end() && found->carrier == carrier ? found->delivered_ppm : otherwise;
}

// Where a decision tells what it found about each carrier: nowhere (the messages' way, which need
// not look at carriers that cannot win) ...
struct NoSink {
  static constexpr bool kEveryCarrier = false;
  void ported() {}
  void rule(const Rule&) {}
  void replaced(Reason) {}
  void refuse(Reason) {}
  void begin(const Rule&, const CarrierSet&, const CarrierSet&) {}
  void explored() {}
  void judge(std::size_t, Reason) {}
  void finish(const Tables&, const Offers&, const Route&) {}
};

// ... or into an Explanation.
struct Collect {
  static constexpr bool kEveryCarrier = true;
  Explanation& to;
  void ported() { to.ported = true; }
  void rule(const Rule& rule) { to.rule = &rule; }
  void replaced(Reason why) { to.sender_replaced = why; }
  void explored() { to.explored = true; }
  void refuse(Reason reason) {
    for (Verdict& verdict : to.verdicts) verdict.reason = reason;
  }
  // Whoever is not judged later was unfit, or asks nothing.
  void begin(const Rule& rule, const CarrierSet& takes_sender, const CarrierSet& qualified) {
    for (Verdict& verdict : to.verdicts) {
      const std::size_t carrier = verdict.carrier;
      verdict.reason = !rule.allowed.has(carrier)   ? Reason::not_allowed
                       : !takes_sender.has(carrier) ? Reason::sender_not_supported
                       : !qualified.has(carrier)    ? Reason::quality_floor
                                                    : Reason::no_cost;
    }
  }
  void judge(std::size_t carrier, Reason reason) {
    to.verdicts[carrier].reason = reason == Reason::chosen ? Reason::cut : reason;
  }
  void show(const Offer& offer, CostSource source, Nano price) {
    Verdict& verdict = to.verdicts[offer.carrier()];
    verdict.cost_nano = offer.cost();
    verdict.cost_source = source;
    if (to.priced) verdict.margin_nano = price - offer.cost();
  }
  void finish(const Tables& tables, const Offers& offers, const Route& route) {
    to.priced = route.price_nano != kNone;
    for (Verdict& verdict : to.verdicts) {
      verdict.quality_ppm = learned_ppm(tables.learned_at(route.destination), verdict.carrier,
                                        tables.carriers[verdict.carrier].quality_ppm);
    }
    for (const Offer& offer : offers.by_place)
      show(offer, offers.exact->has(offer.carrier()) ? CostSource::network : CostSource::country,
           route.price_nano);
    for (std::size_t i = 0; i < offers.count; ++i)
      show(offers.by_prefix[i], CostSource::prefix, route.price_nano);
    for (unsigned i = 0; i < route.count; ++i) {
      Verdict& verdict = to.verdicts[route.candidates[i].carrier];
      verdict.reason = Reason::chosen;
      verdict.rank = i + 1;
    }
  }
};

// The plan's price: by network or country as compiled, else the longest priced prefix; kNone =
// none.
Nano price_of(const Tables& tables, std::uint16_t set, const Leaf& leaf,
              std::uint32_t destination) {
  const Nano price = tables.prices.at(set, destination);
  if (price != kNone) return price;
  for (std::uint32_t n = leaf.node; n != 0; n = tables.nodes[n].parent) {
    const auto begin = tables.prefix_prices.begin() + tables.nodes[n].prices_begin;
    const auto end = tables.prefix_prices.begin() + tables.nodes[n].prices_end;
    const auto row = std::lower_bound(
        begin, end, set,
        [](const PrefixAmount& a, std::uint16_t owner) { return a.owner < owner; });
    if (row != end && row->owner == set) return row->amount;
  }
  return kNone;
}

// Every carrier's cost: by network; else the longest prefix row; else the country's default.
void find_offers(const Tables& tables, const Leaf& leaf, std::uint32_t destination, Sender sender,
                 Offers& out) {
  const std::size_t at = tables.offers_of[static_cast<std::size_t>(sender)] + destination;
  const Place& place = tables.places[at];
  out.by_place = {tables.offers.data() + place.offers_begin, place.offers_end - place.offers_begin};
  out.exact = &tables.exact[at];
  for (std::uint32_t n = leaf.node; n != 0; n = tables.nodes[n].parent) {
    const PrefixNode& node = tables.nodes[n];
    for (std::uint32_t row = node.costs_begin; row < node.costs_end; ++row) {
      const PrefixAmount& cost = tables.prefix_costs[row];
      if (!(cost.senders >> static_cast<unsigned>(sender) & 1)) continue;
      if (out.exact->has(cost.owner) || out.has_prefix.has(cost.owner)) continue;
      out.has_prefix.add(cost.owner);
      Nano amount = cost.amount;
      if (!tables.prefix_delivered.empty()) {
        amount += share_up(tables.prefix_delivered[row],
                           learned_ppm(tables.learned_at(destination), cost.owner, kPpm));
      }
      out.by_prefix[out.count++] = {amount, cost.owner};
    }
  }
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

std::uint64_t mixed(std::uint64_t message, std::uint64_t round) {  // splitmix64
  std::uint64_t x = message + (round + 1) * 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

// Carriers with weights, drawn one after the other without putting back.
struct Lots {
  struct Lot {
    Candidate candidate;
    std::uint32_t weight;
  };
  std::array<Lot, kCarriersMax> all;
  std::size_t count = 0;
  std::uint64_t total = 0;
  void add(const Candidate& candidate, std::uint32_t weight) {
    all[count++] = {candidate, weight};
    total += weight;
  }
  void remove(std::uint16_t carrier) {
    const auto end = all.begin() + count;
    const auto found = std::find_if(
        all.begin(), end, [&](const Lot& lot) { return lot.candidate.carrier == carrier; });
    if (found == end) return;
    total -= found->weight;
    *found = all[--count];
  }
  // By carrier, so that a draw does not depend on the order of costs.
  void sort() {
    std::sort(all.begin(), all.begin() + count,
              [](const Lot& a, const Lot& b) { return a.candidate.carrier < b.candidate.carrier; });
  }
  Candidate draw(std::uint64_t hash) {
    __extension__ using WideUnsigned = unsigned __int128;
    auto point = static_cast<std::uint64_t>(WideUnsigned{hash} * total >> 64);
    std::size_t at = 0;
    while (point >= all[at].weight) point -= all[at++].weight;
    const Candidate drawn = all[at].candidate;
    total -= all[at].weight;
    std::copy(all.begin() + at + 1, all.begin() + count, all.begin() + at);
    --count;
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
    const Rule& rule = tables_.rule(query_.client, out_.destination);
    sink_.rule(rule);
    Sender sender = sender_of(query_.source, query_.source_ton);
    const Reason sender_reason =
        tables_.sender_rules.empty() ? Reason::chosen : judge_sender(sender);
    Offers offers;
    find_offers(tables_, leaf, out_.destination, sender, offers);
    const Nano price = price_of(tables_, client.price_set, leaf, out_.destination);
    out_.price_nano = price;
    if (rule.blocked)
      refuse(Reason::blocked);
    else if (!within_hours(rule, query_.wall_us))
      refuse(Reason::outside_hours);
    else if (sender_reason != Reason::chosen)
      refuse(sender_reason);
    else if (price == kNone)
      refuse(Reason::no_price);
    else
      choose(rule, offers, sender);
    sink_.finish(tables_, offers, out_);
    if (price == kNone) out_.price_nano = 0;
  }

 private:
  void refuse(Reason reason) {
    out_.reason = reason;
    sink_.refuse(reason);
  }

  // Whether senders.csv lets the sender through, if need be as another one.
  Reason judge_sender(Sender& sender) {
    if (sender == Sender::none) return Reason::chosen;
    const SenderRule& rule = tables_.sender_rule(query_.client, out_.destination);
    Reason why = Reason::chosen;
    if (rule.denied_begin != rule.denied_end) {
      char form[kSenderOctetsMax];
      const auto begin = tables_.denied.begin() + rule.denied_begin;
      const auto end = tables_.denied.begin() + rule.denied_end;
      if (std::binary_search(begin, end, denied_form(query_.source, form)))
        why = Reason::sender_denied;
    }
    if (why == Reason::chosen && !(rule.allowed >> static_cast<unsigned>(sender) & 1))
      why = Reason::sender_not_supported;
    if (why == Reason::chosen || rule.replacement == 0) return why;
    const Replacement& replacement = tables_.replacements[rule.replacement];
    sender = replacement.type;
    out_.sender = replacement.sender;
    out_.sender_ton = replacement.ton;
    out_.sender_npi = replacement.npi;
    sink_.replaced(why);
    return Reason::chosen;
  }

  // The one place that says why a fit carrier cannot be used.
  Reason judge(const Offer& offer) const {
    const Nano margin = out_.price_nano - offer.cost();
    if (margin < 0 && !loss_allowed_) return Reason::at_loss;
    if (margin < floor_) return Reason::below_margin;
    if (states_.empty()) return Reason::chosen;
    if (!states_[offer.carrier()].up) return Reason::bind_down;
    if (!states_[offer.carrier()].has_room) return Reason::over_pace;
    return Reason::chosen;
  }

  // Nobody below the offers that settle a route is noted: what explains looks further than what
  // decides, and both must say the same.
  void note(Reason reason, std::uint16_t carrier) {
    if (settled_) return;
    if (reason == Reason::bind_down) out_.down.add(carrier);
    if (reason == Reason::over_pace) out_.full.add(carrier);
  }

  Pick pick_of(const Rule& rule, const Offer& offer) const {
    const CarrierRank& rank = tables_.ranks[rule.ranks + offer.carrier()];
    const std::uint64_t priority = rank.priority;
    const std::uint64_t worse =
        learned_.empty() ? rank.worse_ppm
                         : kPpm - learned_ppm(learned_, offer.carrier(), kPpm - rank.worse_ppm);
    const Nano cost = offer.cost();
    const std::uint16_t carrier = offer.carrier();
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

  Candidate candidate_of(const Offer& offer) const {
    return {offer.carrier(), offer.cost(), out_.price_nano - offer.cost()};
  }

  // False = nothing dearer than this offer can be chosen any more.
  bool consider(const Rule& rule, const Offer& offer) {
    const Reason reason = judge(offer);
    sink_.judge(offer.carrier(), reason);
    if (reason != Reason::chosen) note(reason, offer.carrier());
    if (reason != Reason::chosen)
      return reason != Reason::at_loss && reason != Reason::below_margin;
    const std::uint32_t weight =
        rule.order == Order::weighted ? tables_.ranks[rule.ranks + offer.carrier()].weight : 0;
    if (weight != 0) {
      lots_.add(candidate_of(offer), weight);
      return true;
    }
    if (rule.order == Order::least_cost && best_.full() && offer.cost() > best_.last().cost)
      return false;
    best_.add(pick_of(rule, offer));
    if (exploring_) lots_.add(candidate_of(offer), 1);
    return true;
  }

  // Here the learned quality counts instead of that of carriers.csv.
  void qualify(const Rule& rule, CarrierSet& qualified) const {
    for (const LearnedQuality& known : learned_) {
      if (known.delivered_ppm < rule.quality_min_ppm)
        qualified.remove(known.carrier);
      else if (rule.allowed.has(known.carrier))
        qualified.add(known.carrier);
    }
  }

  bool explores(const Rule& rule) const {
    if (rule.explore_ppm == 0) return false;
    __extension__ using WideUnsigned = unsigned __int128;
    const std::uint64_t hash = mixed(query_.message, kWhetherToExplore);
    return static_cast<std::uint64_t>(WideUnsigned{hash} * kPpm >> 64) < rule.explore_ppm;
  }

  // One of those that would not go first does, so that its quality is learned.
  void explore() {
    lots_.remove(best_.picks[0].carrier);
    if (lots_.count == 0) return;
    lots_.sort();
    out_.candidates[out_.count++] = lots_.draw(mixed(query_.message, kWhomToExplore));
    lots_.count = 0;
    sink_.explored();
  }

  void choose(const Rule& rule, const Offers& offers, Sender sender) {
    const CarrierSet& takes_sender = tables_.senders[static_cast<std::size_t>(sender)];
    learned_ = tables_.learned_at(out_.destination);
    CarrierSet qualified = rule.qualified;
    if (!learned_.empty()) qualify(rule, qualified);
    const CarrierSet fit = qualified & takes_sender;
    loss_allowed_ = rule.loss_allowed;
    floor_ = margin_floor(rule, out_.price_nano);
    best_.max = rule.attempts_max;
    exploring_ = explores(rule);
    sink_.begin(rule, takes_sender, qualified);
    for (std::size_t i = 0; i < offers.count; ++i) {
      if (fit.has(offers.by_prefix[i].carrier())) consider(rule, offers.by_prefix[i]);
    }
    for (const Offer& offer : offers.by_place) {
      if (!fit.has(offer.carrier()) || offers.has_prefix.has(offer.carrier())) continue;
      if (consider(rule, offer)) continue;
      if (!Sink::kEveryCarrier) break;
      settled_ = true;
    }
    list(rule);
  }

  // The candidates, in order.
  void list(const Rule& rule) {
    if (exploring_ && best_.count > 0) explore();
    lots_.sort();
    for (; lots_.count > 0 && out_.count < rule.attempts_max; ++out_.count)
      out_.candidates[out_.count] = lots_.draw(mixed(query_.message, out_.count));
    const std::uint16_t first = out_.count > 0 && exploring_ ? out_.candidates[0].carrier : kNobody;
    for (std::size_t i = 0; i < best_.count && out_.count < rule.attempts_max; ++i) {
      const Pick& pick = best_.picks[i];
      if (pick.carrier != first)
        out_.candidates[out_.count++] = candidate_of({pick.cost, pick.carrier});
    }
    out_.reason = out_.count > 0 ? Reason::chosen : Reason::no_route;
  }

  const Tables& tables_;
  const Query& query_;
  const std::span<const CarrierState> states_;
  Route& out_;
  Sink sink_;
  Best best_;
  Lots lots_;
  std::span<const LearnedQuality> learned_;  // at this destination
  Nano floor_ = kNone;
  bool loss_allowed_ = false;
  bool settled_ = false;
  bool exploring_ = false;
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
    case Reason::sender_denied:
      return "sender_denied";
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
  out.facts_number = tables.facts;
  out.down = out.full = {};
  out.sender = {};
  if (explanation == nullptr) return Decision(tables, query, states, out, NoSink{}).run();
  *explanation = {};
  explanation->client = query.client;
  explanation->asked = query.destination;
  explanation->sender = query.source;
  explanation->verdicts.resize(tables.carriers.size());
  for (std::size_t i = 0; i < explanation->verdicts.size(); ++i) {
    explanation->verdicts[i].carrier = static_cast<std::uint16_t>(i);
  }
  Decision(tables, query, states, out, Collect{*explanation}).run();
  if (out.reason == Reason::bad_number) explanation->verdicts.clear();
  explanation->route = out;
}

}  // namespace tollgate::routing
