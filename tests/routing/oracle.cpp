#include "tests/routing/oracle.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <sstream>

#include "tests/routing/oracle_text.h"

namespace tollgate::oracle {

using std::string;
__extension__ using Wide = __int128;
constexpr std::int64_t kBillion = 1'000'000'000, kMillion = 1'000'000;

namespace {

std::int64_t divided_up(Wide product, std::int64_t by) {
  return static_cast<std::int64_t>((product + by - 1) / by);
}

bool in_force(const Table& table, const Row& row, std::int64_t now) {
  const string &from = table.at(row, "effective_from"), &to = table.at(row, "effective_to");
  return (from.empty() || instant(from) <= now) && (to.empty() || now < instant(to));
}

bool listed(const string& list, const string& name) {
  return (" " + list + " ").find(" " + name + " ") != string::npos;
}

// "a=1 b=2", "b" -> 2
std::int64_t number_in(const string& list, const string& name, std::int64_t otherwise) {
  std::istringstream in(list);
  for (string word; in >> word;) {
    if (word.substr(0, word.find('=')) == name) return std::atoll(&word[word.find('=') + 1]);
  }
  return otherwise;
}

bool open_now(const string& hours, std::int64_t now) {
  if (hours.empty()) return true;
  const string from = hours.substr(0, 5), to = hours.substr(6), at = clock_text(now);
  return from < to ? from <= at && at < to : from <= at || at < to;
}

std::uint64_t hash(std::uint64_t message, std::uint64_t round) {
  std::uint64_t x = message + 0x9e3779b97f4a7c15u * (round + 1);
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9u;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// A number below `total` that the message and the round decide.
std::int64_t drawn(std::uint64_t message, std::uint64_t round, std::int64_t total) {
  __extension__ using WideUnsigned = unsigned __int128;
  return static_cast<std::int64_t>(
      WideUnsigned{hash(message, round)} * static_cast<std::uint64_t>(total) >> 64);
}

struct Choice {
  Candidate candidate;
  std::int64_t quality, priority, weight;
  std::size_t id;
};

void sort_choices(std::vector<Choice>& all, const string& order) {
  std::sort(all.begin(), all.end(), [&](const Choice& a, const Choice& b) {
    const std::int64_t cost = a.candidate.cost - b.candidate.cost;
    if (order == "priority" && a.priority != b.priority) return a.priority < b.priority;
    if (order == "quality" && a.quality != b.quality) return a.quality > b.quality;
    if (cost != 0) return cost < 0;
    if (a.quality != b.quality) return a.quality > b.quality;
    if (a.priority != b.priority) return a.priority < b.priority;
    return a.id < b.id;
  });
}

// The lot that holds `point`, when all from `first` on lie beside each other in the order of ids;
// it moves to `to`.
void draw_lot(std::vector<Choice>& all, std::size_t first, std::size_t to, std::int64_t point) {
  std::vector<std::size_t> lots;
  for (std::size_t i = first; i < all.size(); ++i) lots.push_back(i);
  std::sort(lots.begin(), lots.end(), [&](auto a, auto b) { return all[a].id < all[b].id; });
  for (std::size_t i : lots) {
    point -= all[i].weight;
    if (point >= 0) continue;
    std::rotate(all.begin() + to, all.begin() + i, all.begin() + i + 1);
    return;
  }
}

void draw_by_weight(std::vector<Choice>& all, std::uint64_t message) {
  for (std::size_t round = 0; round < all.size(); ++round) {
    std::int64_t total = 0;
    for (std::size_t i = round; i < all.size(); ++i) total += all[i].weight;
    if (total == 0) return;
    draw_lot(all, round, round, drawn(message, round, total));
  }
}

// A share of the messages begins with one that is not the best.
void explore(std::vector<Choice>& all, std::uint64_t message, const string& percent) {
  constexpr std::uint64_t kWhether = 100, kWhom = 101;
  const std::int64_t share = nano(percent.empty() ? "1" : percent) / (100 * kBillion / kMillion);
  if (all.size() < 2 || drawn(message, kWhether, kMillion) >= share) return;
  for (Choice& choice : all) choice.weight = 1;
  draw_lot(all, 1, 0, drawn(message, kWhom, static_cast<std::int64_t>(all.size() - 1)));
}

// Of rows that name the number in one way or another: those of the most specific thing that has
// any which `fits`, in the order of `columns`; among prefixes the longest.
template <class Fits>
std::vector<const Row*> most_specific(const Table& table, const std::vector<const Row*>& rows,
                                      const std::vector<string>& columns, Fits fits) {
  for (const string& column : columns) {
    std::map<std::size_t, std::vector<const Row*>> by_length;
    for (const Row* row : rows) {
      if (!table.at(*row, column).empty() && fits(*row))
        by_length[table.at(*row, column).size()].push_back(row);
    }
    if (!by_length.empty()) return by_length.rbegin()->second;
  }
  return {};
}

}  // namespace

struct Oracle::Asked {
  const Query& query;
  string number, destination, plan;
  string type = "";  // of the sender
  string country() const { return destination.substr(0, 3); }
  // The rows in force that name this number, its network or its country.
  std::vector<const Row*> rows(const Table& table) const {
    std::vector<const Row*> found;
    for (const Row& row : table.rows) {
      const string &mccmnc = table.at(row, "mccmnc"), &mcc = table.at(row, "mcc"),
                   &prefix = table.at(row, "prefix");
      const bool names = (!mccmnc.empty() && mccmnc == destination) ||
                         (!mcc.empty() && mcc == country()) ||
                         (!prefix.empty() && number.starts_with(prefix));
      if (names && in_force(table, row, query.wall_us)) found.push_back(&row);
    }
    return found;
  }
};

Oracle::Oracle(const std::map<string, string>& files, const string& facts,
               std::vector<string> carriers)
    : facts_(read_csv(facts)), carriers_(std::move(carriers)) {
  for (const auto& [name, text] : files) tables_[name] = read_csv(text);
}

const Table& Oracle::table(const string& name) const {
  static const Table kNone;
  const auto found = tables_.find(name);
  return found == tables_.end() ? kNone : found->second;
}

std::optional<string> Oracle::number_of(const Query& query) const {
  string country;
  const Table& clients = table("clients.csv");
  for (const Row& row : clients.rows) {
    if (clients.at(row, "client") == query.client) country = clients.at(row, "default_country");
  }
  return international(query.destination, query.ton, country);
}

string Oracle::destination_of(const string& number) const {
  const Table &ported = table("portability.csv"), &plan = table("numbering_plan.csv");
  for (const Row& row : ported.rows) {
    if (ported.at(row, "number") == number) return ported.at(row, "mccmnc");
  }
  string longest, mccmnc;
  for (const Row& row : plan.rows) {
    const string& prefix = plan.at(row, "prefix");
    if (!number.starts_with(prefix) || prefix.size() <= longest.size()) continue;
    longest = prefix;
    mccmnc = plan.at(row, "mccmnc");
  }
  return mccmnc;
}

// The value of a field by the most specific row that sets it.
string Oracle::field(const string& file, const Asked& asked, const string& column) const {
  const Table& rules = table(file);
  string value;
  int best = -1;
  for (const Row& row : rules.rows) {
    const string &plan = rules.at(row, "plan"), &client = rules.at(row, "client"),
                 &place = rules.at(row, "destination");
    if (!plan.empty() && plan != asked.plan) continue;
    if (!client.empty() && client != asked.query.client) continue;
    if (!place.empty() && place != asked.destination && place != asked.country()) continue;
    if (rules.at(row, column).empty()) continue;
    const int who = !client.empty() ? 2 : !plan.empty() ? 1 : 0;
    const int where = place.empty() ? 0 : place.size() == 3 ? 1 : 2;
    if (who * 3 + where <= best) continue;
    best = who * 3 + where;
    value = rules.at(row, column);
  }
  return value;
}

// Why senders.csv refuses the message, "" = it does not. May replace the sender.
string Oracle::sender_reason(Asked& asked, Route& route) const {
  asked.type = sender_type(asked.query.source, asked.query.source_ton);
  if (asked.query.source.empty()) return "";
  const string allow = field("senders.csv", asked, "allow"),
               deny = field("senders.csv", asked, "deny"),
               replacement = field("senders.csv", asked, "replace_by");
  const auto plain = [](string text) {
    if (text[0] == '+') text.erase(0, 1);
    for (char& c : text) c = static_cast<char>(std::toupper(c));
    return text;
  };
  string reason;
  std::istringstream in(deny);
  for (string word; in >> word;) {
    if (deny != "-" && plain(word) == plain(asked.query.source)) reason = "sender_denied";
  }
  if (reason.empty() && !allow.empty() && allow != "all" && !listed(allow, asked.type))
    reason = "sender_not_supported";
  if (reason.empty() || replacement.empty() || replacement == "-") return reason;
  asked.type = sender_type(replacement, 0);
  route.sender = replacement;
  route.sender_ton = asked.type == "alphanumeric" ? 5 : asked.type == "short_code" ? 3 : 1;
  route.sender_npi = asked.type == "numeric" ? 1 : 0;
  return "";
}

// A row's amount in the base currency; up = a cost.
std::int64_t Oracle::base_amount(const Table& table, const Row& row, bool up) const {
  const Table& currencies = this->table("currencies.csv");
  for (const Row& currency : currencies.rows) {
    if (currencies.at(currency, "currency") != table.at(row, "currency")) continue;
    const Wide product = Wide{nano(table.at(row, "price"))} * nano(currencies.at(currency, "rate"));
    return up ? divided_up(product, kBillion) : static_cast<std::int64_t>(product / kBillion);
  }
  std::abort();
}

// The learned delivery rate, in millionths.
std::optional<std::int64_t> Oracle::learned(const string& carrier, const Asked& asked) const {
  for (const Row& row : facts_.rows) {
    if (facts_.at(row, "what") == "rate" && facts_.at(row, "name") == carrier &&
        !asked.destination.empty() && facts_.at(row, "destination") == asked.destination)
      return std::atoll(facts_.at(row, "value").c_str());
  }
  return std::nullopt;
}

// In millionths.
std::int64_t Oracle::quality(const string& carrier, const Asked& asked) const {
  if (const auto rate = learned(carrier, asked)) return *rate;
  const Table& carriers = table("carriers.csv");
  for (const Row& row : carriers.rows) {
    const string& percent = carriers.at(row, "quality");
    if (carriers.at(row, "carrier") == carrier && !percent.empty())
      return nano(percent) / (100 * kBillion / kMillion);
  }
  return 0;
}

std::optional<std::int64_t> Oracle::price(const Asked& asked) const {
  const Table& plan = table("plans/" + asked.plan + ".csv");
  std::int64_t sent = 0;
  string month;
  for (const Row& row : facts_.rows) {
    if (facts_.at(row, "what") == "month") month = facts_.at(row, "value");
    if (facts_.at(row, "what") == "volume" && facts_.at(row, "name") == asked.query.client)
      sent = std::atoll(facts_.at(row, "value").c_str());
  }
  if (month != month_text(asked.query.wall_us)) sent = 0;
  const auto volume = [&](const Row& row) {
    return std::atoll(plan.at(row, "from_volume").c_str());
  };
  const auto rows = most_specific(plan, asked.rows(plan), {"mccmnc", "mcc", "prefix"},
                                  [&](const Row& row) { return volume(row) <= sent; });
  if (rows.empty()) return std::nullopt;
  const Row* const best = *std::max_element(
      rows.begin(), rows.end(), [&](auto a, auto b) { return volume(*a) < volume(*b); });
  return base_amount(plan, *best, false);
}

std::optional<std::int64_t> Oracle::cost(const string& carrier, const Asked& asked) const {
  const Table& book = table("rates/" + carrier + ".csv");
  const auto rows =
      most_specific(book, asked.rows(book), {"mccmnc", "prefix", "mcc"}, [&](const Row& row) {
        return book.at(row, "sender").empty() || book.at(row, "sender") == asked.type;
      });
  const bool own = std::any_of(rows.begin(), rows.end(),
                               [&](const Row* row) { return !book.at(*row, "sender").empty(); });
  std::optional<std::int64_t> total;
  for (const Row* row : rows) {
    if (own && book.at(*row, "sender").empty()) continue;
    std::int64_t amount = base_amount(book, *row, true);
    if (book.at(*row, "charge") == "delivered")
      amount = divided_up(Wide{amount} * learned(carrier, asked).value_or(kMillion), kMillion);
    total = total.value_or(0) + amount;
  }
  return total;
}

// Why the rules or the prices rule a carrier out; "" = they do not.
string Oracle::drop(const string& carrier, const Asked& asked, std::optional<std::int64_t> cost,
                    std::int64_t price) const {
  const auto rule = [&](const string& column) { return field("rules.csv", asked, column); };
  const string allow = rule("allow"), deny = rule("deny"), least = rule("min_margin"),
               percent = rule("min_margin_percent"), floor = rule("min_quality");
  if ((!allow.empty() && allow != "all" && !listed(allow, carrier)) || listed(deny, carrier) ||
      deny == "all")
    return "not_allowed";
  const Table& carriers = table("carriers.csv");
  for (const Row& row : carriers.rows) {
    const string& senders = carriers.at(row, "senders");
    if (carriers.at(row, "carrier") == carrier && !senders.empty() && !asked.type.empty() &&
        !listed(senders, asked.type))
      return "sender_not_supported";
  }
  if (!floor.empty() && quality(carrier, asked) * (100 * kBillion / kMillion) < nano(floor))
    return "quality_floor";
  if (!cost) return "no_cost";
  const std::int64_t margin = price - *cost;
  if (margin < 0 && rule("on_loss") != "allow") return "at_loss";
  if (!least.empty() && margin < nano(least)) return "below_margin";
  if (!percent.empty() && Wide{margin} * 100 * kBillion < Wide{price} * nano(percent))
    return "below_margin";
  if (asked.query.down.contains(carrier)) return "bind_down";
  if (asked.query.full.contains(carrier)) return "over_pace";
  return "";
}

void Oracle::choose(const Asked& asked, Route& route) const {
  const auto rule = [&](const string& column) { return field("rules.csv", asked, column); };
  std::vector<Choice> choices;
  const string priorities = rule("priorities"), weights = rule("weights");
  for (std::size_t id = 0; id < carriers_.size(); ++id) {
    const string& name = carriers_[id];
    if (name.empty()) continue;
    const auto asks = cost(name, asked);
    const string why = drop(name, asked, asks, route.price);
    route.verdicts[name] = why.empty() ? "cut" : why;
    if (!why.empty()) continue;
    choices.push_back({{name, *asks, route.price - *asks},
                       quality(name, asked),
                       number_in(priorities, name, 65'535),
                       number_in(weights, name, 0),
                       id});
  }
  const string order = rule("order"), attempts = rule("max_attempts");
  sort_choices(choices, order);
  if (order == "weighted") draw_by_weight(choices, asked.query.draw);
  if (order == "quality") explore(choices, asked.query.draw, rule("explore_percent"));
  const std::size_t most = attempts.empty() ? 8 : std::stoul(attempts);
  for (std::size_t i = 0; i < choices.size() && i < most; ++i) {
    route.candidates.push_back(choices[i].candidate);
    route.verdicts[choices[i].candidate.carrier] = "chosen";
  }
  route.reason = choices.empty() ? "no_route" : "chosen";
}

Route Oracle::decide(const Query& query) const {
  Route route;
  const auto number = number_of(query);
  if (!number) {
    route.reason = "bad_number";
    return route;
  }
  route.number = *number;
  route.destination = destination_of(*number);
  Asked asked{query, *number, route.destination, ""};
  const Table& clients = table("clients.csv");
  for (const Row& row : clients.rows) {
    if (clients.at(row, "client") == query.client) asked.plan = clients.at(row, "plan");
  }
  const string sender = sender_reason(asked, route);
  const auto sold = price(asked);
  route.price = sold.value_or(0);
  if (field("rules.csv", asked, "blocked") == "yes")
    route.reason = "blocked";
  else if (!open_now(field("rules.csv", asked, "hours"), query.wall_us))
    route.reason = "outside_hours";
  else if (!sender.empty())
    route.reason = sender;
  else if (!sold)
    route.reason = "no_price";
  else
    choose(asked, route);
  if (route.verdicts.empty()) {
    for (const string& carrier : carriers_) {
      if (!carrier.empty()) route.verdicts[carrier] = route.reason;
    }
  }
  return route;
}

}  // namespace tollgate::oracle
