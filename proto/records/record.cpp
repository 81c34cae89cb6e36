#include "proto/records/record.h"

#include <bit>

namespace tollgate::proto::record {
namespace {

// Every layout is told once, by a visit() below; these three walk it.

std::string_view cut(std::string_view view) {
  return view.substr(0, kTextMax);
}

// How long the head will be, and whether it can be written at all.
class Measure {
 public:
  template <class T>
  void number(const T&) {
    length_ += sizeof(T);
  }
  template <class Enum>
  void choice(const Enum&, Enum) {
    length_ += 1;
  }
  void flags(const bool&, const bool&) { length_ += 1; }
  void flag(const bool&) { length_ += 1; }
  void text(std::string_view view) { length_ += 1 + cut(view).size(); }
  void count(const std::uint8_t& value, std::size_t most) {
    fits_ &= value <= most;
    length_ += 1;
  }
  void octets(const std::array<std::uint8_t, 3>&) { length_ += 3; }
  void rest(Octets) {}

  bool fits() const { return fits_; }
  std::size_t length() const { return length_; }

 private:
  std::size_t length_ = 0;
  bool fits_ = true;
};

template <class T>
void store_little(std::uint8_t* at, T value) {
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(at, &value, sizeof value);
  } else {
    for (std::size_t i = 0; i < sizeof(T); ++i) at[i] = static_cast<std::uint8_t>(value >> (8 * i));
  }
}

template <class T>
T load_little(const std::uint8_t* at) {
  T value = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&value, at, sizeof value);
  } else {
    for (std::size_t i = sizeof(T); i-- > 0;) value = static_cast<T>(value << 8 | at[i]);
  }
  return value;
}

// Writes where Measure found room.
class Writer {
 public:
  explicit Writer(std::uint8_t* at) : at_(at) {}

  template <class T>
  void number(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      store_little(at_, static_cast<std::underlying_type_t<T>>(value));
    } else {
      store_little(at_, value);
    }
    at_ += sizeof(T);
  }
  template <class Enum>
  void choice(const Enum& value, Enum) {
    *at_++ = static_cast<std::uint8_t>(value);
  }
  void flags(const bool& first, const bool& second) {
    *at_++ = static_cast<std::uint8_t>((first ? 1 : 0) | (second ? 2 : 0));
  }
  void flag(const bool& value) { *at_++ = value ? 1 : 0; }
  void text(std::string_view view) {
    view = cut(view);
    *at_++ = static_cast<std::uint8_t>(view.size());
    copy(view.data(), view.size());
    at_ += view.size();
  }
  void count(const std::uint8_t& value, std::size_t) { *at_++ = value; }
  void octets(const std::array<std::uint8_t, 3>& value) {
    std::memcpy(at_, value.data(), 3);
    at_ += 3;
  }
  void rest(Octets) {}

 private:
  // Names and numbers have 3 to 32 octets: two moves that overlap beat a call.
  void copy(const char* from, std::size_t size) {
    if (size > 32) {
      std::memcpy(at_, from, size);
    } else if (size >= 16) {
      std::memcpy(at_, from, 16);
      std::memcpy(at_ + size - 16, from + size - 16, 16);
    } else if (size >= 8) {
      std::memcpy(at_, from, 8);
      std::memcpy(at_ + size - 8, from + size - 8, 8);
    } else if (size >= 4) {
      std::memcpy(at_, from, 4);
      std::memcpy(at_ + size - 4, from + size - 4, 4);
    } else {
      for (std::size_t i = 0; i < size; ++i) at_[i] = static_cast<std::uint8_t>(from[i]);
    }
  }

  std::uint8_t* at_;
};

class Reader {
 public:
  explicit Reader(Octets payload) : at_(payload.data()), left_(payload.size()) {}

