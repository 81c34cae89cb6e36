// The real network: sockets watched by one Asio io_context per shard. Asio stays in the .cpp.
#pragma once
#include <memory>

#include "core/net.h"

namespace tollgate::core {

std::unique_ptr<Net> make_asio_net();

}  // namespace tollgate::core
