#include "tools/cluster/processes.h"

#include <signal.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include "common/zookeeper/zookeeper_command.h"
#include "tools/cluster/probe.h"

namespace ebla::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr milliseconds kPollEvery{10};
constexpr milliseconds kProbeTimeout{1000};
constexpr int kLogLines = 15;

// The newest log of glog's in a data directory, where there is one.
std::string NewestLog(const std::string& data_dir) {
  std::string newest;
  fs::file_time_type newest_time;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(data_dir + "/logs", error)) {
    const auto time = entry.last_write_time(error);
    if (error || entry.is_symlink() || entry.path().string().find(".INFO.") == std::string::npos) continue;
    if (newest.empty() || time > newest_time) {
      newest = entry.path().string();
      newest_time = time;
    }
  }
  return newest;
}

}  // namespace

std::string_view StateName(ProcessState state) {
  switch (state) {
    case ProcessState::kReady: return "ready";
    case ProcessState::kNotReady: return "not ready";
    case ProcessState::kDead: return "dead";
  }
  return "unknown";
}

std::string LastLines(const std::string& file, int lines) {
  std::ifstream in(file);
  std::deque<std::string> last;
  for (std::string line; std::getline(in, line);) {
    last.push_back(line);
    if (last.size() > static_cast<size_t>(lines)) last.pop_front();
  }
  std::string text;
  for (const std::string& line : last) text += line + "\n";
  return text;
}

void Processes::Say(const std::string& text) const {
  if (options_.say) options_.say(text);
}

LaunchContext Processes::ContextOf(const Member& member) const {
  return options_.launch_context ? options_.launch_context(member.name) : LaunchContext{};
}

std::string Processes::Address(const Member& member) const {
  return ContextOf(member).host + ":" + std::to_string(member.port);
}

std::string Processes::HttpAddress(const Member& member) const {
  return ContextOf(member).host + ":" + std::to_string(member.http_port);
}

bool Processes::ZooKeeperAnswers(const Member& member) const {
  return zookeeper::Answers(member.port, ContextOf(member).host);
}

Status Processes::AskIfReady(const Member& member) const {
  EBLA_ASSIGN(const auto certificates, CertificatesOf(member.process.pid));
  return AskReady(ContextOf(member).host, member.http_port, kProbeTimeout, certificates);
}

Result<std::vector<std::string>> Processes::Command(const Member& member, const ClusterState& state) const {
  if (member.role == Role::kZooKeeper)
    return zookeeper::PrepareServer(
        {.data_dir = DataDir(member.name), .host = ContextOf(member).host, .port = member.port});
  const bool master = member.role == Role::kMaster;
  const std::string program = options_.bin_dir + (master ? "/ebla-master" : "/ebla-tabletserver");
  if (::access(program.c_str(), X_OK) != 0)
    return Error(Code::kInvalidArgument, program + " does not exist: build it, or name its directory with --bin_dir");
  std::vector<std::string> command = {program,
                                      "--name=" + member.name,
                                      "--zookeeper=" + ZooKeeper(state) + "/ebla",
                                      "--data_dir=" + DataDir(member.name),
                                      "--listen=" + Address(member),
                                      "--http_listen=" + HttpAddress(member)};
  if (!ContextOf(member).host.starts_with("127.")) command.emplace_back("--insecure");  // a namespace of a test's own
  const std::vector<std::string>& flags = master ? state.master_flags : state.server_flags;
  command.insert(command.end(), flags.begin(), flags.end());
  return command;
}

std::string Processes::ZooKeeper(const ClusterState& state) const {
  for (const Member& member : state.members)
    if (member.role == Role::kZooKeeper) return Address(member);
  return {};
}

Result<ProcessId> Processes::Start(const Member& member, const ClusterState& state) const {
  std::error_code error;
  fs::create_directories(DataDir(member.name), error);
  if (error) return Error(Code::kInternal, "cannot make " + DataDir(member.name) + ": " + error.message());
  EBLA_ASSIGN(std::vector<std::string> command, Command(member, state));
  const std::vector<std::string> command_prefix = ContextOf(member).command_prefix;
  command.insert(command.begin(), command_prefix.begin(), command_prefix.end());
  EBLA_ASSIGN(ProcessId process, Spawn({.command = std::move(command),
                                        .working_dir = DataDir(member.name),
                                        .output_file = LogFile(member.name),
                                        .die_with_parent = options_.die_with_parent}));
  Say("started " + member.name + " (pid " + std::to_string(process.pid) + ", " + Address(member) + ")");
  return process;
}

