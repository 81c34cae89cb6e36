// Random table sets and questions, the same for the same seed. Small worlds in which everything
// meets: prefixes within prefixes, few networks, rows of yesterday and tomorrow, every kind of
// rule, sender rules, volumes, and facts that traffic has taught.
#pragma once
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/routing/oracle.h"

namespace tollgate::oracle {

inline constexpr std::int64_t kNow = 1'800'000'000'000'000;  // 2027-01-15T08:00Z

class RandomTables {
 public:
  explicit RandomTables(std::uint64_t seed) : random_(seed) { make(); }

  std::map<std::string, std::string> files() const;
  std::string facts() const;  // "" = none
  std::vector<std::string> carriers() const { return carriers_; }
  // A replacement that its own rule refuses is no replacement: row as a spreadsheet counts.
  void drop_replacement(std::size_t row);
  Query question(std::int64_t valid_until_us);

 private:
  std::size_t upto(std::size_t n) { return random_() % n; }
  bool chance(unsigned percent) { return upto(100) < percent; }
  template <class T>
  const T& one(const std::vector<T>& of) {
    return of[upto(of.size())];
  }
  std::string text(const std::vector<std::string>& of) { return one(of); }

  void make();
  void make_places();
  void make_books();
  void make_clients();
  void make_rules();
  void make_senders();
  void make_facts();
  Table amounts(bool rates, std::size_t count);
  Row scope(std::size_t columns);
  std::string digits(std::size_t length);
  std::string possible_number();
  std::string mccmnc();
  std::string some_carriers(const std::string& joint);

  std::mt19937_64 random_;
  std::map<std::string, Table> tables_;
  std::vector<std::string> carriers_, plans_, clients_, reached_, ported_;
  Table facts_;
};

}  // namespace tollgate::oracle
