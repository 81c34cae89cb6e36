// A temporary directory of table files, and one small good set to break in tests.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

#include "routing/compile/compile.h"

namespace tollgate::routing {

using Files = std::map<std::string, std::string>;

class Directory {
 public:
  explicit Directory(const Files& files) {
    std::string name = (std::filesystem::temp_directory_path() / "tables-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
    std::filesystem::create_directory(path_ / "rates");
    std::filesystem::create_directory(path_ / "plans");
    std::filesystem::create_directory(path_ / "carriers");
    std::filesystem::create_directory(path_ / "clients");
    for (const auto& [file, text] : files) std::ofstream(path_ / file, std::ios::binary) << text;
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

inline constexpr std::int64_t kNow = 1'800'000'000'000'000;  // 2027-01-15T08:00Z

inline Files good_files() {
  return {
      {"currencies.csv", "currency,rate\nEUR,1\nUSD,0.9\n"},
      {"numbering_plan.csv",
       "prefix,mccmnc,country,network\n44,234,GB,\n4477,23415,GB,Vodafone\n447701,23402,GB,O2\n"},
      {"rates/alpha.csv", "mccmnc,mcc,prefix,price,currency\n23415,,,0.02,EUR\n,234,,0.03,USD\n"},
      {"rates/bravo.csv",
       "price,currency,prefix,charge\n0.01,EUR,4477,submit\n0.004,EUR,4477,delivered\n"},
      {"plans/retail.csv", "mcc,mccmnc,price,currency\n234,,0.05,EUR\n,23402,0.012,EUR\n"},
      {"clients.csv", "client,plan,default_country\nshop,retail,GB\n"},
      {"rules.csv", "plan,client,destination,max_attempts\n"},
  };
}

inline CompileResult compile_files(const Files& files, CompileOptions options = {}) {
  const Directory directory(files);
  if (options.now_us == 0) options.now_us = kNow;
  return compile_directory(directory.path(), options);
}

}  // namespace tollgate::routing
