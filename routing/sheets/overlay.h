// A directory of tables as it would be after some files change: a temporary directory of links to
// the files of the base and of the changed files themselves. The compiler reads it like any other.
//
// 1. The base is never written to. The temporary directory lives as long as the Overlay.
// 2. Names are those of table files ("rates/acme.csv"); any other is refused.
#pragma once
#include <map>
#include <optional>
#include <string>

namespace tollgate::routing {

// File name -> its new text; none = the file is removed.
using ChangedFiles = std::map<std::string, std::optional<std::string>>;

class Overlay {
 public:
  // Throws std::runtime_error when the temporary directory cannot be made.
  Overlay(const std::string& base, const ChangedFiles& changed);
  ~Overlay();
  Overlay(const Overlay&) = delete;
  Overlay& operator=(const Overlay&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace tollgate::routing
