#include "routing/compile/compile.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <new>
#include <optional>
#include <stdexcept>
#include <system_error>

#include "core/file.h"
#include "routing/compile/build_parts.h"
#include "routing/compile/cells.h"
#include "routing/compile/scopes.h"

namespace tollgate::routing {
namespace {

namespace fs = std::filesystem;

// What one matrix or list may take: about half a gigabyte, the prices by prefix twice that.
constexpr std::size_t kCellsMax = 64'000'000;
constexpr std::size_t kPrefixPricesMax = 16'000'000;
constexpr std::size_t kRanksMax = 40'000'000;
constexpr std::array kFiles = {"currencies.csv",  "carriers.csv", "numbering_plan.csv",
                               "portability.csv", "clients.csv",  "rules.csv",
                               "senders.csv"};

enum class Needed : std::uint8_t { yes, no };

std::optional<std::string> load(Reading& reading, const std::string& file, Needed needed) {
  if (reading.options.from != nullptr) {
    const auto known = reading.options.from->files.find(file);
    if (known == reading.options.from->files.end()) return std::nullopt;
    return known->second;
  }
  auto text =
      reading.options.links_out
          ? core::read_file((fs::path(reading.directory) / file).string(), kTableFileBytesMax)
          : core::read_file_below(reading.directory, file, kTableFileBytesMax);
  if (text && reading.options.keep != nullptr) reading.options.keep->files[file] = *text;
  if (text) return std::move(*text);
  const bool absent = text.error().error == ENOENT;
  if (!absent || needed == Needed::yes)
    reading.faults.add({file, 0, "", "", absent ? "is missing" : text.error().reason});
  return std::nullopt;
}

// The names of the *.csv files of a directory, without ".csv", sorted. Other files are left alone.
std::vector<std::string> list(Reading& reading, const std::string& folder) {
  std::vector<std::string> names;
  if (reading.options.from != nullptr) {
    for (const auto& [file, text] : reading.options.from->files) {
      const fs::path path(file);
      if (path.parent_path() == folder) names.push_back(path.stem().string());
    }
    std::sort(names.begin(), names.end());  // "a-b.csv" comes before "a.csv"
    return names;
  }
  std::error_code error;
  fs::directory_iterator entries(fs::path(reading.directory) / folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const fs::path name = entries->path().filename();
    if (name.extension() == ".csv") names.push_back(name.stem().string());
  }
  const std::string shown = folder.empty() ? "." : folder;
  if (error) reading.faults.add({shown, 0, "", "", "cannot be listed: " + error.message()});
  std::sort(names.begin(), names.end());
  return names;
}

void refuse_unknown_files(Reading& reading) {
  for (const std::string& name : list(reading, "")) {
    const std::string file = name + ".csv";
    if (std::find(kFiles.begin(), kFiles.end(), file) == kFiles.end())
      reading.faults.add({printable(file), 0, "", "", "is not a table file"});
  }
}

// Good names alone, at most `max` of them; the others are faults.
std::vector<std::string> good_names(Reading& reading, const std::string& folder,
                                    std::vector<std::string> names, std::size_t max) {
  std::vector<std::string> good;
  for (std::string& name : names) {
    const std::string file = folder + "/" + printable(name) + ".csv";
    if (const char* why = bad_name(name))
      reading.faults.add({file, 0, "", printable(name), why});
    else if (good.size() == max)
      reading.faults.add({file, 0, "", "", "is one too many: at most " + std::to_string(max)});
    else
      good.push_back(std::move(name));
  }
  return good;
}

void name_carriers(Reading& reading) {
  std::vector<std::string> books =
      good_names(reading, "rates", list(reading, "rates"), kCarriersMax);
  const std::vector<std::string>& asked = reading.options.carriers;
  const bool named = !asked.empty() || reading.options.all_named;
  const auto any = static_cast<std::uint8_t>((1u << unsigned(Sender::none)) - 1);
  const auto add = [&](const std::string& name) {
    reading.source.carriers.push_back({{name, 0}, any});
  };
  if (named) {
    for (const std::string& book : books) {
      if (std::find(asked.begin(), asked.end(), book) == asked.end())
        reading.faults.add({"rates/" + book + ".csv", 0, "", book, "is not a carrier"});
    }
    for (const std::string& name : asked) {
      if (name.empty()) {
        add(name);
        continue;
      }
      const auto room = kCarriersMax - reading.source.carriers.size();
      for (const std::string& good : good_names(reading, "rates", {name}, room)) add(good);
    }
  } else {
    for (const std::string& name : books) add(name);
  }
}

void read_files(Reading& reading) {
  const auto read = [&](const char* file, Needed needed, auto reader) {
    if (const auto text = load(reading, file, needed)) reader(reading, *text);
  };
  SourceTables& source = reading.source;
  refuse_unknown_files(reading);
  read("currencies.csv", Needed::yes, read_currencies);
  name_carriers(reading);
  read("carriers.csv", Needed::no, read_carriers);
  read("numbering_plan.csv", Needed::yes, read_numbering_plan);
  read("portability.csv", Needed::no, read_portability);
  for (std::size_t i = 0; i < source.carriers.size(); ++i) {
    if (source.carriers[i].carrier.name.empty()) continue;
    const std::string file = "rates/" + source.carriers[i].carrier.name + ".csv";
    if (const auto text = load(reading, file, Needed::yes))
      read_rate_book(reading, static_cast<std::uint16_t>(i), file, *text);
  }
  source.plans = good_names(reading, "plans", list(reading, "plans"), kPlansMax);
  for (std::size_t i = 0; i < source.plans.size(); ++i) {
    const std::string file = "plans/" + source.plans[i] + ".csv";
    if (const auto text = load(reading, file, Needed::yes))
      read_price_plan(reading, static_cast<std::uint16_t>(i), file, *text);
  }
  read("clients.csv", Needed::yes, read_clients);
  read("rules.csv", Needed::yes, read_rules);
  read("senders.csv", Needed::no, read_senders);
  name_price_sets(reading);
}

// Looks before memory is spent: what a few rows can make many of has a bound.
class Sizes {
 public:
  explicit Sizes(Reading& reading) : reading_(reading) {}

