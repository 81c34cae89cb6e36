// ClientHome: what its messages' detail records tell, from the submit to the end and over restarts.
#include <algorithm>

#include "gateway/clients/client_home.h"

namespace tollgate::gateway {

namespace record = proto::record;

Notice notice_of(const record::Notice& from) {
  Notice notice;
  notice.state = from.state;
  notice.intermediate = from.intermediate;
  notice.has_network_error = from.has_network_error;
  notice.network_error = from.network_error;
  notice.error = from.error;
  notice.done_wall_us = from.done_wall_us;
  return notice;
}

namespace {

record::TryEnd end_of(Outcome outcome) {
  static_assert(static_cast<unsigned>(Outcome::sent) ==
                static_cast<unsigned>(record::TryEnd::sent));
  static_assert(static_cast<unsigned>(Outcome::later) ==
                static_cast<unsigned>(record::TryEnd::later));
  static_assert(static_cast<unsigned>(Outcome::in_doubt) ==
                static_cast<unsigned>(record::TryEnd::in_doubt));
  return outcome == Outcome::behind ? record::TryEnd::down : static_cast<record::TryEnd>(outcome);
}

}  // namespace

void ClientHome::keep_particulars(Particulars& particulars, const proto::SubmitSm& sm,
                                  const Decided& decided, const Admission& admission) const {
  const routing::Route& route = decided.route;
  particulars.draw = decided.draw;
  particulars.down = route.down;
  particulars.full = route.full;
  particulars.facts = route.facts_number;
  particulars.text_octets =
      static_cast<std::uint16_t>(std::min<std::size_t>(admission.text.size(), 0xFFFF));
  particulars.data_coding = sm.data_coding;
  particulars.esm_class = sm.esm_class;
  particulars.candidates = route.count;
  for (std::uint8_t i = 0; i < route.count; ++i) particulars.ranks[i] = i;
  particulars.mccmnc = tables_->destinations[route.destination].mccmnc;
  particulars.number = route.number_view();
  particulars.currency = tables_->base_currency;
  if (route.sender.empty()) return;
  particulars.sender = {route.sender_ton, route.sender_npi, {}};
  particulars.sender.address = route.sender;
}

void ClientHome::tried(Message& message, const OutcomeMail& mail, const core::Now& now) {
  Particulars* const particulars = message.particulars;
  if (particulars == nullptr) return;
  Particulars::Try one;
  one.after_ms = static_cast<std::uint32_t>(
      std::max<std::int64_t>(now.wall_us - message.accepted_wall_us, 0) / 1000);
  one.status = static_cast<proto::Status>(mail.status);
  one.carrier = mail.carrier;
  one.attempt = mail.attempt;
  one.end = end_of(mail.outcome);
  if (one.carrier != kNoCarrier) particulars->add(one);
  if (one.end == record::TryEnd::sent) particulars->sent_wall_us = now.wall_us;
  if (one.end == record::TryEnd::in_doubt) particulars->in_doubt = 1;
}

// The candidate that refused it is none any more. Its detail record names it all the same: it goes
// behind those that are left.
void ClientHome::drop_candidate(Message& message) {
  Particulars* const particulars = message.particulars;
  const std::size_t all = particulars != nullptr ? particulars->candidates : message.candidates;
  const auto to_the_end = [&](auto& array) {
    std::rotate(array.begin() + message.candidate, array.begin() + message.candidate + 1,
                array.begin() + static_cast<std::ptrdiff_t>(all));
  };
  to_the_end(message.carriers);
  to_the_end(message.cost_nano);
  if (particulars != nullptr) to_the_end(particulars->ranks);
  --message.candidates;
}

std::optional<std::uint16_t> ClientHome::carrier_named(std::string_view name) const {
  const auto& carriers = peers().carriers;
  for (std::size_t i = 0; i < carriers.size(); ++i) {
    if (carriers[i].config->name == name) return static_cast<std::uint16_t>(i);
  }
  return std::nullopt;
}

// Those that refused it, or are no more, stand last; without particulars they are left out.
void ClientHome::restore_candidates(Message& message, const record::Accepted& accepted) const {
  std::uint8_t all = 0;
  const auto add = [&](const record::Candidate& candidate, bool wanted) {
    const auto carrier = carrier_named(candidate.carrier);
    if (!carrier) return;
    const bool left = !candidate.gone && !peers().carriers[*carrier].gone;
    if (left != wanted) return;
    message.carriers[all] = *carrier;
    message.cost_nano[all] = candidate.cost_nano;
    if (message.particulars != nullptr) message.particulars->ranks[all] = candidate.rank;
    ++all;
  };
  for (std::size_t i = 0; i < accepted.candidate_count; ++i) add(accepted.candidates[i], true);
  message.candidates = all;
  if (message.particulars == nullptr) return;
  for (std::size_t i = 0; i < accepted.candidate_count; ++i) add(accepted.candidates[i], false);
  message.particulars->candidates = all;
}

void ClientHome::restore_particulars(Message& message, const record::Accepted& accepted,
                                     const record::Course& course) const {
  if (message.particulars == nullptr) return;
  Particulars& particulars = *message.particulars;
  const record::Decision& decision = accepted.decision;
  particulars.origin = decision.known ? decision.origin : accepted.message;
  particulars.draw = decision.draw;
  particulars.facts = decision.facts;
  particulars.text_octets = decision.text_octets;
  particulars.data_coding = decision.data_coding;
  particulars.esm_class = decision.esm_class;
  particulars.mccmnc = decision.mccmnc;
  particulars.number = decision.number;
  particulars.currency = decision.currency;
  particulars.sender = {decision.sender.ton, decision.sender.npi, {}};
  particulars.sender.address = decision.sender.digits;
  restore_states(particulars, decision);
  restore_tries(particulars, course);
  message.resends = course.resends;
}

void ClientHome::restore_states(Particulars& particulars, const record::Decision& decision) const {
  particulars.states_cut = decision.states_cut ? 1 : 0;
  const auto read = [&](std::string_view names, routing::CarrierSet& set) {
    while (!names.empty()) {
      const std::size_t end = std::min(names.find(' '), names.size());
      if (const auto carrier = carrier_named(names.substr(0, end))) {
        set.add(*carrier);
      } else {
        particulars.states_cut = 1;
      }
      names.remove_prefix(std::min(end + 1, names.size()));
    }
  };
  read(decision.down, particulars.down);
  read(decision.full, particulars.full);
}

void ClientHome::restore_tries(Particulars& particulars, const record::Course& course) const {
  for (std::size_t i = 0; i < course.tries_kept; ++i) {
    const record::Try& one = course.tries[i];
    const auto carrier = carrier_named(one.carrier);
    if (carrier) particulars.add({one.after_ms, one.status, *carrier, one.attempt, one.end});
  }
  particulars.try_count = course.try_count;
  particulars.in_doubt = course.in_doubt ? 1 : 0;
  particulars.sent_wall_us = course.sent_wall_us;
  particulars.receipt_wall_us = course.receipt_wall_us;
  particulars.last = notice_of(course.last);
}

}  // namespace tollgate::gateway
