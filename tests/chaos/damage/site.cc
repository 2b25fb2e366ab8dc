#include "tests/chaos/damage/site.h"

#include <signal.h>
#include <unistd.h>

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
constexpr auto kEndTimeMax = 30s;
constexpr char kMaster[] = "m-1";
// Sessions end soon, so that few cases wait for one.
constexpr char kSessionFlag[] = "--zookeeper_session_ms=2000";
const std::vector<std::string> kMasterFlags = {"--disk_kept_free=0", "--balance=false"};
const std::vector<std::string> kServerFlags = {"--disk_reserve_mb=0", "--cache_mb=64", "--heartbeat_ms=200",
                                               "--scrub_bytes_per_second=1000000000"};

}  // namespace

Site::Site(Options options)
    : options_(std::move(options)),
      processes_({.dir = options_.dir, .bin_dir = options_.bin_dir, .die_with_parent = true}, options_.dir) {
  using cluster::Role;
  if (options_.shape == Shape::kStandalone) {
    members_ = {{.name = "standalone", .role = Role::kTabletServer}};
    return;
  }
  members_ = {{.name = kMaster, .role = Role::kMaster}};
  for (const char* server : {"ts-1", "ts-2", "ts-3"}) members_.push_back({.name = server, .role = Role::kTabletServer});
}

Site::~Site() {
  for (const cluster::Member& member : members_) (void)cluster::Signal(member.process, SIGKILL);
  for (const cluster::Member& member : members_) cluster::WaitForExit(member.process, kEndTimeMax);
}

Status Site::PickPorts() {
  for (cluster::Member& member : members_) {
    EBLA_ASSIGN(member.port, zookeeper::PickPort());
    EBLA_ASSIGN(member.http_port, zookeeper::PickPort());
  }
  return {};
}

void Site::ObeyPermissions() {
  if (::geteuid() == 0) command_prefix_ = {"/usr/bin/env", "setpriv", "--bounding-set=-dac_override,-dac_read_search"};
}

std::vector<std::string> Site::servers() const {
  std::vector<std::string> names;
  for (const cluster::Member& member : members_)
    if (member.role == cluster::Role::kTabletServer) names.push_back(member.name);
  return names;
}

cluster::Member& Site::Find(const std::string& name) {
  return *std::ranges::find(members_, name, &cluster::Member::name);
}

const cluster::Member& Site::Find(const std::string& name) const {
  return *std::ranges::find(members_, name, &cluster::Member::name);
}

Status Site::Spawn(cluster::Member& member, const std::vector<std::string>& flags) {
  const bool alone = options_.shape == Shape::kStandalone, master = member.role == cluster::Role::kMaster;
  const std::string program = alone ? "/ebla-standalone" : master ? "/ebla-master" : "/ebla-tabletserver";
  std::vector<std::string> command = command_prefix_;
  command.insert(command.end(), {options_.bin_dir + program, "--data_dir=" + DataDir(member.name),
                                 "--listen=127.0.0.1:" + std::to_string(member.port),
                                 "--http_listen=127.0.0.1:" + std::to_string(member.http_port)});
  if (!alone)
    command.insert(command.end(), {"--name=" + member.name, "--zookeeper=" + options_.zookeeper, kSessionFlag});
  command.insert(command.end(), flags.begin(), flags.end());
  std::error_code error;
  fs::create_directories(DataDir(member.name), error);
  EBLA_ASSIGN(member.process, cluster::Spawn({.command = std::move(command),
                                              .working_dir = DataDir(member.name),
                                              .output_file = processes_.LogFile(member.name),
                                              .die_with_parent = true}));
  return {};
}

Status Site::StartControl() {
  if (options_.shape == Shape::kStandalone || Runs(kMaster)) return {};
  return Spawn(Find(kMaster), kMasterFlags);
}

Status Site::Launch(const std::string& server, const std::vector<std::string>& flags) {
  std::error_code error;
  const uintmax_t printed = fs::file_size(processes_.LogFile(server), error);
  printed_before_[server] = error ? 0 : printed;
  std::vector<std::string> all = kServerFlags;
  all.insert(all.end(), flags.begin(), flags.end());
  return Spawn(Find(server), all);
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
  return processes_.Address(Find(options_.shape == Shape::kStandalone ? "standalone" : kMaster));
}

Result<Client> Site::Connect(milliseconds deadline) const {
  return Client::Connect({.masters = {Masters()}, .deadline = deadline, .connect_timeout = milliseconds(0)});
}

testing::Shown Site::Ebla(const std::string& arguments) const {
  return testing::RunCommand("EBLA_MASTERS=" + Masters() + " " + options_.bin_dir + "/ebla " + arguments);
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
