#include "proto/pdu.h"

#include <algorithm>

#include "proto/pdu_visit.h"
#include "proto/tlv.h"

namespace tollgate::proto {

std::string_view command_name(Command command) {
  switch (command) {
#define PDU(name, id, Type, since) \
  case Command::name:              \
    return #name;
#include "proto/pdu_macros.inc"
#include "proto/pdu_table.inc"
#define TOLLGATE_PDU_END
#include "proto/pdu_macros.inc"
  }
  return "";
}

std::uint8_t command_since(Command command) {
  switch (command) {
#define PDU(name, id, Type, since) \
  case Command::name:              \
    return since;
#include "proto/pdu_macros.inc"
#include "proto/pdu_table.inc"
#define TOLLGATE_PDU_END
#include "proto/pdu_macros.inc"
  }
  return 0;
}

namespace {

// Lengths of `text` with its NUL at the front of `rest`; 0 when it has no NUL within `most`.
std::size_t c_string_length(Octets rest, std::size_t most) {
  const std::size_t window = std::min(rest.size(), most);
  if (window == 0) return 0;
  const void* nul = std::memchr(rest.data(), 0, window);
  if (nul == nullptr) return 0;
  return static_cast<std::size_t>(static_cast<const std::uint8_t*>(nul) - rest.data()) + 1;
}

enum class ElementFault { none, cut, address, flag };

ElementFault take_element(Octets& rest, Destination& out) {
  if (rest.empty()) return ElementFault::cut;
  out = {};
  out.dest_flag = rest[0];
  if (out.dest_flag != 1 && out.dest_flag != 2) return ElementFault::flag;
  std::size_t at = 1;
  if (out.dest_flag == 1) {
    if (rest.size() < 3) return ElementFault::cut;
    out.dest_addr_ton = rest[1];
    out.dest_addr_npi = rest[2];
    at = 3;
  }
  const std::size_t most = out.dest_flag == 1 ? kAddressMax : kDistributionListMax;
  const std::size_t length = c_string_length(rest.subspan(at), most);
  if (length == 0) return ElementFault::address;
  out.destination_addr = as_text(rest.subspan(at, length - 1));
  rest = rest.subspan(at + length);
  return ElementFault::none;
}

}  // namespace

bool take(Octets& rest, Destination& out) {
  return take_element(rest, out) == ElementFault::none;
}

bool take(Octets& rest, UnsuccessSme& out) {
  if (rest.size() < 2) return false;
  out.dest_addr_ton = rest[0];
  out.dest_addr_npi = rest[1];
  const std::size_t length = c_string_length(rest.subspan(2), kAddressMax);
  if (length == 0 || rest.size() < 2 + length + 4) return false;
  out.destination_addr = as_text(rest.subspan(2, length - 1));
  out.error_status_code = Status{load_u32(&rest[2 + length])};
  rest = rest.subspan(2 + length + 4);
  return true;
}

namespace {

// Takes fields from the front of a body. Lenient as L says.
template <Leniency L>
class Decoder {
 public:
  explicit Decoder(Octets body)
      : begin_(body.data()), at_(body.data()), end_(body.data() + body.size()) {}

  bool u8(const FieldSpec& spec, std::uint8_t& field) {
    if (at_ != end_) [[likely]] {
      field = *at_++;
      return true;
    }
    field = 0;
    return L == Leniency::response || refuse(spec.status, spec.name, "the PDU ends before it");
  }

  bool c_string(const FieldSpec& spec, std::string_view& field) {
    const std::size_t left = static_cast<std::size_t>(end_ - at_);
    if (left != 0 && *at_ == 0) {
      field = {};
      ++at_;
      return true;
    }
    const std::size_t window = std::min(left, spec.octets_max);
    const void* nul = window == 0 ? nullptr : std::memchr(at_, 0, window);
    if (nul != nullptr) [[likely]] {
      const auto* end = static_cast<const std::uint8_t*>(nul);
      field = as_text({at_, end});
      at_ = end + 1;
      return true;
    }
    return unterminated(spec, field, left);
  }

  bool short_message(Octets& field) {
    std::uint8_t sm_length = 0;
    if (at_ != end_) [[likely]] {
      sm_length = *at_++;
    } else if (L == Leniency::strict) {
      return refuse(Status::ESME_RINVCMDLEN, "sm_length", "the PDU ends before it");
    }
    const std::size_t left = static_cast<std::size_t>(end_ - at_);
    if (sm_length > left) [[unlikely]] {
      if (L == Leniency::strict) {
        --at_;
        return refuse(Status::ESME_RINVMSGLEN, "sm_length", "is more than the PDU holds");
      }
      field = {at_, left};
    } else {
      field = {at_, sm_length};
    }
    at_ += field.size();
    return true;
  }

