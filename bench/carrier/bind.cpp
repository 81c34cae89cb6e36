#include "bench/carrier/bind.h"

#include "bench/carrier/carrier.h"

namespace tollgate::bench {

Bind::Bind(World& world, Carrier& carrier, int fd, std::uint32_t bind_number)
    : link(world.poller, *this, fd, carrier.spec().one_write),
      in_flight(carrier.spec().window),
      number(bind_number),
      world_(world),
      carrier_(carrier) {}

void Bind::on_ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) mark();
  if ((events & ~EPOLLOUT) == 0 || !link.is_open()) return;
  const ReadEnd end = link.read([this](const std::uint8_t* at, std::uint32_t) {
    if (!closing_) on_frame(read_frame(at));
  });
  if (end == ReadEnd::bad_frame) ++carrier_.counts().bad_frames;
  if (end != ReadEnd::more) carrier_.drop(*this);
}

void Bind::on_frame(const Frame& frame) {
  const Header& h = frame.header;
  switch (h.command) {
    case submit_sm:
      if (!may_submit()) return send_plain(submit_sm_resp, ESME_RINVBNDSTS, h.sequence);
      return carrier_.on_submit(*this, frame);
    case deliver_sm_resp: {
      InFlight sent;
      if (in_flight.give_back(h.sequence, sent)) return carrier_.on_receipt_answer(sent, h.status);
      ++carrier_.counts().unmatched_responses;
      return;
    }
    case bind_receiver:
    case bind_transmitter:
    case bind_transceiver:
      return on_bind(frame);
    case enquire_link:
      ++carrier_.counts().enquire_links;
      return send_plain(enquire_link_resp, ESME_ROK, h.sequence);
    case enquire_link_resp:
      return;
    case unbind_resp:
      kind = 0;
      closing_ = unbind_sent_;
      return mark();
    case unbind:
      ++carrier_.counts().unbinds;
      kind = 0;
      closing_ = true;
      return send_plain(unbind_resp, ESME_ROK, h.sequence);
    default:
      if ((h.command & response) != 0) {
        ++carrier_.counts().unmatched_responses;
        return;
      }
      return send_plain(generic_nack, ESME_RINVCMDID, h.sequence);
  }
}

void Bind::on_bind(const Frame& frame) {
  const Header& h = frame.header;
  BodyReader r{frame.body, frame.end};
  const std::string_view system_id = r.cstring();
  const std::string_view password = r.cstring();
  const Spec& spec = carrier_.spec();
  std::uint32_t status = ESME_ROK;
  if (!r.ok || (!spec.system_id.empty() && system_id != spec.system_id)) status = ESME_RINVSYSID;
  if (status == ESME_ROK && !spec.password.empty() && password != spec.password)
    status = ESME_RINVPASWD;
  if (kind != 0) status = ESME_RALYBND;
  if (status != ESME_ROK) {
    ++carrier_.counts().binds_refused;
    return send_plain(h.command | response, status, h.sequence);
  }
  kind = h.command == bind_transceiver ? 3 : h.command == bind_receiver ? 2 : 1;
  const std::string_view name = carrier_.spec().name;
  std::uint8_t* const start = link.reserve(header_size + name.size() + 6);
  std::uint8_t* end = put_cstring(start + header_size, name.substr(0, 15));
  end = put8(put16(put16(end, 0x0210), 1), 0x34);  // sc_interface_version
  const auto size = static_cast<std::uint32_t>(end - start);
  put_header(start, {size, h.command | response, ESME_ROK, h.sequence});
  link.commit(size);
  mark();
  carrier_.on_bound(*this, system_id);
}

void Bind::respond(const Answer& answer, std::string_view id) {
  const bool with_id = answer.status == ESME_ROK;
  const auto size = static_cast<std::uint32_t>(header_size + (with_id ? id.size() + 1 : 0));
  std::uint8_t* const p = link.reserve(size);
  put_header(p, {size, submit_sm_resp, answer.status, answer.sequence});
  if (with_id) put_cstring(p + header_size, id);
  link.commit(size);
  mark();
}

void Bind::deliver(const std::uint8_t* body, std::size_t size, std::uint32_t record) {
  const std::uint32_t sequence = in_flight.take({record});
  const auto whole = static_cast<std::uint32_t>(header_size + size);
  std::uint8_t* const p = link.reserve(whole);
  put_header(p, {whole, deliver_sm, ESME_ROK, sequence});
  std::memcpy(p + header_size, body, size);
  link.commit(whole);
  mark();
}

void Bind::send_enquire_link() {
  send_plain(enquire_link, ESME_ROK, enquire_sequence_++);
}

void Bind::send_unbind() {
  if (unbind_sent_) return;
  unbind_sent_ = true;
  send_plain(unbind, ESME_ROK, enquire_sequence_++);
}

void Bind::send_plain(std::uint32_t command, std::uint32_t status, std::uint32_t sequence) {
  put_header(link.reserve(header_size), {header_size, command, status, sequence});
  link.commit(header_size);
  mark();
}

bool Bind::flush() {
  if (!link.is_open()) return false;
  if (!link.flush()) return false;
  link.pause_reading(link.output_size() >= output_max);
  return !(closing_ && link.output_size() == 0);
}

void Bind::mark() {
  if (dirty) return;
  dirty = true;
  world_.dirty.push_back(this);
}

}  // namespace tollgate::bench
