#include "tests/sim/run.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "common/testing/sim_executor.h"
#include "tests/sim/cluster.h"
#include "tests/sim/faults.h"
#include "tests/sim/linearizability.h"
#include "tests/sim/workload.h"

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kTable[] = "carts";

// Makes and drops tables beside the clients' own, for the masters' procedures to be broken in the middle.
class TableMaker {
 public:
  TableMaker(SimClient& client, EventLog& log) : client_(client), log_(log) {}

  void Start() { Make(); }
  void Finish() { finishing_ = true; }
  bool idle() const { return !busy_; }
  int made() const { return made_; }

 private:
  void Make() {
    busy_ = !finishing_;
    if (finishing_) return;
    const std::string name = "other-" + std::to_string(++count_);
    CreateTableOptions options;
    options.split_points = {"h", "p"};
    client_.admin().CreateTable(name, options, client::Once<Result<TableInfo>>([this, name](Result<TableInfo> made) {
                                  log_.Add("admin", "create " + name + ": " + Said(made.has_value() ? Status() : made.error()));
                                  made_ += made.has_value();
                                  client_.executor().After(milliseconds(300), [this, name] { Drop(name); });
                                }));
  }
  void Drop(const std::string& name) {
    if (count_ % 3 == 0) return Make();  // some stay
    client_.admin().DropTable(name, client::Once<Status>([this, name](Status dropped) {
                                log_.Add("admin", "drop " + name + ": " + Said(dropped));
                                client_.executor().After(milliseconds(300), [this] { Make(); });
                              }));
  }
  static std::string Said(const Status& status) { return status.ToString(); }

  SimClient& client_;
  EventLog& log_;
  int count_ = 0;
  int made_ = 0;
  bool finishing_ = false;
  bool busy_ = false;
};

class Run {
 public:
  explicit Run(const RunOptions& options)
      : options_(options), scheduler_(options.seed), log_(scheduler_), cluster_(scheduler_, log_, {.bug = options.bug}) {
    log_.SetSink(options.sink);
    report_.seed = options.seed;
  }

  RunReport Go() {
    if (Begin()) {
      Break();
      Converge();
      Judge();
    }
    report_.problems.insert(report_.problems.begin(), record_.problems.begin(), record_.problems.end());
    Summarize();
    return std::move(report_);
  }

 private:
  void Problem(std::string what) { report_.problems.push_back(std::move(what)); }
  bool Until(const std::function<bool()>& done, Duration limit) { return scheduler_.RunUntil(done, limit); }

  std::unique_ptr<SimClient> NewClient(const std::string& name) {
    return std::make_unique<SimClient>(name, cluster_.NewProcess(), cluster_, record_, workload_);
  }
  void StartClient(size_t index) {
    const std::string name = "c" + std::to_string(index + 1) + "." + std::to_string(++lives_[index]);
    log_.Add(name, "starts");
    names_[index] = name;
    clients_[index] = NewClient(name);
    clients_[index]->Work(kTable);
  }

  bool Begin();
  void Break();
  void Converge();
  void Judge();
  void JudgeTables();
  void Summarize();
  std::vector<Fault> DrawFaults();

  const RunOptions options_;
  testing::SimScheduler scheduler_;
  EventLog log_;
  Cluster cluster_;
  WorkloadOptions workload_;
  RunRecord record_;
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::vector<std::string> names_;
  std::vector<int> lives_;
  std::unique_ptr<SimClient> admin_;
  std::unique_ptr<TableMaker> tables_;
  std::unique_ptr<Nemesis> nemesis_;
  size_t states_ = 0;
  RunReport report_;
};

bool Run::Begin() {
  const auto all_up = [this] {
    bool ready = false;
    for (int i = 0; i < cluster_.masters(); ++i) ready |= cluster_.master(i)->ready();
    for (int i = 0; i < cluster_.servers(); ++i) ready &= cluster_.server(i)->registered();
    return ready;
  };
  if (!Until(all_up, options_.patience)) {
    Problem("the cluster did not come up");
    return false;
  }
  admin_ = NewClient("admin");
  std::optional<Status> made;
  CreateTableOptions options;
  for (int group = 2; group < workload_.groups; group += 2) options.split_points.push_back(GroupPrefix(group));
  admin_->admin().CreateTable(kTable, options, client::Once<Result<TableInfo>>([&made](Result<TableInfo> table) {
                                made = table.has_value() ? Status() : table.error();
                              }));
  if (!Until([&] { return made.has_value(); }, options_.patience) || !made->ok()) {
    Problem("the table was not made: " + (made ? made->ToString() : "no answer"));
    return false;
  }
  log_.Add("admin", "the table serves");
  clients_.resize(static_cast<size_t>(workload_.clients));
  names_.resize(clients_.size());
  lives_.resize(clients_.size());
  for (size_t i = 0; i < clients_.size(); ++i) StartClient(i);
  return true;
}

