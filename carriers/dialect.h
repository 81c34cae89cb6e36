// The dialect of one carrier, made from its row: how its ids compare, what its statuses mean, and
// how a submit_sm body is rewritten for it. Changes by changed() alone; pure; its owner's thread.
//
// 1. Two ids are one message exactly when their keys are equal. A key says number or text: the
//    number 0x41 and the text "A" never meet.
// 2. An id in a hex or decimal place that is no such number is text, with the row's text rules.
// 3. rewrite() changes the fields of the row and nothing else; a neutral row rewrites nothing.
#pragma once

#include <cstdint>
#include <string_view>

#include "carriers/config.h"
#include "carriers/id_key.h"
#include "proto/octets.h"
#include "proto/pdu.h"
#include "proto/receipt.h"
#include "proto/status.h"

namespace tollgate::carriers {

enum class IdPlace : std::uint8_t { response, receipt_text, receipt_tlv };

class Dialect {
 public:
  // `config` must outlive the dialect.
  explicit Dialect(const DialectConfig& config);

  // The configuration has changed.
  void changed();

  // No key (length 0) for an empty id and for one above kIdMax octets.
  IdKey key(std::string_view id, IdPlace place) const;

  proto::StatusClass classify(proto::Status status) const;
  bool is_final(const proto::Receipt& receipt) const;
  // The row's words for an err; empty when it has none.
  std::string_view error_text(std::string_view err) const;

  bool rewrites() const { return rewrites_; }
  // Writes the body that this carrier understands; returns its length. 0: it cannot be said in
  // this dialect (no room for the prefix, a long text where TLVs are not allowed), or does not
  // fit `out`.
  std::size_t rewrite(proto::SubmitSm sm, proto::Out out) const;

 private:
  const DialectConfig& config_;
  bool rewrites_ = false;
};

}  // namespace tollgate::carriers
