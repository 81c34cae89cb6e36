// What store.cpp, store_drafts.cpp and feed_redis.cpp share. Private to them.
#pragma once
#include <string>

#include "routing/store/store.h"

namespace tollgate::routing {

inline tl::unexpected<StoreError> store_error(StoreFault fault, std::string reason) {
  return tl::unexpected<StoreError>({fault, std::move(reason)});
}

// Names and notes are kept for ever and shown to people: bounded, UTF-8, without controls.
StoreResult<void> check_actor(const Actor& actor);

}  // namespace tollgate::routing
