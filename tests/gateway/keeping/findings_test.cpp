// Each thing that no journal should say: the shortest journal that says it, and its lawful twin.
#include <catch2/catch.hpp>

#include "gateway/keeping/recovery.h"
#include "tests/gateway/keeping/journal_story.h"

using namespace tollgate;
using namespace tollgate::gateway;
using proto::MessageState;
using proto::record::Follows;
using proto::record::How;
using proto::record::Type;
using test::Event;

namespace {

class Book {
 public:
  explicit Book(std::uint64_t first_segment = 1) : segment_(first_segment) {}
  Book(const Book&) = delete;

  Book& accepted() {
    Event event = of(Type::accepted);
    event.candidates = {"alpha", "beta"};
    event.body = "body";
    return add(event);
  }
  Book& intent(std::uint16_t attempt) { return add(of(Type::intent, attempt)); }
  Book& sent(std::uint16_t attempt, std::string id = "a1") {
    Event event = of(Type::sent, attempt);
    event.carrier_message_id = std::move(id);
    return add(event);
  }
  Book& refused(std::uint16_t attempt, proto::Status status = proto::Status::ESME_RSUBMITFAIL,
                Follows follows = Follows::again) {
    Event event = of(Type::refused, attempt);
    event.status = status;
    event.follows = follows;
    return add(event);
  }
  Book& in_doubt(std::uint16_t attempt) { return add(of(Type::in_doubt, attempt)); }
  Book& receipt(bool final = true) {
    Event event = of(Type::receipt);
    event.notice.state = final ? MessageState::delivered : MessageState::enroute;
    event.notice.intermediate = !final;
    return add(event);
  }
  Book& ended() {
    Event event = of(Type::ended);
    event.notice.state = MessageState::expired;
    return add(event);
  }
  Book& settled(How how = How::told) {
    Event event = of(Type::settled);
    event.how = how;
    return add(event);
  }
  Book& carried(proto::record::Stage stage, std::uint16_t attempt) {
    Event event = of(Type::carried, attempt);
    event.stage = stage;
    event.candidates = {"alpha"};
    return add(event);
  }

  // What follows is this stream's, of two.
  Book& by(unsigned stream) {
    stream_ = stream;
    streams_ = 2;
    return *this;
  }
  Book& restart() {
    run_ = ++segment_;
    offset_ = 0;
    return *this;
  }
  Book& clock(std::int64_t wall_us) {
    wall_us_ = wall_us;
    return *this;
  }
  Book& another() {  // message's record: something happens in this stream
    Event event = of(Type::accepted);
    event.message = ++other_;
    return add(event);
  }

  // The names of what was found, in order.
  std::string findings() {
    recovery_.finish();
    return found_;
  }
  const Recovery& recovery() const { return recovery_; }

 private:
  Event of(Type type, std::uint16_t attempt = 0) {
    Event event;
    event.type = type;
    event.message = 42;
    event.attempt = attempt;
    event.carrier = "alpha";
    event.wall_us = ++wall_us_;
    return event;
  }
  Book& add(const Event& event) {
    const auto payload = event.payload();
    offset_ += 64;
    recovery_.apply({static_cast<std::uint32_t>(event.type), stream_, payload, segment_, offset_,
                     streams_, run_});
    return *this;
  }

  std::uint64_t segment_;
  std::uint64_t run_ = 1;
  unsigned stream_ = 0;
  unsigned streams_ = 1;
  std::uint64_t other_ = 1'000;
  std::uint64_t offset_ = 0;
  std::int64_t wall_us_ = 0;
  std::string found_;
  Recovery recovery_{[this](const Found& found) {
    found_ += std::string(finding_name(found.finding)) + " ";
    if (found.segment == 0) return;
    CHECK(found.segment == segment_);
    CHECK(found.offset == offset_);
  }};
};

}  // namespace

TEST_CASE("accepted once") {
  CHECK(Book().accepted().findings().empty());
  CHECK(Book().accepted().accepted().findings() == "accepted_twice conservation ");
}

