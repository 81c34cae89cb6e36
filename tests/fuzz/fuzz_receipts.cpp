// One carrier's receipts as a whole: dialect, ids that wait, the park. The first octets choose the
// dialect and the bounds; then each octet is a step: a submit's id becomes known, a deliver_sm or
// data_sm comes, time passes, the flow refuses or takes again.
//
// What must hold: each PDU that is acknowledged was kept for a message that its id names, kept as a
// dead letter, parked, or is counted as a duplicate, and one that is refused was nothing of that; a
// parked one leaves the park once, whatever happens; a message gets at most one final receipt for
// each time that its id became known; when time has passed nothing is left. A submit_sm that the
// dialect rewrites decodes, and a neutral one rewrites nothing.
#include <map>
#include <set>
#include <vector>

#include "carriers/receipts.h"
#include "proto/tlv.h"
#include "tests/fuzz/input.h"

using namespace tollgate;
using namespace tollgate::carriers;
using fuzz::Input;
using fuzz::must;
using proto::Status;

namespace {

constexpr std::int64_t kSecondUs = 1'000'000, kHourUs = 3'600 * kSecondUs;

class Told final : public Events {
 public:
  explicit Told(const Dialect& dialect) : dialect_(dialect) {}

  bool takes = true;
  std::uint64_t kept = 0, dead_letters = 0, parks = 0;
  std::set<std::uint64_t> in_park;

  void knows(std::string_view id, std::uint64_t message) {
    ids_[message].push_back(dialect_.key(id, IdPlace::response));
    ++finals_[message];
  }

  void sent(std::uint64_t, std::uint16_t, std::string_view, std::uint32_t) override {}
  void refused(std::uint64_t, std::uint16_t, Status, proto::StatusClass, bool) override {}
  void in_doubt(std::uint64_t, std::uint16_t) override {}
  std::uint64_t parked(std::string_view, proto::Octets pdu) override {
    must(!pdu.empty());
    ++parks;
    in_park.insert(parks);
    return parks;
  }
  void unparked(std::uint64_t number, proto::record::Unpark) override {
    must(in_park.erase(number) == 1);
  }
  bool dead(const DeadReceipt& receipt) override {
    must(receipt.pdu.size() >= proto::kHeaderLength);
    dead_letters += takes;
    return takes;
  }
  bool receipt(std::uint64_t message, const proto::Receipt& receipt,
               const ReceiptFacts& facts) override {
    const auto& ids = ids_.at(message);
    must(std::any_of(ids.begin(), ids.end(), [&](const IdKey& id) { return names(receipt, id); }));
    if (!takes) return false;
    ++kept;
    if (facts.final) must(finals_[message]-- != 0);
    return true;
  }

 private:
  // One of its ids has this key.
  bool names(const proto::Receipt& receipt, const IdKey& key) const {
    const IdPlace place = receipt.id_from_tlv ? IdPlace::receipt_tlv : IdPlace::receipt_text;
    return dialect_.key(receipt.id, place) == key ||
           (receipt.id_from_tlv && dialect_.key(receipt.text_id, IdPlace::receipt_text) == key);
  }

  const Dialect& dialect_;
  std::map<std::uint64_t, std::vector<IdKey>> ids_;
  std::map<std::uint64_t, unsigned> finals_;  // that may still come
};

CarrierConfig config_of(Input& in) {
  CarrierConfig config;
  config.name = "alpha";
  config.awaiting_max = 1 + in.below(16);
  config.awaiting_hours = 1;
  config.early_receipts_max = 1 + in.below(16);
  config.early_octets_max = 1'024 * (1 + in.below(16));
  DialectConfig& dialect = config.dialect;
  dialect.id_response = static_cast<IdForm>(in.below(3));
  dialect.id_receipt_text = static_cast<IdForm>(in.below(3));
  dialect.id_receipt_tlv = static_cast<IdForm>(in.below(3));
  const unsigned flags = in.octet();
  dialect.id_strip_leading_zeros = (flags & 1) != 0;
  dialect.id_fold_case = (flags & 2) != 0;
  dialect.accepted_is_final = (flags & 4) != 0;
  dialect.unknown_is_final = (flags & 8) != 0;
  dialect.tlvs = (flags & 16) == 0;
  dialect.has_service_type = (flags & 32) != 0;
  dialect.source_ton = (flags & 64) != 0 ? 5 : -1;
  dialect.destination_prefix = static_cast<DestinationPrefix>(in.below(4));
  dialect.error_texts = {{"021", "handset is off"}};
  return config;
}

// The submits without a response, as the steps say.
struct Flying final : Outstanding {
  std::int64_t since_us() const override { return since; }
  bool to(std::uint64_t) const override { return all && since != INT64_MAX; }
  std::int64_t since = INT64_MAX;
  bool all = false;
};

class Play {
 public:
  explicit Play(Input& in)
      : in_(in),
        config_(config_of(in)),
        dialect_(config_.dialect),
        told_(dialect_),
        receipts_({config_, dialect_, told_, counters_, flying_, 5}, 7) {}

  void run() {
    for (int steps = 0; !in_.empty() && steps < 400; ++steps) {
      step();
      check_gauges();
    }
    told_.takes = true;
    flying_.since = INT64_MAX;
    for (int i = 0; i < 80 && !receipts_.empty(); ++i) pass(kHourUs / 20);
    must(receipts_.empty() && told_.in_park.empty());
  }

