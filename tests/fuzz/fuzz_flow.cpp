// Clients and carriers say anything, in any order, cut anywhere, while time passes: the real flow
// in the world of tests/gateway/world.h, with its journal on a disk in memory. The first octets
// choose the configuration; then each octet is a step, with the octets it takes behind it.
//
// What must hold, after each step in which time passed and at the end: conservation of messages and
// money (World::check_conserved); everything that was said to a client or a carrier is a PDU that
// decodes. At the end the journal tells the same messages as memory has, without a finding; and
// when all behave and enough time has passed, nothing is left of any message.
#include <array>
#include <crypt.h>
#include <map>

#include "gateway/keeping/recovery.h"
#include "proto/pdu_visit.h"
#include "proto/tlv.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/log.h"
#include "tests/gateway/world.h"

using namespace tollgate;
using namespace tollgate::gateway;
using fuzz::Input;
using fuzz::must;
using proto::Command;
using proto::Status;

namespace {

constexpr std::size_t kClientsMax = 8, kPduMax = 2'500;
constexpr Status kStatuses[] = {Status::ESME_ROK,        Status::ESME_RTHROTTLED,
                                Status::ESME_RMSGQFUL,   Status::ESME_RSYSERR,
                                Status::ESME_RINVDSTADR, Status::ESME_RSUBMITFAIL,
                                Status::ESME_RX_T_APPN,  Status::ESME_RX_P_APPN};
constexpr std::int64_t kPauses[] = {kMs,          20 * kMs,     500 * kMs,     5 * kSecond,
                                    31 * kSecond, 70 * kSecond, 700 * kSecond, kHour + kSecond};

std::string octets_of_input(std::span<const std::uint8_t> octets) {
  return {octets.begin(), octets.end()};
}

void set_carrier(carriers::CarrierConfig& carrier, Input& in) {
  carrier.binds[0].window = 1 + in.below(4);
  carrier.queue_max = 1 + in.below(16);
  carrier.in_doubt = static_cast<carriers::InDoubt>(in.below(3));
  carrier.awaiting_max = 1 + in.below(32);
  carrier.awaiting_hours = 1;
  carrier.early_receipts_max = 1 + in.below(32);
  const auto form = static_cast<carriers::IdForm>(in.below(3));
  carrier.dialect.id_response = form;
  carrier.dialect.id_receipt_text = static_cast<carriers::IdForm>(in.below(3));
  carrier.dialect.id_receipt_tlv = form;
  carrier.dialect.id_fold_case = in.flag();
  carrier.dialect.tlvs = in.flag();
  carrier.dialect.destination_prefix = static_cast<carriers::DestinationPrefix>(in.below(4));
  carrier.retry.temporary.attempts = in.below(3);
}

void set(Config& config, Input& in) {
  static const std::string hash = ::crypt("pw", "ab");  // the fastest there is
  config.gateway.limits.messages_per_shard = 64;
  config.gateway.in_doubt_hold_us = 60 * kSecond;
  config.gateway.retry_first_us = kSecond;
  config.gateway.retry_max_us = 8 * kSecond;
  config.journal.segment_octets = 64 * 1024;
  for (ClientConfig& client : config.clients) {
    client.password_hash = hash;
    client.window = 1 + in.below(8);
    client.queue_max = 1 + in.below(16);
    client.sessions_max = 3;
    client.receipts_max = 32;
    client.receipts_memory = 1 + in.below(8);
    client.receipts_window = 1 + in.below(4);
    client.receipt_keep_us = 300 * kSecond;
    client.accept = in.below(4) == 0 ? Accept::relay : Accept::store;
  }
  for (carriers::CarrierConfig& carrier : config.carriers) set_carrier(carrier, in);
}

class Play {
 public:
  explicit Play(Input& in) : in_(in), disk_(make_disk(in)), world_(options(in, disk_.get())) {
    for (std::size_t i = 0; i < world_.carriers(); ++i) {
      world_.carrier(i).on_submit = [this, i](const CarrierEnd::Submit&) { return answer(i); };
    }
  }

  void run() {
    const bool ends_well = in_.flag();
    for (int steps = 0; !in_.empty() && steps < 400; ++steps) step();
    world_.turn(4);
    world_.check_conserved();
    if (ends_well) all_ends();
    world_.finish(World::Left::something);
    const std::size_t left = world_.messages();
    if (disk_ != nullptr) check_journal(left);
  }

 private:
  static std::unique_ptr<core::testing::FaultyStorage> make_disk(Input& in) {
    if (!in.flag()) return nullptr;
    auto disk = std::make_unique<core::testing::FaultyStorage>();
    disk->keep_log = false;
    return disk;
  }
  static WorldOptions options(Input& in, core::testing::FaultyStorage* disk) {
    WorldOptions options;
    options.shards = 1 + in.below(2);
    options.carriers = 2;
    options.disk = disk;
    options.change = [&in](Config& config) { set(config, in); };
    return options;
  }

