// What the oracle needs of texts: money, dates, senders, numbers. Its own, on the C library and
// libphonenumber.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace tollgate::oracle {

std::int64_t nano(std::string text);            // "12.5" -> 12,500,000,000
std::int64_t instant(const std::string& date);  // microseconds
std::string clock_text(std::int64_t wall_us);   // "08:30"
std::string month_text(std::int64_t wall_us);   // "202611"
// "alphanumeric", "numeric", "short_code", "" = no sender
std::string sender_type(const std::string& sender, unsigned ton);
// The international digits of what a client sent; country: what national form means.
std::optional<std::string> international(const std::string& sent, unsigned ton,
                                         const std::string& country);

}  // namespace tollgate::oracle
