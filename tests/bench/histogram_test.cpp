#include "bench/peers/histogram.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include <catch2/catch.hpp>

using tollgate::bench::Histogram;

TEST_CASE("an empty histogram has no quantile") {
  const Histogram h;
  CHECK(h.count() == 0);
  CHECK(h.quantile_us(0.99) == 0);
}

TEST_CASE("a quantile is never below the true value, and at most 1.6 % above it") {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> spread(12, 3);
  std::vector<std::int64_t> values(20'000);
  Histogram h;
  for (auto& v : values) h.add(v = static_cast<std::int64_t>(spread(random)));
  std::sort(values.begin(), values.end());
  for (const double share : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank =
        static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
    const double exact = static_cast<double>(values[rank - 1]) / 1e3;
    INFO("share " << share);
    CHECK(h.quantile_us(share) >= exact);
    CHECK(h.quantile_us(share) <= exact * 1.016 + 0.001);
  }
  CHECK(h.max_us() == Approx(static_cast<double>(values.back()) / 1e3));
}

TEST_CASE("values beyond the range count as its end") {
  Histogram h;
  h.add(-5);
  h.add(std::int64_t{1} << 50);
  CHECK(h.count() == 2);
  CHECK(h.quantile_us(0.5) == 0);
  CHECK(h.max_us() == Approx(1'099'511'627.775));
}
