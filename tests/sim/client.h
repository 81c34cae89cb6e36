// A client of the seeded world: an account with a session or two that submits, takes its receipts
// as its plan says, leaves and comes back. It submits nothing a second time.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/gateway/world_net.h"
#include "tests/sim/book.h"
#include "tests/sim/link.h"

namespace tollgate::sim {

class Client {
 public:
  Client(Ground& ground, const Plan& plan, unsigned number, Book& book);

  // The gateway's door; null while it is down.
  void door(gateway::WorldNet* net) { net_ = net; }
  void step();
  void second();
  void gateway_crashed();

 private:
  struct Session {
    std::unique_ptr<Link> link;
    bool bound = false;
    bool transmits = false;
    std::map<std::uint32_t, Tag> asked;  // without a response yet; of a submit_multi the first
  };

  void connect(std::size_t slot);
  void on_pdu(const std::shared_ptr<Session>& session, const Seen& pdu);
  void on_receipt(const std::shared_ptr<Session>& session, const Seen& pdu);
  void submit();
  void submit_on(Session& session);
  void submit_multi_on(Session& session, const proto::SubmitSm& sm, Tag first);
  void on_multi_response(Tag first, const Seen& pdu);
  std::string any_number();

  Ground& ground_;
  const ClientPlan& plan_;
  const NetPlan& net_plan_;
  const unsigned number_;
  const std::string name_;
  Book& book_;
  gateway::WorldNet* net_ = nullptr;
  std::vector<std::shared_ptr<Session>> sessions_;  // null: not connected
  std::vector<std::int64_t> away_until_us_;
  std::int64_t absent_until_us_ = 0;
};

}  // namespace tollgate::sim
