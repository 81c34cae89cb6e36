// What the torture set cannot show: every merge against a slow calendar, templates, overlays.
#include <algorithm>
#include <array>
#include <filesystem>
#include <random>

#include <catch2/catch.hpp>

#include "routing/sheets/book.h"
#include "routing/sheets/context.h"
#include "routing/sheets/formats.h"
#include "routing/sheets/overlay.h"
#include "routing/sheets/sheet.h"
#include "tests/routing/compile/directory.h"

using namespace tollgate::routing;

namespace {

constexpr std::int64_t kDay = 86'400'000'000;
constexpr int kDays = 24;

const SheetContext& context() {
  static const SheetContext made = [] {
    const Directory directory(good_files());
    auto loaded = SheetContext::load(directory.path(), nullptr);
    REQUIRE(loaded);
    return std::move(*loaded);
  }();
  return made;
}

// The slow calendar: what is charged on each day, by submit and by delivered. Amounts are all
// different, so that a row's days are those that follow one another with one amount.
struct Calendar {
  std::array<std::array<Nano, kDays + 1>, 2> days;
  Calendar() {
    for (auto& kind : days) kind.fill(kNone);
  }
  bool begins(int kind, int day) const {
    return days[kind][day] != kNone && (day == 0 || days[kind][day] != days[kind][day - 1]);
  }

  void apply(const SheetItem& item, int now) {
    const int from = static_cast<int>(item.from_us / kDay);
    const bool told = item.to_us != kOpen;
    int end = told ? static_cast<int>(item.to_us / kDay) : kDays + 1;
    for (int day = kDays; !told && !item.closed && day > std::max(from, now); --day) {
      if (begins(0, day) || begins(1, day)) end = day;
    }
    for (int kind : {0, 1}) {
      auto& row = days[static_cast<std::size_t>(kind)];
      const Nano running = row[static_cast<std::size_t>(from)];
      // What was in force when a sheet's own period began does not come back after it.
      for (int day = end; told && day <= kDays && running != kNone && row[day] == running; ++day)
        row[day] = kNone;
      const Nano amount = kind == 0 ? item.charge.submit : item.charge.delivered;
      for (int day = from; day < end; ++day) row[day] = item.closed ? kNone : amount;
    }
  }
};

struct World {
  Book book;
  std::vector<SheetItem> items;
  Calendar calendar;
  int now = 0;  // day
};

World make_world(std::mt19937& random) {
  World world;
  const Thing thing = thing_of("23415", false);
  Nano next = 1;
  world.now = static_cast<int>(random() % 12);
  for (const bool delivered : {false, true}) {
    for (int day = static_cast<int>(random() % 5); day < kDays;) {
      const int length = 1 + static_cast<int>(random() % 8);
      const bool open = day + length >= kDays;
      world.book.push_back(
          {thing, delivered, day * kDay, open ? kOpen : (day + length) * kDay, next, "EUR"});
      for (int d = day; d <= kDays && (open || d < day + length); ++d)
        world.calendar.days[delivered][static_cast<std::size_t>(d)] = next;
      ++next;
      day += length + (random() % 3 == 0 ? 2 : 0);
    }
    if (random() % 2 == 0) break;
  }
  for (int day = 1 + static_cast<int>(random() % 6); day < kDays - 2;) {
    SheetItem item;
    item.thing = thing;
    item.closed = random() % 5 == 0;
    item.charge = {random() % 4 == 0 ? kNone : next++, kNone, "EUR"};
    if (item.charge.submit == kNone || random() % 3 == 0) item.charge.delivered = next++;
    item.from_us = day * kDay;
    const int length = 1 + static_cast<int>(random() % 7);
    if (random() % 3 == 0) item.to_us = std::min(day + length, kDays) * kDay;
    world.items.push_back(item);
    day += length + static_cast<int>(random() % 4);
  }
  return world;
}

}  // namespace

