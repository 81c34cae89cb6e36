#include "core/journal/storage.h"

#include <fcntl.h>
#include <random>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "tests/core/temporary_directory.h"

namespace tollgate::core {
namespace {

using testing::TemporaryDirectory;

constexpr std::size_t kBlocks = 16;
constexpr std::size_t kOctets = kBlocks * kStorageBlock;

struct Blocks {
  alignas(kStorageBlock) std::array<std::uint8_t, kOctets> octets{};
};

TEST_CASE("writes of whole blocks and of anything else are one file", "[storage]") {
  const TemporaryDirectory directory;
  auto storage = open_directory(directory.path() + "/s", StorageUse::exclusive);
  REQUIRE(storage);
  FilePtr file;
  REQUIRE((*storage)->create("f", file) == 0);
  REQUIRE(file->allocate(kOctets) == 0);
  const auto source = std::make_unique<Blocks>();
  const auto read = std::make_unique<Blocks>();
  std::array<std::uint8_t, kOctets> expected{};
  std::minstd_rand random(1);
  for (int round = 0; round < 2'000; ++round) {
    for (std::uint8_t& octet : source->octets) octet = static_cast<std::uint8_t>(random());
    const std::size_t unit = round % 2 == 0 ? kStorageBlock : 1;
    const std::size_t begin = random() % (kOctets / unit) * unit;
    const std::size_t size = (1 + random() % ((kOctets - begin) / unit)) * unit;
    const Octets octets = Octets(source->octets).first(size);
    REQUIRE(file->pwrite_all(octets, begin) == 0);
    std::copy(octets.begin(), octets.end(), expected.begin() + static_cast<long>(begin));
    if (round % 50 == 0) REQUIRE(file->datasync() == 0);
    REQUIRE(file->read(read->octets, 0) == static_cast<ssize_t>(kOctets));
    REQUIRE((read->octets == expected));
  }
}

TEST_CASE("what is no regular file is refused, not waited for", "[storage]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s";
  auto storage = open_directory(path, StorageUse::exclusive);
  REQUIRE(storage);
  REQUIRE(::mkfifo((path + "/pipe").c_str(), 0600) == 0);
  REQUIRE(::mkdir((path + "/folder").c_str(), 0700) == 0);
  auto reader = open_directory(path, StorageUse::read_only);
  REQUIRE(reader);
  for (Storage* each : {storage->get(), reader->get()}) {
    FilePtr file;
    CHECK(each->open("pipe", file) != 0);
    CHECK(each->open("folder", file) != 0);
    CHECK(file == nullptr);
  }
}

// Pages of the file that are in the system's cache.
std::size_t cached(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY);
  REQUIRE(fd >= 0);
  void* const at = ::mmap(nullptr, kOctets, PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  REQUIRE(at != MAP_FAILED);
  std::array<unsigned char, kBlocks> pages{};
  REQUIRE(::mincore(at, kOctets, pages.data()) == 0);
  ::munmap(at, kOctets);
  return static_cast<std::size_t>(
      std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; }));
}

TEST_CASE("a write of whole blocks is not in the system's cache", "[storage]") {
  constexpr long kExt4 = 0xEF53;
  const TemporaryDirectory directory;
  struct statfs system {};
  REQUIRE(::statfs(directory.path().c_str(), &system) == 0);
  if (system.f_type != kExt4 || ::sysconf(_SC_PAGESIZE) != static_cast<long>(kStorageBlock)) {
    WARN("skipped: not known how this file system takes such writes");
    return;
  }
  const std::string path = directory.path() + "/s";
  auto storage = open_directory(path, StorageUse::exclusive);
  REQUIRE(storage);
  FilePtr file;
  REQUIRE((*storage)->create("f", file) == 0);
  REQUIRE(file->allocate(kOctets) == 0);
  const auto source = std::make_unique<Blocks>();
  REQUIRE(file->pwrite_all(source->octets, 0) == 0);
  CHECK(cached(path + "/f") == 0);
  REQUIRE(file->pwrite_all(Octets(source->octets).first(1), 0) == 0);
  CHECK(cached(path + "/f") > 0);
}

}  // namespace
}  // namespace tollgate::core
