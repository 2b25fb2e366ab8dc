#include "tests/integration/test_cluster.h"

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <thread>

#include "test_paths.h"

namespace ebla::testing {
namespace {

constexpr std::chrono::seconds kElectionTimeMax{30};

}  // namespace

Result<std::unique_ptr<TestCluster>> TestCluster::Start(TestClusterOptions options) {
  std::string name = std::filesystem::temp_directory_path().string() + "/ebla-test.XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) return Error(Code::kInternal, "cannot make " + name);
  std::unique_ptr<TestCluster> made(new TestCluster(name));
  EBLA_ASSIGN(cluster::Launcher launcher, cluster::Launcher::Open({.dir = name + "/cluster",
                                                                   .bin_dir = std::string(kBinaryDir) + "/bin",
                                                                   .die_with_parent = true,
                                                                   .stop_at_end = true,
                                                                   .start_timeout = std::chrono::seconds(30),
                                                                   .stop_timeout = options.stop_timeout,
                                                                   .say = {},
                                                                   .standing = options.standing}));
  made->launcher_ = std::make_unique<cluster::Launcher>(std::move(launcher));
  made->clear_ = std::move(options.clear);
  if (options.prepare) EBLA_TRY(options.prepare(made->launcher_->dir()));
  EBLA_TRY(made->launcher_->Start({.masters = options.masters,
                                   .servers = options.servers,
                                   .master_flags = options.master_flags,
                                   .server_flags = options.server_flags}));
  return made;
}

TestCluster::~TestCluster() {
  const std::string prepared = launcher_ ? launcher_->dir() : "";
  launcher_.reset();
  if (clear_) clear_(prepared);
  if (std::getenv("EBLA_KEEP_TEST_DIRS") != nullptr) {
    std::cerr << "left in " << dir_ << "\n";
    return;
  }
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

std::string TestCluster::Masters() const {
  std::string text;
  for (const std::string& master : launcher_->Masters()) text += (text.empty() ? "" : ",") + master;
  return text;
}

Result<Client> TestCluster::Connect(std::chrono::milliseconds deadline) {
  return Client::Connect({.masters = launcher_->Masters(), .deadline = deadline});
}

Result<std::string> TestCluster::LeadingMaster() {
  EBLA_ASSIGN(const Client client, Connect());
  const auto deadline = std::chrono::steady_clock::now() + kElectionTimeMax;
  for (;; std::this_thread::sleep_for(std::chrono::milliseconds(50))) {
    // Asks until somebody says that it leads; one that has just died may still be named by a standby.
    const Result<ClusterInfo> info = client.DescribeCluster();
    if (info)
      for (const MasterSummary& master : info->masters)
        if (const auto process = launcher_->Process(master.name);
            master.leader && process && cluster::IsAlive(*process))
          return master.name;
    if (std::chrono::steady_clock::now() >= deadline)
      return Error(Code::kUnavailable, "no master leads: " + (info ? "nobody says so" : info.error().ToString()));
  }
}

Result<std::string> TestCluster::StandbyMaster() {
  EBLA_ASSIGN(const std::string leader, LeadingMaster());
  for (const cluster::ProcessView& view : launcher_->Describe())
    if (view.role == cluster::Role::kMaster && view.name != leader) return view.name;
  return Error(Code::kNotFound, "there is but one master");
}

}  // namespace ebla::testing
