// Rate books -> offers: what each carrier asks at each destination, with what was learned.
#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "routing/compile/build_parts.h"

namespace tollgate::routing {
namespace {

// What a carrier charges for a thing. kNone = no such charge; neither = no row.
struct Charges {
  Nano submit = kNone, delivered = kNone;
  bool any() const { return submit != kNone || delivered != kNone; }
  void add(const AmountRow& row) { (row.basis == 0 ? submit : delivered) = row.amount; }
  Nano cost(std::uint32_t delivered_ppm) const {
    const Nano known = submit == kNone ? 0 : submit;
    return delivered == kNone ? known : known + share_up(delivered, delivered_ppm);
  }
};

class CostBuilder {
 public:
  CostBuilder(SourceTables& source, Tables& tables)
      : source_(source),
        tables_(tables),
        carriers_(tables.carriers.size()),
        places_(tables.destinations.size()) {}

  void run() {
    const bool by_sender = has_sender_rates(source_);
    const std::size_t books = by_sender ? kSenders : 1;
    cells_.resize(places_ * carriers_);
    tables_.places.reserve(places_ * books);
    tables_.exact.resize(places_ * books);
    for (std::size_t sender = 0; sender < books; ++sender) {
      if (by_sender) tables_.offers_of[sender] = sender * places_;
      std::fill(cells_.begin(), cells_.end(), Charges{});
      fill(Sender::none);
      if (by_sender && sender != std::size_t(Sender::none)) fill(static_cast<Sender>(sender));
      inherit(sender * places_);
      sort_offers();
    }
    std::erase_if(source_.rates, [](const AmountRow& row) { return row.length == 0; });
    std::sort(source_.rates.begin(), source_.rates.end(),
              [](const AmountRow& a, const AmountRow& b) {
                return std::tie(a.key, a.length, a.owner, a.sender, a.basis) <
                       std::tie(b.key, b.length, b.owner, b.sender, b.basis);
              });
  }

 private:
  Charges& at(std::size_t destination, std::size_t carrier) {
    return cells_[destination * carriers_ + carrier];
  }

  // The rows for such senders. They are the whole charge: what holds for everyone goes.
  void fill(Sender sender) {
    const AmountRow* last = nullptr;
    for (const AmountRow& row : source_.rates) {
      if (row.length != 0 || row.sender != sender) continue;
      Charges& cell = at(row.key, row.owner);
      // Both charges of a thing lie beside each other.
      if (last == nullptr || last->key != row.key || last->owner != row.owner) cell = {};
      cell.add(row);
      last = &row;
    }
  }

  // A network without a row of its own has its country's. Countries are never networks.
  void inherit(std::size_t offset) {
    for (std::size_t id = 1; id < places_; ++id) {
      const std::size_t country = source_.country_of[id];
      if (country == id) continue;
      for (std::size_t carrier = 0; carrier < carriers_; ++carrier) {
        Charges& cell = at(id, carrier);
        if (cell.any())
          tables_.exact[offset + id].add(carrier);
        else
          cell = at(country, carrier);
      }
    }
  }

  void sort_offers() {
    for (std::size_t id = 0; id < places_; ++id) {
      Place place;
      place.offers_begin = static_cast<std::uint32_t>(tables_.offers.size());
      const auto learned = tables_.learned_at(static_cast<std::uint32_t>(id));
      auto known = learned.begin();
      for (std::size_t carrier = 0; carrier < carriers_; ++carrier) {
        while (known != learned.end() && known->carrier < carrier) ++known;
        const bool is_learned = known != learned.end() && known->carrier == carrier;
        const Charges& cell = at(id, carrier);
        if (!cell.any()) continue;
        tables_.offers.emplace_back(cell.cost(is_learned ? known->delivered_ppm : kPpm),
                                    static_cast<std::uint16_t>(carrier));
      }
      place.offers_end = static_cast<std::uint32_t>(tables_.offers.size());
      std::sort(tables_.offers.begin() + place.offers_begin, tables_.offers.end());
      tables_.places.push_back(place);
    }
  }

  SourceTables& source_;
  Tables& tables_;
  const std::size_t carriers_, places_;
  std::vector<Charges> cells_;
};

// What is known of carriers and destinations that the tables have.
void build_learned(const Facts& facts, Tables& tables) {
  std::unordered_map<std::string_view, std::uint32_t> destinations, carriers;
  for (std::uint32_t id = 1; id < tables.destinations.size(); ++id)
    destinations.emplace(tables.destinations[id].mccmnc, id);
  for (std::uint32_t id = 0; id < tables.carriers.size(); ++id) {
    if (!tables.carriers[id].name.empty()) carriers.emplace(tables.carriers[id].name, id);
  }
  std::vector<std::pair<std::uint32_t, LearnedQuality>> all;
  for (const LearnedRate& rate : facts.rates) {
    const auto destination = destinations.find(rate.destination);
    const auto carrier = carriers.find(rate.carrier);
    if (destination == destinations.end() || carrier == carriers.end()) continue;
    all.emplace_back(destination->second,
                     LearnedQuality{static_cast<std::uint16_t>(carrier->second),
                                    std::min(rate.delivered_ppm, kPpm)});
  }
  if (all.empty()) return;
  const auto thing = [](const auto& one) { return std::pair(one.first, one.second.carrier); };
  std::stable_sort(all.begin(), all.end(),
                   [&](const auto& a, const auto& b) { return thing(a) < thing(b); });
  all.erase(std::unique(all.begin(), all.end(),
                        [&](const auto& a, const auto& b) { return thing(a) == thing(b); }),
            all.end());
  tables.learned_begin.resize(tables.destinations.size() + 1);
  for (const auto& [destination, learned] : all) {
    ++tables.learned_begin[destination + 1];
    tables.learned.push_back(learned);
  }
  for (std::size_t i = 1; i < tables.learned_begin.size(); ++i)
    tables.learned_begin[i] += tables.learned_begin[i - 1];
}

}  // namespace

bool has_sender_rates(const SourceTables& source) {
  return std::any_of(source.rates.begin(), source.rates.end(),
                     [](const AmountRow& row) { return row.sender != Sender::none; });
}

void build_costs(SourceTables& source, const CompileOptions& options, Tables& tables) {
  if (options.facts != nullptr) build_learned(*options.facts, tables);
  CostBuilder(source, tables).run();
}

}  // namespace tollgate::routing
