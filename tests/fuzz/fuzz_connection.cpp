// A connection and the framer on a stream that is cut anywhere: each octet of the input is a step,
// with the octets it takes behind it. The owner echoes each PDU and does, now and then, what a
// session does: it pauses, closes, closes politely.
//
// What must hold, however the stream is cut: the owner sees the PDUs that lie in it, in order and
// whole, none after it paused or closed; what leaves is what it wrote, in order, and nothing while
// the gate is shut; on_closed comes once; limits hold; nothing is left in the pool.
#include <algorithm>

#include "core/connection.h"
#include "core/shard.h"
#include "proto/framer.h"
#include "tests/core/fake_net.h"
#include "tests/fuzz/input.h"

using namespace tollgate;
using fuzz::Input;
using fuzz::must;

namespace {

constexpr std::uint32_t kLengthMax = 512;

class Play final : public core::Connection::Owner {
 public:
  explicit Play(Input& in)
      : in_(in),
        shard_(0, std::unique_ptr<core::Net>(net_), [this] { return now_; }),
        wire_(net_->wire()) {
    core::ConnectionLimits limits;
    limits.input_max = kLengthMax;
    limits.read_max = 64 + 64U * in.octet();
    limits.output_max = output_max_ = 256 + 16U * in.octet();
    limits.high_water = limits.output_max / 2;
    limits.low_water = limits.output_max / 4;
    connection_ =
        std::make_unique<core::Connection>(shard_, core::FakeNet::socket(wire_), *this, limits);
  }

  void run() {
    for (int steps = 0; !in_.empty() && steps < 500; ++steps) {
      step();
      must(wire_->sent == written_.substr(0, wire_->sent.size()));
      must(connection_->output_size() <= output_max_);
    }
    wire_->allowance = 1'000'000;
    shard_.open_gate(gate_);
    connection_->resume_reading();
    pause_every_ = 0;
    const std::size_t turns = 300 + stream_.size() / 64;  // the least that is read in one
    for (std::size_t i = 0; i < turns; ++i) shard_.turn();
    if (connection_->is_open() && !connection_->is_closing()) {
      must(seen_ == expected_frames() && wire_->sent == written_);
    }
    must(closes_ == (connection_->is_open() ? 0 : 1));
    connection_.reset();
    shard_.turn();
    must(shard_.buffers().in_use() == 0);
  }

 private:
  std::size_t on_input(core::Connection& connection, core::Octets input,
                       const core::Now&) override {
    must(closes_ == 0 && connection.is_open());
    std::size_t at = 0;
    proto::Frame frame;
    while (connection.is_open() && !connection.is_closing() && !connection.reading_paused()) {
      const auto found = proto::next_frame(input.subspan(at), kLengthMax, frame);
      if (found == proto::FrameResult::bad_length) connection.close_after_flush();
      if (found != proto::FrameResult::frame) break;
      at += frame.whole.size();
      ++seen_;
      must(stream_.compare(stream_at_, frame.whole.size(),
                           std::string(frame.whole.begin(), frame.whole.end())) == 0);
      stream_at_ += frame.whole.size();
      echo(connection, frame);
    }
    return at;
  }
  void echo(core::Connection& connection, const proto::Frame& frame) {
    const core::Out out = connection.reserve(frame.whole.size());
    if (!out.empty()) {
      std::copy(frame.whole.begin(), frame.whole.end(), out.begin());
      connection.commit(frame.whole.size());
      written_.append(frame.whole.begin(), frame.whole.end());
    }
    if (pause_every_ != 0 && seen_ % pause_every_ == 0) connection.pause_reading();
    if (frame.header.command_id == proto::Command::unbind) connection.close_after_flush();
    if (frame.header.command_id == proto::Command::generic_nack) connection.close();
  }
  void on_closed(core::Connection&, core::CloseReason, const core::Now&) override { ++closes_; }

  std::size_t expected_frames() const {
    const auto* data = reinterpret_cast<const std::uint8_t*>(stream_.data());
    core::Octets rest(data, stream_.size());
    proto::Frame frame;
    std::size_t count = 0;
    while (proto::next_frame(rest, kLengthMax, frame) == proto::FrameResult::frame) {
      rest = rest.subspan(frame.whole.size());
      ++count;
    }
    return count;
  }

  void say(std::string octets) {
    if (octets.empty() || wire_->ended) return;
    stream_ += octets;
    wire_->incoming.push_back(std::move(octets));
  }

  void step() {
    const unsigned what = in_.octet();
    switch (what % 8) {
      case 0: {
        const auto raw = in_.counted();
        return say({raw.begin(), raw.end()});
      }
      case 1: {  // a PDU, in one part or two
        constexpr proto::Command kCommands[] = {proto::Command::enquire_link,
                                                proto::Command::submit_sm, proto::Command::unbind,
                                                proto::Command::generic_nack};
        const std::size_t which = what / 8 < 30 ? what / 8 % 2 : what / 8 % 4;
        std::string pdu(proto::kHeaderLength + in_.octet(), 'x');
        auto* at = reinterpret_cast<std::uint8_t*>(pdu.data());
        proto::store_u32(at, static_cast<std::uint32_t>(pdu.size()));
        proto::store_u32(at + 4, static_cast<std::uint32_t>(kCommands[which]));
        const std::size_t cut = std::min<std::size_t>(in_.octet(), pdu.size());
        say(pdu.substr(0, cut));
        return say(pdu.substr(cut));
      }
      case 2:
      case 3: {
        shard_.turn();
        return;
      }
      case 4:
        wire_->allowance = in_.octet();
        return;
      case 5:
        pause_every_ = in_.below(4);
        return connection_->resume_reading();
      case 6: {
        if ((what & 8) != 0) return shard_.open_gate(gate_);
        shard_.shut_gate(++gate_);
        return;
      }
      default:
        now_.mono_us += std::int64_t{1} << (what / 8 % 24);
        if (what == 255) wire_->ended = true;
        if (what == 247) wire_->send_error = ECONNRESET;
    }
  }

  Input& in_;
  core::Now now_{1'000'000, 0};
  core::FakeNet* net_ = new core::FakeNet;
  core::Shard shard_;
  std::shared_ptr<core::Wire> wire_;
  std::unique_ptr<core::Connection> connection_;
  std::string stream_, written_;
  std::size_t stream_at_ = 0, seen_ = 0, pause_every_ = 0;
  std::size_t output_max_ = 0;
  std::uint64_t gate_ = 0;
  int closes_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in(data, size);
  Play(in).run();
  return 0;
}