TEST_CASE("settled once, for a cause, and nothing behind it") {
  const auto whole = [](Book&& book = Book()) -> Book& {
    return book.accepted().intent(1).sent(1).receipt().settled();
  };
  CHECK(whole().findings().empty());
  CHECK(whole().settled().findings() == "settled_twice conservation ");
  CHECK(whole().intent(2).findings() == "after_settled ");
  CHECK(whole().accepted().findings() == "after_settled conservation ");
  CHECK(whole().carried(proto::record::Stage::queued, 0).findings() == "after_settled ");
  CHECK(whole().ended().findings() == "after_settled ");
  CHECK(whole().sent(1).receipt().findings().empty());  // the other stream, a little late

  CHECK(Book().accepted().settled().findings() == "settled_without_cause ");
  CHECK(Book().accepted().intent(1).sent(1).settled().findings() == "settled_without_cause ");
  CHECK(Book().accepted().intent(1).sent(1).settled().receipt().findings().empty());
  CHECK(Book().accepted().intent(1).settled(How::no_receipt).findings() ==
        "settled_without_cause ");
  CHECK(Book().accepted().intent(1).settled(How::no_receipt).sent(1).findings().empty());
  CHECK(Book().accepted().ended().settled(How::given_up).findings().empty());
  CHECK(Book().accepted().settled().settled().findings() ==
        "settled_twice settled_without_cause conservation ");
}

TEST_CASE("a relayed message's receipt may lie before the record that begins it") {
  const auto awaiting = proto::record::Stage::awaiting;
  const std::uint16_t relayed = proto::record::kRelayed | 1;
  const auto told = [&](Book&& book, std::uint16_t attempt) {
    return book.carried(awaiting, attempt).settled().findings();
  };
  CHECK(told(Book(2), relayed).empty());  // in a segment that has gone
  CHECK(told(Book(1), relayed) == "settled_without_cause ");
  CHECK(told(Book(2), 1) == "settled_without_cause ");
  CHECK(Book(1).sent(relayed).receipt().carried(awaiting, relayed).settled().findings().empty());
}

TEST_CASE("what a crash cut from one stream is no finding in the other") {
  // Stream 0 is the client's, 1 the carrier's, whose receipt was not durable.
  const auto cut = [](Book&& book = Book()) -> Book& {
    return book.by(0).accepted().by(1).intent(1).sent(1).by(0).settled();
  };
  CHECK(cut().findings().empty());
  CHECK(cut().restart().by(1).another().by(0).another().findings().empty());
  CHECK(cut().by(0).another().findings().empty());
  // The carrier's stream goes on in the same run: the receipt should have been in front of it.
  CHECK(cut().by(1).another().findings() == "settled_without_cause ");
  CHECK(cut().by(1).another().restart().another().findings() == "settled_without_cause ");
  // Unless the clock says nothing.
  CHECK(cut().by(1).clock(1).another().findings().empty());
  // One stream alone is in order: nothing can be cut out of it.
  CHECK(Book().accepted().intent(1).sent(1).settled().restart().another().findings() ==
        "settled_without_cause ");

  // The same of the refusal that a second attempt followed.
  const auto second = [](Book&& book = Book()) -> Book& {
    return book.by(1).accepted().intent(1).by(0).intent(2);
  };
  CHECK(second().restart().by(0).in_doubt(2).findings().empty());
  CHECK(second().by(1).another().by(0).another().restart().by(0).in_doubt(2).findings() ==
        "second_submit ");
  CHECK(second().by(1).another().by(0).in_doubt(2).findings() == "second_submit ");
  CHECK(second().in_doubt(2).findings().empty());
}

TEST_CASE("settled only what was accepted, unless its beginning is reclaimed") {
  CHECK(Book().settled().findings() == "settled_unknown ");
  CHECK(Book(7).settled().findings().empty());
  CHECK(Book(7).settled().settled().findings() == "settled_twice conservation ");
  CHECK(Book(7).carried(proto::record::Stage::told, 1).settled().findings().empty());
}

TEST_CASE("no second submit while the first may still succeed") {
  CHECK(Book().accepted().intent(1).refused(1).intent(2).sent(2).findings().empty());
  CHECK(Book().accepted().intent(1).in_doubt(1).intent(2).sent(2).findings().empty());
  // The first one's outcome lies a little further on: another carrier's stream.
  CHECK(Book().accepted().intent(1).intent(2).refused(1).sent(2).findings().empty());
  CHECK(Book().accepted().intent(1).intent(2).sent(2).findings() == "second_submit ");
  CHECK(Book().accepted().intent(1).intent(2).in_doubt(2).findings() == "second_submit ");
  CHECK(Book().accepted().intent(1).intent(2).sent(1).findings() == "second_submit ");
  CHECK(Book().accepted().intent(1).sent(1).intent(2).findings() == "second_submit ");
  CHECK(Book().accepted().intent(1).intent(2).sent(2).settled(How::no_receipt).findings() ==
        "second_submit ");
  // The journal ends before anyone could have answered.
  CHECK(Book().accepted().intent(1).intent(2).findings().empty());
}

