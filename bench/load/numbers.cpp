#include "bench/load/numbers.h"

#include <algorithm>
#include <fstream>
#include <random>
#include <stdexcept>

#include "bench/peers/usage.h"

namespace tollgate::bench {
namespace {

constexpr std::size_t drawn = 65'536;
constexpr std::size_t digits_usual = 12;

std::string_view cell(std::string_view line, std::size_t index) {
  for (; index > 0; --index) {
    const std::size_t comma = line.find(',');
    if (comma == std::string_view::npos) return {};
    line.remove_prefix(comma + 1);
  }
  line = line.substr(0, line.find(','));
  const auto trimmed = [](char c) { return c == '"' || c == ' ' || c == '\r' || c == '+'; };
  while (!line.empty() && trimmed(line.front())) line.remove_prefix(1);
  while (!line.empty() && trimmed(line.back())) line.remove_suffix(1);
  return line;
}

bool all_digits(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

void Numbers::add(std::string_view digits, const std::string& where) {
  if (!all_digits(digits) || digits.size() > 20)
    throw std::runtime_error(where + ": '" + escaped(digits) + "' is not a number of 1-20 digits");
  Slot slot;
  std::copy(digits.begin(), digits.end(), slot.digits.begin());
  slot.size = static_cast<std::uint8_t>(digits.size());
  slots_.push_back(slot);
}

Numbers Numbers::from_file(const std::string& path, const std::string& column) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  Numbers numbers;
  std::string line;
  std::size_t index = 0;
  for (std::size_t row = 1; std::getline(file, line); ++row) {
    if (line.empty() || line == "\r") continue;
    if (row == 1 && !column.empty()) {
      const auto columns = static_cast<std::size_t>(std::count(line.begin(), line.end(), ',')) + 1;
      while (index < columns && cell(line, index) != column) ++index;
      if (index == columns) throw std::runtime_error(path + ": no column '" + column + "'");
      continue;
    }
    const std::string_view digits = cell(line, index);
    if (row == 1 && !all_digits(digits)) continue;
    numbers.add(digits, path + ":" + std::to_string(row));
  }
  if (numbers.slots_.empty()) throw std::runtime_error(path + " holds no number");
  return numbers;
}

Numbers Numbers::from_prefixes(const std::vector<std::string>& prefixes, std::uint64_t seed) {
  static const std::vector<std::string> built_in{"447911",   "491511:13", "33610:11", "39330",
                                                 "34606:11", "31610:11",  "46702:11", "48601:11",
                                                 "90532",    "919810"};
  const auto& from = prefixes.empty() ? built_in : prefixes;
  Numbers numbers;
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < drawn; ++i) {
    const std::string& spec = from[i % from.size()];
    const std::size_t colon = std::min(spec.find(':'), spec.size());
    const std::size_t size =
        colon == spec.size() ? digits_usual : std::strtoul(spec.c_str() + colon + 1, nullptr, 10);
    std::string digits = spec.substr(0, colon);
    while (digits.size() < std::min<std::size_t>(size, 20)) {
      digits += static_cast<char>('0' + random() % 10);
    }
    numbers.add(digits, "--prefixes");
  }
  return numbers;
}

}  // namespace tollgate::bench
