#include "tools/cluster/launcher.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include "common/base/system_error.h"
#include "common/zookeeper/zookeeper_command.h"
#include "tools/cluster/probe.h"

namespace ebla::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr char kZooKeeperName[] = "zookeeper";

std::string DirOfThisProgram() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path().string();
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
      if (errno != EINTR) return SystemError(Code::kInternal, "cannot lock it");
    return Status::Ok();
  }
  void Release() { (void)::flock(fd_, LOCK_UN); }

 private:
  const int fd_;
};

Result<Launcher> Launcher::Open(LauncherOptions options) {
  if (options.bin_dir.empty()) options.bin_dir = DirOfThisProgram();
  std::error_code error;
  options.bin_dir = fs::absolute(options.bin_dir, error).string();  // its processes work in directories of their own
  const std::string dir = fs::weakly_canonical(fs::absolute(options.dir, error), error).string();
  if (!error) fs::create_directories(dir, error);
  if (error) return Error(Code::kInvalidArgument, "cannot make " + options.dir + ": " + error.message());
  const std::string file = dir + "/lock";
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError(Code::kInvalidArgument, "cannot write in " + dir);
  auto lock = std::make_unique<Lock>(fd);
  if (!lock->TakeAtOnce()) {
    if (options.say) options.say("waiting for another launcher in " + dir);
    EBLA_TRY(lock->Take());
  }
  EBLA_ASSIGN(ClusterState state, ClusterState::Load(dir + "/cluster.json"));
  return Launcher(options, dir, std::move(lock), std::move(state));
}

Launcher::Launcher(const LauncherOptions& options, std::string dir, std::unique_ptr<Lock> lock, ClusterState state)
    : processes_(options, std::move(dir)), lock_(std::move(lock)), state_(std::move(state)) {}

Launcher::Launcher(Launcher&&) noexcept = default;

Launcher::~Launcher() {
  if (lock_ == nullptr || !processes_.options().stop_at_end) return;  // moved from, or nothing to do
  for (const Member& member : state_.members) {
    (void)Signal(member.process, SIGKILL);
    WaitForExit(member.process, processes_.options().stop_timeout);
  }
}

Status Launcher::Save() const { return state_.Save(dir() + "/cluster.json"); }

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

// Assigns ports from the base port on, two for each process, and reuses ports of removed processes. A process that
// joins a running cluster skips ports that are in use.
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

// Before anything is started: a new server whose ZooKeeper has found its port taken would join the cluster there.
Status Launcher::CheckPorts() const {
  for (const Member& member : state_.members) {
    for (const int port : {int{member.port}, int{member.http_port}}) {
      if (port == 0 || PortIsFree(static_cast<uint16_t>(port))) continue;
      return Error(Code::kInvalidArgument, "port " + std::to_string(port) + ", which " + member.name +
                                               " needs, is in use; give another --base_port, or none so that " +
                                               "free ports are picked");
    }
  }
  return Status::Ok();
}

