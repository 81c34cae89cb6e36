// `tollgate journal` and the receipts that wait in a journal's folder `due`: reads only, even while
// a gateway runs.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/journal/storage.h"
#include "gateway/keeping/due_stock.h"

namespace tollgate::gateway::cli {

class DueLook {
 public:
  // Before the journal is read: a chunk that is there now may be gone when it has been.
  explicit DueLook(const std::string& journal);

  // What is due, missing and damaged by what the journal says. The error is a sentence.
  std::string audit(const Recovery& recovery, bool journal_damaged);
  // Reads every chunk; those with damage. The error is a sentence.
  std::string verify();

  DueStock stock;
  std::vector<std::uint64_t> damaged;  // by verify()
  std::uint64_t chunks = 0;            // that it read

 private:
  std::unique_ptr<core::Storage> storage_;  // null: there is no such folder
  std::set<std::uint64_t> before_;
};

}  // namespace tollgate::gateway::cli
