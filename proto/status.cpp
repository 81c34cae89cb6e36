#include "proto/status.h"

namespace tollgate::proto {

std::string_view status_name(Status status) {
  switch (status) {
#define STATUS(name, value, klass) \
  case Status::ESME_##name:        \
    return "ESME_" #name;
#include "proto/status_table.inc"
#undef STATUS
  }
  return "";
}

StatusClass status_class(Status status) {
  switch (status) {
#define STATUS(name, value, klass) \
  case Status::ESME_##name:        \
    return StatusClass::klass;
#include "proto/status_table.inc"
#undef STATUS
  }
  return StatusClass::failover;
}

std::string_view status_class_name(StatusClass status_class) {
  switch (status_class) {
    case StatusClass::ok:
      return "ok";
    case StatusClass::temporary:
      return "temporary";
    case StatusClass::failover:
      return "failover";
    case StatusClass::permanent:
      return "permanent";
    case StatusClass::configuration:
      return "configuration";
    case StatusClass::throttle:
      return "throttle";
  }
  return "";
}

}  // namespace tollgate::proto
