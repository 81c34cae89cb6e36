#include "proto/records/detail.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "proto/saturated.h"

namespace tollgate::proto::detail {
namespace {

enum Wire : std::uint32_t { kVarint = 0, kFixed64 = 1, kLengthLed = 2, kFixed32 = 5 };

constexpr std::size_t kTextMax = 255;
// Field 1 as fixed64, field 2 likewise: what every record of ours begins with.
constexpr std::uint8_t kMessageTag = 1 << 3 | kFixed64;
constexpr std::size_t kNumberMax = 12;  // tag and varint

std::uint64_t zigzag(std::int64_t value) {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

// Writes fields; those with proto3's default are left out. Nothing is written past the room.
class Writer {
 public:
  explicit Writer(Out out) : begin_(out.data()), at_(out.data()), end_(out.data() + out.size()) {}

  void number(std::uint32_t field, std::uint64_t value) {
    if (value == 0 || !room(kNumberMax)) return;
    tag(field, kVarint);
    varint(value);
  }
  void signed_number(std::uint32_t field, std::int64_t value) { number(field, zigzag(value)); }
  void fixed(std::uint32_t field, std::uint64_t value) {
    if (!room(kNumberMax)) return;
    tag(field, kFixed64);
    for (unsigned i = 0; i < 8; ++i) *at_++ = static_cast<std::uint8_t>(value >> 8 * i);
  }
  void octets(std::uint32_t field, const void* from, std::size_t size) {
    if (size == 0) return;
    size = std::min(size, kTextMax);
    if (!room(kNumberMax + size)) return;
    tag(field, kLengthLed);
    varint(size);
    std::memcpy(at_, from, size);
    at_ += size;
  }
  void text(std::uint32_t field, std::string_view value) {
    octets(field, value.data(), value.size());
  }
  // A nested message of less than 2^14 octets, written by `fill`.
  template <class Fill>
  void nested(std::uint32_t field, Fill&& fill) {
    if (!room(kNumberMax)) return;
    tag(field, kLengthLed);
    std::uint8_t* const length = at_;
    at_ += 2;
    fill();
    if (!good_) return;
    const auto size = static_cast<std::size_t>(at_ - length - 2);
    if (size < 128) {
      std::memmove(length + 1, length + 2, size);
      length[0] = static_cast<std::uint8_t>(size);
      --at_;
    } else {
      length[0] = static_cast<std::uint8_t>(size | 0x80);
      length[1] = static_cast<std::uint8_t>(size >> 7);
    }
  }
  std::size_t size() const { return good_ ? static_cast<std::size_t>(at_ - begin_) : 0; }

 private:
  bool room(std::size_t size) {
    good_ &= static_cast<std::size_t>(end_ - at_) >= size;
    return good_;
  }
  void tag(std::uint32_t field, Wire wire) { varint(field << 3 | wire); }
  void varint(std::uint64_t value) {
    while (value >= 0x80) {
      *at_++ = static_cast<std::uint8_t>(value | 0x80);
      value >>= 7;
    }
    *at_++ = static_cast<std::uint8_t>(value);
  }

  std::uint8_t* begin_;
  std::uint8_t* at_;
  std::uint8_t* end_;
  bool good_ = true;
};

// One field at a time.
class Reader {
 public:
  explicit Reader(Octets octets) : at_(octets.data()), end_(octets.data() + octets.size()) {}

  // False: the end, or (good() is false) octets that are none.
  bool next() {
    if (at_ == end_ || !good_) return false;
    const std::uint64_t tag = varint();
    field_ = static_cast<std::uint32_t>(tag >> 3);
    const auto wire = static_cast<std::uint32_t>(tag & 7);
    value_ = 0;
    octets_ = {};
    if (wire == kVarint) {
      value_ = varint();
    } else if (wire == kFixed64 || wire == kFixed32) {
      fixed(wire == kFixed64 ? 8 : 4);
    } else if (wire == kLengthLed) {
      const std::uint64_t size = varint();
      if (size > static_cast<std::uint64_t>(end_ - at_)) return good_ = false;
      octets_ = {at_, static_cast<std::size_t>(size)};
      at_ += size;
    } else {
      good_ = false;
    }
    return good_ &= field_ != 0;
  }
  bool good() const { return good_; }
  std::uint32_t field() const { return field_; }
  std::uint64_t value() const { return value_; }
  std::uint32_t value32() const { return static_cast<std::uint32_t>(value_); }
  std::int64_t signed_value() const { return unzigzag(value_); }
  Octets octets() const { return octets_; }
  std::string_view text() const { return as_text(octets_); }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      if (at_ == end_) break;
      const std::uint8_t octet = *at_++;
      if (shift < 64) value |= static_cast<std::uint64_t>(octet & 0x7F) << shift;
      if ((octet & 0x80) == 0) return value;
    }
    good_ = false;
    return 0;
  }
  void fixed(unsigned size) {
    if (end_ - at_ < static_cast<std::ptrdiff_t>(size)) {
      good_ = false;
      return;
    }
    for (unsigned i = 0; i < size; ++i) value_ |= static_cast<std::uint64_t>(at_[i]) << 8 * i;
    at_ += size;
  }

