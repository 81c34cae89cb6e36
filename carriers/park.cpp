#include "carriers/park.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "core/check.h"

namespace tollgate::carriers {

Park::Park(const ParkLimits& limits)
    : items_(limits.items_max),
      blocks_(static_cast<std::uint32_t>(limits.octets_max / sizeof(Block))),
      chain_mask_(std::bit_ceil(std::max<std::size_t>(limits.items_max / 4, 16)) - 1),
      chains_(chain_mask_ + 1) {}

Park::Item Park::add(const Receipt& receipt, std::span<const std::uint8_t> pdu) {
  const Item item = items_.take();
  if (item == kNone) return kNone;
  Entry& entry = items_[item];
  if (!store(entry, pdu)) {
    items_.release(item);
    return kNone;
  }
  entry.number = 0;
  entry.contents = receipt.contents;
  entry.came_us = receipt.came_us;
  entry.hash[0] = receipt.keys[0];
  entry.hash[1] = receipt.keys[1];
  entry.keys = receipt.keys[0] == receipt.keys[1] ? 1 : 2;
  entry.queue = receipt.queue;
  entry.deadline_us = receipt.deadline_us;
  for (std::uint32_t key = 0; key < entry.keys; ++key) link_chain(item * 2 + key);
  link_age(item);
  return item;
}

bool Park::store(Entry& entry, std::span<const std::uint8_t> pdu) {
  entry.block = kNone;
  entry.length = static_cast<std::uint32_t>(pdu.size());
  std::uint32_t* link = &entry.block;
  while (!pdu.empty()) {
    const std::uint32_t at = blocks_.take();
    if (at == kNone) {
      free_blocks(entry.block);
      return false;
    }
    Block& block = blocks_[at];
    const std::size_t part = std::min(pdu.size(), kBlockOctets);
    std::memcpy(block.octets, pdu.data(), part);
    pdu = pdu.subspan(part);
    block.next = kNone;
    *link = at;
    link = &block.next;
  }
  return true;
}

void Park::free_blocks(std::uint32_t block) {
  while (block != kNone) {
    const std::uint32_t next = blocks_[block].next;
    blocks_.release(block);
    block = next;
  }
}

bool Park::room_for(std::uint64_t key) const {
  std::uint32_t count = 0;
  for (Item item = first_of(key); item != kNone; item = next_of(item, key)) ++count;
  return count < kOfOneKey;
}

std::uint32_t Park::find_from(std::uint32_t node, std::uint64_t hash) const {
  while (node != kNone && items_[node / 2].hash[node % 2] != hash) {
    node = items_[node / 2].chain_next[node % 2];
  }
  return node;
}

Park::Item Park::first_of(std::uint64_t hash) const {
  const std::uint32_t node = find_from(chain(hash).first, hash);
  return node == kNone ? kNone : node / 2;
}

Park::Item Park::next_of(Item after, std::uint64_t hash) const {
  const Entry& entry = items_[after];
  const std::uint32_t key = entry.hash[0] == hash ? 0 : 1;
  const std::uint32_t node = find_from(entry.chain_next[key], hash);
  return node == kNone ? kNone : node / 2;
}

std::span<const std::uint8_t> Park::pdu(Item item, std::span<std::uint8_t> scratch) const {
  const Entry& entry = items_[item];
  TOLLGATE_CHECK(entry.length <= scratch.size(), "room for a parked receipt");
  std::size_t at = 0;
  for (std::uint32_t block = entry.block; block != kNone; block = blocks_[block].next) {
    const std::size_t part = std::min<std::size_t>(entry.length - at, kBlockOctets);
    std::memcpy(scratch.data() + at, blocks_[block].octets, part);
    at += part;
  }
  return scratch.first(at);
}

void Park::remove(Item item) {
  const Entry& entry = items_[item];
  for (std::uint32_t key = 0; key < entry.keys; ++key) unlink_chain(item * 2 + key);
  unlink_age(item);
  free_blocks(entry.block);
  items_.release(item);
}

void Park::wait(Item item, Queue queue, std::int64_t deadline_us) {
  unlink_age(item);
  items_[item].queue = queue;
  items_[item].deadline_us = deadline_us;
  link_age(item);
}

Park::Item Park::due(std::int64_t now_us, std::int64_t since_us) const {
  const Item reused = ages_[static_cast<std::size_t>(Queue::reused)].first;
  if (reused != kNone && items_[reused].came_us < since_us) return reused;
  Item found = kNone;
  std::int64_t deadline_us = now_us;
  for (const Ends& ends : ages_) {
    if (ends.first == kNone || items_[ends.first].deadline_us > deadline_us) continue;
    found = ends.first;
    deadline_us = items_[found].deadline_us;
  }
  return found;
}

std::int64_t Park::next_deadline() const {
  std::int64_t deadline_us = std::numeric_limits<std::int64_t>::max();
  for (const Ends& ends : ages_) {
    if (ends.first != kNone) deadline_us = std::min(deadline_us, items_[ends.first].deadline_us);
  }
  return deadline_us;
}

void Park::link_chain(std::uint32_t node) {
  Entry& entry = items_[node / 2];
  Ends& ends = chain(entry.hash[node % 2]);
  entry.chain_next[node % 2] = kNone;
  entry.chain_prev[node % 2] = ends.last;
  (ends.last == kNone ? ends.first : items_[ends.last / 2].chain_next[ends.last % 2]) = node;
  ends.last = node;
}

void Park::unlink_chain(std::uint32_t node) {
  const Entry& entry = items_[node / 2];
  Ends& ends = chain(entry.hash[node % 2]);
  const std::uint32_t prev = entry.chain_prev[node % 2];
  const std::uint32_t next = entry.chain_next[node % 2];
  (prev == kNone ? ends.first : items_[prev / 2].chain_next[prev % 2]) = next;
  (next == kNone ? ends.last : items_[next / 2].chain_prev[next % 2]) = prev;
}

void Park::link_age(Item item) {
  Entry& entry = items_[item];
  Ends& ends = ages_[static_cast<std::size_t>(entry.queue)];
  entry.newer = kNone;
  entry.older = ends.last;
  (ends.last == kNone ? ends.first : items_[ends.last].newer) = item;
  ends.last = item;
}

void Park::unlink_age(Item item) {
  const Entry& entry = items_[item];
  Ends& ends = ages_[static_cast<std::size_t>(entry.queue)];
  (entry.older == kNone ? ends.first : items_[entry.older].newer) = entry.newer;
  (entry.newer == kNone ? ends.last : items_[entry.newer].older) = entry.older;
}

}  // namespace tollgate::carriers