  template <class T>
  void number(T& value) {
    if (!take(sizeof(T))) return;
    if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(load_little<std::underlying_type_t<T>>(at_ - sizeof(T)));
    } else {
      value = load_little<T>(at_ - sizeof(T));
    }
  }
  template <class Enum>
  void choice(Enum& value, Enum last) {
    if (!take(1)) return;
    good_ = at_[-1] <= static_cast<std::uint8_t>(last);
    value = static_cast<Enum>(good_ ? at_[-1] : 0);
  }
  void flags(bool& first, bool& second) {
    if (!take(1)) return;
    good_ = at_[-1] <= 3;
    first = (at_[-1] & 1) != 0;
    second = (at_[-1] & 2) != 0;
  }
  void flag(bool& value) {
    if (!take(1)) return;
    good_ = at_[-1] <= 1;
    value = at_[-1] != 0;
  }
  void text(std::string_view& view) {
    if (!take(1)) return;
    const std::size_t size = at_[-1];
    if (take(size)) view = {reinterpret_cast<const char*>(at_ - size), size};
  }
  void count(std::uint8_t& value, std::size_t most) {
    value = 0;
    if (!take(1)) return;
    good_ = at_[-1] <= most;
    if (good_) value = at_[-1];
  }
  void octets(std::array<std::uint8_t, 3>& value) {
    if (take(3)) std::memcpy(value.data(), at_ - 3, 3);
  }
  void rest(Octets& view) {
    view = {at_, left_};
    at_ += left_;
    left_ = 0;
  }

  bool whole() const { return good_ && left_ == 0; }

 private:
  bool take(std::size_t size) {
    if (!good_ || left_ < size) return good_ = false;
    at_ += size;
    left_ -= size;
    return true;
  }

  const std::uint8_t* at_;
  std::size_t left_;
  bool good_ = true;
};

template <class R, class T>
concept Is = std::is_same_v<std::remove_const_t<R>, T>;

template <class Walk, Is<Notice> R>
void visit_notice(Walk& walk, R& notice) {
  walk.choice(notice.state, MessageState::skipped);
  walk.flags(notice.intermediate, notice.has_network_error);
  walk.octets(notice.network_error);
  walk.number(notice.done_wall_us);
  walk.text(notice.error);
}

template <class Walk, Is<Address> R>
void visit_address(Walk& walk, R& address) {
  walk.number(address.ton);
  walk.number(address.npi);
  walk.text(address.digits);
}

template <class Walk, Is<Decision> R>
void visit_decision(Walk& walk, R& decision) {
  walk.number(decision.origin);
  walk.number(decision.draw);
  walk.number(decision.facts);
  walk.number(decision.segments);
  walk.number(decision.text_octets);
  walk.number(decision.data_coding);
  walk.number(decision.esm_class);
  walk.flag(decision.states_cut);
  walk.text(decision.mccmnc);
  walk.text(decision.number);
  walk.text(decision.currency);
  walk.text(decision.down);
  walk.text(decision.full);
  visit_address(walk, decision.sender);
}

template <class Walk, Is<Course> R>
void visit_course(Walk& walk, R& course) {
  walk.number(course.sent_wall_us);
  walk.number(course.receipt_wall_us);
  visit_notice(walk, course.last);
  walk.flag(course.in_doubt);
  walk.number(course.resends);
  walk.number(course.try_count);
  walk.count(course.tries_kept, kTriesMax);
  if (course.tries_kept > kTriesMax) return;  // Measure has seen it
  for (std::size_t i = 0; i < course.tries_kept; ++i) {
    walk.number(course.tries[i].attempt);
    walk.choice(course.tries[i].end, TryEnd::in_doubt);
    walk.number(course.tries[i].status);
    walk.number(course.tries[i].after_ms);
    walk.text(course.tries[i].carrier);
  }
}

template <class Walk, Is<Accepted> R>
void visit_accepted(Walk& walk, R& record) {
  walk.number(record.message);
  walk.number(record.public_id);
  walk.number(record.wall_us);
  walk.number(record.deadline_wall_us);
  walk.number(record.price_nano);
  walk.number(record.tables_version);
  walk.number(record.destination_id);
  walk.number(record.registered_delivery);
  walk.flag(record.short_id);
  walk.text(record.client);
  visit_address(walk, record.source);
  visit_address(walk, record.destination);
  walk.text(record.text);
  walk.count(record.candidate_count, kCandidatesMax);
  if (record.candidate_count > kCandidatesMax) return;  // Measure has seen it
  for (std::size_t i = 0; i < record.candidate_count; ++i) {
    walk.number(record.candidates[i].cost_nano);
    walk.text(record.candidates[i].carrier);
    if (!record.decision.known) continue;
    walk.number(record.candidates[i].rank);
    walk.flag(record.candidates[i].gone);
  }
  if (record.decision.known) visit_decision(walk, record.decision);
}

