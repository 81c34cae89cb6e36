// Our codec against libsmpp34, an independent implementation of SMPP 3.4, on generated PDUs: what
// we encode it must unpack to the same fields, and what it packs from them must be our octets.
//
// libsmpp34 keeps process-global error buffers, so this program is single-threaded and lives alone.
//
// Where the two are known to disagree (each is a case below; in all of them libsmpp34 refuses what
// real peers send, and we carry it):
//   1 a command_status that 3.4 does not name                6 schedule or validity in deliver_sm
//   2 an interface_version other than 0x34                   7 data_sm with a source_addr over 20
//   3 sequence_number 0                                      8 a message_id in deliver_sm_resp
//   4 message_payload over 1,024 octets                      9 TON and NPI that 3.4 does not name
//   5 a bind response without a body                        10 passwords over 8 characters
//  11 the commands of SMPP 5.0
// A long submit_multi list overruns its 2,048-octet buffer for error text and destroys whatever
// lies behind it, so lists stay below ten here, and hostile input is never given to it.
#include <cstdlib>

#include <catch2/catch.hpp>

#include "tests/proto/support.h"

extern "C" {
// clang-format off
#include <libsmpp34/smpp34_structs.h>
#include <libsmpp34/smpp34_params.h>  // needs the structs
// clang-format on
}

using namespace tollgate::proto;
using namespace tollgate::proto::test;

extern "C" {
int smpp34_pack2(std::uint8_t*, int, int*, void*);
int smpp34_unpack2(void*, const std::uint8_t*, int);
// It forgets a TLV when it refuses the PDU: its leak, not ours.
const char* __lsan_default_suppressions() {
  return "leak:libsmpp34";
}
}