  bool destinations(Destinations& list) {
    if (at_ == end_) {
      return refuse(Status::ESME_RINVCMDLEN, "number_of_dests", "the PDU ends before it");
    }
    list.count = *at_;
    if (list.count == 0) {
      return refuse(Status::ESME_RINVNUMDESTS, "number_of_dests", "is 0");
    }
    ++at_;
    Octets rest{at_, end_};
    Destination destination;
    for (unsigned i = 0; i < list.count; ++i) {
      const ElementFault fault = take_element(rest, destination);
      if (fault != ElementFault::none) {
        at_ = rest.data();
        return refuse_destination(fault, destination.dest_flag);
      }
    }
    list.raw = {at_, rest.data()};
    at_ = rest.data();
    return true;
  }

  // A response's list is cut to its whole elements.
  bool unsuccess_smes(UnsuccessSmes& list) {
    list = {};
    if (at_ == end_) return true;
    const std::uint8_t no_unsuccess = *at_++;
    Octets rest{at_, end_};
    UnsuccessSme unsuccess;
    while (list.count < no_unsuccess && take(rest, unsuccess)) ++list.count;
    list.raw = {at_, rest.data()};
    at_ = rest.data();
    return true;
  }

  bool tlvs(Octets& field) {
    const Octets block{at_, end_};
    if (block.empty()) {
      field = {};
      return true;
    }
    const std::size_t good = good_length(block);
    field = block.first(good);
    at_ += good;
    if (L != Leniency::strict || at_ == end_) return true;
    return refuse(Status::ESME_RINVTLVSTREAM, "tlvs", "a TLV is cut or runs past the PDU");
  }

  const Fault& fault() const { return fault_; }

 private:
  [[gnu::noinline]] bool unterminated(const FieldSpec& spec, std::string_view& field,
                                      std::size_t left) {
    if (left >= spec.octets_max) return refuse(spec.status, spec.name, "is longer than its limit");
    if (L == Leniency::response) {
      field = as_text({at_, left});
      at_ = end_;
      return true;
    }
    return refuse(spec.status, spec.name,
                  left == 0 ? "the PDU ends before it" : "has no terminating NUL");
  }

  bool refuse_destination(ElementFault fault, std::uint8_t dest_flag) {
    switch (fault) {
      case ElementFault::flag:
        return refuse(Status::ESME_RINVDESTFLAG, "dest_flag", "is neither 1 nor 2");
      case ElementFault::cut:
        return refuse(Status::ESME_RINVNUMDESTS, "number_of_dests", "is more than the PDU holds");
      default:
        if (dest_flag == 2) {
          return refuse(Status::ESME_RINVDLNAME, "dl_name", "is longer than its limit or cut");
        }
        return refuse(Status::ESME_RINVDSTADR, "destination_addr",
                      "is longer than its limit or cut");
    }
  }

  [[gnu::cold]] bool refuse(Status status, const char* field, const char* what) {
    const auto offset = static_cast<std::uint32_t>(kHeaderLength + (at_ - begin_));
    fault_ = {status, offset, field, what};
    return false;
  }

  const std::uint8_t* begin_;
  const std::uint8_t* at_;
  const std::uint8_t* end_;
  Fault fault_;
};

// Writes fields into a span; every write is checked against its end.
class Encoder {
 public:
  explicit Encoder(Out out) : at_(out.data()), end_(out.data() + out.size()) {}

  bool u8(const FieldSpec&, std::uint8_t field) { return put(field); }

  bool c_string(const FieldSpec& spec, std::string_view field) {
    if (field.empty()) return put(0);
    if (field.size() >= spec.octets_max) return false;
    if (static_cast<std::size_t>(end_ - at_) <= field.size()) return false;
    if (std::memchr(field.data(), 0, field.size()) != nullptr) return false;
    std::memcpy(at_, field.data(), field.size());
    at_ += field.size();
    *at_++ = 0;
    return true;
  }

  bool short_message(Octets field) {
    return field.size() <= kShortMessageMax && put(static_cast<std::uint8_t>(field.size())) &&
           octets(field);
  }

  bool destinations(const Destinations& list) { return list.count != 0 && counted(list); }
  bool unsuccess_smes(const UnsuccessSmes& list) { return counted(list); }

  bool octets(Octets field) {
    if (static_cast<std::size_t>(end_ - at_) < field.size()) return false;
    if (!field.empty()) std::memcpy(at_, field.data(), field.size());
    at_ += field.size();
    return true;
  }

  const std::uint8_t* at() const { return at_; }

