// A TOML file as typed questions: every key is named once, where it is read, and any other key is
// unknown. Private to those who read configurations; it hides toml++.
//
// Invariants
// 1. A question about an absent key leaves `out` (the default) as it is; one about a wrong key
//    leaves it too, and adds one fault.
// 2. When a Section goes out of scope every key of its table that nobody asked about is a fault,
//    which names the nearest key that was asked about.
// 3. Values of keys whose name holds "password" never appear in a fault.
// Bounds: routing/toml_text.h those of the text; kFaultsMax faults, then one that says how many
// more.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/file.h"
#include "gateway/config/config.h"
#include "routing/toml_text.h"

namespace tollgate::gateway {

struct Place {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

template <class T>
struct Range {
  T min;
  T max;
};

// A string that stood in the file, for checks that the caller makes.
struct PlacedText {
  std::string text;
  Place place;
  std::string key;  // dotted
};

struct Complaint {
  Place place;
  std::string key;
  std::string value;
  std::string reason;
  std::string right;
};

class Faults {
 public:
  explicit Faults(std::string file) : file_(std::move(file)) {}
  void add(Complaint complaint);
  std::vector<ConfigFault> sorted() &&;  // by line and column
  std::size_t size() const { return count_; }
  bool full() const { return count_ >= kFaultsMax; }  // more are counted alone

 private:
  static constexpr std::size_t kFaultsMax = 1'000;
  std::string file_;
  std::vector<ConfigFault> faults_;
  std::size_t count_ = 0;
};

class Section {
 public:
  struct Node;  // holds a toml::table
  Section(const Node& node, std::string name, Faults& faults);
  ~Section();
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

  bool has(std::string_view key);
  Place place() const;                      // of the table's header
  Place place(std::string_view key) const;  // of the key's value, else of the header
  std::string dotted(std::string_view key) const;

  void require(std::string_view key, std::string_view right);
  void text(std::string_view key, std::string& out, Range<std::size_t> octets);
  void boolean(std::string_view key, bool& out);
  void integer(std::string_view key, std::uint32_t& out, Range<std::uint32_t> range);
  void octet(std::string_view key, std::uint8_t& out);
  void number(std::string_view key, double& out, Range<double> range);
  void seconds(std::string_view key, std::int64_t& out_us, Range<double> range_s);

  // A string or a list of strings; empty when absent or wrong.
  std::vector<PlacedText> texts(std::string_view key, std::string_view right);
  // One of the words; `choose` is called with its place in the list.
  void word(std::string_view key, std::initializer_list<std::string_view> words,
            const std::function<void(std::size_t)>& choose);
  // A sub-table, and a list of tables. `read` is called for each.
  void section(std::string_view key, const std::function<void(Section&)>& read);
  void sections(std::string_view key, std::size_t max, const std::function<void(Section&)>& read);
  // A table of whatever keys, each with a string for its value.
  std::vector<std::pair<PlacedText, PlacedText>> pairs(std::string_view key,
                                                       std::string_view right);

  void fault(std::string_view key, std::string reason, std::string right);
  Faults& faults() { return faults_; }

 private:
  const Node& node_;
  std::string name_;
  Faults& faults_;
  std::vector<std::string> asked_;
};

// The operator's own file, which may hold every client and carrier.
inline constexpr routing::TomlBounds kTomlOfConfig{16 * 1024 * 1024, 1'000'000};

// Calls `read` with the root of what the file holds, unless that is no TOML at all (one fault).
void read_toml(const core::FileText& file, routing::TomlBounds bounds, Faults& faults,
               const std::function<void(Section&)>& read);

}  // namespace tollgate::gateway
