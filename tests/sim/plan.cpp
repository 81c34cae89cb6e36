#include "tests/sim/plan.h"

#include <string>

namespace tollgate::sim {
namespace {

// Half of all worlds do without a fault; so that what one fault does is not hidden by the others.
double maybe(Random& random, double most) {
  return random.chance(0.5) ? random.unit() * most : 0;
}

ClientPlan client_plan(Random& random) {
  ClientPlan plan;
  plan.sessions = static_cast<unsigned>(random.between(1, 2));
  plan.gap_us = random.between(200, 4000) * kMs;
  plan.numbers = static_cast<unsigned>(random.between(1, 8));
  plan.burst = maybe(random, 0.05);
  plan.later = maybe(random, 0.3);
  plan.silent = maybe(random, 0.05);
  plan.slow = maybe(random, 0.1);
  plan.leave = maybe(random, 0.02);
  return plan;
}

CarrierPlan carrier_plan(Random& random) {
  CarrierPlan plan;
  plan.binds = static_cast<unsigned>(random.between(1, 2));
  plan.refuse = maybe(random, 0.2);
  plan.throttle = maybe(random, 0.2);
  plan.mute = maybe(random, 0.05);
  plan.slow = maybe(random, 0.1);
  plan.early = maybe(random, 0.3);
  plan.late = maybe(random, 0.3);
  plan.twice = maybe(random, 0.2);
  plan.no_receipt = maybe(random, 0.02);
  plan.leave = maybe(random, 0.02);
  plan.hex_ids = random.chance(0.3);
  // A receipt that overtakes its response on another bind looks like one of the id's last message.
  plan.ids_repeat = random.chance(0.3);
  if (plan.ids_repeat) plan.binds = 1;
  return plan;
}

std::uint32_t sometimes(Random& random, std::int64_t from, std::int64_t to) {
  return random.chance(0.25) ? static_cast<std::uint32_t>(random.between(from, to)) : 0;
}

LimitPlan limit_plan(Random& random) {
  LimitPlan plan;
  if (random.chance(0.5)) return plan;
  plan.messages = sometimes(random, 10, 200);
  plan.client_queue = sometimes(random, 1, 40);
  plan.client_receipts = sometimes(random, 1, 100);
  plan.receipts_window = sometimes(random, 1, 5);
  plan.bind_window = sometimes(random, 1, 5);
  plan.carrier_queue = sometimes(random, 1, 20);
  plan.early_receipts = sometimes(random, 1, 5);
  plan.pace_per_s = sometimes(random, 1, 20);
  return plan;
}

// What plans did not know when the first seeds were kept: a chance of its own, so that whoever adds
// to it does not give every seed another world.
void widen(Plan& plan, Random random) {
  for (ClientPlan& client : plan.clients) {
    client.absent = maybe(random, 0.005);
    client.multi = maybe(random, 0.3);
    client.old = random.chance(0.2);
  }
  for (CarrierPlan& carrier : plan.carrier) {
    static constexpr carriers::InDoubt kPolicies[] = {
        carriers::InDoubt::hold, carriers::InDoubt::hold, carriers::InDoubt::resend,
        carriers::InDoubt::fail};
    carrier.in_doubt = kPolicies[random.below(std::size(kPolicies))];
    carrier.old = random.chance(0.2) && !carrier.ids_repeat;
  }
}

void put(std::uint32_t limit, std::uint32_t& value) {
  if (limit != 0) value = limit;
}

}  // namespace

Plan make_plan(Random& random, std::uint64_t seed) {
  Plan plan;
  plan.shards = static_cast<unsigned>(random.between(1, 3));
  plan.carriers = static_cast<unsigned>(random.between(1, 3));
  plan.net.latency_us = random.between(50, 20'000);
  plan.net.cut_reads = maybe(random, 0.3);
  plan.net.cut_writes = maybe(random, 0.1);
  plan.net.reset = maybe(random, 0.01);
  plan.limits = limit_plan(random);
  for (ClientPlan& client : plan.clients) client = client_plan(random);
  for (CarrierPlan& carrier : plan.carrier) carrier = carrier_plan(random);
  plan.quantum_us = random.between(20, 150) * kMs;
  plan.slow_sync = maybe(random, 0.005);
  plan.sync_us = random.chance(0.5) ? 0 : random.between(0, 30) * kMs;
  plan.crash = random.chance(0.8) ? random.unit() * 0.02 : 0;
  plan.stop = maybe(random, 0.004);
  plan.no_space = maybe(random, 0.004);
  plan.sync_error = maybe(random, 0.002);
  plan.reload = maybe(random, 0.02);
  plan.clock_jump = maybe(random, 0.01);
  // A parked receipt's age is told by the wall clock, and its id may be given again.
  for (const CarrierPlan& carrier : plan.carrier) {
    if (carrier.ids_repeat) plan.clock_jump = 0;
  }
  widen(plan, Random(~seed));
  Random own(~seed ^ 9);
  if (own.chance(0.5)) {
    plan.limits.receipts_memory = static_cast<std::uint32_t>(own.between(1, 40));
  }
  plan.details = seed % 4 != 3;
  return plan;
}

gateway::Config make_config(const Plan& plan, std::uint64_t seed) {
  Random relays(seed ^ 0x72656C6179);
  gateway::Config config;
  config.gateway.shards = plan.shards;
  config.gateway.listen = {{"192.0.2.1", 2775}};
  config.gateway.limits.messages_per_shard = 10'000;
  put(plan.limits.messages, config.gateway.limits.messages_per_shard);
  config.gateway.limits.mailbox_octets = gateway::kMailboxLeast;
  config.journal.segment_octets = kSegmentOctets;
  config.gateway.in_doubt_hold_us = kInDoubtHoldUs;
  for (const char* name : {"shop", "depot"}) {
    gateway::ClientConfig client;
    client.system_id = name;
    client.password_hash = "tgR4kNVRwOMR2";  // "pw", the cheapest method that crypt checks
    client.inactivity_us = 0;
    // A submit_multi is stored, also of a client that relays: the book does not tell them apart.
    const bool multi = plan.clients[config.clients.size()].multi > 0;
    if (relays.chance(0.3) && !multi) client.accept = gateway::Accept::relay;
    client.receipt_keep_us = kReceiptKeepUs;
    put(plan.limits.client_queue, client.queue_max);
    put(plan.limits.client_receipts, client.receipts_max);
    put(plan.limits.receipts_memory, client.receipts_memory);
    put(plan.limits.receipts_window, client.receipts_window);
    config.clients.push_back(client);
  }
  const char* names[] = {"alpha", "bravo", "charlie"};
  for (std::size_t i = 0; i < plan.carriers; ++i) {
    carriers::CarrierConfig carrier;
    carrier.name = names[i];
    for (unsigned b = 0; b < plan.carrier[i].binds; ++b) {
      carriers::BindConfig bind;
      bind.address = {names[i], 2775};
      bind.system_id = "tollgate";
      bind.password = "secret";
      bind.window = kBindWindow;
      put(plan.limits.bind_window, bind.window);
      if (plan.carrier[i].old) {
        bind.interface_version = 0x33;
        bind.kind = proto::Command::bind_receiver;
        carrier.binds.push_back(bind);
        bind.kind = proto::Command::bind_transmitter;
      }
      carrier.binds.push_back(bind);
    }
    carrier.queue_max = 20'000;
    carrier.awaiting_max = 20'000;
    put(plan.limits.carrier_queue, carrier.queue_max);
    put(plan.limits.early_receipts, carrier.early_receipts_max);
    carrier.pace_per_s = plan.limits.pace_per_s;
    carrier.in_doubt = plan.carrier[i].in_doubt;
    if (plan.carrier[i].hex_ids) {
      carrier.dialect.id_response = carriers::IdForm::hex;
      carrier.dialect.id_receipt_text = carriers::IdForm::decimal;
    }
    config.carriers.push_back(carrier);
  }
  return config;
}

}  // namespace tollgate::sim
