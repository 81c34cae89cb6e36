#include "gateway/config/peer_reader.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "gateway/config/password.h"
#include "gateway/config/reader.h"
#include "proto/escape.h"

namespace tollgate::gateway {
namespace {

namespace fs = std::filesystem;

// That of nothing when it cannot be read any more: then the file is judged again.
routing::Sha256 secret_digest(const SecretFile& file) {
  const auto text = read_secret(file);
  return routing::sha256_of(text ? *text : "");
}

routing::TableFault table_fault(const ConfigFault& fault) {
  const std::string right = fault.right.empty() ? "" : " (right: " + fault.right + ")";
  return {fault.file, fault.line, fault.key, fault.value, fault.reason + right, fault.column};
}

// What both kinds of peers have in common: which files there are, whose ids they have.
template <class Peer, class NameOf>
class Roll {
 public:
  Roll(std::vector<Peer>& peers, std::size_t configured, NameOf name_of)
      : peers_(peers), configured_(configured), name_of_(name_of) {
    for (std::size_t i = 0; i < peers.size(); ++i) ids_.emplace(name_of(peers[i]), i);
  }

  // Null: it has a file of its own, or is new.
  const char* bad(const std::string& name) const {
    const auto at = ids_.find(name);
    const bool twice = at != ids_.end() && at->second < configured_;
    return twice ? "is in the configuration too: one place for each name" : nullptr;
  }
  // Null: it is new.
  const Peer* before(const std::string& name) const {
    const auto at = ids_.find(name);
    return at == ids_.end() ? nullptr : &peers_[at->second];
  }
  // False: there is no room.
  template <class Config>
  bool put(const std::string& name, const std::shared_ptr<const Config>& config, std::size_t max) {
    here_.insert(name);
    const auto at = ids_.find(name);
    if (at != ids_.end()) {
      Peer& peer = peers_[at->second];
      peer.gone = false;
      if (*peer.config != *config) peer.config = config;
      return true;
    }
    if (peers_.size() == max) return false;
    ids_.emplace(name, peers_.size());
    peers_.emplace_back().config = config;
    return true;
  }
  void finish() {
    for (std::size_t i = configured_; i < peers_.size(); ++i) {
      peers_[i].gone = !here_.contains(name_of_(peers_[i]));
    }
  }

 private:
  std::vector<Peer>& peers_;
  const std::size_t configured_;
  const NameOf name_of_;
  std::map<std::string, std::size_t> ids_;
  std::set<std::string> here_;
};

std::string too_many(std::size_t max) {
  return "is one too many: at most " + std::to_string(max) +
         ", with those that were removed since the gateway started (a restart forgets them)";
}

bool same(const Peers& a, const Peers& b) {
  const auto client = [](const ClientPeer& x, const ClientPeer& y) {
    return x.config == y.config && x.credentials == y.credentials && x.gone == y.gone;
  };
  const auto carrier = [](const CarrierPeer& x, const CarrierPeer& y) {
    return x.config == y.config && x.gone == y.gone;
  };
  return std::equal(a.clients.begin(), a.clients.end(), b.clients.begin(), b.clients.end(),
                    client) &&
         std::equal(a.carriers.begin(), a.carriers.end(), b.carriers.begin(), b.carriers.end(),
                    carrier);
}

}  // namespace

void PeerReader::Reading::fault(routing::TableFault fault) {
  // The compiler says how many there are when it shows as many as this.
  if (faults.size() <= routing::kTableFaultsMax) faults.push_back(std::move(fault));
}

// The names of a folder's *.toml, without the ending, sorted.
std::vector<std::string> PeerReader::stems(Reading& reading, const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entries(fs::path(reading.directory) / folder, error);
  if (error == std::errc::no_such_file_or_directory) return names;
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const fs::path name = entries->path().filename();
    if (name.extension() != ".toml") continue;
    if (names.size() == routing::kTableFilesMax) {
      reading.fault({folder, 0, "", "", "holds too many files"});
      break;
    }
    names.push_back(name.stem().string());
  }
  if (error) reading.fault({folder, 0, "", "", "cannot be listed: " + error.message()});
  std::sort(names.begin(), names.end());
  return names;
}

PeerReader::PeerReader(const Config& config, Ids ids)
    : has_config_(true),
      directory_(fs::path(config.path).parent_path().string()),
      secrets_(config.tables.secrets),
      clients_(config.clients.size()),
      carriers_(config.carriers.size()),
      messages_max_(config.gateway.limits.messages_per_shard),
      ids_(ids),
      current_(configured_peers(config)) {}

