#include "gateway/messages/ledger.h"

#include <algorithm>

#include "core/check.h"

namespace tollgate::gateway {

// One to begin with, and one to go over to while messages of the first still live.
MessageIndex::MessageIndex(std::uint64_t first) : spare_region_(std::make_unique<Region>()) {
  regions_.reserve(64);
  regions_.push_back({first >> kRegionBits, std::make_unique<Region>()});
}

// Nearly always the newest.
MessageIndex::Regions::const_iterator MessageIndex::at(std::uint64_t number) const {
  if (regions_.back().number == number) return regions_.end() - 1;
  return std::lower_bound(
      regions_.begin(), regions_.end(), number,
      [](const Numbered& one, std::uint64_t wanted) { return one.number < wanted; });
}

MessageIndex::Region& MessageIndex::region(std::uint64_t number) {
  auto found = at(number);
  if (found != regions_.end() && found->number == number) return *found->region;
  if (found == regions_.end() && regions_.back().region->live == 0) {
    drop(regions_.end() - 1);  // the newest no longer
    found = regions_.end();
  }
  auto made = spare_region_ ? std::move(spare_region_) : std::make_unique<Region>();
  return *regions_.insert(found, {number, std::move(made)})->region;
}

void MessageIndex::drop(Regions::const_iterator at) {
  const auto own = regions_.begin() + (at - regions_.cbegin());
  spare_region_ = std::move(own->region);
  regions_.erase(own);
}

void MessageIndex::add(std::uint64_t counter, std::uint32_t place) {
  Region& region = this->region(counter >> kRegionBits);
  auto& page = region.pages[(counter >> kPageBits) & (region.pages.size() - 1)];
  if (!page) {
    if (spare_pages_.empty()) {
      page = std::make_unique<Page>();
    } else {
      page = std::move(spare_pages_.back());
      spare_pages_.pop_back();
    }
    page->places.fill(kNoPlace);
    page->live = 0;
    ++region.live;
  }
  page->places[counter & (page->places.size() - 1)] = place;
  ++page->live;
}

void MessageIndex::remove(std::uint64_t counter) {
  const auto found = at(counter >> kRegionBits);
  Region& region = *found->region;
  auto& page = region.pages[(counter >> kPageBits) & (region.pages.size() - 1)];
  page->places[counter & (page->places.size() - 1)] = kNoPlace;
  if (--page->live != 0) return;
  if (spare_pages_.size() < kSparePages) {
    spare_pages_.push_back(std::move(page));
  }
  page.reset();
  // The newest region stays: the next id is in it, or in the one behind it.
  if (--region.live == 0 && found + 1 != regions_.end()) drop(found);
}

std::uint32_t MessageIndex::find(std::uint64_t counter) const {
  const std::uint64_t number = counter >> kRegionBits;
  const auto found = at(number);
  if (found == regions_.end() || found->number != number) return kNoPlace;
  const Region& region = *found->region;
  const auto& page = region.pages[(counter >> kPageBits) & (region.pages.size() - 1)];
  return page ? page->places[counter & (page->places.size() - 1)] : kNoPlace;
}

Ledger::Ledger(unsigned shard, std::uint32_t capacity, std::int64_t start_wall_us,
               core::BufferPool& buffers, bool particulars)
    : home_bits_(std::uint64_t{shard} << kMessageCounterBits),
      capacity_(capacity),
      next_counter_((static_cast<std::uint64_t>(start_wall_us) << kIdsPerMicrosecondBits) &
                    kMessageCounterMask),
      buffers_(buffers),
      index_(next_counter_),
      messages_(capacity),
      particulars_(particulars ? capacity : 0) {}

// Places of both slabs are taken and given back together, so they are the same.
Message& Ledger::made(std::uint32_t place, MessageId id) {
  if (place >= places_) places_ = place + 1;
  Message& message = messages_[place];
  message.id = id;
  if (particulars_.capacity() == 0) return message;
  const std::uint32_t same = particulars_.take();
  TOLLGATE_CHECK(same == place, "a message's particulars are at its place");
  message.particulars = &particulars_[place];
  message.particulars->origin = id;
  return message;
}

Message* Ledger::accept(std::size_t body_length, const core::Now& now) {
  if (full()) return nullptr;
  const std::uint32_t place = messages_.take();
  const std::uint64_t counter = next_counter_;
  next_counter_ = (next_counter_ + 1) & kMessageCounterMask;
  Message& message = made(place, home_bits_ | counter);
  message.public_id = message.id;
  message.accepted_us = now.mono_us;
  message.accepted_wall_us = now.wall_us;
  message.body = buffers_.take(body_length);
  message.body_length = static_cast<std::uint32_t>(body_length);
  index_.add(counter, place);
  return &message;
}

Message& Ledger::restore(MessageId id, std::size_t body_length) {
  TOLLGATE_CHECK((id & ~kMessageCounterMask) == home_bits_, "a message is restored at its home");
  if (messages_.full()) {
    messages_.bound(messages_.capacity() + core::Slab<Message>::kChunk);
    if (particulars_.capacity() != 0) particulars_.bound(messages_.capacity());
  }
  const std::uint32_t place = messages_.take();
  Message& message = made(place, id);
  if (body_length != 0) message.body = buffers_.take(body_length);
  message.body_length = static_cast<std::uint32_t>(body_length);
  index_.add(id & kMessageCounterMask, place);
  begin_behind(id);
  return message;
}

void Ledger::begin_behind(MessageId id) {
  next_counter_ = std::max(next_counter_, (id & kMessageCounterMask) + 1);
}

void Ledger::settle(Message& message) {
  const std::uint32_t place = place_of(message);
  TOLLGATE_CHECK(place != kNoPlace, "a message is settled once");
  index_.remove(message.id & kMessageCounterMask);
  messages_.release(place);
  if (particulars_.capacity() != 0) particulars_.release(place);
}

Message* Ledger::find(MessageId id) {
  if ((id & ~kMessageCounterMask) != home_bits_) return nullptr;
  const std::uint32_t place = index_.find(id & kMessageCounterMask);
  return place == kNoPlace ? nullptr : &messages_[place];
}

Message* Ledger::find_short(std::uint32_t low) {
  std::uint64_t counter = (next_counter_ & ~std::uint64_t{0xffffffff}) | low;
  if (counter >= next_counter_) counter -= std::uint64_t{1} << 32;
  return find(home_bits_ | (counter & kMessageCounterMask));
}

std::uint32_t Ledger::place_of(const Message& message) const {
  return index_.find(message.id & kMessageCounterMask);
}

void MessageList::push_back(Ledger& ledger, std::uint32_t place) {
  ledger.at(place).next = kNoPlace;
  if (empty()) {
    head_ = place;
  } else {
    ledger.at(tail_).next = place;
  }
  tail_ = place;
  ++size_;
}

void MessageList::push_front(Ledger& ledger, std::uint32_t place) {
  ledger.at(place).next = head_;
  if (empty()) tail_ = place;
  head_ = place;
  ++size_;
}

void MessageList::prepend(Ledger& ledger, MessageList& other) {
  if (other.empty()) return;
  ledger.at(other.tail_).next = head_;
  if (empty()) tail_ = other.tail_;
  head_ = other.head_;
  size_ += other.size_;
  other = MessageList{};
}

std::uint32_t MessageList::pop_front(Ledger& ledger) {
  const std::uint32_t place = head_;
  head_ = ledger.at(place).next;
  if (head_ == kNoPlace) tail_ = kNoPlace;
  --size_;
  return place;
}

}  // namespace tollgate::gateway
