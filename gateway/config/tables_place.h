// Where the configuration says the tables are, in the store's words.
#pragma once
#include <string>

#include "gateway/config/config.h"
#include "routing/store/store.h"

namespace tollgate::gateway {

routing::StoreOptions store_options(const TablesConfig& tables);

// This gateway among those that follow one Redis: its host and its first address.
std::string gateway_name(const Config& config);

}  // namespace tollgate::gateway
