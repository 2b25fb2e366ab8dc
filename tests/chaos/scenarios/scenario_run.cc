#include "tests/chaos/scenarios/scenario_run.h"

#include <numeric>
#include <thread>

namespace ebla::chaos {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

constexpr int kSdkClients = 4;
constexpr auto kWholeTimeMax = 60s;
constexpr auto kServiceTimeMax = 60s;

}  // namespace

Result<std::unique_ptr<ScenarioRun>> ScenarioRun::Begin(testing::TestClusterOptions cluster, HistoryLoadOptions load,
                                                        Say say, const NetworkNamespaces* namespaces,
                                                        const std::string& clients_in) {
  std::unique_ptr<ScenarioRun> scenario(new ScenarioRun(std::move(say)));
  EBLA_ASSIGN(scenario->cluster_, testing::TestCluster::Start(std::move(cluster)));
  EBLA_ASSIGN(const Client observer, scenario->cluster_->Connect(30s));
  // The SDK's threads and the load's stand where they are started.
  if (namespaces != nullptr) EBLA_TRY(namespaces->Enter(clients_in));
  const Status started = scenario->StartLoad(load, observer);
  if (namespaces != nullptr) EBLA_TRY(namespaces->Enter(""));
  EBLA_TRY(Status(started));
  return scenario;
}

Status ScenarioRun::StartLoad(const HistoryLoadOptions& options, const Client& observer) {
  std::vector<Client> clients;
  for (int i = 0; i < kSdkClients; ++i) {
    EBLA_ASSIGN(Client client, cluster_->Connect(30s));
    clients.push_back(std::move(client));
  }
  tablets_ = options.tablets;
  EBLA_ASSIGN(load_, HistoryLoad::Make(observer, std::move(clients), options));
  EBLA_TRY(load_->AwaitWhole(kWholeTimeMax));
  load_->Start();
  return Status::Ok();
}

Status ScenarioRun::Settle(int64_t progress) {
  const auto begin = WallClock::now();
  EBLA_TRY(load_->AwaitWhole(kWholeTimeMax));
  std::vector<int> all(static_cast<size_t>(tablets_));
  std::iota(all.begin(), all.end(), 0);
  EBLA_TRY(AwaitService(all, begin));
  return load_->AwaitProgress(progress);
}

Status ScenarioRun::AwaitService(const std::vector<int>& tablets, WallClock::time_point moment) const {
  const auto deadline = WallClock::now() + kServiceTimeMax;
  for (const int tablet : tablets)
    for (; !load_->outages().ServedSince(tablet, moment); std::this_thread::sleep_for(5ms))
      if (WallClock::now() >= deadline)
        return Error(Code::kUnavailable, "tablet " + std::to_string(tablet) + " is not served");
  return Status::Ok();
}

Status ScenarioRun::Check() {
  return load_->WhilePaused([this]() -> Status {
    const testing::Shown check = cluster_->Ebla("check");
    if (check.code == 0) return Status::Ok();
    return Error(Code::kInternal, "ebla check: " + check.text);
  });
}

void ScenarioRun::Judge() {
  const auto begin = WallClock::now();
  const Result<CutVerdict> verdict = load_->Judge();
  judging_ += std::chrono::duration_cast<milliseconds>(WallClock::now() - begin);
  for (const std::string& failure : load_->TakeFailures()) Fault("failed operation: " + failure);
  if (!verdict) return Fault("not every cell can be read: " + verdict.error().ToString());
  for (const std::string& problem : verdict->problems) Fault("broken promise: " + problem);
  for (const std::string& group : verdict->undecided) Fault("cannot be judged: " + group);
  total_.operations += verdict->operations;
  total_.before += verdict->before;
  total_.unknown = verdict->unknown;
}

void ScenarioRun::Repeat(int times, const std::function<Status()>& round) {
  for (int i = 0; i < times && faultless(); ++i) {
    if (const Status status = round(); !status.ok()) Fault(status.ToString());
    Judge();
  }
}

ScenarioReport ScenarioRun::Finish(const std::string& summary, int64_t operations_least) {
  report_.summary = summary + "; " + std::to_string(total_.operations) + " operations judged in " +
                    std::to_string(judging_.count()) + " ms, " + std::to_string(total_.unknown) +
                    " of unknown outcome, " + std::to_string(total_.before) + " weak reads of earlier histories";
  if (total_.operations < operations_least) Fault("too little was done to prove anything");
  return report_;
}

ScenarioReport NotBegun(const Status& status) { return {{status.ToString()}, "not begun"}; }

}  // namespace ebla::chaos