// About half of all kinds, so that runs differ in what they can hide behind.
std::vector<Fault> Run::DrawFaults() {
  std::vector<Fault> faults;
  for (size_t i = 0; i < kFaultCount; ++i) {
    if (scheduler_.Random(2) == 0) faults.push_back(static_cast<Fault>(i));
  }
  if (faults.empty()) faults.push_back(Fault::kServerPower);
  for (size_t i = faults.size(); i > 1; --i) std::swap(faults[i - 1], faults[scheduler_.Random(i)]);
  return faults;
}

void Run::Break() {
  Nemesis::Hooks hooks;
  hooks.clients = [this] { return names_; };
  hooks.kill_client = [this] {
    const size_t index = scheduler_.Random(clients_.size());
    log_.Add(names_[index], "is killed");
    clients_[index].reset();
    StartClient(index);
  };
  nemesis_ = std::make_unique<Nemesis>(cluster_, DrawFaults(), std::move(hooks));
  tables_ = std::make_unique<TableMaker>(*admin_, log_);
  tables_->Start();
  nemesis_->Start();
  const auto all_injected = [this] {
    return std::ranges::all_of(nemesis_->enabled(),
                               [this](Fault fault) { return nemesis_->injected()[static_cast<size_t>(fault)] > 0; });
  };
  scheduler_.RunFor(options_.faults_for);
  Until([&] { return all_injected() && record_.answered >= options_.answered_min; }, options_.patience);
  for (const Fault fault : nemesis_->enabled()) {
    if (nemesis_->injected()[static_cast<size_t>(fault)] == 0) {
      Problem("proved nothing: fault " + std::string(FaultName(fault)) + " never happened");
    }
  }
}

void Run::Converge() {
  nemesis_->Heal();
  scheduler_.RunFor(seconds(3));
  tables_->Finish();
  for (const auto& client : clients_) client->Finish();
  const auto at_rest = [this] {
    return tables_->idle() && std::ranges::all_of(clients_, [](const auto& client) { return client->idle(); });
  };
  if (!Until(at_rest, options_.patience)) Problem("clients did not come to rest after everything was healed");
  for (int i = 0; i < cluster_.servers(); ++i) {
    const Status fatal = cluster_.server(i)->fatal();
    if (!fatal.ok()) Problem(Cluster::ServerName(i) + " serves no more: " + fatal.ToString());
  }
  std::optional<Status> read;
  const auto reader = NewClient("reader");
  reader->ReadAll(kTable, [&read](Status status) { read = std::move(status); });
  if (!Until([&] { return read.has_value(); }, options_.patience) || !read->ok()) {
    Problem("the healed cluster does not answer: " + (read ? read->ToString() : "no answer"));
  }
  JudgeTables();
}

void Run::JudgeTables() {
  // Procedures may still be finishing; a table that never comes to serve whole is one left half made.
  const MonotonicTime end = scheduler_.Now() + options_.patience;
  std::string half;
  do {
    auto listed = std::make_shared<std::optional<Result<std::vector<TableInfo>>>>();
    admin_->admin().ListTables(client::Once<Result<std::vector<TableInfo>>>(
        [listed](Result<std::vector<TableInfo>> tables) { *listed = std::move(tables); }));
    Until([&] { return listed->has_value(); }, seconds(30));
    half = listed->has_value() && (*listed)->has_value() ? "" : "no list of tables";
    if (half.empty()) {
      for (const TableInfo& table : ***listed) {
        if (table.tablets != table.tablets_serving) half = "table " + table.name + " does not serve whole";
      }
    }
    scheduler_.RunFor(seconds(1));
  } while (!half.empty() && scheduler_.Now() < end);
  if (!half.empty()) Problem(half);
}

void Run::Judge() {
  std::map<int, std::vector<Operation>> groups;
  for (const Operation& operation : record_.operations) groups[operation.group].push_back(operation);
  for (auto& [group, operations] : groups) {
    const Verdict verdict = CheckLinearizable(std::move(operations));
    states_ += verdict.states;
    if (verdict.kind == Verdict::Kind::kWrong) Problem("group " + std::to_string(group) + ": " + verdict.why);
    if (verdict.kind == Verdict::Kind::kUndecided) Problem("group " + std::to_string(group) + " could not be decided");
  }
  if (record_.answered < options_.answered_min) {
    Problem("proved nothing: " + std::to_string(record_.answered) + " operations answered, " +
            std::to_string(options_.answered_min) + " wanted");
  }
}

void Run::Summarize() {
  int faults = 0;
  if (nemesis_ != nullptr) {
    for (const int count : nemesis_->injected()) faults += count;
  }
  report_.summary = std::to_string(record_.answered) + " answered, " + std::to_string(record_.unknown) + " unknown, " +
                    std::to_string(record_.not_executed) + " not executed, " + std::to_string(faults) + " faults of " +
                    std::to_string(nemesis_ != nullptr ? nemesis_->enabled().size() : 0) + " kinds, " +
                    std::to_string(tables_ != nullptr ? tables_->made() : 0) + " tables made, " +
                    std::to_string(cluster_.network().counters().calls) + " calls, " + std::to_string(states_) + " states";
  report_.digest = log_.digest();
  report_.log = log_.lines();
}

}  // namespace

RunReport RunOnce(const RunOptions& options) { return Run(options).Go(); }

}  // namespace ebla::sim
