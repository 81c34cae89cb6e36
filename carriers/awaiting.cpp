#include "carriers/awaiting.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

#include "core/check.h"

namespace tollgate::carriers {

namespace {

constexpr std::uint32_t kSmall = 0;
constexpr std::uint32_t kMedium = 1;
constexpr std::uint32_t kLarge = 2;

std::size_t mark_count(std::uint32_t max) {
  return std::bit_ceil(std::clamp<std::size_t>(max / 64, 1024, 256 * 1024));
}

}  // namespace

Awaiting::Awaiting(std::uint32_t max, std::uint64_t seed)
    : max_(max),
      seed_(seed),
      small_(max),
      medium_(max),
      large_(max),
      mark_mask_(mark_count(max) - 1),
      marks_(static_cast<Mark*>(std::calloc(mark_mask_ + 1, sizeof(Mark)))) {
  TOLLGATE_CHECK(max >= 1 && max <= (1U << 28), "awaiting_max");
  if (marks_ == nullptr) throw std::bad_alloc();
  segments_.reserve(max / kSegment + 1);
  segments_.push_back(std::make_unique<std::uint32_t[]>(kSegment));
  std::fill_n(segments_[0].get(), kSegment, kNone);
  buckets_ = kSegment;
  base_ = kSegment;
}

void Awaiting::set_max(std::uint32_t max) {
  TOLLGATE_CHECK(max >= 1 && max <= (1U << 28), "awaiting_max");
  max_ = max;
  const std::uint32_t bound = std::max(max, size_ + 1);
  small_.bound(bound);
  medium_.bound(bound);
  large_.bound(bound);
  segments_.reserve(bound / kSegment + 1);
}

const Awaiting::Head& Awaiting::head_of(std::uint32_t handle) const {
  const std::uint32_t index = handle & ((1U << kIndexBits) - 1);
  switch (handle >> kIndexBits) {
    case kSmall:
      return small_[index].head;
    case kMedium:
      return medium_[index].head;
    default:
      return large_[index].head;
  }
}

Awaiting::Head& Awaiting::head_of(std::uint32_t handle) {
  return const_cast<Head&>(std::as_const(*this).head_of(handle));
}

const std::uint8_t* Awaiting::key_of(std::uint32_t handle) const {
  const std::uint32_t index = handle & ((1U << kIndexBits) - 1);
  switch (handle >> kIndexBits) {
    case kSmall:
      return small_[index].key;
    case kMedium:
      return medium_[index].key;
    default:
      return large_[index].key;
  }
}

std::uint8_t* Awaiting::key_of(std::uint32_t handle) {
  return const_cast<std::uint8_t*>(std::as_const(*this).key_of(handle));
}

std::uint32_t Awaiting::take(std::size_t key_length) {
  if (key_length <= sizeof(Small::key)) return small_.take() | kSmall << kIndexBits;
  if (key_length <= sizeof(Medium::key)) return medium_.take() | kMedium << kIndexBits;
  return large_.take() | kLarge << kIndexBits;
}

void Awaiting::release(std::uint32_t handle) {
  const std::uint32_t index = handle & ((1U << kIndexBits) - 1);
  switch (handle >> kIndexBits) {
    case kSmall:
      return small_.release(index);
    case kMedium:
      return medium_.release(index);
    default:
      return large_.release(index);
  }
}

std::uint32_t Awaiting::bucket_of(std::uint64_t hash) const {
  const auto low = static_cast<std::uint32_t>(hash);
  const std::uint32_t fine = low & (base_ * 2 - 1);
  return fine < buckets_ ? fine : low & (base_ - 1);
}

bool Awaiting::is(std::uint32_t handle, Key key) const {
  return (head_of(handle).time_and_length & 0xFF) == key.size() &&
         std::memcmp(key_of(handle), key.data(), key.size()) == 0;
}

std::uint32_t Awaiting::find_handle(Key key, std::uint64_t hash) const {
  std::uint32_t at = bucket(bucket_of(hash));
  while (at != kNone && !is(at, key)) at = head_of(at).next;
  return at;
}

std::optional<Awaiting::Meant> Awaiting::find(Key key, std::uint64_t hash) const {
  __builtin_prefetch(&marks_[mark_of(hash)], 1);  // settle() often comes next
  const std::uint32_t at = find_handle(key, hash);
  if (at == kNone) return std::nullopt;
  Meant meant;
  std::memcpy(&meant.message, head_of(at).message, sizeof meant.message);
  meant.number = head_of(at).number;
  return meant;
}

Awaiting::Added Awaiting::add(Key key, std::uint64_t hash, Meant meant, std::int64_t now_us) {
  TOLLGATE_CHECK(!key.empty() && key.size() <= kIdMax, "the length of an id's key");
  Added added = Added::added;
  std::uint32_t at = find_handle(key, hash);
  if (at != kNone) {
    added = Added::replaced;
    unlink_age(at);
  } else {
    if (size_ >= max_) {
      erase_oldest();
      if (size_ >= max_) erase_oldest();  // above a maximum that was lowered
      added = Added::evicted_another;
    }
    if (shorten(hash)) added = Added::evicted_another;
    at = take(key.size());
    std::memcpy(key_of(at), key.data(), key.size());
    head_of(at).time_and_length = static_cast<std::uint32_t>(key.size());
    ++size_;
    if (size_ > buckets_) grow();
    std::uint32_t& first = bucket(bucket_of(hash));
    head_of(at).next = first;
    first = at;
  }
  std::memcpy(head_of(at).message, &meant.message, sizeof meant.message);
  head_of(at).number = meant.number;
  link_newest(at, now_us);
  return added;
}

// New ones stand in front, so the last of a chain is the oldest, or about.
bool Awaiting::shorten(std::uint64_t hash) {
  std::uint32_t length = 0;
  std::uint32_t last = kNone;
  for (std::uint32_t at = bucket(bucket_of(hash)); at != kNone; at = head_of(at).next) {
    last = at;
    ++length;
  }
  if (length < kChainMax) return false;
  erase(last, hash);
  return true;
}

bool Awaiting::settle(Key key, std::uint64_t hash, std::uint64_t contents) {
  const std::uint32_t at = find_handle(key, hash);
  if (at == kNone) return false;
  marks_[mark_of(hash)] = {hash | 1, {contents, head_of(at).number}};
  erase(at, hash);
  return true;
}

std::size_t Awaiting::expire(std::int64_t now_us, std::int64_t age_us, std::size_t max) {
  const auto now = static_cast<std::uint32_t>(now_us >> kTickShift);
  // A tick more, since the moment within the first one is forgotten.
  const auto age = static_cast<std::uint32_t>(age_us >> kTickShift) + 1;
  std::size_t count = 0;
  while (count < max && oldest_ != kNone) {
    const std::uint32_t then = head_of(oldest_).time_and_length >> 8;
    if (((now - then) & kTickMask) <= age) break;
    erase_oldest();
    ++count;
  }
  return count;
}

void Awaiting::grow() {
  if (buckets_ % kSegment == 0) {
    segments_.push_back(std::unique_ptr<std::uint32_t[]>(new std::uint32_t[kSegment]));
  }
  const std::uint32_t to = buckets_;
  const std::uint32_t from = to - base_;
  bucket(to) = kNone;
  std::uint32_t at = std::exchange(bucket(from), kNone);
  ++buckets_;
  if (buckets_ == base_ * 2) base_ = buckets_;
  while (at != kNone) {
    Head& head = head_of(at);
    const Key key{key_of(at), head.time_and_length & 0xFF};
    std::uint32_t& first = bucket(bucket_of(this->hash(key)));
    const std::uint32_t next = std::exchange(head.next, first);
    first = std::exchange(at, next);
  }
}

void Awaiting::link_newest(std::uint32_t handle, std::int64_t now_us) {
  Head& head = head_of(handle);
  const auto tick = static_cast<std::uint32_t>(now_us >> kTickShift) & kTickMask;
  head.time_and_length = (tick << 8) | (head.time_and_length & 0xFF);
  head.older = newest_;
  head.newer = kNone;
  (newest_ == kNone ? oldest_ : head_of(newest_).newer) = handle;
  newest_ = handle;
}

void Awaiting::unlink_age(std::uint32_t handle) {
  const Head& head = head_of(handle);
  (head.older == kNone ? oldest_ : head_of(head.older).newer) = head.newer;
  (head.newer == kNone ? newest_ : head_of(head.newer).older) = head.older;
}

void Awaiting::unlink_bucket(std::uint32_t handle, std::uint64_t hash) {
  std::uint32_t* link = &bucket(bucket_of(hash));
  while (*link != handle) link = &head_of(*link).next;
  *link = head_of(handle).next;
}

void Awaiting::erase(std::uint32_t handle, std::uint64_t hash) {
  unlink_bucket(handle, hash);
  unlink_age(handle);
  release(handle);
  --size_;
}

void Awaiting::erase_oldest() {
  const Key key{key_of(oldest_), head_of(oldest_).time_and_length & 0xFF};
  erase(oldest_, hash(key));
}

}  // namespace tollgate::carriers