std::vector<std::string> Processes::LogFiles(const std::string& name) const {
  std::vector<std::string> files = {LogFile(name)};
  if (std::string log = NewestLog(DataDir(name)); !log.empty()) files.push_back(std::move(log));
  return files;
}

Status Processes::Failed(const Member& member, const std::string& what) const {
  std::string text = member.name + " " + what + "; its logs end:";
  for (const std::string& file : LogFiles(member.name)) text += "\n==> " + file + "\n" + LastLines(file, kLogLines);
  while (text.ends_with('\n')) text.pop_back();
  return Status(Code::kUnavailable, std::move(text));
}

Status Processes::AwaitAddress(const Member& member, Deadline deadline) const {
  for (;; std::this_thread::sleep_for(kPollEvery)) {
    const bool there = member.role == Role::kZooKeeper ? ZooKeeperAnswers(member)
                                                       : HasAddress(DataDir(member.name), member.process.pid);
    // Alive as well: on ZooKeeper's port another's may answer.
    const bool alive = IsAlive(member.process);
    if (!alive) return Failed(member, "ended while starting");
    if (there) return Status::Ok();
    if (steady_clock::now() >= deadline)
      return Failed(member, "did not serve within " + std::to_string(options_.start_timeout.count() / 1000) + " s");
  }
}

Status Processes::AwaitReady(const Member& member, Deadline deadline) const {
  EBLA_TRY(AwaitAddress(member, deadline));
  if (member.role == Role::kZooKeeper) return Status::Ok();
  for (;; std::this_thread::sleep_for(kPollEvery)) {
    const Status ready = AskIfReady(member);
    if (ready.ok()) return Status::Ok();
    if (!IsAlive(member.process)) return Failed(member, "ended while starting");
    if (steady_clock::now() >= deadline) return Failed(member, "is not ready (" + ready.message() + ")");
  }
}

Status Processes::Kill(const Member& member, int signal) const {
  Status sent = Signal(member.process, signal);
  if (sent.code() == Code::kNotFound) return Error(Code::kNotFound, member.name + " is not running");
  EBLA_TRY(std::move(sent));
  if (signal == SIGKILL && !WaitForExit(member.process, options_.stop_timeout))
    return Error(Code::kUnavailable, member.name + " still runs after SIGKILL: its disk may hang");
  return Status::Ok();
}

bool Processes::AskToEnd(const Member& member) const {
  // Once only: a second SIGTERM would end the process at once.
  if (!IsAlive(member.process) || !Signal(member.process, SIGTERM).ok()) return false;
  (void)Signal(member.process, SIGCONT);  // one on hold could not hear it
  return true;
}

Status Processes::AwaitEnd(const Member& member) const {
  if (WaitForExit(member.process, options_.stop_timeout)) {
    Say("stopped " + member.name);
    return Status::Ok();
  }
  (void)Signal(member.process, SIGKILL);
  WaitForExit(member.process, options_.stop_timeout);
  return Error(Code::kUnavailable, member.name + " did not end within " +
                                       std::to_string(options_.stop_timeout.count() / 1000) +
                                       " s of SIGTERM and was killed; its log is " + LogFile(member.name));
}

ProcessView Processes::View(const Member& member) const {
  ProcessView view{.name = member.name,
                   .role = member.role,
                   .state = ProcessState::kDead,
                   .address = Address(member),
                   .http_address = member.http_port == 0 ? "" : HttpAddress(member),
                   .log = LogFile(member.name),
                   .reason = {}};
  if (!IsAlive(member.process)) {
    view.reason = member.process ? "not running" : "never started";
    return view;
  }
  view.pid = member.process.pid;
  view.uptime = Uptime(member.process);
  Status ready;
  if (member.role != Role::kZooKeeper)
    ready = AskIfReady(member);
  else if (!ZooKeeperAnswers(member))
    ready = Status(Code::kUnavailable, "does not answer");
  view.state = ready.ok() ? ProcessState::kReady : ProcessState::kNotReady;
  view.reason = ready.message();
  return view;
}

}  // namespace ebla::cluster
