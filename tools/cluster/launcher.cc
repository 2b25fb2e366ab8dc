#include "tools/cluster/launcher.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
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
constexpr char kZooKeeperName[] = "zookeeper";

std::string DirOfThisProgram() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path().string();
}

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

// Held while state is changed, and released while the launcher only waits.
class Launcher::Lock {
 public:
  explicit Lock(int fd) : fd_(fd) {}
  ~Lock() { ::close(fd_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  bool TakeAtOnce() { return ::flock(fd_, LOCK_EX | LOCK_NB) == 0; }
  Status Take() {
    while (::flock(fd_, LOCK_EX) != 0)
      if (errno != EINTR) return Error(Code::kInternal, std::string("cannot lock it: ") + std::strerror(errno));
    return Status::Ok();
  }
  void Release() { (void)::flock(fd_, LOCK_UN); }

 private:
  const int fd_;
};

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

Result<Launcher> Launcher::Open(LauncherOptions options) {
  if (options.bin_dir.empty()) options.bin_dir = DirOfThisProgram();
  std::error_code error;
  const std::string dir = fs::weakly_canonical(fs::absolute(options.dir, error), error).string();
  if (!error) fs::create_directories(dir, error);
  if (error) return Error(Code::kInvalidArgument, "cannot make " + options.dir + ": " + error.message());
  const std::string file = dir + "/lock";
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return Error(Code::kInvalidArgument, "cannot write in " + dir + ": " + std::strerror(errno));
  auto lock = std::make_unique<Lock>(fd);
  if (!lock->TakeAtOnce()) {
    if (options.say) options.say("waiting for another launcher in " + dir);
    EBLA_TRY(lock->Take());
  }
  EBLA_ASSIGN(ClusterState state, ClusterState::Load(dir + "/cluster.json"));
  return Launcher(std::move(options), dir, std::move(lock), std::move(state));
}

Launcher::Launcher(LauncherOptions options, std::string dir, std::unique_ptr<Lock> lock, ClusterState state)
    : options_(std::move(options)), dir_(std::move(dir)), lock_(std::move(lock)), state_(std::move(state)) {}

Launcher::Launcher(Launcher&&) noexcept = default;

Launcher::~Launcher() {
  if (lock_ == nullptr || !options_.stop_at_end) return;  // moved from, or nothing to do
  for (const Member& member : state_.members) {
    (void)Signal(member.process, SIGKILL);
    WaitForExit(member.process, options_.stop_timeout);
  }
}

void Launcher::Say(const std::string& text) const {
  if (options_.say) options_.say(text);
}

Status Launcher::Save() const { return state_.Save(dir_ + "/cluster.json"); }

Status Launcher::AddMember(Role role, int number) {
  const char* const prefix = role == Role::kMaster ? "m-" : "ts-";
  Member member;
  member.name = role == Role::kZooKeeper ? kZooKeeperName : prefix + std::to_string(number);
  member.role = role;
  EBLA_TRY(ChoosePorts(member));
  if (role == Role::kTabletServer) state_.last_server = std::max(state_.last_server, number);
  state_.members.push_back(std::move(member));
  return Status::Ok();
}

// From the base port on, two for each; those of one that was removed are used again. What joins a cluster that runs
// passes over ports that somebody else has.
Status Launcher::ChoosePorts(Member& member) const {
  const auto taken = [&](int port) {
    return std::any_of(state_.members.begin(), state_.members.end(),
                       [port](const Member& other) { return other.port == port || other.http_port == port; });
  };
  const bool http = member.role != Role::kZooKeeper;
  if (state_.base_port == 0) {
    do {
      EBLA_ASSIGN(member.port, zookeeper::PickPort());
    } while (taken(member.port));
    while (http && (member.http_port == 0 || member.http_port == member.port || taken(member.http_port))) {
      EBLA_ASSIGN(member.http_port, zookeeper::PickPort());
    }
    return Status::Ok();
  }
  const bool joins = std::any_of(state_.members.begin(), state_.members.end(),
                                 [](const Member& other) { return bool(other.process); });
  for (int port = state_.base_port; port + 1 <= UINT16_MAX; port += 2) {
    if (taken(port) || taken(port + 1)) continue;
    const auto first = static_cast<uint16_t>(port), second = static_cast<uint16_t>(port + 1);
    if (joins && !(PortIsFree(first) && PortIsFree(second))) continue;
    member.port = first;
    member.http_port = http ? second : 0;
    return Status::Ok();
  }
  return Error(Code::kInvalidArgument, "no ports are left from " + std::to_string(state_.base_port) + " on");
}

Status Launcher::Plan(const StartOptions& options) {
  const bool first = state_.members.empty();
  if (first) {
    state_.base_port = options.base_port;
    EBLA_TRY(AddMember(Role::kZooKeeper, 0));
  } else if (options.base_port != 0 && options.base_port != state_.base_port) {
    return Error(Code::kInvalidArgument, "the cluster in " + dir_ +
                                             " has its ports already; another base port needs "
                                             "another --dir");
  }
  if (first || !options.master_flags.empty()) state_.master_flags = options.master_flags;
  if (first || !options.server_flags.empty()) state_.server_flags = options.server_flags;
  const int masters = options.masters == 0 && first ? 2 : options.masters;
  const int servers = options.servers == 0 && first ? 3 : options.servers;
  for (int i = state_.Count(Role::kMaster); i < masters; ++i) EBLA_TRY(AddMember(Role::kMaster, i + 1));
  for (int i = state_.Count(Role::kTabletServer); i < servers; ++i)
    EBLA_TRY(AddMember(Role::kTabletServer, state_.last_server + 1));
  return Save();
}

LaunchContext Launcher::LaunchContextOf(const Member& member) const {
  return options_.launch_context ? options_.launch_context(member.name) : LaunchContext{};
}

std::string Launcher::Address(const Member& member) const {
  return LaunchContextOf(member).host + ":" + std::to_string(member.port);
}

std::string Launcher::HttpAddress(const Member& member) const {
  return LaunchContextOf(member).host + ":" + std::to_string(member.http_port);
}

bool Launcher::ZooKeeperAnswers(const Member& member) const {
  return zookeeper::Answers(member.port, LaunchContextOf(member).host);
}

Status Launcher::AskIfReady(const Member& member) const {
  return AskReady(LaunchContextOf(member).host, member.http_port, kProbeTimeout);
}

Result<std::vector<std::string>> Launcher::Command(const Member& member) const {
  if (member.role == Role::kZooKeeper)
    return zookeeper::PrepareServer(
        {.data_dir = DataDir(member.name), .host = LaunchContextOf(member).host, .port = member.port});
  const bool master = member.role == Role::kMaster;
  const std::string program = options_.bin_dir + (master ? "/ebla-master" : "/ebla-tabletserver");
  if (::access(program.c_str(), X_OK) != 0)
    return Error(Code::kInvalidArgument, program + " is not there: build it, or say where it is with --bin_dir");
  std::vector<std::string> command = {program,
                                      "--name=" + member.name,
                                      "--zookeeper=" + ZooKeeper() + "/ebla",
                                      "--data_dir=" + DataDir(member.name),
                                      "--listen=" + Address(member),
                                      "--http_listen=" + HttpAddress(member)};
  const std::vector<std::string>& flags = master ? state_.master_flags : state_.server_flags;
  command.insert(command.end(), flags.begin(), flags.end());
  return command;
}

Status Launcher::StartMember(Member& member) {
  std::error_code error;
  fs::create_directories(DataDir(member.name), error);
  if (error) return Error(Code::kInternal, "cannot make " + DataDir(member.name) + ": " + error.message());
  EBLA_ASSIGN(std::vector<std::string> command, Command(member));
  const std::vector<std::string> command_prefix = LaunchContextOf(member).command_prefix;
  command.insert(command.begin(), command_prefix.begin(), command_prefix.end());
  EBLA_ASSIGN(member.process, Spawn({.command = std::move(command),
                                     .working_dir = DataDir(member.name),
                                     .output_file = LogFile(member.name),
                                     .die_with_parent = options_.die_with_parent}));
  Say("started " + member.name + " (pid " + std::to_string(member.process.pid) + ", " + Address(member) + ")");
  return Save();
}

std::vector<std::string> Launcher::LogFiles(const std::string& name) const {
  std::vector<std::string> files = {LogFile(name)};
  if (std::string log = NewestLog(DataDir(name)); !log.empty()) files.push_back(std::move(log));
  return files;
}

Status Launcher::Failed(const Member& member, const std::string& what) const {
  std::string text = member.name + " " + what + "; its logs end:";
  for (const std::string& file : LogFiles(member.name)) text += "\n==> " + file + "\n" + LastLines(file, kLogLines);
  while (text.ends_with('\n')) text.pop_back();
  return Status(Code::kUnavailable, std::move(text));
}

Status Launcher::AwaitAddress(const Member& member, steady_clock::time_point deadline) {
  for (;; std::this_thread::sleep_for(kPollEvery)) {
    const bool there = member.role == Role::kZooKeeper ? ZooKeeperAnswers(member)
                                                       : HasAddress(DataDir(member.name), member.process.pid);
    // Alive as well: on ZooKeeper's port another's may answer.
    const bool alive = IsAlive(member.process);
    if (!alive) return Failed(member, "ended while starting");
    if (there) return Status::Ok();
    if (steady_clock::now() >= deadline)
      return Failed(member,
                    "has not begun to serve within " + std::to_string(options_.start_timeout.count() / 1000) + " s");
  }
}

Status Launcher::AwaitReady(const Member& member, steady_clock::time_point deadline) {
  EBLA_TRY(AwaitAddress(member, deadline));
  if (member.role == Role::kZooKeeper) return Status::Ok();
  for (;; std::this_thread::sleep_for(kPollEvery)) {
    const Status ready = AskIfReady(member);
    if (ready.ok()) return Status::Ok();
    if (!IsAlive(member.process)) return Failed(member, "ended while starting");
    if (steady_clock::now() >= deadline) return Failed(member, "is not ready (" + ready.message() + ")");
  }
}

// The state is read again afterwards: what pointed into it points nowhere then.
Status Launcher::WhileOthersWork(const std::function<Status()>& wait) {
  lock_->Release();
  const Status ended = wait();
  EBLA_TRY(lock_->Take());
  EBLA_ASSIGN(state_, ClusterState::Load(dir_ + "/cluster.json"));
  return ended;
}

Status Launcher::AwaitOne(Member member, bool ready) {
  const auto deadline = steady_clock::now() + options_.start_timeout;
  return WhileOthersWork([&] { return ready ? AwaitReady(member, deadline) : AwaitAddress(member, deadline); });
}

Status Launcher::Start(const StartOptions& options) {
  EBLA_TRY(Plan(options));
  const auto deadline = steady_clock::now() + options_.start_timeout;
  // ZooKeeper first, as the others only wait for it; then all of them at once.
  for (size_t i = 0; i < state_.members.size(); ++i) {
    if (IsAlive(state_.members[i].process)) continue;
    EBLA_TRY(StartMember(state_.members[i]));
    if (state_.members[i].role == Role::kZooKeeper) EBLA_TRY(AwaitOne(state_.members[i], true));
  }
  return WhileOthersWork([&, members = state_.members]() -> Status {
    for (const Member& member : members)
      EBLA_TRY(options.wait ? AwaitReady(member, deadline) : AwaitAddress(member, deadline));
    return Status::Ok();
  });
}

Status Launcher::WaitUntilReady() {
  const auto deadline = steady_clock::now() + options_.start_timeout;
  return WhileOthersWork([&, members = state_.members]() -> Status {
    for (const Member& member : members) EBLA_TRY(AwaitReady(member, deadline));
    return Status::Ok();
  });
}

Result<Member*> Launcher::Find(const std::string& name) {
  EBLA_ASSIGN(const Member* found, std::as_const(*this).Find(name));
  return const_cast<Member*>(found);
}

Result<const Member*> Launcher::Find(const std::string& name) const {
  std::string names;
  for (const Member& member : state_.members) {
    if (member.name == name) return &member;
    names += (names.empty() ? "" : ", ") + member.name;
  }
  return Error(Code::kNotFound, "no process is called \"" + name + "\" in " + dir_ +
                                    (names.empty() ? ": no cluster was started there" : "; there are " + names));
}

Status Launcher::Kill(const std::string& name, int signal) {
  EBLA_ASSIGN(const Member* member, Find(name));
  Status sent = Signal(member->process, signal);
  if (sent.code() == Code::kNotFound) return Error(Code::kNotFound, name + " is not running");
  EBLA_TRY(std::move(sent));
  if (signal == SIGKILL && !WaitForExit(member->process, options_.stop_timeout))
    return Error(Code::kUnavailable, name + " is still there after SIGKILL: its disk may hang");
  return Status::Ok();
}

bool Launcher::AskToEnd(const Member& member) {
  // Once only: a second SIGTERM would end the process at once.
  if (!IsAlive(member.process) || !Signal(member.process, SIGTERM).ok()) return false;
  (void)Signal(member.process, SIGCONT);  // one on hold could not hear it
  return true;
}

Status Launcher::AwaitEnd(const Member& member) {
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

Status Launcher::Restart(const std::string& name, bool wait) {
  EBLA_ASSIGN(Member * member, Find(name));
  if (AskToEnd(*member))
    if (const Status ended = AwaitEnd(*member); !ended.ok()) Say(ended.message());
  EBLA_TRY(StartMember(*member));
  return AwaitOne(*member, wait);
}

Result<std::string> Launcher::AddServer(bool wait) {
  if (state_.members.empty()) {
    return Error(Code::kNotFound, "no cluster was started in " + dir_ + ": ebla-cluster start makes one");
  }
  for (const Member& member : state_.members) {
    if (member.role != Role::kZooKeeper || IsAlive(member.process)) continue;
    return Error(Code::kConditionFailed, "the cluster in " + dir_ + " does not run (" + member.name +
                                             " is dead), and a server would join nothing: ebla-cluster start first");
  }
  EBLA_TRY(AddMember(Role::kTabletServer, state_.last_server + 1));
  EBLA_TRY(StartMember(state_.members.back()));
  const std::string name = state_.members.back().name;
  EBLA_TRY(AwaitOne(state_.members.back(), wait));
  return name;
}

Status Launcher::CheckRemoval(const std::string& name) const {
  EBLA_ASSIGN(const Member* member, Find(name));
  if (member->role != Role::kTabletServer) {
    return Error(Code::kInvalidArgument, name + " is not a tablet server, and only those are added and removed");
  }
  if (state_.Count(Role::kTabletServer) > 1) return Status::Ok();
  return Error(Code::kConditionFailed, name + " is the only tablet server; ebla-cluster stop ends the cluster");
}

Status Launcher::End(const std::string& name) {
  EBLA_ASSIGN(const Member* member, Find(name));
  return AskToEnd(*member) ? AwaitEnd(*member) : Status::Ok();
}

Status Launcher::Remove(const std::string& name) {
  EBLA_TRY(CheckRemoval(name));
  EBLA_ASSIGN(const Member* member, Find(name));
  if (IsAlive(member->process)) return Error(Code::kConditionFailed, name + " still runs");
  std::erase_if(state_.members, [&](const Member& other) { return other.name == name; });
  return Save();
}

Status Launcher::Stop() {
  std::string killed;
  for (const Role role : {Role::kTabletServer, Role::kMaster, Role::kZooKeeper}) {
    std::vector<const Member*> asked;
    for (const Member& member : state_.members)
      if (member.role == role && AskToEnd(member)) asked.push_back(&member);
    for (const Member* member : asked)
      if (const Status ended = AwaitEnd(*member); !ended.ok()) killed += (killed.empty() ? "" : "\n") + ended.message();
  }
  if (!killed.empty()) return Error(Code::kUnavailable, killed);
  return Status::Ok();
}

ProcessView Launcher::View(const Member& member) const {
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

std::vector<ProcessView> Launcher::Describe() const {
  std::vector<ProcessView> views;
  for (const Member& member : state_.members) views.push_back(View(member));
  return views;
}

std::vector<std::string> Launcher::Masters() const {
  std::vector<std::string> masters;
  for (const Member& member : state_.members)
    if (member.role == Role::kMaster) masters.push_back(Address(member));
  return masters;
}

std::string Launcher::ZooKeeper() const {
  for (const Member& member : state_.members)
    if (member.role == Role::kZooKeeper) return Address(member);
  return {};
}

Result<ProcessId> Launcher::Process(const std::string& name) const {
  for (const Member& member : state_.members)
    if (member.name == name) return member.process;
  return Error(Code::kNotFound, "no process is called \"" + name + "\"");
}

}  // namespace ebla::cluster
