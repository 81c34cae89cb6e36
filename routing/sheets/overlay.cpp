#include "routing/sheets/overlay.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "routing/fault.h"
#include "routing/store/table_set.h"

namespace tollgate::routing {
namespace {

namespace fs = std::filesystem;

// No symbolic link out of a directory of tables is followed: another name of the same file, or a
// copy where that cannot be.
void bring(const fs::directory_entry& file, const fs::path& to) {
  std::error_code error;
  if (!file.is_symlink(error)) fs::create_hard_link(file.path(), to, error);
  if (error || !fs::exists(to)) fs::copy_file(file.path(), to);
}

void link_files(const fs::path& base, const fs::path& to, const fs::path& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(base / folder, error)) {
    const fs::path name = folder / entry.path().filename();
    const bool peer = is_peer_name(name.string()) && name.extension() == ".toml";
    if (peer || name.extension() == ".csv") bring(entry, to / name);
  }
}

}  // namespace

Overlay::Overlay(const std::string& base, const ChangedFiles& changed) {
  std::string name = (fs::temp_directory_path() / "tollgate-tables-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr)
    throw std::runtime_error("no temporary directory can be made in " +
                             fs::temp_directory_path().string());
  path_ = name;
  try {
    for (const char* folder : {"rates", "plans", "carriers", "clients"}) {
      fs::create_directory(fs::path(path_) / folder);
      link_files(base, path_, folder);
    }
    link_files(base, path_, "");
    for (const auto& [file, text] : changed) {
      if (const char* why = bad_table_name(file))
        throw std::runtime_error("\"" + printable(file) + "\" " + why);
      const fs::path path = fs::path(path_) / file;
      fs::remove(path);
      fs::create_directories(path.parent_path());
      if (!text) continue;
      std::ofstream out(path, std::ios::binary);
      out << *text;
      out.close();
      if (!out) throw std::runtime_error("cannot write " + path.string());
    }
  } catch (...) {
    std::error_code error;
    fs::remove_all(path_, error);
    throw;
  }
}

Overlay::~Overlay() {
  std::error_code error;
  fs::remove_all(path_, error);
}

}  // namespace tollgate::routing
