#include "proto/session.h"

#include <array>

#include "proto/pdu_visit.h"

namespace tollgate::proto {
namespace {

// Sets of states, one bit each.
using States = std::uint8_t;
constexpr States bit(State state) {
  return static_cast<States>(1U << static_cast<unsigned>(state));
}
constexpr States kNone = 0;
constexpr States kOpen = bit(State::open);
constexpr States kOpening = kOpen | bit(State::outbound);
constexpr States kTx = bit(State::bound_tx) | bit(State::bound_trx);
constexpr States kRx = bit(State::bound_rx) | bit(State::bound_trx);
constexpr States kTxOnly = bit(State::bound_tx);
constexpr States kBound = kTx | kRx;
constexpr States kAlive = kOpening | kBound | bit(State::unbound);

// Who may send a command in which states.
struct Row {
  Command command;
  States esme;     // by 5.0
  States mc;       // by 5.0
  States esme_34;  // by 3.4 and before
  States mc_34;
};

constexpr Row both(Command command, States states, States states_34) {
  return {command, states, states, states_34, states_34};
}
constexpr Row esme_asks(Command command, States states) {
  return {command, states, kNone, states, kNone};
}
constexpr Row mc_asks(Command command, States states) {
  return {command, kNone, states, kNone, states};
}

constexpr Row kRows[] = {
    both(Command::generic_nack, kAlive, kBound),
    esme_asks(Command::bind_receiver, kOpening),
    mc_asks(Command::bind_receiver_resp, kOpening),
    esme_asks(Command::bind_transmitter, kOpening),
    mc_asks(Command::bind_transmitter_resp, kOpening),
    esme_asks(Command::bind_transceiver, kOpening),
    mc_asks(Command::bind_transceiver_resp, kOpening),
    mc_asks(Command::outbind, kOpen),
    esme_asks(Command::query_sm, kTx),
    mc_asks(Command::query_sm_resp, kTx),
    esme_asks(Command::submit_sm, kTx),
    mc_asks(Command::submit_sm_resp, kTx),
    mc_asks(Command::deliver_sm, kRx),
    esme_asks(Command::deliver_sm_resp, kRx),
    both(Command::unbind, kBound, kBound),
    both(Command::unbind_resp, kBound, kBound),
    {Command::replace_sm, kTx, kNone, kTxOnly, kNone},
    {Command::replace_sm_resp, kNone, kTx, kNone, kTxOnly},
    esme_asks(Command::cancel_sm, kTx),
    mc_asks(Command::cancel_sm_resp, kTx),
    both(Command::enquire_link, kAlive, kBound),
    both(Command::enquire_link_resp, kAlive, kBound),
    esme_asks(Command::submit_multi, kTx),
    mc_asks(Command::submit_multi_resp, kTx),
    mc_asks(Command::alert_notification, kRx),
    {Command::data_sm, kTx, kRx, kBound, kBound},
    {Command::data_sm_resp, kRx, kTx, kBound, kBound},
    esme_asks(Command::broadcast_sm, kTx),
    mc_asks(Command::broadcast_sm_resp, kTx),
    esme_asks(Command::query_broadcast_sm, kTx),
    mc_asks(Command::query_broadcast_sm_resp, kTx),
    esme_asks(Command::cancel_broadcast_sm, kTx),
    mc_asks(Command::cancel_broadcast_sm_resp, kTx),
};

// A command's place in kCommands; kUnknown when it is not in the table.
enum Index : std::size_t {
#define PDU(name, id, Type, since) index_##name,
#include "proto/pdu_macros.inc"
#include "proto/pdu_table.inc"
#define TOLLGATE_PDU_END
#include "proto/pdu_macros.inc"
  kUnknown
};

constexpr std::size_t index_of(Command command) {
  switch (command) {
#define PDU(name, id, Type, since) \
  case Command::name:              \
    return index_##name;
#include "proto/pdu_macros.inc"
#include "proto/pdu_table.inc"
#define TOLLGATE_PDU_END
#include "proto/pdu_macros.inc"
  }
  return kUnknown;
}

constexpr const Row& row_of(std::size_t index) {
  for (const Row& row : kRows) {
    if (row.command == kCommands[index]) return row;
  }
  return kRows[0];  // complete() proves that this is never reached
}

constexpr bool complete() {
  for (Command command : kCommands) {
    int rows = 0;
    for (const Row& row : kRows) rows += row.command == command ? 1 : 0;
    if (rows != 1) return false;
  }
  return std::size(kRows) == std::size(kCommands);
}
static_assert(complete(), "every command of the PDU table has exactly one row");

constexpr States sendable(const Row& row, Role sender, std::uint8_t version) {
  if (sender == Role::esme) return version >= kVersion50 ? row.esme : row.esme_34;
  return version >= kVersion50 ? row.mc : row.mc_34;
}

// enquire_link and generic_nack are accepted in every state, and replace_sm on a transceiver,
// whatever the version: refusing them helps nobody.
constexpr States receivable(const Row& row, Role sender, std::uint8_t version) {
  const States lenient = sender == Role::esme ? row.esme : row.mc;
  return static_cast<States>(sendable(row, sender, version) | lenient);
}

// alert_notification and outbind have no response to refuse them with.
constexpr bool has_response(Command command) {
  return command != Command::alert_notification && command != Command::outbind &&
         !is_response(command);
}

constexpr Verdict judge(const Row& row, Role we_are, State state, std::uint8_t version,
                        std::uint8_t since) {
  if (state == State::closed) return Verdict::ignore;
  const bool response = is_response(row.command);
  const bool bound = is_bound(state);
  if (bound && version < since) return response ? Verdict::ignore : Verdict::unknown_command;
  const Role sender = we_are == Role::mc ? Role::esme : Role::mc;
  if ((receivable(row, sender, version) & bit(state)) != 0) return Verdict::accept;
  if (!has_response(row.command)) return Verdict::ignore;
  if (bound && we_are == Role::mc && is_bind(row.command)) return Verdict::already_bound;
  return Verdict::wrong_state;
}

constexpr std::uint8_t kSince[] = {
#define PDU(name, id, Type, since) since,
#include "proto/pdu_macros.inc"
#include "proto/pdu_table.inc"
#define TOLLGATE_PDU_END
#include "proto/pdu_macros.inc"
};

// The whole matrix, worked out at compile time: [role][version][state][command].
constexpr std::size_t kVersions = 3;
constexpr std::size_t version_index(std::uint8_t version) {
  if (version >= kVersion50) return 2;
  return version >= kVersion34 ? 1 : 0;
}
constexpr std::uint8_t kVersionOf[kVersions] = {kVersion33, kVersion34, kVersion50};
struct Cell {
  Verdict verdict = Verdict::ignore;
  bool may_send = false;
};
using CommandCells = std::array<Cell, kUnknown>;
using Matrix = std::array<std::array<std::array<CommandCells, kStates>, kVersions>, 2>;

constexpr Cell make_cell(Role we_are, State state, std::size_t version, std::size_t index) {
  const Row& row = row_of(index);
  const std::uint8_t number = kVersionOf[version];
  const bool known = !is_bound(state) || number >= kSince[index];
  return {judge(row, we_are, state, number, kSince[index]),
          known && (sendable(row, we_are, number) & bit(state)) != 0};
}

constexpr Matrix make_matrix() {
  Matrix matrix{};
  for (std::size_t role = 0; role < 2; ++role) {
    for (std::size_t version = 0; version < kVersions; ++version) {
      for (std::size_t state = 0; state < kStates; ++state) {
        for (std::size_t index = 0; index < kUnknown; ++index) {
          matrix[role][version][state][index] =
              make_cell(Role{static_cast<std::uint8_t>(role)},
                        State{static_cast<std::uint8_t>(state)}, version, index);
        }
      }
    }
  }
  return matrix;
}
constexpr Matrix kMatrix = make_matrix();

// No cell answers a response, and nobody but an MC ever says "already bound".
constexpr bool sane() {
  for (std::size_t version = 0; version < kVersions; ++version) {
    for (std::size_t state = 0; state < kStates; ++state) {
      for (std::size_t index = 0; index < kUnknown; ++index) {
        const Verdict as_mc = kMatrix[0][version][state][index].verdict;
        const Verdict as_esme = kMatrix[1][version][state][index].verdict;
        if (as_esme == Verdict::already_bound) return false;
        if (!is_response(kCommands[index])) continue;
        if (as_mc != Verdict::accept && as_mc != Verdict::ignore) return false;
        if (as_esme != Verdict::accept && as_esme != Verdict::ignore) return false;
      }
    }
  }
  return true;
}
static_assert(sane());

const Cell& cell(Role we_are, State state, std::uint8_t version, std::size_t index) {
  return kMatrix[static_cast<std::size_t>(we_are)][version_index(version)]
                [static_cast<std::size_t>(state)][index];
}

}  // namespace

Verdict receive_verdict(Role we_are, State state, Command command, std::uint8_t version) {
  const std::size_t index = index_of(command);
  if (index != kUnknown) return cell(we_are, state, version, index).verdict;
  const bool silent = state == State::closed || is_response(command);
  return silent ? Verdict::ignore : Verdict::unknown_command;
}

bool may_send(Role we_are, State state, Command command, std::uint8_t version) {
  const std::size_t index = index_of(command);
  return index != kUnknown && cell(we_are, state, version, index).may_send;
}

State after_bind(Command bind) {
  switch (bind) {
    case Command::bind_transmitter:
    case Command::bind_transmitter_resp:
      return State::bound_tx;
    case Command::bind_receiver:
    case Command::bind_receiver_resp:
      return State::bound_rx;
    case Command::bind_transceiver:
    case Command::bind_transceiver_resp:
      return State::bound_trx;
    default:
      return State::open;
  }
}

std::string_view state_name(State state) {
  constexpr std::string_view kNames[] = {"open",      "outbound", "bound_tx", "bound_rx",
                                         "bound_trx", "unbound",  "closed"};
  static_assert(std::size(kNames) == kStates);
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view verdict_name(Verdict verdict) {
  constexpr std::string_view kNames[] = {"accept", "wrong_state", "already_bound",
                                         "unknown_command", "ignore"};
  return kNames[static_cast<std::size_t>(verdict)];
}

}  // namespace tollgate::proto
