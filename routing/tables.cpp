#include "routing/tables.h"

namespace tollgate::routing {
namespace {

template <class Named>
int find_name(const std::vector<Named>& all, std::string_view name) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

template <class Vector>
std::size_t size_of(const Vector& all) {
  return all.capacity() * sizeof(typename Vector::value_type);
}

}  // namespace

const char* order_name(Order order) {
  switch (order) {
    case Order::least_cost:
      return "least_cost";
    case Order::priority:
      return "priority";
    case Order::weighted:
      return "weighted";
    case Order::quality:
      return "quality";
  }
  return "";
}

const char* sender_name(Sender sender) {
  switch (sender) {
    case Sender::alphanumeric:
      return "alphanumeric";
    case Sender::numeric:
      return "numeric";
    case Sender::short_code:
      return "short_code";
    case Sender::none:
      return "none";
  }
  return "";
}

Sender sender_of(std::string_view source, std::uint8_t source_ton) {
  constexpr std::uint8_t kTonNetworkSpecific = 3, kTonAlphanumeric = 5, kTonAbbreviated = 6;
  if (source.empty()) return Sender::none;
  if (source_ton == kTonAlphanumeric) return Sender::alphanumeric;
  const std::string_view digits = source.substr(source[0] == '+' ? 1 : 0);
  for (char c : digits) {
    if (c < '0' || c > '9') return Sender::alphanumeric;
  }
  const bool is_short = digits.size() <= kShortCodeDigitsMax || source_ton == kTonNetworkSpecific ||
                        source_ton == kTonAbbreviated;
  return is_short ? Sender::short_code : Sender::numeric;
}

std::string_view denied_form(std::string_view sender, char* out) {
  if (sender.starts_with('+')) sender.remove_prefix(1);
  if (sender.size() > kSenderOctetsMax) return {};
  for (std::size_t i = 0; i < sender.size(); ++i) {
    const char c = sender[i];
    out[i] = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return {out, sender.size()};
}

std::uint32_t Portability::find(NumberKey key) const {
  if (keys.empty()) return 0;
  const std::size_t mask = keys.size() - 1;
  for (std::size_t slot = slot_of(key) & mask;; slot = (slot + 1) & mask) {
    if (keys[slot] == key) return destinations[slot];
    if (keys[slot] == 0) return 0;
  }
}

std::size_t Portability::slot_of(NumberKey key) {
  return static_cast<std::size_t>((key * 0x9e3779b97f4a7c15u) >> 32);
}

int Tables::find_carrier(std::string_view name) const {
  return find_name(carriers, name);
}
int Tables::find_client(std::string_view name) const {
  return find_name(clients, name);
}

std::vector<std::uint64_t> Tables::thresholds(std::uint16_t client) const {
  const std::uint16_t plan = clients[client].plan;
  return plan < plan_thresholds.size() ? plan_thresholds[plan] : std::vector<std::uint64_t>();
}

std::size_t Tables::bytes() const {
  return sizeof *this + index.bytes() + size_of(nodes) + size_of(prefix_costs) +
         size_of(prefix_prices) + size_of(prefix_delivered) + size_of(learned) +
         size_of(learned_begin) + size_of(sender_rules) + size_of(sender_ids) + size_of(denied) +
         size_of(places) + size_of(offers) + size_of(exact) + prices.bytes() + size_of(rules) +
         size_of(ranks) + size_of(rule_ids) + size_of(portability.keys) +
         size_of(portability.destinations) + size_of(carriers) + size_of(clients) + size_of(plans) +
         size_of(destinations);
}

}  // namespace tollgate::routing
