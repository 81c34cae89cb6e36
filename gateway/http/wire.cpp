#include "gateway/http/wire.h"

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

namespace tollgate::gateway::http {

namespace beast = boost::beast::http;

HeadState read_head(std::string_view octets, Head& head) {
  if (octets.empty()) return HeadState::partial;
  beast::request_parser<beast::empty_body> parser;
  parser.header_limit(kHeadMax);
  parser.eager(false);
  boost::beast::error_code error;
  const std::size_t size = parser.put(boost::asio::buffer(octets.data(), octets.size()), error);
  if (error == beast::error::header_limit) return HeadState::too_large;
  if (error && error != beast::error::need_more) return HeadState::bad;
  if (!parser.is_header_done()) {
    return octets.size() >= kHeadMax ? HeadState::too_large : HeadState::partial;
  }
  const auto& request = parser.get();
  const beast::verb verb = request.method();
  head.method = verb == beast::verb::get    ? Method::get
                : verb == beast::verb::head ? Method::head
                                            : Method::other;
  const std::string_view target(request.target().data(), request.target().size());
  head.path = target.substr(0, target.find('?'));
  const auto length = parser.content_length();
  const bool body = parser.chunked() || (length && *length != 0);
  head.keep_alive = request.keep_alive() && !body;
  head.size = size;
  return HeadState::whole;
}

std::string_view status_text(std::uint16_t status) {
  const auto text = beast::obsolete_reason(beast::int_to_status(status));
  return {text.data(), text.size()};
}

std::string answer_head(const Answer& answer) {
  std::string head = "HTTP/1.1 " + std::to_string(answer.status) + ' ';
  head += status_text(answer.status);
  head += "\r\nContent-Type: ";
  head += answer.type;
  head += "\r\nContent-Length: " + std::to_string(answer.length);
  if (answer.status == 405) head += "\r\nAllow: GET, HEAD";
  head += answer.keep_alive ? "\r\nConnection: keep-alive" : "\r\nConnection: close";
  head += "\r\n\r\n";
  return head;
}

}  // namespace tollgate::gateway::http
