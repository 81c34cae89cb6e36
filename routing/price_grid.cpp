#include "routing/price_grid.h"

namespace tollgate::routing {

void PriceGrid::add(std::span<const Nano> prices) {
  destinations_ = prices.size();
  for (Nano price : prices) {
    const auto [known, fresh] = known_.emplace(price, static_cast<std::uint32_t>(amounts_.size()));
    if (fresh) amounts_.push_back(price);
    wide_.push_back(known->second);
  }
}

void PriceGrid::finish() {
  constexpr std::size_t kNarrow = 0x10000;
  known_.clear();
  if (amounts_.size() > kNarrow) return;
  narrow_.reserve(wide_.size());
  for (std::uint32_t cell : wide_) narrow_.push_back(static_cast<std::uint16_t>(cell));
  wide_ = {};
}

}  // namespace tollgate::routing
