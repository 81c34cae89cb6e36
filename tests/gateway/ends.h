// The far ends of the gateway's connections: clients and carriers that a test plays by hand. They
// read what the gateway wrote and write what it will read; the World (world.h) gives them a step
// after each turn.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/pdu.h"
#include "proto/receipt.h"
#include "tests/gateway/world_net.h"

namespace tollgate::gateway {

// One PDU as it crossed the wire.
struct Seen {
  proto::Header header;
  std::string octets;

  proto::Octets body() const {
    const auto* data = reinterpret_cast<const std::uint8_t*>(octets.data());
    return proto::Octets(data, octets.size()).subspan(proto::kHeaderLength);
  }
  // The PDU's fields; the views live as long as this.
  template <class T>
  T as() const {
    T pdu;
    if (proto::decode(body(), pdu)) std::abort();
    return pdu;
  }
};

template <class T>
std::string octets_of(const T& pdu, std::uint32_t sequence_number,
                      proto::Status status = proto::Status::ESME_ROK) {
  std::string octets(proto::encoded_length(pdu), '\0');
  const proto::Out out(reinterpret_cast<std::uint8_t*>(octets.data()), octets.size());
  if (proto::encode(pdu, sequence_number, status, out) != octets.size()) std::abort();
  return octets;
}
std::string header_octets(proto::Command command, std::uint32_t sequence_number,
                          proto::Status status = proto::Status::ESME_ROK);

// Takes the whole PDUs out of what came of a stream; the last one's beginning stays.
std::vector<Seen> take_frames(std::string& partial);

// The far end of one connection.
class End {
 public:
  explicit End(std::shared_ptr<core::Wire> wire) : wire_(std::move(wire)) {}

  core::Wire& wire() { return *wire_; }
  // Octets that were not read yet are read together.
  void send(const std::string& octets) {
    if (wire_->incoming.empty()) wire_->incoming.emplace_back();
    wire_->incoming.back() += octets;
  }
  template <class T>
  requires std::is_class_v<T> std::uint32_t send(const T& pdu) {
    send(octets_of(pdu, ++sequence_));
    return sequence_;
  }
  std::uint32_t send_empty(proto::Command command) {
    send(header_octets(command, ++sequence_));
    return sequence_;
  }
  std::uint32_t next_sequence() { return ++sequence_; }
  void hang_up() { wire_->ended = true; }
  // The gateway has closed, or says that it will send no more.
  bool closed() const { return wire_->closed || wire_->shut; }

  // Whole PDUs that have come since the last call.
  std::vector<Seen> read();

 private:
  std::shared_ptr<core::Wire> wire_;
  std::string partial_;
  std::uint32_t sequence_ = 0;
};

// A client's session. It answers enquire_link and unbind, and deliver_sm as `on_receipt` says.
class ClientEnd : public End {
 public:
  using End::End;

  struct Told {
    std::string id;      // of the text
    std::string tlv_id;  // of receipted_message_id
    proto::MessageState state = proto::MessageState::unknown;
    std::string error;
    std::string from;  // source_addr: the message's destination
    std::string to;
    bool intermediate = false;
    std::uint32_t sequence_number = 0;
  };

  void step();

  // Its answer to a deliver_sm; none: no answer.
  std::function<std::optional<proto::Status>(const Told&)> on_receipt = [](const Told&) {
    return std::optional(proto::Status::ESME_ROK);
  };
  bool answers_enquire_link = true;
  bool answers_unbind = true;
  bool reads = true;

  std::vector<Told> told;
  std::map<std::uint32_t, Seen> responses;  // by sequence_number
  std::vector<Seen> seen;                   // everything
  std::size_t count(proto::Command command) const;

  // A submit_sm with these; the sequence_number.
  struct Submit {
    std::string_view to = "447700900001";
    std::string_view from = "SHOP";
    std::string_view text = "hello";
    std::uint8_t registered_delivery = 1;
    std::string_view validity_period = {};
  };
  std::uint32_t submit(const Submit& what);
  std::uint32_t submit() { return submit(Submit{}); }

  // Of the response to a request; aborts when there is none yet.
  bool answered(std::uint32_t sequence_number) const {
    return responses.count(sequence_number) != 0;
  }
  proto::Status status(std::uint32_t sequence_number) const;
  std::string id(std::uint32_t sequence_number) const;
};

// A carrier at one address, over any number of binds.
class CarrierEnd final : public Host {
 public:
  explicit CarrierEnd(std::string name) : name_(std::move(name)) {}

  struct Submit {
    std::size_t bind = 0;
    std::uint32_t sequence_number = 0;
    std::string to;
    std::string from;
    std::uint8_t from_ton = 0;
    std::string text;
    std::uint8_t registered_delivery = 0;
    std::string id;  // that it was given; empty: not accepted
  };
  struct Reply {
    proto::Status status = proto::Status::ESME_ROK;
    std::string id = {};  // of ESME_ROK
  };

  // The gateway connects. Null: refused.
  bool accept(const std::shared_ptr<core::Wire>& wire) override;
  void step();

  bool listens = true;
  // Its answer to a submit_sm; none: none yet (answer() gives it).
  std::function<std::optional<Reply>(const Submit&)> on_submit;
  std::optional<proto::MessageState> receipts;  // sent at once for what it accepts
  proto::Status bind_status = proto::Status::ESME_ROK;
  bool answers_unbind = true;

  std::vector<Submit> submits;
  std::size_t unbinds = 0;
  std::map<std::uint32_t, proto::Status> receipt_responses;  // by sequence_number

  void answer(std::size_t submit, const Reply& reply);
  // A receipt for its id, on one of its binds; the sequence_number.
  std::uint32_t receipt(std::string_view id, proto::MessageState state, std::size_t bind = 0,
                        bool intermediate = false);
  // Whatever octets, or a PDU of the carrier's; the sequence_number of the latter.
  void send(const std::string& octets, std::size_t bind = 0) { binds_[bind].end->send(octets); }
  template <class T>
  requires std::is_class_v<T> std::uint32_t send_pdu(const T& pdu, std::size_t bind = 0) {
    return binds_[bind].end->send(pdu);
  }
  std::string next_id() { return name_ + std::to_string(++ids_); }

  std::size_t bound() const;
  std::size_t connects() const { return binds_.size(); }
  End& end(std::size_t bind) { return *binds_[bind].end; }
  void drop(std::size_t bind) { binds_[bind].end->hang_up(); }
  void die();  // every connection ends, none is accepted

 private:
  struct Bind {
    std::unique_ptr<End> end;
    bool bound = false;
  };
  void on_pdu(std::size_t bind, const Seen& pdu);
  void on_submit_sm(std::size_t bind, const Seen& pdu);

  std::string name_;
  std::vector<Bind> binds_;
  std::uint64_t ids_ = 0;
};

}  // namespace tollgate::gateway
