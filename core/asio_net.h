// The real network: sockets watched by an Asio io_context, one a shard. Asio stays inside the .cpp.
#pragma once
#include <memory>

#include "core/net.h"

namespace tollgate::core {

std::unique_ptr<Net> make_asio_net();

}  // namespace tollgate::core
