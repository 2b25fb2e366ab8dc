#include "tools/ycsb/measurements.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace ebla::ycsb {
namespace {

using namespace std::chrono_literals;

Timing Took(std::chrono::microseconds time, std::chrono::microseconds late = 0us) {
  const SteadyTime start{1h};
  return {start - late, start, start + time};
}

std::string Printed(const MeasurementOptions& options, const Samples& samples) {
  std::ostringstream out;
  {
    Exporter exporter(options.exporter, out);
    PrintSummary(options, samples, exporter);
  }
  return out.str();
}

TEST(Measurements, TheSummaryIsYcsbsLineForLine) {
  Recorder recorder({.from = MeasuredFrom::kStart});
  for (int i = 1; i <= 10; ++i) recorder.Record(Metric::kRead, Took(std::chrono::microseconds(i)), true, "OK");
  recorder.Record(Metric::kRead, Took(5000us), false, "NOT_FOUND");
  recorder.Record(Metric::kReadModifyWrite, Took(7us), true, {});
  recorder.Record(Metric::kCleanup, Took(1us), true, {});
  EXPECT_EQ(Printed({.percentiles = {50, 95, 99.9}}, *recorder.Take()),
            "[READ], Operations, 10\n"
            "[READ], AverageLatency(us), 5.50\n"
            "[READ], MinLatency(us), 1\n"
            "[READ], MaxLatency(us), 10\n"
            "[READ], 50thPercentileLatency(us), 5\n"
            "[READ], 95thPercentileLatency(us), 10\n"
            "[READ], 99.9PercentileLatency(us), 10\n"
            "[READ], Return=NOT_FOUND, 1\n"
            "[READ], Return=OK, 10\n"
            "[READ-FAILED], Operations, 1\n"
            "[READ-FAILED], AverageLatency(us), 5000.00\n"
            "[READ-FAILED], MinLatency(us), 5000\n"
            "[READ-FAILED], MaxLatency(us), 5000\n"
            "[READ-FAILED], 50thPercentileLatency(us), 5000\n"
            "[READ-FAILED], 95thPercentileLatency(us), 5000\n"
            "[READ-FAILED], 99.9PercentileLatency(us), 5000\n"
            "[READ-MODIFY-WRITE], Operations, 1\n"
            "[READ-MODIFY-WRITE], AverageLatency(us), 7.00\n"
            "[READ-MODIFY-WRITE], MinLatency(us), 7\n"
            "[READ-MODIFY-WRITE], MaxLatency(us), 7\n"
            "[READ-MODIFY-WRITE], 50thPercentileLatency(us), 7\n"
            "[READ-MODIFY-WRITE], 95thPercentileLatency(us), 7\n"
            "[READ-MODIFY-WRITE], 99.9PercentileLatency(us), 7\n"
            "[CLEANUP], Operations, 1\n"
            "[CLEANUP], AverageLatency(us), 1.00\n"
            "[CLEANUP], MinLatency(us), 1\n"
            "[CLEANUP], MaxLatency(us), 1\n"
            "[CLEANUP], 50thPercentileLatency(us), 1\n"
            "[CLEANUP], 95thPercentileLatency(us), 1\n"
            "[CLEANUP], 99.9PercentileLatency(us), 1\n");
}

std::string SummaryOf(MeasuredFrom from) {
  Recorder recorder({.from = from});
  recorder.Record(Metric::kUpdate, Took(10us, 90us), true, "OK");
  return Printed({.from = from, .percentiles = {50}}, *recorder.Take());
}

TEST(Measurements, TheIntendedStartCountsWhatTheUserWaited) {
  using ::testing::HasSubstr;
  using ::testing::Not;
  EXPECT_THAT(SummaryOf(MeasuredFrom::kStart), HasSubstr("[UPDATE], 50thPercentileLatency(us), 10\n"));
  EXPECT_THAT(SummaryOf(MeasuredFrom::kStart), Not(HasSubstr("Intended")));
  const std::string both = SummaryOf(MeasuredFrom::kBoth);
  EXPECT_THAT(both, HasSubstr("[UPDATE], 50thPercentileLatency(us), 10\n"));
  EXPECT_THAT(both, HasSubstr("[Intended-UPDATE], 50thPercentileLatency(us), 100\n"));
  EXPECT_THAT(both, HasSubstr("[UPDATE], Return=OK, 1\n"));
  const std::string intended = SummaryOf(MeasuredFrom::kIntendedStart);
  EXPECT_THAT(intended, HasSubstr("[Intended-UPDATE], 50thPercentileLatency(us), 100\n"));
  EXPECT_THAT(intended, HasSubstr("[Intended-UPDATE], Return=OK, 1\n"));
  EXPECT_THAT(intended, Not(HasSubstr("[UPDATE]")));
}

TEST(Measurements, TheIntervalsTextIsYcsbs) {
  Recorder recorder({.from = MeasuredFrom::kStart});
  recorder.Record(Metric::kRead, Took(2us), true, "OK");
  recorder.Record(Metric::kRead, Took(6us), true, "OK");
  recorder.Record(Metric::kInsert, Took(9us), false, "OVERLOADED");
  EXPECT_EQ(IntervalText(*recorder.Take()),
            "[READ: Count=2, Max=6, Min=2, Avg=4.00, 50=2, 90=6, 99=6, 99.9=6, 99.99=6] "
            "[INSERT-FAILED: Count=1, Max=9, Min=9, Avg=9.00, 50=9, 90=9, 99=9, 99.9=9, 99.99=9] ");
  EXPECT_EQ(IntervalText(*recorder.Take()), "") << "each sample counts in one interval";
}

TEST(Measurements, ATimeSeriesHasAnAverageForEachUnitOfTime) {
  const MeasurementOptions options{.as = MeasuredAs::kTimeSeries, .granularity = 100ms};
  Recorder recorder(options);
  const auto ended = [&](std::chrono::milliseconds at, std::chrono::microseconds took, bool ok) {
    const SteadyTime end{1h + at};
    recorder.Record(Metric::kRead, {end - took, end - took, end}, ok, ok ? "OK" : "ERROR");
  };
  ended(50ms, 10us, true);
  ended(99ms, 20us, true);
  ended(150ms, 90us, true);
  ended(160ms, 5000us, false);
  ended(420ms, 7us, true);
  EXPECT_EQ(Printed(options, *recorder.Take()),
            "[READ], Operations, 4\n"
            "[READ], AverageLatency(us), 31.75\n"
            "[READ], MinLatency(us), 7\n"
            "[READ], MaxLatency(us), 90\n"
            "[READ], Return=ERROR, 1\n"
            "[READ], Return=OK, 4\n"
            "[READ], 0, 15.00\n"
            "[READ], 100, 90.00\n"
            "[READ], 400, 7.00\n"
            "[READ-FAILED], Operations, 1\n"
            "[READ-FAILED], AverageLatency(us), 5000.00\n"
            "[READ-FAILED], MinLatency(us), 5000\n"
            "[READ-FAILED], MaxLatency(us), 5000\n");
}

TEST(Measurements, ExportersPrintTheSameInOtherForms) {
  Recorder recorder({});
  recorder.Record(Metric::kRead, Took(3us), true, "OK");
  const auto samples = recorder.Take();
  MeasurementOptions options{.percentiles = {}};
  options.exporter = Exporter::Form::kJson;
  const std::string json = Printed(options, *samples);
  EXPECT_TRUE(
      json.starts_with("{\n  \"metric\" : \"READ\",\n  \"measurement\" : \"Operations\",\n  \"value\" : 1\n} {\n"))
      << json;
  EXPECT_TRUE(json.ends_with("\"measurement\" : \"Return=OK\",\n  \"value\" : 1\n}\n")) << json;
  options.exporter = Exporter::Form::kJsonArray;
  const std::string array = Printed(options, *samples);
  EXPECT_TRUE(array.starts_with("[ {\n") && array.ends_with("\n} ]\n")) << array;
  EXPECT_THAT(array, ::testing::HasSubstr("\n}, {\n"));
  EXPECT_EQ(Printed(options, Samples()), "[ ]\n");
}

TEST(Measurements, AnExporterIsNamedByYcsbsClass) {
  const auto form = [](const std::string& name) -> Result<Exporter::Form> {
    Properties properties;
    properties.Set("exporter", name);
    EBLA_ASSIGN(const MeasurementOptions options, MeasurementOptions::Parse(properties));
    return options.exporter;
  };
  EXPECT_EQ(form("site.ycsb.measurements.exporter.TextMeasurementsExporter"), Exporter::Form::kText);
  EXPECT_EQ(form("site.ycsb.measurements.exporter.JSONMeasurementsExporter"), Exporter::Form::kJson);
  EXPECT_EQ(form("com.yahoo.ycsb.measurements.exporter.JSONArrayMeasurementsExporter"), Exporter::Form::kJsonArray);
  EXPECT_EQ(form("JSONMeasurementsExporter"), Exporter::Form::kJson);
  const auto refused = form("site.ycsb.XmlExporter");
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message(), ::testing::HasSubstr("exporter=site.ycsb.XmlExporter: expected Text"));
}

