#include "core/boot.h"

#include <array>
#include <cstdio>
#include <random>

namespace tollgate::core {
namespace {

std::uint64_t read_boot_id() noexcept {
  std::uint64_t id = 0xCBF2'9CE4'8422'2325;  // FNV-1a of the text
  std::array<char, 64> text{};
  std::FILE* const file = std::fopen("/proc/sys/kernel/random/boot_id", "re");
  const std::size_t length = file == nullptr ? 0 : std::fread(text.data(), 1, text.size(), file);
  if (file != nullptr) std::fclose(file);
  for (std::size_t i = 0; i < length; ++i) {
    id = (id ^ static_cast<unsigned char>(text[i])) * 0x100'0000'01B3;
  }
  if (length == 0) {
    std::random_device system;
    id = std::uint64_t{system()} << 32 | system();
  }
  return id != 0 ? id : 1;
}

}  // namespace

std::uint64_t boot_id() noexcept {
  static const std::uint64_t id = read_boot_id();
  return id;
}

}  // namespace tollgate::core
