// What the server answers: the page, predictions, corrections, and what machines ask about.
#pragma once
#include <optional>
#include <string>

#include "corrections.hpp"
#include "digit_model.hpp"
#include "http_server.hpp"
#include "server_metrics.hpp"

namespace draw {

/// Gives a server its routes. What it refers to must outlive the server's serving. Without corrections
/// nothing is stored.
class Api {
 public:
  Api(HttpServer& server, DigitModel& model, Corrections* corrections);

 private:
  void predict_instances(const Call& call, Response& response);
  void predict_picture(const Call& call, Response& response);
  void correct(const Call& call, Response& response);
  void add_page();
  void add_health();

  HttpServer& server_;
  DigitModel& model_;
  Corrections* corrections_;
  ServerMetrics metrics_{};
};

}  // namespace draw
