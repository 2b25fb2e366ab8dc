// The processor time of ebla-ycsb itself: workload A against a database that answers at once.
#include <glog/logging.h>

#include <ctime>
#include <sstream>

#include "tests/bench/harness/report.h"
#include "tools/ycsb/runner.h"

namespace ebla::bench {
namespace {

constexpr char kSuite[] = "ycsb";
constexpr double kMostMicros = 1;

// Every operation passes the loop, like one that a server answers.
class NullDatabase : public ycsb::Database {
 public:
  explicit NullDatabase(load::TaskLoop& loop) : loop_(loop) {}
  load::Task<Status> Read(std::string_view, const std::vector<std::string>&, ycsb::Fields&) override {
    return Answer();
  }
  load::Task<Status> Scan(std::string_view, uint64_t, const std::vector<std::string>&,
                          std::vector<ycsb::Fields>&) override {
    return Answer();
  }
  load::Task<Status> Update(std::string_view, const ycsb::Fields&, bool) override { return Answer(); }
  load::Task<Status> Insert(std::string_view, const ycsb::Fields&) override { return Answer(); }

 private:
  load::Task<Status> Answer() {
    Status status = co_await loop_.Call<Status>([](std::move_only_function<void(Status)> done) { done({}); });
    co_return status;
  }

  load::TaskLoop& loop_;
};

class NullDriver : public ycsb::Driver {
 public:
  Status Prepare(bool) override { return {}; }
  Result<std::unique_ptr<ycsb::Database>> Open(load::TaskLoop& loop) override {
    return std::make_unique<NullDatabase>(loop);
  }
};

template <class T>
T Must(Result<T> result) {
  CHECK(result.has_value()) << result.error();
  return *std::move(result);
}

double MicrosOfCpu(int pipeline, Duration each) {
  ycsb::Properties properties;
  properties.Set("recordcount", "100000");
  properties.Set("maxexecutiontime", std::to_string(std::max<int64_t>(1, each / std::chrono::seconds(1))));
  properties.Set("readproportion", "0.5");
  properties.Set("updateproportion", "0.5");
  properties.Set("requestdistribution", "zipfian");
  properties.Set("ebla.pipeline", std::to_string(pipeline));
  const auto workload = Must(ycsb::Workload::Make(Must(ycsb::WorkloadOptions::Parse(properties, false)), false));
  NullDriver driver;
  std::ostringstream said;
  ycsb::Runner runner(Must(ycsb::RunnerOptions::Parse(properties, false)), *workload, driver, said);
  const std::clock_t before = std::clock();
  const ycsb::RunResult result = Must(runner.Execute());
  return 1e6 * static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC / static_cast<double>(result.succeeded);
}

}  // namespace

void RunYcsbBench(const BenchOptions& options, Report& report) {
  for (const int pipeline : {1, 64}) {
    const std::string name = "ebla-ycsb itself, pipeline " + std::to_string(pipeline);
    report.Add(kSuite, name, MicrosOfCpu(pipeline, options.each), "us/op");
    report.AtMost(kSuite, name, kMostMicros);
  }
}

}  // namespace ebla::bench
