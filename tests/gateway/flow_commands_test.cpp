// The commands besides submit_sm: submit_multi, data_sm, query_sm, cancel_sm, replace_sm, and what
// a gateway does not do.
#include "proto/text.h"
#include "proto/tlv.h"
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

using proto::Command;
using proto::MessageState;
using proto::Status;

struct Multi {
  std::array<std::uint8_t, 512> octets;
  proto::SubmitMulti pdu;

  explicit Multi(const std::vector<proto::Destination>& destinations) {
    std::size_t length = 0;
    for (const auto& destination : destinations) {
      length = proto::append(octets, length, destination);
      REQUIRE(length != 0);
    }
    pdu.source_addr_ton = 5;
    pdu.source_addr = "SHOP";
    pdu.registered_delivery = 1;
    pdu.short_message = proto::as_octets("to many");
    pdu.dest_addresses = {static_cast<std::uint8_t>(destinations.size()),
                          proto::Octets(octets).first(length)};
  }
};

TEST_CASE("submit_multi: the good go out, the bad and the lists are named", "[commands]") {
  World world;
  ClientEnd& client = world.bind("shop");
  const Multi multi({{1, 1, 1, "447700900001"},
                     {1, 1, 1, "44x"},
                     {2, 0, 0, "friends"},
                     {1, 1, 1, "447700900002"},
                     {1, 1, 1, "33612345678"}});
  const std::uint32_t sequence = client.send(multi.pdu);
  world.settle();
  REQUIRE(client.answered(sequence));
  CHECK(client.status(sequence) == Status::ESME_ROK);
  const auto response = client.responses.at(sequence).as<proto::SubmitMultiResp>();
  const std::string id(response.message_id);
  CHECK(id.size() == 16);
  std::vector<std::pair<std::string, Status>> failed;
  for (const proto::UnsuccessSme& one : response.unsuccess_smes) {
    failed.emplace_back(one.destination_addr, one.error_status_code);
  }
  REQUIRE(failed.size() == 3);
  CHECK(failed[0] == std::pair(std::string("44x"), Status::ESME_RINVDSTADR));
  CHECK(failed[1].second == Status::ESME_RINVDLNAME);
  CHECK(failed[2] == std::pair(std::string("33612345678"), Status::ESME_RSUBMITFAIL));
  REQUIRE(world.carrier(0).submits.size() == 2);
  CHECK(world.carrier(0).submits[0].to == "447700900001");
  CHECK(world.carrier(0).submits[1].to == "447700900002");
  CHECK(world.carrier(0).submits[1].text == "to many");
  world.carrier(0).receipt("alpha2", MessageState::undeliverable);
  world.carrier(0).receipt("alpha1", MessageState::delivered);
  world.settle();
  REQUIRE(client.told.size() == 2);
  CHECK(client.told[0].id == id);
  CHECK(client.told[0].from == "447700900002");
  CHECK(client.told[1].id == id);
  CHECK(client.told[1].from == "447700900001");
  // The list is refused before it is a submit: two destinations that were, two that were not.
  CHECK(world.client(0).submits.get() == 4);
  world.finish();
}

TEST_CASE("submit_multi with nothing good: a status, no body, nothing kept", "[commands]") {
  World world;
  ClientEnd& client = world.bind("shop");
  const Multi lists({{2, 0, 0, "friends"}});
  const Multi bad({{1, 1, 1, "33612345678"}, {1, 1, 1, "44x"}});
  const std::uint32_t one = client.send(lists.pdu);
  const std::uint32_t two = client.send(bad.pdu);
  world.settle();
  CHECK(client.status(one) == Status::ESME_RINVDLNAME);
  CHECK(client.status(two) == Status::ESME_RINVDSTADR);
  CHECK(client.responses.at(two).octets.size() == proto::kHeaderLength);
  CHECK(world.sum(&LedgerCounters::accepted) == 0);
  world.finish();
}

