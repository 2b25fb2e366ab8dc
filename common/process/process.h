// common/process/process.h
// What every Ebla process does first and last: flags, logging, signals, the address file, its own numbers.
// Place:   called by main files alone.
// Threads: InitProcess first, before any thread is started; the rest from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "common/process/directory_lock.h"
#include "common/rpc/channel.h"

namespace ebla::process {

struct ProcessOptions {
  std::string role;   // "tabletserver": names log files and threads
  std::string usage;  // a few lines for --help
  // The flag that names the data directory, read after parsing; logs go to <data_dir>/logs, or where --logs_dir says.
  // Null, or an empty value: logs go to stderr.
  const std::string* data_dir = nullptr;
  // --log_to_stderr sends logs to stderr all the same.
  DirectoryLock::Content content = DirectoryLock::Content::kAny;  // of the data directory
};

// Parses flags (--flagfile too), answers --help and --version, refuses what it does not know (message on stderr, exit
// 2), ignores SIGPIPE, blocks SIGTERM and SIGINT for WaitForTermination, locks the data directory, so that no log of a
// process that runs there is touched, and starts logging. It may open as many files as the system lets it, and what it
// makes is its user's alone (umask 077). The lock is the process's, for life; it holds nothing where there is no data
// directory.
[[nodiscard]] DirectoryLock InitProcess(const ProcessOptions& options, int argc, char** argv);

// Says in the log where this process may open fewer files than that, and what to do.
void CheckOpenFiles(size_t needed, const std::string& connections_flag);

// "0.1.0" or "0.1.0 (1a2b3c4)".
std::string_view BuildVersion();

// What this process speaks (common/base/features.h). Tests of upgrades have it be another build's: EBLA_FEATURE_LEVEL.
int FeatureLevel();

// Blocks until the first SIGTERM or SIGINT, and returns it. From then on, a second one ends the process at once.
// `ready`: why it does not serve yet. From kReadyPatience on it says that on stderr, where a person looks, and again
// whenever the reason changes, until it is ready once. `checked`: the flag that the reason may lie in, with its value.
inline constexpr std::chrono::seconds kReadyPatience{2};
int WaitForTermination(const std::function<Status()>& ready = nullptr, const std::string& checked = "");
// Says in the log and on stderr, where a person looks, why this process cannot go on.
void Complain(const Status& why);
// Makes WaitForTermination return as if by SIGTERM.
void RequestTermination();

// <data_dir>/ADDRESS: "thrift host:port\nhttp host:port\npid N\n", put in place by rename once the process is ready.
Status WriteAddressFile(const std::string& data_dir, const rpc::Endpoint& thrift, const rpc::Endpoint& http);

// The address that a flag names, or why it is none, with the flag's name.
Result<rpc::Endpoint> EndpointFlag(const std::string& flag, const std::string& text);

// From the kernel's generator; never 0, and positive as int64.
uint64_t RandomId();

// Of this process.
struct Usage {
  double cpu_seconds = 0;  // user and system, since it started
  uint64_t resident_bytes = 0;
};
Usage ReadUsage();

}  // namespace ebla::process
