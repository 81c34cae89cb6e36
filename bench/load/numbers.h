// The destinations of a run: digits from a file (one a line, or a column of a CSV) or drawn from
// prefixes. Message i always has the same number for the same options.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::bench {

class Numbers {
 public:
  struct Slot {  // copied whole, then cut to its size
    std::array<char, 23> digits{};
    std::uint8_t size = 0;
  };

  // Throws std::runtime_error naming the file, line and reason. An empty `column` takes the only
  // or first column; a first line without digits is a heading.
  static Numbers from_file(const std::string& path, const std::string& column);
  // Prefixes such as "44791" or "33610:11" are filled with random digits to 12 or the number given,
  // in all; none = mobile ranges of ten countries.
  static Numbers from_prefixes(const std::vector<std::string>& prefixes, std::uint64_t seed);

  const Slot& at(std::uint64_t i) const { return slots_[i % slots_.size()]; }
  std::size_t size() const { return slots_.size(); }

 private:
  void add(std::string_view digits, const std::string& where);
  std::vector<Slot> slots_;
};

}  // namespace tollgate::bench
