#include "routing/toml_text.h"

#include <algorithm>
#include <vector>

#include "core/file.h"
#include "proto/escape.h"
#include "routing/csv.h"
#include "routing/fault.h"
#include "routing/toml.inc"

namespace tollgate::routing {
namespace {

constexpr std::string_view kNotToml = "no valid TOML";
constexpr std::string_view kBom = "\xef\xbb\xbf";

// What may stand outside of strings and comments.
bool has_meaning(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return letter || (c >= '0' && c <= '9') ||
         std::string_view(" \t\r\n_-+.:,=[]{}#\"'").find(c) != std::string_view::npos;
}

bool names_password(std::string_view text) {
  constexpr std::string_view kWord = "password";
  const auto same = [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b;
  };
  return std::search(text.begin(), text.end(), kWord.begin(), kWord.end(), same) != text.end();
}

std::string_view line_of(std::string_view text, std::uint32_t line) {
  for (; line > 1; --line) {
    const std::size_t end = text.find('\n');
    if (end == text.npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

class Check {
 public:
  Check(std::string_view text, TomlBounds bounds) : text_(text), bounds_(bounds) {}

  // A fault never says what stands where a password is or may be meant: not even one character.
  void hide(TomlFault& fault) const {
    const auto holds = [&](const Lines& lines) {
      return lines.first <= fault.line && fault.line <= lines.last;
    };
    if (std::none_of(secrets_.begin(), secrets_.end(), holds) &&
        !names_password(line_of(text_, fault.line)))
      return;
    fault.reason = "no valid TOML: a password stands here, which is not shown; is it in quotes?";
  }

  std::optional<TomlFault> run() {
    while (!fault_ && at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        skip_comment();
      } else if (c == '"' || c == '\'') {
        skip_string(c);
      } else {
        if (!has_meaning(c)) {
          fail_at_character(" stands outside of a string");
        } else {
          judge(c);
        }
        step();
      }
    }
    return std::move(fault_);
  }

 private:
  struct Lines {
    std::uint32_t first, last;
  };

  // Past one character, which must be a good one.
  void step() {
    if (fault_) return;
    const auto octet = static_cast<unsigned char>(text_[at_]);
    const std::size_t length = utf8_length(text_.substr(at_));
    if (length == 0) return fail_at_character(" is not UTF-8");
    if ((octet < 0x20 && octet != '\t' && octet != '\n' && octet != '\r') || octet == 0x7f)
      return fail_at_character(" is a control character");
    if (octet == '\r' && !text_.substr(at_).starts_with("\r\n"))
      return fail("no valid TOML: a carriage return without a line feed");
    at_ += length;
    ++column_;
    if (octet == '\n') ++line_, column_ = 1;
  }

  void judge(char c) {
    if (c == '[' || c == '{') {
      if (++depth_ > kTomlNestingMax)
        fail("nests more than " + std::to_string(kTomlNestingMax) + " levels");
    } else if ((c == ']' || c == '}') && depth_ > 0) {
      --depth_;
    }
    if (c == '.') {
      if (++parts_ > kTomlKeyPartsMax)
        fail("has a key of more than " + std::to_string(kTomlKeyPartsMax) + " parts");
    } else if (std::string_view("\n,=[]{}").find(c) != std::string_view::npos) {
      parts_ = 1;
    }
    note_key(c);
    const bool item = std::string_view(".,=[{").find(c) != std::string_view::npos;
    if (item && ++items_ > bounds_.items)
      fail("has more than " + std::to_string(bounds_.items) + " keys and values");
  }

  // Which lines belong to a password: from its key to the end of the value.
  void note_key(char c) {
    if (c == '=') {
      const std::string_view key = text_.substr(key_, at_ - key_);
      // An escape may spell anything.
      const bool secret = names_password(key) || key.find('\\') != key.npos;
      if (secret && !in_secret_) secrets_.push_back({line_, ~std::uint32_t{0}});
      in_secret_ = in_secret_ || secret;
    } else if (c == '\n' && depth_ == 0) {
      if (in_secret_) secrets_.back().last = line_;
      in_secret_ = false;
    }
    if (std::string_view("\n,=[{").find(c) != std::string_view::npos) key_ = at_ + 1;
  }

  void skip_comment() {
    while (!fault_ && at_ < text_.size() && text_[at_] != '\n') step();
  }

  void skip_string(char quote) {
    const std::string three(3, quote);
    const bool many = text_.substr(at_).starts_with(three);
    for (int i = 0; i < (many ? 3 : 1); ++i) step();
    while (!fault_ && at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n' && !many) return fail("no valid TOML: a string without its end");
      if (c == '\\' && quote == '"') {
        step();
        if (at_ < text_.size() && text_[at_] != '\n') step();
        continue;
      }
      if (c != quote || (many && !text_.substr(at_).starts_with(three))) {
        step();
        continue;
      }
      // Two quotes more may stand before the three that end it.
      for (int i = 0; i < (many ? 5 : 1) && at_ < text_.size() && text_[at_] == quote; ++i) step();
      return;
    }
  }

  void fail(std::string reason) {
    if (!fault_) fault_ = {line_, column_, std::move(reason)};
  }
  void fail_at_character(const char* what) {
    const std::size_t length = std::max<std::size_t>(utf8_length(text_.substr(at_)), 1);
    fail("no valid TOML: '" + printable(text_.substr(at_, length)) + "'" + what);
  }

  const std::string_view text_;
  const TomlBounds bounds_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1, column_ = 1;
  std::uint32_t depth_ = 0, parts_ = 1, items_ = 0;
  std::size_t key_ = 0;  // where a key may have begun
  std::vector<Lines> secrets_;
  bool in_secret_ = false;
  std::optional<TomlFault> fault_;
};

}  // namespace

namespace {

// Hands what toml++ may have to `parse`, which may find a fault all the same.
template <class Parse>
std::optional<TomlFault> judge(std::string_view text, TomlBounds bounds, Parse&& parse) {
  if (text.size() > bounds.octets)
    return TomlFault{0, 0, "is larger than " + core::octets_text(bounds.octets)};
  const std::string_view whole = text;
  if (text.starts_with(kBom)) text.remove_prefix(kBom.size());
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    return TomlFault{1, 1, "no valid TOML: UTF-16; save it as UTF-8"};
  Check check(text, bounds);
  std::optional<TomlFault> fault = check.run();
  if (!fault) fault = parse(whole);
  if (fault && fault->reason.starts_with(kNotToml)) check.hide(*fault);
  return fault;
}

}  // namespace

std::optional<TomlFault> toml_fault(std::string_view text, TomlBounds bounds) {
  return judge(text, bounds, [](std::string_view) { return std::optional<TomlFault>(); });
}

tl::expected<toml::table, TomlFault> parse_toml(std::string_view text, TomlBounds bounds) {
  toml::table table;
  const auto parse = [&](std::string_view whole) -> std::optional<TomlFault> {
    try {
      table = toml::parse(whole);
      return std::nullopt;
    } catch (const toml::parse_error& error) {
      const auto& begin = error.source().begin;
      return TomlFault{begin.line, begin.column,
                       std::string(kNotToml) + ": " + proto::escaped(error.description())};
    }
  };
  if (auto fault = judge(text, bounds, parse)) return tl::unexpected(std::move(*fault));
  return table;
}

}  // namespace tollgate::routing
