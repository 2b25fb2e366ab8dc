// Runs the benchmark suites and prints their numbers and ratios. Exit 0 when every ratio meets its bound, else 1.
#include <gflags/gflags.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <thread>

#include "common/process/process.h"
#include "tests/bench/harness/report.h"

DEFINE_string(only, "", "Name of the only suite to run. Empty: all suites.");
DEFINE_double(seconds, 2, "Seconds of each measurement. More are more exact.");
DEFINE_bool(quick, false, "In compare: run one round of one second each, as a check that everything works.");
DEFINE_string(
    part, "",
    "In compare: the only part to run: standalone, storage, beyond, cluster, tablets, listeners, gateway, tls, users, "
    "disk or hits. storage runs beyond, too. Empty: all parts but beyond, disk and hits.");
DEFINE_int64(storage_records, 0,
             "In compare's part beyond: number of records of the load beyond memory. 0: 8,000,000, or 200,000 with "
             "--quick.");
DEFINE_int64(storage_cache_mb, 0,
             "In compare's part beyond: MiB of cache beyond which this load is, for Ebla and for RocksDB. 0: 512, or "
             "64 with --quick.");
DEFINE_string(markdown, "",
              "In compare: write each part's tables into its section of this file, between the two marker comments, "
              "keep the sections of other parts, and draw a chart beside it (.svg).");
DEFINE_string(json, "", "File for the rows and ratios, as JSON. Empty: none.");

namespace ebla::bench {

void RunRpcBench(const BenchOptions& options, Report& report);
void RunTabletServerBench(const BenchOptions& options, Report& report);
void RunCatalogBench(const BenchOptions& options, Report& report);
void RunPausesBench(const BenchOptions& options, Report& report);
void RunYcsbBench(const BenchOptions& options, Report& report);
void RunCompareBench(const BenchOptions& options, Report& report);

namespace {

struct Suite {
  const char* name;
  void (*run)(const BenchOptions&, Report&);
  bool asked_for = false;  // only --only runs it
};
constexpr Suite kSuites[] = {{"rpc", &RunRpcBench},         {"tabletserver", &RunTabletServerBench},
                             {"catalog", &RunCatalogBench}, {"pauses", &RunPausesBench},
                             {"ycsb", &RunYcsbBench},       {"compare", &RunCompareBench, /*asked_for=*/true}};

int64_t Chosen(int64_t flag, int64_t usual, int64_t quick) {
  if (flag > 0) return flag;
  return FLAGS_quick ? quick : usual;
}

int Run() {
  const std::chrono::duration<double> each(FLAGS_quick ? 1 : FLAGS_seconds);
  const BenchOptions options{.each = std::chrono::duration_cast<Duration>(each),
                             .rounds = FLAGS_quick ? 1 : 3,
                             .part = FLAGS_part == "doors" ? "listeners" : FLAGS_part,  // the part's old name
                             .markdown = FLAGS_markdown,
                             .storage_records = Chosen(FLAGS_storage_records, 8'000'000, 200'000),
                             .storage_cache_mb = Chosen(FLAGS_storage_cache_mb, 512, 64)};
  Report report;
  sync();  // the build's files, for one, which the kernel would write all at once while something is measured
  bool found = false;
  for (const Suite& suite : kSuites) {
    if (FLAGS_only.empty() ? suite.asked_for : FLAGS_only != suite.name) continue;
    found = true;
    suite.run(options, report);
  }
  if (!found) {
    std::cerr << "no suite is called " << FLAGS_only << "; there are:";
    for (const Suite& suite : kSuites) std::cerr << " " << suite.name;
    std::cerr << "\n";
    return 2;
  }
  std::cout << "machine: " << std::thread::hardware_concurrency() << " cores; build " << process::BuildVersion()
            << "\n\n"
            << report.ToText();
  if (!FLAGS_json.empty()) std::ofstream(FLAGS_json) << report.ToJson() << "\n";
  return report.AllMet() ? 0 : 1;
}

}  // namespace
}  // namespace ebla::bench

int main(int argc, char** argv) {
  (void)ebla::process::InitProcess({.role = "bench", .usage = "Measures Ebla and prints ratios."}, argc, argv);
  return ebla::bench::Run();
}
