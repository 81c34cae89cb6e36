// Feeds kept inputs to a fuzz target, without libFuzzer: replay TARGET FILE-OR-DIRECTORY...
// A target that finds something ends the process. Prints how many inputs it was given.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <vector>

// CMakeLists.txt compiles each target's LLVMFuzzerTestOneInput under a name of its own.
#define TARGET(name) extern "C" int fuzz_##name(const std::uint8_t* data, std::size_t size);
FUZZ_TARGETS
#undef TARGET

namespace {

struct Target {
  const char* name;
  int (*run)(const std::uint8_t*, std::size_t);
};
constexpr Target kTargets[] = {
#define TARGET(name) {#name, fuzz_##name},
    FUZZ_TARGETS
#undef TARGET
};

void feed(const Target& target, const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<std::uint8_t> octets(std::istreambuf_iterator<char>(in), {});
  std::fprintf(stderr, "%s\n", path.c_str());  // the last one is what ended the process
  target.run(octets.data(), octets.size());
}

}  // namespace

int main(int argc, char** argv) {
  const Target* target = nullptr;
  for (const Target& each : kTargets) {
    if (argc > 2 && std::strcmp(each.name, argv[1]) == 0) target = &each;
  }
  std::set<std::filesystem::path> inputs;
  for (int i = 2; i < argc; ++i) {
    if (std::filesystem::is_directory(argv[i])) {
      for (const auto& entry : std::filesystem::directory_iterator(argv[i])) inputs.insert(entry);
    } else {
      inputs.insert(argv[i]);
    }
  }
  if (target == nullptr || inputs.empty()) {
    std::fputs("usage: replay TARGET FILE-OR-DIRECTORY...; without a target or inputs it fails\n",
               stderr);
    return 2;
  }
  for (const auto& input : inputs) feed(*target, input);
  std::printf("%s: %zu inputs\n", target->name, inputs.size());
  return 0;
}
