#include "gateway/clients/auth_queue.h"

#include <algorithm>

namespace tollgate::gateway {

std::uint64_t AuthQueue::join(Lines& lines, std::uint64_t key, std::uint64_t served) {
  Line& line = lines[key];
  line.last_turn = std::max(line.last_turn, served) + 1;
  return line.last_turn;
}

void AuthQueue::leave(Lines& lines, std::uint64_t key, const Place& place) {
  const auto at = lines.find(key);
  at->second.places.erase(place);
  if (at->second.places.empty()) lines.erase(at);
}

AuthPending AuthQueue::leave(Order::iterator at) {
  const AuthPending request = at->second.request;
  leave(sources_, at->second.source, at->first);
  leave(accounts_, at->second.account, at->first);
  places_.erase({request.shard, request.session});
  order_.erase(at);
  return request;
}

std::optional<AuthPending> AuthQueue::add(const AuthPending& request, const Keys& keys) {
  const std::uint64_t turn = join(sources_, keys.source, served_);
  const Place place{keys.in, turn, join(accounts_, keys.account, served_account_), numbers_++};
  order_.emplace(place, Waiting{request, keys.source, keys.account});
  sources_[keys.source].places.insert(place);
  accounts_[keys.account].places.insert(place);
  places_.insert_or_assign({request.shard, request.session}, place);
  if (order_.size() <= max_) return std::nullopt;
  return leave(std::prev(order_.end()));
}

std::optional<AuthPending> AuthQueue::take() {
  if (order_.empty()) return std::nullopt;
  auto at = order_.begin();
  if (at->first.in != AuthClass::known_good && ++takes_ % kShare == 0) {
    const auto owing = order_.lower_bound({AuthClass::failed_lately, 0, 0, 0});
    if (owing != order_.end()) at = owing;
  }
  served_ = std::max(served_, at->first.turn);
  served_account_ = std::max(served_account_, at->first.account_turn);
  return leave(at);
}

void AuthQueue::demote(std::uint64_t source) {
  const auto line = sources_.find(source);
  if (line == sources_.end()) return;
  std::set<Place>& places = line->second.places;
  const Place first{AuthClass::clean, 0, 0, 0};
  for (auto at = places.lower_bound(first); at != places.end() && at->in == AuthClass::clean;
       at = places.lower_bound(first)) {
    Place place = *at;
    auto node = order_.extract(place);
    auto& of_account = accounts_[node.mapped().account].places;
    places.erase(at);
    of_account.erase(place);
    place.in = AuthClass::failed_lately;
    node.key() = place;
    places.insert(place);
    of_account.insert(place);
    const AuthPending& request = node.mapped().request;
    places_[{request.shard, request.session}] = place;
    order_.insert(std::move(node));
  }
}

std::optional<AuthPending> AuthQueue::cancel(unsigned shard, std::uint64_t session) {
  const auto found = places_.find({shard, session});
  if (found == places_.end()) return std::nullopt;
  return leave(order_.find(found->second));
}

}  // namespace tollgate::gateway
