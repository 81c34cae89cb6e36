#include "carriers/binds.h"

#include <algorithm>
#include <limits>

namespace tollgate::carriers {

void Binds::configure(bool start) {
  const std::vector<BindConfig>& wanted = shared_.config.binds;
  shared_.counters.binds.grow_to(wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (i < binds_.size() && binds_[i]->config().same_session(wanted[i])) {
      binds_[i]->change(wanted[i].window);
      continue;
    }
    auto bind = std::make_unique<Bind>(shared_, i);
    if (start) bind->start();
    if (i == binds_.size()) {
      binds_.push_back(std::move(bind));
    } else {
      bind.swap(binds_[i]);
      leave(std::move(bind), i, i);
    }
  }
  while (binds_.size() > wanted.size()) {
    auto bind = std::move(binds_.back());
    binds_.pop_back();
    leave(std::move(bind), binds_.size(), kNone);
  }
  changed();
}

// What it would have replaced itself waits for its successor, or goes with it.
void Binds::leave(std::unique_ptr<Bind> bind, std::size_t place, std::size_t successor) {
  Bind& left = *bind;
  for (Leaving& each : leaving_) {
    if (each.successor == place) each.successor = successor;
  }
  leaving_.push_back({std::move(bind), successor});
  left.leave();
  if (successor != kNone) return;
  for (std::size_t i = 0; i < leaving_.size(); ++i) {
    if (leaving_[i].successor == kNone) leaving_[i].bind->stop();
  }
  BindCounters& counters = shared_.counters.binds[place];
  counters.window_max.set(0);
  counters.state.set(static_cast<std::uint64_t>(BindState::stopped));
}

void Binds::start() {
  for (const auto& bind : binds_) bind->start();
}

void Binds::stop() {
  for (std::size_t i = 0; i < count(); ++i) at(i).stop();
}

void Binds::halt() {
  for (std::size_t i = 0; i < count(); ++i) at(i).halt();
}

bool Binds::idle() const {
  for (std::size_t i = 0; i < count(); ++i) {
    if (!at(i).idle()) return false;
  }
  return true;
}

void Binds::tick() {
  for (std::size_t i = 0; i < count(); ++i) at(i).tick();
  std::erase_if(leaving_, [](const Leaving& each) { return each.bind->idle(); });
}

std::int64_t Binds::next_tick_us() const {
  std::int64_t next = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 0; i < count(); ++i) next = std::min(next, at(i).next_tick_us());
  return next;
}

std::int64_t Binds::throttled_until_us(std::int64_t now_us) const {
  std::int64_t next = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 0; i < count(); ++i) {
    const std::int64_t until_us = at(i).throttled_until_us(now_us);
    if (until_us != 0) next = std::min(next, until_us);
  }
  return next;
}

bool Binds::probing() const {
  for (std::size_t i = 0; i < count(); ++i) {
    if (at(i).transmits() && !at(i).probing()) return false;
  }
  return true;
}

void Binds::changed() {
  for (std::size_t i = 0; i < leaving_.size(); ++i) {
    const std::size_t successor = leaving_[i].successor;
    const bool relieved = successor != kNone && binds_[successor]->state() == BindState::bound;
    if (relieved && leaving_[i].bind->state() == BindState::bound) leaving_[i].bind->stop();
  }
  transmitting_ = 0;
  windows_ = 0;
  for (std::size_t i = 0; i < count(); ++i) {
    if (!at(i).transmits()) continue;
    ++transmitting_;
    windows_ += at(i).config().window;
  }
}

bool Binds::replaces(const Bind& bind) const {
  return std::any_of(leaving_.begin(), leaving_.end(), [&](const Leaving& each) {
    return each.successor != kNone && binds_[each.successor].get() == &bind;
  });
}

void Binds::make_room(const Bind& bind) {
  for (std::size_t i = 0; i < leaving_.size(); ++i) {
    const std::size_t successor = leaving_[i].successor;
    if (successor != kNone && binds_[successor].get() == &bind) leaving_[i].bind->stop();
  }
}

// The bind with the fewest submits outstanding; among equals, in turn.
Bind* Binds::pick(Bind* same, std::int64_t now_us) {
  if (same != nullptr) return same->can_send(now_us) ? same : nullptr;
  Bind* best = nullptr;
  std::size_t place = next_;
  for (std::size_t i = 0; i < count(); ++i, ++place) {
    if (place >= count()) place = 0;
    Bind& bind = at(place);
    if (!bind.can_send(now_us) || (best != nullptr && bind.in_use() >= best->in_use())) continue;
    best = &bind;
    next_ = place + 1;
  }
  return best;
}

std::int64_t Binds::since_us() const {
  std::int64_t oldest = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 0; i < count(); ++i) oldest = std::min(oldest, at(i).since_us());
  return oldest;
}

std::uint64_t Binds::windows_free(std::int64_t now_us) const {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < count(); ++i) {
    const Window& window = at(i).window();
    if (at(i).can_send(now_us)) total += window.max() - window.in_use();
  }
  return total;
}

std::uint64_t Binds::windows_left() const {
  std::uint64_t total = 0;
  for (const Leaving& each : leaving_) total += each.bind->config().window;
  return total;
}

}  // namespace tollgate::carriers
