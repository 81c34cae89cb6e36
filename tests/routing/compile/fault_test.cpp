// Every kind of fault once, with the exact place that is named. A reader that lets one of them
// pass, or names another row or column, fails here.
#include <algorithm>

#include <catch2/catch.hpp>

#include "routing/csv.h"
#include "tests/routing/compile/directory.h"

namespace tollgate::routing {
namespace {

struct Broken {
  const char* file;
  std::string text;  // instead of the good file
  std::size_t row;
  const char* column;
  const char* value;
  const char* reason;  // a part of it
};

void check(const Broken& broken) {
  Files files = good_files();
  files[broken.file] = broken.text;
  const CompileResult result = compile_files(files);
  CAPTURE(broken.file, broken.text.substr(0, 300), broken.reason);
  REQUIRE_FALSE(result);
  const auto& faults = result.error();
  std::string all;
  for (const TableFault& fault : faults) all += fault_text(fault) + "\n";
  CAPTURE(all);
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].file == broken.file);
  CHECK(faults[0].row == broken.row);
  CHECK(faults[0].column == broken.column);
  CHECK(faults[0].value == broken.value);
  CHECK(faults[0].reason.find(broken.reason) != std::string::npos);
}

const std::string kPlanHead = "prefix,mccmnc\n44,234\n4477,23415\n447701,23402\n";
const std::string kRateHead =
    "mccmnc,mcc,prefix,price,currency,effective_from,effective_to,charge\n";
const std::string kRuleHead =
    "plan,client,destination,allow,deny,order,priorities,weights,max_attempts,min_margin,"
    "min_margin_percent,on_loss,min_quality,hours,blocked\n";

// A rate book of one row / a rule of one field, the rest empty.
std::string rate(const std::string& row) {
  return kRateHead + row + "\n";
}
std::string rule(std::size_t column, const std::string& value) {
  std::string row;
  for (std::size_t i = 0; i < 15; ++i)
    row += std::string(i > 0 ? "," : "") + (i == column ? value : "");
  return kRuleHead + row + "\n";
}

}  // namespace

