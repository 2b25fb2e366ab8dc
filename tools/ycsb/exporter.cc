#include "tools/ycsb/exporter.h"

namespace ebla::ycsb {
namespace {

// Metrics and measurements are words, codes and percentiles: only what JSON forbids in a string needs an escape.
std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace

Result<Exporter::Form> Exporter::Parse(const Properties& properties) {
  const std::string name = properties.Text("exporter", "TextMeasurementsExporter");
  const std::string type = name.substr(name.find_last_of('.') + 1);  // the package changed its name once
  if (type == "TextMeasurementsExporter") return Form::kText;
  if (type == "JSONMeasurementsExporter") return Form::kJson;
  if (type == "JSONArrayMeasurementsExporter") return Form::kJsonArray;
  return Error(
      Code::kInvalidArgument,
      "exporter=" + name +
          ": expected TextMeasurementsExporter, JSONMeasurementsExporter or JSONArrayMeasurementsExporter, with "
          "or without site.ycsb.measurements.exporter. before it");
}

Exporter::~Exporter() {
  if (form_ == Form::kJsonArray) out_ << (first_ ? "[ ]" : " ]");
  if (form_ != Form::kText) out_ << "\n";
  out_ << std::flush;
}

void Exporter::Write(const std::string& metric, const std::string& measurement, const std::string& value) {
  if (form_ == Form::kText) {
    out_ << "[" << metric << "], " << measurement << ", " << value << "\n";
    return;
  }
  const bool array = form_ == Form::kJsonArray;
  if (first_ && array) out_ << "[ ";
  if (!first_) out_ << (array ? ", " : " ");
  first_ = false;
  out_ << "{\n  \"metric\" : " << Quoted(metric) << ",\n  \"measurement\" : " << Quoted(measurement)
       << ",\n  \"value\" : " << value << "\n}";
}

}  // namespace ebla::ycsb
