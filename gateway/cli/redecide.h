// A message of a detail record, decided again by the router's own code. Made by the one thread of a
// command.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proto/detail.h"
#include "routing/explain.h"
#include "routing/router.h"

namespace tollgate::gateway::cli {

class Redecide {
 public:
  // The tables outlive it.
  explicit Redecide(const routing::Tables& tables);

  // With the carriers' states, the draw and the time of the record. False: the tables have no such
  // client.
  bool operator()(const proto::detail::Detail& detail, routing::Route& route,
                  routing::Explanation* explanation = nullptr);

  const routing::Tables& tables() const { return tables_; }

 private:
  const routing::Tables& tables_;
  std::unordered_map<std::string_view, std::uint16_t> clients_;
  std::unordered_map<std::string_view, std::uint16_t> carriers_;
  std::vector<routing::CarrierState> states_;
};

// What is not as the record has it, a sentence each: reason, price, candidates, their costs.
std::vector<std::string> differences(const proto::detail::Detail& detail,
                                     const routing::Tables& tables, const routing::Route& route);

}  // namespace tollgate::gateway::cli
