// What the server counts, as Prometheus reads it.
#pragma once
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <string>

#include "digit_model.hpp"
#include "http_server.hpp"

namespace draw {

class ServerMetrics {
 public:
  ServerMetrics();

  /// From any thread.
  void count(const Answered& answered);
  /// All of it in Prometheus' text format.
  std::string text(const HttpServer& server, const DigitModel& model);

  static constexpr const char* content_type = "text/plain; version=0.0.4; charset=utf-8";

 private:
  prometheus::Registry registry_{};
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& seconds_;
  prometheus::Counter &predictions_, &batches_;
  prometheus::Gauge &connections_, &memory_;
};

}  // namespace draw
