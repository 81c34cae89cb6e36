// A journal of another name in a directory: what is segment "journal-N" to core/journal/journal.h
// is a file "PREFIX" + "N" there. So one directory can have several. One thread, as Storage says.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/journal/storage.h"

namespace tollgate::gateway {

class PrefixedStorage final : public core::Storage {
 public:
  // `storage` outlives it; `prefix` is a literal.
  PrefixedStorage(core::Storage& storage, std::string_view prefix)
      : storage_(storage), prefix_(prefix) {}

  int create(std::string_view name, core::FilePtr& file) override;
  int open(std::string_view name, core::FilePtr& file) override;
  int list(std::vector<std::string>& names) override;
  int remove(std::string_view name) override;
  int link(std::string_view name, std::string_view second) override;
  int sync_directory() override { return storage_.sync_directory(); }
  int free_octets(std::uint64_t& octets) override { return storage_.free_octets(octets); }
  int state(std::string_view name, State& state) override {
    return storage_.state(real(name), state);
  }
  bool here() override { return storage_.here(); }
  std::string place(std::string_view name) const override { return storage_.place(real(name)); }

 private:
  std::string real(std::string_view name) const;

  core::Storage& storage_;
  std::string_view prefix_;
};

}  // namespace tollgate::gateway
