#include "bench/load/session.h"

#include "bench/load/run.h"

namespace tollgate::bench {
namespace {

std::string octets(std::initializer_list<unsigned> values) {
  std::string s;
  for (const unsigned v : values) s += static_cast<char>(v);
  return s;
}

std::string text_of(unsigned size) {
  static constexpr std::string_view words = " The quick brown fox jumps over the lazy dog.";
  std::string text(tag_size, '0');
  while (text.size() < size) text += words[(text.size() - tag_size) % words.size()];
  text.resize(size);
  return text;
}

}  // namespace

Session::Session(Run& run, Poller& poller, const Options& options, Kind kind)
    : bind_command(kind.bind_command),
      ring(options.window),
      place(kind.place),
      run_(run),
      poller_(poller),
      options_(options),
      system_id_(options.accounts > 1 ? options.system_id + std::to_string(kind.account)
                                      : options.system_id) {
  front_ = std::string(header_size, '\0') + octets({0, options.source_ton, options.source_npi}) +
           options.source + octets({0, options.dest_ton, options.dest_npi});
  // esm_class, protocol_id, priority, schedule, validity, registered_delivery, replace, coding,
  // default message, sm_length
  back_ = octets({0, 0, 0, 0, 0, options.registered_delivery, 0, 0, 0, options.text_size}) +
          text_of(options.text_size);
}

void Session::connect() {
  link.emplace(poller_, *this, connect_to(options_.host, options_.port), options_.one_write);
  state = State::connecting;
  send_bind();
}

void Session::send_bind() {
  std::uint8_t body[128];
  std::uint8_t* p = put_cstring(body, system_id_.substr(0, 15));
  p = put_cstring(p, options_.password.substr(0, 64));
  p = put_cstring(p, options_.system_type.substr(0, 12));
  p = put8(p, static_cast<std::uint8_t>(options_.interface_version));
  p = put8(put8(put8(p, 0), 0), 0);
  const auto size = static_cast<std::size_t>(p - body);
  const auto whole = static_cast<std::uint32_t>(header_size + size);
  std::uint8_t* const out = link->reserve(whole);
  put_header(out, {whole, bind_command, 0, 1});
  std::memcpy(out + header_size, body, size);
  link->commit(whole);
  state = State::binding;
  mark();
}

void Session::on_ready(std::uint32_t events) {
  if (!link || !link->is_open()) return;
  if ((events & EPOLLOUT) != 0) mark();
  if ((events & ~EPOLLOUT) == 0) return;
  run_.read_clock();
  const ReadEnd end = link->read([this](const std::uint8_t* at, std::uint32_t) { on_frame(at); });
  if (end == ReadEnd::bad_frame) ++run_.counts.bad_frames;
  if (end != ReadEnd::more) return lose();
  run_.after_read(*this);
}

void Session::on_frame(const std::uint8_t* at) {
  const Frame frame = read_frame(at);
  const Header& h = frame.header;
  switch (h.command) {
    case submit_sm_resp: {
      Sent sent;
      if (!ring.give_back(h.sequence, sent)) {
        ++run_.counts.unmatched_responses;
        return;
      }
      BodyReader r{frame.body, frame.end};
      return run_.on_response(sent, h.status, r.cstring());
    }
    case deliver_sm:
      return on_deliver(frame);
    case response | bind_receiver:
    case response | bind_transmitter:
    case response | bind_transceiver:
      return on_bind_response(frame);
    case enquire_link:
      return send_plain(enquire_link_resp, ESME_ROK, h.sequence);
    case unbind:
      run_.on_unbind(*this);
      if (state == State::bound) state = State::unbound;
      return send_plain(unbind_resp, ESME_ROK, h.sequence);
    case unbind_resp:
      state = State::closed;
      return link->close();
    case generic_nack: {
      Sent sent;
      ++run_.counts.generic_nacks;
      if (ring.give_back(h.sequence, sent)) run_.on_response(sent, h.status, {});
      return;
    }
    default:
      if ((h.command & response) == 0) send_plain(generic_nack, ESME_RINVCMDID, h.sequence);
  }
}

void Session::on_bind_response(const Frame& frame) {
  if (state != State::binding) return;
  if (frame.header.status != ESME_ROK) {
    run_.on_bind_refused(frame.header.status);
    return lose();
  }
  state = State::bound;
  run_.on_bound(*this);
}

void Session::on_deliver(const Frame& frame) {
  Message message;
  const bool readable = read_message(frame, message);
  if (readable)
    run_.on_deliver(message);
  else
    ++run_.counts.malformed;
  std::uint8_t* const p = link->reserve(header_size + 1);
  put_header(p, {header_size + 1, deliver_sm_resp, ESME_ROK, frame.header.sequence});
  p[header_size] = 0;
  link->commit(header_size + 1);
  mark();
}

void Session::submit(const Sent& message, const Numbers::Slot& number) {
  const std::uint32_t sequence = ring.take(message);
  std::uint8_t* const start = link->reserve(front_.size() + back_.size() + sizeof number + 1);
  std::uint8_t* p = put_octets(start, front_);
  std::memcpy(p, number.digits.data(), number.digits.size());
  p += number.size;
  *p++ = 0;
  put_octets(p, back_);
  if (options_.text_size >= tag_size)
    put_tag(p + back_.size() - options_.text_size, options_.tag_base + message.number);
  p += back_.size();
  const auto size = static_cast<std::uint32_t>(p - start);
  put_header(start, {size, submit_sm, 0, sequence});
  link->commit(size);
  mark();
}

void Session::send_unbind() {
  if (state != State::bound) return;
  state = State::unbinding;
  send_plain(unbind, ESME_ROK, 0x7FFFFFFF);
}

void Session::send_plain(std::uint32_t command, std::uint32_t status, std::uint32_t sequence) {
  put_header(link->reserve(header_size), {header_size, command, status, sequence});
  link->commit(header_size);
  mark();
}

void Session::mark() {
  if (dirty) return;
  dirty = true;
  run_.dirty.push_back(this);
}

void Session::flush() {
  dirty = false;
  if (link && link->is_open() && !link->flush()) lose();
}

void Session::lose() {
  if (link) link->close();
  const State before = state;
  state = State::closed;
  run_.on_lost(*this, before);
}

}  // namespace tollgate::bench
