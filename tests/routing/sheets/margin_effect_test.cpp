// What a change does to margins, on tables small enough to know by heart.
#include "routing/sheets/margin_effect.h"

#include <set>

#include <catch2/catch.hpp>

#include "routing/sheets/effect.h"
#include "tests/routing/compile/directory.h"

using namespace tollgate::routing;

namespace {

std::unique_ptr<const Tables> compiled(const Files& files) {
  auto result = compile_files(files);
  REQUIRE(result);
  return std::move(*result);
}

MarginEffect effect(const Files& before, const Files& after, EffectOptions options = {}) {
  const auto a = compiled(before), b = compiled(after);
  return margin_effect(*a, *b, options);
}

const MarginRow& row_of(const MarginEffect& effect, std::string_view client,
                        std::string_view mccmnc) {
  for (const MarginRow& row : effect.rows) {
    if (row.client == client && row.mccmnc == mccmnc) return row;
  }
  FAIL("no row for " << client << " and " << mccmnc);
  return effect.rows.front();
}

// good_files: 23402 is sold for 0.012; alpha asks 0.03 USD = 0.027 there, bravo 0.014 by 4477.
Files two_clients() {
  Files files = good_files();
  files["plans/flat.csv"] = "mcc,price,currency\n234,0.02,EUR\n";
  files["clients.csv"] = "client,plan,default_country\nshop,retail,GB\nagg,flat,\nagg2,flat,\n";
  return files;
}

}  // namespace

TEST_CASE("nothing changes where nothing changed") {
  const MarginEffect same = effect(two_clients(), two_clients());
  CHECK(same.rows.empty());
  CHECK(same.clients == 3);
  // 44, 4477 and 447701 are the stretches; 446 lies before 4477 and 448 behind it, both 44's.
  CHECK(same.destinations >= 3);
  CHECK(same.numbers >= 3);
}

TEST_CASE("a dearer carrier loses the message to the next one, and the margin is told") {
  Files after = two_clients();
  // agg pays 0.02 for 23415: alpha's 0.02 by network, bravo's 0.014 by prefix before.
  after["rates/bravo.csv"] = "price,currency,prefix\n0.019,EUR,4477\n";
  const MarginEffect found = effect(two_clients(), after);
  const MarginRow& row = row_of(found, "agg", "23415");
  CHECK(row.margin_before == 6'000'000);
  CHECK(row.margin_after == 1'000'000);
  CHECK(row.carrier_before == "bravo");
  CHECK(row.carrier_after == "bravo");
  CHECK(row.price_after == 20'000'000);
  CHECK(row.newly_unroutable == 0);
  CHECK(row_of(found, "agg2", "23415").margin_after == 1'000'000);
  after["rates/bravo.csv"] = "price,currency,prefix\n0.09,EUR,4477\n";
  const MarginEffect worse = effect(two_clients(), after);
  CHECK(row_of(worse, "agg", "23415").carrier_after == "alpha");
  CHECK(row_of(worse, "agg", "23415").margin_after == 0);
}

TEST_CASE("what becomes unroutable or loss-making comes first and is counted") {
  Files after = two_clients();
  after["rates/bravo.csv"] = "price,currency,prefix\n0.09,EUR,4477\n";
  const MarginEffect found = effect(two_clients(), after);
  // agg's 23402: bravo asked 0.014 of 0.02; now bravo asks 0.09 and alpha 0.027.
  const MarginRow& lost = row_of(found, "agg", "23402");
  CHECK(lost.newly_unroutable == lost.numbers);
  CHECK(lost.margin_after == kNone);
  CHECK(lost.reason_after == Reason::no_route);
  CHECK(lost.number.starts_with("447701"));
  CHECK(found.newly_unroutable == 2);
  CHECK(found.rows.front().newly_unroutable > 0);
  CHECK(found.newly_at_loss == 0);

  Files before = two_clients(), allowed = after;
  const char* rules = "plan,on_loss,min_margin\nflat,allow,-1\n";
  before["rules.csv"] = allowed["rules.csv"] = rules;
  const MarginEffect loss = effect(before, allowed);
  const MarginRow& row = row_of(loss, "agg", "23402");
  CHECK(row.newly_at_loss == row.numbers);
  CHECK(row.margin_after == -7'000'000);
  CHECK(loss.newly_unroutable == 0);
  CHECK(loss.newly_at_loss == 2);
}

