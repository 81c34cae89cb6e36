#include "routing/sheets/margin_effect.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace tollgate::routing {
namespace {

struct Sample {
  std::string number;
  std::uint32_t destination;  // before
};

// Clients that decide alike: the same plan and the same rules, before and after.
struct Group {
  std::vector<std::uint16_t> before;  // ids; one decides for all
  std::uint16_t after = 0;
};

class Effect {
 public:
  Effect(const Tables& before, const Tables& after, const EffectOptions& options)
      : before_(before), after_(after), options_(options) {}

  MarginEffect run() {
    sample(before_);
    sample(after_);
    std::sort(samples_.begin(), samples_.end(), [](const Sample& a, const Sample& b) {
      return std::tie(a.destination, a.number) < std::tie(b.destination, b.number);
    });
    const auto same = [](const Sample& a, const Sample& b) { return a.number == b.number; };
    samples_.erase(std::unique(samples_.begin(), samples_.end(), same), samples_.end());
    group_clients();
    out_.numbers = samples_.size();
    for (std::size_t begin = 0; begin < samples_.size();) {
      std::size_t end = begin;
      while (end < samples_.size() && samples_[end].destination == samples_[begin].destination)
        ++end;
      ++out_.destinations;
      for (const Group& group : groups_) compare(group, begin, end);
      begin = end;
    }
    finish();
    return std::move(out_);
  }

 private:
  // A number of each stretch that the tables tell apart.
  void sample(const Tables& tables) {
    for (const PrefixIndex::Span& span : tables.index.spans()) {
      std::string number = PrefixIndex::digits_of(span.start);
      if (number.empty() || !complete(tables, span.leaf, number)) continue;
      const std::uint32_t id = before_.index.find(number, number_key(number)).destination;
      if (options_.only && !options_.only(number, before_.destinations[id].mccmnc)) continue;
      samples_.push_back({std::move(number), id});
    }
  }

  // Lengthens the digits to a possible number that is still within the stretch.
  static bool complete(const Tables& tables, const Leaf& leaf, std::string& number) {
    const std::string begin = number;
    for (char filler = '0'; filler <= '9'; ++filler) {
      number = begin;
      while (true) {
        if (number.size() >= 5 && tables.dialling.possible(number) &&
            tables.index.find(number, number_key(number)) == leaf)
          return true;
        if (number.size() == kNumberDigitsMax) break;
        number += filler;
      }
    }
    return false;
  }

  void group_clients() {
    std::map<std::tuple<std::uint16_t, std::uint32_t, std::uint16_t, std::uint32_t>, Group> groups;
    for (std::size_t i = 0; i < before_.clients.size(); ++i) {
      const TableClient& client = before_.clients[i];
      const int other = after_.find_client(client.name);
      if (other < 0) continue;
      const TableClient& then = after_.clients[static_cast<std::size_t>(other)];
      Group& group = groups[{client.price_set, client.rule_class, then.price_set, then.rule_class}];
      group.before.push_back(static_cast<std::uint16_t>(i));
      group.after = static_cast<std::uint16_t>(other);
      ++out_.clients;
    }
    for (auto& [key, group] : groups) groups_.push_back(std::move(group));
  }

  struct Answer {
    Reason reason;
    Nano price = kNone, margin = kNone;
    std::string_view carrier;
  };
  Answer ask(const Tables& tables, std::uint16_t client, const Sample& sample) const {
    constexpr std::uint8_t kInternational = 1;
    Query query;
    query.client = client;
    query.destination = sample.number;
    query.ton = kInternational;
    query.wall_us = options_.wall_us;
    Route route;
    decide(tables, query, {}, route);
    Answer answer{route.reason, kNone, kNone, ""};
    if (route.reason != Reason::no_price && route.reason != Reason::bad_number)
      answer.price = route.price_nano;
    if (route.count > 0) {
      answer.margin = route.candidates[0].margin_nano;
      answer.carrier = tables.carriers[route.candidates[0].carrier].name;
    }
    return answer;
  }

  void compare(const Group& group, std::size_t begin, std::size_t end) {
    MarginRow row;
    row.numbers = end - begin;
    Nano worst_fall = kNone;
    for (std::size_t i = begin; i < end; ++i) {
      const Answer a = ask(before_, group.before[0], samples_[i]);
      const Answer b = ask(after_, group.after, samples_[i]);
      if (a.margin == b.margin && a.carrier == b.carrier && a.price == b.price &&
          a.reason == b.reason)
        continue;
      ++row.changed;
      const bool lost = a.margin != kNone && b.margin == kNone;
      row.newly_unroutable += lost;
      row.newly_at_loss +=
          b.margin != kNone && b.margin < 0 && (a.margin == kNone || a.margin >= 0);
      const Nano fall = fall_of(a, b);
      if (row.changed > 1 && fall <= worst_fall) continue;
      worst_fall = fall;
      row.number = samples_[i].number;
      row.price_before = a.price;
      row.price_after = b.price;
      row.margin_before = a.margin;
      row.margin_after = b.margin;
      row.carrier_before = a.carrier;
      row.carrier_after = b.carrier;
      row.reason_after = b.reason;
    }
    if (row.changed == 0) return;
    const Destination& destination = before_.destinations[samples_[begin].destination];
    row.mccmnc = destination.mccmnc;
    row.country = destination.country;
    row.network = destination.network;
    for (const std::uint16_t client : group.before) {
      row.client = before_.clients[client].name;
      out_.rows.push_back(row);
    }
  }

  // How much margin is lost; a route that is lost counts for more than any margin.
  static Nano fall_of(const Answer& a, const Answer& b) {
    constexpr Nano kLost = Nano{1} << 62;
    if (a.margin != kNone && b.margin == kNone) return kLost;
    if (a.margin == kNone) return b.margin == kNone ? 0 : -kLost;
    return a.margin - b.margin;
  }

  void finish() {
    const auto fall = [](const MarginRow& row) {
      return fall_of({Reason::chosen, kNone, row.margin_before, ""},
                     {Reason::chosen, kNone, row.margin_after, ""});
    };
    std::stable_sort(out_.rows.begin(), out_.rows.end(),
                     [&](const MarginRow& a, const MarginRow& b) { return fall(a) > fall(b); });
    for (const MarginRow& row : out_.rows) {
      out_.newly_unroutable += row.newly_unroutable > 0;
      out_.newly_at_loss += row.newly_at_loss > 0;
    }
  }

  const Tables& before_;
  const Tables& after_;
  const EffectOptions& options_;
  std::vector<Sample> samples_;
  std::vector<Group> groups_;
  MarginEffect out_;
};

}  // namespace

MarginEffect margin_effect(const Tables& before, const Tables& after,
                           const EffectOptions& options) {
  return Effect(before, after, options).run();
}

}  // namespace tollgate::routing
