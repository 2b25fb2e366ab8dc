// tools/ycsb/main.cc: the command line of ebla-ycsb. See command_line.h for its usage.
#include <signal.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <thread>
#include <vector>

#include "common/process/process.h"
#include "tools/ycsb/command_line.h"
#include "tools/ycsb/ebla_database.h"
#include "tools/ycsb/runner.h"

namespace ebla::ycsb {
namespace {

constexpr int kFailed = 1, kUsageError = 2, kInterrupted = 130;

int Complain(const Status& status, int exit_code) {
  std::cerr << "ebla-ycsb: " << status.message() << "\n";
  if (exit_code == kUsageError) std::cerr << "ebla-ycsb --help shows the usage\n";
  return exit_code;
}

// Waits for SIGINT or SIGTERM in a thread of its own: the first ends the run, the second the process.
class Interrupter {
 public:
  // Before any thread is started, so that all of them inherit the mask.
  static sigset_t Block() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR2);  // from our own destructor
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return signals;
  }

  Interrupter(sigset_t signals, Runner& runner)
      : thread_([this, signals, &runner] {
          for (int signal = 0; sigwait(&signals, &signal) == 0 && signal != SIGUSR2;) {
            if (interrupted_.exchange(true)) _exit(kInterrupted);
            std::cerr << "\ninterrupted: waiting for the operations under way; Ctrl-C again gives up at once\n";
            runner.Stop();
          }
        }) {}
  ~Interrupter() {
    pthread_kill(thread_.native_handle(), SIGUSR2);
    thread_.join();
  }
  bool interrupted() const { return interrupted_; }

 private:
  std::atomic<bool> interrupted_{false};
  std::thread thread_;
};

// Writes the summary to `out`. Returns the exit code.
int Report(const RunnerOptions& options, const RunResult& result, std::ostream& out) {
  PrintResult(options.measurements, result, out);
  if (!out) return Complain(Status(Code::kInternal, "the summary could not be written"), kFailed);
  if (result.failed == 0) return 0;
  std::cerr << "ebla-ycsb: " << result.failed << " of " << result.failed + result.succeeded
            << " operations failed; the last one: " << result.last_failure << "\n";
  return kFailed;
}

int Execute(CommandLine& line) {
  const Properties& properties = line.properties;
  const bool load = line.action == CommandLine::Action::kLoad;
  for (const std::string& name : properties.UnknownArguments())
    std::cerr << "ebla-ycsb: warning: unknown property " << name << "\n";

  auto options = RunnerOptions::Parse(properties, load);
  if (!options) return Complain(options.error(), kUsageError);
  if (options->seed == 0) options->seed = process::RandomId() >> 16;
  auto workload_options = WorkloadOptions::Parse(properties, load);
  if (!workload_options) return Complain(workload_options.error(), kUsageError);
  auto database_options = EblaOptions::Parse(properties, *workload_options);
  if (!database_options) return Complain(database_options.error(), kUsageError);
  // Opened first: a run of hours should not end with a file that cannot be made.
  const std::string export_file = properties.Text("exportfile", "");
  std::ofstream file;
  if (!export_file.empty()) file.open(export_file, std::ios::trunc);
  if (!file)
    return Complain(Status(Code::kInvalidArgument, "exportfile=" + export_file + " cannot be written"), kUsageError);
  auto workload = Workload::Make(std::move(*workload_options), load);
  if (!workload) return Complain(workload.error(), kUsageError);

  const sigset_t signals = Interrupter::Block();
  EblaDriver driver(std::move(*database_options));
  Runner runner(*options, **workload, driver, std::cerr);
  const Interrupter interrupter(signals, runner);
  const Result<RunResult> result = runner.Execute();
  if (!result) return Complain(result.error(), kFailed);
  const int exit_code = Report(*options, *result, export_file.empty() ? std::cout : file);
  return interrupter.interrupted() ? kInterrupted : exit_code;
}

int Main(int argc, char** argv) {
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  auto line = ParseCommandLine(arguments);
  if (!line) return Complain(line.error(), kUsageError);
  switch (line->action) {
    case CommandLine::Action::kHelp: std::cout << kUsage; return 0;
    case CommandLine::Action::kVersion: std::cout << "ebla-ycsb " << process::BuildVersion() << "\n"; return 0;
    case CommandLine::Action::kLoad:
    case CommandLine::Action::kRun: return Execute(*line);
  }
  return kUsageError;
}

}  // namespace
}  // namespace ebla::ycsb

int main(int argc, char** argv) { return ebla::ycsb::Main(argc, argv); }
