// Steps 5, 6 and 7 of a message's life: the carriers whose home is this shard. It hands them the
// orders that come by mail and mails back what they say. Owned by the shard's thread.
//
// Invariants
// 1. Every order gets one outcome: the carrier's, or `down` at once when it is not taken.
// 2. A receipt is acknowledged to the carrier once its record is durable and its mail is in the
//    outbox, which loses none.
// 3. After an order that went back, later orders from the same client's home go back as well until
//    its fence comes (mail.h), so nothing overtakes it here: all of them after one that was `down`,
//    those to the same number after one that was `later` or `behind`.
// 4. When the journal has failed nothing is sent any more: an intent could not be kept.
// 5. When the journal has lost segments, what it has to know of unanswered orders and of parked
//    receipts is recorded again in the turn that hears of it (Recorder::old).
// 6. A removed carrier stays until no receipt can come for what it sent: while its binds last
//    receipts are matched, and a name that comes back finds its ids. Its orders go `down`.
#pragma once

#include <memory>
#include <vector>

#include "carriers/carrier.h"
#include "core/shard.h"
#include "gateway/config/peers.h"
#include "gateway/keeping/recorder.h"
#include "gateway/messages/homes.h"
#include "gateway/messages/mail.h"

namespace tollgate::gateway {

class CarrierHome {
 public:
  CarrierHome(const Peers& peers, core::Shard& shard, Homes& homes, Outbox& outbox,
              Recorder& recorder, std::uint64_t seed);
  ~CarrierHome();

  void start();
  // The tables' peers are others: new carriers start, changed ones change, those that are gone
  // drain and unbind.
  void apply(const Peers& peers);
  void on_order(const OrderMail& mail, proto::Octets body);
  void on_fence(const FenceMail& mail);
  void turn_end(const core::Now& now);
  void halt();        // the journal has failed: no connection to a carrier stays
  void drain();       // no new orders; unbind politely
  bool idle() const;  // every bind is stopped

  // Null when the carrier's home is another shard, or it is gone for good.
  const carriers::Carrier* carrier(std::size_t id) const;
  carriers::Carrier* carrier(std::size_t id);

 private:
  // One carrier, and its voice: what it tells goes to the message's home.
  class Post final : public carriers::Events {
   public:
    Post(CarrierHome& home, std::uint16_t carrier, unsigned shards)
        : home_(home), carrier_(carrier), shut_(shards) {}

    void sending(std::uint64_t message, std::uint16_t attempt) override;
    void put_back(std::uint64_t message, std::uint16_t attempt, proto::Status status) override;
    void sent(std::uint64_t message, std::uint16_t attempt, std::string_view carrier_message_id,
              std::uint32_t submit_us) override;
    void refused(std::uint64_t message, std::uint16_t attempt, proto::Status status,
                 proto::StatusClass status_class, bool try_next) override;
    void in_doubt(std::uint64_t message, std::uint16_t attempt) override;
    std::uint64_t parked(std::string_view carrier_message_id, proto::Octets pdu) override;
    void still_parked(std::uint64_t number, std::string_view carrier_message_id, proto::Octets pdu,
                      std::int64_t came_us) override;
    void unparked(std::uint64_t number, proto::record::Unpark how) override;
    bool dead(const carriers::DeadReceipt& receipt) override;
    bool receipt(std::uint64_t message, const proto::Receipt& receipt,
                 const carriers::ReceiptFacts& facts) override;

    void outcome(std::uint64_t message, std::uint16_t attempt, Outcome outcome,
                 proto::Status status = proto::Status::ESME_ROK, std::string_view id = {});
    void refusal(std::uint64_t message, std::uint16_t attempt, proto::Status status,
                 proto::record::Follows follows);
    // To orders of this client's home: one went back, its fence has not come yet.
    bool shut(unsigned shard) const { return shut_[shard]; }
    void open(unsigned shard) { shut_[shard] = false; }

   private:
    static constexpr std::uint64_t kLettersPerSecond = std::uint64_t{1} << 20;  // octets
    static constexpr std::int64_t kLettersBurstUs = 250'000;
    static constexpr std::size_t kLetterOctets = 128;  // beside the PDU, about

    bool letter_comes(std::size_t octets);

    CarrierHome& home_;
    const std::uint16_t carrier_;
    std::int64_t letters_due_us_ = 0;  // when the pace has room for all that came
    std::vector<bool> shut_;
  };
  struct Place {
    std::unique_ptr<Post> post;
    std::unique_ptr<carriers::Carrier> carrier;
    std::shared_ptr<const carriers::CarrierConfig> config;  // that it works by
    bool gone = false;
  };

  bool make(std::size_t id, const CarrierPeer& peer);
  void change(std::size_t id, const CarrierPeer& peer);
  void let_go();

  core::Shard& shard_;
  Homes& homes_;
  Outbox& outbox_;
  Recorder& recorder_;
  const std::uint64_t seed_;
  std::vector<Place> places_;  // by carrier id; empty where the home is another
  std::vector<carriers::Carrier*> here_;
  std::size_t going_ = 0;        // carriers here that are gone
  std::uint64_t lost_upto_ = 0;  // of the journal: what may lie there has been written anew
};

}  // namespace tollgate::gateway
