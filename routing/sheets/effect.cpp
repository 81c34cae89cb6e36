#include "routing/sheets/effect.h"

#include <algorithm>
#include <memory>
#include <unordered_set>

#include "routing/compile/compile.h"
#include "routing/sheets/overlay.h"

namespace tollgate::routing {
namespace {

struct Hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
using Things = std::unordered_set<std::string, Hash, std::equal_to<>>;

}  // namespace

OnlyNumbers touched_by(const std::vector<RateChange>& changes) {
  struct Touched {
    Things places, prefixes;
  };
  const auto touched = std::make_shared<Touched>();
  for (const RateChange& change : changes) {
    if (change.kind != ChangeKind::unchanged)
      (change.is_prefix ? touched->prefixes : touched->places).insert(change.thing);
  }
  return [touched](std::string_view number, std::string_view mccmnc) {
    if (touched->places.contains(mccmnc) || touched->places.contains(mccmnc.substr(0, 3)))
      return true;
    for (std::size_t length = 1; !touched->prefixes.empty() && length <= number.size(); ++length) {
      if (touched->prefixes.contains(number.substr(0, length))) return true;
    }
    return false;
  };
}

std::int64_t last_change_us(const std::vector<RateChange>& changes, std::int64_t now_us) {
  for (const RateChange& change : changes) {
    if (change.kind != ChangeKind::unchanged) now_us = std::max(now_us, change.from_us);
  }
  return now_us;
}

namespace {

// `a`: the tables before.
ImportEffect effect_on(const Tables& a, const std::string& after, const CompileOptions& options,
                       OnlyNumbers only) {
  ImportEffect out;
  out.as_of_us = options.now_us;
  const auto b = compile_directory(after, options);
  if (b) {
    out.margins = margin_effect(a, **b, {options.now_us, std::move(only)});
  } else {
    out.faults = b.error();
  }
  return out;
}

}  // namespace

ImportEffect effect_between(const std::string& before, const std::string& after,
                            const CompileOptions& options, OnlyNumbers only) {
  const auto a = compile_directory(before, options);
  if (a) return effect_on(**a, after, options, std::move(only));
  ImportEffect out;
  out.as_of_us = options.now_us;
  out.faults = a.error();
  return out;
}

ImportEffect effect_of(const Import& import, const std::string& directory, CompileOptions options,
                       const Tables* in_force) {
  const std::int64_t at_us = last_change_us(import.changes, options.now_us);
  const bool at_hand = in_force != nullptr && at_us == options.now_us;
  options.now_us = at_us;
  options.links_out = true;  // an overlay is links
  const Overlay overlay(directory, {{import.book_file, import.new_text}});
  OnlyNumbers only = touched_by(import.changes);
  return at_hand ? effect_on(*in_force, overlay.path(), options, std::move(only))
                 : effect_between(directory, overlay.path(), options, std::move(only));
}

}  // namespace tollgate::routing
