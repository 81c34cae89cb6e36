// What is under way to each number, and what is held for its sake, so that no message overtakes an
// earlier one to its number (P5), whatever the carrier answers: it may refuse the earlier one for
// now when it has already taken the later one.
//
// A carrier's orders to one number are begun in the order in which they were taken, at most `most`
// at a time (CarrierConfig::number_window; 1: strictly one after the other). An order is begun when
// it waits in the carrier's queue or is unanswered; the others are held here. An order that was
// refused for now rests until its time, and its whole number with it; other numbers go on.
//
// One per carrier, owned by its home shard's thread. A 64-bit seeded hash stands for a number.
//
// 1. A number has a line here exactly while an order to it is begun, held or rests; HeldOrder::line
//    names it until ended().
// 2. Held orders come back by HeldOrder::number, the order of taking.
// 3. Each operation is O(1), with `most` for one that comes back, and O(log n) in the numbers that
//    rest; a table that is full doubles. Memory: a line for each number of the carrier's orders,
//    recycled.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "carriers/orders.h"

namespace tollgate::carriers {

class Bind;

class Numbers {
 public:
  explicit Numbers(Orders& orders) : orders_(orders) { times_.reserve(first_.size()); }

  // A new order: true when it may begin now, and has. Otherwise it is held, after all others.
  bool begin(std::uint32_t order, std::uint32_t most) {
    const std::uint64_t number = orders_[order].to;
    std::uint32_t index = find(number);
    if (index == kNoLine) index = take_line(number);
    orders_[order].line = index;
    Line& line = lines_[index];
    if (line.rests || line.begun >= most || !line.held.empty()) {
      line.held.push_back(order);
      ++held_;
      return false;
    }
    ++line.begun;
    return true;
  }
  // One that has begun, and its number rests or has others without a response: again among those
  // that are held, in its place.
  void hold(std::uint32_t order) { hold(line_of(order), order); }
  // One that has begun would leave though its number rests, or behind one without a response an
  // earlier one is held again.
  bool overtakes(std::uint32_t order) const {
    const Line& line = line_of(order);
    return line.rests || (line.open != 0 && !line.held.empty() &&
                          orders_[line.held.first()].number < orders_[order].number);
  }
  // One to this number has no response yet.
  bool open(std::uint64_t number) const {
    const std::uint32_t at = find(number);
    return at != kNoLine && lines_[at].open != 0;
  }

  // It left on this bind; and its response has come, or will not.
  void sent(std::uint32_t order, Bind& bind) {
    Line& line = line_of(order);
    line.bind = &bind;
    ++line.open;
  }
  void answered(std::uint32_t order) { --line_of(order).open; }
  // The bind on which others to its number have no response yet; null: none has.
  Bind* bind_of(std::uint32_t order) const {
    const Line& line = line_of(order);
    return line.open == 0 ? nullptr : line.bind;
  }

  // Refused for now: it rests until due_us, or with the one of its number that rests already.
  void rest(std::uint32_t order, std::int64_t due_us) {
    Line& line = line_of(order);
    hold(line, order);
    if (line.rests) return;
    line.rests = true;
    times_.push_back({due_us, orders_[order].line});
    std::push_heap(times_.begin(), times_.end(), later);
  }
  // INT64_MAX: nothing rests.
  std::int64_t next_us() const {
    return times_.empty() ? std::numeric_limits<std::int64_t>::max() : times_.front().due_us;
  }
  // Ends the rest whose time is next: f(order) with those of its number that begin.
  template <class F>
  void wake(std::uint32_t most, F&& f) {
    std::pop_heap(times_.begin(), times_.end(), later);
    const std::uint32_t line = times_.back().line;
    times_.pop_back();
    lines_[line].rests = false;
    begin_held(line, most, f);
  }

  // A begun order is over: f(order) with those of its number that begin in its stead.
  template <class F>
  void ended(std::uint32_t order, std::uint32_t most, F&& f) {
    const std::uint32_t line = orders_[order].line;
    --lines_[line].begun;
    begin_held(line, most, f);
  }
  // f(order) with all that are held for a begun order; of all numbers. They begin.
  template <class F>
  void release(std::uint32_t order, F&& f) {
    release(line_of(order), f);
  }
  template <class F>
  void release_all(F&& f) {
    for (Line& line : lines_) release(line, f);
    for (const Time& time : times_) {
      lines_[time.line].rests = false;
      begin_held(time.line, 0, f);
    }
    times_.clear();
  }

