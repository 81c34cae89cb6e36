#include "gateway/cli/terminal.h"

#include <cerrno>
#include <cstring>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/cli/commands.h"

namespace tollgate::gateway::cli {
namespace {

int output_error = 0;  // the first of stdout's

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
  errno = 0;
  const bool fine = std::fwrite(text.data(), 1, text.size(), to) == text.size();
  if (!fine && to == stdout && output_error == 0) output_error = errno;
}

int finish_output(int status) {
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0;
  if (flushed && std::ferror(stdout) == 0) return status;
  if (output_error == 0) output_error = errno;
  const bool known = output_error != 0;
  std::fprintf(stderr, "tollgate: not all of the output could be written%s%s\n", known ? ": " : "",
               known ? std::strerror(output_error) : "");
  return status == kFine ? kFindings : status;
}

}  // namespace tollgate::gateway::cli
