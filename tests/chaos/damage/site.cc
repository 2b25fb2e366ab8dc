#include "tests/chaos/damage/site.h"

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/zookeeper/zookeeper_command.h"
#include "tools/cluster/probe.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr auto kPollEvery = 10ms;
constexpr auto kControlTimeMax = 30s;
constexpr char kMaster[] = "m-1";
// Sessions end soon, so that few cases wait for one.
constexpr char kSessionFlag[] = "--zookeeper_session_ms=2000";
const std::vector<std::string> kMasterFlags = {kSessionFlag, "--disk_kept_free=0", "--balance=false"};
const std::vector<std::string> kServerFlags = {"--disk_reserve_mb=0", "--cache_mb=64", "--heartbeat_ms=200",
                                               "--scrub_bytes_per_second=1000000000"};

}  // namespace

Result<SiteMembers> SiteMembers::Pick(Shape shape) {
  using cluster::Role;
  SiteMembers made{.shape = shape, .members = {}};
  if (shape == Shape::kStandalone) {
    made.members = {{.name = "standalone", .role = Role::kTabletServer}};
  } else {
    made.members = {{.name = "zookeeper", .role = Role::kZooKeeper}, {.name = kMaster, .role = Role::kMaster}};
    for (const char* server : {"ts-1", "ts-2", "ts-3"})
      made.members.push_back({.name = server, .role = Role::kTabletServer});
  }
  for (cluster::Member& member : made.members) {
    EBLA_ASSIGN(member.port, zookeeper::PickPort());
    EBLA_ASSIGN(member.http_port, zookeeper::PickPort());
  }
  return made;
}

Site::Site(SiteMembers members, std::string dir, std::string bin_dir)
    : shape_(members.shape),
      bin_dir_(std::move(bin_dir)),
      processes_({.dir = dir, .bin_dir = bin_dir_, .die_with_parent = true}, dir) {
  state_.master_flags = kMasterFlags;
  state_.members = std::move(members.members);
}

Site::~Site() {
  for (const cluster::Member& member : state_.members) (void)cluster::Signal(member.process, SIGKILL);
  for (const cluster::Member& member : state_.members) cluster::WaitForExit(member.process, kControlTimeMax);
}

std::vector<std::string> Site::servers() const {
  std::vector<std::string> names;
  for (const cluster::Member& member : state_.members)
    if (member.role == cluster::Role::kTabletServer) names.push_back(member.name);
  return names;
}

cluster::Member& Site::Find(const std::string& name) {
  return *std::ranges::find(state_.members, name, &cluster::Member::name);
}

const cluster::Member& Site::Find(const std::string& name) const {
  return *std::ranges::find(state_.members, name, &cluster::Member::name);
}

Status Site::StartControl() {
  if (shape_ == Shape::kStandalone) return {};
  for (const char* name : {"zookeeper", kMaster}) {
    cluster::Member& member = Find(name);
    if (cluster::IsAlive(member.process)) continue;
    EBLA_ASSIGN(member.process, processes_.Start(member, state_));
    if (member.role == cluster::Role::kZooKeeper)
      EBLA_TRY(processes_.AwaitAddress(member, steady_clock::now() + kControlTimeMax));
  }
  return {};
}

std::vector<std::string> Site::StandaloneCommand(const cluster::Member& member) const {
  return {bin_dir_ + "/ebla-standalone", "--data_dir=" + DataDir(member.name),
          "--listen=127.0.0.1:" + std::to_string(member.port),
          "--http_listen=127.0.0.1:" + std::to_string(member.http_port)};
}

Status Site::Launch(const std::string& server, const std::vector<std::string>& flags) {
  cluster::Member& member = Find(server);
  std::error_code error;
  const uintmax_t printed = fs::file_size(processes_.LogFile(server), error);
  printed_before_[server] = error ? 0 : printed;
  std::vector<std::string> all = kServerFlags;
  all.insert(all.end(), flags.begin(), flags.end());
  if (shape_ != Shape::kStandalone) {
    all.emplace_back(kSessionFlag);
    state_.server_flags = std::move(all);
    EBLA_ASSIGN(member.process, processes_.Start(member, state_));
    return {};
  }
  fs::create_directories(DataDir(server), error);
  std::vector<std::string> command = StandaloneCommand(member);
  command.insert(command.end(), all.begin(), all.end());
  EBLA_ASSIGN(member.process, cluster::Spawn({.command = std::move(command),
                                              .working_dir = DataDir(server),
                                              .output_file = processes_.LogFile(server),
                                              .die_with_parent = true}));
  return {};
}

Started Site::Await(const std::string& server, milliseconds limit) const {
  const cluster::Member& member = Find(server);
  const auto deadline = steady_clock::now() + limit;
  for (std::string reason = "it has not begun to serve";; std::this_thread::sleep_for(kPollEvery)) {
    if (!cluster::IsAlive(member.process)) return {StartEnd::kRefused, Output(server)};
    if (cluster::HasAddress(DataDir(server), member.process.pid)) {
      const Status ready = cluster::AskReady("127.0.0.1", member.http_port, 1s);
      if (ready.ok()) return {StartEnd::kReady, ""};
      reason = ready.message();
    }
    if (steady_clock::now() >= deadline) return {StartEnd::kNeither, reason};
  }
}

bool Site::Runs(const std::string& name) const { return cluster::IsAlive(Find(name).process); }

Status Site::Kill(const std::string& name) {
  Status killed = processes_.Kill(Find(name), SIGKILL);
  return killed.code() == Code::kNotFound ? Status::Ok() : killed;
}

Status Site::End(const std::string& name) {
  return processes_.AskToEnd(Find(name)) ? processes_.AwaitEnd(Find(name)) : Status::Ok();
}

std::string Site::Masters() const {
  return processes_.Address(Find(shape_ == Shape::kStandalone ? "standalone" : kMaster));
}

Result<Client> Site::Connect(milliseconds deadline) const {
  return Client::Connect({.masters = {Masters()}, .deadline = deadline, .connect_timeout = milliseconds(0)});
}

testing::Shown Site::Ebla(const std::string& arguments) const {
  return testing::RunCommand("EBLA_MASTERS=" + Masters() + " " + bin_dir_ + "/ebla " + arguments);
}

int64_t Site::Figure(const std::string& server, const std::string& name) const {
  return testing::Figure(Find(server).http_port, name);
}

std::string Site::Output(const std::string& server) const {
  std::ifstream file(processes_.LogFile(server));
  const auto before = printed_before_.find(server);
  if (before != printed_before_.end()) file.seekg(static_cast<std::streamoff>(before->second));
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace ebla::chaos
