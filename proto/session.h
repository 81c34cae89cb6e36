// The session state machine of both roles, pure: which command is legal in which state.
//
// Thread: any; pure functions over constant tables. Specification: 5.0 section 2.3 and table 2-1,
// 3.4 section 2.2 and table 2-1.
//
// 1. The matrix has one row for every command of the PDU table; a missing or doubled row does not
//    compile.
// 2. What a peer sends is judged by the wider of 3.4 and 5.0 wherever accepting costs nothing
//    (enquire_link before a bind, replace_sm on a transceiver); where they differ in meaning, the
//    session's effective version decides. What we send is judged by that version strictly.
// 3. A command newer than the session's effective version is unknown there (generic_nack), but
//    only once bound: before a bind there is no version.
// 4. A response is never answered: out of place it is ignored (and counted by the caller).
//
// Transitions (everything else leaves the state as it is; closing the socket leads to closed):
//   open     -- outbind sent (MC) / received (ESME) -->  outbound
//   open     -- bind_* answered with ESME_ROK       -->  bound_*      after_bind()
//   outbound -- bind_* answered with ESME_ROK       -->  bound_*      after_bind()
//   bound_*  -- unbind_resp sent or received        -->  unbound
#pragma once
#include <cstdint>
#include <string_view>

#include "proto/pdu.h"

namespace tollgate::proto {

enum class Role : std::uint8_t { mc, esme };
enum class State : std::uint8_t { open, outbound, bound_tx, bound_rx, bound_trx, unbound, closed };
inline constexpr std::size_t kStates = 7;

enum class Verdict : std::uint8_t {
  accept,
  wrong_state,      // answer the matching *_resp with ESME_RINVBNDSTS
  already_bound,    // answer the bind's *_resp with ESME_RALYBND
  unknown_command,  // answer generic_nack ESME_RINVCMDID; the session stays
  ignore,           // no answer; count it
};

inline constexpr std::uint8_t kVersion33 = 0x33;
inline constexpr std::uint8_t kVersion34 = 0x34;
inline constexpr std::uint8_t kVersion50 = 0x50;

// What to do with a command that the peer sent us. `version` is the session's effective version
// and matters only once bound.
Verdict receive_verdict(Role we_are, State state, Command command,
                        std::uint8_t version = kVersion34);

// Whether we may send it, by the specification of the session's effective version.
bool may_send(Role we_are, State state, Command command, std::uint8_t version = kVersion34);

// The state after a bind (or its response) that succeeded; State::open for any other command.
State after_bind(Command bind);
// The state after a successful unbind exchange.
constexpr State after_unbind() {
  return State::unbound;
}

constexpr bool is_bound(State state) {
  return state == State::bound_tx || state == State::bound_rx || state == State::bound_trx;
}
// Whether messages may flow in the direction: towards the MC, towards the ESME.
constexpr bool can_submit(State state) {
  return state == State::bound_tx || state == State::bound_trx;
}
constexpr bool can_deliver(State state) {
  return state == State::bound_rx || state == State::bound_trx;
}

// 0x33, 0x34 or 0x50 from a bind's interface_version: anything below 0x34 is 3.3 or earlier, up
// to 0x4F is 3.4, the rest (0x7B is seen) is 5.0. [5.0 section 2.11]
constexpr std::uint8_t effective_version(std::uint8_t interface_version) {
  if (interface_version < kVersion34) return kVersion33;
  return interface_version < kVersion50 ? kVersion34 : kVersion50;
}

std::string_view state_name(State state);
std::string_view verdict_name(Verdict verdict);

}  // namespace tollgate::proto
