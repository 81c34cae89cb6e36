#include "gateway/keeping/due_stock.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <set>

#include "core/journal/reader.h"

namespace tollgate::gateway {
namespace {

std::string trouble(const std::string& name, const char* what, int error) {
  return "due store: " + name + " " + what + ": " + std::strerror(error);
}

// False: nothing of the file can be read as a chunk. `error`: an errno.
bool look(core::Storage& storage, std::uint64_t number, ChunkContent& content, int& error) {
  core::FilePtr file;
  std::uint64_t size = 0;
  error = storage.open(chunk_name(number), file);
  if (error == 0) error = file->size(size);
  if (error != 0) return false;
  const auto octets_of = [&](std::size_t most) {
    std::vector<std::uint8_t> octets(std::min<std::uint64_t>(size, most));
    const ssize_t got = file->read(octets, 0);
    if (got < 0) error = static_cast<int>(-got);
    octets.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return octets;
  };
  if (read_chunk_head(octets_of(kChunkHeadMax), number, content)) return true;
  if (content.newer || (error != 0 && error != EIO)) return false;
  const std::vector<std::uint8_t> whole = octets_of(kChunkOctetsMax);
  if (error == EIO) error = 0;  // what cannot be read is damage
  std::vector<std::uint8_t> listed;
  return read_chunk(whole, number, listed, &content).found != 0;
}

}  // namespace

std::uint64_t DueStock::receipts() const {
  return std::accumulate(
      chunks.begin(), chunks.end(), std::uint64_t{0},
      [](std::uint64_t sum, const ChunkContent& each) { return sum + each.chunk.receipts; });
}

std::uint64_t DueStock::octets() const {
  return std::accumulate(
      chunks.begin(), chunks.end(), std::uint64_t{0},
      [](std::uint64_t sum, const ChunkContent& each) { return sum + each.chunk.octets; });
}

tl::expected<DueStock, std::string> take_stock(core::Storage& storage, const Recovery& recovery,
                                               bool journal_damaged) {
  std::vector<std::string> names;
  if (const int error = storage.list(names)) {
    return tl::unexpected(trouble("the directory", "cannot be read", error));
  }
  std::set<std::uint64_t> numbers;
  for (const std::string& name : names) {
    if (const std::uint64_t number = chunk_number(name)) numbers.insert(number);
  }
  DueStock stock;
  stock.highest = recovery.highest_chunk();
  for (const std::uint64_t number : numbers) {
    stock.highest = std::max(stock.highest, number);
    ChunkContent content;
    int error = 0;
    const bool good = look(storage, number, content, error);
    if (error == ENOENT) continue;  // a gateway that runs has removed it
    if (content.newer) {
      return tl::unexpected("due store: " + storage.place(chunk_name(number)) +
                            core::newer_layout("a record or a format"));
    }
    if (error != 0) {
      return tl::unexpected(trouble(chunk_name(number), "cannot be read", error));
    }
    const bool whole_in_journal =
        good ? !journal_damaged && recovery.find(content.chunk.first) != nullptr
             : number > recovery.highest_chunk() && recovery.records() != 0;
    if (recovery.chunk_loaded(number) || whole_in_journal) {
      stock.removable.push_back(chunk_name(number));
    } else if (good) {
      stock.chunks.push_back(std::move(content));
    } else {
      stock.damaged.push_back(number);
    }
  }
  for (const auto& spilled : recovery.spilled_chunks()) {
    if (!numbers.contains(spilled.first)) stock.missing.push_back(spilled.first);
  }
  return stock;
}

tl::expected<void, std::string> mend(core::Storage& storage, const DueStock& stock) {
  if (stock.removable.empty() && stock.damaged.empty()) return {};
  for (const std::uint64_t number : stock.damaged) {
    const int error = storage.link(chunk_name(number), damaged_chunk_name(number));
    if (error != 0 && error != EEXIST) {
      return tl::unexpected(trouble(chunk_name(number), "cannot be set aside", error));
    }
  }
  if (const int error = storage.sync_directory()) {
    return tl::unexpected(trouble("the directory", "cannot be synced", error));
  }
  std::vector<std::string> names = stock.removable;
  for (const std::uint64_t number : stock.damaged) names.push_back(chunk_name(number));
  for (const std::string& name : names) {
    const int error = storage.remove(name);
    if (error != 0 && error != ENOENT) {
      return tl::unexpected(trouble(name, "cannot be removed", error));
    }
  }
  if (const int error = storage.sync_directory()) {
    return tl::unexpected(trouble("the directory", "cannot be synced", error));
  }
  return {};
}

}  // namespace tollgate::gateway
