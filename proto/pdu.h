// Every PDU of SMPP 3.4 and 5.0 as a struct of views, with decode and encode. The structs and the
// code are generated from proto/pdu_table.inc: a field exists there or nowhere.
//
// Thread: any; no state, no allocation, no exception. Specification: 3.4 chapter 4, 5.0 chapter 4.
// 1. Decoded views point into the given body and live as long as it does.
// 2. decode() refuses only what breaks framing or a field's bound; every other value is carried.
// 3. After a fault the struct holds the fields before the faulty one; the rest is unspecified.
// 4. What decode() accepts, encode() writes, and decoding that gives the same fields again.
// 5. encode() writes only inside `out` (no view may lie there), never what decode() refuses: a C-
//    octet string that is too long or has a NUL inside, a text over 255 octets and a message
//    without destinations give 0.
//
//   SubmitSm sm;
//   if (Fault fault = decode(frame.body, sm)) answer(fault.status);
//   size_t n = encode(sm, sequence_number, Status::ESME_ROK, out);
//   size_t n = encode(BindTransceiver{{.system_id = "shop"}}, 1, Status::ESME_ROK, out);
#pragma once
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "proto/limits.h"
#include "proto/octets.h"
#include "proto/status.h"

namespace tollgate::proto {

enum class Command : std::uint32_t {
#define PDU(command, id, Type, since) command = id,
#include "proto/pdu_macros.inc"
#include "proto/pdu_table.inc"
#define TOLLGATE_PDU_END
#include "proto/pdu_macros.inc"
};

constexpr bool is_response(Command command) {
  return (static_cast<std::uint32_t>(command) & 0x8000'0000U) != 0;
}
constexpr Command response_of(Command command) {
  return Command{static_cast<std::uint32_t>(command) | 0x8000'0000U};
}
constexpr bool is_bind(Command command) {
  return command == Command::bind_transmitter || command == Command::bind_receiver ||
         command == Command::bind_transceiver;
}
constexpr bool is_bind_resp(Command command) {
  return is_response(command) &&
         is_bind(Command{static_cast<std::uint32_t>(command) & 0x7FFF'FFFFU});
}

// The specification's name, "" for a command that is not in the table.
std::string_view command_name(Command command);
// The interface_version that brought the command: 0x33, 0x34 or 0x50; 0 when not in the table.
std::uint8_t command_since(Command command);

struct Header {
  std::uint32_t command_length = 0;
  Command command_id{};
  Status command_status = Status::ESME_ROK;
  std::uint32_t sequence_number = 0;
};

// Exactly kHeaderLength octets at `at`.
inline Header read_header(const std::uint8_t* at) {
  return {load_u32(at), Command{load_u32(at + 4)}, Status{load_u32(at + 8)}, load_u32(at + 12)};
}
inline void write_header(std::uint8_t* at, const Header& header) {
  store_u32(at, header.command_length);
  store_u32(at + 4, static_cast<std::uint32_t>(header.command_id));
  store_u32(at + 8, static_cast<std::uint32_t>(header.command_status));
  store_u32(at + 12, header.sequence_number);
}

// Why a body was refused: the status to answer with, where, and in words.
struct Fault {
  Status status = Status::ESME_ROK;
  std::uint32_t offset = 0;  // octets from the PDU's start, header included
  const char* field = "";    // the specification's name
  const char* what = "";
  explicit operator bool() const { return status != Status::ESME_ROK; }
};

// How a layout's decoder treats a body that is shorter or longer than it says.
enum class Leniency : std::uint8_t {
  strict,        // a request: fault
  keeps_parsed,  // deliver_sm, data_sm: short_message and TLVs are cut to what is there, because a
                 // refused receipt is retried for ever or lost
  response,      // any tail, or all, may be missing: a response cannot be answered with an error
};

// One of submit_multi's dest_address(es).
struct Destination {
  std::uint8_t dest_flag = 1;  // 1 SME address, 2 distribution list
  std::uint8_t dest_addr_ton = 0;
  std::uint8_t dest_addr_npi = 0;
  std::string_view destination_addr;  // dl_name when dest_flag is 2
};

// One of submit_multi_resp's unsuccess_sme(s).
struct UnsuccessSme {
  std::uint8_t dest_addr_ton = 0;
  std::uint8_t dest_addr_npi = 0;
  std::string_view destination_addr;
  Status error_status_code = Status::ESME_ROK;
};

// Takes one element from the front of `rest`; false (and `rest` untouched) when it is not whole.
bool take(Octets& rest, Destination& out);
bool take(Octets& rest, UnsuccessSme& out);

// A counted list on the wire, iterable without a copy: `for (const Destination& d : list)`.
// Iteration ends at `count` elements or at the first that is not whole.
template <class Element>
struct Listed {
  std::uint8_t count = 0;
  Octets raw;

  class Iterator {
   public:
    using value_type = Element;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;
    Iterator() = default;
    Iterator(std::uint8_t left, Octets rest) : left_(left), rest_(rest) { advance(); }
    const Element& operator*() const { return element_; }
    const Element* operator->() const { return &element_; }
    Iterator& operator++() {
      advance();
      return *this;
    }
    void operator++(int) { advance(); }
    bool operator==(std::default_sentinel_t) const { return ended_; }

   private:
    void advance() {
      ended_ = left_ == 0 || !take(rest_, element_);
      if (!ended_) --left_;
    }
    std::uint8_t left_ = 0;
    bool ended_ = true;
    Octets rest_;
    Element element_;
  };
  Iterator begin() const { return Iterator(count, raw); }
  std::default_sentinel_t end() const { return {}; }
};
using Destinations = Listed<Destination>;
using UnsuccessSmes = Listed<UnsuccessSme>;

// Append one element to the list that ends at `at` in `out`; the new length, 0 = does not fit.
[[nodiscard]] std::size_t append(Out out, std::size_t at, const Destination& destination);
[[nodiscard]] std::size_t append(Out out, std::size_t at, const UnsuccessSme& unsuccess);

// The structs. sm_length is short_message.size(); number_of_dests and no_unsuccess are the lists'
// counts; `tlvs` is the raw optional part, exactly as it came.
#define LAYOUT(Type, leniency) \
  struct Type {                \
    using Layout = Type;       \
    static constexpr Leniency kLeniency = Leniency::leniency;
#define U8(name) std::uint8_t name = 0;
#define C_STRING(name, most, status) std::string_view name = {};
#define SHORT_MESSAGE Octets short_message = {};
#define DESTINATIONS Destinations dest_addresses = {};
#define UNSUCCESS_SMES UnsuccessSmes unsuccess_smes = {};
#define END_LAYOUT  \
  Octets tlvs = {}; \
  }                 \
  ;
#define PDU_LIKE(command, id, Type, Layout_, since)       \
  struct Type : Layout_ {                                 \
    static constexpr Command kCommand = Command::command; \
  };
#include "proto/pdu_macros.inc"
#include "proto/pdu_table.inc"
#define TOLLGATE_PDU_END
#include "proto/pdu_macros.inc"

// The command that a PDU type encodes as: command_of<SubmitSm>.
template <class T>
inline constexpr Command command_of = T::kCommand;
#define PDU(command, id, Type, since) \
  template <>                         \
  inline constexpr Command command_of<Type> = Command::command;
#define PDU_LIKE(command, id, Type, Layout, since)
#include "proto/pdu_macros.inc"
#include "proto/pdu_table.inc"
#define TOLLGATE_PDU_END
#include "proto/pdu_macros.inc"

// For every layout (a command that shares a layout converts to it):
//   decode          the octets after the header into `out`
//   encode_body     the body alone, as `encode`; 0 also for an empty body
//   encoded_length  of the whole PDU with its header, whether or not encode() would refuse it
//   encode_with     a whole PDU; the header's command_length is filled in
// encode functions return the octets written, 0 when it does not fit `out` or breaks invariant 5.
#define LAYOUT(Type, leniency)                                     \
  [[nodiscard]] Fault decode(Octets body, Type& out);              \
  [[nodiscard]] std::size_t encode_body(const Type& pdu, Out out); \
  [[nodiscard]] std::size_t encoded_length(const Type& pdu);       \
  [[nodiscard]] std::size_t encode_with(const Header& header, const Type& pdu, Out out);
#include "proto/pdu_macros.inc"
#include "proto/pdu_table.inc"
#define TOLLGATE_PDU_END
#include "proto/pdu_macros.inc"

template <class T>
[[nodiscard]] inline std::size_t encode(const T& pdu, std::uint32_t sequence_number, Status status,
                                        Out out) {
  return encode_with({0, command_of<T>, status, sequence_number}, pdu, out);
}

// A PDU of the header alone: unbind, enquire_link, generic_nack, and every response that refuses
// (3.4 section 4.1.2: no body when command_status is not 0). 16, or 0 when it does not fit.
[[nodiscard]] std::size_t encode_header(Command command, std::uint32_t sequence_number,
                                        Status status, Out out);

}  // namespace tollgate::proto
