// Replaces a small file whole or not at all, durably: writes another beside it, syncs, renames,
// syncs the directory. Any thread; never two threads with the same path.
#pragma once
#include <string>
#include <string_view>

namespace tollgate::core {

// 0 or an errno; then the old file is still there, or already the new one.
int replace_file(const std::string& path, std::string_view content, unsigned mode = 0640);

}  // namespace tollgate::core
