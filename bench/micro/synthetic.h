// Writes a directory of tables of any size, the same for the same numbers: random prefixes under
// real calling codes, networks with several prefixes each, rate books by network, by country and by
// prefix.
#pragma once
#include <cstddef>
#include <string>

namespace tollgate::bench {

struct SyntheticSize {
  std::size_t prefixes = 1'000'000;  // of the numbering plan
  std::size_t networks = 3'000;
  std::size_t books = 50;        // rate books
  std::size_t plans = 200;       // price plans, one client each
  std::size_t prefix_rates = 0;  // of each rate book, besides one rate for most networks
};

void write_synthetic(const std::string& directory, const SyntheticSize& size);

}  // namespace tollgate::bench
