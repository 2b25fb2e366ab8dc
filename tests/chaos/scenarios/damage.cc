// The scenario of disks that lie: scenarios.h says what it proves.
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <sstream>
#include <thread>

#include "common/base/mutex.h"
#include "test_paths.h"
#include "tests/chaos/damage/case_run.h"
#include "tests/chaos/scenarios/scenarios.h"

namespace ebla::chaos {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr int kKeptMax = 20;
constexpr const char* kPrograms[] = {"ebla", "ebla-master", "ebla-standalone", "ebla-tabletserver"};

// Cases are taken from one list by several workers, each with its own prepared directories.
class DamageRun {
 public:
  explicit DamageRun(const DamageOptions& options)
      : options_(options),
        cases_(ChooseCases(
            {.shape = options.shape, .first = options.first, .count = options.cases, .seed = options.seed})) {}

  Status Begin() {
    std::string name = fs::temp_directory_path().string() + "/ebla-damage.XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) return Error(Code::kInternal, "cannot make " + name);
    dir_ = name;
    // A build meanwhile changes nothing in a run of hours.
    std::error_code error;
    fs::create_directories(dir_ + "/bin", error);
    for (const char* program : kPrograms) {
      fs::copy_file(std::string(kBinaryDir) + "/bin/" + program, dir_ + "/bin/" + program, error);
      if (error) return Error(Code::kInternal, std::string("cannot copy ") + program + ": " + error.message());
    }
    return {};
  }

  void Run() {
    std::vector<std::thread> workers;
    for (int worker = 1; worker < options_.workers; ++worker) workers.emplace_back([this, worker] { Work(worker); });
    Work(0);
    for (std::thread& worker : workers) worker.join();
  }

  ScenarioReport Finish() {
    std::error_code ignored;
    for (const char* part : {"/bin", "/prepared"}) fs::remove_all(dir_ + part, ignored);
    if (kept_ == 0) fs::remove_all(dir_, ignored);
    MutexLock lock(mutex_);
    ScenarioReport report;
    for (const Outcome& outcome : results_.Bad())
      report.faults.push_back(ToString(outcome) + "; again by ./dev chaos --only damage --cases 1 --first " +
                              std::to_string(outcome.one.number) + " --seed " + std::to_string(options_.seed));
    report.faults.insert(report.faults.end(), faults_.begin(), faults_.end());
    if (cases_.empty()) report.faults.emplace_back("there is no such case");
    if (results_.size() < cases_.size()) report.faults.emplace_back("not every case was run");
    report.summary = results_.Sums() + "\n" + results_.Tables();
    return report;
  }

 private:
  void Work(int worker) {
    std::map<Shape, Prepared> prepared;
    for (size_t next = next_++; next < cases_.size(); next = next_++) {
      const Case& one = cases_[next];
      auto found = prepared.find(one.shape);
      if (found == prepared.end()) {
        const std::string dir =
            dir_ + "/prepared/" + std::to_string(worker) + "-" + std::to_string(static_cast<int>(one.shape));
        auto made = Prepare(one.shape, dir, dir_ + "/bin");
        if (!made) {
          MutexLock lock(mutex_);
          faults_.push_back(std::string(Name(one.shape)) + " cannot be prepared: " + made.error().ToString());
          return;
        }
        found = prepared.emplace(one.shape, *std::move(made)).first;
      }
      RunCase(one, found->second);
    }
  }

  void RunCase(const Case& one, const Prepared& prepared) {
    const std::string dir = dir_ + "/case-" + std::to_string(one.number);
    const auto begin = steady_clock::now();
    Outcome outcome = [&] {
      CaseRun run(prepared, {.one = one, .seed = options_.seed, .dir = dir, .bin_dir = dir_ + "/bin"});
      return run.Run();
    }();
    std::error_code ignored;
    if (IsBad(outcome.verdict) && kept_++ < kKeptMax)
      outcome.kept = dir;
    else
      fs::remove_all(dir, ignored);
    std::ostringstream text;
    text << ToString(outcome) << " ["
         << std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - begin).count() << " ms]";
    MutexLock lock(mutex_);
    if (options_.say) options_.say(text.str());  // a line at a time
    results_.Add(std::move(outcome));
  }

  const DamageOptions options_;
  const std::vector<Case> cases_;
  std::string dir_;
  std::atomic<size_t> next_ = 0;
  std::atomic<int> kept_ = 0;
  Mutex mutex_;
  Results results_ EBLA_GUARDED_BY(mutex_);
  std::vector<std::string> faults_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace

ScenarioReport DamageFiles(const DamageOptions& options) {
  DamageRun run(options);
  if (const Status begun = run.Begin(); !begun.ok()) return {{begun.ToString()}, "not begun"};
  run.Run();
  return run.Finish();
}

}  // namespace ebla::chaos
