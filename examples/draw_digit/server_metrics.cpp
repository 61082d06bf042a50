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

}  // namespace

ServerMetrics::ServerMetrics()
    : requests_(prometheus::BuildCounter()
                    .Name("digitnet_requests_total")
                    .Help("Requests that were answered")
                    .Register(registry_)),
      seconds_(prometheus::BuildHistogram()
                   .Name("digitnet_request_seconds")
                   .Help("Time from a request's header to its answer")
                   .Register(registry_)),
      predictions_(prometheus::BuildCounter()
                       .Name("digitnet_predictions_total")
                       .Help("Images that the model has read")
                       .Register(registry_)
                       .Add({})),
      batches_(prometheus::BuildCounter()
                   .Name("digitnet_batches_total")
                   .Help("Batches that it has read them in")
                   .Register(registry_)
                   .Add({})),
      connections_(prometheus::BuildGauge()
                       .Name("digitnet_connections")
                       .Help("Connections that are open")
                       .Register(registry_)
                       .Add({})),
      memory_(prometheus::BuildGauge()
                  .Name("process_resident_memory_bytes")
                  .Help("Resident memory of this process")
                  .Register(registry_)
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
