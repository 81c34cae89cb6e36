// Words on a terminal: colour there, plain text in a pipe, a file, or where NO_COLOR is set.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::gateway::cli {

std::string bold(std::string_view text, std::FILE* to);
std::string red(std::string_view text, std::FILE* to);
std::string green(std::string_view text, std::FILE* to);

// "a, b, c and 7 more"
std::string listed(const std::vector<std::string>& names, std::size_t shown_max);

// "1 fault", "2 faults", "1 prefix", "2 prefixes"
std::string counted(std::size_t count, std::string_view one);

void print(std::FILE* to, const std::string& text);
// The command's exit status: that of a command whose output did not all arrive is never 0, and
// stderr says why.
int finish_output(int status);

}  // namespace tollgate::gateway::cli
