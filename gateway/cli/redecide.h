// A message of a detail record, decided again by the router's own code. Used by a command's one
// thread.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/config/config.h"
#include "proto/records/detail.h"
#include "routing/compile/compile.h"
#include "routing/explain.h"
#include "routing/router.h"

namespace tollgate::gateway::cli {

// The tables of a directory as the configuration's gateway would have them.
struct TablesWanted {
  std::string directory;
  std::int64_t at_us = 0;  // which rows are in force
  std::uint32_t version = 0;
  const routing::Facts* facts = nullptr;
};
routing::CompileResult compile_as_gateway(const Config& config, const TablesWanted& wanted);

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
