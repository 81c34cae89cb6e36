// Random journal records of every type, for the tests and the fuzzer's seeds.
//
// A RecordMaker owns the texts that its records view, until the next clear().
#pragma once

#include <deque>
#include <random>
#include <string>
#include <vector>

#include "proto/records/record.h"

namespace tollgate::proto::record::test {

class RecordMaker {
 public:
  explicit RecordMaker(std::uint64_t seed) : random_(seed) {}
  void clear() {
    texts_.clear();
    bodies_.clear();
  }

  std::uint64_t number() { return random_(); }
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  template <class T>
  void fill(T& value) {
    value = static_cast<T>(random_());
  }

  // Any octets; now and then the shortest and the longest that there are.
  std::string_view text() {
    const std::uint64_t pick = below(16);
    const std::size_t size = pick == 0 ? 0 : pick == 1 ? kTextMax : below(40);
    std::string& made = texts_.emplace_back(size, ' ');
    for (char& c : made) c = static_cast<char>(random_());
    return made;
  }
  Octets octets() {
    auto& made = bodies_.emplace_back(below(300));
    for (auto& octet : made) octet = static_cast<std::uint8_t>(random_());
    return made;
  }

  void make(Address& it) {
    fill(it.ton);
    fill(it.npi);
    it.digits = text();
  }
  void make(Notice& it) {
    it.state = static_cast<MessageState>(below(10));
    it.intermediate = below(2) != 0;
    it.has_network_error = below(2) != 0;
    for (auto& octet : it.network_error) fill(octet);
    it.error = text();
    fill(it.done_wall_us);
  }
  void make(Accepted& it) {
    fill(it.message);
    fill(it.public_id);
    fill(it.wall_us);
    fill(it.deadline_wall_us);
    fill(it.price_nano);
    fill(it.tables_version);
    fill(it.destination_id);
    fill(it.registered_delivery);
    it.short_id = below(2) != 0;
    it.client = text();
    make(it.source);
    make(it.destination);
    it.text = text();
    it.candidate_count = static_cast<std::uint8_t>(below(kCandidatesMax + 1));
    for (std::size_t i = 0; i < it.candidate_count; ++i) {
      fill(it.candidates[i].cost_nano);
      it.candidates[i].carrier = text();
    }
    it.body = octets();
  }
  void make(Intent& it) { make_attempt(it); }
  void make(InDoubt& it) { make_attempt(it); }
  void make(Sent& it) {
    make_attempt(it);
    it.carrier_message_id = text();
  }
  void make(Refused& it) {
    make_attempt(it);
    it.status = static_cast<Status>(static_cast<std::uint32_t>(random_()));
    it.follows = static_cast<Follows>(below(4));
  }
  void make(Receipt& it) {
    fill(it.message);
    fill(it.wall_us);
    it.carrier = text();
    make(it.notice);
  }
  void make(Ended& it) {
    fill(it.message);
    fill(it.wall_us);
    make(it.notice);
  }
  void make(Settled& it) {
    fill(it.message);
    fill(it.wall_us);
    it.how = static_cast<How>(below(4));
    it.detail = octets();
    if (it.detail.size() <= 8) it.detail = {};
  }
  void make(Detailed& it) {
    fill(it.wall_us);
    fill(it.upto);
    fill(it.segment);
    it.earlier_runs = below(2) != 0;
  }
  void make(Clock& it) {
    fill(it.wall_us);
    fill(it.mono_us);
    fill(it.boot);
  }
  void make(Decision& it) {
    it.known = true;
    fill(it.origin);
    fill(it.draw);
    fill(it.facts);
    fill(it.segments);
    fill(it.text_octets);
    fill(it.data_coding);
    fill(it.esm_class);
    it.states_cut = below(2) != 0;
    it.mccmnc = text();
    it.number = text();
    it.currency = text();
    it.down = text();
    it.full = text();
    make(it.sender);
  }
  // With a Decision.
  void make_decided(Accepted& it) {
    make(it);
    make(it.decision);
    for (std::size_t i = 0; i < it.candidate_count; ++i) {
      fill(it.candidates[i].rank);
      it.candidates[i].gone = below(2) != 0;
    }
  }
  void make_decided(Carried& it) {
    make(it);
    make_decided(it.accepted);
    fill(it.course.sent_wall_us);
    fill(it.course.receipt_wall_us);
    make(it.course.last);
    it.course.in_doubt = below(2) != 0;
    fill(it.course.resends);
    fill(it.course.try_count);
    it.course.tries_kept = static_cast<std::uint8_t>(below(kTriesMax + 1));
    for (std::size_t i = 0; i < it.course.tries_kept; ++i) {
      Try& one = it.course.tries[i];
      fill(one.attempt);
      one.end = static_cast<TryEnd>(below(7));
      one.status = static_cast<Status>(static_cast<std::uint32_t>(random_()));
      fill(one.after_ms);
      one.carrier = text();
    }
  }
  void make(Carried& it) {
    make(it.accepted);
    fill(it.wall_us);
    it.stage = static_cast<Stage>(below(4));
    fill(it.attempt);
    it.carrier = text();
    it.carrier_message_id = text();
    it.status = static_cast<Status>(static_cast<std::uint32_t>(random_()));
    make(it.notice);
  }
  void make(Parked& it) {
    fill(it.number);
    make_letter(it);
  }
  void make(Unparked& it) {
    fill(it.number);
    fill(it.wall_us);
    it.how = static_cast<Unpark>(below(3));
    it.carrier = text();
  }
  void make(DeadLetter& it) {
    fill(it.message);
    it.why = static_cast<Dead>(below(3));
    it.state = static_cast<MessageState>(below(10));
    make_letter(it);
  }
  void make(Ids& it) {
    fill(it.message);
    fill(it.wall_us);
  }
  void make(Chunk& it) {
    fill(it.wall_us);
    fill(it.receipts);
    fill(it.first_message);
    fill(it.first_deadline_wall_us);
    fill(it.newest_deadline_wall_us);
    it.client = text();
  }
  void make(Spilled& it) {
    fill(it.chunk);
    fill(it.wall_us);
    it.client = text();
    it.messages = octets();
    it.messages = it.messages.first(it.messages.size() / 8 * 8);
  }
  void make(Loaded& it) {
    fill(it.chunk);
    fill(it.wall_us);
    fill(it.receipts);
    it.how = static_cast<How>(below(3));
    it.client = text();
    auto& made = bodies_.emplace_back();
    for (std::uint64_t i = below(5); i > 0; --i) {
      const Octets one = octets();
      made.insert(made.end(), {static_cast<std::uint8_t>(one.size()),
                               static_cast<std::uint8_t>(one.size() >> 8), 0, 0});
      made.insert(made.end(), one.begin(), one.end());
    }
    it.messages = made;
  }