  CarrierEnd& some_carrier() { return world_.carrier(in_.below(2)); }
  ClientEnd* some_client() {
    return clients_.empty() ? nullptr : clients_[in_.octet() % clients_.size()];
  }

  // A submit_sm is answered at once, by an id or a status, or not yet.
  std::optional<CarrierEnd::Reply> answer(std::size_t carrier) {
    switch (answers_[carrier] % 4) {
      case 0:
        return CarrierEnd::Reply{Status::ESME_ROK, world_.carrier(carrier).next_id()};
      case 1:
        return std::nullopt;
      case 2:
        return CarrierEnd::Reply{kStatuses[1 + answers_[carrier] / 4 % 7]};
      default:
        return CarrierEnd::Reply{Status::ESME_ROK, "0"};
    }
  }

  // The world's journal has rings of 8 KiB, the gateway's hold the longest PDU many times: an end
  // that begins a long one says no more.
  bool may_say(End& end, const std::string& octets) {
    std::string& said = said_[&end];
    said += octets;
    const auto* data = reinterpret_cast<const std::uint8_t*>(said.data());
    std::size_t at = 0;
    while (said.size() - at >= 4) {
      const std::uint32_t length = proto::load_u32(data + at);
      if (length < proto::kHeaderLength || length > proto::kPduLengthMax) return true;
      if (length > kPduMax) return false;
      if (length > said.size() - at) break;
      at += length;
    }
    said.erase(0, at);
    return true;
  }

  // Octets to the gateway: together, or cut into parts that it reads a turn each.
  void send(End& end, const std::string& octets) {
    if (!may_say(end, octets)) return;
    const std::size_t part = cut_ == 0 ? octets.size() : cut_;
    for (std::size_t at = 0; at < octets.size(); at += part) {
      if (cut_ == 0) {
        end.send(octets);
      } else {
        end.wire().incoming.push_back(octets.substr(at, part));
      }
    }
  }