 private:
  // Ids are few and like each other, so that they meet.
  std::string id() {
    constexpr const char* kIds[] = {"1",
                                    "01",
                                    "0x1",
                                    "a",
                                    "A",
                                    "0A",
                                    "10",
                                    "0",
                                    "",
                                    "74e0-2e",
                                    "18446744073709551616",
                                    "10000000000000000"};
    const unsigned which = in_.below(std::size(kIds) + 4);
    return which < std::size(kIds) ? kIds[which] : fuzz::unfolded(in_.counted(), 2'000);
  }

  std::vector<std::uint8_t> receipt(bool data_sm) {
    const unsigned form = in_.octet();
    std::string text = (form & 1) != 0 ? "id:" + id() + " " : "";
    constexpr const char* kStats[] = {"DELIVRD", "ACCEPTD", "ENROUTE", "UNKNOWN", "ODD"};
    text += std::string("stat:") + kStats[in_.below(std::size(kStats))] + " err:021 text:";
    text += in_.octets(in_.below(16)).size() % 2 == 0 ? "a" : "b";
    std::vector<std::uint8_t> tlvs(4'000);
    std::size_t length = 0;
    if ((form & 2) != 0) {
      const std::string tlv_id = id() + std::string(1, '\0');
      length = proto::append_tlv(tlvs, length, proto::Tag::receipted_message_id,
                                 proto::as_octets(tlv_id));
    }
    if ((form & 4) != 0) {
      const std::uint8_t state = in_.octet();
      length = proto::append_tlv(tlvs, length, proto::Tag::message_state, {&state, 1});
    }
    tlvs.resize(length);
    if ((form & 8) != 0) text = fuzz::unfolded(in_.counted(), 255);
    return data_sm ? of_data_sm(tlvs) : of_deliver_sm(text, tlvs);
  }

  std::vector<std::uint8_t> of_data_sm(proto::Octets tlvs) {
    proto::DataSm sm;
    sm.esm_class = 4;
    sm.tlvs = tlvs;
    return encoded(sm);
  }
  std::vector<std::uint8_t> of_deliver_sm(const std::string& text, proto::Octets tlvs) {
    proto::DeliverSm sm;
    sm.esm_class = 4;
    sm.short_message = proto::as_octets(text).first(std::min<std::size_t>(text.size(), 255));
    sm.tlvs = tlvs;
    return encoded(sm);
  }
  template <class Pdu>
  std::vector<std::uint8_t> encoded(const Pdu& pdu) {
    std::vector<std::uint8_t> octets(proto::encoded_length(pdu));
    must(proto::encode(pdu, in_.octet() + 1U, Status::ESME_ROK, octets) == octets.size());
    return octets;
  }

  void deliver() {
    std::vector<std::uint8_t> pdu = receipt(in_.flag());
    if (in_.below(8) == 7) pdu.resize(proto::kHeaderLength + in_.octet());
    const std::uint64_t kept = told_.kept + told_.dead_letters + told_.parks;
    const std::uint64_t duplicates = counters_.receipts_duplicate.get();
    const std::uint64_t messages = counters_.mo.get();
    const Status status = receipts_.deliver(pdu, now_us_);
    const std::uint64_t now_kept = told_.kept + told_.dead_letters + told_.parks;
    const std::uint64_t ends =
        (now_kept - kept) + (counters_.receipts_duplicate.get() - duplicates);
    if (counters_.mo.get() != messages) return must(ends == 0 && status == config_.mo_status);
    must(status == Status::ESME_ROK ? ends == 1 : ends <= 1);
    if (status == Status::ESME_RX_T_APPN) must(ends == 0);
  }

  void rewrite() {
    const auto body = in_.rest();
    proto::SubmitSm sm;
    if (proto::decode(body, sm)) return;
    std::vector<std::uint8_t> out(proto::kPduLengthMax);
    const std::size_t length = dialect_.rewrite(sm, out);
    if (length == 0) return;
    proto::SubmitSm back;
    must(!proto::decode(proto::Octets(out).first(length), back));
    must(back.registered_delivery == sm.registered_delivery);
  }

  void pass(std::int64_t us) {
    now_us_ += us;
    for (int i = 0; i < 100 && receipts_.tick(now_us_); ++i) {
    }
  }

  void step() {
    const unsigned what = in_.octet();
    switch (what % 8) {
      case 0:
      case 1:
      case 2:
        return deliver();
      case 3:
      case 4: {
        const std::string given = id();
        const std::uint64_t message = 1 + what / 8 % 16;
        told_.knows(given, message);
        flying_.since = INT64_MAX;
        return receipts_.id_known(given, {message, what / 128 * 9U}, now_us_);
      }
      case 5:
        told_.takes = (what & 8) != 0;
        flying_.since = (what & 16) != 0 ? now_us_ : INT64_MAX;
        flying_.all = (what & 32) != 0;
        return;
      case 6:
        return pass(kSecondUs << (what / 8 % 12));
      default:
        if (what == 255) return rewrite();
        config_.early_receipts_max = 1 + in_.below(16);
        config_.awaiting_max = 1 + in_.below(16);
        return receipts_.changed();
    }
  }

  void check_gauges() const {
    must(counters_.parked.get() == told_.in_park.size());
    must(counters_.awaiting.get() <= 16);
  }

  Input& in_;
  CarrierConfig config_;
  Dialect dialect_;
  CarrierCounters counters_;
  Told told_;
  Flying flying_;
  Receipts receipts_;
  std::int64_t now_us_ = kSecondUs;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in(data, size);
  Play(in).run();
  return 0;
}
