// Blobs, versions, reports: what is not about drafts (store_drafts.cpp).
#include "routing/store/store.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include <openssl/evp.h>

#include "routing/csv.h"
#include "routing/store/store_parts.h"
#include "routing/store/table_codec.h"

namespace tollgate::routing {
namespace {

constexpr std::size_t kKeysAtOnce = 5'000;

std::uint32_t chunk_count(const TableFile& file) {
  return static_cast<std::uint32_t>(
      std::max<std::uint64_t>(1, (file.octets + kChunkOctets - 1) / kChunkOctets));
}

std::size_t chunk_size(const TableFile& file, std::uint32_t index) {
  return static_cast<std::size_t>(
      std::min<std::uint64_t>(kChunkOctets, file.octets - std::uint64_t{index} * kChunkOctets));
}

// SHA-256 of what comes in parts.
class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void add(std::string_view part) { EVP_DigestUpdate(context_.get(), part.data(), part.size()); }
  Sha256 take() {
    Sha256 sha256;
    EVP_DigestFinal_ex(context_.get(), sha256.data(), nullptr);
    return sha256;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

}  // namespace

std::string Store::version_key(std::uint32_t number) const {
  return key("version:") + std::to_string(number);
}

std::string Store::chunk_key(const Sha256& blob, std::uint32_t index) const {
  return key("blob:") + hex(blob) + ":" + std::to_string(index);
}

StoreResult<std::uint32_t> Store::number_at(const std::string& at) {
  const auto reply = redis_.command({"GET", at});
  if (!reply) return tl::unexpected(reply.error());
  if (reply->is_nil()) return 0;
  std::uint32_t number = 0;
  const std::string& text = reply->text;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size())
    return store_error(StoreFault::damaged, at + " holds no number");
  return number;
}

StoreResult<std::string> Store::chunk(const TableFile& file, std::uint32_t index) {
  const std::string at = chunk_key(file.sha256, index);
  auto reply = redis_.command({"GET", at});
  if (!reply) return tl::unexpected(reply.error());
  const auto damaged = [&](const std::string& why) {
    return store_error(StoreFault::damaged, file.name + ": " + at + " " + why);
  };
  if (reply->is_nil()) {
    return damaged("is missing: chunk " + std::to_string(index + 1) + " of " +
                   std::to_string(chunk_count(file)));
  }
  auto data = decode_chunk(reply->text, file.sha256, index, chunk_count(file));
  if (!data) return damaged(data.error());
  if (data->size() != chunk_size(file, index)) {
    return damaged("has " + std::to_string(data->size()) + " octets, not " +
                   std::to_string(chunk_size(file, index)));
  }
  return std::move(*data);
}

StoreResult<void> Store::fetch(const TableFile& file,
                               const std::function<bool(std::string_view part)>& take) {
  Digest digest;
  for (std::uint32_t i = 0; i < chunk_count(file); ++i) {
    const auto part = chunk(file, i);
    if (!part) return tl::unexpected(part.error());
    digest.add(*part);
    if (!take(*part)) return store_error(StoreFault::invalid, file.name + " cannot be kept");
  }
  if (digest.take() == file.sha256) return {};
  return store_error(StoreFault::damaged,
                     file.name + ": its content is not the one that was published (SHA-256)");
}

StoreResult<std::string> Store::get(const TableFile& file) {
  std::string text;
  const auto fetched = fetch(file, [&](std::string_view part) {
    text += part;
    return true;
  });
  if (!fetched) return tl::unexpected(fetched.error());
  return text;
}

StoreResult<bool> Store::has_blob(const TableFile& file) {
  const auto fetched = fetch(file, [](std::string_view) { return true; });
  if (fetched) return true;
  if (fetched.error().fault == StoreFault::damaged) return false;
  return tl::unexpected(fetched.error());
}

// What is there already is read and checked rather than written again: to push a directory once
// more mends a blob that was damaged.
StoreResult<TableFile> Store::put(std::string_view name, std::string_view text) {
  TableFile file = describe(name, text);
  if (const char* why = bad_table_name(name))
    return store_error(StoreFault::invalid, "\"" + printable(name) + "\" " + why);
  if (text.size() > kTableFileBytesMax)
    return store_error(StoreFault::invalid, file.name + " is larger than 512 MiB");
  const auto there = has_blob(file);
  if (!there) return tl::unexpected(there.error());
  if (*there) return file;
  for (std::uint32_t i = 0; i < chunk_count(file); ++i) {
    const std::string_view part = text.substr(std::size_t{i} * kChunkOctets, chunk_size(file, i));
    const auto set = redis_.command(
        {"SET", chunk_key(file.sha256, i), encode_chunk(file.sha256, i, chunk_count(file), part)});
    if (!set) return tl::unexpected(set.error());
  }
  return file;
}

StoreResult<void> Store::check_blobs(const std::vector<TableFile>& files) {
  std::vector<std::string> keys;
  for (const TableFile& file : files) {
    for (std::uint32_t i = 0; i < chunk_count(file); ++i) keys.push_back(chunk_key(file.sha256, i));
  }
  for (std::size_t begin = 0; begin < keys.size(); begin += kKeysAtOnce) {
    const std::size_t end = std::min(keys.size(), begin + kKeysAtOnce);
    Redis::Arguments exists{"EXISTS"};
    exists.insert(exists.end(), keys.begin() + static_cast<std::ptrdiff_t>(begin),
                  keys.begin() + static_cast<std::ptrdiff_t>(end));
    const auto reply = redis_.command(exists);
    if (!reply) return tl::unexpected(reply.error());
    if (reply->integer == static_cast<std::int64_t>(end - begin)) continue;
    return store_error(StoreFault::damaged,
                       std::to_string(end - begin - static_cast<std::size_t>(reply->integer)) +
                           " chunks of its files are missing in Redis: push their directory again");
  }
  return {};
}

StoreResult<std::uint32_t> Store::current() {
  return number_at(key("current"));
}

StoreResult<TableVersion> Store::version(std::uint32_t number) {
  if (number == 0) {
    const auto now = current();
    if (!now) return tl::unexpected(now.error());
    if (*now == 0) {
      return store_error(StoreFault::missing,
                         "Redis at " + address() + " holds no tables: push a directory first");
    }
    number = *now;
  }
  const std::string at = version_key(number);
  const auto reply = redis_.command({"GET", at});
  if (!reply) return tl::unexpected(reply.error());
  if (reply->is_nil())
    return store_error(StoreFault::missing, "there is no version " + std::to_string(number));
  auto version = decode_version(reply->text);
  if (!version) return store_error(StoreFault::damaged, at + " " + version.error());
  if (version->number != number) {
    return store_error(StoreFault::damaged,
                       at + " holds version " + std::to_string(version->number));
  }
  return std::move(*version);
}

StoreResult<HistoryPage> Store::history(std::size_t count, std::uint32_t before) {
  HistoryPage page;
  const auto now = current();
  if (!now) return tl::unexpected(now.error());
  std::uint32_t number = before == 0 ? *now : std::min(before - 1, *now);
  while (number != 0) {
    if (page.versions.size() == count) {
      page.more = true;
      break;
    }
    auto each = version(number);
    if (!each && each.error().fault == StoreFault::damaged) {
      // Told in its place: the others can still be seen, and rolled back to.
      TableVersion unreadable;
      unreadable.number = number;
      unreadable.based_on = number - 1;
      unreadable.note = "cannot be read: " + each.error().reason;
      each = std::move(unreadable);
    }
    if (!each) return tl::unexpected(each.error());
    number = each->based_on;
    if (number >= each->number)
      return store_error(StoreFault::damaged, version_key(each->number) + " is based on itself");
    page.versions.push_back(std::move(*each));
  }
  return page;
}

// From now on commit() fails when one of the keys changes; what was watched before is forgotten.
StoreResult<void> Store::watch(const std::vector<std::string>& keys) {
  const auto forgotten = redis_.command({"UNWATCH"});
  if (!forgotten) return tl::unexpected(forgotten.error());
  if (keys.empty()) return {};
  Redis::Arguments arguments{"WATCH"};
  arguments.insert(arguments.end(), keys.begin(), keys.end());
  const auto reply = redis_.command(arguments);
  if (!reply) return tl::unexpected(reply.error());
  return {};
}

StoreResult<void> Store::commit(Commands commands) {
  const auto done = redis_.transaction(commands);
  if (!done) return tl::unexpected(done.error());
  if (done->is_nil())
    return store_error(StoreFault::conflict,
                       "somebody else changed it at the same time: look again");
  return {};
}

std::vector<std::string> Store::audit_command(const TableAct& act) const {
  return {"XADD", key("audit"), "*", "act", encode(act)};
}

StoreResult<std::uint32_t> Store::next_number(std::uint32_t current) {
  const auto after = current == 0 ? number_at(key("after")) : StoreResult<std::uint32_t>(current);
  if (!after) return after;
  if (*after == std::numeric_limits<std::uint32_t>::max())
    return store_error(StoreFault::invalid, "the numbers of versions are used up");
  return *after + 1;
}

StoreResult<void> Store::begin_after(std::uint32_t number, const Actor& actor) {
  if (const auto fine = check_actor(actor); !fine) return fine;
  if (const auto watched = watch({key("current")}); !watched) return watched;
  const auto now = current();
  if (!now) return tl::unexpected(now.error());
  if (*now != 0) {
    return store_error(StoreFault::invalid,
                       "Redis holds version " + std::to_string(*now) +
                           ": only an empty one can begin after another number");
  }
  TableAct act{{}, actor.who, actor.now_us, "begin", actor.note, number, 0, 0, {}};
  return commit({{"SET", key("after"), std::to_string(number)}, audit_command(act)});
}

// `version` has its files and its base; `draft`, when it comes from one. What decides has been
// WATCHed by the caller.
StoreResult<TableVersion> Store::publish_files(TableVersion version, const TableDraft* draft,
                                               const Actor& actor) {
  const auto base = base_files(version.based_on);
  // A current version that cannot be read is what a rollback mends.
  const bool mends =
      version.origin == Origin::rollback && !base &&
      (base.error().fault == StoreFault::damaged || base.error().fault == StoreFault::missing);
  if (!base && !mends) return tl::unexpected(base.error());
  if (base && differences(*base, version.files).empty()) {
    return store_error(StoreFault::invalid,
                       "it changes nothing of version " + std::to_string(version.based_on));
  }
  if (const auto there = check_blobs(version.files); !there) return tl::unexpected(there.error());
  const auto number = next_number(version.based_on);
  if (!number) return tl::unexpected(number.error());
  version.number = *number;
  version.who = actor.who;
  version.when_us = actor.now_us;
  Commands commands{{"SET", version_key(*number), encode(version)},
                    {"SET", key("current"), std::to_string(*number)}};
  if (draft != nullptr) {
    TableDraft published = *draft;
    published.state = DraftState::published;
    published.published_as = *number;
    ++published.revision;
    for (auto& each : save_commands(published)) commands.push_back(std::move(each));
  }
  commands.push_back(
      audit_command({{},
                     actor.who,
                     actor.now_us,
                     origin_name(version.origin),
                     version.note,
                     *number,
                     version.based_on,
                     version.draft,
                     version.rolled_back_to == 0
                         ? std::string()
                         : "the files of version " + std::to_string(version.rolled_back_to)}));
  commands.push_back({"PUBLISH", channel(), std::to_string(*number)});
  if (const auto done = commit(std::move(commands)); !done) return tl::unexpected(done.error());
  return version;
}

StoreResult<TableVersion> Store::rollback(std::uint32_t to, const Actor& actor) {
  if (const auto fine = check_actor(actor); !fine) return tl::unexpected(fine.error());
  if (const auto watched = watch({key("current")}); !watched)
    return tl::unexpected(watched.error());
  const auto now = current();
  if (!now) return tl::unexpected(now.error());
  if (to == 0 || to >= *now) {
    return store_error(StoreFault::invalid, "version " + std::to_string(to) +
                                                " is not older than the current one, " +
                                                std::to_string(*now));
  }
  auto older = version(to);
  if (!older) return older;
  TableVersion next;
  next.based_on = *now;
  next.note = actor.note;
  next.origin = Origin::rollback;
  next.rolled_back_to = to;
  next.files = std::move(older->files);
  return publish_files(std::move(next), nullptr, actor);
}

StoreResult<std::vector<TableAct>> Store::audit(std::size_t count) {
  const auto reply =
      redis_.command({"XREVRANGE", key("audit"), "+", "-", "COUNT", std::to_string(count)});
  if (!reply) return tl::unexpected(reply.error());
  std::vector<TableAct> acts;
  for (const RedisReply& entry : reply->parts) {
    const bool whole = entry.parts.size() == 2 && entry.parts[1].parts.size() == 2;
    auto act = whole ? decode_act(entry.parts[1].parts[1].text)
                     : Decoded<TableAct>(tl::unexpected<std::string>("is no entry of Tollgate"));
    if (!act) {
      const std::string id = entry.parts.empty() ? "" : printable(entry.parts[0].text);
      return store_error(StoreFault::damaged, key("audit") + ", entry " + id + " " + act.error());
    }
    act->id = entry.parts[0].text;
    acts.push_back(std::move(*act));
  }
  return acts;
}

StoreResult<void> Store::report(const GatewayReport& report) {
  const auto set = redis_.command({"HSET", key("gateways"), report.gateway, encode(report)});
  if (!set) return tl::unexpected(set.error());
  return {};
}

StoreResult<std::vector<GatewayReport>> Store::reports() {
  const auto reply = redis_.command({"HGETALL", key("gateways")});
  if (!reply) return tl::unexpected(reply.error());
  std::vector<GatewayReport> reports;
  for (std::size_t i = 1; i < reply->parts.size(); i += 2) {
    auto each = decode_report(reply->parts[i].text);
    if (!each) return store_error(StoreFault::damaged, key("gateways") + " " + each.error());
    reports.push_back(std::move(*each));
  }
  std::sort(reports.begin(), reports.end(),
            [](const auto& a, const auto& b) { return a.gateway < b.gateway; });
  return reports;
}

}  // namespace tollgate::routing
