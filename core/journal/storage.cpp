#include "core/journal/storage.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <utility>

namespace tollgate::core {
namespace {

class Fd {
 public:
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

// 0 or errno of a call that returns -1 on error; again after EINTR.
template <class Call>
int result_of(Call call) {
  while (call() < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

class DiskFile final : public File {
 public:
  // `direct`: the same file without the system's cache; -1 where there is no such thing.
  explicit DiskFile(Fd fd, Fd direct = Fd(-1)) noexcept
      : fd_(std::move(fd)), direct_(std::move(direct)) {}

  int pwrite_all(Octets octets, std::uint64_t at) override {
    while (!octets.empty()) {
      const bool direct = direct_.get() >= 0 && aligned(octets, at);
      const ssize_t n = ::pwrite(direct ? direct_.get() : fd_.get(), octets.data(), octets.size(),
                                 static_cast<off_t>(at));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EINVAL && direct) {  // the disk's blocks are larger than ours
        direct_ = Fd(-1);
        continue;
      }
      if (n < 0) return errno;
      if (n == 0) return EIO;
      octets = octets.subspan(static_cast<std::size_t>(n));
      at += static_cast<std::uint64_t>(n);
    }
    return 0;
  }

  ssize_t read(Out out, std::uint64_t at) override {
    std::size_t got = 0;
    while (got < out.size()) {
      const ssize_t n =
          ::pread(fd_.get(), out.data() + got, out.size() - got, static_cast<off_t>(at + got));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return -errno;
      if (n == 0) break;
      got += static_cast<std::size_t>(n);
    }
    return static_cast<ssize_t>(got);
  }

  // Not again after EINTR either: what it means for the octets is not known.
  int datasync() override { return ::fdatasync(fd_.get()) == 0 ? 0 : errno; }

  int allocate(std::uint64_t size) override {
    const int error =
        result_of([&] { return ::fallocate(fd_.get(), 0, 0, static_cast<off_t>(size)); });
    return error == EOPNOTSUPP ? fill(size) : error;
  }

  int size(std::uint64_t& octets) override {
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0) return errno;
    octets = static_cast<std::uint64_t>(status.st_size);
    return 0;
  }

  std::uint64_t id() const override {
    struct stat status {};
    return ::fstat(fd_.get(), &status) == 0 ? status.st_ino : 0;
  }

 private:
  static bool aligned(Octets octets, std::uint64_t at) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(octets.data());
    return (address | octets.size() | at) % kStorageBlock == 0;
  }

  int fill(std::uint64_t size) {
    static constexpr std::array<std::uint8_t, 65'536> kZeros{};
    std::uint64_t at = 0;
    if (const int error = this->size(at)) return error;
    while (at < size) {
      const std::size_t n = std::min<std::uint64_t>(kZeros.size(), size - at);
      if (const int error = pwrite_all({kZeros.data(), n}, at)) return error;
      at += n;
    }
    return 0;
  }

  Fd fd_;
  Fd direct_;
};

class Directory final : public Storage {
 public:
  Directory(std::string path, Fd fd, StorageUse use)
      : path_(std::move(path)), fd_(std::move(fd)), use_(use) {}

  int create(std::string_view name, FilePtr& file) override {
    return use_ == StorageUse::read_only ? EROFS : open(name, O_RDWR | O_CREAT | O_EXCL, file);
  }
  int open(std::string_view name, FilePtr& file) override {
    return open(name, use_ == StorageUse::read_only ? O_RDONLY : O_RDWR, file);
  }

  int list(std::vector<std::string>& names) override {
    names.clear();
    const int fd = ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno;
    DIR* const directory = ::fdopendir(fd);
    if (directory == nullptr) {
      const int error = errno;
      ::close(fd);
      return error;
    }
    errno = 0;
    while (const dirent* entry = ::readdir(directory)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    const int error = errno;
    ::closedir(directory);
    return error;
  }

  int remove(std::string_view name) override {
    if (use_ == StorageUse::read_only) return EROFS;
    return result_of(
        [&, path = std::string(name)] { return ::unlinkat(fd_.get(), path.c_str(), 0); });
  }
  int link(std::string_view name, std::string_view second) override {
    if (use_ == StorageUse::read_only) return EROFS;
    const std::string from(name);
    const std::string to(second);
    return result_of([&] { return ::linkat(fd_.get(), from.c_str(), fd_.get(), to.c_str(), 0); });
  }
  int sync_directory() override {
    if (use_ == StorageUse::read_only) return EROFS;
    return ::fsync(fd_.get()) == 0 ? 0 : errno;
  }
  int free_octets(std::uint64_t& octets) override {
    struct statvfs status {};
    if (const int error = result_of([&] { return ::fstatvfs(fd_.get(), &status); })) return error;
    octets = std::uint64_t{status.f_bavail} * status.f_frsize;
    return 0;
  }
  int state(std::string_view name, State& state) override {
    const std::string path(name);
    struct stat status {};
    if (::fstatat(fd_.get(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return errno;
    state = {status.st_ino, static_cast<std::uint64_t>(status.st_size)};
    return 0;
  }
  bool here() override {
    struct stat ours {
    }, there{};
    return ::fstat(fd_.get(), &ours) == 0 && ours.st_nlink != 0 &&
           ::stat(path_.c_str(), &there) == 0 && there.st_ino == ours.st_ino &&
           there.st_dev == ours.st_dev;
  }
  std::string place(std::string_view name) const override {
    return path_ + '/' + std::string(name);
  }

 private:
  int open(std::string_view name, int flags, FilePtr& file) {
    const std::string path(name);
    int fd = -1;
    const int error = result_of([&] {
      return fd = ::openat(fd_.get(), path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                           0600);
    });
    if (error != 0) return error;
    Fd made(fd);
    struct stat status {};
    if (::fstat(fd, &status) != 0) return errno;
    if (!S_ISREG(status.st_mode)) return EINVAL;  // a pipe has no end, a device is no file
    const bool writes = (flags & O_CREAT) != 0;
    const int direct =
        writes ? ::openat(fd_.get(), path.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC | O_NOFOLLOW)
               : -1;
    file = std::make_unique<DiskFile>(std::move(made), Fd(direct));
    return 0;
  }

  std::string path_;
  Fd fd_;
  StorageUse use_;
};

std::string sentence(const std::string& path, const char* what, int error) {
  return "journal directory " + path + ": " + what + ": " + std::strerror(error);
}

}  // namespace

tl::expected<std::unique_ptr<Storage>, std::string> open_directory(const std::string& path,
                                                                   StorageUse use) {
  const bool exclusive = use == StorageUse::exclusive;
  if (exclusive && ::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return tl::unexpected(sentence(path, "cannot be made", errno));
  }
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return tl::unexpected(sentence(path, "cannot be opened", errno));
  if (exclusive && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return tl::unexpected("journal directory " + path + ": another process is using it");
    }
    return tl::unexpected(sentence(path, "cannot be locked", errno));
  }
  return std::make_unique<Directory>(path, std::move(fd), use);
}

}  // namespace tollgate::core