namespace {

std::string_view text_of(const std::uint8_t* field) {
  return reinterpret_cast<const char*>(field);
}

// Field by field from our table against the members of their struct, by the specification's names.
// Returns the names of those that differ.
#define LAYOUT(Type, leniency)                                                    \
  template <class Theirs>                                                         \
  [[maybe_unused]] std::string difference(const Type& ours, const Theirs& theirs, \
                                          std::type_identity<Type>) {             \
    std::string found;                                                            \
    (void)ours;                                                                   \
    (void)theirs;
#define U8(name) \
  if (ours.name != theirs.name) found += #name " ";
#define C_STRING(name, most, status) \
  if (ours.name != text_of(theirs.name)) found += #name " ";
#define SHORT_MESSAGE                                                                     \
  if (!same_octets(ours.short_message, Octets(theirs.short_message, theirs.sm_length))) { \
    found += "short_message ";                                                            \
  }
#define DESTINATIONS                                                                      \
  {                                                                                       \
    if (ours.dest_addresses.count != theirs.number_of_dests) found += "number_of_dests "; \
    const dad_t* at = theirs.dest_addr_def;                                               \
    for (const Destination& d : ours.dest_addresses) {                                    \
      if (at == nullptr || !same_destination(d, *at)) {                                   \
        found += "dest_address ";                                                         \
        break;                                                                            \
      }                                                                                   \
      at = at->next;                                                                      \
    }                                                                                     \
  }
#define UNSUCCESS_SMES                                                              \
  {                                                                                 \
    if (ours.unsuccess_smes.count != theirs.no_unsuccess) found += "no_unsuccess "; \
    const udad_t* at = theirs.unsuccess_smes;                                       \
    for (const UnsuccessSme& u : ours.unsuccess_smes) {                             \
      if (at == nullptr || !same_unsuccess(u, *at)) {                               \
        found += "unsuccess_sme ";                                                  \
        break;                                                                      \
      }                                                                             \
      at = at->next;                                                                \
    }                                                                               \
  }
#define END_LAYOUT \
  return found;    \
  }

bool same_destination(const Destination& d, const dad_t& theirs) {
  if (d.dest_flag != theirs.dest_flag) return false;
  if (d.dest_flag == 2) return d.destination_addr == text_of(theirs.value.dl_name);
  return d.dest_addr_ton == theirs.value.sme.dest_addr_ton &&
         d.dest_addr_npi == theirs.value.sme.dest_addr_npi &&
         d.destination_addr == text_of(theirs.value.sme.destination_addr);
}
bool same_unsuccess(const UnsuccessSme& u, const udad_t& theirs) {
  return u.dest_addr_ton == theirs.dest_addr_ton && u.dest_addr_npi == theirs.dest_addr_npi &&
         u.destination_addr == text_of(theirs.destination_addr) &&
         static_cast<std::uint32_t>(u.error_status_code) == theirs.error_status_code;
}

#include "proto/pdu_macros.inc"
#include "proto/pdu_table.inc"
#define TOLLGATE_PDU_END
#include "proto/pdu_macros.inc"

// Numbers are kept in host order, everything else as octets.
std::string tlv_line(Tag tag, Octets value) {
  return std::to_string(static_cast<unsigned>(tag)) + '=' + std::string(as_text(value));
}
std::string tlv_line(const tlv_t& theirs) {
  const Tag tag{theirs.tag};
  std::uint8_t number[2];
  if (tlv_rule(tag).form == TlvForm::number && theirs.length == 2) {
    store_u16(number, theirs.value.val16);
    return tlv_line(tag, number);
  }
  return tlv_line(tag, Octets(theirs.value.octet, theirs.length));
}

template <class Theirs>
std::string tlv_difference(Octets ours, const Theirs& theirs) {
  if constexpr (requires { theirs.tlv; }) {
    std::vector<std::string> a;
    std::vector<std::string> b;
    for (Tlv tlv : Tlvs(ours)) a.push_back(tlv_line(tlv.tag, tlv.value));
    for (const tlv_t* tlv = theirs.tlv; tlv != nullptr; tlv = tlv->next)
      b.push_back(tlv_line(*tlv));
    return a == b ? "" : "tlvs";
  } else {
    return ours.empty() ? "" : "tlvs it has no place for";
  }
}

template <class Theirs>
void destroy_lists(Theirs& theirs) {
  if constexpr (requires { theirs.tlv; }) destroy_tlv(theirs.tlv);
  if constexpr (requires { theirs.dest_addr_def; }) destroy_dad(theirs.dest_addr_def);
  if constexpr (requires { theirs.unsuccess_smes; }) destroy_udad(theirs.unsuccess_smes);
}

// It unpacks lists back to front.
template <class Node>
void reverse(Node*& list) {
  Node* reversed = nullptr;
  while (list != nullptr) {
    Node* next = list->next;
    list->next = reversed;
    reversed = list;
    list = next;
  }
  list = reversed;
}

// The reason it gives, "" when it unpacked.
template <class Theirs>
std::string unpack(Octets octets, Theirs& theirs) {
  theirs = {};
  if (smpp34_unpack2(&theirs, octets.data(), static_cast<int>(octets.size())) == 0) {
    if constexpr (requires { theirs.tlv; }) reverse(theirs.tlv);
    if constexpr (requires { theirs.dest_addr_def; }) reverse(theirs.dest_addr_def);
    if constexpr (requires { theirs.unsuccess_smes; }) reverse(theirs.unsuccess_smes);
    return "";
  }
  return std::string("refused: ") + smpp34_strerror;
}

// What only we carry is left out of the PDUs that both must agree on.
void make_agreeable(DeliverSm& sm) {
  sm.schedule_delivery_time = {};  // 6
  sm.validity_period = {};
}
void make_agreeable(DataSm& sm) {
  sm.source_addr = sm.source_addr.substr(0, 20);
}  // 7
void make_agreeable(DeliverSmResp& resp) {
  resp.message_id = {};
}  // 8
template <class T>
void make_agreeable(T&) {}

template <class T, class Theirs>
void compare_one(Generator& generator) {
  generator.clear();
  T pdu = generator.make<T>();
  make_agreeable(pdu);
  std::vector<std::uint8_t> out(encoded_length(pdu));
  const std::uint32_t sequence = 1 + generator.below(0x7FFFFFFF);
  REQUIRE(encode(pdu, sequence, Status::ESME_ROK, out) == out.size());
  INFO(command_name(command_of<T>));
  Theirs theirs;
  REQUIRE(unpack(out, theirs) == "");
  CHECK(theirs.command_length == out.size());
  CHECK(theirs.command_id == static_cast<std::uint32_t>(command_of<T>));
  CHECK(theirs.sequence_number == sequence);
  using Layout = typename T::Layout;
  CHECK(difference(pdu, theirs, std::type_identity<Layout>{}) == "");
  CHECK(tlv_difference(pdu.tlvs, theirs) == "");

  std::vector<std::uint8_t> packed(out.size() + 64);
  int length = 0;
  const int result = smpp34_pack2(packed.data(), static_cast<int>(packed.size()), &length, &theirs);
  INFO(smpp34_strerror);
  REQUIRE(result == 0);
  packed.resize(static_cast<std::size_t>(length));
  destroy_lists(theirs);
  CHECK(packed == out);
}

#define SHARED_COMMANDS(ROW)                        \
  ROW(GenericNack, generic_nack_t)                  \
  ROW(BindReceiver, bind_receiver_t)                \
  ROW(BindReceiverResp, bind_receiver_resp_t)       \
  ROW(BindTransmitter, bind_transmitter_t)          \
  ROW(BindTransmitterResp, bind_transmitter_resp_t) \
  ROW(BindTransceiver, bind_transceiver_t)          \
  ROW(BindTransceiverResp, bind_transceiver_resp_t) \
  ROW(Outbind, outbind_t)                           \
  ROW(QuerySm, query_sm_t)                          \
  ROW(QuerySmResp, query_sm_resp_t)                 \
  ROW(SubmitSm, submit_sm_t)                        \
  ROW(SubmitSmResp, submit_sm_resp_t)               \
  ROW(DeliverSm, deliver_sm_t)                      \
  ROW(DeliverSmResp, deliver_sm_resp_t)             \
  ROW(Unbind, unbind_t)                             \
  ROW(UnbindResp, unbind_resp_t)                    \
  ROW(ReplaceSm, replace_sm_t)                      \
  ROW(ReplaceSmResp, replace_sm_resp_t)             \
  ROW(CancelSm, cancel_sm_t)                        \
  ROW(CancelSmResp, cancel_sm_resp_t)               \
  ROW(EnquireLink, enquire_link_t)                  \
  ROW(EnquireLinkResp, enquire_link_resp_t)         \
  ROW(SubmitMulti, submit_multi_t)                  \
  ROW(SubmitMultiResp, submit_multi_resp_t)         \
  ROW(AlertNotification, alert_notification_t)      \
  ROW(DataSm, data_sm_t)                            \
  ROW(DataSmResp, data_sm_resp_t)

// Ours decodes it; theirs refuses it.
template <class T, class Theirs>
void disagree(const T& pdu, std::uint32_t sequence = 1, Status status = Status::ESME_ROK) {
  std::vector<std::uint8_t> out(encoded_length(pdu));
  REQUIRE(encode(pdu, sequence, status, out) == out.size());
  T back;
  CHECK_FALSE(decode(Octets(out).subspan(kHeaderLength), back));
  CHECK(fields_of(back) == fields_of(pdu));
  Theirs theirs;
  CHECK(unpack(out, theirs) != "");
}

}  // namespace

