// The scenario of disks that lie: scenarios.h says what it proves.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <thread>

#include "common/base/crc32.h"
#include "common/base/mutex.h"
#include "common/base/read_all.h"
#include "common/testing/temporary_directory.h"
#include "test_paths.h"
#include "tests/chaos/damage/case_run.h"
#include "tests/chaos/damage/harm.h"
#include "tests/chaos/damage/results_file.h"
#include "tests/chaos/scenarios/scenarios.h"

namespace ebla::chaos {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr int kKeptMax = 20;
constexpr const char* kPrograms[] = {"ebla", "ebla-master", "ebla-standalone", "ebla-tabletserver"};

// Processor time of this process and of all that have ended before it.
int64_t ProcessorSeconds() {
  int64_t seconds = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage used{};
    ::getrusage(who, &used);
    seconds += used.ru_utime.tv_sec + used.ru_stime.tv_sec;
  }
  return seconds;
}

// One checksum for all of them.
Result<std::string> ChecksumOf(const std::string& directory, std::span<const char* const> programs) {
  uint32_t sum = 0;
  for (const char* program : programs) {
    std::ifstream in(directory + "/" + program, std::ios::binary);
    if (!in) return Error(Code::kInvalidArgument, "cannot read " + directory + "/" + program);
    sum = Crc32(ReadAll(in), sum);
  }
  std::ostringstream text;
  text << std::hex << sum;
  return text.str();
}

Result<std::string> PageWith(const std::string& file, const std::string& tables) {
  std::ifstream in(file);
  auto page = WithTables(ReadAll(in), tables);
  if (!page) return Error(page.error().code(), file + " " + page.error().message());
  return page;
}

// Cases are taken from one list by several threads.
class DamageRun {
 public:
  explicit DamageRun(const DamageOptions& options)
      : options_(options),
        cases_(ChooseCases(
            {.shape = options.shape, .first = options.first, .count = options.cases, .seed = options.seed})) {}

  Status Begin() {
    if (cases_.empty()) return Error(Code::kInvalidArgument, "there is no such case");
    if (!options_.results.empty()) EBLA_TRY(TakeUpResults());
    if (!options_.markdown.empty())
      if (const auto page = PageWith(options_.markdown, ""); !page) return page.error();
    // A build meanwhile changes nothing in a run of hours. Another process copies: a program cannot be started as long
    // as a child that another thread forks meanwhile has the descriptor that wrote it.
    for (const char* program : kPrograms)
      EBLA_TRY(CopyDirectory(std::string(kBinaryDir) + "/bin/" + program, Bin() + "/" + program));
    EBLA_ASSIGN(trees_, Trees::Start());
    return PrepareShapes();
  }

  void Run() {
    std::vector<std::thread> threads;
    for (int job = 1; job < options_.jobs; ++job) threads.emplace_back([this] { Work(); });
    Work();
    for (std::thread& thread : threads) thread.join();
  }

  ScenarioReport Finish() {
    MutexLock lock(mutex_);
    ScenarioReport report;
    for (const Outcome& outcome : results_.Bad())
      report.faults.push_back(ToString(outcome) + "; again by ./dev chaos --only damage --cases 1 --first " +
                              std::to_string(outcome.one.number) + " --seed " + std::to_string(options_.seed));
    if (results_.size() < known_ + cases_.size()) report.faults.emplace_back("not every case was run");
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(steady_clock::now() - begin_).count();
    report.summary = results_.Sums() + "\n\n" + results_.Tables() + "\n" + std::to_string(seconds) + " s, " +
                     std::to_string(ProcessorSeconds()) + " s of processors";
    if (options_.markdown.empty()) return report;
    const auto page = PageWith(options_.markdown, results_.Sums() + ":\n\n" + results_.Tables());
    if (page)
      std::ofstream(options_.markdown) << *page;
    else
      report.faults.push_back(page.error().message());
    return report;
  }

 private:
  std::string Bin() const { return dir_ / "bin"; }

  Status TakeUpResults() {
    EBLA_ASSIGN(const std::string programs, ChecksumOf(std::string(kBinaryDir) + "/bin", kPrograms));
    MutexLock lock(mutex_);
    EBLA_ASSIGN(std::vector<Outcome> known, results_file_.Open(options_.results, programs, options_.seed));
    for (Outcome& outcome : known) {
      std::erase_if(cases_, [&](const Case& one) { return one.number == outcome.one.number; });
      results_.Add(std::move(outcome));
    }
    known_ = results_.size();
    return {};
  }

  // Side by side, because a preparation mostly waits.
  Status PrepareShapes() {
    std::array<Status, kShapes.size()> faults;
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kShapes.size(); ++i) {
      const Shape shape = kShapes[i];
      if (std::ranges::none_of(cases_, [&](const Case& one) { return one.shape == shape; })) continue;
      threads.emplace_back([this, shape, i, &faults] {
        auto made = Prepare({.shape = shape,
                             .dir = dir_ / ("prepared-" + std::to_string(i)),
                             .bin_dir = Bin(),
                             .trees = TreesOf(shape)});
        if (made)
          prepared_[i] = *std::move(made);
        else
          faults[i] = Error(made.error().code(), std::string(Name(shape)) + ": " + made.error().message());
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const Status& fault : faults) EBLA_TRY(fault);
    return {};
  }

  Trees* TreesOf(Shape shape) const { return shape == Shape::kStandalone ? nullptr : trees_.get(); }

  void Work() {
    for (size_t next = next_++; next < cases_.size(); next = next_++) RunCase(cases_[next]);
  }

  void RunCase(const Case& one) {
    const std::string name = "case-" + std::to_string(one.number), dir = dir_ / name;
    const auto begin = steady_clock::now();
    Outcome outcome = [&] {
      CaseRun run(*prepared_[static_cast<size_t>(one.shape)],
                  {.one = one, .seed = options_.seed, .dir = dir, .bin_dir = Bin(), .trees = TreesOf(one.shape)});
      return run.Run();
    }();
    if (IsBad(outcome.verdict) && kept_++ < kKeptMax) {
      const std::string kept = fs::temp_directory_path() / ("ebla-damage-" + std::to_string(::getpid())) / name;
      if (CopyDirectory(dir, kept).ok()) outcome.kept = kept;
    }
    std::error_code ignored;
    fs::remove_all(dir, ignored);
    std::ostringstream text;
    text << ToString(outcome) << " ["
         << std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - begin).count() << " ms]";
    MutexLock lock(mutex_);
    if (options_.say) options_.say(text.str());  // a line at a time
    results_file_.Add(outcome);
    results_.Add(std::move(outcome));
  }

  const DamageOptions options_;
  std::vector<Case> cases_;  // that are to be run
  size_t known_ = 0;         // results of earlier runs
  const steady_clock::time_point begin_ = steady_clock::now();
  const testing::TemporaryDirectory dir_;
  std::unique_ptr<Trees> trees_;
  std::array<std::optional<Prepared>, kShapes.size()> prepared_;
  std::atomic<size_t> next_ = 0;
  std::atomic<int> kept_ = 0;
  Mutex mutex_;
  Results results_ EBLA_GUARDED_BY(mutex_);
  ResultsFile results_file_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace

ScenarioReport DamageFiles(const DamageOptions& options) {
  DamageRun run(options);
  if (const Status begun = run.Begin(); !begun.ok()) return {{begun.ToString()}, "not begun"};
  run.Run();
  return run.Finish();
}

}  // namespace ebla::chaos
