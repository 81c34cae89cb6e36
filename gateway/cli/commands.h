// The commands of `tollgate`, without their flags: gateway/cli/main.cpp reads those.
//
// Each returns the exit status: 0 fine, 1 findings (faults, no route, not a PDU), 2 bad usage. The
// result goes to stdout; if there is none, the reason goes to stderr.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tollgate::gateway::cli {

inline constexpr int kFine = 0;
inline constexpr int kFindings = 1;
inline constexpr int kBadUsage = 2;

struct RunOptions {
  std::string config;
  std::uint32_t shards = 0;  // 0 = what the configuration says
  bool core_dumps = false;   // allowed, with the passwords that are in memory
};
int run(const RunOptions& options);

struct CheckOptions {
  std::string config;
  bool json = false;
};
int check(const CheckOptions& options);

struct ExplainOptions {
  std::string number;
  std::string client;
  std::string from;
  std::string config;
  std::string tables;   // a version's number, "current", "draft:17" or a directory; "" = in force
  std::string at;       // an instant; "" = now
  std::string message;  // the decision that was taken of this one, instead
  std::string records;  // where its detail record is; "" = the configuration's
  bool json = false;
};
int explain(const ExplainOptions& options);
// explain --message (gateway/cli/explain_message.cpp)
int explain_message(const ExplainOptions& options);

struct PduOptions {
  std::vector<std::string> hex;  // "-": from stdin
};
int pdu(const PduOptions& options);

struct JournalOptions {
  std::string directory;
  std::string message;  // only this one's records; empty = all
  bool verify = false;
  bool audit = false;
  bool dead = false;
  bool json = false;
  std::uint64_t limit = 0;  // of records, and of findings; 0 = all
};
int journal(const JournalOptions& options);

// The file that is meant when --config is absent: ./tollgate.toml, else the system's.
std::string default_config();

}  // namespace tollgate::gateway::cli
