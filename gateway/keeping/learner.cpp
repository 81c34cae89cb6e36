#include "gateway/keeping/learner.h"

#include <algorithm>
#include <tuple>

namespace tollgate::gateway {
namespace {

using routing::Facts;
using routing::kLearnedRatesMax;
using routing::kRateWhole;
using routing::kVolumesMax;
using routing::LearnedRate;
using routing::month_of;
using routing::Volume;

constexpr std::int64_t kDayUs = std::int64_t{86'400} * 1'000'000;

}  // namespace

Learner::Learner(LearnerOptions options, Facts start)
    : options_(options), number_(start.number), month_(start.month), told_us_(start.wall_us) {
  for (LearnedRate& rate : start.rates) {
    Learned learned;
    learned.of = std::min(rate.of, options_.memory) * kOne;
    learned.delivered = learned.of * rate.delivered_ppm / kRateWhole;
    learned.halved_us = start.wall_us;
    learned.told_ppm = rate.delivered_ppm;
    learned.told_of = std::max<std::uint64_t>(rate.of, 1);
    const std::string key = rate.destination + " " + rate.carrier;
    learned.carrier = std::move(rate.carrier);
    learned.destination = std::move(rate.destination);
    learned_.emplace(key, std::move(learned));
  }
  for (Volume& volume : start.volumes) {
    Sent& sent = sent_[std::move(volume.client)];
    sent.segments = sent.told = volume.segments;
  }
}

std::uint32_t Learner::ppm_of(const Learned& learned) {
  // At most memory x kOne each: far from overflow.
  return static_cast<std::uint32_t>((learned.delivered * kRateWhole + learned.of / 2) / learned.of);
}

void Learner::fade(Learned& learned, std::int64_t wall_us) const {
  if (learned.halved_us == 0) learned.halved_us = wall_us;
  learned.halved_us = std::min(learned.halved_us, wall_us);  // the clock was wrong, and is right
  for (; learned.of > 0 && wall_us - learned.halved_us >= options_.half_life_us;
       learned.halved_us += options_.half_life_us) {
    learned.of /= 2;
    learned.delivered /= 2;
  }
  if (learned.of == 0) learned.halved_us = wall_us;
  if (learned.of >= options_.memory * kOne) {
    learned.of /= 2;
    learned.delivered /= 2;
  }
}

void Learner::note(bool& news, bool now) {
  news_ += std::size_t{now} - std::size_t{news};
  news = now;
}

void Learner::look(Learned& learned) {
  const std::uint32_t now = ppm_of(learned);
  const std::uint32_t away = std::max(now, learned.told_ppm) - std::min(now, learned.told_ppm);
  note(learned.news,
       learned.told_of == 0 ? learned.of >= options_.first_of * kOne : away >= options_.band_ppm);
}

void Learner::look(Sent& sent) {
  const auto tier = [&](std::uint64_t segments) {
    return std::upper_bound(sent.thresholds.begin(), sent.thresholds.end(), segments);
  };
  note(sent.news, tier(sent.segments) != tier(sent.told));
}

void Learner::finished(std::string_view carrier, std::string_view destination, bool delivered,
                       std::int64_t wall_us) {
  if (destination.empty()) return;
  key_.assign(destination).append(1, ' ').append(carrier);
  auto found = learned_.find(key_);
  if (found == learned_.end()) {
    if (learned_.size() == kLearnedRatesMax) return;
    found = learned_.emplace(key_, Learned{}).first;
    found->second.carrier = carrier;
    found->second.destination = destination;
  }
  Learned& learned = found->second;
  fade(learned, wall_us);
  learned.of += kOne;
  if (delivered) learned.delivered += kOne;
  look(learned);
}

Learner::Sent* Learner::client(std::string_view name) {
  key_ = name;
  const auto found = sent_.find(key_);
  if (found != sent_.end()) return &found->second;
  return sent_.size() == kVolumesMax ? nullptr : &sent_[key_];
}

void Learner::billed(std::string_view name, std::uint64_t segments, std::int64_t wall_us) {
  turn_month(wall_us);
  Sent* const sent = client(name);
  if (sent == nullptr) return;
  sent->segments += segments;
  look(*sent);
}

void Learner::thresholds(std::string_view name, std::vector<std::uint64_t> at) {
  Sent* const sent = client(name);
  if (sent == nullptr) return;
  std::sort(at.begin(), at.end());
  sent->thresholds = std::move(at);
  look(*sent);
}

void Learner::turn_month(std::int64_t wall_us) {
  const std::uint32_t month = month_of(wall_us);
  // A clock that is adjusted at the month's end has not gone back a month; one that was set wrong
  // for long, and then right, has.
  if (month == month_ || (month < month_ && month_of(wall_us + kDayUs) == month_)) return;
  month_news_ = month_news_ || month_ != 0;  // else nothing was told of any month
  month_ = month;
  for (auto& [name, sent] : sent_) {
    sent.segments = 0;
    look(sent);
  }
}

bool Learner::changed(std::int64_t wall_us, Facts& out) {
  turn_month(wall_us);
  if (news_ == 0 && !month_news_) return false;
  // The wall clock may have been put back: then it is not too early.
  if (wall_us >= told_us_ && wall_us - told_us_ < options_.least_us) return false;
  told_us_ = wall_us;
  out = {++number_, wall_us, month_, {}, {}};
  for (auto& [key, learned] : learned_) {
    if (learned.news) {
      learned.told_ppm = ppm_of(learned);
      learned.told_of = learned.of / kOne;
      note(learned.news, false);
    }
    if (learned.told_of == 0) continue;
    out.rates.push_back({learned.carrier, learned.destination, learned.told_ppm, learned.told_of});
  }
  for (auto& [name, sent] : sent_) {
    sent.told = sent.segments;
    look(sent);
    if (sent.segments != 0) out.volumes.push_back({name, sent.segments});
  }
  month_news_ = false;
  std::sort(out.rates.begin(), out.rates.end(), [](const LearnedRate& a, const LearnedRate& b) {
    return std::tie(a.carrier, a.destination) < std::tie(b.carrier, b.destination);
  });
  std::sort(out.volumes.begin(), out.volumes.end(),
            [](const Volume& a, const Volume& b) { return a.client < b.client; });
  return true;
}

}  // namespace tollgate::gateway
