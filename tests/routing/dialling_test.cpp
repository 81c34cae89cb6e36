#include "routing/dialling.h"

#include <phonenumbers/phonenumberutil.h>
#include <random>
#include <string>

#include <catch2/catch.hpp>

namespace tollgate::routing {
namespace {

std::string normalised(std::string_view raw, unsigned ton, const char* iso) {
  static const Dialling dialling = load_dialling();
  const HomeCountry home = *iso == 0 ? HomeCountry{} : *load_home_country(iso);
  Number number;
  if (!dialling.normalise(raw, static_cast<std::uint8_t>(ton), home, number)) return "-";
  return std::string(number.view());
}

}  // namespace

TEST_CASE("a number's international form") {
  struct Case {
    const char* raw;
    unsigned ton;
    const char* home;
    const char* expected;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"447700900123", 1, "", "447700900123"},
           {"+447700900123", 0, "", "447700900123"},
           {"00447700900123", 0, "", "447700900123"},
           {"00447700900123", 1, "GB", "447700900123"},
           {"07700900123", 2, "GB", "447700900123"},
           {"07700900123", 0, "GB", "447700900123"},
           {"07700900123", 0, "", "-"},  // no default country
           {"7700900123", 2, "GB", "447700900123"},
           {"447700900123", 2, "GB", "447700900123"},  // wrong TON, yet clear
           {"89161234567", 2, "RU", "79161234567"},
           {"9161234567", 2, "RU", "79161234567"},
           {"0612345678", 0, "FR", "33612345678"},
           {"3331234567", 2, "IT", "393331234567"},
           {"0612345678", 2, "IT", "390612345678"},  // Italy keeps its zero
           {"2025550123", 2, "US", "12025550123"},
           {"12025550123", 0, "US", "12025550123"},
           {"+07700900123", 0, "GB", "-"},
           {"+4477009001234", 0, "GB", "-"},  // too long for 44
           {"+44770", 0, "GB", "-"},
           {"+999123456789", 0, "", "-"},  // no such calling code
           {"447700900123", 5, "GB", "-"},
           {"44 7700 900123", 1, "GB", "-"},
           {"4477009OO123", 1, "GB", "-"},
           {"++447700900123", 1, "GB", "-"},
           {"", 1, "GB", "-"},
           {"+", 1, "GB", "-"},
           {"00", 1, "GB", "-"},
           {"0", 0, "GB", "-"},
           {"12345678901234567890123456789012345678901234567890", 1, "GB", "-"},
       }) {
    CAPTURE(c.raw, c.ton, c.home);
    CHECK(normalised(c.raw, c.ton, c.home) == c.expected);
  }
  CHECK_FALSE(load_home_country("XX"));
  CHECK_FALSE(load_home_country("G"));
}

TEST_CASE("what is possible agrees with libphonenumber on 50,000 random numbers") {
  using i18n::phonenumbers::PhoneNumber;
  using i18n::phonenumbers::PhoneNumberUtil;
  const PhoneNumberUtil& library = *PhoneNumberUtil::GetInstance();
  const Dialling dialling = load_dialling();
  std::mt19937_64 random(2);
  std::size_t yes = 0, differences = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string digits;
    const std::size_t length = 5 + random() % 11;
    while (digits.size() < length) digits += static_cast<char>('0' + random() % 10);
    if (digits[0] == '0') digits[0] = '4';
    const unsigned code = dialling.calling_code(digits);
    bool expected = false;
    if (code != 0) {
      PhoneNumber number;
      const std::string national = digits.substr(std::to_string(code).size());
      number.set_country_code(static_cast<int>(code));
      number.set_national_number(std::stoull("0" + national));
      const std::size_t zeros = std::min(national.find_first_not_of('0'), national.size());
      number.set_italian_leading_zero(zeros > 0);
      number.set_number_of_leading_zeros(static_cast<int>(zeros));
      expected = national.size() > zeros &&
                 library.IsPossibleNumberWithReason(number) == PhoneNumberUtil::IS_POSSIBLE;
      if (national.size() == zeros) continue;
    }
    yes += expected;
    differences += dialling.possible(digits) != expected;
  }
  CHECK(differences == 0);
  CHECK(yes > 5'000);
}

}  // namespace tollgate::routing
