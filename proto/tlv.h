// TLVs (optional parameters): tag, length, value after the mandatory part of a PDU.
//
// Thread: any; pure, views into the caller's buffer. Specification: 3.4 section 5.3, 5.0 4.8.
// 1. Iteration ends at the first TLV that does not lie wholly inside the block; nothing is read
//    past it. good_length() tells how far that is.
// 2. Unknown tags are carried like known ones; order and repetition are kept.
// 3. No value is trusted to have its specified length: find_u8 and the like check it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

#include "proto/limits.h"
#include "proto/octets.h"

namespace tollgate::proto {

enum class Tag : std::uint16_t {
#define TLV(name, tag, least, most, form) name = tag,
#include "proto/tlv_table.inc"
#undef TLV
};

enum class TlvForm : std::uint8_t { number, c_string, octets };

struct TlvRule {
  std::uint16_t length_min = 0;
  std::uint16_t length_max = kTlvValueMax;
  TlvForm form = TlvForm::octets;
};

// "receipted_message_id", or "" for a tag that neither 3.4 nor 5.0 names.
std::string_view tag_name(Tag tag);
// The specified length of a tag's value; an unknown tag may have any.
TlvRule tlv_rule(Tag tag);

struct Tlv {
  Tag tag{};
  Octets value;
};

// A view of a TLV block: `for (Tlv tlv : Tlvs(pdu.tlvs))`.
class Tlvs {
 public:
  class Iterator {
   public:
    using value_type = Tlv;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::forward_iterator_tag;
    Iterator() = default;
    explicit Iterator(Octets rest) : rest_(rest) {
      if (!whole()) rest_ = {};
    }
    Tlv operator*() const {
      return {Tag{load_u16(rest_.data())}, rest_.subspan(kTlvHeaderLength, value_length())};
    }
    Iterator& operator++() {
      rest_ = rest_.subspan(kTlvHeaderLength + value_length());
      if (!whole()) rest_ = {};
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator& other) const { return rest_.size() == other.rest_.size(); }

   private:
    std::size_t value_length() const { return load_u16(rest_.data() + 2); }
    bool whole() const {
      return rest_.size() >= kTlvHeaderLength && rest_.size() - kTlvHeaderLength >= value_length();
    }
    Octets rest_;
  };

  explicit Tlvs(Octets block) : block_(block) {}
  Iterator begin() const { return Iterator(block_); }
  Iterator end() const { return Iterator(); }

 private:
  Octets block_;
};

// How many leading octets of the block are whole TLVs; block.size() when all are.
std::size_t good_length(Octets block);

// The first TLV of that tag; an empty optional when there is none.
std::optional<Octets> find(Octets block, Tag tag);
// The same for values that must be exactly 1 or 2 octets; a wrong length reads as absent.
std::optional<std::uint8_t> find_u8(Octets block, Tag tag);
std::optional<std::uint16_t> find_u16(Octets block, Tag tag);
// A C-octet string value with or without its NUL; cut at the first NUL.
std::optional<std::string_view> find_text(Octets block, Tag tag);

// Appends one TLV to the block that ends at `at` in `out`. Returns the block's new length; 0 when
// it does not fit or the value passes 65,535 octets.
[[nodiscard]] std::size_t append_tlv(Out out, std::size_t at, Tag tag, Octets value);
[[nodiscard]] std::size_t append_tlv_u8(Out out, std::size_t at, Tag tag, std::uint8_t value);
[[nodiscard]] std::size_t append_tlv_u16(Out out, std::size_t at, Tag tag, std::uint16_t value);
// The value is written with its NUL.
[[nodiscard]] std::size_t append_tlv_text(Out out, std::size_t at, Tag tag, std::string_view value);

}  // namespace tollgate::proto
