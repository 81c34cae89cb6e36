// Published<T>: one immutable T that one writing thread replaces and many threads read.
//   1 Readers never wait: refresh() is one acquire load and, after a change, one release store;
//     current() between two refreshes is a plain pointer.
//   2 A replaced T is freed, on the writer's thread (publish or reclaim), only when every reader
//     has refreshed to a later one. A reader that never refreshes keeps the old ones alive.
//   3 Readers are made and ended on the writer's thread, or while no other thread runs.
//   4 A reader of a shard refreshes at the start of each of its turns; publish() wakes the shards,
//     so a sleeping shard passes a turn at once: none counts as passed without having passed.
// Why no fence is needed: a reader announces (seen, release) a version only after it has let go of
// the older ones, and the writer frees version v only when all have announced (acquire) more than
// v. A version that is being picked up is still protected by the older announcement of its reader.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/check.h"
#include "core/counters.h"
#include "core/shard.h"

namespace tollgate::core {

template <class T>
class Published {
 public:
  class Reader;

  explicit Published(std::unique_ptr<const T> first = nullptr)
      : node_(new Node{1, std::move(first)}), current_(node_.get()) {}
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;
  ~Published() { TOLLGATE_CHECK(readers_.empty(), "readers end before what they read"); }

  // Writer: replaces the value and frees what no reader can see any more.
  void publish(std::unique_ptr<const T> next) {
    auto node = std::unique_ptr<Node>(new Node{node_->version + 1, std::move(next)});
    current_.store(node.get(), std::memory_order_release);
    retired_.push_back(std::move(node_));
    node_ = std::move(node);
    for (Reader* reader : readers_) reader->wake();
    reclaim();
  }

  // Writer: frees what it can; returns how many replaced values are still kept.
  std::size_t reclaim() {
    std::uint64_t least = node_->version;
    for (const Reader* reader : readers_) {
      const std::uint64_t seen = reader->seen_.load(std::memory_order_acquire);
      if (seen < least) least = seen;
    }
    std::erase_if(retired_, [least](const auto& node) { return node->version < least; });
    return retired_.size();
  }

  // Writer.
  const T* current() const noexcept { return node_->value.get(); }
  std::uint64_t version() const noexcept { return node_->version; }

 private:
  struct Node {
    std::uint64_t version;
    std::unique_ptr<const T> value;
  };

  std::unique_ptr<Node> node_;
  std::vector<std::unique_ptr<Node>> retired_;
  std::vector<Reader*> readers_;
  alignas(kCacheLine) std::atomic<const Node*> current_;
};

template <class T>
class Published<T>::Reader final : public TurnStart {
 public:
  // Without a shard, the owner calls refresh() itself, at a moment when it uses no older value.
  explicit Reader(Published& published, Shard* shard = nullptr)
      : published_(published),
        shard_(shard),
        node_(published.node_.get()),
        seen_(published.node_->version) {
    published_.readers_.push_back(this);
    if (shard_ != nullptr) shard_->at_turn_start(*this);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() {
    std::erase(published_.readers_, this);
    if (shard_ != nullptr) shard_->forget(*this);
  }

  const T* current() const noexcept { return node_->value.get(); }
  const T* operator->() const noexcept { return current(); }
  const T& operator*() const noexcept { return *current(); }
  std::uint64_t version() const noexcept { return node_->version; }

  void refresh() noexcept {
    const Node* node = published_.current_.load(std::memory_order_acquire);
    if (node == node_) return;
    node_ = node;
    seen_.store(node->version, std::memory_order_release);
  }

  void turn_starts(const Now&) override { refresh(); }

 private:
  friend class Published;
  void wake() noexcept {
    if (shard_ != nullptr) shard_->wake();
  }

  Published& published_;
  Shard* shard_;
  const Node* node_;
  alignas(kCacheLine) std::atomic<std::uint64_t> seen_;
};

}  // namespace tollgate::core