 private:
  template <class R>
  void make_attempt(R& it) {
    fill(it.message);
    fill(it.wall_us);
    fill(it.attempt);
    it.carrier = text();
  }
  template <class R>
  void make_letter(R& it) {
    fill(it.wall_us);
    it.carrier = text();
    it.carrier_message_id = text();
    it.pdu = octets();
  }

  std::mt19937_64 random_;
  std::deque<std::string> texts_;
  std::deque<std::vector<std::uint8_t>> bodies_;
};

// f(record) with an empty record of each type, in the order of the type numbers.
template <class F>
void with_each(F&& f) {
  f(Accepted{});
  f(Intent{});
  f(Sent{});
  f(Refused{});
  f(InDoubt{});
  f(Receipt{});
  f(Ended{});
  f(Settled{});
  f(Carried{});
  f(Parked{});
  f(Unparked{});
  f(DeadLetter{});
  f(Ids{});
  f(Chunk{});
  f(Spilled{});
  f(Loaded{});
  f(Detailed{});
  f(Clock{});
}

inline Octets rest_of(const Accepted& record) {
  return record.body;
}
inline Octets rest_of(const Carried& record) {
  return record.accepted.body;
}
inline Octets rest_of(const Parked& record) {
  return record.pdu;
}
inline Octets rest_of(const DeadLetter& record) {
  return record.pdu;
}
inline Octets rest_of(const Spilled& record) {
  return record.messages;
}
inline Octets rest_of(const Loaded& record) {
  return record.messages;
}
inline Octets rest_of(const Settled& record) {
  return record.detail;
}
template <class R>
Octets rest_of(const R&) {
  return {};
}

// Head and rest, as they lie in the journal; empty when the head cannot be written.
template <class R>
std::vector<std::uint8_t> payload_of(const R& record) {
  std::vector<std::uint8_t> out(kHeadMax);
  out.resize(encode(record, out));
  const Octets rest = rest_of(record);
  if (!out.empty()) out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

}  // namespace tollgate::proto::record::test