  // f(order) with those held first whose deadline has passed; they begin. O(n) in the numbers.
  template <class F>
  void overdue(std::int64_t now_us, F&& f) {
    for (Line& line : lines_) {
      while (!line.held.empty()) {
        const std::int64_t deadline_us = orders_[line.held.first()].deadline_us;
        if (deadline_us == 0 || deadline_us >= now_us) break;
        begin_first(line, f);
      }
    }
  }

  // Orders that wait here.
  std::uint32_t held() const { return held_; }

 private:
  static constexpr std::uint32_t kNoLine = 0xFFFFFFFF;

  struct Line {
    explicit Line(Orders& orders) : held(orders) {}
    OrderList held;
    Bind* bind = nullptr;
    std::uint64_t number = 0;
    std::uint32_t begun = 0;
    std::uint32_t open = 0;        // of those: sent, without a response
    std::uint32_t next = kNoLine;  // of its place in first_, or of those that are free
    bool rests = false;
  };
  struct Time {
    std::int64_t due_us;
    std::uint32_t line;
  };
  static bool later(const Time& a, const Time& b) { return a.due_us > b.due_us; }

  Line& line_of(std::uint32_t order) { return lines_[orders_[order].line]; }
  const Line& line_of(std::uint32_t order) const { return lines_[orders_[order].line]; }

  // The numbers are hashes already: their lowest bits say where a chain of lines begins.
  std::uint32_t& first_of(std::uint64_t number) { return first_[number & (first_.size() - 1)]; }
  std::uint32_t find(std::uint64_t number) const {
    std::uint32_t at = first_[number & (first_.size() - 1)];
    while (at != kNoLine && lines_[at].number != number) at = lines_[at].next;
    return at;
  }
  std::uint32_t take_line(std::uint64_t number) {
    if (free_ == kNoLine) add_line();
    const std::uint32_t index = free_;
    Line& line = lines_[index];
    free_ = line.next;
    line.number = number;
    line.next = std::exchange(first_of(number), index);
    return index;
  }
  // None is free: each of those before is in a chain.
  void add_line() {
    lines_.emplace_back(orders_);
    free_ = static_cast<std::uint32_t>(lines_.size() - 1);
    if (lines_.size() <= first_.size()) return;
    first_.assign(first_.size() * 2, kNoLine);
    for (std::uint32_t at = 0; at < free_; ++at) {
      lines_[at].next = std::exchange(first_of(lines_[at].number), at);
    }
  }
  void free_line(std::uint32_t index) {
    std::uint32_t* link = &first_of(lines_[index].number);
    while (*link != index) link = &lines_[*link].next;
    *link = std::exchange(lines_[index].next, free_);
    free_ = index;
  }
  // It began before all that are held but those that began with it.
  void hold(Line& line, std::uint32_t order) {
    --line.begun;
    std::uint32_t after = kNoOrder;
    for (std::uint32_t at = line.held.first();
         at != kNoOrder && orders_[at].number < orders_[order].number; at = orders_[at].next) {
      after = at;
    }
    line.held.insert_after(after, order);
    ++held_;
  }
  template <class F>
  void begin_held(std::uint32_t index, std::uint32_t most, F& f) {
    Line& line = lines_[index];
    while (!line.rests && line.begun < most && !line.held.empty()) begin_first(line, f);
    if (line.begun != 0 || line.rests || !line.held.empty()) return;
    free_line(index);
  }
  template <class F>
  void begin_first(Line& line, F& f) {
    const std::uint32_t order = line.held.first();
    line.held.remove(order);
    --held_;
    ++line.begun;
    f(order);
  }
  template <class F>
  void release(Line& line, F& f) {
    while (!line.held.empty()) begin_first(line, f);
  }

  Orders& orders_;
  std::vector<std::uint32_t> first_ = std::vector<std::uint32_t>(1024, kNoLine);
  std::vector<Line> lines_;
  std::uint32_t free_ = kNoLine;
  std::vector<Time> times_;  // a heap, the next one in front
  std::uint32_t held_ = 0;
};

}  // namespace tollgate::carriers
