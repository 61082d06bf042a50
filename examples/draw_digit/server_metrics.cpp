#include "server_metrics.hpp"

#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <fstream>

namespace draw {

namespace {

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

void raise_to(prometheus::Counter& counter, std::size_t total) {
  const double more = static_cast<double>(total) - counter.Value();
  if (more > 0) counter.Increment(more);
}

template <class Builder>
auto& family(Builder builder, const char* name, const char* help, prometheus::Registry& registry) {
  return builder.Name(name).Help(help).Register(registry);
}

}  // namespace

ServerMetrics::ServerMetrics()
    : requests_(family(prometheus::BuildCounter(), "digitnet_requests_total", "Requests that were answered",
                       registry_)),
      seconds_(family(prometheus::BuildHistogram(), "digitnet_request_seconds",
                      "Time from a request's header to its answer", registry_)),
      predictions_(family(prometheus::BuildCounter(), "digitnet_predictions_total",
                          "Images that the model has read", registry_)
                       .Add({})),
      batches_(family(prometheus::BuildCounter(), "digitnet_batches_total",
                      "Batches that it has read them in", registry_)
                   .Add({})),
      connections_(
          family(prometheus::BuildGauge(), "digitnet_connections", "Connections that are open", registry_)
              .Add({})),
      memory_(family(prometheus::BuildGauge(), "process_resident_memory_bytes",
                     "Resident memory of this process", registry_)
                  .Add({})) {}

void ServerMetrics::count(const Answered& answered) {
  requests_.Add({{"route", answered.route}, {"status", std::to_string(answered.status)}}).Increment();
  seconds_
      .Add({{"route", answered.route}},
           prometheus::Histogram::BucketBoundaries{.0001, .0003, .001, .003, .01, .03, .1, .3, 1, 3, 10})
      .Observe(answered.seconds);
}

std::string ServerMetrics::text(const HttpServer& server, const DigitModel& model) {
  const digitnet::BatchingCounts counts = model.counts();
  raise_to(predictions_, counts.samples);
  raise_to(batches_, counts.batches);
  connections_.Set(static_cast<double>(server.connections()));
  memory_.Set(resident_bytes());
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

}  // namespace draw
