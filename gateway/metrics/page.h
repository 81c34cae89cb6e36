// One scrape under construction: families in the order they are first named, rows from tables of
// (name, help, cell). Private to this room: it pulls in prometheus-cpp.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <prometheus/metric_family.h>

#include "core/counters.h"
#include "gateway/metrics/metrics.h"

namespace tollgate::gateway {

using Labels = std::vector<prometheus::ClientMetric::Label>;

enum class Kind : std::uint8_t { counter, gauge };

struct Family {
  std::string_view name;  // "tollgate_" is put in front, unless it is a standard process_ name
  std::string_view help;
  Kind kind = Kind::counter;
};

// A cell of a struct and how it is shown. Money and microseconds have a scale; signed cells hold
// two's complement.
template <class T>
struct CellRow {
  Family family;
  core::Cell T::*cell;
  double scale = 1;
  bool is_signed = false;
};

inline constexpr double kNano = 1e-9;
inline constexpr double kMicro = 1e-6;

class Page {
 public:
  void add(const Family& family, Labels labels, double value);

  // The sum of one histogram kept in several places; nothing while none has an observation.
  void add(const Family& family, Labels labels, std::span<const core::Histogram* const> parts);

  // Each row's cell, summed over `parts`.
  template <class T>
  void add(std::span<const CellRow<T>> rows, const Labels& labels,
           std::span<const T* const> parts) {
    for (const CellRow<T>& row : rows) {
      double total = 0;
      for (const T* part : parts) total += value_of((part->*row.cell).get(), row.is_signed);
      add(row.family, labels, total * row.scale);
    }
  }

  std::vector<prometheus::MetricFamily> take() && { return std::move(families_); }

 private:
  static double value_of(std::uint64_t cell, bool is_signed);
  prometheus::MetricFamily& family(const Family& family, prometheus::MetricType type);

  std::vector<prometheus::MetricFamily> families_;
  std::unordered_map<std::string, std::size_t> places_;
};

void add_clients(Page& page, const MetricsSources& sources);
void add_carriers(Page& page, const MetricsSources& sources);
void add_shards(Page& page, const MetricsSources& sources);
void add_process(Page& page, const MetricsSources& sources);
void add_journal(Page& page, const MetricsSources& sources);
void add_records(Page& page, const MetricsSources& sources);

}  // namespace tollgate::gateway
