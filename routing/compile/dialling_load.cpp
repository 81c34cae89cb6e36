// The one file that knows libphonenumber.
#include <phonenumbers/phonenumberutil.h>
#include <set>
#include <string>

#include "routing/dialling.h"

namespace tollgate::routing {

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

namespace {

Dialling read_metadata() {
  const PhoneNumberUtil& library = *PhoneNumberUtil::GetInstance();
  std::set<int> codes;
  library.GetSupportedCallingCodes(&codes);
  Dialling dialling;
  for (int code : codes) {
    if (code <= 0 || code > 999) continue;
    PhoneNumber number;
    number.set_country_code(code);
    std::uint64_t national = 1;
    for (unsigned length = 1; length <= kNumberDigitsMax; ++length, national *= 10) {
      number.set_national_number(national);  // 1, 10, 100, ...: the length alone is judged
      if (library.IsPossibleNumberWithReason(number) == PhoneNumberUtil::IS_POSSIBLE)
        dialling.lengths[static_cast<std::size_t>(code)] |= 1u << length;
    }
  }
  return dialling;
}

}  // namespace

// What the library knows is compiled into it.
Dialling load_dialling() {
  static const Dialling dialling = read_metadata();
  return dialling;
}

std::optional<HomeCountry> load_home_country(std::string_view iso) {
  const PhoneNumberUtil& library = *PhoneNumberUtil::GetInstance();
  if (iso.size() != 2) return std::nullopt;
  const std::string region(iso);
  const int code = library.GetCountryCodeForRegion(region);
  if (code <= 0 || code > 999) return std::nullopt;
  HomeCountry home;
  home.iso = {iso[0], iso[1]};
  home.calling_code = static_cast<std::uint16_t>(code);
  std::string trunk;
  library.GetNddPrefixForRegion(region, true, &trunk);
  if (trunk.size() <= kTrunkDigitsMax) {
    for (char digit : trunk) home.trunk[home.trunk_length++] = digit;
  }
  return home;
}

}  // namespace tollgate::routing