template <class Walk, Is<Accepted> R>
void visit(Walk& walk, R& record) {
  visit_accepted(walk, record);
  walk.rest(record.body);
}

template <class Walk, class R>
requires Is<R, Intent> || Is<R, InDoubt>
void visit(Walk& walk, R& record) {
  walk.number(record.message);
  walk.number(record.wall_us);
  walk.number(record.attempt);
  walk.text(record.carrier);
}

template <class Walk, Is<Sent> R>
void visit(Walk& walk, R& record) {
  walk.number(record.message);
  walk.number(record.wall_us);
  walk.number(record.attempt);
  walk.text(record.carrier);
  walk.text(record.carrier_message_id);
}

template <class Walk, Is<Refused> R>
void visit(Walk& walk, R& record) {
  walk.number(record.message);
  walk.number(record.wall_us);
  walk.number(record.attempt);
  walk.number(record.status);
  walk.choice(record.follows, Follows::expired);
  walk.text(record.carrier);
}

template <class Walk, Is<Receipt> R>
void visit(Walk& walk, R& record) {
  walk.number(record.message);
  walk.number(record.wall_us);
  walk.text(record.carrier);
  visit_notice(walk, record.notice);
}

template <class Walk, Is<Ended> R>
void visit(Walk& walk, R& record) {
  walk.number(record.message);
  walk.number(record.wall_us);
  visit_notice(walk, record.notice);
}

template <class Walk, Is<Settled> R>
void visit(Walk& walk, R& record) {
  walk.number(record.message);
  walk.number(record.wall_us);
  walk.choice(record.how, How::relayed);
  walk.rest(record.detail);
}

template <class Walk, Is<Detailed> R>
void visit(Walk& walk, R& record) {
  walk.number(record.wall_us);
  walk.number(record.upto);
  walk.number(record.segment);
  walk.flag(record.earlier_runs);
}

template <class Walk, Is<Clock> R>
void visit(Walk& walk, R& record) {
  walk.number(record.wall_us);
  walk.number(record.mono_us);
  walk.number(record.boot);
}

template <class Walk, Is<Carried> R>
void visit(Walk& walk, R& record) {
  visit_accepted(walk, record.accepted);
  walk.number(record.wall_us);
  walk.choice(record.stage, Stage::told);
  walk.number(record.attempt);
  walk.number(record.status);
  walk.text(record.carrier);
  walk.text(record.carrier_message_id);
  visit_notice(walk, record.notice);
  if (record.accepted.decision.known) visit_course(walk, record.course);
  walk.rest(record.accepted.body);
}

template <class Walk, Is<Parked> R>
void visit(Walk& walk, R& record) {
  walk.number(record.number);
  walk.number(record.wall_us);
  walk.text(record.carrier);
  walk.text(record.carrier_message_id);
  walk.rest(record.pdu);
}

template <class Walk, Is<Unparked> R>
void visit(Walk& walk, R& record) {
  walk.number(record.number);
  walk.number(record.wall_us);
  walk.choice(record.how, Unpark::unmatched);
  walk.text(record.carrier);
}

template <class Walk, Is<DeadLetter> R>
void visit(Walk& walk, R& record) {
  walk.number(record.wall_us);
  walk.number(record.message);
  walk.choice(record.why, Dead::late);
  walk.choice(record.state, MessageState::skipped);
  walk.text(record.carrier);
  walk.text(record.carrier_message_id);
  walk.rest(record.pdu);
}

template <class Walk, Is<Ids> R>
void visit(Walk& walk, R& record) {
  walk.number(record.message);
  walk.number(record.wall_us);
}

template <class Walk, Is<Chunk> R>
void visit(Walk& walk, R& record) {
  walk.number(record.wall_us);
  walk.number(record.receipts);
  walk.number(record.first_message);
  walk.number(record.first_deadline_wall_us);
  walk.number(record.newest_deadline_wall_us);
  walk.text(record.client);
}

