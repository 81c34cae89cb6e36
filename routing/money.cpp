#include "routing/money.h"

#include <limits>

namespace tollgate::routing {
namespace {
__extension__ using Wide = __int128;
constexpr unsigned kDecimals = 9;
}  // namespace

const char* parse_nano(std::string_view text, Nano& out) {
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  if (text.empty()) return "is empty";
  Wide amount = 0;
  bool digits = false, point = false;
  unsigned decimals = 0;
  for (char c : text) {
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9') return "is not a plain decimal number such as 0.0075";
    digits = true;
    if (point && ++decimals > kDecimals) return "has more than 9 decimals";
    amount = amount * 10 + (c - '0');
    if (amount > Wide{std::numeric_limits<Nano>::max()}) return "is too large";
  }
  if (!digits || text.back() == '.' || text.front() == '.')
    return "is not a plain decimal number such as 0.0075";
  for (; decimals < kDecimals; ++decimals) amount *= 10;
  if (amount > Wide{std::numeric_limits<Nano>::max()}) return "is too large";
  out = static_cast<Nano>(negative ? -amount : amount);
  return nullptr;
}

std::string format_nano(Nano amount, unsigned decimals_min) {
  const bool negative = amount < 0;
  std::uint64_t rest = static_cast<std::uint64_t>(amount);
  if (negative) rest = ~rest + 1;
  std::string decimals = std::to_string(rest % kNanoPerUnit);
  decimals.insert(0, kDecimals - decimals.size(), '0');
  while (decimals.size() > decimals_min && decimals.back() == '0') decimals.pop_back();
  std::string text = (negative ? "-" : "") + std::to_string(rest / kNanoPerUnit);
  return decimals.empty() ? text : text + "." + decimals;
}

bool convert(Nano amount, Nano rate, Rounding rounding, Nano& out) {
  const Wide product = Wide{amount} * rate;
  Wide quotient = product / kNanoPerUnit;  // truncates towards zero
  const Wide rest = product % kNanoPerUnit;
  if (rest > 0 && rounding == Rounding::up) ++quotient;
  if (rest < 0 && rounding == Rounding::down) --quotient;
  // kNone (the smallest value) never stands for an amount.
  if (quotient > std::numeric_limits<Nano>::max() || quotient <= std::numeric_limits<Nano>::min())
    return false;
  out = static_cast<Nano>(quotient);
  return true;
}

Nano share_up(Nano amount, std::uint32_t ppm) {
  constexpr std::uint32_t kWhole = 1'000'000;
  return static_cast<Nano>((Wide{amount} * ppm + (kWhole - 1)) / kWhole);
}

}  // namespace tollgate::routing
