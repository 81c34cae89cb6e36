#include "tests/carriers/world.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/asio_net.h"
#include "proto/framer.h"

namespace tollgate::tests {

using proto::Command;
using proto::Status;

void Peer::poll() {
  if (fd_ < 0 || !reading_) return;
  std::uint8_t buffer[65'536];
  while (true) {
    const ssize_t got = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) ended_ = true;
    if (got <= 0) break;
    input_.insert(input_.end(), buffer, buffer + got);
  }
  std::size_t at = 0;
  proto::Frame frame;
  while (proto::next_frame(proto::Octets(input_).subspan(at), proto::kPduLengthMax, frame) ==
         proto::FrameResult::frame) {
    pdus_.push_back({frame.header, {frame.whole.begin(), frame.whole.end()}});
    at += frame.whole.size();
  }
  input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(at));
}

std::optional<Pdu> Peer::next() {
  if (pdus_.empty()) return std::nullopt;
  Pdu pdu = std::move(pdus_.front());
  pdus_.pop_front();
  return pdu;
}

void Peer::send(proto::Octets octets) {
  while (!octets.empty()) {
    const ssize_t sent = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      REQUIRE(errno != EAGAIN);  // the tests send less than a socket buffers
      return;
    }
    octets = octets.subspan(static_cast<std::size_t>(sent));
  }
}

std::size_t Peer::try_send(proto::Octets octets) {
  const ssize_t sent = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

void Peer::send_header(Command command, std::uint32_t sequence, Status status) {
  std::array<std::uint8_t, 16> out;
  send(proto::Octets(out).first(proto::encode_header(command, sequence, status, out)));
}

void Peer::respond(std::uint32_t sequence, std::string_view id) {
  proto::SubmitSmResp response;
  response.message_id = id;
  send(response, sequence);
}

void Peer::refuse(std::uint32_t sequence, Status status) {
  send_header(Command::submit_sm_resp, sequence, status);
}

void Peer::receipt(std::string_view id, std::uint32_t sequence, std::string_view stat) {
  const std::string text =
      "id:" + std::string(id) +
      " sub:001 dlvrd:001 submit date:2601021530 done date:2601021531 stat:" + std::string(stat) +
      " err:021 text:hello";
  proto::DeliverSm sm;
  sm.source_addr = "447946000001";
  sm.destination_addr = "Shop";
  sm.esm_class = 4;
  sm.short_message = proto::as_octets(text);
  send(sm, sequence);
}

void Peer::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Peer::reset() {
  const linger at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

Smsc::Smsc() {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof at;
  REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
  REQUIRE(::listen(fd_, 64) == 0);
  REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &length) == 0);
  port_ = ntohs(at.sin_port);
}

Smsc::~Smsc() {
  ::close(fd_);
}

void Smsc::poll() {
  if (receive_buffer != 0) {
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  }
  const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) peers.push_back(std::make_unique<Peer>(fd));
  for (const auto& peer : peers) peer->poll();
}

void Told::sent(std::uint64_t message, std::uint16_t attempt, std::string_view id, std::uint32_t) {
  ++total;
  if (recording) outcomes.push_back({What::sent, message, attempt, std::string(id), {}, {}, false});
}

void Told::refused(std::uint64_t message, std::uint16_t attempt, Status status,
                   proto::StatusClass status_class, bool try_next) {
  ++total;
  if (recording) {
    outcomes.push_back({What::refused, message, attempt, "", status, status_class, try_next});
  }
  if (on_refused) on_refused(message);
}

void Told::in_doubt(std::uint64_t message, std::uint16_t attempt) {
  ++total;
  if (recording) outcomes.push_back({What::in_doubt, message, attempt, "", {}, {}, false});
}

bool Told::receipt(std::uint64_t message, const proto::Receipt& receipt,
                   const carriers::ReceiptFacts& facts) {
  if (!keeps_receipts) return false;
  ++receipts_total;
  if (recording) {
    deliveries.push_back({message, std::string(receipt.id), std::string(receipt.stat_text),
                          facts.final, std::string(facts.error_text)});
  }
  return true;
}

std::uint64_t Told::parked(std::string_view, proto::Octets) {
  return ++last_parked;
}

void Told::unparked(std::uint64_t number, proto::record::Unpark how) {
  if (recording) unparks.emplace_back(number, how);
}

bool Told::dead(const carriers::DeadReceipt& receipt) {
  if (!keeps_dead) return false;
  dead_letters.push_back({receipt.why,
                          receipt.state,
                          std::string(receipt.carrier_message_id),
                          {receipt.pdu.begin(), receipt.pdu.end()}});
  return true;
}

std::size_t Told::count(What what) const {
  return static_cast<std::size_t>(std::count_if(
      outcomes.begin(), outcomes.end(), [what](const Outcome& told) { return told.what == what; }));
}

const Told::Outcome* Told::of(std::uint64_t message) const {
  const auto at = std::find_if(outcomes.begin(), outcomes.end(),
                               [=](const Outcome& told) { return told.message == message; });
  return at == outcomes.end() ? nullptr : &*at;
}

World::World() {
  config_.name = "alpha";
  config_.awaiting_max = 100'000;
}