TEST_CASE("what a person cannot see, or a terminal obeys, is escaped") {
  CHECK(printable("M\xc3\xbcnchen \xe2\x82\xac \xe4\xb8\xad\xf0\x9f\x98\x80") ==
        "M\xc3\xbcnchen \xe2\x82\xac \xe4\xb8\xad\xf0\x9f\x98\x80");
  const std::pair<const char*, const char*> unseen[] = {
      {"\x1b[31m", "\\x1b[31m"},                     // a terminal's
      {"\xc2\x9b", "\\xc2\\x9b"},                    // U+009B, C1
      {"\xc2\xad", "\\xc2\\xad"},                    // U+00AD, a hyphen that is not drawn
      {"\xd8\x9c", "\\xd8\\x9c"},                    // U+061C, direction
      {"\xe2\x80\x8b", "\\xe2\\x80\\x8b"},           // U+200B, no width
      {"\xe2\x80\x8f", "\\xe2\\x80\\x8f"},           // U+200F, direction
      {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},           // U+2028, a line's end
      {"\xe2\x80\xa9", "\\xe2\\x80\\xa9"},           // U+2029
      {"\xe2\x80\xae", "\\xe2\\x80\\xae"},           // U+202E, direction
      {"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},           // U+2066
      {"\xe2\x81\xa9", "\\xe2\\x81\\xa9"},           // U+2069
      {"\xee\x80\x80", "\\xee\\x80\\x80"},           // U+E000, private
      {"\xef\xb7\x90", "\\xef\\xb7\\x90"},           // U+FDD0, no character
      {"\xef\xbb\xbf", "\\xef\\xbb\\xbf"},           // U+FEFF
      {"\xef\xbf\xbf", "\\xef\\xbf\\xbf"},           // U+FFFF
      {"\xf0\x9f\xbf\xbe", "\\xf0\\x9f\\xbf\\xbe"},  // U+1FFFE
      {"\xf3\xa0\x80\xa1", "\\xf3\\xa0\\x80\\xa1"},  // U+E0021, a tag
      {"\xff", "\\xff"},
      {"a\xc2", "a\\xc2"},
  };
  for (const auto& [text, wanted] : unseen) CHECK(printable(text) == wanted);
}

TEST_CASE("the good files compile") {
  const CompileResult result = compile_files(good_files());
  REQUIRE(result);
  CHECK((*result)->counts.prefixes == 3);
}

TEST_CASE("faults of form") {
  const std::string odd = "447702,23402\n";
  for (const Broken& broken : std::vector<Broken>{
           {"numbering_plan.csv", "", 0, "", "", "is empty"},
           {"numbering_plan.csv",
            "\xff\xfe"
            "p",
            0, "", "", "UTF-16"},
           {"numbering_plan.csv", "prefix\n44\n", 1, "mccmnc", "", "missing"},
           {"numbering_plan.csv", "prefix,mccmnc,prefix\n", 1, "prefix", "prefix", "twice"},
           {"numbering_plan.csv", "prefix,mccmnc,colour\n", 1, "colour", "colour", "not a column"},
           {"numbering_plan.csv", kPlanHead + "4478\n", 5, "", "", "has 1 cells, the header has 2"},
           {"numbering_plan.csv", kPlanHead + "4478,23402,x\n", 5, "", "", "has 3 cells"},
           {"numbering_plan.csv", kPlanHead + std::string(40, ',') + "\n", 5, "", "", "more than"},
           {"numbering_plan.csv", kPlanHead + "44\"78,23402\n" + odd, 5, "prefix", "44\"78",
            "quote within"},
           {"numbering_plan.csv", kPlanHead + "\"4478,23402\n" + odd, 5, "prefix", "\"4478,23402",
            "not closed"},
           {"numbering_plan.csv", kPlanHead + "\"4478\"9,23402\n", 5, "prefix", "\"4478\"9,23402",
            "behind the closing quote"},
           {"numbering_plan.csv", kPlanHead + "4478,23402 \n", 5, "mccmnc", "23402 ", "blanks"},
           {"numbering_plan.csv",
            kPlanHead + "44\xc3"
                        "78,23402\n",
            5, "prefix", "44\\xc378", "not UTF-8"},
           {"numbering_plan.csv", kPlanHead + "44\xed\xa0\x80,23402\n", 5, "prefix",
            "44\\xed\\xa0\\x80", "not UTF-8"},
           {"numbering_plan.csv", kPlanHead + "44" + std::string(1, '\0') + "78,23402\n", 5,
            "prefix", "44\\x0078", "NUL"},
           {"numbering_plan.csv", kPlanHead + "44\t78,23402\n", 5, "prefix", "44\\x0978",
            "control character"},
           {"numbering_plan.csv", kPlanHead + "44\r78,23402\n", 5, "prefix", "44\\x0d78",
            "control character"},
           {"rules.csv", "note\n" + std::string(5'000, 'n') + "\n", 2, "note",
            "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...",
            "longer than"},
       })
    check(broken);
}

TEST_CASE("faults of the numbering plan and portability") {
  for (const Broken& broken : std::vector<Broken>{
           {"numbering_plan.csv", kPlanHead + "+4478,23402\n", 5, "prefix", "+4478",
            "digits alone"},
           {"numbering_plan.csv", kPlanHead + ",23402\n", 5, "prefix", "", "is empty"},
           {"numbering_plan.csv", kPlanHead + "004478,23402\n", 5, "prefix", "004478", "with 0"},
           {"numbering_plan.csv", kPlanHead + "2101,23402\n", 5, "prefix", "2101", "calling code"},
           {"numbering_plan.csv", kPlanHead + "4411111111111111,23402\n", 5, "prefix",
            "4411111111111111", "too many digits"},
           {"numbering_plan.csv", kPlanHead + "4478,2340\n", 5, "mccmnc", "2340", "MCC and MNC"},
           {"numbering_plan.csv", kPlanHead + "4478,2340x\n", 5, "mccmnc", "2340x", "digits alone"},
           {"numbering_plan.csv", kPlanHead + "4477,23402\n", 5, "prefix", "", "repeats row 3"},
           {"numbering_plan.csv", "prefix,mccmnc,country\n44,23402,gb\n", 2, "country", "gb",
            "country code"},
           {"portability.csv", "number,mccmnc\n44,23402\n", 2, "number", "44", "possible number"},
           {"portability.csv", "number,mccmnc\n447700900123,1\n", 2, "mccmnc", "1", "MCC and MNC"},
           {"portability.csv", "number,mccmnc\n447700900123,23402\n447700900123,23415\n", 3,
            "number", "", "repeats row 2"},
       })
    check(broken);
}

TEST_CASE("faults of rates, prices and currencies") {
  const char* file = "rates/alpha.csv";
  for (const Broken& broken : std::vector<Broken>{
           {file, rate(",,,0.1,EUR,,,"), 2, "", "", "names no destination"},
           {file, rate("23415,234,,0.1,EUR,,,"), 2, "", "", "more than one"},
           {file, rate("234,,,0.1,EUR,,,"), 2, "mccmnc", "234", "column mcc"},
           {file, rate(",23415,,0.1,EUR,,,"), 2, "mcc", "23415", "is not an MCC"},
           {file, rate("23x15,,,0.1,EUR,,,"), 2, "mccmnc", "23x15", "digits alone"},
           {file, rate(",,0044,0.1,EUR,,,"), 2, "prefix", "0044", "with 0"},
           {file, rate("23415,,,,EUR,,,"), 2, "price", "", "is empty"},
           {file, rate("23415,,,-0.1,EUR,,,"), 2, "price", "-0.1", "is negative"},
           {file, rate("23415,,,\"0,1\",EUR,,,"), 2, "price", "0,1", "plain decimal"},
           {file, rate("23415,,,1e-2,EUR,,,"), 2, "price", "1e-2", "plain decimal"},
           {file, rate("23415,,,0.0000000001,EUR,,,"), 2, "price", "0.0000000001", "9 decimals"},
           {file, rate("23415,,,99999999999,EUR,,,"), 2, "price", "99999999999", "too large"},
           {file, rate("23415,,,1000000.1,EUR,,,"), 2, "price", "1000000.1", "too large"},
           {file, rate("23415,,,0.1,XXX,,,"), 2, "currency", "XXX", "not in currencies.csv"},
           {file, rate("23415,,,0.1,EUR,31/02/2026,,"), 2, "effective_from", "31/02/2026",
            "is not a date"},
           {file, rate("23415,,,0.1,EUR,2026-02-31,,"), 2, "effective_from", "2026-02-31",
            "does not exist"},
           {file, rate("23415,,,0.1,EUR,2027-02-29,,"), 2, "effective_from", "2027-02-29",
            "does not exist"},
           {file, rate("23415,,,0.1,EUR,,2026-12-01T24:00Z,"), 2, "effective_to",
            "2026-12-01T24:00Z", "time that does not exist"},
           {file, rate("23415,,,0.1,EUR,,2026-12-01T12:00,"), 2, "effective_to", "2026-12-01T12:00",
            "is not a date"},
           {file, rate("23415,,,0.1,EUR,2026-12-01,2026-12-01,"), 2, "effective_to", "2026-12-01",
            "not after"},
           {file, rate("23415,,,0.1,EUR,,,monthly"), 2, "charge", "monthly",
            "submit nor delivered"},
           {file, rate("23415,,,0.1,EUR,,,\n\n23415,,,0.2,EUR,,,"), 4, "mccmnc", "23415",
            "repeats row 2"},
           {file,
            rate(",,4477,0.1,EUR,2030-01-01,2031-01-01,\n,,4477,0.2,EUR,,,\n,,4477,0.2,EUR,,,"
                 "delivered"),
            3, "prefix", "4477", "same time as row 2"},
           {file,
            rate(",234,,1,EUR,,2026-06-01,\n,234,,2,EUR,2026-06-01,2026-09-02,\n,234,,3,EUR,"
                 "2026-09-01T23:59Z,,"),
            4, "mcc", "234", "same time as row 3"},
           {"plans/retail.csv", "mccmnc,price,currency,charge\n", 1, "charge", "charge",
            "not a column"},
           {"plans/retail.csv", "mccmnc,price,currency\n23415,x,EUR\n", 2, "price", "x", "decimal"},
           {"currencies.csv", "currency,rate\nEUR,1\nUSD,0\n", 3, "rate", "0", "greater than 0"},
           {"currencies.csv", "currency,rate\nEUR,1\nUSD,1\nUSD,2\n", 4, "currency", "USD",
            "twice"},
           {"currencies.csv", "currency,rate\nEUR,1.1\nUSD,1\n", 2, "rate", "1.1", "base currency"},
           {"currencies.csv", "currency,rate\nEUR,1\nUSD,1\nusd,2\n", 4, "currency", "usd", "code"},
           {"currencies.csv", "currency,rate,as_of\nEUR,1,today\nUSD,1,\n", 2, "as_of", "today",
            "is not a date"},
           {"currencies.csv", "currency,rate\n", 1, "", "", "names no currency"},
       })
    check(broken);
}

TEST_CASE("faults of clients, carriers and rules") {
  const char* rules = "rules.csv";
  for (const Broken& broken : std::vector<Broken>{
           {"clients.csv", "client,plan\nshop,gold\n", 2, "plan", "gold", "is not a plan"},
           {"clients.csv", "client,plan\nshop,retail\nshop,retail\n", 3, "client", "shop", "twice"},
           {"clients.csv", "client,plan\nmy shop,retail\n", 2, "client", "my shop", "not a name"},
           {"clients.csv", "client,plan,default_country\nshop,retail,XX\n", 2, "default_country",
            "XX", "country code"},
           {"carriers.csv", "carrier,quality\nzulu,9\n", 2, "carrier", "zulu", "not a carrier"},
           {"carriers.csv", "carrier\nalpha\nalpha\n", 3, "carrier", "alpha", "twice"},
           {"carriers.csv", "carrier,quality\nalpha,101\n", 2, "quality", "101", "100 percent"},
           {"carriers.csv", "carrier,quality\nalpha,-1\n", 2, "quality", "-1", "negative"},
           {"carriers.csv", "carrier,senders\nalpha,numeric long\n", 2, "senders", "numeric long",
            "is not made of"},
           {rules, "plan,client\nretail,shop\n", 2, "", "", "both a plan and a client"},
           {rules, rule(0, "gold"), 2, "plan", "gold", "is not a plan"},
           {rules, rule(1, "nobody"), 2, "client", "nobody", "not in clients.csv"},
           {rules, rule(2, "23"), 2, "destination", "23", "MCC"},
           {rules, rule(2, "26201"), 2, "destination", "26201", "reached by no number"},
           {rules, rule(3, "alpha zulu"), 2, "allow", "alpha zulu", "does not exist: zulu"},
           {rules, rule(4, "zulu"), 2, "deny", "zulu", "does not exist: zulu"},
           {rules, rule(5, "cheapest"), 2, "order", "cheapest", "is not least_cost"},
           {rules, rule(6, "alpha"), 2, "priorities", "alpha", "carrier=number"},
           {rules, rule(6, "alpha=99999"), 2, "priorities", "alpha=99999", "too large"},
           {rules, rule(7, "alpha=1 alpha=2"), 2, "weights", "alpha=1 alpha=2", "twice"},
           {rules, rule(7, "zulu=1"), 2, "weights", "zulu=1", "does not exist"},
           {rules, rule(8, "9"), 2, "max_attempts", "9", "too large"},
           {rules, rule(8, "0"), 2, "max_attempts", "0", "say blocked"},
           {rules, rule(9, "lots"), 2, "min_margin", "lots", "plain decimal"},
           {rules, rule(10, "0.00001"), 2, "min_margin_percent", "0.00001", "4 decimals"},
           {rules, rule(11, "maybe"), 2, "on_loss", "maybe", "neither allow nor block"},
           {rules, rule(12, "-5"), 2, "min_quality", "-5", "negative"},
           {rules, rule(13, "8-20"), 2, "hours", "8-20", "time window"},
           {rules, rule(13, "25:00-26:00"), 2, "hours", "25:00-26:00", "time window"},
           {rules, rule(13, "08:00-08:00"), 2, "hours", "08:00-08:00", "empty time window"},
           {rules, rule(14, "true"), 2, "blocked", "true", "neither yes nor no"},
           {rules, rule(8, "1") + ",,,,,,,,2,,,,,,\n", 3, "", "", "as row 2"},
       })
    check(broken);
}

TEST_CASE("faults of senders, tags, volumes and shares") {
  const char* book = "rates/alpha.csv";
  const char* plan = "plans/retail.csv";
  const std::string rates = "mcc,price,currency,sender,tags\n234,0.1,EUR,";
  const std::string prices = "mcc,price,currency,from_volume\n234,0.1,EUR,";
  const std::string senders = "plan,client,destination,allow,replace_by,deny\n";
  const char* file = "senders.csv";
  for (const Broken& broken : std::vector<Broken>{
           {book, rates + "none,\n", 2, "sender", "none", "is not alphanumeric"},
           {book, rates + ",a b a\n", 2, "tags", "a b a", "a word twice"},
           {book, rates + ",=1+1\n", 2, "tags", "=1+1", "is not made of words"},
           {book, rates + "numeric,\n234,0.1,EUR,numeric,\n", 3, "mcc", "234", "repeats row 2"},
           {plan, prices + "-1\n", 2, "from_volume", "-1", "digits alone"},
           {plan, prices + "1.5\n", 2, "from_volume", "1.5", "digits alone"},
           {plan, prices + "9999999999999999\n", 2, "from_volume", "9999999999999999",
            "too many digits"},
           {plan, prices + "\n234,0.2,EUR,0\n", 3, "mcc", "234", "repeats row 2"},
           {plan, "mcc,price,currency,sender\n", 1, "sender", "sender", "not a column"},
           {"rules.csv", "explore_percent\n50.0001\n", 2, "explore_percent", "50.0001",
            "between 0 and 50"},
           {"rules.csv", "explore_percent\n-1\n", 2, "explore_percent", "-1", "between 0 and 50"},
           {file, senders + "retail,shop,,,,\n", 2, "", "", "both a plan and a client"},
           {file, senders + ",,234,all,,\n,,234,,,X\n", 3, "", "", "as row 2"},
           {file, senders + ",,,letters,,\n", 2, "allow", "letters", "is not made of"},
           {file, senders + ",,,,ABCDEFGHIJKL,\n", 2, "replace_by", "ABCDEFGHIJKL", "longer than"},
           {file, senders + ",,,,1234567890123456,\n", 2, "replace_by", "1234567890123456",
            "15 digits"},
           {file, senders + ",,,,+447700900123,\n", 2, "replace_by", "+447700900123", "with '+'"},
           {file, senders + ",,,,Gr\xc3\xbc\xc3\x9f,\n", 2, "replace_by", "Gr\xc3\xbc\xc3\x9f",
            "printable"},
           {file, senders + ",,,,,A ABCDEFGHIJKLMNOPQRSTU\n", 2, "deny", "A ABCDEFGHIJKLMNOPQRSTU",
            "no possible sender"},
           {file, senders + ",,,numeric,Shop,\n", 2, "replace_by", "Shop", "not allowed itself"},
           {file, senders + ",,,,Shop,\n,,234,,,SHOP\n", 2, "replace_by", "Shop", "denied itself"},
       })
    check(broken);
}

TEST_CASE("missing and unknown files") {
  for (const char* file : {"currencies.csv", "numbering_plan.csv", "clients.csv", "rules.csv"}) {
    Files files = good_files();
    files.erase(file);
    const CompileResult result = compile_files(files);
    REQUIRE_FALSE(result);
    CHECK(fault_text(result.error()[0]) == std::string(file) + ": is missing");
    CHECK(result.error().size() == 1);
  }
  check({"rule.csv", "plan\n", 0, "", "", "not a table file"});
  check({"rates/my carrier.csv", "plan\n", 0, "", "my carrier", "is not a name"});
  const CompileResult nowhere = compile_directory("/nonexistent/tables", {});
  REQUIRE_FALSE(nowhere);
  CHECK(fault_text(nowhere.error()[0]) == "/nonexistent/tables: is not a directory");
}

TEST_CASE(
    "the gateway's carriers and clients must be in the tables, and only they may be carriers") {
  CompileOptions options;
  options.carriers = {"bravo", "zulu"};
  options.clients = {"other", "shop"};
  const CompileResult result = compile_files(good_files(), options);
  REQUIRE_FALSE(result);
  std::vector<std::string> texts;
  for (const TableFault& fault : result.error()) texts.push_back(fault_text(fault));
  CHECK(texts ==
        std::vector<std::string>{
            "rates/alpha.csv, value \"alpha\": is not a carrier", "rates/zulu.csv: is missing",
            "clients.csv, column client, value \"other\": is missing: the gateway has this "
            "client"});
}

TEST_CASE("faults of all files are named at once, and the list is bounded") {
  Files files = good_files();
  files["rules.csv"] = rule(14, "true");
  files["clients.csv"] = "client,plan\nshop,gold\n";
  std::string plan = "prefix,mccmnc\n";
  for (int i = 0; i < 1'500; ++i) plan += "44,x\n";
  files["numbering_plan.csv"] = plan;
  const CompileResult result = compile_files(files);
  REQUIRE_FALSE(result);
  REQUIRE(result.error().size() == kTableFaultsMax + 1);
  CHECK(result.error()[0].row == 2);
  CHECK(result.error()[999].row == 1'001);
  CHECK(result.error().back().reason == "and 502 more faults");
}

TEST_CASE("what is odd but good: byte order mark, CRLF, quotes, empty lines, any column order") {
  Files files = good_files();
  files["numbering_plan.csv"] =
      "\xef\xbb\xbfnetwork,mccmnc,prefix\r\n\r\n\"O2, \"\"UK\"\" \xc3\xa9\",23402,\"44\"\r\n";
  files["README.txt"] = "not a table";
  const CompileResult result = compile_files(files);
  REQUIRE(result);
  CHECK((*result)->destinations[1].mccmnc == "234");
  CHECK((*result)->destinations[2].network == "O2, \"UK\" \xc3\xa9");
}

}  // namespace tollgate::routing
