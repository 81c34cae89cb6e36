// A whole file that somebody else wrote: a configuration, a table, a sheet. Any thread; it waits
// only for the disk.
//
// Invariants
// 1. Only a regular file is read. A pipe, a socket, a device or a directory is refused at once, and
//    what was judged is what is read: the descriptor, not the name.
// 2. Never more than `octets_max` octets, whatever the file claims.
// 3. A file that changed while it was read is refused.
// 4. read_file_below() follows no name and no link out of `folder`, whoever changes it meanwhile.
#pragma once

#include <cstddef>
#include <string>
#include <tl/expected.hpp>

namespace tollgate::core {

struct FileFault {
  int error = 0;       // ENOENT when it is not there; 0 when the reason is not the system's
  std::string reason;  // goes on from the file's name: "is larger than 16 MiB"
};
using FileText = tl::expected<std::string, FileFault>;

FileText read_file(const std::string& path, std::size_t octets_max);
FileText read_file_below(const std::string& folder, const std::string& name,
                         std::size_t octets_max);

// "4096 octets", "64 KiB", "16 MiB".
std::string octets_text(std::size_t octets);

}  // namespace tollgate::core
