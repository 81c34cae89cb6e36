// What the journal's tests share: records whose content follows from (stream, number), and the
// judgement of what is read back.
#pragma once
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "core/journal/journal.h"
#include "core/journal/reader.h"

namespace tollgate::core::testing {

// 8 octets of the number, then up to 600 that follow from stream and number.
inline std::vector<std::uint8_t> payload_of(unsigned stream, std::uint64_t number) {
  std::minstd_rand random(static_cast<std::uint32_t>(number * 31 + stream + 1));
  random.discard(2);
  const std::size_t size = 8 + (random() % 8 == 0 ? random() % 470 : random() % 120);
  std::vector<std::uint8_t> octets(size);
  std::memcpy(octets.data(), &number, 8);
  for (std::size_t i = 8; i < size; ++i) octets[i] = static_cast<std::uint8_t>(random());
  return octets;
}
inline std::uint32_t type_of(unsigned stream, std::uint64_t number) {
  return static_cast<std::uint32_t>((number * 7 + stream) % 1000);
}

struct StreamState {
  std::uint64_t appended = 0;     // numbers 1 .. appended exist
  std::uint64_t durable = 0;      // announced
  std::uint64_t needed_from = 1;  // what lies before may have been removed
};

struct ReadBack {
  JournalReport report;
  std::vector<std::vector<std::uint64_t>> numbers;  // of each stream
  std::string fault;                                // "" or what is wrong
};

inline ReadBack read_back(Storage& storage, unsigned streams, bool quarantine = false) {
  ReadBack back;
  back.numbers.resize(streams);
  JournalReadOptions options;
  options.quarantine = quarantine;
  const auto check = [&](const JournalRecord& record) {
    std::uint64_t number = 0;
    if (record.stream >= streams || record.payload.size() < 8) {
      back.fault = "a record of no stream, or too short";
      return;
    }
    std::memcpy(&number, record.payload.data(), 8);
    const auto expected = payload_of(record.stream, number);
    if (!std::equal(expected.begin(), expected.end(), record.payload.begin(),
                    record.payload.end()) ||
        record.type != type_of(record.stream, number)) {
      back.fault = "a record that nobody appended";
    }
    auto& numbers = back.numbers[record.stream];
    if (!numbers.empty() && numbers.back() >= number) back.fault = "records out of order";
    numbers.push_back(number);
  };
  auto report = read_journal(storage, check, options);
  if (report) {
    back.report = std::move(*report);
  } else {
    back.fault = report.error();
  }
  return back;
}

// Every number from needed_from to durable is there, none above appended.
inline std::string missing(const ReadBack& back, const std::vector<StreamState>& states) {
  std::ostringstream text;
  if (!back.fault.empty()) return back.fault;
  for (unsigned s = 0; s < states.size(); ++s) {
    std::uint64_t want = states[s].needed_from;
    for (const std::uint64_t number : back.numbers[s]) {
      if (number > states[s].appended) text << "stream " << s << " invented " << number << "; ";
      if (number == want) ++want;
    }
    if (want <= states[s].durable) {
      text << "stream " << s << " lost " << want << " (durable " << states[s].durable << "); ";
    }
  }
  return text.str();
}

// No number is left out between the first and the last read.
inline bool without_gap(const ReadBack& back) {
  for (const auto& numbers : back.numbers) {
    for (std::size_t i = 1; i < numbers.size(); ++i) {
      if (numbers[i] != numbers[i - 1] + 1) return false;
    }
  }
  return true;
}

inline void append_next(Journal::Stream& stream, unsigned index, StreamState& state) {
  const std::uint64_t number = ++state.appended;
  const auto payload = payload_of(index, number);
  const std::size_t head = payload.size() / 2;
  const Octets all(payload);
  if (number % 2 == 0) {
    stream.append(type_of(index, number), all.first(head), all.subspan(head));
    return;
  }
  // Asks for more than it takes.
  const std::size_t most = payload.size() + number % 5 * 40;
  stream.append(type_of(index, number), most, [&](Out out) {
    std::memset(out.data(), 0xEE, out.size());
    std::memcpy(out.data(), payload.data(), payload.size());
    return payload.size();
  });
}

}  // namespace tollgate::core::testing
