// The few octets of SMPP that the bench programs need, written apart from the product's codec on
// purpose: a fault of one cannot hide behind the same fault of the other.
//
// Views only, no allocation. A Frame and everything read from it live as long as the octets that
// they were read from. Nothing here validates more than it needs: read_message refuses what it
// cannot walk without leaving the frame.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace tollgate::bench {

inline constexpr std::size_t header_size = 16;
inline constexpr std::uint32_t frame_max = 70'000;

enum Command : std::uint32_t {
  bind_receiver = 0x01,
  bind_transmitter = 0x02,
  submit_sm = 0x04,
  deliver_sm = 0x05,
  unbind = 0x06,
  bind_transceiver = 0x09,
  enquire_link = 0x15,
  response = 0x80000000,
  submit_sm_resp = response | submit_sm,
  deliver_sm_resp = response | deliver_sm,
  unbind_resp = response | unbind,
  enquire_link_resp = response | enquire_link,
  generic_nack = response,
};

enum Status : std::uint32_t {
  ESME_ROK = 0x00,
  ESME_RINVCMDID = 0x03,
  ESME_RINVBNDSTS = 0x04,
  ESME_RALYBND = 0x05,
  ESME_RINVPASWD = 0x0E,
  ESME_RINVSYSID = 0x0F,
  ESME_RMSGQFUL = 0x14,
  ESME_RTHROTTLED = 0x58,
  ESME_RSYSERR = 0x08,
};

enum Tag : std::uint16_t { receipted_message_id = 0x001E, message_state = 0x0427 };

inline std::uint32_t get32(const std::uint8_t* p) {
  std::uint32_t v;
  std::memcpy(&v, p, 4);
  return __builtin_bswap32(v);
}

inline std::uint8_t* put8(std::uint8_t* p, std::uint8_t v) {
  *p = v;
  return p + 1;
}

inline std::uint8_t* put16(std::uint8_t* p, std::uint16_t v) {
  v = __builtin_bswap16(v);
  std::memcpy(p, &v, 2);
  return p + 2;
}

inline std::uint8_t* put32(std::uint8_t* p, std::uint32_t v) {
  v = __builtin_bswap32(v);
  std::memcpy(p, &v, 4);
  return p + 4;
}

inline std::uint8_t* put_octets(std::uint8_t* p, std::string_view s) {
  std::memcpy(p, s.data(), s.size());
  return p + s.size();
}

// With its NUL.
inline std::uint8_t* put_cstring(std::uint8_t* p, std::string_view s) {
  return put8(put_octets(p, s), 0);
}

struct Header {
  std::uint32_t length = 0;
  std::uint32_t command = 0;
  std::uint32_t status = 0;
  std::uint32_t sequence = 0;
};

inline std::uint8_t* put_header(std::uint8_t* p, const Header& h) {
  return put32(put32(put32(put32(p, h.length), h.command), h.status), h.sequence);
}

struct Frame {
  Header header;
  const std::uint8_t* body = nullptr;
  const std::uint8_t* end = nullptr;
};

inline Frame read_frame(const std::uint8_t* p) {
  const Header h{get32(p), get32(p + 4), get32(p + 8), get32(p + 12)};
  return {h, p + header_size, p + h.length};
}

// Walks a body from the front; `ok` turns false at the first field that leaves it.
struct BodyReader {
  const std::uint8_t* at;
  const std::uint8_t* end;
  bool ok = true;

  std::string_view cstring() {
    if (at != end && *at == 0) {  // most are empty
      ++at;
      return {};
    }
    const auto left = static_cast<std::size_t>(end - at);
    const void* nul = left == 0 ? nullptr : std::memchr(at, 0, left);
    if (nul == nullptr) {
      ok = false;
      return {};
    }
    const auto* stop = static_cast<const std::uint8_t*>(nul);
    const std::string_view s(reinterpret_cast<const char*>(at),
                             static_cast<std::size_t>(stop - at));
    at = stop + 1;
    return s;
  }

  std::uint8_t octet() {
    if (at == end) {
      ok = false;
      return 0;
    }
    return *at++;
  }

  std::string_view octets(std::size_t n) {
    if (static_cast<std::size_t>(end - at) < n) {
      ok = false;
      return {};
    }
    const std::string_view s(reinterpret_cast<const char*>(at), n);
    at += n;
    return s;
  }
};

// submit_sm and deliver_sm have the same body.
struct Message {
  std::string_view source;
  std::string_view destination;
  std::uint8_t esm_class = 0;
  std::uint8_t registered_delivery = 0;
  std::uint8_t data_coding = 0;
  std::string_view text;
  std::string_view tlvs;
};

inline bool read_message(const Frame& frame, Message& out) {
  BodyReader r{frame.body, frame.end};
  r.cstring();  // service_type
  r.octets(2);
  out.source = r.cstring();
  r.octets(2);
  out.destination = r.cstring();
  out.esm_class = r.octet();
  r.octets(2);  // protocol_id, priority_flag
  r.cstring();  // schedule_delivery_time
  r.cstring();  // validity_period
  out.registered_delivery = r.octet();
  r.octet();  // replace_if_present_flag
  out.data_coding = r.octet();
  r.octet();  // sm_default_msg_id
  out.text = r.octets(r.octet());
  if (!r.ok) return false;
  out.tlvs = {reinterpret_cast<const char*>(r.at), static_cast<std::size_t>(r.end - r.at)};
  return true;
}

// The value of the first TLV of this tag; nullptr data when there is none.
inline std::string_view find_tlv(std::string_view tlvs, Tag tag) {
  while (tlvs.size() >= 4) {
    const auto* p = reinterpret_cast<const std::uint8_t*>(tlvs.data());
    const auto have = static_cast<std::uint16_t>(p[0] << 8 | p[1]);
    const std::size_t size = static_cast<std::size_t>(p[2]) << 8 | p[3];
    if (size > tlvs.size() - 4) break;
    if (have == tag) return tlvs.substr(4, size);
    tlvs.remove_prefix(4 + size);
  }
  return {};
}

// The content tag: twelve characters at the front of a text, "[0000012345]", the message's number
// in its run. It tells which message this is whatever ids the peers between gave it.
inline constexpr std::size_t tag_size = 12;
inline constexpr std::uint32_t no_tag = 0xFFFFFFFF;
inline constexpr std::uint32_t tag_max = 1u << 30;

inline std::uint8_t* put_tag(std::uint8_t* p, std::uint32_t tag) {
  p[0] = '[';
  for (int i = 10; i >= 1; --i, tag /= 10) p[i] = static_cast<std::uint8_t>('0' + tag % 10);
  p[11] = ']';
  return p + tag_size;
}

inline std::uint32_t read_tag(std::string_view text) {
  if (text.size() < tag_size || text[0] != '[' || text[11] != ']') return no_tag;
  std::uint64_t tag = 0;
  for (std::size_t i = 1; i <= 10; ++i) {
    const auto digit = static_cast<unsigned>(text[i] - '0');
    if (digit > 9) return no_tag;
    tag = tag * 10 + digit;
  }
  return tag < tag_max ? static_cast<std::uint32_t>(tag) : no_tag;
}

}  // namespace tollgate::bench