  // A PDU with any body, its length right.
  std::string any_pdu() {
    const unsigned which = in_.below(std::size(proto::kCommands) + 1);
    const auto command = which < std::size(proto::kCommands) ? proto::kCommands[which]
                                                             : static_cast<Command>(in_.four());
    const Status status = kStatuses[in_.below(std::size(kStatuses))];
    std::string octets = header_octets(command, in_.octet(), status);
    octets += fuzz::unfolded(in_.counted(), 8'000);
    proto::store_u32(reinterpret_cast<std::uint8_t*>(octets.data()),
                     static_cast<std::uint32_t>(octets.size()));
    return octets;
  }

  void submit(ClientEnd& client) {
    constexpr const char* kNumbers[] = {"447700900001", "447700900002", "+447700900003",
                                        "07700900004",  "33612345678",  "0"};
    constexpr const char* kValidity[] = {"", "000000000010000R", "000000010000000R",
                                         "270115080100000+"};
    proto::SubmitSm sm;
    sm.source_addr = "SHOP";
    sm.source_addr_ton = 5;
    sm.dest_addr_ton = 1;
    sm.destination_addr = kNumbers[in_.below(std::size(kNumbers))];
    sm.validity_period = kValidity[in_.below(std::size(kValidity))];
    sm.registered_delivery = in_.octet();
    sm.esm_class = in_.octet();
    sm.data_coding = in_.octet();
    sm.short_message = in_.octets(in_.below(64));
    const std::string tlvs = fuzz::unfolded(in_.octets(in_.below(32)), 4'000);
    sm.tlvs = proto::as_octets(tlvs);
    send(client, octets_of(sm, client.next_sequence()));
  }

  // A receipt whose text and TLVs are the input's; its id may be one that was given.
  void receipt(CarrierEnd& carrier) {
    std::string text = "id:";
    if (!carrier.submits.empty()) text += carrier.submits[in_.octet() % carrier.submits.size()].id;
    text += fuzz::unfolded(in_.counted(), 2'000);
    const std::string tlvs = fuzz::unfolded(in_.counted(), 4'000);
    proto::DeliverSm sm;
    sm.esm_class = in_.flag() ? 0x04 : in_.octet();
    sm.data_coding = in_.flag() ? 0 : in_.octet();
    sm.short_message = proto::as_octets(text).first(std::min<std::size_t>(text.size(), 255));
    sm.tlvs = proto::as_octets(tlvs);
    sm.tlvs = sm.tlvs.first(proto::good_length(sm.tlvs));
    to_gateway(carrier, octets_of(sm, in_.octet() + 1U));
  }

  void to_gateway(CarrierEnd& carrier, const std::string& octets) {
    const std::size_t bind = in_.octet();
    if (carrier.connects() != 0) send(carrier.end(bind % carrier.connects()), octets);
  }

  void client_step(unsigned what) {
    if (what == 0 || clients_.empty()) {
      if (clients_.size() == kClientsMax) return;
      clients_.push_back(&world_.connect("198.51.100." + std::to_string(1 + in_.below(3))));
      const unsigned how = in_.octet();
      if (how == 255) return;
      constexpr Command kKinds[] = {Command::bind_transceiver, Command::bind_transmitter,
                                    Command::bind_receiver};
      world_.send_bind(*clients_.back(), how % 2 == 0 ? "shop" : "depot", kKinds[how / 2 % 3],
                       how % 7 == 6 ? 0x33 : 0x34, how % 16 == 15 ? "no" : "pw");
      return world_.turn(4);
    }
    ClientEnd& client = *some_client();
    switch (what) {
      case 1:
      case 2:
        return submit(client);
      case 3:
        return send(client, any_pdu());
      case 4:
        return send(client, octets_of_input(in_.counted()));
      case 5:
        return client.hang_up();
      case 6:
        client.reads = !client.reads;
        client.wire().allowance = client.reads ? 1'000'000 : in_.octet();
        return;
      default:
        const unsigned how = in_.octet();
        client.answers_enquire_link = (how & 1) == 0;
        client.on_receipt = [how](const ClientEnd::Told&) -> std::optional<Status> {
          if ((how & 2) != 0) return std::nullopt;
          return kStatuses[how / 4 % std::size(kStatuses)];
        };
    }
  }

  void carrier_step(unsigned what) {
    const std::size_t number = in_.below(2);
    CarrierEnd& carrier = world_.carrier(number);
    switch (what) {
      case 0:
        answers_[number] = in_.octet();
        return;
      case 1:
        if (carrier.submits.empty()) return;
        return carrier.answer(in_.octet() % carrier.submits.size(),
                              {kStatuses[in_.below(std::size(kStatuses))], in_.text()});
      case 2:
        if (carrier.submits.empty()) return;
        carrier.receipt(carrier.submits[in_.octet() % carrier.submits.size()].id.substr(0, 64),
                        static_cast<proto::MessageState>(in_.below(10)), 0, in_.flag());
        return;
      case 3:
        return receipt(carrier);
      case 4:
        return to_gateway(carrier, any_pdu());
      case 5:
        return to_gateway(carrier, octets_of_input(in_.counted()));
      case 6:
        return carrier.die();
      default:
        carrier.listens = true;
        carrier.bind_status = kStatuses[in_.below(4)];
    }
  }

  void step() {
    const unsigned what = in_.octet();
    switch (what % 4) {
      case 0:
        return client_step(what / 4 % 8);
      case 1:
        return carrier_step(what / 4 % 8);
      case 2:
        world_.turn(1 + what / 4 % 3);
        return;
      default:
        break;
    }
    if ((what & 4) != 0) {
      cut_ = in_.below(24);
      return;
    }
    const std::int64_t pause = kPauses[what / 8 % std::size(kPauses)];
    world_.pass(pause, std::max(kMs, pause / 4));
    world_.check_conserved();
  }

  // From here on all behave, what was not read yet is lost, and all timers run out.
  void all_ends() {
    for (std::size_t i = 0; i < world_.carriers(); ++i) {
      CarrierEnd& carrier = world_.carrier(i);
      carrier.die();
      carrier.listens = true;
      carrier.bind_status = Status::ESME_ROK;
      answers_[i] = 0;
    }
    for (ClientEnd* client : clients_) {
      client->wire().incoming.clear();
      client->hang_up();
    }
    for (int i = 0; i < 200 && world_.messages() != 0; ++i) world_.pass(60 * kSecond, 20 * kSecond);
    world_.turn(4);
    for (unsigned i = 0; i < kStages && world_.messages() != 0; ++i) {
      std::fprintf(stderr, "stage %u: %u\n", i, world_.stage(static_cast<Stage>(i)));
    }
    must(world_.messages() == 0);
  }

  // What the next start would find.
  void check_journal(std::size_t left) {
    Recovery recovery;
    const auto report = recover(*disk_, recovery);
    must(report.has_value() && report->damage.empty() && report->torn_octets == 0);
    must(recovery.findings() == 0 && recovery.conservation().holds());
    must(recovery.live() <= left);  // what is being relayed is nobody's yet
  }

  Input& in_;
  std::array<unsigned, 2> answers_{};
  std::size_t cut_ = 0;
  std::vector<ClientEnd*> clients_;
  std::map<End*, std::string> said_;  // of the PDU that was begun
  std::unique_ptr<core::testing::FaultyStorage> disk_;
  World world_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::log_nowhere();
  Input in(data, size);
  Play(in).run();
  return 0;
}