TEST(Measurements, OptionsAreCheckedAndPercentilesNamed) {
  Properties properties;
  properties.Set("hdrhistogram.percentiles", "50, 99.9,100");
  properties.Set("measurement.interval", "both");
  const auto options = MeasurementOptions::Parse(properties);
  ASSERT_TRUE(options.has_value()) << options.error();
  EXPECT_EQ(options->percentiles, (std::vector<double>{50, 99.9, 100}));
  EXPECT_EQ(options->from, MeasuredFrom::kBoth);
  properties.Set("hdrhistogram.percentiles", "50,,99");
  EXPECT_FALSE(MeasurementOptions::Parse(properties).has_value());
  properties.Set("hdrhistogram.percentiles", "101");
  EXPECT_FALSE(MeasurementOptions::Parse(properties).has_value());
  properties.Set("hdrhistogram.percentiles", "50");
  properties.Set("measurementtype", "timeseries");
  properties.Set("timeseries.granularity", "250");
  EXPECT_EQ(MeasurementOptions::Parse(properties)->granularity, 250ms);
  properties.Set("timeseries.granularity", "0");
  EXPECT_FALSE(MeasurementOptions::Parse(properties).has_value());
  properties.Set("timeseries.granularity", "250");
  properties.Set("hdrhistogram.fileoutput", "true");
  properties.Set("hdrhistogram.output.path", "/no/such/folder/run-");
  EXPECT_FALSE(MeasurementOptions::Parse(properties).has_value()) << "before a run of hours, not after it";
  EXPECT_EQ(PercentileName(50), "50th");
  EXPECT_EQ(PercentileName(1), "1st");
  EXPECT_EQ(PercentileName(12), "12th");
  EXPECT_EQ(PercentileName(92), "92nd");
  EXPECT_EQ(PercentileName(53), "53rd");
  EXPECT_EQ(PercentileName(99.99), "99.99");
}

}  // namespace
}  // namespace ebla::ycsb