  const std::uint8_t* at_;
  const std::uint8_t* end_;
  std::uint32_t field_ = 0;
  std::uint64_t value_ = 0;
  Octets octets_;
  bool good_ = true;
};

void write(Writer& writer, std::uint32_t field, const record::Address& address) {
  if (address == record::Address{}) return;
  writer.nested(field, [&] {
    writer.number(1, address.ton);
    writer.number(2, address.npi);
    writer.text(3, address.digits);
  });
}

void write(Writer& writer, const Candidate& candidate) {
  writer.nested(18, [&] {
    writer.text(1, candidate.carrier);
    writer.signed_number(2, candidate.cost_nano);
  });
}

void write(Writer& writer, const Try& each) {
  writer.nested(19, [&] {
    writer.text(1, each.carrier);
    writer.number(2, each.attempt);
    writer.number(3, static_cast<std::uint64_t>(each.end));
    writer.number(4, static_cast<std::uint64_t>(each.status));
    writer.number(5, each.after_ms);
    writer.signed_number(6, each.cost_nano);
    writer.number(7, each.billed ? 1 : 0);
  });
}

void write_decision(Writer& writer, const Detail& detail) {
  writer.number(9, detail.tables_version);
  writer.number(10, detail.facts);
  writer.fixed(11, detail.draw);
  for (const std::string_view name : detail.down) writer.text(12, name);
  for (const std::string_view name : detail.full) writer.text(13, name);
  writer.number(14, detail.states_cut ? 1 : 0);
  writer.signed_number(15, detail.price_nano);
  writer.text(16, detail.currency);
  writer.number(17, detail.segments);
  for (std::size_t i = 0; i < detail.candidate_count; ++i) write(writer, detail.candidates[i]);
}

void write_course(Writer& writer, const Detail& detail) {
  for (std::size_t i = 0; i < detail.tries_kept; ++i) write(writer, detail.tries[i]);
  writer.number(20, detail.try_count);
  writer.text(21, detail.carrier);
  writer.text(22, detail.carrier_message_id);
  writer.number(23, detail.registered_delivery);
  writer.number(24, detail.data_coding);
  writer.number(25, detail.esm_class);
  writer.number(26, detail.text_octets);
  writer.number(27, static_cast<std::uint64_t>(detail.accepted_us));
  writer.number(28, static_cast<std::uint64_t>(detail.sent_us));
  writer.number(29, static_cast<std::uint64_t>(detail.receipt_us));
  writer.number(30, static_cast<std::uint64_t>(detail.settled_us));
  writer.number(31, detail.state);
  writer.text(32, detail.error);
  writer.octets(33, detail.network_error.data(), detail.network_error.size());
  writer.number(34, static_cast<std::uint64_t>(detail.how));
  writer.number(35, detail.by_gateway ? 1 : 0);
  writer.number(36, detail.relayed ? 1 : 0);
  writer.number(37, detail.in_doubt ? 1 : 0);
  writer.number(38, detail.resends);
  writer.number(39, detail.recovered ? 1 : 0);
  writer.signed_number(40, detail.revenue_nano);
  writer.signed_number(41, detail.cost_nano);
  writer.signed_number(42, detail.margin_nano);
}

bool read(Octets octets, record::Address& address) {
  Reader reader(octets);
  while (reader.next()) {
    if (reader.field() == 1) address.ton = static_cast<std::uint8_t>(reader.value());
    if (reader.field() == 2) address.npi = static_cast<std::uint8_t>(reader.value());
    if (reader.field() == 3) address.digits = reader.text();
  }
  return reader.good();
}

bool read(Octets octets, Candidate& candidate) {
  Reader reader(octets);
  while (reader.next()) {
    if (reader.field() == 1) candidate.carrier = reader.text();
    if (reader.field() == 2) candidate.cost_nano = reader.signed_value();
  }
  return reader.good();
}

bool read(Octets octets, Try& each) {
  Reader reader(octets);
  while (reader.next()) {
    switch (reader.field()) {
      case 1:
        each.carrier = reader.text();
        break;
      case 2:
        each.attempt = reader.value32();
        break;
      case 3:
        if (reader.value() > static_cast<std::uint64_t>(record::TryEnd::in_doubt)) return false;
        each.end = static_cast<record::TryEnd>(reader.value());
        break;
      case 4:
        each.status = static_cast<Status>(reader.value32());
        break;
      case 5:
        each.after_ms = reader.value32();
        break;
      case 6:
        each.cost_nano = reader.signed_value();
        break;
      case 7:
        each.billed = reader.value() != 0;
        break;
      default:
        break;
    }
  }
  return reader.good();
}

// A field of an array; what is beyond it is read and dropped.
template <class Each, std::size_t N>
bool read_into(Octets octets, std::array<Each, N>& all, std::uint8_t& count) {
  Each each{};
  if (!read(octets, each)) return false;
  if (count < N) all[count++] = each;
  return true;
}

bool read_head(const Reader& reader, Detail& detail) {
  switch (reader.field()) {
    case 1:
      detail.message = reader.value();
      return true;
    case 2:
      detail.public_id = reader.value();
      return true;
    case 3:
      detail.client = reader.text();
      return true;
    case 4:
      return read(reader.octets(), detail.source);
    case 5:
      return read(reader.octets(), detail.destination);
    case 6:
      detail.number = reader.text();
      return true;
    case 7:
      return read(reader.octets(), detail.sender);
    case 8:
      detail.mccmnc = reader.text();
      return true;
    default:
      return true;
  }
}

bool read_decision(const Reader& reader, Detail& detail) {
  switch (reader.field()) {
    case 9:
      detail.tables_version = reader.value32();
      return true;
    case 10:
      detail.facts = reader.value32();
      return true;
    case 11:
      detail.draw = reader.value();
      return true;
    case 12:
      detail.down.add(reader.text());
      return true;
    case 13:
      detail.full.add(reader.text());
      return true;
    case 14:
      detail.states_cut = reader.value() != 0;
      return true;
    case 15:
      detail.price_nano = reader.signed_value();
      return true;
    case 16:
      detail.currency = reader.text();
      return true;
    case 17:
      detail.segments = reader.value32();
      return true;
    case 18:
      return read_into(reader.octets(), detail.candidates, detail.candidate_count);
    case 19:
      return read_into(reader.octets(), detail.tries, detail.tries_kept);
    default:
      return true;
  }
}

bool read_message(const Reader& reader, Detail& detail) {
  const auto number = [&](std::uint32_t& to) {
    to = reader.value32();
    return true;
  };
  switch (reader.field()) {
    case 20:
      return number(detail.try_count);
    case 21:
      detail.carrier = reader.text();
      return true;
    case 22:
      detail.carrier_message_id = reader.text();
      return true;
    case 23:
      return number(detail.registered_delivery);
    case 24:
      return number(detail.data_coding);
    case 25:
      return number(detail.esm_class);
    case 26:
      return number(detail.text_octets);
    default:
      return true;
  }
}

bool read_end(const Reader& reader, Detail& detail) {
  const auto time = [&](std::int64_t& to) {
    to = static_cast<std::int64_t>(reader.value());
    return true;
  };
  switch (reader.field()) {
    case 27:
      return time(detail.accepted_us);
    case 28:
      return time(detail.sent_us);
    case 29:
      return time(detail.receipt_us);
    case 30:
      return time(detail.settled_us);
    case 31:
      detail.state = reader.value32();
      return detail.state <= static_cast<std::uint32_t>(MessageState::skipped);
    case 32:
      detail.error = reader.text();
      return true;
    case 33:
      detail.network_error = reader.octets();
      return true;
    case 34:
      if (reader.value() > static_cast<std::uint64_t>(record::How::given_up)) return false;
      detail.how = static_cast<record::How>(reader.value());
      return true;
    default:
      return true;
  }
}

bool read_marks(const Reader& reader, Detail& detail) {
  const bool set = reader.value() != 0;
  switch (reader.field()) {
    case 35:
      detail.by_gateway = set;
      break;
    case 36:
      detail.relayed = set;
      break;
    case 37:
      detail.in_doubt = set;
      break;
    case 38:
      detail.resends = reader.value32();
      break;
    case 39:
      detail.recovered = set;
      break;
    case 40:
      detail.revenue_nano = reader.signed_value();
      break;
    case 41:
      detail.cost_nano = reader.signed_value();
      break;
    case 42:
      detail.margin_nano = reader.signed_value();
      break;
    default:
      break;
  }
  return true;
}

}  // namespace

