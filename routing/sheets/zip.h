// The parts of a zip file that an office program wrote, unpacked one by one into memory. One
// thread.
//
// 1. A part gives at most kUnpackedBytesMax octets and all parts together kPackageBytesMax, counted
//    while they are unpacked: the claims of the zip's directory are not believed.
// 2. Parts are found by exact name; nothing is ever written to a disk.
#pragma once
#include <memory>
#include <string>
#include <string_view>

struct zip;

namespace tollgate::routing {

inline constexpr std::size_t kPackageBytesMax = std::size_t{256} << 20;

class Package {
 public:
  // `octets` must outlive the package.
  explicit Package(std::string_view octets);
  ~Package();
  Package(const Package&) = delete;
  Package& operator=(const Package&) = delete;

  bool open() const { return zip_ != nullptr; }
  // nullptr when `out` holds the part; else what is wrong. A missing part is empty.
  const char* read(const std::string& name, std::string& out);
  bool has(const std::string& name) const;

 private:
  zip* zip_ = nullptr;
  std::size_t unpacked_ = 0;
};

}  // namespace tollgate::routing