 private:
  bool put(std::uint8_t octet) {
    if (at_ == end_) return false;
    *at_++ = octet;
    return true;
  }

  // The count and the octets must tell the same story.
  template <class Element>
  bool counted(const Listed<Element>& list) {
    Octets rest = list.raw;
    Element element;
    for (unsigned i = 0; i < list.count; ++i) {
      if (!take(rest, element)) return false;
    }
    return rest.empty() && put(list.count) && octets(list.raw);
  }

  std::uint8_t* at_;
  std::uint8_t* end_;
};

struct Measure {
  bool u8(const FieldSpec&, std::uint8_t) { return add(1); }
  bool c_string(const FieldSpec&, std::string_view field) { return add(field.size() + 1); }
  bool short_message(Octets field) { return add(1 + field.size()); }
  bool destinations(const Destinations& list) { return add(1 + list.raw.size()); }
  bool unsuccess_smes(const UnsuccessSmes& list) { return add(1 + list.raw.size()); }
  bool add(std::size_t octets) {
    length += octets;
    return true;
  }
  std::size_t length = kHeaderLength;
};

// The end of the body, or nullptr.
template <class T>
const std::uint8_t* write_body(const T& pdu, Out out) {
  Encoder encoder(out);
  if (!visit_fields(pdu, encoder) || !encoder.octets(pdu.tlvs)) return nullptr;
  return encoder.at();
}

}  // namespace

#define LAYOUT(Type, leniency)                                              \
  Fault decode(Octets body, Type& out) {                                    \
    Decoder<Type::kLeniency> decoder(body);                                 \
    if (visit_fields(out, decoder)) decoder.tlvs(out.tlvs);                 \
    return decoder.fault();                                                 \
  }                                                                         \
  std::size_t encode_body(const Type& pdu, Out out) {                       \
    const std::uint8_t* end = write_body(pdu, out);                         \
    return end == nullptr ? 0 : static_cast<std::size_t>(end - out.data()); \
  }                                                                         \
  std::size_t encoded_length(const Type& pdu) {                             \
    Measure measure;                                                        \
    visit_fields(pdu, measure);                                             \
    return measure.length + pdu.tlvs.size();                                \
  }                                                                         \
  std::size_t encode_with(const Header& header, const Type& pdu, Out out) { \
    if (out.size() < kHeaderLength) return 0;                               \
    const std::uint8_t* end = write_body(pdu, out.subspan(kHeaderLength));  \
    if (end == nullptr) return 0;                                           \
    const auto length = static_cast<std::size_t>(end - out.data());         \
    Header whole = header;                                                  \
    whole.command_length = static_cast<std::uint32_t>(length);              \
    write_header(out.data(), whole);                                        \
    return length;                                                          \
  }
#include "proto/pdu_macros.inc"
#include "proto/pdu_table.inc"
#define TOLLGATE_PDU_END
#include "proto/pdu_macros.inc"

namespace {

std::size_t append_octets(Out out, std::size_t at, Octets head, std::string_view text) {
  if (text.size() >= kAddressMax || text.find('\0') != std::string_view::npos) return 0;
  const std::size_t length = head.size() + text.size() + 1;
  if (at > out.size() || out.size() - at < length) return 0;
  std::memcpy(&out[at], head.data(), head.size());
  if (!text.empty()) std::memcpy(&out[at + head.size()], text.data(), text.size());
  out[at + length - 1] = 0;
  return at + length;
}

}  // namespace

std::size_t append(Out out, std::size_t at, const Destination& destination) {
  const std::uint8_t head[] = {destination.dest_flag, destination.dest_addr_ton,
                               destination.dest_addr_npi};
  if (destination.dest_flag != 1 && destination.dest_flag != 2) return 0;
  return append_octets(out, at, Octets(head).first(destination.dest_flag == 1 ? 3 : 1),
                       destination.destination_addr);
}

std::size_t append(Out out, std::size_t at, const UnsuccessSme& unsuccess) {
  const std::uint8_t head[] = {unsuccess.dest_addr_ton, unsuccess.dest_addr_npi};
  const std::size_t end = append_octets(out, at, head, unsuccess.destination_addr);
  if (end == 0 || out.size() - end < 4) return 0;
  store_u32(&out[end], static_cast<std::uint32_t>(unsuccess.error_status_code));
  return end + 4;
}

std::size_t encode_header(Command command, std::uint32_t sequence_number, Status status, Out out) {
  if (out.size() < kHeaderLength) return 0;
  write_header(out.data(), {kHeaderLength, command, status, sequence_number});
  return kHeaderLength;
}

}  // namespace tollgate::proto
