#include "gateway/cli/desk.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/table_side.h"
#include "gateway/cli/terminal.h"
#include "gateway/config/tables_place.h"
#include "gateway/config/texts.h"
#include "routing/sheets/template.h"

namespace tollgate::gateway::cli {
namespace {

namespace fs = std::filesystem;

std::string user_name() {
  if (const char* who = getenv("TOLLGATE_WHO"); who != nullptr && *who != '\0') return who;
  const passwd* user = getpwuid(geteuid());
  return user != nullptr ? user->pw_name : std::to_string(geteuid());
}

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::vector<std::string> template_faults(const std::string& directory) {
  std::vector<std::string> faults;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(fs::path(directory) / "templates", error)) {
    const fs::path& path = entry.path();
    if (path.extension() != ".toml" || path.filename().string().front() == '.') continue;
    const std::string name = "templates/" + routing::printable(path.filename().string());
    const auto text = core::read_file(path.string(), routing::kTemplateBytesMax);
    if (!text) {
      faults.push_back(name + ": " + text.error().reason);
      continue;
    }
    const auto parsed = routing::parse_template(*text);
    if (parsed) continue;
    for (const std::string& fault : parsed.error()) faults.push_back(name + ", " + fault);
  }
  return faults;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || c == '.' || c == '+' || c == '-' || c == '%';
  });
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::error_code error;
  std::string path = (fs::temp_directory_path(error) / "tollgate-XXXXXX").string();
  if (mkdtemp(path.data()) != nullptr) path_ = path;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  if (!path_.empty()) fs::remove_all(path_, error);
}

Desk::Desk(DeskOptions options, std::string command, std::optional<Config> config,
           routing::StoreOptions store)
    : options_(std::move(options)),
      command_(std::move(command)),
      config_(std::move(config)),
      peers_(config_ ? std::make_shared<PeerReader>(*config_, PeerReader::Ids::at_once)
                     : std::make_shared<PeerReader>()),
      store_(std::move(store)) {
  if (options_.who.empty()) options_.who = user_name();
}

std::optional<Desk> Desk::open(const DeskOptions& options, std::string command) {
  const auto told = [&](const std::string& text) {
    print(stderr, "tollgate " + command + ": " + text + "\n");
    return std::nullopt;
  };
  const std::string path = options.config.empty() ? default_config() : options.config;
  std::error_code error;
  std::optional<Config> config;
  if (options.redis.empty() || !options.config.empty() || fs::exists(path, error)) {
    auto loaded = load_config(path);
    if (!loaded) {
      for (const ConfigFault& fault : loaded.error()) print(stderr, fault.text() + "\n");
      return std::nullopt;
    }
    config = std::move(*loaded);
  }
  TablesConfig tables = config ? config->tables : TablesConfig();
  if (!options.redis.empty()) {
    std::string why;
    if (!parse_redis(options.redis, tables, why)) return told("--redis " + why);
  } else if (tables.redis.empty()) {
    return told("the tables of " + path + " are a directory, " + config->gateway.tables +
                ": there are no versions (see [tables] redis, or --redis)");
  }
  if (!options.prefix.empty()) tables.prefix = options.prefix;
  return Desk(options, std::move(command), std::move(config), store_options(tables));
}

routing::Actor Desk::actor(const std::string& note) const {
  return {options_.who, note, core::read_clock().wall_us};
}

int Desk::complain(int status, const std::string& text) const {
  print(stderr, "tollgate " + command_ + ": " + text + "\n");
  return status;
}

int Desk::complain(const routing::StoreError& error) const {
  return complain(kFindings, error.reason);
}

routing::CompileOptions Desk::compile_options() const {
  routing::CompileOptions options;
  options.companions = peers_;
  options.links_out = true;  // with the rights of whoever asks; an overlay is links
  options.now_us = core::read_clock().wall_us;
  return options;
}

bool Desk::compiles(const std::string& directory) const {
  std::vector<std::string> faults = template_faults(directory);
  const auto tables = routing::compile_directory(directory, compile_options());
  if (!tables) {
    for (const routing::TableFault& fault : tables.error())
      faults.push_back(routing::fault_text(fault));
  }
  if (faults.empty()) return true;
  for (const std::string& fault : faults) print(stderr, fault + "\n");
  complain(kFindings, counted(faults.size(), "fault") + ": nothing was stored");
  return false;
}

