// Why a message goes where it goes: every carrier with its cost, price, margin and rank, or the
// reason against it. Filled by decide() itself; printed for people or as JSON. For commands and the
// console: it allocates.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "routing/router.h"

namespace tollgate::routing {

enum class CostSource : std::uint8_t { none, network, prefix, country };
const char* cost_source_name(CostSource);

struct Verdict {  // on one carrier
  std::uint16_t carrier = 0;
  Reason reason = Reason::chosen;
  unsigned rank = 0;  // 1 = first; 0 = not in the route
  Nano cost_nano = kNone;
  Nano margin_nano = kNone;
  CostSource cost_source = CostSource::none;
  std::uint32_t quality_ppm = 0;  // at the destination: learned, else that of carriers.csv
};

struct Explanation {
  std::uint16_t client = 0;
  std::string asked;    // the number as given
  bool priced = false;  // the client's plan has a price for it
  bool ported = false;  // the destination comes from portability.csv
  std::string sender;   // as given
  // chosen = the sender was not replaced (Route::sender), else why it was.
  Reason sender_replaced = Reason::chosen;
  bool explored = false;       // the first carrier is there to be learned
  const Rule* rule = nullptr;  // the tables must outlive the explanation; null = none was needed
  Route route;
  std::vector<Verdict> verdicts;  // one a carrier, by carrier id; empty when no carrier was asked
};

std::string explain_text(const Tables& tables, const Explanation& explanation);
std::string explain_json(const Tables& tables,
                         const Explanation& explanation);  // one object, indented

}  // namespace tollgate::routing
