#include "routing/store/table_cache.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "routing/csv.h"
#include "routing/fault.h"
#include "routing/store/table_codec.h"

namespace tollgate::routing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRecord = ".version";
constexpr const char* kInForce = "in_force";
constexpr const char* kUnfinished = "new-";
// Carriers' and clients' files hold passwords.
constexpr mode_t kPrivateFile = 0600;
constexpr mode_t kPrivateFolder = 0700;

std::string because(const std::string& path, int error) {
  return printable(path) + ": " + std::strerror(error);
}

// "12-0123456789ab", whole or not: what we made, and may remove.
bool is_ours(std::string_view name) {
  if (name.starts_with(kUnfinished)) name.remove_prefix(std::strlen(kUnfinished));
  const std::size_t dash = name.find('-');
  return dash != 0 && dash != name.npos && name.size() == dash + 13 &&
         name.find_first_not_of("0123456789") == dash &&
         name.find_first_not_of("0123456789abcdef", dash + 1) == name.npos;
}

bool make_folder(const fs::path& path) {
  return ::mkdir(path.c_str(), kPrivateFolder) == 0 || errno == EEXIST;
}

// An older gateway left them to be read by everybody.
void tighten(const fs::path& folder, std::error_code& error) {
  fs::permissions(folder, fs::perms::owner_all, error);
  fs::recursive_directory_iterator entries(folder, error);
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    const fs::file_status status = entries->symlink_status(error);
    if (error || fs::is_symlink(status)) continue;
    const bool is_folder = fs::is_directory(status);
    fs::permissions(*entries, fs::perms(is_folder ? kPrivateFolder : kPrivateFile), error);
  }
}

// A file that is written once and is on disk when finish() says so.
class NewFile {
 public:
  explicit NewFile(const fs::path& path)
      : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kPrivateFile)) {
    good_ = fd_ >= 0 && fchmod(fd_, kPrivateFile) == 0;
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool add(std::string_view part) {
    while (good_ && !part.empty()) {
      const ssize_t written = ::write(fd_, part.data(), part.size());
      if (written < 0 && errno == EINTR) continue;
      good_ = written > 0;
      if (good_) part.remove_prefix(static_cast<std::size_t>(written));
    }
    return good_;
  }
  bool finish() { return good_ = good_ && fsync(fd_) == 0; }

 private:
  int fd_;
  bool good_;
};

bool sync_directory(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  return synced;
}

// The content appears whole under its name, or not at all.
bool replace(const fs::path& path, std::string_view content) {
  const fs::path beside = path.string() + ".new";
  NewFile file(beside);
  return file.add(content) && file.finish() && rename(beside.c_str(), path.c_str()) == 0 &&
         sync_directory(path.parent_path());
}

std::string read_small(const fs::path& path) {
  auto text = core::read_file(path.string(), std::size_t{4} << 20);
  return text ? std::move(*text) : std::string();
}

bool is_content(const fs::path& path, const TableFile& file) {
  std::error_code error;
  if (fs::file_size(path, error) != file.octets || error) return false;
  const auto text = core::read_file(path.string(), kTableFileBytesMax);
  return text && sha256_of(*text) == file.sha256;
}

}  // namespace

TableCache::~TableCache() {
  if (lock_ >= 0) ::close(lock_);
}

std::string TableCache::folder(const TableVersion& version) const {
  const std::string name =
      std::to_string(version.number) + "-" + hex(version.checksum).substr(0, 12);
  return (fs::path(directory_) / name).string();
}

bool TableCache::is_good(const TableVersion& version) const {
  return std::any_of(good_.begin(), good_.end(), [&](const TableVersion& each) {
    return each.number == version.number && each.checksum == version.checksum;
  });
}

tl::expected<void, std::string> TableCache::open() {
  std::error_code error;
  const fs::path parent = fs::path(directory_).parent_path();
  if (!parent.empty()) fs::create_directories(parent, error);
  if (error) return tl::unexpected(because(parent.string(), error.value()));
  if (!make_folder(directory_)) return tl::unexpected(because(directory_, errno));
  const fs::path lock = fs::path(directory_) / "lock";
  lock_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kPrivateFile);
  if (lock_ < 0) return tl::unexpected(because(lock.string(), errno));
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0)
    return tl::unexpected(printable(directory_) + " is used by another gateway");
  std::vector<fs::path> rubbish;
  bool all_ours = true;
  for (const auto& entry : fs::directory_iterator(directory_, error)) {
    const std::string name = entry.path().filename().string();
    if (!is_ours(name) || !fs::is_directory(entry.symlink_status())) {
      all_ours = all_ours && (name == "lock" || name.starts_with(kInForce));
      continue;
    }
    tighten(entry.path(), error);
    if (error) return tl::unexpected(because(entry.path().string(), error.value()));
    auto version = decode_version(read_small(entry.path() / kRecord));
    if (version && folder(*version) == entry.path().string())
      good_.push_back(std::move(*version));
    else
      rubbish.push_back(entry.path());
  }
  if (error) return tl::unexpected(because(directory_, error.value()));
  // Others' things may lie beside, when the operator names a directory that has another use.
  if (all_ours) tighten(directory_, error);
  for (const fs::path& each : rubbish) fs::remove_all(each, error);
  const std::string in_force = read_small(fs::path(directory_) / kInForce);
  std::sort(good_.begin(), good_.end(), [&](const TableVersion& a, const TableVersion& b) {
    const bool first = fs::path(folder(a)).filename() == in_force;
    const bool second = fs::path(folder(b)).filename() == in_force;
    return first != second ? first : a.number > b.number;
  });
  return {};
}

