#include "routing/sheets/zip.h"

#include <algorithm>
#include <array>
#include <zip.h>

#include "routing/sheets/grid.h"

namespace tollgate::routing {

Package::Package(std::string_view octets) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(octets.data(), octets.size(), 0, &error);
  if (source != nullptr) {
    zip_ = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
    if (zip_ == nullptr) zip_source_free(source);
  }
  zip_error_fini(&error);
}

Package::~Package() {
  if (zip_ != nullptr) zip_discard(zip_);
}

bool Package::has(const std::string& name) const {
  return zip_name_locate(zip_, name.c_str(), 0) >= 0;
}

const char* Package::read(const std::string& name, std::string& out) {
  out.clear();
  const zip_int64_t index = zip_name_locate(zip_, name.c_str(), 0);
  if (index < 0) return nullptr;
  zip_file_t* file = zip_fopen_index(zip_, static_cast<zip_uint64_t>(index), 0);
  if (file == nullptr) return "cannot be unpacked (protected, or packed in an unusual way)";
  std::array<char, 65'536> buffer;
  const char* why = nullptr;
  while (true) {
    const zip_int64_t got = zip_fread(file, buffer.data(), buffer.size());
    if (got < 0) why = "is damaged: it cannot be unpacked";
    if (got <= 0) break;
    out.append(buffer.data(), static_cast<std::size_t>(got));
    unpacked_ += static_cast<std::size_t>(got);
    if (out.size() > kUnpackedBytesMax || unpacked_ > kPackageBytesMax) {
      why = "unpacks to more than 128 MiB a part or 256 MiB in all";
      break;
    }
  }
  if (zip_fclose(file) != 0 && why == nullptr) why = "is damaged: its checksum is wrong";
  if (why != nullptr) out = std::string();
  return why;
}

}  // namespace tollgate::routing
