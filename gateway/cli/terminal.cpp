#include "gateway/cli/terminal.h"

#include <stdlib.h>
#include <unistd.h>

namespace tollgate::gateway::cli {
namespace {

std::string coloured(std::string_view code, std::string_view text, std::FILE* to) {
  const char* no_color = getenv("NO_COLOR");
  const char* term = getenv("TERM");
  const bool plain =
      !isatty(fileno(to)) || (no_color && *no_color) || (term && std::string_view(term) == "dumb");
  if (plain) return std::string(text);
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

}  // namespace

std::string bold(std::string_view text, std::FILE* to) {
  return coloured("1", text, to);
}
std::string red(std::string_view text, std::FILE* to) {
  return coloured("31", text, to);
}
std::string green(std::string_view text, std::FILE* to) {
  return coloured("32", text, to);
}

std::string listed(const std::vector<std::string>& names, std::size_t shown_max) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < shown_max; ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  if (names.size() > shown_max)
    text += " and " + std::to_string(names.size() - shown_max) + " more";
  return text;
}

std::string counted(std::size_t count, std::string_view one) {
  std::string text = std::to_string(count) + " " + std::string(one);
  if (count != 1) text += one.ends_with("x") ? "es" : "s";
  return text;
}

void print(std::FILE* to, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), to);
}

}  // namespace tollgate::gateway::cli
