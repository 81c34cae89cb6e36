// What a change of the tables does to margins: the router's own decide() before and after, for
// every client (those that decide alike together) and destination. For commands and drafts; it
// allocates and takes as long as it needs, on the caller's thread.
//
// 1. One number is asked for each range of numbers that the tables tell apart (numbering plan, rate
//    books and plans by prefix), before and after; the same number is compared.
// 2. A number's margin is that of the first carrier of its route. Every bind counts as up.
// 3. Both tables must come from the same names of clients; a client that only one has is left out.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "routing/router.h"

namespace tollgate::routing {

struct MarginRow {  // of one client and destination; only where something changed
  std::string client;
  std::string mccmnc, country, network;
  std::size_t numbers = 0;           // asked
  std::size_t changed = 0;           // of them, with another first carrier, margin or reason
  std::size_t newly_unroutable = 0;  // of them
  std::size_t newly_at_loss = 0;     // first carrier's margin fell below 0
  // Of the number whose margin falls most (a lost route counts as falling most).
  std::string number;
  Nano price_before = kNone, price_after = kNone;
  Nano margin_before = kNone, margin_after = kNone;  // kNone = no route
  std::string carrier_before, carrier_after;
  Reason reason_after = Reason::chosen;
};

struct MarginEffect {
  std::vector<MarginRow> rows;                             // the worst first
  std::size_t clients = 0, destinations = 0, numbers = 0;  // asked
  std::size_t newly_unroutable = 0, newly_at_loss = 0;     // rows
};

struct EffectOptions {
  std::int64_t wall_us = 0;  // for time windows
  // Which numbers to ask ("" digits never come); empty = all.
  std::function<bool(std::string_view number, std::string_view mccmnc)> only;
};

MarginEffect margin_effect(const Tables& before, const Tables& after, const EffectOptions& options);

}  // namespace tollgate::routing
