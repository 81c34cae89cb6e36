#include "gateway/metrics.h"

#include <atomic>
#include <chrono>
#include <netdb.h>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include "gateway/config.h"
#include "gateway/config_rules.h"
#include "gateway/metrics_page.h"

namespace tollgate::gateway {

double Page::scaled(std::uint64_t total, double scale, bool is_signed) {
  const double value = is_signed ? static_cast<double>(static_cast<std::int64_t>(total))
                                 : static_cast<double>(total);
  return value * scale;
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

class Gathered : public prometheus::Collectable {
 public:
  explicit Gathered(MetricsSources sources) : sources_(std::move(sources)) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    Page page;
    add_process(page, sources_);
    add_journal(page, sources_);
    add_records(page, sources_);
    add_shards(page, sources_);
    add_clients(page, sources_);
    add_carriers(page, sources_);
    return std::move(page).take();
  }

 private:
  MetricsSources sources_;
};

// A connection to ourselves, closed at once.
void call(const std::string& host, std::uint16_t port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return;
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0) {
    [[maybe_unused]] const int result = connect(fd, found->ai_addr, found->ai_addrlen);
    close(fd);
  }
  freeaddrinfo(found);
}

}  // namespace

struct Metrics::Exposed {
  Exposed(MetricsSources sources, const std::string& address)
      : gathered(std::make_shared<Gathered>(std::move(sources))), exposer(address) {
    exposer.RegisterCollectable(gathered);
    std::string why;
    parse_address(address, true, called, why);
    called.port = static_cast<std::uint16_t>(exposer.GetListeningPorts().at(0));
  }

  std::shared_ptr<Gathered> gathered;
  prometheus::Exposer exposer;
  core::Address called;
};

Metrics::Metrics(MetricsSources sources) {
  const std::string address = sources.config->gateway.metrics;
  try {
    exposed_ = std::make_unique<Exposed>(std::move(sources), address);
  } catch (const std::exception& error) {
    throw std::runtime_error("cannot serve /metrics on " + address + ": " + error.what());
  }
}

// The exposer looks whether it shall end after a connection, else every 2 s: calls wake it, so that
// a restart need not wait.
Metrics::~Metrics() {
  std::atomic<bool> ended{false};
  std::thread caller([&ended, called = exposed_->called] {
    while (!ended) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      call(called.host, called.port);
    }
  });
  exposed_.reset();
  ended = true;
  caller.join();
}

std::uint16_t Metrics::port() const {
  return exposed_->called.port;
}

}  // namespace tollgate::gateway