TEST_CASE("10,800 generated PDUs mean the same to libsmpp34, both ways") {
  Generator generator(34, Wildness::modest);
  std::size_t done = 0;
  for (int round = 0; round < 400; ++round) {
#define ROW(Type, theirs)               \
  compare_one<Type, theirs>(generator); \
  ++done;
    SHARED_COMMANDS(ROW)
#undef ROW
  }
  CHECK(done == 10'800);
}

TEST_CASE("the known disagreements are what the list says") {
  SECTION("1 a command_status that 3.4 does not name") {
    disagree<SubmitSmResp, submit_sm_resp_t>({{.message_id = "1"}}, 1, Status{0x22});
    disagree<SubmitSmResp, submit_sm_resp_t>({{.message_id = "1"}}, 1, Status{0x450});
  }
  SECTION("2 an interface_version other than 0x34") {
    for (const std::uint8_t version : std::initializer_list<std::uint8_t>{0x00, 0x33, 0x50, 0x7B}) {
      disagree<BindTransmitter, bind_transmitter_t>({{.interface_version = version}});
    }
  }
  SECTION("3 sequence_number 0") {
    disagree<EnquireLink, enquire_link_t>({}, 0);
  }
  SECTION("4 message_payload over 1,024 octets") {
    std::vector<std::uint8_t> block(1'100);
    block.resize(append_tlv(block, 0, Tag::message_payload, std::vector<std::uint8_t>(1'025)));
    disagree<SubmitSm, submit_sm_t>({.tlvs = block});
  }
  SECTION("6, 7, 8 fields that 3.4 says are unused or shorter") {
    disagree<DeliverSm, deliver_sm_t>({.schedule_delivery_time = "000001000000000R"});
    disagree<DeliverSm, deliver_sm_t>({.validity_period = "000001000000000R"});
    disagree<DataSm, data_sm_t>({.source_addr = "123456789012345678901"});
    disagree<DeliverSmResp, deliver_sm_resp_t>({{.message_id = "1"}});
  }
  SECTION("9 TON and NPI that 3.4 does not name") {
    disagree<SubmitSm, submit_sm_t>({.source_addr_ton = 9});
    disagree<SubmitSm, submit_sm_t>({.dest_addr_npi = 79});
  }
  SECTION("10 passwords over 8 characters") {
    disagree<BindTransceiver, bind_transceiver_t>(
        {{.password = "123456789", .interface_version = 0x34}});
  }
  SECTION("5 and 11: a bind response without a body; 5.0 commands") {
    std::uint8_t out[16];
    REQUIRE(encode_header(Command::bind_transceiver_resp, 1, Status::ESME_RINVPASWD, out) == 16);
    bind_transceiver_resp_t theirs;
    CHECK(unpack(out, theirs) != "");
    REQUIRE(encode_header(Command::cancel_broadcast_sm_resp, 1, Status::ESME_ROK, out) == 16);
    unbind_t any;
    CHECK(unpack(out, any) != "");
  }
}
