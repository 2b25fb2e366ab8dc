#include "tests/bench/compare/measured_process.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "common/base/read_all.h"
#include "tools/cluster/launcher.h"

namespace ebla::bench {
namespace {

constexpr std::chrono::seconds kStartTimeMax{30}, kEndTimeMax{10};

// proc(5): fields 14 and 15 of stat, counted after the name, which may hold anything.
double CpuMicros(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  const std::string text = ReadAll(stat);
  std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 1)));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) * 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

// Field 7 of a disk's stat, in sectors of 512 bytes. Zero on a file system in memory.
double WrittenBytes(const std::string& directory) {
  struct stat status{};
  ::stat(directory.c_str(), &status);
  std::ifstream disk("/sys/dev/block/" + std::to_string(major(status.st_dev)) + ":" +
                     std::to_string(minor(status.st_dev)) + "/stat");
  std::string skipped;
  for (int field = 1; field < 7; ++field) disk >> skipped;
  double sectors = 0;
  disk >> sectors;
  return sectors * 512;
}

}  // namespace

ServersCost CostOf(const Servers& servers) {
  ::sync();
  ServersCost cost{.written_bytes = WrittenBytes(servers.directory)};
  for (const pid_t pid : servers.pids) cost.cpu_us += CpuMicros(pid);
  return cost;
}

double ResidentBytes(const Servers& servers) {
  double pages = 0;
  for (const pid_t pid : servers.pids) {
    std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
    double size = 0, resident = 0;
    statm >> size >> resident;
    pages += resident;
  }
  return pages * static_cast<double>(::sysconf(_SC_PAGE_SIZE));
}

double PeakResidentBytes(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;) {
    double kilobytes = 0;
    if (word == "VmHWM:" && status >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

double DiskBytes(const std::string& directory) {
  double bytes = 0;
  std::error_code error;  // a folder that has just vanished, which ends the walk
  for (std::filesystem::recursive_directory_iterator at(directory, error), end; at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    struct stat status{};
    if (name == "BALLAST" || name.starts_with("spare-") || name == "filling") continue;
    if (::stat(at->path().c_str(), &status) != 0) continue;
    bytes += static_cast<double>(status.st_blocks) * 512;
  }
  return bytes;
}

Result<MeasuredProcess> MeasuredProcess::Start(std::vector<std::string> command, const std::string& directory) {
  if (::access(command.front().c_str(), X_OK) != 0) {
    return Error(Code::kUnavailable, command.front() + " is missing; ./dev bench compare installs and builds all");
  }
  std::filesystem::create_directories(directory);
  EBLA_ASSIGN(cluster::ProcessId process, cluster::Spawn({.command = std::move(command),
                                                          .working_dir = directory,
                                                          .output_file = directory + "/output.log",
                                                          .die_with_parent = true}));
  return MeasuredProcess(std::move(process), directory);
}

Status MeasuredProcess::AwaitSaying(const std::string& text) const {
  for (const auto limit = std::chrono::steady_clock::now() + kStartTimeMax;;
       std::this_thread::sleep_for(std::chrono::milliseconds(20))) {
    std::ifstream in(output_file());
    if (ReadAll(in).contains(text)) return {};
    if (!alive() || std::chrono::steady_clock::now() > limit)
      return Status(Code::kInternal, "it does not start: " + cluster::LastLines(output_file(), 3));
  }
}

MeasuredProcess::~MeasuredProcess() {
  if (!process_) return;
  std::ignore = cluster::Signal(process_, SIGKILL);
  cluster::WaitForExit(process_, kEndTimeMax);
}

}  // namespace ebla::bench
