#include "gateway/restore.h"

#include <algorithm>
#include <memory>

#include "core/log.h"
#include "proto/escape.h"

namespace tollgate::gateway {
namespace {

// So many live messages are written anew at the start, so that the old segments can go at once;
// more are carried forward bit by bit, while the gateway works.
constexpr std::uint32_t kCarriedAtStart = 200'000;

using Places = std::unordered_map<std::string_view, std::uint16_t>;

// The names live in the peers.
template <class Each, class Config>
Places places_of(const std::vector<Each>& all, std::string Config::*name) {
  Places places;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].gone) places.emplace((*all[i].config).*name, static_cast<std::uint16_t>(i));
  }
  return places;
}

// As its journal would carry it.
proto::record::Carried carried_of(const Restored& restored) {
  proto::record::Carried carried;
  carried.accepted = restored.accepted;
  carried.attempt = restored.attempt;
  carried.carrier = restored.carrier;
  carried.carrier_message_id = restored.carrier_message_id;
  carried.status = restored.status;
  carried.notice = restored.notice;
  carried.course = restored.course;
  return carried;
}

class Restoring {
 public:
  Restoring(const Peers& peers, const Homes& homes, const std::vector<std::unique_ptr<Flow>>& flows)
      : homes_(homes),
        flows_(flows),
        clients_(places_of(peers.clients, &ClientConfig::system_id)),
        carriers_(places_of(peers.carriers, &carriers::CarrierConfig::name)) {}

  void message(const Restored& restored, std::uint64_t segment) {
    const auto client = clients_.find(restored.accepted.client);
    if (client == clients_.end()) {
      ++counts.without_client;
      flows_[0]->recorder().given_up(carried_of(restored));
      return;
    }
    RestoredPlaces places;
    places.client = client->second;
    const auto carrier = carriers_.find(restored.carrier);
    if (carrier != carriers_.end()) places.carrier = carrier->second;
    ClientHome& home = flows_[homes_.of_client(client->second)]->clients();
    const MessageId id = home.restore(restored, places, segment);
    count(restored.stage);
    const bool awaits = restored.stage == LiveStage::awaiting;
    if (!awaits || carrier == carriers_.end() || restored.carrier_message_id.empty()) return;
    carriers::Carrier* at =
        flows_[homes_.of_carrier(carrier->second)]->carriers().carrier(carrier->second);
    // As its client wrote it, where nothing else is known: then it is another number to receipts at
    // worst, which says nothing by itself.
    const proto::record::Accepted& accepted = restored.accepted;
    const std::string_view number = accepted.decision.number;
    at->restore_awaiting(restored.carrier_message_id, id,
                         number.empty() ? accepted.destination.digits : number);
  }

  void spilled(const ChunkContent& content, std::int64_t mono_less_wall_us) {
    const auto client = clients_.find(content.client);
    if (client == clients_.end()) {
      core::log::warn("due_without_client", {{"chunk", content.chunk.number},
                                             {"client", proto::escaped(content.client)},
                                             {"receipts", content.chunk.receipts}});
      return;
    }
    ClientHome& home = flows_[homes_.of_client(client->second)]->clients();
    DueChunk chunk = content.chunk;
    chunk.mono_less_wall_us = mono_less_wall_us;
    home.spill().found(*home.client(client->second), chunk);
    counts.spilled += content.chunk.receipts;
  }

  void parked(const ParkedReceipt& receipt, const core::Now& now) {
    const auto carrier = carriers_.find(receipt.carrier);
    if (carrier == carriers_.end()) return without_carrier(receipt);
    Flow& flow = *flows_[homes_.of_carrier(carrier->second)];
    carriers::Carrier* at = flow.carriers().carrier(carrier->second);
    const std::int64_t age_us = std::max<std::int64_t>(now.mono_us - receipt.since_us, 0);
    flow.recorder().restored_parked(
        carrier->second,
        {receipt.number, 0, at->config().name, receipt.carrier_message_id, receipt.pdu}, age_us);
    at->restore_parked(receipt.pdu, now.mono_us - age_us, receipt.number);
    ++counts.parked;
  }

  RestoreCounts counts;

 private:
  // The configuration has lost its carrier: nobody's any more, and told once.
  void without_carrier(const ParkedReceipt& receipt) {
    proto::record::DeadLetter letter;
    letter.carrier = receipt.carrier;
    letter.carrier_message_id = receipt.carrier_message_id;
    letter.pdu = receipt.pdu;
    Recorder& recorder = flows_[0]->recorder();
    recorder.dead_letter(letter);
    recorder.unparked(receipt.number, receipt.carrier, proto::record::Unpark::unmatched);
  }

  void count(LiveStage stage) {
    switch (stage) {
      case LiveStage::queued:
        ++counts.queued;
        return;
      case LiveStage::in_flight:
      case LiveStage::in_doubt:
        ++counts.in_doubt;
        return;
      case LiveStage::awaiting:
        ++counts.awaiting;
        return;
      case LiveStage::refused:
      case LiveStage::told:
        ++counts.told;
        return;
    }
  }

  const Homes& homes_;
  const std::vector<std::unique_ptr<Flow>>& flows_;
  const Places clients_;
  const Places carriers_;
};

}  // namespace

RestoreCounts restore(const Peers& peers, const Homes& homes, const Left& left,
                      const std::vector<std::unique_ptr<Flow>>& flows, const core::Now& now) {
  Restoring restoring(peers, homes, flows);
  Recovery& recovery = left.recovery;
  recovery.now_is(core::pair_of(now));
  for (std::size_t i = 0; i < flows.size(); ++i) {
    flows[i]->clients().begin_behind(recovery.highest_id(static_cast<unsigned>(i)));
    flows[i]->recorder().chunks_go_on_behind(left.stock.highest);
  }
  for (const ChunkContent& each : left.stock.chunks) {
    restoring.spilled(each, recovery.mono_less_wall_us(each.written));
  }
  const std::uint64_t segment = recovery.first_segment();
  recovery.drain([&](const Restored& restored) { restoring.message(restored, segment); });
  for (const auto& flow : flows) {
    flow->clients().restored_all();
    if (flow->clients().messages() <= kCarriedAtStart) flow->clients().carry_all();
  }
  recovery.for_each_parked([&](const ParkedReceipt& receipt) { restoring.parked(receipt, now); });
  return restoring.counts;
}

}  // namespace tollgate::gateway