void charge(Detail& detail) {
  const auto segments = static_cast<std::int64_t>(detail.segments);
  detail.revenue_nano = detail.taken() ? product(detail.price_nano, segments) : 0;
  detail.cost_nano = 0;
  for (std::size_t i = 0; i < detail.tries_kept; ++i) {
    Try& each = detail.tries[i];
    for (std::size_t c = 0; c < detail.candidate_count; ++c) {
      if (detail.candidates[c].carrier == each.carrier) {
        each.cost_nano = detail.candidates[c].cost_nano;
      }
    }
    each.billed = each.end == record::TryEnd::sent;
    if (each.billed) detail.cost_nano = sum(detail.cost_nano, product(each.cost_nano, segments));
  }
  detail.margin_nano = difference(detail.revenue_nano, detail.cost_nano);
}

std::size_t encode(const Detail& detail, Out out) {
  Writer writer(out);
  writer.fixed(1, detail.message);
  writer.fixed(2, detail.public_id);
  writer.text(3, detail.client);
  write(writer, 4, detail.source);
  write(writer, 5, detail.destination);
  writer.text(6, detail.number);
  write(writer, 7, detail.sender);
  writer.text(8, detail.mccmnc);
  write_decision(writer, detail);
  write_course(writer, detail);
  return writer.size();
}

