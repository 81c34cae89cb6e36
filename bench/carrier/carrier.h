// One simulated carrier (SMSC): takes submits, answers them as its spec says, keeps the receipts
// that are due in a memory that survives a death, and counts everything.
//
// Invariants: 1. a message is accepted when its response is sent (or, with `silent`, when it is
// taken): what is unanswered when its bind drops is forgotten, or with `keep` accepted though
// nobody was told, and counted so. 2. a receipt stays in memory until its deliver_sm is answered
// with ESME_ROK; a dropped bind gives its receipts back.
// 3. at most `window` deliver_sm are outstanding a bind, save early ones.
// Bounds: memory grows with what waits (about 100 octets a due receipt, 1 octet a content tag).
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench/carrier/bind.h"
#include "bench/carrier/world.h"

namespace tollgate::bench {

// How often each content tag was submitted and accepted: a nibble each, which stays at 15.
class TagTable {
 public:
  // False: seen before.
  bool add_submit(std::uint32_t tag);
  void add_accepted(std::uint32_t tag);
  std::size_t size() const { return cells_.size(); }
  unsigned submits(std::size_t tag) const { return tag < size() ? cells_[tag] & 15u : 0; }
  unsigned accepted(std::size_t tag) const { return tag < size() ? cells_[tag] >> 4 : 0u; }

 private:
  std::vector<std::uint8_t> cells_;
};

struct Counts {
  std::uint64_t submits = 0, distinct = 0, repeated = 0, untagged = 0, malformed = 0;
  std::uint64_t kept = 0;
  std::uint64_t accepted = 0, lost = 0, ids_repeated = 0, silent = 0, throttled = 0, forgotten = 0;
  std::uint64_t receipts_made = 0, receipts_withheld = 0, receipts_sent = 0, receipts_acked = 0;
  std::uint64_t receipts_resent = 0, receipts_duplicated = 0, receipts_early = 0;
  std::uint64_t binds = 0, binds_refused = 0, unbinds = 0, deaths = 0, bad_frames = 0;
  std::uint64_t enquire_links = 0, unmatched_responses = 0;
  std::int64_t first_submit_ns = 0, last_submit_ns = 0;     // of tagged ones
  std::map<std::uint32_t, std::uint64_t> refused;           // submit_sm_resp by status
  std::map<std::uint32_t, std::uint64_t> receipts_refused;  // deliver_sm_resp by status
  std::map<std::string, std::uint64_t> receipts_by_state;   // as made
};

class Carrier final : public Watched {
 public:
  Carrier(World& world, Spec spec, std::uint16_t index);
  ~Carrier();

  void listen();
  void on_ready(std::uint32_t events) override;  // the listener: accepts
  void on_event(const Event& event);
  void pump();  // receipts that are due, as far as windows go

  void on_bound(Bind& bind, std::string_view system_id);
  void on_submit(Bind& bind, const Frame& frame);
  void on_receipt_answer(const InFlight& sent, std::uint32_t status);
  void drop(Bind& bind);  // closes; the object is freed by free_dropped()
  void free_dropped() { dropped_.clear(); }

  const Spec& spec() const { return spec_; }
  std::uint16_t port() const { return port_; }
  Counts& counts() { return counts_; }
  const Counts& counts() const { return counts_; }
  const TagTable& tags() const { return tags_; }
  std::size_t receipts_waiting() const { return records_.size() - free_.size(); }

 private:
  struct Record {  // a receipt to be
    std::uint64_t id = 0;
    std::int64_t submitted = 0;  // wall clock, seconds
    std::uint32_t account = 0;
    std::uint32_t bind = 0;
    std::uint16_t state = 0;  // of the spec's mix
    bool sent_before = false;
    std::uint8_t source_size = 0, destination_size = 0, text_size = 0;
    std::array<char, 20> source{}, destination{}, text{};
  };
  struct Account {
    std::string system_id;
    std::deque<std::uint32_t> ready;  // records
    std::vector<Bind*> receivers;
    std::size_t next = 0;
  };

  std::uint32_t decide_status();
  std::uint32_t make_record(const Bind& bind, const Message& message, std::uint64_t id);
  void answer(const Answer& what);
  void accept(std::uint32_t tag);
  void schedule_receipt(std::uint32_t record);
  Bind* pick_receiver(Account& account, const Record& record, bool early);
  void send_receipt(Bind& bind, std::uint32_t record);
  std::size_t write_receipt(const Record& record, std::uint8_t* out) const;
  void log_answer(std::string_view word, const Answer& what);
  void log_receipt(std::string_view word, const Record& record, std::uint32_t status);
  void free_record(std::uint32_t record);
  void on_first_tag();
  void begin_to_die();
  void drain();
  void die();

  World& world_;
  Spec spec_;
  const std::uint16_t index_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  bool draining_ = false;
  std::int64_t drain_until_ns_ = 0;
  std::uint64_t next_id_;
  double tokens_ = 0;
  std::int64_t tokens_at_ns_ = 0;
  Counts counts_;
  TagTable tags_;
  std::vector<Account> accounts_;
  std::vector<std::unique_ptr<Bind>> binds_;  // by Bind::number; empty = gone
  std::vector<std::unique_ptr<Bind>> dropped_;
  std::vector<Record> records_;
  std::vector<std::uint32_t> free_;
};

}  // namespace tollgate::bench
