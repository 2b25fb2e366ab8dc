#include "tests/integration/test_cluster.h"

#include <glog/logging.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <thread>

#include "test_paths.h"
#include "tools/cluster/probe.h"

namespace ebla::testing {
namespace {

constexpr std::chrono::seconds kElectionTimeMax{30};

}  // namespace

Result<std::unique_ptr<TestCluster>> TestCluster::Start(TestClusterOptions options) {
  std::string name = std::filesystem::temp_directory_path().string() + "/ebla-test.XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) return Error(Code::kInternal, "cannot make " + name);
  std::unique_ptr<TestCluster> made(new TestCluster(name, options));
  EBLA_TRY(made->Open(!options.shared));
  if (options.shared) EBLA_TRY(made->SetWarden());
  made->clear_ = std::move(options.clear);
  if (options.prepare) EBLA_TRY(options.prepare(made->launcher_->dir()));
  // How full this machine's disk is decides no test.
  options.master_flags.insert(options.master_flags.begin(), "--disk_kept_free=0");
  EBLA_TRY(made->launcher_->Start({.masters = options.masters,
                                   .servers = options.servers,
                                   .master_flags = options.master_flags,
                                   .server_flags = options.server_flags}));
  made->master_addresses_ = made->launcher_->Masters();
  for (const std::string& master : made->master_addresses_)
    made->masters_ += (made->masters_.empty() ? "" : ",") + master;
  return made;
}

TestCluster::TestCluster(std::string dir, const TestClusterOptions& options)
    : dir_(std::move(dir)),
      shared_(options.shared),
      tls_dir_(options.tls_dir),
      launching_({.dir = dir_ + "/cluster",
                  .bin_dir = std::string(kBinaryDir).append("/bin"),
                  .die_with_parent = true,
                  .stop_at_end = true,
                  .start_timeout = std::chrono::seconds(30),
                  .stop_timeout = options.stop_timeout,
                  .say = {},
                  .launch_context = options.launch_context}) {}

Status TestCluster::Open(bool stop_at_end) {
  launching_.stop_at_end = stop_at_end;
  EBLA_ASSIGN(cluster::Launcher launcher, cluster::Launcher::Open(launching_));
  launcher_ = std::make_unique<cluster::Launcher>(std::move(launcher));
  return Status::Ok();
}

// Processes that other launchers started are no children of this process, and do not die with it. The warden is no
// child either, so that it survives when this process and its children are ended. It has no work once the cluster's
// directory is deleted.
Status TestCluster::SetWarden() const {
  EBLA_ASSIGN(
      const cluster::ProcessId shell,
      cluster::Spawn(
          {.command = {"/bin/sh", "-c",
                       "{ tail --pid=\"$1\" -f /dev/null; [ ! -d \"$2\" ] || exec \"$3\" stop --dir \"$2\"; } &", "sh",
                       std::to_string(::getpid()), launching_.dir, launching_.bin_dir + "/ebla-cluster"},
           .working_dir = "/",
           .output_file = dir_ + "/warden.log"}));
  if (cluster::WaitForExit(shell, launching_.stop_timeout)) return Status::Ok();
  return Error(Code::kInternal, "the warden's shell does not end");
}

cluster::Launcher& TestCluster::launcher() {
  if (launcher_ == nullptr) {
    const Status opened = Open(false);
    CHECK(opened.ok()) << opened;
  }
  return *launcher_;
}

void TestCluster::Release() {
  CHECK(shared_) << "what the launcher started ends with it";
  launcher_.reset();
}

TestCluster::~TestCluster() {
  const std::string prepared = launching_.dir;
  launcher_.reset();
  if (shared_) {
    if (const Status opened = Open(true); !opened.ok()) std::cerr << "what still runs is not ended: " << opened << "\n";
    launcher_.reset();
  }
  if (clear_) clear_(prepared);
  if (std::getenv("EBLA_KEEP_TEST_DIRS") != nullptr) {
    std::cerr << "left in " << dir_ << "\n";
    return;
  }
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

Result<Client> TestCluster::Connect(std::chrono::milliseconds deadline) {
  // Tests connect while masters are down, too: their first call waits for one.
  return Client::Connect({.masters = master_addresses_,
                          .deadline = deadline,
                          .connect_timeout = std::chrono::milliseconds(0),
                          .tls_dir = tls_dir_});
}

Result<std::string> TestCluster::LeadingMaster() {
  EBLA_ASSIGN(const Client client, Connect());
  const auto deadline = std::chrono::steady_clock::now() + kElectionTimeMax;
  for (;; std::this_thread::sleep_for(std::chrono::milliseconds(50))) {
    // Asks until a master reports that it leads, because a standby may still name a master that has just died.
    const Result<ClusterInfo> info = client.DescribeCluster();
    if (info)
      for (const MasterSummary& master : info->masters)
        if (const auto process = launcher().Process(master.name);
            master.leader && process && cluster::IsAlive(*process))
          return master.name;
    if (std::chrono::steady_clock::now() >= deadline)
      return Error(Code::kUnavailable, "no master leads: " + (info ? "nobody says so" : info.error().ToString()));
  }
}

Result<std::string> TestCluster::StandbyMaster() {
  EBLA_ASSIGN(const std::string leader, LeadingMaster());
  for (const cluster::ProcessView& view : launcher().Describe())
    if (view.role == cluster::Role::kMaster && view.name != leader) return view.name;
  return Error(Code::kNotFound, "there is but one master");
}

std::string TestCluster::Program() const { return std::string(kBinaryDir).append("/bin/ebla"); }

std::string TestCluster::GatewayProgram() const { return std::string(kBinaryDir).append("/bin/ebla-gateway"); }

Shown TestCluster::Run(const std::string& program, const std::string& arguments, const std::string& environment) const {
  return RunCommand(environment + "EBLA_TLS_DIR=" + tls_dir_ + " EBLA_MASTERS=" + masters_ + " " + program + " " +
                    arguments);
}

int64_t Figure(uint16_t http_port, const std::string& name) {
  const auto page = cluster::GetPage("127.0.0.1", http_port, "/metrics", std::chrono::seconds(5));
  if (!page) return -1;
  const std::string line = "\n" + name + " ";
  const size_t at = page->find(line);
  return at == page->npos ? -1 : std::stoll(page->substr(at + line.size()));
}

Shown RunCommand(const std::string& command) {
  std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return {-1, "cannot run " + command};
  std::string text;
  char bytes[4096];
  for (size_t count = 0; (count = std::fread(bytes, 1, sizeof bytes, pipe)) > 0;) text.append(bytes, count);
  const int status = ::pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, std::move(text)};
}

}  // namespace ebla::testing
