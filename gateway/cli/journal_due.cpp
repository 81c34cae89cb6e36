#include "gateway/cli/journal_due.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tollgate::gateway::cli {
namespace {

std::string trouble(const std::string& name, int error) {
  return "due store: " + name + " cannot be read: " + std::strerror(error);
}

int list_numbers(core::Storage& storage, std::set<std::uint64_t>& numbers) {
  std::vector<std::string> names;
  const int error = storage.list(names);
  for (const std::string& name : names) {
    if (const std::uint64_t number = chunk_number(name)) numbers.insert(number);
  }
  return error;
}

}  // namespace

DueLook::DueLook(const std::string& journal) {
  auto storage = core::open_directory(journal + "/due", core::StorageUse::read_only);
  if (!storage) return;
  storage_ = std::move(*storage);
  list_numbers(*storage_, before_);
}

std::string DueLook::audit(const Recovery& recovery, bool journal_damaged) {
  if (storage_ == nullptr) {
    for (const auto& spilled : recovery.spilled_chunks()) stock.missing.push_back(spilled.first);
    return {};
  }
  auto found = take_stock(*storage_, recovery, journal_damaged);
  if (!found) return found.error();
  stock = std::move(*found);
  std::erase_if(stock.missing, [&](std::uint64_t number) { return before_.contains(number); });
  return {};
}

std::string DueLook::verify() {
  if (storage_ == nullptr) return {};
  std::set<std::uint64_t> numbers;
  if (const int error = list_numbers(*storage_, numbers)) return trouble("the directory", error);
  std::vector<std::uint8_t> octets(kChunkOctetsMax);
  std::vector<std::uint8_t> listed;
  for (const std::uint64_t number : numbers) {
    core::FilePtr file;
    const int error = storage_->open(chunk_name(number), file);
    if (error == ENOENT) continue;  // a gateway runs
    if (error != 0) return trouble(chunk_name(number), error);
    const ssize_t got = file->read(octets, 0);
    const auto size = static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    listed.clear();
    ++chunks;
    if (read_chunk(proto::Octets(octets).first(size), number, listed).damaged) {
      damaged.push_back(number);
    }
  }
  return {};
}

}  // namespace tollgate::gateway::cli