TEST_CASE("nothing is sent once its client was to be told that it is over") {
  CHECK(Book().accepted().ended().intent(1).findings() == "intent_after_end ");
  // Given up in doubt; the carrier's stream lies behind the client's.
  CHECK(Book()
            .by(0)
            .clock(9)
            .accepted()
            .ended()
            .by(1)
            .clock(5)
            .intent(1)
            .in_doubt(1)
            .by(0)
            .clock(12)
            .settled()
            .findings()
            .empty());
  CHECK(Book()
            .by(0)
            .clock(9)
            .accepted()
            .ended()
            .settled()
            .by(1)
            .clock(5)
            .intent(1)
            .in_doubt(1)
            .findings()
            .empty());
  CHECK(Book().by(0).clock(9).accepted().ended().settled().by(1).clock(20).intent(1).findings() ==
        "after_settled ");
  // A receipt may overtake the resend of what was in doubt.
  CHECK(Book().accepted().intent(1).in_doubt(1).receipt().intent(2).findings().empty());
}

TEST_CASE("an outcome has an intent, and an attempt one outcome") {
  CHECK(Book().accepted().sent(1).findings() == "outcome_without_intent ");
  CHECK(Book().accepted().in_doubt(1).findings() == "outcome_without_intent ");
  CHECK(Book().accepted().refused(1).findings() == "outcome_without_intent ");
  CHECK(Book().accepted().refused(1, proto::Status::ESME_ROK).findings().empty());  // never left
  CHECK(Book().accepted().intent(1).sent(2).findings() == "outcome_without_intent second_submit ");
  CHECK(Book().accepted().intent(0).findings() == "malformed ");
  CHECK(Book().accepted().intent(1).sent(1).sent(1).findings().empty());
  CHECK(Book().accepted().intent(1).sent(1).sent(1, "b2").findings() == "two_outcomes ");
  CHECK(Book().accepted().intent(1).sent(1).refused(1).findings() == "two_outcomes ");
  CHECK(Book().accepted().intent(1).refused(1).sent(1).findings() == "two_outcomes ");
  CHECK(Book().accepted().intent(1).refused(1).in_doubt(1).findings() == "two_outcomes ");
  CHECK(Book().accepted().intent(1).in_doubt(1).sent(1).findings().empty());  // a late answer
  CHECK(Book().accepted().intent(1).in_doubt(1).refused(1).findings().empty());
}

TEST_CASE("receipts are of messages that were sent") {
  CHECK(Book().accepted().receipt().findings() == "receipt_without_submit ");
  CHECK(Book().accepted().receipt(false).findings() == "receipt_without_submit ");
  CHECK(Book().accepted().intent(1).receipt(false).findings().empty());
}

TEST_CASE("a carrier speaks only of what was accepted") {
  CHECK(Book().intent(1).sent(1).findings() == "unknown_message ");
  CHECK(Book().intent(1).receipt().findings() == "unknown_message ");
  CHECK(Book(7).sent(1).receipt().findings().empty());  // its beginning is reclaimed
  Book crashed;
  crashed.intent(1);  // the accepted record was not durable yet, nor acknowledged
  CHECK(crashed.findings().empty());
  CHECK(crashed.recovery().orphans() == 1);
  CHECK(crashed.recovery().conservation().live_total() == 0);
}

// What a lawful history never shows, and a crash, a clock or a copy may.
TEST_CASE("what is known of an attempt is never unlearnt") {
  const auto state = [](Book& book) { return *book.recovery().find(42); };
  using proto::record::Stage;
  Book sent;
  sent.accepted().intent(1).sent(1).refused(1).carried(Stage::queued, 1).carried(Stage::told, 1);
  CHECK(state(sent).fate == LiveMessage::Fate::sent);
  CHECK(state(sent).follows == Follows::next);
  CHECK(state(sent).carrier_message_id == "a1");
  Book resent;
  resent.accepted().intent(2).in_doubt(2).carried(Stage::in_doubt, 1).carried(Stage::queued, 1);
  CHECK(state(resent).stage() == LiveStage::in_doubt);
  CHECK(state(resent).attempt == 2);
  Book refused;
  refused.accepted().intent(2).refused(2, proto::Status::ESME_RTHROTTLED);
  refused.refused(1, proto::Status::ESME_RSYSERR);
  CHECK(state(refused).status == proto::Status::ESME_RTHROTTLED);
  Book told;
  told.accepted().intent(1).sent(1).receipt().receipt();
  CHECK(state(told).notice_line_us == 4);  // the first final one
  Book again;
  again.accepted().carried(Stage::awaiting, 1).intent(2).sent(2, "b2");
  CHECK(state(again).attempt == 1);
}
