// Precompiled once for every test program. In what fuzz targets and tests share there is no Catch2.
#pragma once
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#ifdef TOLLGATE_FUZZ_TARGET
#include "tests/fuzz/checks.h"
#else
#include <catch2/catch.hpp>
#endif
