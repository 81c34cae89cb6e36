// [records]: where detail records go.
#include <filesystem>

#include "gateway/config/reader.h"
#include "gateway/config/rules.h"

namespace tollgate::gateway {

void read_records(Section& section, const std::string& directory, bool has_redis,
                  RecordsConfig& records) {
  section.require("directory", "where detail records are kept, such as \"records\"");
  section.text("directory", records.directory, {1, 4096});
  const std::filesystem::path path(records.directory);
  if (path.is_relative()) records.directory = (std::filesystem::path(directory) / path).string();
  section.integer("rotate_octets", records.rotate_octets, {4 << 20, 1 << 30});
  if (records.rotate_octets % 4096 != 0) {
    section.fault("rotate_octets", "is no multiple of 4096", "such as 67108864");
  }
  section.integer("keep_days", records.keep_days, {1, 3'650});
  section.integer("reserve_octets", records.reserve_octets, {0, 1 << 30});
  read_ascii(section, "stream", records.stream, 0, 128);
  if (!records.stream.empty() && !has_redis) {
    section.fault("stream", "[tables] names no Redis", "redis = \"host:port\" in [tables]");
  }
  section.integer("stream_max", records.stream_max, {1'000, 1'000'000'000});
  section.integer("backlog_max", records.backlog_max, {1'000, 10'000'000});
}

}  // namespace tollgate::gateway
