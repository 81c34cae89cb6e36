#include "gateway/clients/spill.h"

#include <algorithm>
#include <array>

#include "core/check.h"
#include "gateway/clients/client_home.h"

namespace tollgate::gateway {

namespace record = proto::record;

namespace {

constexpr std::size_t kLoadedHeadMax = 512;

void put_length(std::vector<std::uint8_t>& list, std::size_t length) {
  for (unsigned i = 0; i < 4; ++i) list.push_back(static_cast<std::uint8_t>(length >> 8 * i));
}

void put_id(std::uint8_t* at, MessageId id) {
  for (unsigned i = 0; i < 8; ++i) at[i] = static_cast<std::uint8_t>(id >> 8 * i);
}

}  // namespace

Spill::Spill(ClientHome& home, core::Shard& shard, Ledger& ledger, Recorder& recorder,
             FlowCounters& counters, DueStore::Channel* channel)
    : home_(home),
      shard_(shard),
      ledger_(ledger),
      recorder_(recorder),
      counters_(counters),
      channel_(channel) {
  if (channel_ == nullptr) return;
  TOLLGATE_CHECK(recorder_.on() && recorder_.longest() >= 2 * kLoadedHeadMax,
                 "a chunk's messages fit one record of the journal");
  listed_max_ = std::min(kChunkListedMax, recorder_.longest() - kLoadedHeadMax);
  chunk_of_ = static_cast<std::uint32_t>(std::max<std::size_t>(listed_max_ / kOctetsOfOne, 1));
  list_.reserve(listed_max_);
}

void Spill::add(Client& client, std::uint32_t clients) {
  if (!on()) return;
  const std::uint32_t share = std::max(ledger_.capacity() / 4 / clients, 1U);
  client.delivery().bound_memory(client.config().receipts_memory, share);
}

std::uint32_t Spill::enough() const {
  const bool scarce = ledger_.size() > ledger_.capacity() / 2;
  return scarce ? std::max(chunk_of_ / 8, 1U) : chunk_of_;
}

void Spill::found(Client& client, const DueChunk& chunk) {
  Overflow& overflow = client.delivery().overflow();
  overflow.chunks.push_back(chunk);
  overflow.spilled += chunk.receipts;
  spilled_ += chunk.receipts;
  counters_.ledger.accepted.add(chunk.receipts);
  client.counters().accepted.add(chunk.receipts);
  count(client);
}

void Spill::count(Client& client) {
  counters_.ledger.spilled.set(spilled_);
  counters_.ledger.messages.set(ledger_.size());
  client.delivery().count_waiting();
}

void Spill::work(Client& client, const core::Now& now) {
  Delivery& delivery = client.delivery();
  Overflow& overflow = delivery.overflow();
  if (!on() || recorder_.failed() || overflow.empty() || overflow.busy) return;
  // Each has a detail record, so each must be read; pump() gives it up then.
  const bool old = recorder_.keeps_details() && too_old(overflow, now);
  if (!recorder_.keeps_details()) give_up_old(client, now);
  const bool low = delivery.at_hand() <= delivery.memory_max() / 2;
  if (overflow.chunks.empty()) {
    const bool fits = delivery.in_memory() < delivery.memory_max();
    if (fits || (low && delivery.has_receiver())) return delivery.take_back_tail();
  } else if ((old || (low && delivery.has_receiver())) && !stopped_ &&
             now.mono_us >= overflow.retry_us) {
    if (ledger_.capacity() - ledger_.size() >= overflow.chunks.front().receipts) {
      return read(client, overflow.read_tries + 1 >= kReadTries);
    }
  }
  if (overflow.tail.size() >= enough() && now.mono_us >= overflow.retry_us) write(client);
}

DueJob* Spill::take_job(Client& client) {
  Overflow& overflow = client.delivery().overflow();
  DueJob* const job = channel_->take();
  if (job != nullptr) {
    job->client = client.id();
    overflow.busy = true;
  } else if (!overflow.waits) {
    overflow.waits = true;
    waiting_.push_back(&client);
  }
  return job;
}

void Spill::give_back(DueJob& job) {
  channel_->give_back(job);
  if (waiting_.empty()) return;
  Client& next = *waiting_.front();
  waiting_.pop_front();
  next.delivery().overflow().waits = false;
  home_.touch(next);
}

// ---- out ----

void Spill::write(Client& client) {
  DueJob* const job = take_job(client);
  if (job == nullptr) return;
  Overflow& overflow = client.delivery().overflow();
  const core::Now& now = shard_.now();
  std::array<std::uint8_t, record::kHeadMax> octets;
  while (!overflow.tail.empty() && job->chunk.receipts < chunk_of_) {
    const Message& message = ledger_.at(overflow.tail.head());
    const std::size_t length = recorder_.encode_due(message, octets);
    TOLLGATE_CHECK(length != 0, "a told message fits a record");
    if (job->listed.size() + 4 + length > listed_max_) break;
    put_length(job->listed, length);
    job->listed.insert(job->listed.end(), octets.begin(),
                       octets.begin() + static_cast<std::ptrdiff_t>(length));
    const std::int64_t deadline_wall_us = now.wall_us + (message.deadline_us - now.mono_us);
    if (job->chunk.receipts++ == 0) {
      job->chunk.first = message.id;
      job->chunk.first_deadline_wall_us = job->chunk.newest_deadline_wall_us = deadline_wall_us;
    }
    job->chunk.newest_deadline_wall_us =
        std::max(job->chunk.newest_deadline_wall_us, deadline_wall_us);
    overflow.writing.push_back(ledger_, overflow.tail.pop_front(ledger_));
  }
  TOLLGATE_CHECK(job->chunk.receipts != 0, "a chunk has room for one message");
  job->chunk.mono_less_wall_us = now.mono_us - now.wall_us;
  job->clocks = recorder_.clocks();
  job->client_name = client.config().system_id;
  job->deed = DueDeed::write;
  channel_->ask(*job);
}

void Spill::written(Client& client, DueJob& job, const core::Now& now) {
  Overflow& overflow = client.delivery().overflow();
  if (job.error != 0) {
    overflow.tail.prepend(ledger_, overflow.writing);
    overflow.retry_us = now.mono_us + kRetryUs;
    return;
  }
  list_.resize(overflow.writing.size() * 8);
  std::size_t at = 0;
  for (std::uint32_t place = overflow.writing.head(); place != kNoPlace;
       place = ledger_.at(place).next) {
    put_id(list_.data() + at, ledger_.at(place).id);
    at += 8;
  }
  recorder_.spilled(job.chunk.number, client.id(), list_);
  while (!overflow.writing.empty()) {
    Message& message = ledger_.at(overflow.writing.pop_front(ledger_));
    recorder_.let_go(message);
    ledger_.settle(message);
  }
  overflow.chunks.push_back(job.chunk);
  overflow.spilled += job.chunk.receipts;
  spilled_ += job.chunk.receipts;
  count(client);
}

// ---- back ----

void Spill::read(Client& client, bool last_try) {
  DueJob* const job = take_job(client);
  if (job == nullptr) return;
  job->deed = DueDeed::read;
  job->chunk = client.delivery().overflow().chunks.front();
  job->last_try = last_try;
  channel_->ask(*job);
}

void Spill::was_read(Client& client, DueJob& job, const core::Now& now) {
  Overflow& overflow = client.delivery().overflow();
  const bool room = ledger_.capacity() - ledger_.size() >= job.found;
  if (job.error != 0 || !room) {
    if (job.error != 0) ++overflow.read_tries;
    overflow.retry_us = now.mono_us + kRetryUs;
    return;
  }
  overflow.read_tries = 0;
  const std::uint32_t back = bring_back(client, job, now);
  const DueChunk chunk = overflow.chunks.front();
  overflow.chunks.pop_front();
  ended(client, chunk, record::How::told, chunk.receipts - std::min(chunk.receipts, back));
}

// Their records come into list_, as far as it has room; each of the others has one for itself. How
// many there are.
std::uint32_t Spill::bring_back(Client& client, const DueJob& job, const core::Now& now) {
  std::uint32_t back = 0;
  std::array<std::uint8_t, record::kHeadMax> head;
  list_.clear();
  record::for_each_loaded(job.listed, [&](proto::Octets octets) {
    record::Carried carried;
    if (!record::decode_either(octets, carried) || carried.stage != record::Stage::told) return;
    // Here already: only where the journal was damaged.
    if (ledger_.find(carried.accepted.message) != nullptr) return;
    const std::int64_t deadline_us =
        carried.accepted.deadline_wall_us + job.chunk.mono_less_wall_us;
    Message* const message = home_.bring_back(client, carried, deadline_us, now);
    if (message == nullptr) return;
    recorder_.came_back(*message);
    client.delivery().push_older(*message);
    // Written anew: its times by the wall clock of today.
    const std::size_t length = recorder_.encode_due(*message, head);
    TOLLGATE_CHECK(length != 0, "a told message fits a record");
    ++back;
    // They were shorter in the chunk, or the rings that it was made for longer.
    if (list_.size() + 4 + length > listed_max_) return recorder_.carried(*message);
    put_length(list_, length);
    list_.insert(list_.end(), head.begin(), head.begin() + static_cast<std::ptrdiff_t>(length));
  });
  return back;
}

// The chunk's messages are in the ledger, or (`lost` of them) gone for good.
void Spill::ended(Client& client, const DueChunk& chunk, record::How how, std::uint32_t lost) {
  Overflow& overflow = client.delivery().overflow();
  record::Loaded loaded;
  loaded.chunk = chunk.number;
  loaded.wall_us = shard_.now().wall_us;
  loaded.receipts = chunk.receipts;
  loaded.how = how;
  loaded.client = client.config().system_id;
  loaded.messages = list_;
  removals_.push_back({chunk, recorder_.loaded(loaded), client.id()});
  overflow.spilled -= chunk.receipts;
  spilled_ -= chunk.receipts;
  counters_.ledger.settled.add(lost);
  client.counters().settled.add(lost);
  count(client);
}

bool Spill::too_old(const Overflow& overflow, const core::Now& now) {
  if (overflow.chunks.empty()) return false;
  const DueChunk& chunk = overflow.chunks.front();
  return chunk.newest_deadline_wall_us + chunk.mono_less_wall_us <= now.mono_us;
}

void Spill::give_up_old(Client& client, const core::Now& now) {
  Overflow& overflow = client.delivery().overflow();
  while (too_old(overflow, now)) {
    const DueChunk chunk = overflow.chunks.front();
    overflow.chunks.pop_front();
    list_.clear();
    client.counters().receipts_expired.add(chunk.receipts);
    ended(client, chunk, record::How::given_up, chunk.receipts);
  }
}

// ---- removal, one at a time ----

void Spill::remove_next(const core::Now& now) {
  if (removing_ || removals_.empty() || recorder_.failed() || now.mono_us < remove_again_us_ ||
      removals_.front().kept.mark > recorder_.durable()) {
    return;
  }
  DueJob* const job = channel_->take();
  if (job == nullptr) return;
  job->deed = DueDeed::remove;
  job->chunk = removals_.front().chunk;
  job->client = removals_.front().client;
  removing_ = true;
  channel_->ask(*job);
}

void Spill::removed(const DueJob& job, const core::Now& now) {
  removing_ = false;
  if (job.error != 0) {
    remove_again_us_ = now.mono_us + kRetryUs;
    return;
  }
  recorder_.let_go(removals_.front().kept);
  removals_.pop_front();
}

void Spill::drain(const core::Now& now) {
  if (!on()) return;
  channel_->drain([&](DueJob& job) {
    Client& client = *home_.client(job.client);
    if (!recorder_.failed()) {
      if (job.deed == DueDeed::write) written(client, job, now);
      if (job.deed == DueDeed::read) was_read(client, job, now);
      if (job.deed == DueDeed::remove) removed(job, now);
    }
    if (job.deed != DueDeed::remove) client.delivery().overflow().busy = false;
    home_.touch(client);
    give_back(job);
  });
  remove_next(now);
}

}  // namespace tollgate::gateway