// The file as it was read before, when nothing in it has changed. Null: it has faults.
template <class T, class Read>
std::shared_ptr<const T> PeerReader::file(Reading& reading, const std::string& name,
                                          KeptFiles<T>& kept, Read&& read) {
  const std::size_t most = routing::kTomlOfTables.octets;
  const auto text = reading.links_out
                        ? core::read_file((fs::path(reading.directory) / name).string(), most)
                        : core::read_file_below(reading.directory, name, most);
  Kept<T>& known = kept[name];
  const routing::Sha256 sha256 = routing::sha256_of(text ? *text : "");
  const bool unchanged =
      known.config && known.sha256 == sha256 &&
      std::all_of(known.secrets.begin(), known.secrets.end(),
                  [](const auto& each) { return secret_digest(each.first) == each.second; });
  if (unchanged) return known.config;
  known = {};
  const fs::path stem = fs::path(name).replace_extension();
  PeerPlace place{directory_, stem.filename().string(), (fs::path(secrets_) / stem).string(),
                  reading.directory, has_config_};
  Faults faults(name);
  auto config = std::make_shared<T>();
  read_toml(text, routing::kTomlOfTables, faults,
            [&](Section& root) { read(root, place, *config); });
  if (faults.size() != 0) {
    for (const ConfigFault& each : std::move(faults).sorted()) reading.fault(table_fault(each));
    return nullptr;
  }
  known.sha256 = sha256;
  known.config = config;
  known.secrets = std::move(place.secrets);
  return config;
}

std::shared_ptr<const carriers::CarrierConfig> PeerReader::carrier_file(Reading& reading,
                                                                        const std::string& stem) {
  return file(reading, "carriers/" + stem + ".toml", carrier_files_,
              [](Section& root, PeerPlace& place, carriers::CarrierConfig& carrier) {
                read_carrier(root, place, carrier);
              });
}

std::shared_ptr<const ClientConfig> PeerReader::client_file(Reading& reading,
                                                            const std::string& stem,
                                                            const ClientConfig* before) {
  return file(reading, "clients/" + stem + ".toml", client_files_,
              [&](Section& root, PeerPlace& place, ClientConfig& client) {
                std::string plain;
                read_client(root, place, client, plain);
                if (has_config_) check_queue(root, messages_max_, client);
                if (plain.empty() || root.faults().size() != 0) return;
                const bool kept = before != nullptr && matches(plain, before->password_hash);
                client.password_hash = kept ? before->password_hash : hash_password(plain);
              });
}

void PeerReader::read_carriers(Reading& reading, Peers& peers) {
  const auto name_of = [](const CarrierPeer& peer) { return peer.config->name; };
  Roll roll(peers.carriers, carriers_, name_of);
  for (const std::string& stem : stems(reading, "carriers")) {
    const std::string shown = "carriers/" + proto::escaped(stem) + ".toml";
    const auto fault = [&](std::string why) { reading.fault({shown, 0, "", "", std::move(why)}); };
    if (const char* why = bad_peer_name(stem, 32)) {
      fault(why);
      continue;
    }
    if (const char* why = roll.bad(stem)) fault(why);
    auto config = carrier_file(reading, stem);
    if (config == nullptr) {  // refused; its name is known to the other files all the same
      carriers::CarrierConfig empty;
      empty.name = stem;
      config = std::make_shared<const carriers::CarrierConfig>(std::move(empty));
    }
    if (!roll.put(stem, config, kCarriersMax)) fault(too_many(kCarriersMax));
  }
  roll.finish();
}

void PeerReader::read_clients(Reading& reading, Peers& peers) {
  const auto name_of = [](const ClientPeer& peer) { return peer.config->system_id; };
  Roll roll(peers.clients, clients_, name_of);
  for (const std::string& stem : stems(reading, "clients")) {
    const std::string shown = "clients/" + proto::escaped(stem) + ".toml";
    const auto fault = [&](std::string why) { reading.fault({shown, 0, "", "", std::move(why)}); };
    if (const char* why = bad_peer_name(stem, 15)) {
      fault(why);
      continue;
    }
    if (const char* why = roll.bad(stem)) fault(why);
    const ClientPeer* before = roll.before(stem);
    auto config = client_file(reading, stem, before == nullptr ? nullptr : before->config.get());
    if (config == nullptr) {
      ClientConfig empty;
      empty.system_id = stem;
      config = std::make_shared<const ClientConfig>(std::move(empty));
    }
    if (!roll.put(stem, config, kClientsMax)) fault(too_many(kClientsMax));
  }
  roll.finish();
  for (std::size_t i = 0; i < std::min(current_->clients.size(), peers.clients.size()); ++i) {
    const ClientConfig& was = *current_->clients[i].config;
    const ClientConfig& is = *peers.clients[i].config;
    const bool other =
        was.password_hash != is.password_hash || was.long_password != is.long_password;
    if (other) ++peers.clients[i].credentials;
  }
}

std::shared_ptr<const routing::Companion> PeerReader::read(
    const std::string& directory, routing::CompileOptions& options,
    std::vector<routing::TableFault>& faults) {
  Reading reading{directory, options.links_out, faults};
  auto peers = std::make_shared<Peers>(*current_);
  read_clients(reading, *peers);
  read_carriers(reading, *peers);
  if (!has_config_) return nullptr;
  options.clients = peers->client_names();
  options.carriers = peers->carrier_names();
  options.all_named = true;
  std::shared_ptr<const Peers> result = peers;
  if (same(*current_, *peers)) result = current_;
  if (ids_ == Ids::at_once) current_ = result;
  return result;
}

void PeerReader::taken(const std::shared_ptr<const routing::Companion>& companion) {
  current_ = std::static_pointer_cast<const Peers>(companion);
}

}  // namespace tollgate::gateway