TEST_CASE("data_sm: a message like any other, its text in message_payload", "[commands]") {
  World world;
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& client = world.bind("shop");
  std::array<std::uint8_t, 64> block;
  const std::size_t length =
      proto::append_tlv_text(block, 0, proto::Tag::message_payload, "as data");
  proto::DataSm data;
  data.source_addr_ton = 5;
  data.source_addr = "SHOP";
  data.dest_addr_ton = 1;
  data.dest_addr_npi = 1;
  data.destination_addr = "447700900001";
  data.registered_delivery = 1;
  data.tlvs = {block.data(), length};
  const std::uint32_t one = client.send(data);
  data.destination_addr = "4477009000014477009000011";
  const std::uint32_t too_long = client.send(data);
  world.settle();
  CHECK(client.status(one) == Status::ESME_ROK);
  CHECK(client.responses.at(one).header.command_id == Command::data_sm_resp);
  CHECK(client.status(too_long) == Status::ESME_RINVDSTADR);
  CHECK(world.carrier(0).submits.size() == 1);
  REQUIRE(client.told.size() == 1);
  CHECK(client.told[0].id == client.id(one));
  world.finish();
}

TEST_CASE("data_sm and submit_multi: the window is theirs too, and a bad one counts",
          "[commands]") {
  World world({.change = [](Config& config) { config.clients[0].window = 3; }});
  ClientEnd& client = world.bind("shop");
  proto::DataSm data;
  data.destination_addr = "447700900001";
  std::vector<std::uint32_t> sent;
  for (int i = 0; i < 5; ++i) sent.push_back(client.send(data));
  const std::uint32_t multi = client.send_empty(Command::submit_multi);
  world.settle();
  for (std::size_t i = 0; i < sent.size(); ++i) {
    CHECK(client.status(sent[i]) == (i < 3 ? Status::ESME_ROK : Status::ESME_RTHROTTLED));
  }
  CHECK(client.status(multi) == Status::ESME_RTHROTTLED);
  CHECK(world.client(0).window_overruns.get() == 3);
  CHECK(world.sum(&DoorCounters::bad_pdus) == 0);
  client.send_empty(Command::data_sm);  // without a body
  client.send_empty(Command::submit_multi);
  const std::uint64_t submits = world.client(0).submits.get();
  world.settle();
  CHECK(world.sum(&DoorCounters::bad_pdus) == 2);
  CHECK(world.client(0).submits.get() == submits + 2);
  const std::uint32_t good = client.send(data);
  world.settle();
  CHECK(client.status(good) == Status::ESME_ROK);
  for (const auto& submit : std::vector(world.carrier(0).submits)) CHECK(!submit.id.empty());
  world.finish();
}

struct Asked {
  Status status;
  MessageState state;
  std::string final_date;
  std::string id;
};

Asked query(World& world, ClientEnd& client, const std::string& id, const char* source = "SHOP") {
  proto::QuerySm query;
  query.message_id = id;
  query.source_addr_ton = 5;
  query.source_addr = source;
  const std::uint32_t sequence = client.send(query);
  world.settle();
  const Seen& response = client.responses.at(sequence);
  if (client.status(sequence) != Status::ESME_ROK) return {client.status(sequence), {}, {}, {}};
  const auto answer = response.as<proto::QuerySmResp>();
  return {Status::ESME_ROK, MessageState{answer.message_state}, std::string(answer.final_date),
          std::string(answer.message_id)};
}

