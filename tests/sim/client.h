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
    std::map<std::uint32_t, Tag> asked;  // submit_sm without a response yet
  };

  void connect(std::size_t slot);
  void on_pdu(const std::shared_ptr<Session>& session, const Seen& pdu);
  void on_receipt(const std::shared_ptr<Session>& session, const Seen& pdu);
  void submit();
  void submit_on(Session& session);

  Ground& ground_;
  const ClientPlan& plan_;
  const NetPlan& net_plan_;
  const unsigned number_;
  const std::string name_;
  Book& book_;
  gateway::WorldNet* net_ = nullptr;
  std::vector<std::shared_ptr<Session>> sessions_;  // null: not connected
  std::vector<std::int64_t> away_until_us_;
};

}  // namespace tollgate::sim
