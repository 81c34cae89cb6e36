// An intrusive doubly linked list. One thread; the list never owns its elements.
//   1 An element is in at most one list per Tag; inserting, removing and testing are O(1).
//   2 An element that is destroyed leaves its list by itself.
// A class joins lists by deriving from Hook<Tag> once per list that it can be in.
#pragma once
#include <cstddef>

namespace tollgate::core {

struct Link {
  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() { unlink(); }

  bool linked() const noexcept { return next != nullptr; }

  void unlink() noexcept {
    if (next == nullptr) return;
    prev->next = next;
    next->prev = prev;
    prev = next = nullptr;
  }

  void insert_before(Link& at) noexcept {
    prev = at.prev;
    next = &at;
    prev->next = this;
    at.prev = this;
  }

  Link* prev = nullptr;
  Link* next = nullptr;
};

template <class Tag>
struct Hook : Link {};

template <class T, class Tag>
class List {
 public:
  List() noexcept { head_.prev = head_.next = &head_; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    while (!empty()) head_.next->unlink();
    head_.prev = head_.next = nullptr;
  }

  bool empty() const noexcept { return head_.next == &head_; }

  // At most `most`; walks that far.
  std::size_t count_up_to(std::size_t most) const noexcept {
    std::size_t count = 0;
    for (const Link* at = head_.next; at != &head_ && count < most; at = at->next) ++count;
    return count;
  }

  // Appends; an element that is already in a list of this Tag stays where it is.
  void push_back(Hook<Tag>& element) noexcept {
    if (!element.linked()) element.insert_before(head_);
  }

  // Puts it first; likewise.
  void push_front(Hook<Tag>& element) noexcept {
    if (!element.linked()) element.insert_before(*head_.next);
  }

  // The list must not be empty.
  T& front() noexcept { return static_cast<T&>(static_cast<Hook<Tag>&>(*head_.next)); }
  T& pop_front() noexcept {
    T& first = front();
    static_cast<Hook<Tag>&>(first).unlink();
    return first;
  }

  // Appends all of `other`, which becomes empty.
  void splice(List& other) noexcept {
    if (other.empty()) return;
    Link& first = *other.head_.next;
    Link& last = *other.head_.prev;
    other.head_.prev = other.head_.next = &other.head_;
    first.prev = head_.prev;
    head_.prev->next = &first;
    last.next = &head_;
    head_.prev = &last;
  }

 private:
  Link head_;
};

}  // namespace tollgate::core
