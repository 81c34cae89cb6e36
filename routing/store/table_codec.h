// Versions, drafts, acts, reports and chunks <-> the octets of proto/records/tables.proto. Pure.
//
// Reading checks everything: the envelope's format and checksum, names, order, lengths, bounds. The
// error is a reason for people ("is of format 9, this gateway reads 1: ...").
#pragma once
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "routing/store/table_set.h"

namespace tollgate::routing {

inline constexpr std::uint32_t kTablesFormat = 1;

template <class T>
using Decoded = tl::expected<T, std::string>;

std::string encode(TableVersion& version);  // sets its checksum
std::string encode(const TableDraft& draft);
std::string encode(const TableAct& act);
std::string encode(const GatewayReport& report);
std::string encode_chunk(const Sha256& blob, std::uint32_t index, std::uint32_t count,
                         std::string_view data);

Decoded<TableVersion> decode_version(std::string_view octets);
Decoded<TableDraft> decode_draft(std::string_view octets);
Decoded<TableAct> decode_act(std::string_view octets);
Decoded<GatewayReport> decode_report(std::string_view octets);
// The chunk's data, when it is the one that was asked for.
Decoded<std::string> decode_chunk(std::string_view octets, const Sha256& blob, std::uint32_t index,
                                  std::uint32_t count);

}  // namespace tollgate::routing
