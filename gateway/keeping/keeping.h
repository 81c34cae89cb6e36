// The journal of a process: opened, read back, and written on. Made on the starting thread, before
// the flows; outlives them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "core/journal/journal.h"
#include "core/journal/storage.h"
#include "gateway/config/config.h"
#include "gateway/keeping/dead_letters.h"
#include "gateway/keeping/detail_store.h"
#include "gateway/keeping/detail_stream.h"
#include "gateway/keeping/due_stock.h"
#include "gateway/keeping/due_store.h"
#include "gateway/keeping/learning.h"
#include "gateway/keeping/recovery.h"

namespace tollgate::gateway {

struct Keeping {
  std::unique_ptr<core::Storage> storage;
  std::unique_ptr<Recovery> recovery;  // what is to be restored
  std::unique_ptr<DeadLetters> dead_letters;
  std::unique_ptr<core::Journal> journal;
  std::unique_ptr<core::Storage> due_storage;
  DueStock stock;  // what is to be restored of the due store
  std::unique_ptr<DueStore> due;
  std::unique_ptr<core::Storage> detail_storage;
  std::unique_ptr<Learning> learning;  // null: no detail records
  DetailStore details;
  std::unique_ptr<DetailStream> stream;  // null: none is asked for
};

struct KeepingOptions {
  std::function<void(unsigned)> wake;         // a shard, when its records became durable
  std::function<void(routing::Facts)> teach;  // what the detail records taught
  routing::Facts facts = {};                  // that the start compiled with
};

// Reads the journal in config.journal.directory and the heads of the chunks in its folder `due`,
// makes both ready to be written, and logs what it found. Then it opens the detail records' files
// and finds what they lack by the journal. With an empty directory name there is no such journal,
// and its members are null. The error is a sentence.
tl::expected<Keeping, std::string> open_keeping(const Config& config, KeepingOptions options);

}  // namespace tollgate::gateway
