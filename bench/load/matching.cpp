#include "bench/load/matching.h"

#include <bit>
#include <unordered_set>

namespace tollgate::bench {
namespace {

std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

constexpr std::size_t lost_tags_max = 10;

}  // namespace

std::uint64_t Matching::hash_of(std::string_view id) {
  std::uint64_t h = 0x9E3779B97F4A7C15 ^ id.size();
  while (id.size() >= 8) {
    std::uint64_t word;
    std::memcpy(&word, id.data(), 8);
    h = fold(h ^ word, 0xE7037ED1A0B428DB);
    id.remove_prefix(8);
  }
  std::uint64_t last = 0;
  std::memcpy(&last, id.data(), id.size());
  return fold(h ^ last, 0x8EBC6AF09C88C6E3);
}

Match Matching::settle() const {
  Match result;
  // Open addressing: a cell holds the accepted entry's place + 1.
  std::vector<std::uint32_t> table(std::bit_ceil(2 * accepted_.size() + 16));
  const std::size_t mask = table.size() - 1;
  const auto find = [&](std::uint64_t hash) {
    std::size_t cell = hash & mask;
    while (table[cell] != 0 && accepted_[table[cell] - 1].hash != hash) cell = (cell + 1) & mask;
    return cell;
  };
  for (std::size_t i = 0; i < accepted_.size(); ++i) {
    std::uint32_t& cell = table[find(accepted_[i].hash)];
    if (cell != 0)
      ++result.ids_duplicated;
    else
      cell = static_cast<std::uint32_t>(i + 1);
  }
  std::vector<bool> seen(accepted_.size());
  std::unordered_set<std::uint32_t> unknown;
  for (std::size_t i = 0; i < unknown_.size(); ++i) unknown.insert(unknown_[i]);
  for (std::size_t i = 0; i < receipts_.size(); ++i) {
    const Entry& receipt = receipts_[i];
    const std::uint32_t cell = table[find(receipt.hash)];
    if (cell == 0) {
      ++(unknown.contains(receipt.tag) ? result.of_unknown : result.unmatched);
      continue;
    }
    const Entry& message = accepted_[cell - 1];
    if (receipt.tag != no_tag && receipt.tag != message.tag) ++result.wrong_message;
    if (seen[cell - 1]) {
      ++result.duplicated;
      continue;
    }
    seen[cell - 1] = true;
    ++result.matched;
    result.latency.add(std::int64_t{receipt.at_us - message.at_us} * 1000);
  }
  result.lost = accepted_.size() - result.ids_duplicated - result.matched;
  for (std::size_t i = 0; i < seen.size() && result.lost_tags.size() < lost_tags_max; ++i)
    if (!seen[i]) result.lost_tags.push_back(accepted_[i].tag);
  return result;
}

}  // namespace tollgate::bench