TEST_CASE("only the numbers that are asked for are asked") {
  Files after = two_clients();
  after["rates/bravo.csv"] = "price,currency,prefix\n0.09,EUR,4477\n";
  RateChange change;
  change.kind = ChangeKind::raised;
  change.thing = "23402";
  EffectOptions options;
  options.only = touched_by({change});
  const MarginEffect found = effect(two_clients(), after, options);
  for (const MarginRow& row : found.rows) CHECK(row.mccmnc == "23402");
  CHECK(found.destinations == 1);
  change.is_prefix = true;
  change.thing = "447701";
  options.only = touched_by({change});
  CHECK(effect(two_clients(), after, options).destinations == 1);
  change.kind = ChangeKind::unchanged;
  options.only = touched_by({change});
  CHECK(effect(two_clients(), after, options).numbers == 0);
}

TEST_CASE("an import's effect is that of the day its last row is in force") {
  const Directory directory(two_clients());
  Import import;
  import.book_file = "rates/bravo.csv";
  import.new_text =
      "prefix,price,currency,effective_from,effective_to\n"
      "4477,0.014,EUR,,2027-02-01\n4477,0.09,EUR,2027-02-01,\n";
  RateChange change;
  change.kind = ChangeKind::raised;
  change.is_prefix = true;
  change.thing = "4477";
  change.from_us = 1'801'440'000'000'000;  // 2027-02-01
  import.changes = {change};
  CompileOptions options;
  options.now_us = kNow;
  const ImportEffect found = effect_of(import, directory.path(), options);
  CHECK(found.faults.empty());
  CHECK(found.as_of_us == change.from_us);
  CHECK(found.margins.newly_unroutable == 2);
  import.new_text = "prefix,price\n4477,1\n";
  CHECK_FALSE(effect_of(import, directory.path(), options).faults.empty());
}

TEST_CASE("every stretch of the index begins with the digits that lead to it") {
  Files files = good_files();
  // 4479 and 449 end where a place has no further digit: what follows begins one place before.
  files["numbering_plan.csv"] =
      "prefix,mccmnc,country,network\n44,234,GB,\n4479,23415,GB,\n449,23402,GB,\n"
      "44999,23430,GB,\n447999,23430,GB,\n";
  const auto tables = compiled(files);
  std::set<std::string> starts;
  std::size_t stretches = 0;
  const auto spans = tables->index.spans();
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const std::string start = PrefixIndex::digits_of(spans[i].start);
    if (start.empty()) continue;
    starts.insert(start);
    // One that ends where it begins holds no number.
    const auto first_number = [&](std::size_t span) {
      std::string digits = PrefixIndex::digits_of(spans[span].start);
      digits.resize(15, '0');
      return digits;
    };
    if (i + 1 < spans.size() && first_number(i + 1) == first_number(i)) continue;
    bool found = false;
    for (char digit = '0'; digit <= '9'; ++digit) {
      const std::string number = start + digit + "0000";
      found = found || tables->index.find(number, number_key(number)) == spans[i].leaf;
    }
    INFO(start);
    CHECK(found);
    ++stretches;
  }
  // Each of them is asked once, and none that holds no number.
  CHECK(margin_effect(*tables, *tables, {}).numbers == stretches);
  CHECK(starts.contains("44000"));
  CHECK(starts.contains("448"));  // behind 447999
  CHECK(starts.contains("44770"));
}
