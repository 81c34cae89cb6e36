// Drafts: from the first change to the version they become.
#include <algorithm>
#include <charconv>
#include <limits>
#include <set>

#include "routing/csv.h"
#include "routing/store/store_parts.h"
#include "routing/store/table_codec.h"

namespace tollgate::routing {
namespace {

constexpr std::size_t kShownInBetween = 5;

StoreResult<void> check_text(const char* what, std::string_view text, std::size_t octets_max) {
  if (text.size() > octets_max) {
    return store_error(StoreFault::invalid, std::string(what) + " is longer than " +
                                                std::to_string(octets_max) + " octets");
  }
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const auto first = static_cast<unsigned char>(text.front());
    if (length == 0 || first < 0x20 || first == 0x7f) {
      return store_error(StoreFault::invalid,
                         std::string(what) + " holds controls or is not UTF-8");
    }
    text.remove_prefix(length);
  }
  return {};
}

// What a changed file was, and is not any more: an approval is for what was seen.
void back_to_draft(TableDraft& draft) {
  draft.state = DraftState::draft;
  draft.approved_by.clear();
  draft.scheduled_by.clear();
  draft.publish_at_us = 0;
  draft.reason.clear();
}

std::string number_of(std::uint32_t number) {
  return "version " + std::to_string(number);
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

StoreResult<void> check_actor(const Actor& actor) {
  if (actor.who.empty()) return store_error(StoreFault::invalid, "it is not said who does it");
  if (const auto fine = check_text("the name of who does it", actor.who, kWhoOctetsMax); !fine)
    return fine;
  return check_text("the note", actor.note, kNoteOctetsMax);
}

std::string Store::draft_key(std::uint32_t id) const {
  return key("draft:") + std::to_string(id);
}

StoreResult<std::vector<TableFile>> Store::base_files(std::uint32_t base) {
  if (base == 0) return std::vector<TableFile>();
  auto from = version(base);
  if (!from) {
    if (from.error().fault == StoreFault::damaged)
      from.error().reason += "; roll back to a version that can be read";
    return tl::unexpected(from.error());
  }
  return std::move(from->files);
}

StoreResult<std::vector<TableFile>> Store::files_of(const TableDraft& draft) {
  const auto base = base_files(draft.base);
  if (!base) return base;
  return changed_files(*base, draft);
}

// The draft's lists with the changes on top, and its blobs stored.
StoreResult<void> Store::apply(TableDraft& draft, std::span<const FileChange> changes) {
  const auto base = base_files(draft.base);
  if (!base) return tl::unexpected(base.error());
  std::vector<TableFile> files = changed_files(*base, draft);
  for (const FileChange& change : changes) {
    if (const char* why = bad_table_name(change.name))
      return store_error(StoreFault::invalid, "\"" + printable(change.name) + "\" " + why);
    std::erase_if(files, [&](const TableFile& file) { return file.name == change.name; });
    if (!change.text) continue;
    const TableFile* before = find_file(*base, change.name);
    TableFile file = describe(change.name, *change.text);
    if (before == nullptr || before->sha256 != file.sha256) {
      const auto stored = put(change.name, *change.text);
      if (!stored) return tl::unexpected(stored.error());
    }
    files.push_back(std::move(file));
  }
  if (files.size() > kTableFilesMax)
    return store_error(StoreFault::invalid, "there would be too many files");
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  draft.changed.clear();
  draft.removed.clear();
  for (FileDifference& each : differences(*base, files)) {
    if (each.after)
      draft.changed.push_back(std::move(*each.after));
    else
      draft.removed.push_back(std::move(each.name));
  }
  if (!draft.changed.empty() || !draft.removed.empty()) return {};
  return store_error(StoreFault::invalid,
                     draft.base == 0 ? "there is no file in it"
                                     : "nothing in it differs from " + number_of(draft.base));
}

Store::Commands Store::save_commands(const TableDraft& draft) const {
  const std::string id = std::to_string(draft.id);
  Commands commands{{"SET", draft_key(draft.id), encode(draft)},
                    {draft.open() ? "SADD" : "SREM", key("drafts"), id}};
  if (draft.state == DraftState::scheduled)
    commands.push_back({"ZADD", key("due"), std::to_string(draft.publish_at_us), id});
  else
    commands.push_back({"ZREM", key("due"), id});
  return commands;
}

StoreResult<TableDraft> Store::create_draft(const Actor& actor, std::span<const FileChange> changes,
                                            std::string summary,
                                            std::optional<std::uint32_t> base) {
  if (const auto fine = check_actor(actor); !fine) return tl::unexpected(fine.error());
  if (const auto watched = watch({}); !watched) return tl::unexpected(watched.error());
  if (!base) {
    const auto now = current();
    if (!now) return tl::unexpected(now.error());
    base = *now;
  }
  TableDraft draft;
  draft.base = *base;
  draft.revision = 1;
  draft.who = actor.who;
  draft.when_us = actor.now_us;
  draft.note = actor.note;
  draft.summary = std::move(summary);
  if (const auto applied = apply(draft, changes); !applied) return tl::unexpected(applied.error());
  const auto id = redis_.command({"INCR", key("drafts:last")});
  if (!id) return tl::unexpected(id.error());
  draft.id = static_cast<std::uint32_t>(id->integer);
  Commands commands = save_commands(draft);
  commands.push_back(audit_command(
      {{}, actor.who, actor.now_us, "draft", actor.note, 0, draft.base, draft.id, draft.summary}));
  if (const auto done = commit(std::move(commands)); !done) return tl::unexpected(done.error());
  return draft;
}

StoreResult<TableDraft> Store::draft(std::uint32_t id) {
  const std::string at = draft_key(id);
  const auto reply = redis_.command({"GET", at});
  if (!reply) return tl::unexpected(reply.error());
  if (reply->is_nil())
    return store_error(StoreFault::missing, "there is no draft " + std::to_string(id));
  auto draft = decode_draft(reply->text);
  if (!draft) return store_error(StoreFault::damaged, at + " " + draft.error());
  if (draft->id != id)
    return store_error(StoreFault::damaged, at + " holds draft " + std::to_string(draft->id));
  return std::move(*draft);
}

StoreResult<std::vector<TableDraft>> Store::drafts() {
  const auto reply = redis_.command({"SMEMBERS", key("drafts")});
  if (!reply) return tl::unexpected(reply.error());
  std::set<std::uint32_t> ids;
  for (const RedisReply& part : reply->parts) {
    std::uint32_t id = 0;
    std::from_chars(part.text.data(), part.text.data() + part.text.size(), id);
    ids.insert(id);
  }
  std::vector<TableDraft> drafts;
  for (const std::uint32_t id : ids) {
    auto each = draft(id);
    if (!each) return tl::unexpected(each.error());
    drafts.push_back(std::move(*each));
  }
  return drafts;
}

// Reads the open draft, changes it, and saves it unless somebody else did in the meantime.
StoreResult<TableDraft> Store::change(std::uint32_t id, const Actor& actor, const char* what,
                                      const Change& apply_change) {
  if (const auto fine = check_actor(actor); !fine) return tl::unexpected(fine.error());
  if (const auto watched = watch({draft_key(id)}); !watched) return tl::unexpected(watched.error());
  auto changed = draft(id);
  if (!changed) return changed;
  if (!changed->open()) {
    std::string why = "draft " + std::to_string(id) + " was " + state_name(changed->state);
    if (changed->published_as != 0) why += " as " + number_of(changed->published_as);
    return store_error(StoreFault::invalid, why);
  }
  const std::uint32_t base = changed->base;
  if (const auto applied = apply_change(*changed); !applied) return tl::unexpected(applied.error());
  ++changed->revision;
  Commands commands = save_commands(*changed);
  const std::string detail = changed->base == base
                                 ? changed->reason
                                 : "from " + number_of(base) + " to " + number_of(changed->base);
  commands.push_back(
      audit_command({{}, actor.who, actor.now_us, what, actor.note, 0, changed->base, id, detail}));
  if (const auto done = commit(std::move(commands)); !done) return tl::unexpected(done.error());
  return changed;
}

StoreResult<TableDraft> Store::change_draft(std::uint32_t id, const Actor& actor,
                                            std::span<const FileChange> changes,
                                            std::string summary, std::uint32_t revision) {
  return change(id, actor, "change", [&](TableDraft& draft) -> StoreResult<void> {
    if (revision != 0 && draft.revision != revision) {
      return store_error(StoreFault::conflict,
                         "draft " + std::to_string(id) + " was changed meanwhile: do it again");
    }
    back_to_draft(draft);
    draft.summary = std::move(summary);
    return apply(draft, changes);
  });
}

StoreResult<TableDraft> Store::approve(std::uint32_t id, const Actor& actor) {
  return change(id, actor, "approve", [&](TableDraft& draft) -> StoreResult<void> {
    if (draft.approved_by == actor.who) {
      return store_error(StoreFault::invalid,
                         "draft " + std::to_string(id) + " was approved by " + draft.approved_by);
    }
    if (draft.state != DraftState::scheduled) draft.state = DraftState::approved;
    draft.approved_by = actor.who;
    draft.reason.clear();
    return {};
  });
}

StoreResult<TableDraft> Store::discard(std::uint32_t id, const Actor& actor) {
  return change(id, actor, "discard", [&](TableDraft& draft) -> StoreResult<void> {
    draft.state = DraftState::discarded;
    return {};
  });
}

StoreResult<TableDraft> Store::schedule(std::uint32_t id, const Actor& actor, std::int64_t at_us) {
  return change(id, actor, "schedule", [&](TableDraft& draft) -> StoreResult<void> {
    if (at_us <= actor.now_us)
      return store_error(StoreFault::invalid, "the time is over: publish it without a time");
    draft.state = DraftState::scheduled;
    draft.scheduled_by = actor.who;
    draft.publish_at_us = at_us;
    draft.reason.clear();
    if (!actor.note.empty()) draft.note = actor.note;
    return {};
  });
}

StoreResult<void> Store::fail_draft(const TableDraft& draft, const Actor& actor,
                                    std::string reason) {
  const auto failed = change(draft.id, actor, "fail", [&](TableDraft& now) -> StoreResult<void> {
    if (now.revision != draft.revision) {
      return store_error(StoreFault::conflict,
                         "draft " + std::to_string(draft.id) + " was changed meanwhile");
    }
    now.state = DraftState::failed;
    now.reason = std::move(reason);
    return {};
  });
  if (!failed) return tl::unexpected(failed.error());
  return {};
}

StoreResult<TableDraft> Store::rebase(std::uint32_t id, const Actor& actor) {
  return change(id, actor, "rebase", [&](TableDraft& draft) -> StoreResult<void> {
    const auto now = version(0);
    if (!now) return tl::unexpected(now.error());
    const auto base = base_files(draft.base);
    if (!base) return tl::unexpected(base.error());
    if (now->number == draft.base) {
      return store_error(StoreFault::invalid, "draft " + std::to_string(id) + " is based on " +
                                                  number_of(draft.base) +
                                                  ", the current one, already");
    }
    if (const auto both = conflicts(draft, *base, now->files); !both.empty()) {
      return store_error(StoreFault::conflict,
                         "draft " + std::to_string(id) + " and what was published since " +
                             number_of(draft.base) + " both change " + joined(both) +
                             ": pull the current version, make the change there, push it anew");
    }
    const std::vector<TableFile> files = changed_files(now->files, draft);
    draft.base = now->number;
    draft.changed.clear();
    draft.removed.clear();
    for (FileDifference& each : differences(now->files, files)) {
      if (each.after)
        draft.changed.push_back(std::move(*each.after));
      else
        draft.removed.push_back(std::move(each.name));
    }
    if (draft.changed.empty() && draft.removed.empty()) {
      return store_error(StoreFault::invalid,
                         number_of(now->number) + " holds the same changes already: discard it");
    }
    if (draft.state != DraftState::scheduled) back_to_draft(draft);
    return {};
  });
}

StoreError Store::overtaken(const TableDraft& draft, std::uint32_t current) {
  std::string why = "draft " + std::to_string(draft.id) + " is based on " +
                    (draft.base == 0 ? "an empty store" : number_of(draft.base)) +
                    ", since then was published:";
  if (const auto since = history(kShownInBetween)) {
    for (const TableVersion& each : since->versions) {
      if (each.number <= draft.base) break;
      why += " " + std::to_string(each.number) + " by " + printable(each.who) +
             (each.note.empty() ? "" : " (" + printable(each.note) + ")") + ";";
    }
  } else {
    why += " " + std::to_string(current) + ";";
  }
  return {StoreFault::conflict, why + " rebase it first"};
}

StoreResult<TableVersion> Store::publish(const TableDraft& draft, const Actor& actor,
                                         Origin origin) {
  if (const auto fine = check_actor(actor); !fine) return tl::unexpected(fine.error());
  if (const auto watched = watch({key("current"), draft_key(draft.id)}); !watched)
    return tl::unexpected(watched.error());
  const auto now = this->draft(draft.id);
  if (!now) return tl::unexpected(now.error());
  if (now->revision != draft.revision) {
    return store_error(StoreFault::conflict, "draft " + std::to_string(draft.id) +
                                                 " was changed meanwhile: look at it again");
  }
  if (!now->open()) {
    return store_error(StoreFault::invalid,
                       "draft " + std::to_string(draft.id) + " was " + state_name(now->state));
  }
  const auto in_force = current();
  if (!in_force) return tl::unexpected(in_force.error());
  if (*in_force != draft.base) return tl::unexpected(overtaken(draft, *in_force));
  auto files = files_of(draft);
  if (!files) return tl::unexpected(files.error());
  TableVersion next;
  next.based_on = draft.base;
  next.note = actor.note.empty() ? draft.note : actor.note;
  next.origin = origin;
  next.draft = draft.id;
  next.files = std::move(*files);
  auto published = publish_files(std::move(next), &*now, actor);
  if (published || published.error().fault != StoreFault::conflict) return published;
  // Somebody was faster between our look and the transaction: say who.
  const auto later = current();
  if (later && *later != draft.base) return tl::unexpected(overtaken(draft, *later));
  return published;
}

StoreResult<std::vector<std::uint32_t>> Store::due(std::int64_t now_us) {
  const auto reply = redis_.command(
      {"ZRANGEBYSCORE", key("due"), "-inf", std::to_string(now_us), "LIMIT", "0", "100"});
  if (!reply) return tl::unexpected(reply.error());
  std::vector<std::uint32_t> ids;
  for (const RedisReply& part : reply->parts) {
    std::uint32_t id = 0;
    std::from_chars(part.text.data(), part.text.data() + part.text.size(), id);
    ids.push_back(id);
  }
  return ids;
}

StoreResult<std::int64_t> Store::next_due_us() {
  const auto reply = redis_.command({"ZRANGE", key("due"), "0", "0", "WITHSCORES"});
  if (!reply) return tl::unexpected(reply.error());
  std::int64_t at = std::numeric_limits<std::int64_t>::max();
  if (reply->parts.size() == 2) {
    const std::string& text = reply->parts[1].text;
    std::from_chars(text.data(), text.data() + text.size(), at);
  }
  return at;
}

StoreResult<bool> Store::take_turn(std::string_view gateway, std::int64_t for_us) {
  const auto reply = redis_.command({"SET", key("lock:due"), gateway, "NX", "PX",
                                     std::to_string(std::max<std::int64_t>(for_us / 1'000, 1))});
  if (!reply) return tl::unexpected(reply.error());
  return !reply->is_nil();
}

// A turn that was over already may be another gateway's now: only our own is ended. (Were it lost
// in between, two would try to publish, and the transaction lets one.)
StoreResult<void> Store::end_turn(std::string_view gateway) {
  const auto whose = redis_.command({"GET", key("lock:due")});
  if (!whose) return tl::unexpected(whose.error());
  if (whose->text != gateway) return {};
  const auto gone = redis_.command({"DEL", key("lock:due")});
  if (!gone) return tl::unexpected(gone.error());
  return {};
}

}  // namespace tollgate::routing
