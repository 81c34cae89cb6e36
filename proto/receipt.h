// Delivery receipts: the text form with all its dialects, and the TLV form.
//
// Thread: any; no allocation. Specification: 3.4 appendix B ("vendor specific ... a typical
// example"), 5.0 sections 4.8.4.48 (receipted_message_id) and 4.8.4.35 (message_state).
// 1. TLVs are trusted before text; text alone suffices, and so do TLVs alone.
// 2. The text's fields may come in any order, any case, with or without the blank in "submit
//    date", and any of them may be missing; "text:" is the quote and normally the last, but known
//    fields after it still count if they were not seen before it.
// 3. An unknown stat word reads as MessageState::unknown and is kept in stat_text.
// 4. Views point into the PDU, or into `scratch` when the text was UTF-16; nothing else.
// 5. A receipt without any message id parses (id is empty): the caller decides what to do.
// 6. A word has at most kReceiptWordMax octets, longer ones are cut. A receipted_message_id that
//    is longer than a message_id may be counts only where there is no other id.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "proto/pdu.h"

namespace tollgate::proto {

enum class MessageState : std::uint8_t {
  scheduled = 0,
  enroute = 1,
  delivered = 2,
  expired = 3,
  deleted = 4,
  undeliverable = 5,
  accepted = 6,
  unknown = 7,
  rejected = 8,
  skipped = 9,
};

// The stat word of 3.4 appendix B: "DELIVRD"; "UNKNOWN" for a value that is not a state.
std::string_view stat_word(MessageState state);
// "delivered", for labels and JSON; "unknown" for a value that is not a state.
std::string_view message_state_name(MessageState state);
// Known words and their seen variants in any case; MessageState::unknown for any other.
MessageState state_of_word(std::string_view stat);
// No further receipt is to be expected. accepted and unknown are final at most carriers (a
// dialect may say otherwise); scheduled and enroute are not.
constexpr bool is_final(MessageState state) {
  return state != MessageState::scheduled && state != MessageState::enroute;
}

struct Receipt {
  std::string_view id;  // the TLV's when there is one, else the text's
  MessageState state = MessageState::unknown;
  std::string_view stat_text;  // the raw word; empty when only the TLV spoke
  std::string_view err;
  std::string_view submit_date;  // digits as they came: 10, 12 or 14 of them
  std::string_view done_date;
  std::string_view sub;
  std::string_view dlvrd;
  std::string_view text;
  bool intermediate = false;  // esm_class says intermediate notification
  bool has_network_error = false;
  std::uint8_t network_error[3] = {};  // type, code
  bool id_from_tlv = false;
  std::string_view text_id;  // the text's id when the TLV has one too
};

// esm_class says delivery receipt or intermediate notification; or TLV receipted_message_id is
// there; or esm_class has no message type and the text reads as a receipt.
bool is_receipt(const DeliverSm& sm);
bool is_receipt(const DataSm& sm);

// False when there is neither a receipt's text nor a TLV to read. `scratch` takes the text of a
// UTF-16 receipt (kReceiptScratch octets are always enough) and must live as long as `out`.
bool parse_receipt(const DeliverSm& sm, Receipt& out, std::span<char> scratch);
bool parse_receipt(const DataSm& sm, Receipt& out, std::span<char> scratch);
// The text form alone, already as characters.
bool parse_receipt_text(std::string_view text, Receipt& out);

// What format_receipt writes. Dates are YYMMDDhhmm.
struct ReceiptText {
  std::string_view id;
  unsigned sub = 1;
  unsigned dlvrd = 0;
  std::string_view submit_date;
  std::string_view done_date;
  MessageState state = MessageState::unknown;
  std::string_view err = "000";  // written with at least 3 characters, zeros in front
  std::string_view text;         // its first 20 octets are quoted
};

// "id:.. sub:001 dlvrd:001 submit date:.. done date:.. stat:DELIVRD err:000 Text:..". Returns the
// length, 0 when it does not fit.
std::size_t format_receipt(const ReceiptText& in, std::span<char> out);

}  // namespace tollgate::proto