Status Launcher::Plan(const StartOptions& options) {
  const bool first = state_.members.empty();
  if (first) {
    state_.base_port = options.base_port;
    EBLA_TRY(AddMember(Role::kZooKeeper, 0));
  } else if (options.base_port != 0 && options.base_port != state_.base_port) {
    return Error(Code::kInvalidArgument, "the cluster in " + dir() +
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
  if (first && state_.base_port != 0) EBLA_TRY(CheckPorts());
  return Save();
}

// The state is read again afterwards: what pointed into it points nowhere then.
Status Launcher::WhileOthersWork(const std::function<Status()>& wait) {
  lock_->Release();
  Status ended = wait();
  EBLA_TRY(lock_->Take());
  EBLA_ASSIGN(state_, ClusterState::Load(dir() + "/cluster.json"));
  return ended;
}

Status Launcher::AwaitOne(Member member, bool ready) {
  const auto deadline = StartDeadline();
  return WhileOthersWork(
      [&] { return ready ? processes_.AwaitReady(member, deadline) : processes_.AwaitAddress(member, deadline); });
}

Status Launcher::StartMember(Member& member) {
  EBLA_ASSIGN(member.process, processes_.Start(member, state_));
  return Save();
}

steady_clock::time_point Launcher::StartDeadline() const {
  return steady_clock::now() + processes_.options().start_timeout;
}

Status Launcher::Start(const StartOptions& options) {
  EBLA_TRY(Plan(options));
  Status started = StartMembers(options);
  std::string alive;
  for (const Member& member : state_.members) {
    if (IsAlive(member.process)) alive += (alive.empty() ? "" : ", ") + member.name;
  }
  if (started.ok() || alive.empty()) return started;
  return Error(started.code(),
               started.message() + "\nstill running: " + alive + "; ebla-cluster stop --dir " + dir() + " ends them");
}

Status Launcher::StartMembers(const StartOptions& options) {
  const auto deadline = StartDeadline();
  // ZooKeeper starts first, because the other processes need it; then all of them at once.
  for (size_t i = 0; i < state_.members.size(); ++i) {
    if (IsAlive(state_.members[i].process)) continue;
    EBLA_TRY(StartMember(state_.members[i]));
    if (state_.members[i].role == Role::kZooKeeper) EBLA_TRY(AwaitOne(state_.members[i], true));
  }
  return WhileOthersWork([&, members = state_.members]() -> Status {
    for (const Member& member : members)
      EBLA_TRY(options.wait ? processes_.AwaitReady(member, deadline) : processes_.AwaitAddress(member, deadline));
    return Status::Ok();
  });
}

Status Launcher::WaitUntilReady() {
  const auto deadline = StartDeadline();
  return WhileOthersWork([&, members = state_.members]() -> Status {
    for (const Member& member : members) EBLA_TRY(processes_.AwaitReady(member, deadline));
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
  return Error(Code::kNotFound, "no process is called \"" + name + "\" in " + dir() +
                                    (names.empty() ? ": no cluster was started there" : "; there are " + names));
}

Status Launcher::Kill(const std::string& name, int signal) {
  EBLA_ASSIGN(const Member* member, Find(name));
  return processes_.Kill(*member, signal);
}

Status Launcher::Restart(const std::string& name, bool wait) {
  EBLA_ASSIGN(Member * member, Find(name));
  if (processes_.AskToEnd(*member))
    if (const Status ended = processes_.AwaitEnd(*member); !ended.ok()) processes_.Say(ended.message());
  EBLA_TRY(StartMember(*member));
  return AwaitOne(*member, wait);
}

Result<std::string> Launcher::AddServer(bool wait) {
  if (state_.members.empty()) {
    return Error(Code::kNotFound, "no cluster was started in " + dir() + ": ebla-cluster start makes one");
  }
  for (const Member& member : state_.members) {
    if (member.role != Role::kZooKeeper || IsAlive(member.process)) continue;
    return Error(Code::kConditionFailed, "the cluster in " + dir() + " is not running (" + member.name +
                                             " is dead), so a server cannot join it: ebla-cluster start first");
  }
  EBLA_TRY(AddMember(Role::kTabletServer, state_.last_server + 1));
  EBLA_TRY(StartMember(state_.members.back()));
  std::string name = state_.members.back().name;
  EBLA_TRY(AwaitOne(state_.members.back(), wait));
  return name;
}

Status Launcher::CheckRemoval(const std::string& name) const {
  EBLA_ASSIGN(const Member* member, Find(name));
  if (member->role != Role::kTabletServer) {
    return Error(Code::kInvalidArgument,
                 name + " is not a tablet server, and only tablet servers are added and removed");
  }
  if (state_.Count(Role::kTabletServer) > 1) return Status::Ok();
  return Error(Code::kConditionFailed, name + " is the only tablet server; ebla-cluster stop ends the cluster");
}

Status Launcher::End(const std::string& name) {
  EBLA_ASSIGN(const Member* member, Find(name));
  return processes_.AskToEnd(*member) ? processes_.AwaitEnd(*member) : Status::Ok();
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
      if (member.role == role && processes_.AskToEnd(member)) asked.push_back(&member);
    for (const Member* member : asked)
      if (const Status ended = processes_.AwaitEnd(*member); !ended.ok())
        killed += (killed.empty() ? "" : "\n") + ended.message();
  }
  if (!killed.empty()) return Error(Code::kUnavailable, killed);
  return Status::Ok();
}

std::vector<ProcessView> Launcher::Describe() const {
  std::vector<ProcessView> views;
  for (const Member& member : state_.members) views.push_back(processes_.View(member));
  return views;
}

std::vector<std::string> Launcher::Masters() const {
  std::vector<std::string> masters;
  for (const Member& member : state_.members)
    if (member.role == Role::kMaster) masters.push_back(processes_.Address(member));
  return masters;
}

std::string Launcher::ZooKeeper() const { return processes_.ZooKeeper(state_); }

Result<ProcessId> Launcher::Process(const std::string& name) const {
  for (const Member& member : state_.members)
    if (member.name == name) return member.process;
  return Error(Code::kNotFound, "no process is called \"" + name + "\"");
}

}  // namespace ebla::cluster
