#include "routing/ratesheet_effect.h"

#include <algorithm>
#include <memory>
#include <unordered_set>

#include "routing/compile.h"
#include "routing/overlay.h"

namespace tollgate::routing {

std::function<bool(std::string_view, std::string_view)> touched_by(
    const std::vector<RateChange>& changes) {
  struct Touched {
    std::unordered_set<std::string> places, prefixes;
  };
  const auto touched = std::make_shared<Touched>();
  for (const RateChange& change : changes) {
    if (change.kind != ChangeKind::unchanged)
      (change.is_prefix ? touched->prefixes : touched->places).insert(change.thing);
  }
  return [touched](std::string_view number, std::string_view mccmnc) {
    if (touched->places.contains(std::string(mccmnc)) ||
        touched->places.contains(std::string(mccmnc.substr(0, 3))))
      return true;
    for (std::size_t length = 1; !touched->prefixes.empty() && length <= number.size(); ++length) {
      if (touched->prefixes.contains(std::string(number.substr(0, length)))) return true;
    }
    return false;
  };
}

ImportEffect effect_of(const Import& import, const std::string& directory, std::int64_t now_us) {
  ImportEffect out;
  out.as_of_us = now_us;
  for (const RateChange& change : import.changes) {
    if (change.kind != ChangeKind::unchanged) out.as_of_us = std::max(out.as_of_us, change.from_us);
  }
  CompileOptions options;
  options.now_us = out.as_of_us;
  const auto before = compile_directory(directory, options);
  const Overlay overlay(directory, {{import.book_file, import.new_text}});
  const auto after = compile_directory(overlay.path(), options);
  if (!before || !after) {
    out.faults = before ? after.error() : before.error();
    return out;
  }
  out.margins = margin_effect(**before, **after, {out.as_of_us, touched_by(import.changes)});
  return out;
}

}  // namespace tollgate::routing