TEST_CASE("query_sm in each stage, and for whom it is not", "[commands]") {
  World world({.change = [](Config& config) { config.carriers[0].timers.response_ms = 5'000; }});
  world.carrier(0).on_submit = [](const auto&) { return std::nullopt; };
  ClientEnd& client = world.bind("shop", Command::bind_transmitter);
  ClientEnd& other = world.bind("depot");
  const std::uint32_t one = client.submit();
  const std::uint32_t two = client.submit();
  world.settle();
  const std::string id = client.id(one);
  CHECK(query(world, client, id).state == MessageState::enroute);  // placed
  CHECK(query(world, client, id).id == id);
  CHECK(query(world, client, id).final_date.empty());
  CHECK(query(world, other, id).status == Status::ESME_RQUERYFAIL);
  CHECK(query(world, client, id, "PHISH").status == Status::ESME_RINVSRCADR);
  CHECK(query(world, client, "no id").status == Status::ESME_RQUERYFAIL);
  CHECK(query(world, client, "ffffffffffffffff").status == Status::ESME_RQUERYFAIL);
  CHECK(query(world, client, "00000000000000001").status == Status::ESME_RQUERYFAIL);
  world.carrier(0).answer(0, {Status::ESME_ROK, "q1"});
  world.settle();
  CHECK(world.message(id).stage == Stage::awaiting);
  CHECK(query(world, client, id).state == MessageState::enroute);
  world.pass(6 * kSecond);
  CHECK(world.message(client.id(two)).stage == Stage::in_doubt);
  CHECK(query(world, client, client.id(two)).state == MessageState::enroute);
  world.carrier(0).receipt("q1", MessageState::undeliverable);
  world.settle();
  const Asked told = query(world, client, id);
  CHECK(told.state == MessageState::undeliverable);
  CHECK(told.final_date == "270115080100000+");  // the receipt's done date
  ClientEnd& receiver = world.bind("shop", Command::bind_receiver);
  world.settle();
  CHECK(receiver.told.size() == 1);
  CHECK(query(world, client, id).status == Status::ESME_RQUERYFAIL);  // settled
  world.finish(World::Left::something);
}

TEST_CASE("a 3.3 client: short ids in response, query and receipt", "[commands]") {
  World world;
  ClientEnd& sender = world.bind("shop", Command::bind_transmitter, 0x33);
  const std::uint32_t one = sender.submit();
  world.settle();
  const std::string id = sender.id(one);
  CHECK(id.size() == 8);
  CHECK(query(world, sender, id).state == MessageState::enroute);
  ClientEnd& receiver = world.bind("shop", Command::bind_receiver, 0x33);
  world.carrier(0).receipt("alpha1", MessageState::delivered);
  world.settle();
  REQUIRE(receiver.told.size() == 1);
  CHECK(receiver.told[0].id == id);
  CHECK(receiver.told[0].tlv_id.empty());
  world.finish();
}

TEST_CASE("cancel_sm and replace_sm: a message is with its carrier at once", "[commands]") {
  World world;
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& client = world.bind("shop", Command::bind_transmitter);
  proto::CancelSm cancel;
  cancel.message_id = "0000000000000001";
  cancel.source_addr = "SHOP";
  proto::ReplaceSm replace;
  replace.message_id = "0000000000000001";
  replace.source_addr = "SHOP";
  replace.short_message = proto::as_octets("new");
  const std::uint32_t one = client.send(cancel);
  const std::uint32_t two = client.send(replace);
  world.settle();
  CHECK(client.status(one) == Status::ESME_RCANCELFAIL);
  CHECK(client.status(two) == Status::ESME_RREPLACEFAIL);
  world.finish();
}

TEST_CASE("unknown commands, wrong states, stray responses: answered, and the session stays",
          "[commands]") {
  World world;
  ClientEnd& receiver = world.bind("shop", Command::bind_receiver);
  const std::uint32_t submit = receiver.submit();
  const std::uint32_t unknown = receiver.next_sequence();
  receiver.send(header_octets(Command{0x00000077}, unknown));
  receiver.send(header_octets(Command::deliver_sm_resp, 12'345));
  receiver.send(header_octets(Command::unbind_resp, 12'346));
  receiver.send(header_octets(Command::submit_sm_resp, 12'347));
  const std::uint32_t again = world.send_bind(receiver, "shop");
  world.settle();
  CHECK(receiver.status(submit) == Status::ESME_RINVBNDSTS);
  CHECK(receiver.responses.at(unknown).header.command_id == Command::generic_nack);
  CHECK(receiver.status(unknown) == Status::ESME_RINVCMDID);
  CHECK(receiver.status(again) == Status::ESME_RALYBND);
  CHECK(world.sum(&DoorCounters::ignored_responses) == 3);
  const std::uint32_t enquiry = receiver.send_empty(Command::enquire_link);
  world.settle();
  CHECK(receiver.answered(enquiry));
  CHECK_FALSE(receiver.closed());
  world.finish();
}

TEST_CASE("a submit_sm that does not parse: its field's status, and the session stays",
          "[commands]") {
  World world;
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& client = world.bind("shop");
  proto::SubmitSm sm;
  sm.destination_addr = "447700900001";
  sm.short_message = proto::as_octets("hello");
  std::string octets = octets_of(sm, client.next_sequence());
  octets.resize(octets.size() - 3);  // sm_length says more than is there
  proto::store_u32(reinterpret_cast<std::uint8_t*>(octets.data()),
                   static_cast<std::uint32_t>(octets.size()));
  client.send(octets);
  const std::uint32_t good = client.submit();
  world.settle();
  CHECK(client.status(good - 1) == Status::ESME_RINVMSGLEN);
  CHECK(client.status(good) == Status::ESME_ROK);
  CHECK(world.sum(&DoorCounters::bad_pdus) == 1);
  world.finish();
}

}  // namespace
}  // namespace tollgate::gateway
