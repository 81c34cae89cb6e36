// Octets from the wire made safe for a log line, a label or a terminal.
//
// Thread: any. Allocates; not for the hot path.
// 1. The result holds printable ASCII only: a backslash and a double quote get a backslash before
//    them, everything else outside 0x20-0x7E is \xNN. So two inputs never give one output.
// 2. At most `octets_max` octets are shown; the result says how much was cut ("...(+1200 octets)").
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace tollgate::proto {

std::string escaped(std::string_view text, std::size_t octets_max = 256);

}  // namespace tollgate::proto