template <class Walk, Is<Spilled> R>
void visit(Walk& walk, R& record) {
  walk.number(record.chunk);
  walk.number(record.wall_us);
  walk.text(record.client);
  walk.rest(record.messages);
}

template <class Walk, Is<Loaded> R>
void visit(Walk& walk, R& record) {
  walk.number(record.chunk);
  walk.number(record.wall_us);
  walk.number(record.receipts);
  walk.choice(record.how, How::given_up);
  walk.text(record.client);
  walk.rest(record.messages);
}

template <class Record>
std::size_t write_head(const Record& record, Out out) {
  Measure measure;
  visit(measure, record);
  if (!measure.fits() || measure.length() > out.size()) return 0;
  Writer writer(out.data());
  visit(writer, record);
  return measure.length();
}

// What a rest has to be, where it is more than octets.
template <class Record>
bool rest_is_good(const Record&) {
  return true;
}
bool rest_is_good(const Settled& record) {
  return record.detail.empty() || record.detail.size() > 8;
}
bool rest_is_good(const Spilled& record) {
  return record.messages.size() % 8 == 0;
}
bool rest_is_good(const Loaded& record) {
  return for_each_loaded(record.messages, [](Octets) {});
}

// In the layout that it is written in without a Decision.
template <class Record>
void forget_decision(Record&) {}
void forget_decision(Accepted& record) {
  record.decision.known = false;
}
void forget_decision(Carried& record) {
  record.accepted.decision.known = false;
}

template <class Record>
bool read_whole(Octets payload, Record& record) {
  Reader reader(payload);
  visit(reader, record);
  return reader.whole() && rest_is_good(record);
}

}  // namespace

std::string_view type_name(std::uint32_t type) {
  static constexpr std::array<std::string_view, 18> kNames = {
      "accepted", "intent",  "sent",    "refused", "in_doubt", "receipt",
      "ended",    "settled", "carried", "parked",  "unparked", "dead_letter",
      "ids",      "chunk",   "spilled", "loaded",  "detailed", "clock"};
  const Reading known = read(type, {}, [](const auto&) {});
  return known == Reading::unknown ? std::string_view{} : kNames[(type & 0xFF) - 1];
}

std::string_view dead_name(Dead why) {
  constexpr std::array<std::string_view, 3> kNames = {"unmatched", "unreadable", "late"};
  return kNames[static_cast<std::size_t>(why)];
}

#define TOLLGATE_RECORD(Record)                       \
  std::size_t encode(const Record& record, Out out) { \
    return write_head(record, out);                   \
  }                                                   \
  bool decode(Octets payload, Record& record) {       \
    forget_decision(record);                          \
    return read_whole(payload, record);               \
  }
TOLLGATE_RECORD(Accepted)
TOLLGATE_RECORD(Intent)
TOLLGATE_RECORD(Sent)
TOLLGATE_RECORD(Refused)
TOLLGATE_RECORD(InDoubt)
TOLLGATE_RECORD(Receipt)
TOLLGATE_RECORD(Ended)
TOLLGATE_RECORD(Settled)
TOLLGATE_RECORD(Carried)
TOLLGATE_RECORD(Parked)
TOLLGATE_RECORD(Unparked)
TOLLGATE_RECORD(DeadLetter)
TOLLGATE_RECORD(Ids)
TOLLGATE_RECORD(Chunk)
TOLLGATE_RECORD(Spilled)
TOLLGATE_RECORD(Loaded)
TOLLGATE_RECORD(Detailed)
TOLLGATE_RECORD(Clock)
#undef TOLLGATE_RECORD

bool decode_decided(Octets payload, Accepted& record) {
  record.decision.known = true;
  return read_whole(payload, record);
}

bool decode_decided(Octets payload, Carried& record) {
  record.accepted.decision.known = true;
  return read_whole(payload, record);
}

// Each layout tells all of its octets, so no others than its own are good.
bool decode_either(Octets payload, Carried& record) {
  if (decode_decided(payload, record) && record.accepted.body.empty()) return true;
  record = Carried{};
  return decode(payload, record);
}

}  // namespace tollgate::proto::record
