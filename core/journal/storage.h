// Storage: the few file operations that a journal needs, so that a simulated or failing disk can
// stand in for a directory. One thread at a time uses a Storage and its Files.
//
//   1 What was written is durable only after File::datasync() returned 0, a name (created, linked
//     or removed) only after sync_directory() returned 0.
//   2 Every call returns 0 or an errno value; EINTR and short writes are no errors but continued
//     here. After an error of datasync or sync_directory nothing is known: it is not retried.
//   3 allocate(size) makes the file `size` octets long, its new octets zero, with room on the disk
//     for all of them: a later write within them needs none. ENOSPC leaves nothing promised.
//   4 The octets of one 512-octet sector are written whole or not at all. Everything above relies
//     on that alone.
//   5 What others do to the files under us can be seen: state() and here() look at the names, not
//     at what we have open.
//   6 A write that begins and ends at multiples of kStorageBlock, in the file and in memory, goes
//     straight to the disk if the file system can do that, past the system's cache: no copy, and
//     datasync() has nothing left to write. The promises are the same.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <tl/expected.hpp>
#include <vector>

#include "core/octets.h"

namespace tollgate::core {

inline constexpr std::size_t kStorageBlock = 4096;

class File {
 public:
  virtual ~File() = default;
  virtual int pwrite_all(Octets octets, std::uint64_t at) = 0;
  // Octets read, fewer than asked only at the file's end; -errno.
  virtual ssize_t read(Out out, std::uint64_t at) = 0;
  virtual int datasync() = 0;
  virtual int allocate(std::uint64_t size) = 0;
  virtual int size(std::uint64_t& octets) = 0;
  // Of this file among those of its file system; 0: not told.
  virtual std::uint64_t id() const { return 0; }
};

using FilePtr = std::unique_ptr<File>;

// Names have no directory part.
class Storage {
 public:
  virtual ~Storage() = default;
  virtual int create(std::string_view name, FilePtr& file) = 0;  // EEXIST when it is there
  virtual int open(std::string_view name, FilePtr& file) = 0;    // for reading and writing
  virtual int list(std::vector<std::string>& names) = 0;         // in no order
  virtual int remove(std::string_view name) = 0;
  virtual int link(std::string_view name, std::string_view second) = 0;  // one file, two names
  virtual int sync_directory() = 0;
  virtual int free_octets(std::uint64_t& octets) = 0;

  // What has this name now.
  struct State {
    std::uint64_t id = 0;  // File::id()
    std::uint64_t octets = 0;
  };
  virtual int state(std::string_view name, State& state) = 0;
  // The directory is still where it was opened.
  virtual bool here() { return true; }
  // For people: the file's path, where there is one.
  virtual std::string place(std::string_view name) const { return std::string(name); }
};

enum class StorageUse : std::uint8_t {
  exclusive,  // makes the directory if it is not there; refused while another process has it
  read_only   // takes no lock; open() opens for reading, what would write fails with EROFS
};

// A directory of the file system. The error is a sentence that names the directory.
tl::expected<std::unique_ptr<Storage>, std::string> open_directory(const std::string& path,
                                                                   StorageUse use);

}  // namespace tollgate::core
