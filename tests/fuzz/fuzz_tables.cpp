// Table sets on arbitrary octets: every kind of CSV, what traffic has taught, and the TOML of
// carriers and clients, through the compiler. The input is a text (fuzz::unfolded) of files: a line
// "@rates/alpha.csv" begins one, which takes the place of that file in a small good set.
//
// What must hold: there are tables or faults, never both; a fault is one printable line that says
// why. With tables any message can be decided: candidates are carriers of the tables, within
// bounds, their margin is price less cost, and an explanation changes nothing. Facts that are read
// are written as themselves.
#include <array>

#include "gateway/config/peer_reader.h"
#include "routing/compile/facts.h"
#include "routing/explain.h"
#include "routing/router.h"
#include "routing/store/table_set.h"
#include "tests/fuzz/input.h"
#include "tests/routing/compile/directory.h"

using namespace tollgate;
using namespace tollgate::routing;
using fuzz::must;

namespace {

constexpr std::size_t kTextMax = 128 * 1024, kFilesMax = 16;
constexpr const char* kFolders[] = {"rates", "plans", "carriers", "clients"};

bool may_be_written(const std::string& name) {
  if (bad_table_name(name) != nullptr) return false;
  const std::size_t slash = name.find('/');
  return slash == std::string::npos || std::find(std::begin(kFolders), std::end(kFolders),
                                                 name.substr(0, slash)) != std::end(kFolders);
}

// The good set with the input's files; what stands in front of the first of them is nothing.
Files files_of(const std::string& text) {
  Files files = good_files();
  std::string name;
  for (std::size_t at = 0; at < text.size() && files.size() < kFilesMax;) {
    const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    const std::string line = text.substr(at, end - at);
    if (line[0] == '@' && line.back() == '\n') {
      name = line.substr(1, line.size() - 2);
      if (may_be_written(name)) files[name] = "";
    } else if (may_be_written(name)) {
      files[name] += line;
    }
    at = end;
  }
  return files;
}

void check_faults(const std::vector<TableFault>& faults) {
  must(!faults.empty() && faults.size() <= kTableFaultsMax + 1);
  for (const TableFault& fault : faults) {
    must(!fault.reason.empty() && fuzz::printable_line(fault_text(fault)));
  }
}

void check_route(const Tables& tables, const Route& route) {
  must(route.count <= kCandidatesMax && (route.count != 0) == (route.reason == Reason::chosen));
  std::array<bool, 256> seen{};
  for (std::size_t i = 0; i < route.count; ++i) {
    const Candidate& each = route.candidates[i];
    must(each.carrier < tables.carriers.size() && !seen[each.carrier % seen.size()]);
    seen[each.carrier % seen.size()] = true;
    must(each.margin_nano == route.price_nano - each.cost_nano);
  }
  must(route.number_length <= kNumberDigitsMax);
}

void decide_some(const Tables& tables) {
  constexpr const char* kNumbers[] = {"447700900001", "07701234567", "12", "+4915112345678", ""};
  const std::vector<CarrierState> none_has_room(tables.carriers.size(), CarrierState{true, false});
  for (std::uint16_t client = 0; client < tables.clients.size() && client < 4; ++client) {
    for (const char* number : kNumbers) {
      for (const char* sender : {"", "SHOP", "447700900009"}) {
        Query query;
        query.client = client;
        query.destination = number;
        query.source = sender;
        query.source_ton = sender[0] == 'S' ? 5 : 1;
        query.message = 7;
        query.wall_us = kNow;
        Route route, told;
        decide(tables, query, {}, route);
        check_route(tables, route);
        Explanation explanation;
        decide(tables, query, {}, told, &explanation);
        must(told.count == route.count && told.reason == route.reason);
        must(!explain_text(tables, explanation).empty());
        must(!explain_json(tables, explanation).empty());
        decide(tables, query, none_has_room, route);
        check_route(tables, route);
      }
    }
  }
}

std::optional<Facts> facts_of(Files& files) {
  const auto found = files.find("facts.csv");
  if (found == files.end()) return std::nullopt;
  const auto facts = read_facts("facts.csv", found->second);
  files.erase(found);
  if (!facts) {
    check_faults(facts.error());
    return std::nullopt;
  }
  const auto again = read_facts("facts.csv", facts_text(*facts));
  must(again && *again == *facts);
  return *facts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Files files = files_of(fuzz::unfolded({data, size}, kTextMax));
  const std::optional<Facts> facts = facts_of(files);
  gateway::PeerReader reader;
  CompileOptions options;
  if (facts) options.facts = &*facts;
  for (const auto& [name, text] : files) {
    if (is_peer_name(name)) options.companions = {std::shared_ptr<void>(), &reader};
  }
  const auto result = compile_files(files, options);
  if (!result) {
    check_faults(result.error());
    return 0;
  }
  decide_some(**result);
  return 0;
}