routing::StoreResult<bool> Desk::draft_compiles(const routing::TableDraft& draft) {
  const TemporaryFolder folder;
  const auto files = store_.files_of(draft);
  if (!files) return tl::unexpected(files.error());
  if (const auto written = write_files(store_, *files, folder.path()); !written)
    return tl::unexpected(written.error());
  return compiles(folder.path());
}

routing::StoreResult<void> write_files(routing::Store& store,
                                       const std::vector<routing::TableFile>& files,
                                       const std::string& directory) {
  const auto failed = [](const std::string& why) {
    return tl::unexpected<routing::StoreError>({routing::StoreFault::invalid, why});
  };
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return failed(routing::printable(directory) + ": " + error.message());
  const auto there = routing::read_directory(directory);
  if (!there) return failed(there.error());
  if (!there->empty())
    return failed(routing::printable(directory) + " holds tables already: name an empty one");
  for (const routing::TableFile& file : files) {
    const fs::path path = fs::path(directory) / file.name;
    fs::create_directories(path.parent_path(), error);
    // It may hold a password. An empty one, for us alone, which is written next.
    if (routing::is_peer_name(file.name))
      ::close(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    std::ofstream out(path, std::ios::binary);
    const auto fetched = store.fetch(file, [&](std::string_view part) {
      return out.write(part.data(), static_cast<std::streamsize>(part.size())).good();
    });
    if (!fetched) return fetched;
    if (!out.flush()) return failed(routing::printable(path.string()) + " cannot be written");
  }
  return {};
}

routing::StoreResult<std::string> tables_directory(const Config& config,
                                                   const TemporaryFolder& folder) {
  if (!config.gateway.tables.empty()) return config.gateway.tables;
  routing::Store store(store_options(config.tables));
  const auto version = store.version(0);
  if (!version) return tl::unexpected(version.error());
  if (const auto written = write_files(store, version->files, folder.path()); !written)
    return tl::unexpected(written.error());
  return folder.path();
}

routing::StoreResult<ChosenTables> choose_tables(const Config& config, const std::string& which,
                                                 const TemporaryFolder& folder) {
  if (which.empty() && config.tables.redis.empty())
    return ChosenTables{config.gateway.tables, tables_place(config)};
  const std::string name = which.empty() ? "current" : which;
  if (!is_stored(name)) return ChosenTables{name, routing::printable(name)};
  if (config.tables.redis.empty()) {
    return tl::unexpected<routing::StoreError>(
        {routing::StoreFault::missing, routing::printable(which) +
                                           ": there are no versions, the tables are a directory, " +
                                           config.gateway.tables});
  }
  routing::Store store(store_options(config.tables));
  const auto side = table_side(store, name);
  if (!side) return tl::unexpected(side.error());
  if (const auto written = write_files(store, side->files, folder.path()); !written)
    return tl::unexpected(written.error());
  const std::string place = which.empty() ? "" : which + " of ";
  return ChosenTables{folder.path(), place + tables_place(config), side->version};
}

std::string tables_place(const Config& config) {
  return config.gateway.tables.empty() ? "Redis at " + config.tables.redis : config.gateway.tables;
}

std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  std::vector<bool> numbers;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t i = 0; i < rows[row].size(); ++i) {
      if (i == widths.size()) {
        widths.push_back(0);
        numbers.push_back(rows.size() > 1);
      }
      widths[i] = std::max(widths[i], width(rows[row][i]));
      if (row > 0 && !is_number(rows[row][i]) && !rows[row][i].empty()) numbers[i] = false;
    }
  }
  std::string text;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    std::string line;
    for (std::size_t i = 0; i < rows[row].size(); ++i) {
      const std::string blanks(widths[i] - width(rows[row][i]), ' ');
      if (i > 0) line += "  ";
      line += numbers[i] ? blanks + rows[row][i] : rows[row][i] + blanks;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += (row == 0 ? bold(line, stdout) : line) + "\n";
  }
  return text;
}

std::string moment_text(std::int64_t wall_us) {
  if (wall_us == 0) return "";
  const std::time_t seconds = wall_us / 1'000'000;
  std::tm utc{};
  std::array<char, 40> text{};
  if (gmtime_r(&seconds, &utc) == nullptr) return std::to_string(wall_us);
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return std::string(text.data(), length);
}

}  // namespace tollgate::gateway::cli