TEST_CASE("a merge charges on every day what a slow calendar says") {
  std::mt19937 random(11);
  for (int round = 0; round < 20'000; ++round) {
    World world = make_world(random);
    const Merged merged = merge(world.book, world.items,
                                {context(), BookKind::rate_book, world.now * kDay, std::nullopt});
    for (const SheetItem& item : world.items) world.calendar.apply(item, world.now);
    const BookRow* begin = merged.book.data();
    for (int day = 0; day <= kDays; ++day) {
      const auto charge = charge_at(begin, begin + merged.book.size(), day * kDay);
      const Nano submit = charge ? charge->submit : kNone;
      const Nano delivered = charge ? charge->delivered : kNone;
      if (submit == world.calendar.days[0][day] && delivered == world.calendar.days[1][day])
        continue;
      FAIL("round " << round << ", day " << day << ": " << submit << " and " << delivered
                    << ", the calendar has " << world.calendar.days[0][day] << " and "
                    << world.calendar.days[1][day]);
    }
    // Invariant 1 and 4 of the book: no two rows at once, and text that reads back as itself.
    std::vector<TableFault> faults;
    const std::string text = write_book(merged.book, BookKind::rate_book);
    const auto again = parse_book(text, BookKind::rate_book, "rates/x.csv", faults);
    REQUIRE(again);
    REQUIRE(write_book(*again, BookKind::rate_book) == text);
  }
}

