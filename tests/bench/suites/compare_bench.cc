// Ebla against what people use instead, and against its own foundations. Both sides of a ratio have the same values, as
// much in flight and the same durability, and are measured in turns; each figure is the median of its rounds.
// Clients: Ebla's is the SDK in this process; each peer's is named in its header.
#include <glog/logging.h>
#include <stdlib.h>

#include <filesystem>
#include <iostream>
#include <utility>

#include "tests/bench/compare/markdown.h"
#include "tests/bench/compare/parts.h"
#include "tests/bench/harness/report.h"

namespace ebla::bench {

namespace {

MeasuredPart Measure(const PartKind& kind, const std::string& directory, const BenchOptions& options) {
  std::cerr << kind.name << ": " << kind.what << std::endl;
  std::filesystem::create_directory(directory);
  Figures figures;
  const auto part = kind.make(directory, options);
  const int rounds = kind.Rounds(options);
  for (int round = 1; round <= rounds; ++round) {
    std::cerr << " round " << round << " of " << rounds << std::endl;
    part->Round(figures);
  }
  MeasuredPart measured{.kind = kind, .rows = figures.Rows(), .report = {}};
  AddTo(measured.report, measured.rows);
  AddRatios(measured.report);
  return measured;
}

}  // namespace

void RunCompareBench(const BenchOptions& options, Report& report) {
  const Status page = CheckMarkdown(options);
  CHECK(page.ok()) << page;
  std::string directory = std::filesystem::temp_directory_path() / "compare_bench.XXXXXX";
  CHECK(::mkdtemp(directory.data()) != nullptr);
  bool found = false;
  for (const PartKind& kind : kParts) {
    if (!kind.Runs(options.part)) continue;
    found = true;
    MeasuredPart measured = Measure(kind, directory + "/" + std::string(kind.name), options);
    const Status written = WriteMarkdown(options, measured);  // at once, because a later part may fail
    CHECK(written.ok()) << written;
    report.Append(std::move(measured.report));
  }
  std::filesystem::remove_all(directory);
  CHECK(found) << "compare has no part " << options.part;
}

}  // namespace ebla::bench
