#include "gateway/keeping/prefixed_storage.h"

namespace tollgate::gateway {
namespace {

constexpr std::string_view kSegmentPrefix = "journal-";

}  // namespace

std::string PrefixedStorage::real(std::string_view name) const {
  if (!name.starts_with(kSegmentPrefix)) return std::string(name);
  return std::string(prefix_) + std::string(name.substr(kSegmentPrefix.size()));
}

int PrefixedStorage::create(std::string_view name, core::FilePtr& file) {
  return storage_.create(real(name), file);
}

int PrefixedStorage::open(std::string_view name, core::FilePtr& file) {
  return storage_.open(real(name), file);
}

int PrefixedStorage::list(std::vector<std::string>& names) {
  std::vector<std::string> all;
  if (const int error = storage_.list(all)) return error;
  names.clear();
  for (const std::string& name : all) {
    if (name.starts_with(prefix_)) {
      names.push_back(std::string(kSegmentPrefix) + name.substr(prefix_.size()));
    }
  }
  return 0;
}

int PrefixedStorage::remove(std::string_view name) {
  return storage_.remove(real(name));
}

int PrefixedStorage::link(std::string_view name, std::string_view second) {
  return storage_.link(real(name), std::string(prefix_) + std::string(second));
}

}  // namespace tollgate::gateway
