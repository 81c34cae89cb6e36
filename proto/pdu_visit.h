// Walks a PDU's mandatory fields in wire order: the one place where the table meets code. The
// codec, the JSON printing and the tests' generators are visitors.
//
// visit_fields(pdu, v) calls, and stops at the first that returns false:
//   v.u8(FieldSpec, field)  v.c_string(FieldSpec, field)  v.short_message(field)
//   v.destinations(field)   v.unsuccess_smes(field)
// with_pdu(command, f) calls f(T{}) with the command's own type; false for an unknown command.
#pragma once
#include <type_traits>

#include "proto/pdu.h"

namespace tollgate::proto {

struct FieldSpec {
  const char* name;
  std::size_t octets_max;  // with the NUL
  Status status;           // the answer when the field is bad
};

#define LAYOUT(Type, leniency)                                                              \
  template <class P, class V>                                                               \
  [[gnu::always_inline]] inline bool visit_layout(P& pdu, V& v, std::type_identity<Type>) { \
    (void)pdu;                                                                              \
    (void)v;                                                                                \
    return true
#define U8(name) &&v.u8(FieldSpec{#name, 1, Status::ESME_RINVCMDLEN}, pdu.name)
#define C_STRING(name, most, status) \
  &&v.c_string(FieldSpec{#name, most, Status::ESME_##status}, pdu.name)
#define SHORT_MESSAGE &&v.short_message(pdu.short_message)
#define DESTINATIONS &&v.destinations(pdu.dest_addresses)
#define UNSUCCESS_SMES &&v.unsuccess_smes(pdu.unsuccess_smes)
#define END_LAYOUT \
  ;                \
  }
#include "proto/pdu_macros.inc"
#include "proto/pdu_table.inc"
#define TOLLGATE_PDU_END
#include "proto/pdu_macros.inc"

template <class P, class V>
[[gnu::always_inline]] inline bool visit_fields(P& pdu, V& v) {
  return visit_layout(pdu, v, std::type_identity<typename P::Layout>{});
}

template <class F>
inline bool with_pdu(Command command, F&& f) {
  switch (command) {
#define PDU(command_, id, Type, since) \
  case Command::command_:              \
    f(Type{});                         \
    return true;
#include "proto/pdu_macros.inc"
#include "proto/pdu_table.inc"
#define TOLLGATE_PDU_END
#include "proto/pdu_macros.inc"
  }
  return false;
}

// Every command of the table, in its order.
inline constexpr Command kCommands[] = {
#define PDU(command, id, Type, since) Command::command,
#include "proto/pdu_macros.inc"
#include "proto/pdu_table.inc"
#define TOLLGATE_PDU_END
#include "proto/pdu_macros.inc"
};

}  // namespace tollgate::proto
