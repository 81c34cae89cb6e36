#include "proto/text.h"

#include <algorithm>

#include "proto/tlv.h"

namespace tollgate::proto {
namespace {

constexpr std::uint8_t kEscape = 0x1B;
constexpr char32_t kReplacement = 0xFFFD;

// GSM 7-bit default alphabet, TS 23.038 section 6.2.1.
constexpr char16_t kGsm7[128] = {
    u'@', u'£', u'$', u'¥', u'è', u'é', u'ù', u'ì', u'ò', u'Ç',  u'\n', u'Ø', u'ø', u'\r', u'Å',
    u'å', u'Δ', u'_', u'Φ', u'Γ', u'Λ', u'Ω', u'Π', u'Ψ', u'Σ',  u'Θ',  u'Ξ', 0,    u'Æ',  u'æ',
    u'ß', u'É', u' ', u'!', u'"', u'#', u'¤', u'%', u'&', u'\'', u'(',  u')', u'*', u'+',  u',',
    u'-', u'.', u'/', u'0', u'1', u'2', u'3', u'4', u'5', u'6',  u'7',  u'8', u'9', u':',  u';',
    u'<', u'=', u'>', u'?', u'¡', u'A', u'B', u'C', u'D', u'E',  u'F',  u'G', u'H', u'I',  u'J',
    u'K', u'L', u'M', u'N', u'O', u'P', u'Q', u'R', u'S', u'T',  u'U',  u'V', u'W', u'X',  u'Y',
    u'Z', u'Ä', u'Ö', u'Ñ', u'Ü', u'§', u'¿', u'a', u'b', u'c',  u'd',  u'e', u'f', u'g',  u'h',
    u'i', u'j', u'k', u'l', u'm', u'n', u'o', u'p', u'q', u'r',  u's',  u't', u'u', u'v',  u'w',
    u'x', u'y', u'z', u'ä', u'ö', u'ñ', u'ü', u'à'};

struct Extended {
  std::uint8_t septet;
  char16_t character;
};
// The extension table, TS 23.038 section 6.2.1.1.
constexpr Extended kExtended[] = {{0x0A, u'\f'}, {0x14, u'^'}, {0x28, u'{'}, {0x29, u'}'},
                                  {0x2F, u'\\'}, {0x3C, u'['}, {0x3D, u'~'}, {0x3E, u']'},
                                  {0x40, u'|'},  {0x65, u'€'}};

// Appends UTF-8 to a span; remembers that it did not fit.
class Utf8Writer {
 public:
  explicit Utf8Writer(std::span<char> out) : out_(out) {}

  void put(char32_t c) {
    if (c < 0x80) return put_octets({static_cast<unsigned>(c)});
    if (c < 0x800) return put_octets({0xC0U | c >> 6, 0x80U | (c & 0x3F)});
    if (c < 0x10000)
      return put_octets({0xE0U | c >> 12, 0x80U | (c >> 6 & 0x3F), 0x80U | (c & 0x3F)});
    put_octets(
        {0xF0U | c >> 18, 0x80U | (c >> 12 & 0x3F), 0x80U | (c >> 6 & 0x3F), 0x80U | (c & 0x3F)});
  }

  std::optional<std::size_t> length() const {
    if (!fits_) return std::nullopt;
    return length_;
  }

