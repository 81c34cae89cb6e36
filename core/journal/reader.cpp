#include "core/journal/reader.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "core/journal/format.h"
#include "core/journal/scan.h"

namespace tollgate::core {
namespace {

using journal::HeaderFault;
using journal::kRecordsBegin;
using journal::kSector;
using journal::kUnknown;
using journal::SegmentHeader;

constexpr std::size_t kReadStep = std::size_t{1} << 20;
constexpr std::size_t kUnreadable = 4096;  // what one bad block of a disk may take along
constexpr std::uint64_t kSegmentMax = std::uint64_t{1} << 30;

struct Found {
  std::uint64_t number = 0;
  std::uint64_t size = 0;
  std::optional<SegmentHeader> header;
  bool unwritten = false;  // its header is zeros: never begun, its first batch torn, or damage
};

class Reading {
 public:
  Reading(Storage& storage, const std::function<void(const JournalRecord&)>& f,
          const JournalReadOptions& options)
      : storage_(storage), f_(f), options_(options) {}

  tl::expected<JournalReport, std::string> run();
  std::string find();
  const std::vector<Found>& found() const { return found_; }

 private:
  std::string look(Found& found);
  std::string cut_unwritten(std::size_t& begun);
  std::string read_octets(const Found& found);
  void give(const Found& found, std::uint64_t durable);
  void damaged(std::uint64_t segment, std::uint64_t begin, std::uint64_t end, const char* what);
  void quarantine(std::uint64_t segment);
  void torn(std::uint64_t octets);

