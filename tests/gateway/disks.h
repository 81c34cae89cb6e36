// The disks of a world, which outlive it.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "tests/gateway/world.h"

namespace tollgate::gateway {

struct Disks {
  std::unique_ptr<core::testing::FaultyStorage> journal =
      std::make_unique<core::testing::FaultyStorage>();
  std::unique_ptr<core::testing::FaultyStorage> records =
      std::make_unique<core::testing::FaultyStorage>();
  std::vector<std::unique_ptr<core::testing::FaultyStorage>> before;

  WorldOptions options() {
    WorldOptions options;
    options.disk = journal.get();
    options.records = records.get();
    options.change = [](Config& config) {
      config.journal.segment_octets = config.records.rotate_octets = 65'536;
    };
    return options;
  }
  // The old ones stay: a world that is abandoned still writes to them at its end.
  void crash() {
    for (auto* disk : {&journal, &records}) {
      auto left = (*disk)->survive(core::testing::Survival::keep_all, 1);
      before.push_back(std::exchange(*disk, std::move(left)));
    }
  }
};

}  // namespace tollgate::gateway