bool decode(Octets octets, Detail& detail) {
  detail = Detail{};
  Reader reader(octets);
  bool good = true;
  while (good && reader.next()) {
    const std::uint32_t field = reader.field();
    if (field <= 8) {
      good = read_head(reader, detail);
    } else if (field <= 19) {
      good = read_decision(reader, detail);
    } else if (field <= 26) {
      good = read_message(reader, detail);
    } else if (field <= 34) {
      good = read_end(reader, detail);
    } else {
      good = read_marks(reader, detail);
    }
  }
  return good && reader.good();
}

std::uint64_t message_of(Octets octets) {
  if (octets.size() < 9 || octets[0] != kMessageTag) return 0;
  std::uint64_t message = 0;
  for (unsigned i = 0; i < 8; ++i) message |= static_cast<std::uint64_t>(octets[1 + i]) << 8 * i;
  return message;
}

std::string_view try_end_name(record::TryEnd end) {
  constexpr std::array<std::string_view, 7> kNames = {"sent", "refused", "next",    "later",
                                                      "down", "expired", "in_doubt"};
  return kNames[static_cast<std::size_t>(end)];
}

std::string_view how_name(record::How how) {
  constexpr std::array<std::string_view, 4> kNames = {"told", "no_receipt", "given_up",
                                                      "no_receipt"};
  return kNames[static_cast<std::size_t>(how)];
}

}  // namespace tollgate::proto::detail
