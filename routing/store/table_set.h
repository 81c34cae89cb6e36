// Table sets as versions and drafts: plain data, and what can be said about it without Redis.
//
// A table set is a directory of CSV files (docs/tables.md). Here it is a list of files, each with
// the SHA-256 of its content: a blob. Versions never change; drafts change a version's list.
//
// 1. Lists of files are sorted by name, and no name is there twice.
// 2. A name is "name.csv", "folder/name.csv", or "name.toml" in templates/, carriers/ or clients/,
//    of letters, digits, '-', '_' and '.', no part of it begins with '.': it can be joined to any
//    directory (bad_table_name()).
// 3. Bounds: kTableFilesMax files, kTableFileBytesMax octets each (routing/csv.h).
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace tollgate::routing {

inline constexpr std::size_t kTableFilesMax = 8'192;
inline constexpr std::size_t kNoteOctetsMax = 1'000;
inline constexpr std::size_t kWhoOctetsMax = 100;

using Sha256 = std::array<std::uint8_t, 32>;
Sha256 sha256_of(std::string_view octets);
std::string hex(const Sha256& sha256);  // 64 digits

struct TableFile {
  std::string name;
  Sha256 sha256{};
  std::uint64_t octets = 0;
  std::uint64_t rows = 0;  // lines after the header
  bool operator==(const TableFile&) const = default;
};

enum class Origin : std::uint8_t { publish, schedule, rollback };
const char* origin_name(Origin);

struct TableVersion {
  std::uint32_t number = 0;
  std::uint32_t based_on = 0;
  std::string who;
  std::int64_t when_us = 0;
  std::string note;
  Origin origin = Origin::publish;
  std::uint32_t rolled_back_to = 0;
  std::uint32_t draft = 0;
  std::vector<TableFile> files;
  Sha256 checksum{};  // of the record as stored: tells two versions of one number apart
};

enum class DraftState : std::uint8_t { draft, approved, scheduled, published, discarded, failed };
const char* state_name(DraftState);

struct TableDraft {
  std::uint32_t id = 0;
  std::uint32_t base = 0;
  std::uint32_t revision = 0;
  std::string who;
  std::int64_t when_us = 0;
  std::string note;
  DraftState state = DraftState::draft;
  std::vector<TableFile> changed;
  std::vector<std::string> removed;
  std::string summary;
  std::string approved_by;
  std::string scheduled_by;
  std::int64_t publish_at_us = 0;
  std::uint32_t published_as = 0;
  std::string reason;

  bool open() const { return state != DraftState::published && state != DraftState::discarded; }
};

struct TableAct {
  std::string id;  // its place in the stream
  std::string who;
  std::int64_t when_us = 0;
  std::string what;
  std::string note;
  std::uint32_t version = 0;
  std::uint32_t based_on = 0;
  std::uint32_t draft = 0;
  std::string detail;
};

struct GatewayReport {
  std::string gateway;
  std::uint32_t version = 0;
  std::int64_t since_us = 0;
  std::uint32_t refused_version = 0;
  std::string reason;
  std::int64_t when_us = 0;
};

// nullptr = fine, else why not.
const char* bad_table_name(std::string_view name);
// How a carrier writes its sheets (docs/rate-sheets.md): versioned with the tables, no table.
bool is_template_name(std::string_view name);
// A carrier's or client's configuration (docs/tables.md): it may hold passwords.
bool is_peer_name(std::string_view name);

const TableFile* find_file(const std::vector<TableFile>& files, std::string_view name);

// The base's files with the draft's changes.
std::vector<TableFile> changed_files(const std::vector<TableFile>& base, const TableDraft& draft);

// By name: which files differ, and how. `before` absent: new; `after` absent: removed.
struct FileDifference {
  std::string name;
  std::optional<TableFile> before;
  std::optional<TableFile> after;
};
std::vector<FileDifference> differences(const std::vector<TableFile>& before,
                                        const std::vector<TableFile>& after);

// The files that the draft changes and that differ between its base and `current` as well, other
// than by the same change: what stands in the way of a rebase.
std::vector<std::string> conflicts(const TableDraft& draft, const std::vector<TableFile>& base,
                                   const std::vector<TableFile>& current);

// What a draft does to one file. Without text: it is removed.
struct FileChange {
  std::string name;
  std::optional<std::string> text;
};

// A directory's *.csv files, its own and those of its folders, and the *.toml of templates,
// carriers and clients. The reason
// when one cannot be read, is too large or has a bad name.
using DirectoryTexts = std::vector<std::pair<std::string, std::string>>;  // name, content; by name
tl::expected<DirectoryTexts, std::string> read_directory(const std::string& directory);

// Lines with anything in them, the first (the header) not counted.
std::uint64_t count_rows(std::string_view text);
// The file that such a content makes.
TableFile describe(std::string_view name, std::string_view text);

}  // namespace tollgate::routing