 private:
  void put_octets(std::initializer_list<unsigned> octets) {
    if (out_.size() - length_ < octets.size()) fits_ = false;
    if (!fits_) return;
    for (unsigned octet : octets) out_[length_++] = static_cast<char>(octet);
  }
  std::span<char> out_;
  std::size_t length_ = 0;
  bool fits_ = true;
};

// Takes one character from the front of valid UTF-8; no value when it is not valid.
std::optional<char32_t> take_utf8(std::string_view& rest) {
  const auto octet = [&](std::size_t i) { return static_cast<std::uint8_t>(rest[i]); };
  const std::uint8_t first = octet(0);
  std::size_t length = 1;
  char32_t character = first;
  if (first >= 0x80) {
    if (first < 0xC2 || first > 0xF4) return std::nullopt;
    length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (rest.size() < length) return std::nullopt;
    character = first & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) {
      if ((octet(i) & 0xC0) != 0x80) return std::nullopt;
      character = character << 6 | (octet(i) & 0x3FU);
    }
    constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = character >= 0xD800 && character < 0xE000;
    if (character < kLeast[length] || character > 0x10FFFF || surrogate) return std::nullopt;
  }
  rest.remove_prefix(length);
  return character;
}

bool is_high_surrogate(std::uint16_t unit) {
  return (unit & 0xFC00U) == 0xD800U;
}
bool is_low_surrogate(std::uint16_t unit) {
  return (unit & 0xFC00U) == 0xDC00U;
}

}  // namespace

Alphabet alphabet_of(std::uint8_t data_coding) {
  if ((data_coding & 0xF0) == 0xF0) {  // message class: bit 2 says 8-bit
    return (data_coding & 0x04) != 0 ? Alphabet::binary : Alphabet::gsm7;
  }
  if ((data_coding & 0xF0) == 0xC0 || (data_coding & 0xF0) == 0xD0) return Alphabet::gsm7;  // MWI
  switch (data_coding) {
    case 0:
      return Alphabet::gsm7;
    case 1:
      return Alphabet::ascii;
    case 2:
    case 4:
      return Alphabet::binary;
    case 3:
      return Alphabet::latin1;
    case 8:
      return Alphabet::ucs2;
    default:
      return Alphabet::other;
  }
}

std::string_view alphabet_name(Alphabet alphabet) {
  constexpr std::string_view kNames[] = {"gsm7", "ascii", "latin1", "ucs2", "binary", "other"};
  return kNames[static_cast<std::size_t>(alphabet)];
}

std::optional<std::size_t> gsm7_to_utf8(Octets septets, std::span<char> out) {
  Utf8Writer writer(out);
  for (std::size_t i = 0; i < septets.size(); ++i) {
    const std::uint8_t septet = septets[i];
    if (septet > 127) {
      writer.put('?');
    } else if (septet != kEscape) {
      writer.put(kGsm7[septet]);
    } else if (i + 1 < septets.size()) {
      const std::uint8_t next = septets[++i];
      const auto* found = std::find_if(std::begin(kExtended), std::end(kExtended),
                                       [&](const Extended& e) { return e.septet == next; });
      // An unknown escape shows the plain character (TS 23.038 section 6.2.1.1).
      if (found != std::end(kExtended)) {
        writer.put(found->character);
      } else {
        writer.put(next < 128 && next != kEscape ? kGsm7[next] : U' ');
      }
    } else {
      writer.put(' ');
    }
  }
  return writer.length();
}

std::optional<std::size_t> utf8_to_gsm7(std::string_view utf8, Out out) {
  std::size_t length = 0;
  while (!utf8.empty()) {
    const auto character = take_utf8(utf8);
    if (!character || *character == 0) return std::nullopt;
    const auto same = [&](const Extended& e) { return e.character == *character; };
    const auto* plain = std::find(std::begin(kGsm7), std::end(kGsm7), *character);
    const auto* extended = std::find_if(std::begin(kExtended), std::end(kExtended), same);
    if (plain != std::end(kGsm7)) {
      if (out.size() - length < 1) return std::nullopt;
      out[length++] = static_cast<std::uint8_t>(plain - kGsm7);
    } else if (extended != std::end(kExtended)) {
      if (out.size() - length < 2) return std::nullopt;
      out[length++] = kEscape;
      out[length++] = extended->septet;
    } else {
      return std::nullopt;
    }
  }
  return length;
}

