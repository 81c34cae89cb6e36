// How long the codec takes for one typical PDU, in nanoseconds: the median of 15 rounds of 10,000.
// Run by ctest, so that it cannot rot, and because it fails when the codec allocates; figures only
// mean something in preset release.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>

#include "proto/framer.h"
#include "proto/receipt.h"
#include "proto/records/record.h"
#include "proto/session.h"

using namespace tollgate::proto;

namespace {
std::size_t allocations = 0;
}

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace {

constexpr int kRounds = 15;
constexpr int kTimes = 10'000;

// Makes the compiler believe that the value is used and that memory has changed.
template <class T>
void keep(T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

template <class F>
void measure(const char* name, F&& once) {
  std::vector<double> nanoseconds;
  for (int round = 0; round < kRounds; ++round) {
    const std::size_t before = allocations;
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kTimes; ++i) once();
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    if (allocations != before) {
      std::fprintf(stderr, "%s allocated %zu times\n", name, allocations - before);
      std::exit(1);
    }
    nanoseconds.push_back(took.count() / kTimes);
  }
  std::sort(nanoseconds.begin(), nanoseconds.end());
  std::printf("%-28s %7.1f ns   (%.1f to %.1f)\n", name, nanoseconds[kRounds / 2],
              nanoseconds.front(), nanoseconds.back());
}

void measure_records(Octets body) {
  record::Accepted accepted;
  accepted.message = accepted.public_id = 0x00a1b2c3d4e5f607;
  accepted.wall_us = 1'795'000'000'000'000;
  accepted.deadline_wall_us = accepted.wall_us + 86'400'000'000;
  accepted.price_nano = 35'000'000;
  accepted.registered_delivery = 1;
  accepted.client = "shop";
  accepted.source = {5, 0, "TOLLGATE"};
  accepted.destination = {1, 1, "447700900123"};
  accepted.text = "Your code is 123456.";
  accepted.candidate_count = 3;
  accepted.candidates[0] = {21'000'000, "alpha"};
  accepted.candidates[1] = {22'500'000, "beta-premium"};
  accepted.candidates[2] = {24'000'000, "gamma"};
  accepted.body = body;
  std::uint8_t out[1024];
  std::size_t length = 0;
  measure("encode accepted record", [&] {
    keep(accepted);
    length = encode(accepted, out);
    keep(out);
  });
  const Octets payload(out, length);
  measure("decode accepted record", [&] {
    record::Accepted back;
    keep(out);
    bool good = decode(payload, back);
    keep(good);
    keep(back);
  });
  const record::Sent sent{accepted.message, accepted.wall_us, 1, "alpha", "00a1b2c3d4e5f607"};
  measure("encode sent record", [&] {
    keep(sent);
    length = encode(sent, out);
    keep(out);
  });
}

}  // namespace

int main() {
  SubmitSm sm;
  sm.source_addr_ton = 5;
  sm.source_addr = "TOLLGATE";
  sm.dest_addr_ton = 1;
  sm.dest_addr_npi = 1;
  sm.destination_addr = "447700900123";
  sm.registered_delivery = 1;
  sm.short_message =
      as_octets("Your code is 123456. It is valid for ten minutes. Do not share it.");
  std::uint8_t out[512];
  std::size_t length = encode(sm, 1, Status::ESME_ROK, out);
  if (length == 0) return 1;
  std::vector<std::uint8_t> wire(out, out + length);
  Frame frame;
  measure("frame submit_sm", [&] {
    keep(wire);
    next_frame(wire, kPduLengthMax, frame);
    keep(frame);
  });
  measure("decode submit_sm", [&] {
    SubmitSm back;
    keep(frame);
    Fault fault = decode(frame.body, back);
    keep(fault);
    keep(back);
  });
  measure("encode submit_sm", [&] {
    keep(sm);
    length = encode(sm, 1, Status::ESME_ROK, out);
    keep(out);
  });
  SubmitSmResp resp{{.message_id = "00a1b2c3d4e5f607"}};
  std::uint8_t small[64];
  measure("encode submit_sm_resp", [&] {
    keep(resp);
    length = encode(resp, 1, Status::ESME_ROK, small);
    keep(small);
  });
  const Octets resp_body(small + kHeaderLength, length - kHeaderLength);
  measure("decode submit_sm_resp", [&] {
    keep(small);
    Fault fault = decode(resp_body, resp);
    keep(fault);
    keep(resp);
  });
  DeliverSm receipt;
  receipt.esm_class = 0x04;
  receipt.short_message = as_octets(
      "id:00a1b2c3d4e5f607 sub:001 dlvrd:001 submit date:2611201000 done date:2611201001 "
      "stat:DELIVRD err:000 Text:Your code is 123456.");
  measure("parse receipt text", [&] {
    char scratch[kReceiptScratch];
    Receipt parsed;
    keep(receipt);
    bool good = parse_receipt(receipt, parsed, scratch);
    keep(good);
    keep(parsed);
  });
  measure("session verdict", [&] {
    keep(frame);
    Verdict verdict = receive_verdict(Role::mc, State::bound_trx, frame.header.command_id);
    keep(verdict);
  });
  measure_records(frame.body);
  return 0;
}
