// common/process/process.h
// Steps that every Ebla process takes first and last: flags, logging, signals, the address file, its own numbers.
// Place:   called by main files alone.
// Threads: InitProcess first, before any thread is started; the rest from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/status.h"
#include "common/process/addresses.h"
#include "common/process/directory_lock.h"
#include "common/process/flags.h"
#include "common/rpc/channel.h"

namespace ebla::process {

struct ProcessOptions {
  std::string role;   // "tabletserver": names log files and threads
  std::string usage;  // a few lines for --help
  // The flag that names the data directory, read after parsing; logs are written to <data_dir>/logs, or to --logs_dir.
  // Null, or an empty value: logs are written to stderr.
  const std::string* data_dir = nullptr;
  // --log_to_stderr sends logs to stderr all the same.
  DirectoryLock::Content content = DirectoryLock::Content::kAny;  // of the data directory
  // Whether the flags go together, asked before anything is made or changed: no directory, no log file. Null: they do.
  std::function<Status()> check = nullptr;
};

// Parses flags (--flagfile too), answers --help and --version, refuses wrong usage (message on stderr, exit code
// kUsageError), ignores SIGPIPE, blocks SIGTERM and SIGINT for WaitForTermination, locks the data directory, so that no
// log of a process that runs there is touched, and starts logging. The process may open as many files as the system
// lets it, and its files are its user's alone (umask 077). The lock lasts for the process's life; it holds nothing
// where there is no data directory.
[[nodiscard]] DirectoryLock InitProcess(const ProcessOptions& options, int argc, char** argv);

// Says in the log where this process may open fewer files than that, and what to do.
void CheckOpenFiles(size_t needed, const std::string& connections_flag);

// "0.1.0" or "0.1.0 (1a2b3c4)".
std::string_view BuildVersion();

// The feature level of this process (common/base/features.h). Tests of upgrades set that of another build with
// EBLA_FEATURE_LEVEL.
int FeatureLevel();

// Blocks until the first SIGTERM or SIGINT, and returns it. From then on, a second one ends the process at once. The
// process ends with 1 when its data directory is removed meanwhile.
// `ready`: the reason why it does not serve yet. From kReadyPatience on the reason is written to stderr for a person,
// and again whenever it changes, until the process is ready once. `checked`: the flag that may be the cause, with its
// value.
inline constexpr std::chrono::seconds kReadyPatience{2};
int WaitForTermination(const std::function<Status()>& ready = nullptr, const std::string& checked = "");
// Says in the log and on stderr, where a person looks, why this process cannot go on.
void Complain(const Status& why);
// How a process ends that cannot go on. INVALID_ARGUMENT: a setting has to change first, so a supervisor does not try
// again (RestartPreventExitStatus=).
inline int ExitCode(const Status& why) { return why.code() == Code::kInvalidArgument ? kUsageError : 1; }
// Complains, and ends the process.
[[noreturn]] void Refuse(const Status& why);
inline void OrRefuse(const Status& status) {
  if (!status.ok()) Refuse(status);
}
template <class T>
T OrRefuse(Result<T> result) {
  if (!result) Refuse(result.error());
  return std::move(*result);
}
// Logs a warning; before there is a log it is kept for it.
void Warn(const std::string& what);
// Makes WaitForTermination return as if by SIGTERM.
void RequestTermination();

// <data_dir>/ADDRESS: "thrift host:port\nhttp host:port\npid N\n", put in place by rename once the process is ready.
Status WriteAddressFile(const std::string& data_dir, const rpc::Endpoint& thrift, const rpc::Endpoint& http);

// From the kernel's generator; never 0, and positive as int64.
uint64_t RandomId();

// The id of the machine's boot, the same in every container on it; empty: the kernel does not tell.
std::string BootId();

// The kernel reports that NTP has synchronized the machine's clock since the clock was last set. False, too, where the
// kernel does not tell.
bool ClockIsSynchronized();

// The resources that this process uses.
struct Usage {
  double cpu_seconds = 0;  // user and system, since it started
  uint64_t resident_bytes = 0;
};
Usage ReadUsage();

}  // namespace ebla::process
