// What /metrics shows of the carriers and their binds.
#include "carriers/counters.h"
#include "gateway/messages/counters.h"
#include "gateway/messages/homes.h"
#include "gateway/metrics/page.h"
#include "proto/receipt.h"
#include "proto/status.h"

namespace tollgate::gateway {
namespace {

using carriers::BindCounters;
using carriers::CarrierCounters;

constexpr CellRow<CarrierCounters> kCarrierRows[] = {
    {{"carrier_up", "1 while a bind can transmit", Kind::gauge}, &CarrierCounters::up},
    {{"carrier_has_room", "1 while it takes messages", Kind::gauge}, &CarrierCounters::has_room},
    {{"carrier_queue", "Messages that wait for window or pace", Kind::gauge},
     &CarrierCounters::queue},
    {{"carrier_queue_bytes", "Memory of the queue", Kind::gauge}, &CarrierCounters::queue_octets},
    {{"carrier_resting", "Of the queue: refused for now, or behind an earlier one to their number",
      Kind::gauge},
     &CarrierCounters::resting},
    {{"carrier_awaiting", "Message ids that wait for a receipt", Kind::gauge},
     &CarrierCounters::awaiting},
    {{"carrier_receipts_parked", "Receipts whose message id is not known yet", Kind::gauge},
     &CarrierCounters::parked},
    {{"carrier_taken_total", "Messages taken; each ends in one of the outcomes"},
     &CarrierCounters::taken},
    {{"carrier_submits_total", "submit_sm that left, repeats included"}, &CarrierCounters::submits},
    {{"carrier_sent_total", "Outcome: the carrier took the message"}, &CarrierCounters::sent},
    {{"carrier_refused_total", "Outcome: refused, or handed back unsent"},
     &CarrierCounters::refused},
    {{"carrier_in_doubt_total", "Outcome: sent, and no response came"}, &CarrierCounters::in_doubt},
    {{"carrier_handed_back_total", "Of the refused: it never left, or not again"},
     &CarrierCounters::handed_back},
    {{"carrier_expired_total", "Of the refused: its validity ended in the queue"},
     &CarrierCounters::expired},
    {{"carrier_response_timeouts_total", "Of those in doubt: the response timer ran out"},
     &CarrierCounters::response_timeouts},
    {{"carrier_throttles_total", "ESME_RTHROTTLED received"}, &CarrierCounters::throttles},
    {{"carrier_retries_total", "Refusals after which a message is tried here again"},
     &CarrierCounters::retries},
    {{"carrier_without_id_total", "Responses that took the message and gave no id"},
     &CarrierCounters::without_id},
    {{"carrier_unexpected_responses_total", "Responses that nobody asked for"},
     &CarrierCounters::unexpected_responses},
    {{"carrier_receipts_early_total", "Receipts that came before their message id"},
     &CarrierCounters::receipts_early},
    {{"carrier_receipts_unmatched_total", "Receipts whose message id never came"},
     &CarrierCounters::receipts_unmatched},
    {{"carrier_receipts_duplicate_total", "Receipts for messages that had their last one"},
     &CarrierCounters::receipts_duplicate},
    {{"carrier_receipts_unreadable_total",
      "Receipts without any message id, and what cannot be decoded"},
     &CarrierCounters::receipts_unreadable},
    {{"carrier_receipts_refused_total", "Receipts that could not be kept: asked for again"},
     &CarrierCounters::receipts_refused},
    {{"carrier_mo_total", "deliver_sm and data_sm that are no receipts"}, &CarrierCounters::mo},
    {{"carrier_awaiting_expired_total", "Message ids given up after awaiting_hours"},
     &CarrierCounters::awaiting_expired},
    {{"carrier_awaiting_evicted_total", "Message ids that made room for newer ones"},
     &CarrierCounters::awaiting_evicted},
    {{"carrier_awaiting_replaced_total", "Message ids that the carrier used again"},
     &CarrierCounters::awaiting_replaced},
    {{"carrier_outbinds_total", "outbind received"}, &CarrierCounters::outbinds},
    {{"carrier_alarms_total", "Refusals that a human must mend"}, &CarrierCounters::alarms},
    {{"carrier_unknown_commands_total", "Commands answered with generic_nack"},
     &CarrierCounters::unknown_commands},
    {{"carrier_wrong_state_total", "Commands that the session's state does not allow"},
     &CarrierCounters::wrong_state},
    {{"carrier_bad_lengths_total", "Binds ended by a command_length that cannot be"},
     &CarrierCounters::bad_lengths},
    {{"carrier_enquire_misses_total", "enquire_link without an answer"},
     &CarrierCounters::enquire_misses},
    {{"carrier_generic_nacks_total", "generic_nack received"}, &CarrierCounters::generic_nacks},
};

constexpr CellRow<BindCounters> kBindRows[] = {
    {{"bind_window_max", "Submits that may wait for a response", Kind::gauge},
     &BindCounters::window_max},
    {{"bind_window_in_use", "Submits that wait for a response", Kind::gauge},
     &BindCounters::window_in_use},
    {{"bind_connects_total", "Attempts to connect"}, &BindCounters::connects},
    {{"bind_binds_total", "Binds that succeeded"}, &BindCounters::binds},
    {{"bind_refusals_total", "Binds that the carrier refused"}, &BindCounters::bind_refusals},
    {{"bind_losses_total", "Binds that ended without our unbind"}, &BindCounters::losses},
};

constexpr CellRow<CarrierMoneyCounters> kMoneyRows[] = {
    {{"carrier_messages_total", "Messages it took"}, &CarrierMoneyCounters::sent},
    {{"carrier_failovers_total", "Messages that went on to the next carrier"},
     &CarrierMoneyCounters::failovers},
    {{"carrier_cost_base_total", "Cost of the messages it took, in base currency"},
     &CarrierMoneyCounters::cost_nano,
     kNano},
    {{"carrier_revenue_base_total", "Price of the messages it took, in base currency"},
     &CarrierMoneyCounters::revenue_nano,
     kNano},
    {{"carrier_margin_base", "Price less cost, in base currency", Kind::gauge},
     &CarrierMoneyCounters::margin_nano,
     kNano,
     true},
};

Labels with(Labels labels, const char* label, std::string_view value) {
  labels.push_back({label, std::string(value)});
  return labels;
}

void add_binds(Page& page, const Labels& labels, const CarrierCounters& carrier) {
  for (std::size_t i = 0; i < carrier.binds.size(); ++i) {
    const Labels bind = with(labels, "bind", std::to_string(i));
    const BindCounters* counters = &carrier.binds[i];
    page.add<BindCounters>(kBindRows, bind, {&counters, 1});
    for (std::size_t state = 0; state < carriers::kBindStates; ++state) {
      page.add(
          {"bind_state", "1 for the state that the bind is in", Kind::gauge},
          with(bind, "state", carriers::bind_state_name(static_cast<carriers::BindState>(state))),
          counters->state.get() == state ? 1 : 0);
    }
  }
}

void add_carrier(Page& page, const Labels& labels, const CarrierCounters& carrier) {
  const CarrierCounters* counters = &carrier;
  page.add<CarrierCounters>(kCarrierRows, labels, {&counters, 1});
  for (std::size_t i = 0; i < carrier.responses.size(); ++i) {
    page.add({"carrier_responses_total", "Responses to submit_sm, by the class of their status"},
             with(labels, "class", proto::status_class_name(static_cast<proto::StatusClass>(i))),
             static_cast<double>(carrier.responses[i].get()));
  }
  for (std::size_t i = 0; i < carrier.receipts.size(); ++i) {
    page.add({"carrier_receipts_total", "Receipts matched and kept, by state"},
             with(labels, "state", proto::message_state_name(static_cast<proto::MessageState>(i))),
             static_cast<double>(carrier.receipts[i].get()));
  }
  const core::Histogram* response = &carrier.response_us;
  page.add({"carrier_submit_seconds", "submit_sm sent to its response"}, labels, {&response, 1});
  add_binds(page, labels, carrier);
}

void add_money(Page& page, const Labels& labels,
               const std::vector<const CarrierMoneyCounters*>& parts) {
  page.add<CarrierMoneyCounters>(kMoneyRows, labels, parts);
  std::vector<const core::Histogram*> receipts;
  for (const CarrierMoneyCounters* part : parts) receipts.push_back(&part->receipt_us);
  page.add({"carrier_receipt_seconds", "Message accepted to its final receipt"}, labels, receipts);
}

}  // namespace

void add_carriers(Page& page, const MetricsSources& sources) {
  for (std::size_t id = 0; id < sources.homes->carriers(); ++id) {
    const CarrierSeat& seat = sources.homes->carrier(id);
    const Labels labels{{"carrier", seat.name}};
    add_carrier(page, labels, seat.board.counters);
    std::vector<const CarrierMoneyCounters*> parts;
    for (const FlowCounters* flow : sources.flow) parts.push_back(&flow->carriers[id]);
    add_money(page, labels, parts);
  }
}

}  // namespace tollgate::gateway
