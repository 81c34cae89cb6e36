#include "core/connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/check.h"
#include "core/shard.h"
#include "core/wipe.h"

namespace tollgate::core {
namespace {

constexpr std::int64_t kCloseTimeoutUs = 5'000'000;
constexpr std::size_t kOutputHintMax = std::size_t{256} << 10;

}  // namespace

std::string_view close_reason_name(CloseReason reason) noexcept {
  switch (reason) {
    case CloseReason::by_us:
      return "by_us";
    case CloseReason::by_peer:
      return "by_peer";
    case CloseReason::read_error:
      return "read_error";
    case CloseReason::write_error:
      return "write_error";
    case CloseReason::input_too_long:
      return "input_too_long";
    case CloseReason::flush_timeout:
      return "flush_timeout";
  }
  return "";
}

Connection::Connection(Shard& shard, SocketPtr socket, Owner& owner, const ConnectionLimits& limits,
                       const Brought& brought)
    : shard_(shard),
      socket_(std::move(socket)),
      owner_(&owner),
      group_(&shard.own_group_),
      limits_(limits),
      close_timer_(Timer::calling<&Connection::close_timed_out>(*this)) {
  TOLLGATE_CHECK(limits.input_max <= Shard::kScratch / 2, "a kept rest leaves room to read behind");
  socket_->watch(this);
  store(brought.leftover);
  rest_undelivered_ = !brought.leftover.empty();
  if (rest_undelivered_) {
    ready_again();
  } else {
    socket_->arm_read();
  }
  if (!brought.unsent.empty()) {
    out_ = shard_.buffers_.take(brought.unsent.size());
    std::memcpy(out_.data(), brought.unsent.data(), brought.unsent.size());
    commit(brought.unsent.size());
  }
  shard_.counts_[ShardCount::connections].add();
}

Connection::~Connection() {
  TOLLGATE_CHECK(!in_callback_, "a connection is not destroyed inside its own callback");
  drop_rest();
  shard_.counts_[ShardCount::connections].sub();
}

// ---- input ----

void Connection::on_readable() {
  ready_again();
}

void Connection::ready_again() noexcept {
  group_->ready_.push_back(*this);
  if (group_ != &shard_.first_) shard_.groups_.push_back(*group_);
}

void Connection::read_with(ReadGroup& group) noexcept {
  const bool ready = Hook<ReadHook>::linked();
  Hook<ReadHook>::unlink();
  group_ = &group;
  if (ready) ready_again();
}

void Connection::read_first() noexcept {
  read_with(shard_.first_);
}

bool Connection::may_go_on() const noexcept {
  return shard_.share_left_ > 0;
}

void Connection::spend(std::int64_t units) noexcept {
  shard_.share_left_ -= units;
}

std::size_t Connection::read_step(const Now& now) {
  if (!open_) return 0;
  if (closing_) return discard_input();
  if (paused_) return 0;
  if (rest_undelivered_) {
    deliver_rest(now);
    if (!open_ || paused_ || closing_) return 0;
    if (!may_go_on()) {
      ready_again();
      return 0;
    }
  }
  // What is kept goes in front of what is read: the owner sees one span.
  const std::size_t kept = leftover_size();
  std::uint8_t* scratch = shard_.scratch_.get();
  const std::size_t room = std::min(Shard::kScratch - kept, limits_.read_max);
  const std::ptrdiff_t got = socket_->recv({scratch + kept, room});
  if (got <= 0) {
    if (got == -EAGAIN) {
      behind_ = 0;
      read_full_ = false;
      socket_->arm_read();
    } else {
      fail(got == 0 ? CloseReason::by_peer : CloseReason::read_error, static_cast<int>(-got));
    }
    return 0;
  }
  const auto size = static_cast<std::size_t>(got);
  read_full_ = size == room;
  if (kept != 0) {
    std::memcpy(scratch, rest_.data() + rest_begin_, kept);
  }
  deliver({scratch, kept + size}, now);
  if (open_ && !paused_) {
    rest_undelivered_ = leftover_size() != 0 && !may_go_on();
    if (read_full_ || rest_undelivered_) {
      behind_ = static_cast<std::uint32_t>(std::min<std::size_t>(behind_ + size, UINT32_MAX));
      ready_again();
    } else {
      behind_ = 0;
      socket_->arm_read();
    }
  }
  return size;
}

std::size_t Connection::call_owner(Octets input, const Now& now) {
  in_callback_ = true;
  const std::size_t consumed = owner_->on_input(*this, input, now);
  in_callback_ = false;
  TOLLGATE_CHECK(consumed <= input.size(), "on_input consumes no more than it was given");
  return consumed;
}

void Connection::deliver(Octets input, const Now& now) {
  const Wiped wiped(input.first(secret_input_ ? input.size() : 0));
  const std::size_t consumed = call_owner(input, now);
  if (open_) keep(closing_ ? Octets{} : input.subspan(consumed));
}

// Offers what was kept while paused or without a share, where it lies: a window that opens frame by
// frame must not copy the backlog each time.
void Connection::deliver_rest(const Now& now) {
  const std::size_t consumed = call_owner({rest_.data() + rest_begin_, leftover_size()}, now);
  if (!open_) return;
  rest_begin_ += static_cast<std::uint32_t>(consumed);
  if (leftover_size() == 0 || closing_) return drop_rest();
  if (paused_ || !may_go_on()) return;
  rest_undelivered_ = false;
  if (leftover_size() > limits_.input_max) fail(CloseReason::input_too_long, 0);
}

void Connection::keep(Octets rest) {
  if (rest.empty()) return drop_rest();
  if (!paused_ && may_go_on() && rest.size() > limits_.input_max) {
    return fail(CloseReason::input_too_long, 0);
  }
  store(rest);
}

void Connection::store(Octets rest) {
  if (rest.empty()) return;
  wipe_rest();
  if (rest_.capacity() < rest.size()) rest_ = shard_.buffers_.take(rest.size());
  std::memcpy(rest_.data(), rest.data(), rest.size());
  rest_begin_ = 0;
  rest_end_ = static_cast<std::uint32_t>(rest.size());
}

void Connection::wipe_rest() noexcept {
  if (secret_input_ && rest_) ::explicit_bzero(rest_.data(), rest_.capacity());
}

void Connection::drop_rest() noexcept {
  wipe_rest();
  rest_.reset();
  rest_begin_ = rest_end_ = 0;
  rest_undelivered_ = false;
}

void Connection::pause_reading() noexcept {
  paused_ = true;
}

void Connection::resume_reading() noexcept {
  if (!paused_) return;
  paused_ = false;
  if (!open_) return;
  rest_undelivered_ = leftover_size() != 0;
  ready_again();
}

// ---- output ----

Out Connection::reserve_slowly(std::size_t n) {
  const std::size_t size = output_size();
  if (size + n > limits_.output_max) return {};
  if (out_begin_ != 0 && size + n <= out_.capacity()) {
    std::memmove(out_.data(), out_.data() + out_begin_, size);
  } else {
    Buffer larger =
        shard_.buffers_.take(std::max({size + n, std::size_t{out_hint_}, out_.capacity() * 2}));
    if (size != 0) std::memcpy(larger.data(), out_.data() + out_begin_, size);
    out_ = std::move(larger);
  }
  out_begin_ = 0;
  out_end_ = size;
  return {out_.data() + out_end_, n};
}

void Connection::commit(std::size_t n) {
  if (!open_ || n == 0) return;
  TOLLGATE_CHECK(n <= out_.capacity() - out_end_, "only what was reserved is committed");
  out_end_ += n;
  was_high_ = was_high_ || above_high_water();
  shard_.dirty_.push_back(*this);
}

bool Connection::write(Octets octets) {
  if (octets.empty()) return open_;
  const Out room = reserve(octets.size());
  if (room.empty()) return false;
  std::memcpy(room.data(), octets.data(), octets.size());
  commit(octets.size());
  return true;
}

void Connection::on_writable() {
  blocked_ = false;
  shard_.writable_.push_back(*this);
}

void Connection::write_step(const Now& now) {
  if (!open_) return;
  send_output();
  if (!open_ || !writable_owed_) return;
  writable_owed_ = false;
  Hook<WriteHook>::unlink();
  in_callback_ = true;
  owner_->on_writable(*this, now);
  in_callback_ = false;
}

void Connection::flush_step() {
  if (open_) send_output();
}

// What the gate lets pass of the output; the rest puts the connection on the shard's held list.
std::size_t Connection::sendable() {
  if (!shard_.gate_shut() && held_.empty()) return output_size();
  const std::uint64_t committed = sent_ + output_size();
  if (committed > held_.last_end()) held_.add(committed, shard_.gate_mark_);
  held_.pass(shard_.gate_open_);
  if (!held_.empty()) shard_.held_.push_back(*this);
  return static_cast<std::size_t>(std::max(held_.passed_end(), sent_) - sent_);
}

void Connection::send_output() {
  const std::size_t ready = sendable();
  if (ready != 0 && !blocked_) {
    std::ptrdiff_t sent = socket_->send({out_.data() + out_begin_, ready});
    if (sent < 0 && sent != -EAGAIN) {
      return fail(CloseReason::write_error, static_cast<int>(-sent));
    }
    if (sent < 0) sent = 0;
    shard_.counts_[ShardCount::sends].add();
    shard_.counts_[ShardCount::sent_octets].add(static_cast<std::uint64_t>(sent));
    out_begin_ += static_cast<std::size_t>(sent);
    sent_ += static_cast<std::uint64_t>(sent);
    if (out_begin_ == out_end_) {
      const std::size_t decayed = out_hint_ - out_hint_ / 16;
      out_hint_ = static_cast<std::uint32_t>(std::min(std::max(out_end_, decayed), kOutputHintMax));
      out_.reset();
      out_begin_ = out_end_ = 0;
    } else if (static_cast<std::size_t>(sent) < ready) {
      blocked_ = true;
      shard_.counts_[ShardCount::sends_cut].add();
      socket_->arm_write();
    }
  }
  if (was_high_ && output_size() <= limits_.low_water) {
    was_high_ = false;
    writable_owed_ = true;
    shard_.writable_.push_back(*this);
  }
  if (closing_) shut_if_flushed();
}

// ---- the end ----

void Connection::close() {
  fail(CloseReason::by_us, 0);
}

void Connection::close_after_flush() {
  if (!open_ || closing_) return;
  closing_ = true;
  limits_.output_max = 0;  // reserve() refuses from now on
  shard_.timers_.arm(close_timer_, shard_.now().mono_us + kCloseTimeoutUs);
  shard_.dirty_.push_back(*this);
}

void Connection::shut_if_flushed() {
  if (shut_ || output_size() != 0) return;
  shut_ = true;
  if (input_ended_) return fail(CloseReason::by_us, 0);
  socket_->shutdown_write();
  ready_again();
}

std::size_t Connection::discard_input() {
  if (input_ended_) return 0;
  const std::ptrdiff_t got = socket_->recv({shard_.scratch_.get(), Shard::kScratch});
  if (got == -EAGAIN) {
    socket_->arm_read();
    return 0;
  }
  if (got < 0 || (got == 0 && shut_)) {
    fail(CloseReason::by_us, 0);
    return 0;
  }
  if (got == 0) {
    input_ended_ = true;
    return 0;
  }
  if (secret_input_) ::explicit_bzero(shard_.scratch_.get(), static_cast<std::size_t>(got));
  ready_again();
  return static_cast<std::size_t>(got);
}

void Connection::close_timed_out(const Now&) {
  fail(output_size() == 0 ? CloseReason::by_us : CloseReason::flush_timeout, 0);
}

// Closes the socket now; buffers stay until the turn's end, since a caller up the stack may still
// look at them.
void Connection::fail(CloseReason reason, int error) {
  if (!open_) return;
  open_ = false;
  limits_.output_max = 0;
  reason_ = reason;
  error_ = error;
  socket_->close();
  leave_lists();
  shard_.closed_.push_back(*this);
}

void Connection::leave_lists() noexcept {
  Hook<ReadHook>::unlink();
  Hook<WriteHook>::unlink();
  Hook<FlushHook>::unlink();
  Hook<HeldHook>::unlink();
  if (close_timer_.armed()) shard_.timers_.cancel(close_timer_);
}

void Connection::closed_step(const Now& now) {
  socket_.reset();
  drop_rest();
  out_.reset();
  out_begin_ = out_end_ = 0;
  shard_.counts_[ShardCount::closed].add();
  owner_->on_closed(*this, reason_, now);  // may destroy this
}

Handover Connection::release_for_handover() {
  TOLLGATE_CHECK(!in_callback_, "a handover happens between callbacks");
  Handover handover;
  if (!open_ || closing_) return handover;
  handover.leftover.assign(rest_.data() + rest_begin_, rest_.data() + rest_end_);
  handover.unsent.assign(out_.data() + out_begin_, out_.data() + out_end_);
  open_ = false;
  limits_.output_max = 0;
  leave_lists();
  handover.fd = socket_->release_fd();
  socket_.reset();
  drop_rest();
  out_.reset();
  out_begin_ = out_end_ = 0;
  return handover;
}

}  // namespace tollgate::core
