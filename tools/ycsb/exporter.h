// tools/ycsb/exporter.h
// The forms in which a run's results are printed: YCSB's lines of text, one JSON object for each, or an array of these.
// The property `exporter` chooses one by the name of YCSB's class.
// Place:   measurements.h and runner.h write to it; main.cc makes it.
// Errors:  INVALID_ARGUMENT names the exporters that there are.
// Threads: thread-compatible.
#pragma once

#include <memory>
#include <ostream>
#include <string>

#include "common/base/status.h"
#include "tools/ycsb/properties.h"

namespace ebla::ycsb {

class Exporter {
 public:
  enum class Form { kText, kJson, kJsonArray };
  static Result<Form> Parse(const Properties& properties);

  // `out` outlives it.
  Exporter(Form form, std::ostream& out) : form_(form), out_(out) {}
  ~Exporter();
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  // `value` is a number as it is to be printed.
  void Write(const std::string& metric, const std::string& measurement, const std::string& value);

 private:
  const Form form_;
  std::ostream& out_;
  bool first_ = true;
};

}  // namespace ebla::ycsb
