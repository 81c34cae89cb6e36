// Reads the carriers and clients of a table set: carriers/NAME.toml and clients/SYSTEM_ID.toml,
// each with the keys of one [[carrier]] or [[client]] of the configuration, which has the permanent
// ones. On the feed's thread, or a command's.
//
// Invariants
// 1. Every fault of every file is reported, with line, column, key, value and what would be right;
//    a password's value never.
// 2. A name has one id for the life of the reader, even while it is gone. With Ids::when_taken only
//    sets that were in force give ids; with Ids::at_once every set that was read does, so that two
//    can be compared by id.
// 3. An unchanged file with unchanged password files is not parsed again; an unchanged plain
//    password keeps its hash.
// Bounds: kClientsMax and kCarriersMax names, including those that are gone.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/config/peers.h"
#include "gateway/config/rules.h"
#include "routing/compile/compile.h"
#include "routing/store/table_set.h"

namespace tollgate::gateway {

class PeerReader final : public routing::Companions {
 public:
  enum class Ids : std::uint8_t { when_taken, at_once };
  explicit PeerReader(const Config& config, Ids ids = Ids::when_taken);
  // Without a configuration: the files' faults alone, and no password file is looked at.
  PeerReader() = default;

  std::shared_ptr<const routing::Companion> read(const std::string& directory,
                                                 routing::CompileOptions& options,
                                                 std::vector<routing::TableFault>& faults) override;
  void taken(const std::shared_ptr<const routing::Companion>& companion) override;

 private:
  template <class T>
  struct Kept {
    routing::Sha256 sha256{};
    std::vector<ReadSecret> secrets;
    std::shared_ptr<const T> config;
  };
  template <class T>
  using KeptFiles = std::map<std::string, Kept<T>>;  // by their names

  struct Reading {
    const std::string& directory;
    bool links_out;
    std::vector<routing::TableFault>& faults;
    void fault(routing::TableFault fault);
  };
  static std::vector<std::string> stems(Reading& reading, const std::string& folder);

  template <class T, class Read>
  std::shared_ptr<const T> file(Reading& reading, const std::string& name, KeptFiles<T>& kept,
                                Read&& read);
  std::shared_ptr<const carriers::CarrierConfig> carrier_file(Reading& reading,
                                                              const std::string& stem);
  std::shared_ptr<const ClientConfig> client_file(Reading& reading, const std::string& stem,
                                                  const ClientConfig* before);
  void read_carriers(Reading& reading, Peers& peers);
  void read_clients(Reading& reading, Peers& peers);

  // Of the configuration; nothing of it is kept.
  bool has_config_ = false;
  std::string directory_;
  std::string secrets_;  // of table sets
  std::size_t clients_ = 0, carriers_ = 0;
  std::uint32_t messages_max_ = 0;
  Ids ids_ = Ids::when_taken;
  std::shared_ptr<const Peers> current_ = std::make_shared<Peers>();
  KeptFiles<carriers::CarrierConfig> carrier_files_;
  KeptFiles<ClientConfig> client_files_;
};

}  // namespace tollgate::gateway