  // Also lays out the rules' scopes.
  void check() {
    SourceTables& source = reading_.source;
    const std::size_t places = source.destinations.size();
    const std::size_t books = has_sender_rates(source) ? kSenders : 1;
    at_most(kCellsMax, places * source.carriers.size() * 2 * books, "rates",
            "too many destinations x carriers");
    at_most(kCellsMax, places * source.price_sets.size(), "plans", "too many destinations x plans");
    at_most(kPrefixPricesMax, prefix_prices(source), "plans",
            "too many prefixes x plans at the volumes of their clients");
    lay_out(source.rules, "rules.csv", source.rule_grid);
    lay_out(source.senders, "senders.csv", source.sender_grid);
    at_most(kRanksMax, count_rankings(source) * source.carriers.size(), "rules.csv",
            "too many different priorities and weights x carriers");
  }

 private:
  void at_most(std::size_t most, std::size_t figure, const char* file, const char* what) {
    if (figure <= most) return;
    reading_.faults.add({file, 0, "", std::to_string(figure),
                         std::string(what) + ": at most " + std::to_string(most)});
  }

  template <class Row>
  void lay_out(const std::vector<Row>& rows, const char* file, ScopeGrid& grid) {
    const SourceTables& source = reading_.source;
    GridSize size;
    grid = grid_of(scopes_of(rows), source.clients, source.country_of, size);
    at_most(kGridMost.cells, size.cells, file, "too many clients x destinations with rules");
    if (size.distinct > kGridMost.distinct) {
      reading_.faults.add({file, 0, "", "",
                           "has more than " + std::to_string(kGridMost.distinct) +
                               " clients x destinations whose rules differ"});
    }
  }

  Reading& reading_;
};

CompileResult compile(const std::string& directory, const CompileOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  CompileOptions named = options;
  Reading reading{directory, named, {}, {}};
  std::error_code error;
  std::shared_ptr<const Companion> companion;
  if (options.from != nullptr) {
    named.carriers = options.from->carriers;
    named.clients = options.from->clients;
    named.all_named = options.from->all_named;
    companion = options.from->companion;
  } else if (!fs::is_directory(directory, error)) {
    reading.faults.add({printable(directory), 0, "", "", "is not a directory"});
    return tl::unexpected(reading.faults.take());
  } else if (options.companions != nullptr) {
    std::vector<TableFault> faults;
    companion = options.companions->read(directory, named, faults);
    for (TableFault& fault : faults) reading.faults.add(std::move(fault));
  }
  if (options.keep != nullptr)
    *options.keep = {{}, named.carriers, named.clients, named.all_named, companion};
  reading.source.dialling = load_dialling();
  read_files(reading);
  Sizes(reading).check();
  check_senders(reading);
  if (!reading.faults.empty()) return tl::unexpected(reading.faults.take());
  std::unique_ptr<Tables> tables = build(std::move(reading.source), options);
  tables->version = options.version;
  tables->companion = std::move(companion);
  tables->facts = options.facts == nullptr ? 0 : options.facts->number;
  tables->source = directory;
  tables->as_of_us = options.now_us;
  tables->compile_us = std::chrono::duration_cast<std::chrono::microseconds>(
                           std::chrono::steady_clock::now() - begin)
                           .count();
  return std::unique_ptr<const Tables>(std::move(tables));
}

}  // namespace

CompileResult compile_directory(const std::string& directory, const CompileOptions& options) {
  try {
    return compile(directory, options);
  } catch (const std::bad_alloc&) {
  } catch (const std::length_error&) {
  }
  FaultList faults;
  faults.add({printable(directory), 0, "", "", "needs more memory than there is"});
  return tl::unexpected(faults.take());
}

}  // namespace tollgate::routing
