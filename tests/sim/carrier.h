// A carrier of the seeded world: an SMSC that answers as its plan says, keeps its receipts until
// they are acknowledged, vanishes and comes back.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/gateway/world_net.h"
#include "tests/sim/book.h"
#include "tests/sim/link.h"

namespace tollgate::sim {

class Carrier final : public gateway::Host {
 public:
  Carrier(Ground& ground, const Plan& plan, unsigned number, Book& book)
      : ground_(ground),
        plan_(plan.carrier[number]),
        net_(plan.net),
        window_(plan.limits.bind_window != 0 ? plan.limits.bind_window : kBindWindow),
        number_(number),
        book_(book) {}

  bool accept(const std::shared_ptr<core::Wire>& wire) override;
  void step();
  void second();  // what may happen each second
  void gateway_crashed();
  std::size_t receipts_left() const { return left_; }

 private:
  struct Bind {
    std::unique_ptr<Link> link;
    bool bound = false;
    bool receives = false;
    struct Told {
      std::uint64_t end;  // in the stream
      std::size_t receipt;
      std::int64_t read_us = kNever;  // by the gateway
    };
    std::map<std::uint32_t, Told> told;  // by deliver_sm's sequence
    struct Response {
      std::uint64_t end;
      Tag tag;
      std::size_t submit;
      std::int64_t asked_us;
    };
    std::deque<Response> responses;    // not read by the gateway yet
    std::multiset<std::int64_t> open;  // when submits came whose response it has not read
  };
  struct Receipt {
    Tag tag;
    std::size_t submit;
    std::string id;
    bool intermediate;
    bool acknowledged = false;
  };

  void on_pdu(const std::shared_ptr<Bind>& bind, const Seen& pdu);
  void on_submit(const std::shared_ptr<Bind>& bind, const Seen& pdu);
  void respond(const std::shared_ptr<Bind>& bind, std::uint32_t sequence, Tag tag,
               std::size_t submit, proto::Status status, const std::string& id,
               std::int64_t delay_us);
  void take(const std::shared_ptr<Bind>& bind, const proto::SubmitSm& sm, std::uint32_t sequence,
            Tag tag, std::size_t submit);
  void plan_receipt(Tag tag, std::size_t submit, const std::string& id, bool intermediate,
                    std::int64_t at_us);
  void send_receipt(std::size_t receipt, bool again);
  void on_receipt_response(Bind& bind, const proto::Header& header);
  void look_at(Bind& bind);
  std::string new_id();
  std::int64_t response_delay();

  Ground& ground_;
  const CarrierPlan& plan_;
  const NetPlan& net_;
  const std::size_t window_;  // of each bind
  const unsigned number_;
  Book& book_;
  std::vector<std::shared_ptr<Bind>> binds_;
  std::vector<Receipt> receipts_;
  std::size_t left_ = 0;  // receipts planned and not acknowledged
  std::int64_t away_until_us_ = 0;
  std::uint64_t last_id_ = 0;
  std::deque<std::pair<std::int64_t, std::string>> free_ids_;  // usable from that time on
};

}  // namespace tollgate::sim