tl::expected<std::string, std::string> TableCache::checked(const TableVersion& version) {
  const std::string path = folder(version);
  for (const TableFile& file : version.files) {
    if (is_content(fs::path(path) / file.name, file)) continue;
    return tl::unexpected(printable(path) + ": " + file.name +
                          " is not what was published (SHA-256)");
  }
  return path;
}

tl::expected<void, std::string> TableCache::seen(const TableVersion& version) const {
  const fs::path path = folder(version);
  for (const TableFile& file : version.files) {
    std::error_code error;
    const auto octets = fs::file_size(path / file.name, error);
    if (!error && octets == file.octets) continue;
    const std::string what = error ? error.message() : "is not as long as what was published";
    return tl::unexpected(printable(path.string()) + ": " + file.name + ": " + what);
  }
  return {};
}

StoreResult<void> TableCache::write_files(const TableVersion& version, const std::string& into,
                                          const Fetch& fetch) {
  const auto failed = [&](const std::string& name) {
    return tl::unexpected<StoreError>(
        {StoreFault::refused, "cannot write " + because(into + "/" + name, errno)});
  };
  const bool shares = !good_.empty() && checked(good_.front());
  for (const TableFile& file : version.files) {
    const fs::path path = fs::path(into) / file.name;
    std::error_code error;
    if (!make_folder(into) || !make_folder(path.parent_path())) return failed(file.name);
    const TableFile* same = shares ? find_file(good_.front().files, file.name) : nullptr;
    if (same != nullptr && same->sha256 == file.sha256) {
      fs::create_hard_link(fs::path(folder(good_.front())) / file.name, path, error);
      if (!error) continue;
    }
    NewFile to(path);
    const auto fetched = fetch(file, [&](std::string_view part) { return to.add(part); });
    if (!to.finish()) return failed(file.name);
    if (!fetched) return fetched;
  }
  return {};
}

StoreResult<std::string> TableCache::write(const TableVersion& version, const Fetch& fetch) {
  const std::string path = folder(version);
  if (is_good(version)) {
    if (const auto there = checked(version)) return *there;
    drop(version);
  }
  std::error_code error;
  const std::string beside =
      (fs::path(directory_) / (kUnfinished + fs::path(path).filename().string())).string();
  fs::remove_all(beside, error);
  const auto written = write_files(version, beside, fetch);
  if (!written) {
    fs::remove_all(beside, error);
    return tl::unexpected(written.error());
  }
  fs::remove_all(path, error);
  fs::rename(beside, path, error);
  if (error) {
    return tl::unexpected<StoreError>(
        {StoreFault::refused, "cannot rename " + because(beside, error.value())});
  }
  return path;
}

tl::expected<void, std::string> TableCache::keep(const TableVersion& version) {
  TableVersion kept = version;
  const fs::path path = folder(version);
  if (!is_good(version)) {
    if (!replace(path / kRecord, encode(kept)))
      return tl::unexpected("cannot write " + because((path / kRecord).string(), errno));
  }
  std::erase_if(good_, [&](const TableVersion& each) {
    return each.number == version.number && each.checksum == version.checksum;
  });
  good_.insert(good_.begin(), std::move(kept));
  if (!replace(fs::path(directory_) / kInForce, path.filename().string()))
    return tl::unexpected("cannot write " + because(directory_ + "/" + kInForce, errno));
  prune();
  return {};
}

void TableCache::drop(const TableVersion& version) {
  const std::string path = folder(version);
  std::error_code error;
  fs::remove_all(path, error);
  std::erase_if(good_, [&](const TableVersion& each) { return folder(each) == path; });
}

// Those that were in force longest ago go.
void TableCache::prune() {
  while (good_.size() > kCachedVersionsMax) drop(TableVersion(good_.back()));
}

}  // namespace tollgate::routing
