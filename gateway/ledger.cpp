#include "gateway/ledger.h"

#include <algorithm>

#include "core/check.h"

namespace tollgate::gateway {

// One to begin with, and one to go over to while messages of the first still live.
MessageIndex::MessageIndex(std::uint64_t first)
    : base_(first >> kRegionBits), spare_region_(std::make_unique<Region>()) {
  regions_.push_back(std::make_unique<Region>());
}

void MessageIndex::add(std::uint64_t counter, std::uint32_t place) {
  const std::uint64_t number = counter >> kRegionBits;
  for (; number < base_; --base_) regions_.push_front(nullptr);
  const std::uint64_t at = number - base_;
  while (regions_.size() <= at) {
    drop_if_empty(regions_.back());
    regions_.push_back(new_region());
  }
  if (!regions_[at]) regions_[at] = new_region();
  Region& region = *regions_[at];
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

std::unique_ptr<MessageIndex::Region> MessageIndex::new_region() {
  return spare_region_ ? std::move(spare_region_) : std::make_unique<Region>();
}

void MessageIndex::remove(std::uint64_t counter) {
  const std::uint64_t at = (counter >> kRegionBits) - base_;
  Region& region = *regions_[at];
  auto& page = region.pages[(counter >> kPageBits) & (region.pages.size() - 1)];
  page->places[counter & (page->places.size() - 1)] = kNoPlace;
  if (--page->live != 0) return;
  if (spare_pages_.size() < kSparePages) {
    spare_pages_.push_back(std::move(page));
  }
  page.reset();
  --region.live;
  // The newest region stays: the next id is in it, or in the one behind it.
  if (at + 1 == regions_.size()) return;
  drop_if_empty(regions_[at]);
  while (!regions_.front()) {
    regions_.pop_front();
    ++base_;
  }
}

void MessageIndex::drop_if_empty(std::unique_ptr<Region>& region) {
  if (!region || region->live != 0) return;
  spare_region_ = std::move(region);
}

std::uint32_t MessageIndex::find(std::uint64_t counter) const {
  const std::uint64_t region_number = counter >> kRegionBits;
  if (region_number < base_ || region_number - base_ >= regions_.size()) return kNoPlace;
  const auto& region = regions_[region_number - base_];
  if (!region) return kNoPlace;
  const auto& page = region->pages[(counter >> kPageBits) & (region->pages.size() - 1)];
  return page ? page->places[counter & (page->places.size() - 1)] : kNoPlace;
}

Ledger::Ledger(unsigned shard, std::uint32_t capacity, std::int64_t start_wall_us,
               core::BufferPool& buffers)
    : home_bits_(std::uint64_t{shard} << kMessageCounterBits),
      next_counter_((static_cast<std::uint64_t>(start_wall_us) << kIdsPerMicrosecondBits) &
                    kMessageCounterMask),
      buffers_(buffers),
      index_(next_counter_),
      messages_(capacity) {}

Message* Ledger::accept(std::size_t body_length, const core::Now& now) {
  const std::uint32_t place = messages_.take();
  if (place == kNoPlace) return nullptr;
  if (place >= places_) places_ = place + 1;
  Message& message = messages_[place];
  const std::uint64_t counter = next_counter_;
  next_counter_ = (next_counter_ + 1) & kMessageCounterMask;
  message.id = home_bits_ | counter;
  message.public_id = message.id;
  message.accepted_us = now.mono_us;
  message.accepted_wall_us = now.wall_us;
  message.body = buffers_.take(body_length);
  message.body_length = static_cast<std::uint32_t>(body_length);
  index_.add(counter, place);
  return &message;
}

Message* Ledger::restore(MessageId id, std::size_t body_length) {
  TOLLGATE_CHECK((id & ~kMessageCounterMask) == home_bits_, "a message is restored at its home");
  const std::uint32_t place = messages_.take();
  if (place == kNoPlace) return nullptr;
  if (place >= places_) places_ = place + 1;
  Message& message = messages_[place];
  message.id = id;
  if (body_length != 0) message.body = buffers_.take(body_length);
  message.body_length = static_cast<std::uint32_t>(body_length);
  index_.add(id & kMessageCounterMask, place);
  begin_behind(id);
  return &message;
}

void Ledger::begin_behind(MessageId id) {
  next_counter_ = std::max(next_counter_, (id & kMessageCounterMask) + 1);
}

void Ledger::settle(Message& message) {
  const std::uint32_t place = place_of(message);
  TOLLGATE_CHECK(place != kNoPlace, "a message is settled once");
  index_.remove(message.id & kMessageCounterMask);
  messages_.release(place);
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
