#include "bench/micro/synthetic.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <unordered_set>
#include <vector>

namespace tollgate::bench {
namespace {

constexpr std::array kCodes = {"44", "49", "39", "91", "62", "55",  "52",  "90",  "20", "33",
                               "34", "48", "31", "63", "84", "234", "254", "880", "92", "66"};

class Writer {
 public:
  Writer(const std::string& path, const char* header) : out_(path, std::ios::binary) {
    text_ = header;
    text_ += '\n';
  }
  ~Writer() { out_ << text_; }
  template <class... Cells>
  void row(const Cells&... cells) {
    std::size_t at = 0;
    ((text_ += at++ > 0 ? "," : "", text_ += cells), ...);
    text_ += '\n';
  }

 private:
  std::ofstream out_;
  std::string text_;
};

std::string price(std::mt19937_64& random, unsigned low, unsigned high) {
  char text[16];
  std::snprintf(text, sizeof text, "0.%05u", low + static_cast<unsigned>(random() % (high - low)));
  return text;
}

std::string network_name(std::size_t id) {  // 300 countries with ten networks each, and so on
  char text[16];
  std::snprintf(text, sizeof text, "%03zu%02zu", 200 + id % 300, id / 300 % 100);
  return text;
}

std::vector<std::string> random_prefixes(std::mt19937_64& random, std::size_t count) {
  std::vector<std::string> all;
  std::unordered_set<std::string> seen;
  while (all.size() < count) {
    const std::size_t length = 6 + random() % 4;
    std::string prefix = kCodes[random() % kCodes.size()];
    while (prefix.size() < length) prefix += static_cast<char>('0' + random() % 10);
    if (seen.insert(prefix).second) all.push_back(std::move(prefix));
  }
  return all;
}

}  // namespace

void write_synthetic(const std::string& directory, const SyntheticSize& size) {
  std::mt19937_64 random(1);
  std::filesystem::create_directories(directory + "/rates");
  std::filesystem::create_directories(directory + "/plans");
  const std::vector<std::string> prefixes = random_prefixes(random, size.prefixes);
  {
    Writer plan(directory + "/numbering_plan.csv", "prefix,mccmnc");
    for (const std::string& prefix : prefixes)
      plan.row(prefix, network_name(random() % size.networks));
  }
  Writer(directory + "/currencies.csv", "currency,rate").row("EUR", "1");
  Writer(directory + "/rules.csv", "order,max_attempts,min_margin_percent").row("", "4", "2");
  Writer clients(directory + "/clients.csv", "client,plan,default_country");
  for (std::size_t i = 0; i < size.books; ++i) {
    Writer book(directory + "/rates/carrier" + std::to_string(i) + ".csv",
                "mccmnc,mcc,prefix,price,currency,charge");
    for (std::size_t country = 0; country < 300; ++country) {
      if (random() % 4 != 0)
        book.row("", network_name(country).substr(0, 3), "", price(random, 1000, 6000), "EUR", "");
    }
    for (std::size_t network = 0; network < size.networks; ++network) {
      if (random() % 4 != 0)
        book.row(network_name(network), "", "", price(random, 1000, 6000), "EUR", "submit");
    }
    std::unordered_set<std::size_t> taken;
    while (taken.size() < size.prefix_rates) {
      const std::size_t at = random() % prefixes.size();
      if (taken.insert(at).second)
        book.row("", "", prefixes[at], price(random, 1000, 6000), "EUR", "submit");
    }
  }
  for (std::size_t i = 0; i < size.plans; ++i) {
    const std::string name = std::to_string(i);
    Writer plan(directory + "/plans/plan" + name + ".csv", "mccmnc,price,currency");
    for (std::size_t network = 0; network < size.networks; ++network)
      plan.row(network_name(network), price(random, 3000, 9000), "EUR");
    clients.row("client" + name, "plan" + name, "GB");
  }
}

}  // namespace tollgate::bench
