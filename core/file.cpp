#include "core/file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tollgate::core {
namespace {

// A pipe without a writer would hold open() up for ever.
constexpr int kOpen = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  operator int() const { return fd_; }

 private:
  int fd_;
};

tl::unexpected<FileFault> refused(int error, std::string reason) {
  return tl::unexpected<FileFault>({error, std::move(reason)});
}

tl::unexpected<FileFault> cannot(int error) {
  if (error == ENOENT) return refused(error, "does not exist");
  if (error == EXDEV) return refused(error, "is a link that leads out of its folder");
  if (error == ELOOP) return refused(error, "is a link that leads to itself");
  return refused(error, std::string("cannot be read: ") + std::strerror(error));
}

const char* kind(mode_t mode) {
  if (S_ISDIR(mode)) return "is a directory";
  if (S_ISFIFO(mode)) return "is a pipe, not a file";
  if (S_ISSOCK(mode)) return "is a socket, not a file";
  return "is a device, not a file";
}

bool same(const struct stat& before, const struct stat& after) {
  return before.st_size == after.st_size && before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
         before.st_mtim.tv_nsec == after.st_mtim.tv_nsec;
}

FileText read_all(int fd, std::size_t octets_max) {
  struct stat before {};
  if (fstat(fd, &before) != 0) return cannot(errno);
  if (!S_ISREG(before.st_mode)) return refused(0, kind(before.st_mode));
  const auto size = static_cast<std::size_t>(before.st_size);
  if (size > octets_max) return refused(0, "is larger than " + octets_text(octets_max));
  std::string text(size + 1, '\0');  // one more: it must not have grown
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = ::read(fd, text.data() + have, text.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot(errno);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  struct stat after {};
  if (fstat(fd, &after) != 0) return cannot(errno);
  if (have != size || !same(before, after)) return refused(0, "changed while it was read");
  text.resize(size);
  return text;
}

}  // namespace

FileText read_file(const std::string& path, std::size_t octets_max) {
  const Fd fd(::open(path.c_str(), kOpen));
  if (fd < 0) return cannot(errno);
  return read_all(fd, octets_max);
}

FileText read_file_below(const std::string& folder, const std::string& name,
                         std::size_t octets_max) {
  const Fd at(::open(folder.empty() ? "." : folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (at < 0) return cannot(errno);
  open_how how{};
  how.flags = kOpen;
  how.resolve = RESOLVE_BENEATH;
  const Fd fd(static_cast<int>(syscall(SYS_openat2, int(at), name.c_str(), &how, sizeof how)));
  if (fd < 0) return cannot(errno);
  return read_all(fd, octets_max);
}

std::string octets_text(std::size_t octets) {
  constexpr std::size_t kKiB = 1024, kMiB = kKiB * 1024;
  if (octets >= kMiB && octets % kMiB == 0) return std::to_string(octets / kMiB) + " MiB";
  if (octets > 4 * kKiB && octets % kKiB == 0) return std::to_string(octets / kKiB) + " KiB";
  return std::to_string(octets) + " octets";
}

}  // namespace tollgate::core
