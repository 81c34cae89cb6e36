// The records of the store as JSON, for the commands of `tollgate tables`.
#pragma once

#include <string>
#include <vector>

#include "routing/store/table_set.h"

namespace tollgate::gateway::cli {

// An object, and a list of such, for stdout. T: TableVersion, TableDraft, TableAct, GatewayReport.
template <class T>
std::string json_text(const T& record);
template <class T>
std::string json_text(const std::vector<T>& records);

}  // namespace tollgate::gateway::cli
