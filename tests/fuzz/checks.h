// The few checks of Catch2 that tests/gateway/world.cpp asks for, for a fuzz target: what does not
// hold ends the process.
#pragma once
#include <cstdio>
#include <string>

#include "tests/fuzz/input.h"

#define REQUIRE(...) ::tollgate::fuzz::must(static_cast<bool>(__VA_ARGS__))
#define REQUIRE_FALSE(...) ::tollgate::fuzz::must(!static_cast<bool>(__VA_ARGS__))
#define CHECK(...) REQUIRE(__VA_ARGS__)
#define WARN(text) std::fprintf(stderr, "%s\n", std::string(text).c_str())
