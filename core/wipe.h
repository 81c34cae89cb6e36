// Secrets leave memory once they have been used. explicit_bzero is not optimised away.
#pragma once
#include <cstring>

#include "core/octets.h"

namespace tollgate::core {

// Wipes octets at its end. They are views into buffers of ours, which may be written.
class Wiped {
 public:
  explicit Wiped(Octets octets) : octets_(octets) {}
  ~Wiped() { ::explicit_bzero(const_cast<std::uint8_t*>(octets_.data()), octets_.size()); }
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;

 private:
  Octets octets_;
};

}  // namespace tollgate::core