std::optional<std::size_t> ucs2_to_utf8(Octets big_endian, std::span<char> out) {
  Utf8Writer writer(out);
  std::size_t i = 0;
  for (; i + 1 < big_endian.size(); i += 2) {
    const std::uint16_t unit = load_u16(&big_endian[i]);
    const bool pair = is_high_surrogate(unit) && i + 3 < big_endian.size() &&
                      is_low_surrogate(load_u16(&big_endian[i + 2]));
    if (pair) {
      const std::uint16_t low = load_u16(&big_endian[i + 2]);
      writer.put(0x10000U + ((unit & 0x3FFU) << 10) + (low & 0x3FFU));
      i += 2;
    } else {
      writer.put(is_high_surrogate(unit) || is_low_surrogate(unit) ? kReplacement : unit);
    }
  }
  if (i < big_endian.size()) writer.put(kReplacement);
  return writer.length();
}

std::optional<std::size_t> utf8_to_ucs2(std::string_view utf8, Out out) {
  std::size_t length = 0;
  while (!utf8.empty()) {
    const auto character = take_utf8(utf8);
    if (!character) return std::nullopt;
    const std::size_t needed = *character >= 0x10000 ? 4 : 2;
    if (out.size() - length < needed) return std::nullopt;
    if (needed == 2) {
      store_u16(&out[length], static_cast<std::uint16_t>(*character));
    } else {
      const char32_t rest = *character - 0x10000;
      store_u16(&out[length], static_cast<std::uint16_t>(0xD800U | rest >> 10));
      store_u16(&out[length + 2], static_cast<std::uint16_t>(0xDC00U | (rest & 0x3FFU)));
    }
    length += needed;
  }
  return length;
}

std::optional<std::size_t> latin1_to_utf8(Octets octets, std::span<char> out) {
  Utf8Writer writer(out);
  for (std::uint8_t octet : octets) writer.put(octet);
  return writer.length();
}

std::optional<std::size_t> text_to_utf8(Alphabet alphabet, Octets octets, std::span<char> out) {
  switch (alphabet) {
    case Alphabet::gsm7:
      return gsm7_to_utf8(octets, out);
    case Alphabet::ascii:
    case Alphabet::latin1:
      return latin1_to_utf8(octets, out);
    case Alphabet::ucs2:
      return ucs2_to_utf8(octets, out);
    default:
      return std::nullopt;
  }
}

std::optional<std::size_t> pack_gsm7(Octets septets, unsigned fill_bits, Out out) {
  if (fill_bits > 6) return std::nullopt;
  std::size_t bits = fill_bits + septets.size() * 7;
  const bool filler = !septets.empty() && bits % 8 == 1;
  if (filler) bits += 7;
  const std::size_t length = (bits + 7) / 8;
  if (out.size() < length) return std::nullopt;
  std::fill_n(out.begin(), length, std::uint8_t{0});
  const auto put = [&](std::size_t at, std::uint8_t septet) {
    const unsigned shifted = (septet & 0x7FU) << (at % 8);
    out[at / 8] = static_cast<std::uint8_t>(out[at / 8] | (shifted & 0xFF));
    if (shifted > 0xFF) out[at / 8 + 1] = static_cast<std::uint8_t>(shifted >> 8);
  };
  for (std::size_t i = 0; i < septets.size(); ++i) put(fill_bits + i * 7, septets[i]);
  if (filler) put(bits - 7, 0x0D);
  return length;
}

std::optional<std::size_t> unpack_gsm7(Octets packed, unsigned fill_bits, std::size_t count,
                                       Out out) {
  if (fill_bits > 6 || out.size() < count) return std::nullopt;
  if (count > packed.size() * 8 / 7 || fill_bits + count * 7 > packed.size() * 8) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = fill_bits + i * 7;
    unsigned window = packed[at / 8];
    if (at / 8 + 1 < packed.size()) window |= static_cast<unsigned>(packed[at / 8 + 1]) << 8;
    out[i] = static_cast<std::uint8_t>(window >> (at % 8) & 0x7F);
  }
  return count;
}

}  // namespace tollgate::proto
