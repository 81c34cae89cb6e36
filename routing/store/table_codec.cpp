#include "routing/store/table_codec.h"

#include <algorithm>

#include "proto/records/tables.pb.h"
#include "routing/csv.h"

namespace tollgate::routing {
namespace {

namespace pb = tollgate::tables;

constexpr const char* kVersion = "version";
constexpr const char* kDraft = "draft";
constexpr const char* kAct = "act";
constexpr const char* kReport = "report";

// What cannot be read is our error to tell; the library would write to stderr beside it.
const auto kQuiet = google::protobuf::SetLogHandler(nullptr);

// What is wrong, as the error of any result.
tl::unexpected<std::string> refused(std::string why) {
  return tl::unexpected<std::string>(std::move(why));
}

std::string octets_of(const Sha256& sha256) {
  return {reinterpret_cast<const char*>(sha256.data()), sha256.size()};
}

bool read_sha256(const std::string& octets, Sha256& out) {
  if (octets.size() != out.size()) return false;
  std::copy(octets.begin(), octets.end(), reinterpret_cast<char*>(out.data()));
  return true;
}

std::string sealed(const char* record, const google::protobuf::Message& message,
                   Sha256* checksum = nullptr) {
  pb::Envelope envelope;
  envelope.set_format(kTablesFormat);
  envelope.set_record(record);
  envelope.set_payload(message.SerializeAsString());
  const Sha256 sha256 = sha256_of(envelope.payload());
  envelope.set_sha256(octets_of(sha256));
  if (checksum != nullptr) *checksum = sha256;
  return envelope.SerializeAsString();
}

// The payload of an envelope that holds such a record.
Decoded<std::string> opened(const char* record, std::string_view octets,
                            Sha256* checksum = nullptr) {
  pb::Envelope envelope;
  if (!envelope.ParseFromArray(octets.data(), static_cast<int>(octets.size())))
    return refused("is no record of Tollgate");
  if (envelope.format() != kTablesFormat) {
    return refused("is of format " + std::to_string(envelope.format()) + ", this program reads " +
                   std::to_string(kTablesFormat) +
                   ": it was written by another version of Tollgate");
  }
  if (envelope.record() != record)
    return refused("holds a \"" + printable(envelope.record()) + "\", not a " + record);
  const Sha256 sha256 = sha256_of(envelope.payload());
  if (envelope.sha256() != octets_of(sha256))
    return refused("does not match its checksum: it was damaged");
  if (checksum != nullptr) *checksum = sha256;
  return std::move(*envelope.mutable_payload());
}

void put_files(const std::vector<TableFile>& from,
               google::protobuf::RepeatedPtrField<pb::File>& to) {
  for (const TableFile& file : from) {
    pb::File& added = *to.Add();
    added.set_name(file.name);
    added.set_sha256(octets_of(file.sha256));
    added.set_octets(file.octets);
    added.set_rows(file.rows);
  }
}

std::string bad_file(const std::string& name, const char* why) {
  return "names the file \"" + printable(name) + "\", which " + why;
}

Decoded<std::vector<TableFile>> read_files(
    const google::protobuf::RepeatedPtrField<pb::File>& from) {
  if (from.size() > static_cast<int>(kTableFilesMax)) {
    return refused("names " + std::to_string(from.size()) + " files, at most " +
                   std::to_string(kTableFilesMax) + " can be");
  }
  std::vector<TableFile> files;
  for (const pb::File& file : from) {
    TableFile& to = files.emplace_back(TableFile{file.name(), {}, file.octets(), file.rows()});
    if (const char* why = bad_table_name(to.name)) return refused(bad_file(to.name, why));
    if (!read_sha256(file.sha256(), to.sha256)) return refused(bad_file(to.name, "has no SHA-256"));
    if (to.octets > kTableFileBytesMax) return refused(bad_file(to.name, "is larger than 512 MiB"));
    if (files.size() > 1 && files[files.size() - 2].name >= to.name)
      return refused(bad_file(to.name, "is out of order"));
  }
  return files;
}

template <class Message>
Decoded<Message> parsed(const char* record, std::string_view octets, Sha256* checksum = nullptr) {
  const auto payload = opened(record, octets, checksum);
  if (!payload) return refused(payload.error());
  Message message;
  if (!message.ParseFromString(*payload))
    return refused(std::string("holds no readable ") + record);
  return message;
}

}  // namespace

std::string encode(TableVersion& version) {
  pb::Version to;
  to.set_number(version.number);
  to.set_based_on(version.based_on);
  to.set_who(version.who);
  to.set_when_us(version.when_us);
  to.set_note(version.note);
  to.set_origin(static_cast<pb::Origin>(static_cast<int>(version.origin) + 1));
  to.set_rolled_back_to(version.rolled_back_to);
  to.set_draft(version.draft);
  put_files(version.files, *to.mutable_files());
  return sealed(kVersion, to, &version.checksum);
}

Decoded<TableVersion> decode_version(std::string_view octets) {
  TableVersion version;
  const auto from = parsed<pb::Version>(kVersion, octets, &version.checksum);
  if (!from) return refused(from.error());
  auto files = read_files(from->files());
  if (!files) return refused(files.error());
  if (from->number() == 0) return refused("has no number");
  if (from->origin() < pb::ORIGIN_PUBLISH || from->origin() > pb::ORIGIN_ROLLBACK)
    return refused("has an origin that this program does not know");
  version.number = from->number();
  version.based_on = from->based_on();
  version.who = from->who();
  version.when_us = from->when_us();
  version.note = from->note();
  version.origin = static_cast<Origin>(static_cast<int>(from->origin()) - 1);
  version.rolled_back_to = from->rolled_back_to();
  version.draft = from->draft();
  version.files = std::move(*files);
  return version;
}

std::string encode(const TableDraft& draft) {
  pb::Draft to;
  to.set_id(draft.id);
  to.set_base(draft.base);
  to.set_revision(draft.revision);
  to.set_who(draft.who);
  to.set_when_us(draft.when_us);
  to.set_note(draft.note);
  to.set_state(static_cast<pb::State>(static_cast<int>(draft.state) + 1));
  put_files(draft.changed, *to.mutable_changed());
  for (const std::string& name : draft.removed) to.add_removed(name);
  to.set_summary(draft.summary);
  to.set_approved_by(draft.approved_by);
  to.set_scheduled_by(draft.scheduled_by);
  to.set_publish_at_us(draft.publish_at_us);
  to.set_published_as(draft.published_as);
  to.set_reason(draft.reason);
  return sealed(kDraft, to);
}

Decoded<TableDraft> decode_draft(std::string_view octets) {
  const auto from = parsed<pb::Draft>(kDraft, octets);
  if (!from) return refused(from.error());
  auto changed = read_files(from->changed());
  if (!changed) return refused(changed.error());
  if (from->state() < pb::STATE_DRAFT || from->state() > pb::STATE_FAILED)
    return refused("has a state that this program does not know");
  TableDraft draft;
  for (const std::string& name : from->removed()) {
    if (const char* why = bad_table_name(name)) return refused(bad_file(name, why));
    draft.removed.push_back(name);
  }
  draft.id = from->id();
  draft.base = from->base();
  draft.revision = from->revision();
  draft.who = from->who();
  draft.when_us = from->when_us();
  draft.note = from->note();
  draft.state = static_cast<DraftState>(static_cast<int>(from->state()) - 1);
  draft.changed = std::move(*changed);
  draft.summary = from->summary();
  draft.approved_by = from->approved_by();
  draft.scheduled_by = from->scheduled_by();
  draft.publish_at_us = from->publish_at_us();
  draft.published_as = from->published_as();
  draft.reason = from->reason();
  return draft;
}

std::string encode(const TableAct& act) {
  pb::Act to;
  to.set_who(act.who);
  to.set_when_us(act.when_us);
  to.set_what(act.what);
  to.set_note(act.note);
  to.set_version(act.version);
  to.set_based_on(act.based_on);
  to.set_draft(act.draft);
  to.set_detail(act.detail);
  return sealed(kAct, to);
}

Decoded<TableAct> decode_act(std::string_view octets) {
  const auto from = parsed<pb::Act>(kAct, octets);
  if (!from) return refused(from.error());
  return TableAct{{},
                  from->who(),
                  from->when_us(),
                  from->what(),
                  from->note(),
                  from->version(),
                  from->based_on(),
                  from->draft(),
                  from->detail()};
}

std::string encode(const GatewayReport& report) {
  pb::Report to;
  to.set_gateway(report.gateway);
  to.set_version(report.version);
  to.set_since_us(report.since_us);
  to.set_refused_version(report.refused_version);
  to.set_reason(report.reason);
  to.set_when_us(report.when_us);
  return sealed(kReport, to);
}

Decoded<GatewayReport> decode_report(std::string_view octets) {
  const auto from = parsed<pb::Report>(kReport, octets);
  if (!from) return refused(from.error());
  return GatewayReport{from->gateway(),         from->version(), from->since_us(),
                       from->refused_version(), from->reason(),  from->when_us()};
}

std::string encode_chunk(const Sha256& blob, std::uint32_t index, std::uint32_t count,
                         std::string_view data) {
  pb::Chunk chunk;
  chunk.set_blob(octets_of(blob));
  chunk.set_index(index);
  chunk.set_count(count);
  chunk.set_data(data.data(), data.size());
  return chunk.SerializeAsString();
}

Decoded<std::string> decode_chunk(std::string_view octets, const Sha256& blob, std::uint32_t index,
                                  std::uint32_t count) {
  pb::Chunk chunk;
  if (!chunk.ParseFromArray(octets.data(), static_cast<int>(octets.size())))
    return refused("is no chunk");
  if (chunk.blob() != octets_of(blob)) return refused("is a chunk of another file");
  if (chunk.index() != index || chunk.count() != count) {
    return refused("is chunk " + std::to_string(chunk.index() + 1) + " of " +
                   std::to_string(chunk.count()) + ", not " + std::to_string(index + 1) + " of " +
                   std::to_string(count));
  }
  return std::move(*chunk.mutable_data());
}

}  // namespace tollgate::routing
