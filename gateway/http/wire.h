// HTTP/1.1 as octets: the head of a request read, the head of an answer written. Plain functions;
// no socket, no thread. Boost.Beast judges what a head may be (RFC 9112).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tollgate::gateway::http {

constexpr std::size_t kHeadMax = 8192;  // octets of a request's head

enum class Method : std::uint8_t { get, head, other };

struct Head {
  Method method = Method::other;
  std::string path;         // as sent, without the query
  bool keep_alive = false;  // never after a request with a body, which nobody here reads
  std::size_t size = 0;     // octets of it
};

enum class HeadState : std::uint8_t { partial, whole, bad, too_large };

// What `octets` begin with. Fills `head` when that is whole.
HeadState read_head(std::string_view octets, Head& head);

struct Answer {
  std::uint16_t status = 200;
  std::string_view type;  // of the content
  std::size_t length = 0;
  bool keep_alive = false;
};

// With its empty line. 405 tells what is allowed: GET and HEAD.
std::string answer_head(const Answer& answer);

std::string_view status_text(std::uint16_t status);

}  // namespace tollgate::gateway::http