TEST_CASE("the difference of two books is told for every day, and for no other") {
  std::mt19937 random(12);
  std::size_t told = 0, kept = 0;
  for (int round = 0; round < 5'000; ++round) {
    World world = make_world(random);
    if (random() % 4 == 0) world.items.clear();
    const Book after = merge(world.book, world.items,
                             {context(), BookKind::rate_book, world.now * kDay, std::nullopt})
                           .book;
    const auto changes = book_changes(world.book, after, context(), world.now * kDay);
    const auto at = [](const Book& book, std::int64_t us) {
      return charge_at(book.data(), book.data() + book.size(), us);
    };
    for (int day = 0; day <= kDays; ++day) {
      const auto was = at(world.book, day * kDay), is = at(after, day * kDay);
      const RateChange* of_day = nullptr;
      for (const RateChange& change : changes) {
        if (change.kind == ChangeKind::unchanged) continue;
        if (change.from_us > day * kDay || day * kDay >= change.to_us) continue;
        REQUIRE(of_day == nullptr);
        of_day = &change;
      }
      INFO("round " << round << ", day " << day);
      if (day >= world.now) REQUIRE((of_day != nullptr) == (was != is));
      if (of_day == nullptr) continue;
      REQUIRE(of_day->to_us > world.now * kDay);
      ++told;
      REQUIRE(of_day->after == is);
      // Days that are closed one after the other are one change, with what was charged first.
      if (is) REQUIRE(of_day->before == was);
      REQUIRE((of_day->kind == ChangeKind::closed) == !is);
      REQUIRE((of_day->kind == ChangeKind::added) == (is && !was));
    }
    if (after == world.book) {
      ++kept;
      for (const RateChange& change : changes) CHECK(change.kind == ChangeKind::unchanged);
      const auto later = [&](const BookRow& row) { return row.to_us > world.now * kDay; };
      REQUIRE(changes.size() == std::any_of(after.begin(), after.end(), later));
    }
  }
  CHECK(told > 10'000);
  CHECK(kept > 100);
}

TEST_CASE("raised and lowered are told apart in the base currency") {
  const auto book = [](Nano amount, const char* currency) {
    return Book{{thing_of("23415", false), false, kAlways, kOpen, amount, currency}};
  };
  const auto one = [&](const Book& before, const Book& after) {
    const auto changes = book_changes(before, after, context(), 0);
    REQUIRE(changes.size() == 1);
    return changes[0];
  };
  CHECK(one(book(100, "EUR"), book(105, "EUR")).kind == ChangeKind::raised);
  CHECK(one(book(100, "EUR"), book(105, "EUR")).basis_points == 500);
  CHECK(one(book(100, "EUR"), book(105, "USD")).kind == ChangeKind::lowered);  // 94.5 EUR
  CHECK(one({}, book(1, "EUR")).kind == ChangeKind::added);
  CHECK(one(book(1, "EUR"), {}).kind == ChangeKind::closed);
  CHECK(one(book(1, "EUR"), book(1, "EUR")).kind == ChangeKind::unchanged);
}

TEST_CASE("a full sheet closes what it does not name, and only from its date on") {
  Book book;
  for (const char* digits : {"23402", "23410", "23415"})
    book.push_back({thing_of(digits, false), false, kAlways, kOpen, 5, "EUR"});
  book[1].to_us = 3 * kDay;  // ends by itself before
  SheetItem item;
  item.thing = thing_of("23415", false);
  item.charge = {5, kNone, "EUR"};
  item.from_us = 10 * kDay;
  const Merged merged =
      merge(book, {item}, {context(), BookKind::rate_book, kAlways, std::int64_t{10} * kDay});
  CHECK(merged.in_force == 2);
  CHECK(merged.missing == 1);
  REQUIRE(merged.book.size() == 3);
  CHECK(merged.book[0].to_us == 10 * kDay);
  CHECK(merged.book[1].to_us == 3 * kDay);
  CHECK(merged.book[2].to_us == kOpen);
}

TEST_CASE("rows for some senders or volumes, and tags, live through a sheet") {
  const std::string rates =
      "mccmnc,mcc,prefix,price,currency,charge,effective_from,effective_to,sender,tags\n"
      "23402,,,0.01,EUR,submit,,,,direct\n"
      "23402,,,0.02,EUR,submit,,,alphanumeric,\n"
      "23410,,,0.01,EUR,submit,,,numeric,old\n"
      "23415,,,0.01,EUR,submit,,,,\n"
      "23415,,,0.03,EUR,submit,,,short_code,\n";
  std::vector<TableFault> faults;
  const auto book = parse_book(rates, BookKind::rate_book, "rates/a.csv", faults);
  REQUIRE(book);
  CHECK(write_book(*book, BookKind::rate_book) == rates);
  SheetItem raised, closed;
  raised.thing = thing_of("23402", false);
  raised.charge = {15'000'000, kNone, "EUR"};
  raised.from_us = 10 * kDay;
  closed.thing = thing_of("23415", false);
  closed.closed = true;
  closed.from_us = 10 * kDay;
  const Merged merged =
      merge(*book, {raised, closed}, {context(), BookKind::rate_book, kAlways, std::nullopt});
  const std::string expected =
      "mccmnc,mcc,prefix,price,currency,charge,effective_from,effective_to,sender,tags\n"
      "23402,,,0.01,EUR,submit,,1970-01-11,,direct\n"
      "23402,,,0.015,EUR,submit,1970-01-11,,,direct\n"
      "23402,,,0.02,EUR,submit,,,alphanumeric,\n"
      "23410,,,0.01,EUR,submit,,,numeric,old\n"
      "23415,,,0.01,EUR,submit,,1970-01-11,,\n"
      "23415,,,0.03,EUR,submit,,1970-01-11,short_code,\n";
  CHECK(write_book(merged.book, BookKind::rate_book) == expected);
  // A full sheet that names nothing closes them too, and the comparison tells of each.
  const Merged full =
      merge(*book, {}, {context(), BookKind::rate_book, kAlways, std::int64_t{10} * kDay});
  for (const BookRow& row : full.book) CHECK(row.to_us == 10 * kDay);
  std::vector<std::string> told;
  for (const RateChange& change : book_changes(*book, full.book, context(), 0))
    told.push_back(change.thing + " " + change.only + " " + change_name(change.kind));
  CHECK(told == std::vector<std::string>{"23402  closed", "23402 alphanumeric closed",
                                         "23410 numeric closed", "23415  closed",
                                         "23415 short_code closed"});

  const std::string prices =
      "mccmnc,mcc,prefix,price,currency,effective_from,effective_to,from_volume\n"
      "23402,,,0.05,EUR,,,\n23402,,,0.04,EUR,,,1000\n";
  const auto plan = parse_book(prices, BookKind::price_plan, "plans/p.csv", faults);
  REQUIRE(plan);
  CHECK(write_book(*plan, BookKind::price_plan) == prices);
  for (const char* bad : {"x,\n", ",a a\n"}) {
    const std::string text =
        "mccmnc,price,currency,sender,tags\n23402,0.01,EUR," + std::string(bad);
    CHECK_FALSE(parse_book(text, BookKind::rate_book, "rates/a.csv", faults));
    CHECK(faults.size() == 1);
  }
}

TEST_CASE("a template names each of its faults with the line") {
  const auto faults_of = [](const char* text) {
    const auto parsed = parse_template(text);
    REQUIRE_FALSE(parsed);
    std::string all;
    for (const std::string& fault : parsed.error()) all += fault + "\n";
    return all;
  };
  CHECK(faults_of("cents = 1\nzone = 2\n").find("line 1: cents is neither true nor false") == 0);
  CHECK(faults_of("\nwhat = 1\n") == "line 2: what is not a key of a template\n");
  CHECK(faults_of("decimal = \";\"\n") == "line 1: decimal is none of \".\", \",\"\n");
  CHECK(faults_of("notice_days = -1\n").find("is not a number from 0 to 365") != std::string::npos);
  CHECK(faults_of("[columns]\n\"X\" = \"cost\"\n").find("line 2: X is none of \"ignore\"") == 0);
  CHECK(faults_of("= 1").find("line 1: ") == 0);
  CHECK(faults_of(std::string(70'000, ' ').c_str()) == "is larger than 64 KiB\n");
  const auto good = parse_template(
      "sheet = \"R\"\nheader_row = 4\nseparator = \"tab\"\ndecimal = \",\"\ndates = \"mdy\"\n"
      "zone = \"+02:00\"\ncurrency = \"EUR\"\ncents = true\ncharge = \"delivered\"\n"
      "kind = \"full\"\ntill = \"exclusive\"\nnotice_days = 7\nchange_percent_max = 10\n"
      "closed_percent_max = 5\n[columns]\n\"Netz\" = \"mccmnc\"\n");
  REQUIRE(good);
  CHECK(good->separator == '\t');
  CHECK(good->dates == DateOrder::mdy);
  CHECK(good->kind == SheetKind::full);
  CHECK_FALSE(good->till_inclusive);
  CHECK(good->columns.front() == std::pair(std::string("Netz"), Meaning::mccmnc));
}

TEST_CASE("stored numbers become the text that a spreadsheet shows") {
  CHECK(plain_number("7.4999999999999997E-3") == "0.0075");
  CHECK(plain_number("0.30000000000000004") == "0.3");
  CHECK(plain_number("1E3") == "1000");
  CHECK(plain_number("26201") == "26201");
  CHECK(plain_number("-0.5") == "-0.5");
  CHECK(plain_number("-0") == "0");
  CHECK(plain_number("1E-300").empty());
  CHECK(plain_number("nan").empty());
  CHECK(plain_number("1 2").empty());
  CHECK(with_zeros("1", 3) == "001");
  CHECK(with_zeros("0.5", 3) == "0.5");
  CHECK(serial_date("46357", false) == "2026-12-01");
  CHECK(serial_date("44895", true) == "2026-12-01");
  CHECK(serial_date("46357.5", false) == "2026-12-01T12:00:00");
  CHECK(serial_date("60", false).empty());
  CHECK(serial_date("1e9", false).empty());
  CHECK(number_format(14, "").date);
  CHECK_FALSE(number_format(2, "").date);
  CHECK(number_format(164, "yyyy\\-mm\\-dd").date);
  CHECK_FALSE(number_format(165, "#,##0.00\\ \"day\"").date);
  CHECK_FALSE(number_format(166, "[Red]0.0000").date);
  CHECK(number_format(167, "000").zeros == 3);
}

TEST_CASE("an overlay shows changed files over the base and leaves the base alone") {
  const Directory base(good_files());
  std::string path;
  {
    const Overlay overlay(base.path(), {{"rates/alpha.csv", "mccmnc,price,currency\n"},
                                        {"rates/new.csv", "mccmnc,price,currency\n"},
                                        {"rates/bravo.csv", std::nullopt}});
    path = overlay.path();
    CompileOptions options;
    options.now_us = kNow;
    const auto compiled = compile_directory(path, options);
    REQUIRE(compiled);
    CHECK((*compiled)->find_carrier("new") >= 0);
    CHECK((*compiled)->find_carrier("bravo") < 0);
    CHECK((*compiled)->counts.rates == 0);
  }
  CHECK_FALSE(std::filesystem::exists(path));
  CompileOptions options;
  options.now_us = kNow;
  const auto compiled = compile_directory(base.path(), options);
  REQUIRE(compiled);
  CHECK((*compiled)->counts.rates == 4);
  CHECK_THROWS(Overlay(base.path(), {{"../x.csv", ""}}));
  CHECK_THROWS(Overlay(base.path(), {{"rates/../../x.csv", ""}}));
  CHECK_THROWS(Overlay(base.path(), {{"x.txt", ""}}));
}