carriers::BindConfig& World::add_bind(Command kind) {
  carriers::BindConfig bind;
  bind.kind = kind;
  bind.address = {"127.0.0.1", smsc.port()};
  bind.system_id = "ours";
  bind.password = "pw";
  bind.window = 10;
  config_.binds.push_back(bind);
  return config_.binds.back();
}

void World::build() {
  if (config_.binds.empty()) add_bind();
  shard_ = std::make_unique<core::Shard>(0, core::make_asio_net(), [this] { return now_; });
  carrier_ = std::make_unique<carriers::Carrier>(config_, *shard_, told, 42);
  shard_->on_turn_end([this](const core::Now& now) {
    if (carrier_->turn(now)) shard_->again();
  });
  carrier_->start();
}

void World::step() {
  shard_->turn();
  smsc.poll();
}

void World::steps(int count) {
  for (int i = 0; i < count; ++i) step();
}

bool World::until(const std::function<bool()>& condition) {
  for (int i = 0; i < 4000; ++i) {
    if (condition()) return true;
    if (i > 200) ::usleep(500);
    step();
  }
  return condition();
}

void World::pass_ms(std::int64_t ms, std::int64_t step_ms) {
  for (std::int64_t passed = 0; passed < ms; passed += step_ms) {
    advance_ms(step_ms);
    steps(3);
  }
}

Peer& World::accept(Status status) {
  const std::size_t index = accepted_++;
  REQUIRE(until([&] { return smsc.peers.size() > index; }));
  Peer& peer = *smsc.peers[index];
  REQUIRE(until([&] { return peer.waiting() != 0; }));
  const Pdu bind = *peer.next();
  REQUIRE(proto::is_bind(bind.header.command_id));
  const Command response = proto::response_of(bind.header.command_id);
  if (status == Status::ESME_ROK) {
    proto::BindResp body;
    body.system_id = "smsc";
    std::array<std::uint8_t, 64> out;
    const std::size_t length =
        proto::encode_with({0, response, status, bind.header.sequence_number}, body, out);
    const auto binds = [this] {
      std::uint64_t all = 0;
      for (std::size_t i = 0; i < counters().binds.size(); ++i) {
        all += counters().binds[i].binds.get();
      }
      return all;
    };
    const std::uint64_t before = binds();
    peer.send(proto::Octets(out).first(length));
    REQUIRE(until([&] { return binds() > before; }));
  } else {
    peer.send_header(response, bind.header.sequence_number, status);
    steps(5);
  }
  return peer;
}

void World::bring_up() {
  build();
  for (std::size_t i = 0; i < config_.binds.size(); ++i) accept();
}

carriers::Taken World::take(std::uint64_t message, std::uint16_t attempt) {
  const std::string text = "m" + std::to_string(message);
  proto::SubmitSm sm = a_submit(text);
  const std::string number = std::to_string(447'946'000'000 + message % 1'000'000);
  sm.destination_addr = number;
  std::array<std::uint8_t, 512> body;
  const std::size_t length = proto::encode_body(sm, body);
  return carrier_->take({message, attempt, proto::Octets(body).first(length), 0});
}

carriers::Taken World::take(std::uint64_t message, const proto::SubmitSm& sm) {
  std::vector<std::uint8_t> body(70'000);
  const std::size_t length = proto::encode_body(sm, body);
  REQUIRE(length != 0);
  return carrier_->take({message, 0, proto::Octets(body).first(length), 0});
}

std::optional<Pdu> World::next(Peer& peer, Command command) {
  if (!until([&] { return peer.waiting() != 0; })) return std::nullopt;
  Pdu pdu = *peer.next();
  if (pdu.header.command_id != command) return std::nullopt;
  return pdu;
}

Pdu World::submit(Peer& peer) {
  auto pdu = next(peer, Command::submit_sm);
  REQUIRE(pdu.has_value());
  return *pdu;
}

bool World::quiet(Peer& peer) {
  steps(20);
  return peer.waiting() == 0;
}

carriers::BindState World::bind_state(std::size_t bind) {
  return static_cast<carriers::BindState>(counters().binds[bind].state.get());
}

bool World::balanced() {
  const carriers::CarrierCounters& all = counters();
  std::uint64_t window = 0;
  for (std::size_t i = 0; i < all.binds.size(); ++i) window += all.binds[i].window_in_use.get();
  return all.taken.get() ==
             all.sent.get() + all.refused.get() + all.in_doubt.get() + all.queue.get() + window &&
         told.total == all.sent.get() + all.refused.get() + all.in_doubt.get();
}

proto::SubmitSm a_submit(std::string_view text) {
  proto::SubmitSm sm;
  sm.source_addr_ton = 5;
  sm.source_addr = "Shop";
  sm.dest_addr_ton = 1;
  sm.dest_addr_npi = 1;
  sm.destination_addr = "447946000001";
  sm.registered_delivery = 1;
  sm.short_message = proto::as_octets(text);
  return sm;
}

std::uint64_t message_in(const Pdu& pdu) {
  proto::SubmitSm sm;
  REQUIRE_FALSE(proto::decode(pdu.body(), sm));
  const std::string text(proto::as_text(sm.short_message));
  REQUIRE(text.size() > 1);
  return std::stoull(text.substr(1));
}

}  // namespace tollgate::tests
