// `tollgate records`, `tollgate margins`, `tollgate explain --message`, `tollgate rates replay`:
// what detail records say. Each returns the exit status: 0 fine, 1 findings, 2 bad usage.
#pragma once

#include <optional>
#include <string>

#include "gateway/cli/record_source.h"

namespace CLI {
class App;
}

namespace tollgate::gateway::cli {

struct RecordsOptions : RecordFilter {
  std::string by;           // margins; records: --sum
  std::uint64_t limit = 0;  // of records, or rows; 0 = all
  bool json = false;
};

struct ReplayOptions : RecordFilter {
  std::string tables;  // a draft's number, draft:N, version:N or a directory
  std::string against;
  std::string at;  // which rows are in force; "" = a draft's last one, else now
  std::uint64_t limit = 20;
  bool json = false;
};

// Sums stop where 64 bits end, and no command passes one off as the whole.
inline constexpr const char* kCutSums =
    "some sums are beyond 9223372036.85, the most that is counted, and are shown as that";

int records(const RecordsOptions& options);
int margins(const RecordsOptions& options);
int replay(const ReplayOptions& options);

struct RecordCommands {
  RecordsOptions records;
  RecordsOptions margins;
  ReplayOptions replay;
};

// The flags. `rates` gets replay.
void add_records(CLI::App& app, RecordCommands& commands);
// The exit status, or none when the parse found another command.
std::optional<int> run_records(const CLI::App& app, RecordCommands& commands);

// One record, for people and as JSON (one object, one line).
std::string record_text(const proto::detail::Detail& detail);
std::string record_json_line(const proto::detail::Detail& detail);

}  // namespace tollgate::gateway::cli
