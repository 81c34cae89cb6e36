// Where commands get detail records from: the files of [records], by time, filtered. Streams: no
// more than one file is in memory. Used by a command's one thread; reads only, even while a gateway
// runs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/journal/storage.h"
#include "gateway/config/config.h"
#include "proto/records/detail.h"

namespace tollgate::gateway::cli {

struct RecordFilter {
  std::string config;
  std::string directory;  // "" = the configuration's
  std::string last;       // "90s", "15m", "24h", "7d"
  std::string from, to;   // instants
  std::string client, carrier, destination, state, message, number;
};

class RecordSource {
 public:
  // Nothing, and the reason is told, when the flags or the place are bad; `status` says how bad.
  // `last`: the time when the flags name none; "" = all there is.
  static std::optional<RecordSource> open(const RecordFilter& filter, std::string command,
                                          const std::string& last, int& status);

  // Each record that is asked for, oldest first. False: what cannot be read was told.
  bool for_each(const std::function<void(const proto::detail::Detail&)>& f);

  const Config* config() const { return config_ ? &*config_ : nullptr; }
  const std::string& directory() const { return directory_; }
  std::uint64_t read() const { return read_; }  // records, also those that are not asked for
  bool damaged() const { return damaged_; }

 private:
  RecordSource() = default;
  bool read_filter(const RecordFilter& filter, const std::string& last, std::string& why);
  bool read_times(const RecordFilter& filter, const std::string& last, std::string& why);
  bool wants(const proto::detail::Detail& detail) const;
  void tell_set_aside();

  RecordFilter filter_;
  std::string command_;
  std::optional<Config> config_;
  std::string directory_;
  std::unique_ptr<core::Storage> storage_;
  std::int64_t from_us_ = 0;
  std::int64_t to_us_ = 0;
  std::uint64_t message_ = 0;
  bool short_id_ = false;
  std::optional<std::uint32_t> state_;
  std::uint64_t read_ = 0;
  bool damaged_ = false;
};

// "90s", "15m", "24h", "7d"; false: it is none of these.
bool parse_span(const std::string& text, std::int64_t& us);

// A bar on stderr, when that is a terminal; gone with the object.
class Progress {
 public:
  explicit Progress(const char* what) : what_(what) {}
  ~Progress();
  void show(std::uint64_t done, std::uint64_t of);

 private:
  const char* what_;
  bool shown_ = false;
};

}  // namespace tollgate::gateway::cli