  Storage& storage_;
  const std::function<void(const JournalRecord&)>& f_;
  const JournalReadOptions& options_;
  std::vector<Found> found_;
  std::vector<std::uint8_t> octets_;    // of the segment that was read last
  std::vector<JournalStretch> unread_;  // of those, what the disk does not give: zeros
  std::uint64_t run_ = 0;
  JournalReport report_;
};

// `place`: the file as the operator sees it.
std::string trouble(const std::string& place, const char* what, int error) {
  const char* const why = error == EINVAL  ? "it is no regular file"
                          : error == ELOOP ? "it is a link"
                                           : std::strerror(error);
  return place + " " + what + ": " + why;
}

tl::expected<JournalReport, std::string> Reading::run() {
  if (std::string error = find(); !error.empty()) return tl::unexpected(std::move(error));
  std::size_t count = 0;
  if (std::string error = cut_unwritten(count); !error.empty()) {
    return tl::unexpected(std::move(error));
  }
  report_.tail.next = count == 0 ? 1 : found_[count - 1].number + 1;
  if (count == 0 && !found_.empty()) report_.tail.next = found_.front().number;
  for (std::size_t i = 0; i < count; ++i) {
    const Found& found = found_[i];
    if (i > 0 && found_[i - 1].number + 1 != found.number) {
      damaged(found_[i - 1].number + 1, 0, 0, "segments are missing");
    }
    const bool next = i + 1 < count && found_[i + 1].number == found.number + 1 &&
                      found_[i + 1].header.has_value();
    const std::uint64_t durable = next ? found_[i + 1].header->previous_end : kUnknown;
    if (found.header.has_value() && found.size >= kRecordsBegin) {
      if (std::string error = read_octets(found); !error.empty()) {
        return tl::unexpected(std::move(error));
      }
      give(found, durable);
    } else if (durable == kUnknown || durable > kRecordsBegin) {
      damaged(found.number, 0, found.size, "no header can be read");
      quarantine(found.number);
    }
    if (options_.progress) options_.progress(i + 1, count);
  }
  return std::move(report_);
}

std::string Reading::find() {
  std::vector<std::string> names;
  if (const int error = storage_.list(names))
    return trouble(storage_.place(""), "cannot be read", error);
  for (const std::string& name : names) {
    const std::uint64_t number = journal::segment_number(name);
    if (number != 0 && number >= options_.from) found_.push_back({number, 0, std::nullopt, false});
  }
  std::sort(found_.begin(), found_.end(),
            [](const Found& a, const Found& b) { return a.number < b.number; });
  for (Found& found : found_) {
    if (std::string error = look(found); !error.empty()) return error;
    // A segment gets its size before the next one is made: this one has lost its octets since.
    if (found.size == 0 && &found != &found_.back()) found.unwritten = false;
  }
  return {};
}

std::string Reading::look(Found& found) {
  const std::string name = journal::segment_name(found.number);
  FilePtr file;
  if (const int error = storage_.open(name, file))
    return trouble(storage_.place(name), "cannot be opened", error);
  if (const int error = file->size(found.size))
    return trouble(storage_.place(name), "has no size", error);
  std::array<std::uint8_t, kRecordsBegin> begin{};
  found.unwritten = true;
  for (std::size_t at = 0; at < begin.size(); at += kSector) {
    const Out sector(begin.data() + at, kSector);
    if (file->read(sector, at) < 0) {
      found.unwritten = false;
      continue;
    }
    SegmentHeader header;
    const HeaderFault fault = journal::get_segment_header(sector, header);
    if (fault == HeaderFault::version) {
      return "journal: " + storage_.place(name) + newer_layout("a format");
    }
    if (fault != HeaderFault::zero) found.unwritten = false;
    const bool its = fault == HeaderFault::none && header.segment == found.number;
    if (its && !found.header) found.header = header;
  }
  return {};
}

// Behind the last segment that was begun come those that were only made ready, and one whose first
// batch may be torn: nothing of them counts.
std::string Reading::cut_unwritten(std::size_t& begun) {
  for (begun = found_.size(); begun > 0 && found_[begun - 1].unwritten; --begun) {
    if (std::string error = read_octets(found_[begun - 1]); !error.empty()) return error;
    if (!unread_.empty() || journal::begins_later_batch(octets_)) {
      return look(found_[begun - 1]);  // again: somebody may have begun it since
    }
    torn(journal::last_octet(octets_, 0));
  }
  return {};
}

std::string Reading::read_octets(const Found& found) {
  const std::string name = journal::segment_name(found.number);
  if (found.size > kSegmentMax) return storage_.place(name) + " is longer than any segment";
  FilePtr file;
  if (const int error = storage_.open(name, file))
    return trouble(storage_.place(name), "cannot be opened", error);
  octets_.resize(found.size);
  unread_.clear();
  const Out all(octets_);
  for (std::size_t at = 0; at < all.size();) {
    std::size_t n = std::min(kReadStep, all.size() - at);
    ssize_t got = file->read(all.subspan(at, n), at);
    if (got < 0) {
      n = std::min(kUnreadable, n);
      got = file->read(all.subspan(at, n), at);
      if (got < 0) {
        std::memset(all.data() + at, 0, n);
        unread_.push_back({at, at + n});
        at += n;
        continue;
      }
    }
    if (got == 0) {  // shorter than it said
      std::memset(all.data() + at, 0, all.size() - at);
      break;
    }
    at += static_cast<std::size_t>(got);
  }
  return {};
}

void Reading::give(const Found& found, std::uint64_t durable) {
  // Older programs told of the first segment alone.
  if (found.header->begins_run) run_ = found.number;
  if (found.header->run != 0) run_ = found.header->run;
  const std::size_t before = report_.damage.size();
  for (const JournalStretch& region : unread_) {
    damaged(found.number, region.begin, region.end, "octets cannot be read from the disk");
  }
  const journal::SegmentScan scan({octets_, *found.header, durable});
  for (const journal::Region& region : scan.damage()) {
    damaged(found.number, region.begin, region.end,
            region.begin < kRecordsBegin ? "a header fails its checksum"
                                         : "octets fail their checksum");
  }
  if (found.size < found.header->octets) {
    damaged(found.number, found.size, found.header->octets, "the file was cut short");
  }
  if (report_.damage.size() > before) quarantine(found.number);
  scan.for_each([&](const journal::RecordHeader& header, Octets payload, std::uint64_t at) {
    report_.octets += journal::padded(header.length);
    if (header.type == journal::kEndType) return;
    ++report_.records;
    f_({header.type, header.stream, payload, found.number, at, found.header->streams, run_,
        found.header->clocks()});
  });
  ++report_.segments;
  torn(scan.torn());
  report_.tail.segment = found.number;
  report_.tail.batch = scan.batch();
  report_.tail.end = scan.end();
  report_.tail.unread = unread_;
}

void Reading::damaged(std::uint64_t segment, std::uint64_t begin, std::uint64_t end,
                      const char* what) {
  report_.damage.push_back({segment, begin, end, what});
  report_.damaged_octets += end - begin;
}

void Reading::quarantine(std::uint64_t segment) {
  if (!options_.quarantine) return;
  const std::string name = journal::quarantine_name(segment);
  const int error = storage_.link(journal::segment_name(segment), name);
  if (error == 0) storage_.sync_directory();
  if (error == 0 || error == EEXIST) report_.quarantined.push_back(name);
}

void Reading::torn(std::uint64_t octets) {
  if (octets == 0) return;
  ++report_.torn_segments;
  report_.torn_octets += octets;
}

}  // namespace

std::string newer_layout(const std::string& what) {
  return " has " + what +
         " that this program does not know: a newer version wrote it. Start that version, or a "
         "newer "
         "one; nothing was removed";
}

tl::expected<JournalReport, std::string> read_journal(
    Storage& storage, const std::function<void(const JournalRecord&)>& f,
    const JournalReadOptions& options) {
  return Reading(storage, f, options).run();
}

tl::expected<std::vector<JournalSegment>, std::string> list_journal(Storage& storage) {
  const JournalReadOptions options;
  const std::function<void(const JournalRecord&)> nothing;
  Reading reading(storage, nothing, options);
  if (std::string error = reading.find(); !error.empty()) return tl::unexpected(std::move(error));
  std::vector<JournalSegment> segments;
  for (const Found& found : reading.found()) {
    if (found.header) {
      segments.push_back({found.number, found.header->clocks(), found.header->kept_us});
    }
  }
  return segments;
}

}  // namespace tollgate::core
