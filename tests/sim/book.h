// The book: what clients and carriers saw on their wires, message by message, and the promises
// that must hold between the two. It knows nothing of the gateway's inside.
//
// A message's text carries its tag, so that a carrier's submit_sm tells which message it is; a
// receipt's err is made from the tag, so that a receipt tells which message it speaks of.
//
//   P1  what was answered ESME_ROK reached a carrier, or its client was told how it ended
//   P3  no submit_sm of a message while an earlier one was not refused; but one whose response the
//       gateway may not have (in doubt) at a carrier whose policy is to send again
//   P4  a receipt that was acknowledged to its carrier reaches the client, unless the message was
//       in doubt by what could be seen: then it is told, or a dead letter; each accepted message
//       that asked for one has a last receipt
//   P5  where there is but one carrier, it takes one client's messages to one number in the order
//       of their acceptance, whatever it refused before and whatever happens to it; but for those
//       whose refusal may not have been read. Else their first submits come in that order, within
//       one life of the gateway, without a change of the carriers that could take the earlier one:
//       it may have come back from another carrier.
#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "proto/receipt.h"
#include "proto/status.h"
#include "tests/sim/agenda.h"

namespace tollgate::sim {

using Tag = std::uint32_t;

struct Submitted {
  unsigned carrier = 0;
  std::uint32_t life = 0;
  std::int64_t at_us = 0;
  bool answered = false;
  proto::Status status = proto::Status::ESME_ROK;
  std::int64_t consumed_us = kNever;  // the gateway had read the response
  std::uint32_t consumed_life = 0;
};

struct Acknowledged {      // a last receipt, by the gateway to its carrier
  std::size_t submit = 0;  // that it is for
  std::int64_t at_us = 0;
  std::int64_t read_us = 0;  // the gateway had read it
  std::uint32_t life = 0;
};

struct Told {
  std::int64_t at_us = 0;
  proto::MessageState state = proto::MessageState::unknown;
  bool from_carrier = false;
  bool last = false;
  bool taken = false;  // the client answered ESME_ROK
};

struct Story {
  unsigned client = 0;
  Tag first = 0;  // of the submit_multi that it came with; or itself
  std::string number;
  std::uint8_t registered_delivery = 0;
  std::uint32_t life = 0;  // in which it was submitted
  std::int64_t at_us = 0;
  bool answered = false;
  proto::Status status = proto::Status::ESME_ROK;
  std::string id;
  std::string own_id;  // as the journal has it: that of a submit_multi's first, counted on
  proto::MessageState state = proto::MessageState::unknown;  // what its carrier will say
  std::vector<Submitted> submits;
  std::vector<Acknowledged> acknowledged;
  std::vector<Told> told;

  bool taken = false;  // by its only carrier

  bool accepted() const { return answered && status == proto::Status::ESME_ROK; }
};

// "X7Q": never a word of the gateway's own, which are lower-case hexadecimal.
std::string error_of(Tag tag);

class Book {
 public:
  explicit Book(Ground& ground) : ground_(ground) {}

  // ---- as clients and carriers saw it ----
  Tag asked(unsigned client, std::string number, std::uint8_t registered_delivery);
  // One more of the submit_multi that `first` begins.
  Tag asked_too(Tag first, std::string number);
  Tag last_of(Tag first) const;
  // The message of that submit_multi, or submit_sm, which is for this number; `first` if none is.
  Tag of(Tag first, std::string_view number) const;
  // `place`: among those that the same response accepts.
  void answered(Tag tag, proto::Status status, std::string_view id, unsigned place = 0);
  // Returns the index of this submit of the message.
  std::size_t submitted(Tag tag, unsigned carrier, std::string_view number);
  // The carrier has it and will not refuse it.
  void taken(Tag tag, unsigned carrier);
  void responded(Tag tag, std::size_t submit, proto::Status status);
  void consumed(Tag tag, std::size_t submit);
  void state_is(Tag tag, proto::MessageState state);  // the first that is said holds
  void acknowledged(Tag tag, std::size_t submit, std::int64_t read_us);
  void told(unsigned client, std::string_view id, std::string_view from, proto::MessageState state,
            std::string_view error, bool intermediate, bool taken);
  // What makes a loss of what was not durable possible: a crash, an end of carriers' links.
  void loss() { losses_us_.push_back(ground_.us()); }
  // What hands orders back, or makes another carrier the first choice: order holds without these.
  void route_changes() { changes_us_.push_back(ground_.us()); }
  void life_ends() { lives_end_us_.push_back(ground_.us()); }

  // A receipt that could be told to nobody: its err, or its message's id.
  void dead(std::string_view error, std::string_view id);
  void check_end();
  void wrong(std::string sentence, Tag tag);
  bool known(Tag tag) const { return tag < stories_.size(); }
  const Story& story(Tag tag) const { return stories_[tag]; }
  const std::string& fault() const { return fault_; }
  Tag fault_of() const { return fault_of_; }
  std::string tell(Tag tag) const;

  std::vector<bool> resends;     // carriers that are sent again what is in doubt
  bool ordered = true;           // P5 can be judged
  bool one_carrier = false;      // and without exception
  std::vector<bool> relayed;     // by client: its submits are answered as carriers answer
  bool letters = true;           // dead letters can be judged
  std::int64_t unparked_us = 0;  // what was acknowledged before this is parked no more
  std::uint64_t accepted = 0;
  std::uint64_t receipts = 0;
  std::uint64_t doubtful = 0;
  std::uint64_t told_by_us = 0;
  std::size_t messages() const { return stories_.size(); }

 private:
  bool in_time(const Submitted& submit) const;
  bool kept(const Submitted& submit) const;
  bool safe(const Submitted& submit, const Acknowledged& acknowledged) const;
  bool may_resend(const Submitted& submit) const;
  bool older(const Story& story, const Story& other) const;
  void check(Tag tag);
  void check_receipts(Tag tag);
  void check_relayed(Tag tag);
  void check_order();
  bool changed_between(std::int64_t from_us, std::int64_t to_us) const;

  Ground& ground_;
  std::vector<Story> stories_;
  using Id = std::pair<unsigned, std::string>;
  std::map<Id, Tag> ids_;  // each of one submit_sm, or submit_multi: its first
  struct Unnamed {         // told before (or without) the response that names it
    unsigned client;
    std::string id, from, error;
    Told told;
  };
  std::vector<Unnamed> unnamed_;
  void tell(Tag tag, const Unnamed& one);
  struct Lane {
    unsigned client;
    std::string number;
    unsigned carrier;
    std::uint32_t life;
    bool operator<(const Lane& o) const {
      return std::tie(client, number, carrier, life) <
             std::tie(o.client, o.number, o.carrier, o.life);
    }
  };
  std::map<Lane, std::vector<Tag>> lanes_;   // as they were taken, or came first
  std::set<std::string, std::less<>> dead_;  // errs and ids
  std::vector<std::int64_t> losses_us_;
  std::vector<std::int64_t> changes_us_;
  std::vector<std::int64_t> lives_end_us_;
  std::string fault_;
  Tag fault_of_ = 0xFFFFFFFF;
};

}  // namespace tollgate::sim
