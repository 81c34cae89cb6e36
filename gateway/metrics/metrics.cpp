#include "gateway/metrics/metrics.h"

#include <stdexcept>

#include <prometheus/text_serializer.h>

#include "gateway/config/config.h"
#include "gateway/config/texts.h"
#include "gateway/http/door.h"
#include "gateway/metrics/page.h"

namespace tollgate::gateway {

double Page::value_of(std::uint64_t cell, bool is_signed) {
  return is_signed ? static_cast<double>(static_cast<std::int64_t>(cell))
                   : static_cast<double>(cell);
}

prometheus::MetricFamily& Page::family(const Family& family, prometheus::MetricType type) {
  const auto [at, fresh] = places_.emplace(family.name, families_.size());
  if (fresh) {
    const std::string prefix = family.name.starts_with("process_") ? "" : "tollgate_";
    families_.push_back({prefix + std::string(family.name), std::string(family.help), type, {}});
  }
  return families_[at->second];
}

void Page::add(const Family& named, Labels labels, double value) {
  const bool gauge = named.kind == Kind::gauge;
  auto& metrics =
      family(named, gauge ? prometheus::MetricType::Gauge : prometheus::MetricType::Counter).metric;
  auto& metric = metrics.emplace_back();
  metric.label = std::move(labels);
  (gauge ? metric.gauge.value : metric.counter.value) = value;
}

void Page::add(const Family& named, Labels labels, std::span<const core::Histogram* const> parts) {
  auto& metrics = family(named, prometheus::MetricType::Histogram).metric;
  prometheus::ClientMetric::Histogram shown;
  // Two cells an octave are kept; one bucket an octave is shown: half the series, exact all the
  // same. The count is made of the buckets read, so that the two always agree.
  for (std::size_t i = 0; i < core::Histogram::kBuckets; ++i) {
    for (const core::Histogram* part : parts) shown.sample_count += part->bucket(i);
    if (i % 2 == 0 && i < core::Histogram::kBounds) {
      const auto bound_us = core::Histogram::bounds_us[i];
      shown.bucket.push_back({shown.sample_count, static_cast<double>(bound_us) * kMicro});
    }
  }
  if (shown.sample_count == 0) return;
  for (const core::Histogram* part : parts) {
    shown.sample_sum += static_cast<double>(part->sum_us()) * kMicro;
  }
  auto& metric = metrics.emplace_back();
  metric.label = std::move(labels);
  metric.histogram = std::move(shown);
}

namespace {

void add_door(Page& page, const http::DoorCounts& counts) {
  const Family answers{"metrics_answers_total", "Answers to requests at the metrics' port"};
  page.add(answers, {{"outcome", "page"}}, static_cast<double>(counts.answered.get()));
  page.add(answers, {{"outcome", "refused"}}, static_cast<double>(counts.refused.get()));
  const Family ended{"metrics_ended_total", "Connections to the metrics' port that were ended"};
  page.add(ended, {{"reason", "too_slow"}}, static_cast<double>(counts.too_slow.get()));
  page.add(ended, {{"reason", "crowded_out"}}, static_cast<double>(counts.crowded_out.get()));
}

constexpr std::string_view kType = "text/plain; version=0.0.4; charset=utf-8";

core::Address address_of(const std::string& text) {
  core::Address address;
  std::string why;
  if (!parse_address(text, true, address, why)) throw std::runtime_error(why);
  return address;
}

}  // namespace

struct Metrics::Exposed {
  Exposed(MetricsSources asked, const std::string& address)
      : sources(std::move(asked)),
        door(address_of(address), {{"/metrics", kType, [this] { return text(); }}}) {}

  std::string text() const {
    Page page;
    add_process(page, sources);
    add_door(page, door.counts());
    add_journal(page, sources);
    add_records(page, sources);
    add_shards(page, sources);
    add_clients(page, sources);
    add_carriers(page, sources);
    return prometheus::TextSerializer().Serialize(std::move(page).take());
  }

  const MetricsSources sources;
  http::Door door;  // last: its thread reads the others
};

Metrics::Metrics(MetricsSources sources) {
  const std::string address = sources.config->gateway.metrics;
  try {
    exposed_ = std::make_unique<Exposed>(std::move(sources), address);
  } catch (const std::exception& error) {
    throw std::runtime_error("cannot serve /metrics on " + address + ": " + error.what());
  }
}

Metrics::~Metrics() = default;

std::uint16_t Metrics::port() const {
  return exposed_->door.port();
}

}  // namespace tollgate::gateway
