#include "gateway/messages/mail.h"

#include <cstring>

#include "gateway/config/config.h"
#include "proto/limits.h"

namespace tollgate::gateway {
namespace {

// A record takes at most half of its ring.
static_assert(core::Mailbox::record_size(sizeof(OrderMail) + proto::kPduLengthMax) <=
              kMailboxLeast / 2);

struct SpillHeader {
  std::uint32_t type;
  std::uint32_t length;
};

}  // namespace

Outbox::Outbox(core::Shard& shard) : shard_(shard), spills_(shard.shard_count()) {}

bool Outbox::push(unsigned shard, MailType type, proto::Octets record, proto::Octets rest) {
  core::Mailbox& box = shard_.to(shard);
  const core::Out out =
      box.try_reserve(static_cast<std::uint32_t>(type), record.size() + rest.size());
  if (out.data() == nullptr) return false;
  std::memcpy(out.data(), record.data(), record.size());
  if (!rest.empty()) std::memcpy(out.data() + record.size(), rest.data(), rest.size());
  box.commit();
  return true;
}

void Outbox::post(unsigned shard, MailType type, proto::Octets record, proto::Octets rest) {
  Spill& spill = spills_[shard];
  if (spill.octets.empty() && push(shard, type, record, rest)) [[likely]]
    return;
  const SpillHeader header{static_cast<std::uint32_t>(type),
                           static_cast<std::uint32_t>(record.size() + rest.size())};
  const auto* head = reinterpret_cast<const std::uint8_t*>(&header);
  spill.octets.insert(spill.octets.end(), head, head + sizeof header);
  spill.octets.insert(spill.octets.end(), record.begin(), record.end());
  spill.octets.insert(spill.octets.end(), rest.begin(), rest.end());
  ++spilled_;
}

bool Outbox::clear() {
  for (unsigned shard = 0; spilled_ != 0 && shard < spills_.size(); ++shard) {
    Spill& spill = spills_[shard];
    while (spill.head < spill.octets.size()) {
      SpillHeader header;
      std::memcpy(&header, spill.octets.data() + spill.head, sizeof header);
      const proto::Octets record(spill.octets.data() + spill.head + sizeof header, header.length);
      if (!push(shard, static_cast<MailType>(header.type), record, {})) break;
      spill.head += sizeof header + header.length;
      --spilled_;
    }
    if (spill.head == spill.octets.size()) {
      spill.octets.clear();
      spill.head = 0;
    }
  }
  return spilled_ == 0;
}

}  // namespace tollgate::gateway
