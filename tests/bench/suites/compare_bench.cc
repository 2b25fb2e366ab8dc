// Ebla against what people use instead, and against its own foundations. Both sides of a ratio have the same values, as
// much in flight and the same durability, and are measured in turns; each figure is the median of its rounds.
// Clients: Ebla's is the SDK in this process; each peer's is named in its header.
#include <glog/logging.h>
#include <stdlib.h>

#include <filesystem>
#include <iostream>

#include "tests/bench/compare/markdown.h"
#include "tests/bench/compare/parts.h"
#include "tests/bench/harness/report.h"

namespace ebla::bench {

void RunCompareBench(const BenchOptions& options, Report& report) {
  std::string directory = std::filesystem::temp_directory_path() / "compare_bench.XXXXXX";
  CHECK(::mkdtemp(directory.data()) != nullptr);
  Figures figures;
  bool found = false;
  for (const PartKind& kind : kParts) {
    if (options.part.empty() ? kind.asked_for : options.part != kind.name) continue;
    found = true;
    std::cerr << kind.name << ": " << kind.what << std::endl;
    const std::string below = directory + "/" + std::string(kind.name);
    std::filesystem::create_directory(below);
    const auto part = kind.make(below, options);
    const int rounds = kind.asked_for ? 1 : options.rounds;
    for (int round = 1; round <= rounds; ++round) {
      std::cerr << " round " << round << " of " << rounds << std::endl;
      part->Round(figures);
    }
  }
  std::filesystem::remove_all(directory);
  CHECK(found) << "compare has no part " << options.part;
  const auto rows = figures.Rows();
  AddTo(report, rows);
  AddRatios(report);
  if (options.markdown.empty()) return;
  const Status written = WriteMarkdown(options, rows, report);
  CHECK(written.ok()) << written;
}

}  // namespace ebla::bench
