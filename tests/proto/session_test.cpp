// The session state machine against a complete table written by hand from 5.0 table 2-1 and its
// differences in 3.4 table 2-1, independently of the one in the code.
//
// One character a state, in the order open, outbound, bound_tx, bound_rx, bound_trx, unbound,
// closed. What a peer sends us: A accept, w wrong_state, b already_bound, u unknown_command,
// . ignore. What we may send: S send, . not.
#include "proto/session.h"

#include <set>

#include <catch2/catch.hpp>

#include "proto/pdu_visit.h"

using namespace tollgate::proto;

namespace {

constexpr char kLetters[] = {'A', 'w', 'b', 'u', '.'};

struct Expected {
  std::string_view command;
  std::string_view mc_receives, esme_receives, mc_sends, esme_sends;
};

const Expected kTable50[] = {
    {"generic_nack", "AAAAAA.", "AAAAAA.", "SSSSSS.", "SSSSSS."},
    {"bind_receiver", "AAbbbw.", "wwwwww.", ".......", "SS....."},
    {"bind_receiver_resp", ".......", "AA.....", "SS.....", "......."},
    {"bind_transmitter", "AAbbbw.", "wwwwww.", ".......", "SS....."},
    {"bind_transmitter_resp", ".......", "AA.....", "SS.....", "......."},
    {"bind_transceiver", "AAbbbw.", "wwwwww.", ".......", "SS....."},
    {"bind_transceiver_resp", ".......", "AA.....", "SS.....", "......."},
    {"outbind", ".......", "A......", "S......", "......."},
    {"query_sm", "wwAwAw.", "wwwwww.", ".......", "..S.S.."},
    {"query_sm_resp", ".......", "..A.A..", "..S.S..", "......."},
    {"submit_sm", "wwAwAw.", "wwwwww.", ".......", "..S.S.."},
    {"submit_sm_resp", ".......", "..A.A..", "..S.S..", "......."},
    {"deliver_sm", "wwwwww.", "wwwAAw.", "...SS..", "......."},
    {"deliver_sm_resp", "...AA..", ".......", ".......", "...SS.."},
    {"unbind", "wwAAAw.", "wwAAAw.", "..SSS..", "..SSS.."},
    {"unbind_resp", "..AAA..", "..AAA..", "..SSS..", "..SSS.."},
    {"replace_sm", "wwAwAw.", "wwwwww.", ".......", "..S.S.."},
    {"replace_sm_resp", ".......", "..A.A..", "..S.S..", "......."},
    {"cancel_sm", "wwAwAw.", "wwwwww.", ".......", "..S.S.."},
    {"cancel_sm_resp", ".......", "..A.A..", "..S.S..", "......."},
    {"enquire_link", "AAAAAA.", "AAAAAA.", "SSSSSS.", "SSSSSS."},
    {"enquire_link_resp", "AAAAAA.", "AAAAAA.", "SSSSSS.", "SSSSSS."},
    {"submit_multi", "wwAwAw.", "wwwwww.", ".......", "..S.S.."},
    {"submit_multi_resp", ".......", "..A.A..", "..S.S..", "......."},
    {"alert_notification", ".......", "...AA..", "...SS..", "......."},
    {"data_sm", "wwAwAw.", "wwwAAw.", "...SS..", "..S.S.."},
    {"data_sm_resp", "...AA..", "..A.A..", "..S.S..", "...SS.."},
    {"broadcast_sm", "wwAwAw.", "wwwwww.", ".......", "..S.S.."},
    {"broadcast_sm_resp", ".......", "..A.A..", "..S.S..", "......."},
    {"query_broadcast_sm", "wwAwAw.", "wwwwww.", ".......", "..S.S.."},
    {"query_broadcast_sm_resp", ".......", "..A.A..", "..S.S..", "......."},
    {"cancel_broadcast_sm", "wwAwAw.", "wwwwww.", ".......", "..S.S.."},
    {"cancel_broadcast_sm_resp", ".......", "..A.A..", "..S.S..", "......."},
};

// The rows that differ in a 3.4 session.
const Expected kDifferences34[] = {
    {"generic_nack", "AAAAAA.", "AAAAAA.", "..SSS..", "..SSS.."},
    {"enquire_link", "AAAAAA.", "AAAAAA.", "..SSS..", "..SSS.."},
    {"enquire_link_resp", "AAAAAA.", "AAAAAA.", "..SSS..", "..SSS.."},
    {"replace_sm", "wwAwAw.", "wwwwww.", ".......", "..S...."},
    {"replace_sm_resp", ".......", "..A.A..", "..S....", "......."},
    {"data_sm", "wwAAAw.", "wwAAAw.", "..SSS..", "..SSS.."},
    {"data_sm_resp", "..AAA..", "..AAA..", "..SSS..", "..SSS.."},
    {"broadcast_sm", "wwuuuw.", "wwuuuw.", ".......", "......."},
    {"broadcast_sm_resp", ".......", ".......", ".......", "......."},
    {"query_broadcast_sm", "wwuuuw.", "wwuuuw.", ".......", "......."},
    {"query_broadcast_sm_resp", ".......", ".......", ".......", "......."},
    {"cancel_broadcast_sm", "wwuuuw.", "wwuuuw.", ".......", "......."},
    {"cancel_broadcast_sm_resp", ".......", ".......", ".......", "......."},
};

// What differs further in a 3.3 session. A transceiver bind is answered in bound states too.
const Expected kDifferences33[] = {
    {"bind_transceiver", "AAuuuw.", "wwuuuw.", ".......", "SS....."},
    {"bind_transceiver_resp", ".......", "AA.....", "SS.....", "......."},
    {"outbind", "..uuu..", "A.uuu..", "S......", "......."},
    {"alert_notification", "..uuu..", "..uuu..", ".......", "......."},
    {"data_sm", "wwuuuw.", "wwuuuw.", ".......", "......."},
    {"data_sm_resp", ".......", ".......", ".......", "......."},
};

template <std::size_t N>
const Expected* find_row(const Expected (&table)[N], std::string_view command) {
  for (const Expected& row : table) {
    if (row.command == command) return &row;
  }
  return nullptr;
}

const Expected& expected(std::string_view command, std::uint8_t version) {
  const Expected* row = nullptr;
  if (version == kVersion33) row = find_row(kDifferences33, command);
  if (row == nullptr && version != kVersion50) row = find_row(kDifferences34, command);
  if (row == nullptr) row = find_row(kTable50, command);
  REQUIRE(row != nullptr);
  return *row;
}

std::string received(Role we_are, Command command, std::uint8_t version) {
  std::string line;
  for (std::uint8_t state = 0; state < kStates; ++state) {
    const Verdict verdict = receive_verdict(we_are, State{state}, command, version);
    line += kLetters[static_cast<std::size_t>(verdict)];
  }
  return line;
}

std::string sent(Role we_are, Command command, std::uint8_t version) {
  std::string line;
  for (std::uint8_t state = 0; state < kStates; ++state) {
    line += may_send(we_are, State{state}, command, version) ? 'S' : '.';
  }
  return line;
}

}  // namespace

TEST_CASE("the session matrix equals the specification's, cell by cell, in every version") {
  REQUIRE(std::size(kTable50) == std::size(kCommands));
  for (std::uint8_t version : {kVersion33, kVersion34, kVersion50}) {
    for (Command command : kCommands) {
      const Expected& row = expected(command_name(command), version);
      INFO(row.command << " in version " << static_cast<int>(version));
      CHECK(received(Role::mc, command, version) == row.mc_receives);
      CHECK(received(Role::esme, command, version) == row.esme_receives);
      CHECK(sent(Role::mc, command, version) == row.mc_sends);
      CHECK(sent(Role::esme, command, version) == row.esme_sends);
    }
  }
}

TEST_CASE("whatever one role may send, the other accepts in the same state and version") {
  for (std::uint8_t version : {kVersion33, kVersion34, kVersion50}) {
    for (std::uint8_t state = 0; state < kStates; ++state) {
      for (Command command : kCommands) {
        INFO(command_name(command) << ' ' << state_name(State{state}));
        if (may_send(Role::esme, State{state}, command, version)) {
          CHECK(receive_verdict(Role::mc, State{state}, command, version) == Verdict::accept);
        }
        if (may_send(Role::mc, State{state}, command, version)) {
          CHECK(receive_verdict(Role::esme, State{state}, command, version) == Verdict::accept);
        }
      }
    }
  }
}

TEST_CASE("unknown commands: a request is answered in every living state, a response never") {
  for (std::uint8_t state = 0; state < kStates; ++state) {
    const bool closed = State{state} == State::closed;
    for (std::uint32_t id : {0x22U, 0x24U, 0x0100'0001U, 0x0001'0200U, 0U, 0x7FFF'FFFFU}) {
      CHECK(receive_verdict(Role::mc, State{state}, Command{id}) ==
            (closed ? Verdict::ignore : Verdict::unknown_command));
      CHECK(receive_verdict(Role::esme, State{state}, Command{id | 0x8000'0000U | 0x22U}) ==
            Verdict::ignore);
      CHECK_FALSE(may_send(Role::mc, State{state}, Command{id}));
    }
  }
}

TEST_CASE("effective_version and the state after a bind") {
  for (int version = 0; version < 256; ++version) {
    const int expected_version = version < 0x34 ? 0x33 : version < 0x50 ? 0x34 : 0x50;
    CHECK(effective_version(static_cast<std::uint8_t>(version)) == expected_version);
  }
  CHECK(after_bind(Command::bind_transmitter) == State::bound_tx);
  CHECK(after_bind(Command::bind_receiver_resp) == State::bound_rx);
  CHECK(after_bind(Command::bind_transceiver) == State::bound_trx);
  CHECK(after_bind(Command::submit_sm) == State::open);
  CHECK(can_submit(State::bound_tx));
  CHECK_FALSE(can_submit(State::bound_rx));
  CHECK(can_deliver(State::bound_rx));
  CHECK_FALSE(can_deliver(State::bound_tx));
  CHECK_FALSE(is_bound(State::unbound));
}
