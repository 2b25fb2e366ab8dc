// The scenario of a primary that is cut off together with some of its clients: scenarios.h says what it proves.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <deque>
#include <optional>
#include <set>
#include <thread>

#include "tests/chaos/namespaces/network_namespaces.h"
#include "tests/chaos/scenarios/scenario_run.h"
#include "tests/chaos/verdicts/replicas.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using Names = std::vector<std::string>;

constexpr char kMajorityClients[] = "clients";
constexpr char kMinorityClients[] = "minority-clients";
constexpr char kTable[] = "isolated";  // what is rolled back in it becomes a conflict record
constexpr char kMerged[] = "merged";   // the last write wins: what is rolled back in it is delivered again
constexpr int kIsolatedTablets = 6;
constexpr auto kLease = 1s;
constexpr auto kMinorityPatience = 5s;  // of what is served on the minority's side
constexpr auto kStrongPatience = 200ms;
constexpr int64_t kOperationsPerCut = 300;
constexpr int64_t kStrongBefore = 20;
constexpr auto kMergeTimeMax = 60s;  // from healing until everything has been delivered
constexpr size_t kReplicas = 3;

Names AllMachines() { return {"zookeeper", "m-1", "m-2", "ts-1", "ts-2", "ts-3", kMajorityClients, kMinorityClients}; }

Status MakeTable(const Client& client, const std::string& name, bool last_write_wins) {
  CreateTableOptions options{.deadline = 30s};
  options.table.replicas = static_cast<int>(kReplicas);
  for (int tablet = 1; tablet < kIsolatedTablets; ++tablet) options.split_points.push_back(std::to_string(tablet));
  options.table.last_write_wins = last_write_wins;
  if (const auto made = client.CreateTable(name, options); !made) return made.error();
  return Status::Ok();
}

std::string Key(int tablet, const std::string& name) { return std::to_string(tablet) + "/" + name; }

Result<std::vector<int>> LedBy(const Client& client, const std::string& table, const ServerName& server) {
  EBLA_ASSIGN(const auto tablets, client.ListTablets(table));
  std::vector<int> led;
  for (int tablet = 0; tablet < kIsolatedTablets; ++tablet)
    for (const TabletSummary& summary : tablets)
      if (summary.primary == server && summary.range.Contains(Key(tablet, ""))) led.push_back(tablet);
  return led;
}

// A key that only the majority raises, so that a read on the minority's side shows whether it is stale.
struct Contested {
  int tablet = 0;
  std::atomic<int64_t> acknowledged{0};
  std::atomic<int64_t> attempted{0};
  std::vector<WallClock::time_point> answered;  // by its writer alone
};

// The tables as a client of one side knows them.
struct Side {
  Table table;
  Table merged;
};

// Answers of one tablet to one thread of one side.
struct Answers {
  std::vector<std::string> puts;    // keys acknowledged at PRIMARY
  std::vector<std::string> merged;  // keys of the merged table acknowledged at ANY or PRIMARY
  int64_t eventual = 0;
  std::vector<std::string> faults;
};

class Isolation {
 public:
  Isolation(ScenarioRun& scenario, NetworkNamespaces& namespaces, const IsolatedPrimaryOptions& options)
      : run_(scenario), namespaces_(namespaces), options_(options) {}

  Status Run() {
    const Client& observer = run_.load().observer();
    EBLA_TRY(MakeTable(observer, kTable, false));
    EBLA_TRY(MakeTable(observer, kMerged, true));
    EBLA_TRY(run_.Settle(kOperationsPerCut));
    EBLA_ASSIGN(victim_, run_.load().LeadsMost());
    EBLA_TRY(Connect());
    EBLA_TRY(Seed(observer));
    EBLA_TRY(Isolate());
    EBLA_TRY(run_.Settle(kOperationsPerCut));
    return Verify(observer);
  }

  std::string ToString() const {
    return std::to_string(tablets_.size()) + " tablets isolated for " + std::to_string(options_.length.count()) +
           " ms with their clients: served elsewhere after " + std::to_string(longest_.count()) +
           " ms at the worst; on the minority's side " + std::to_string(eventual_) + " EVENTUAL reads, " +
           std::to_string(puts_.size()) + " writes at PRIMARY, STRONG reads " + std::to_string(strong_) +
           " answered and " + std::to_string(strong_refused_) + " refused; " + std::to_string(rolled_back_) +
           " of the writes rolled back, " + std::to_string(kept_) + " of these conflict records; " +
           std::to_string(merged_.size()) + " writes of both sides merged";
  }

 private:
  // Each side's client is made in its namespace, and so are its threads.
  Status Connect() {
    for (auto& [name, side] : {std::pair(kMajorityClients, &majority_), std::pair(kMinorityClients, &minority_)}) {
      EBLA_TRY(namespaces_.Enter(name));
      auto client = run_.cluster().Connect(kMinorityPatience);
      EBLA_TRY(namespaces_.Enter(""));
      if (!client) return client.error();
      EBLA_ASSIGN(Table table, client->OpenTable(kTable));
      EBLA_ASSIGN(Table merged, client->OpenTable(kMerged));
      side->emplace(Side{std::move(table), std::move(merged)});
    }
    return Status::Ok();
  }

  // The tablets of a table that the victim leads, one at least.
  Result<std::vector<int>> HaveLead(const Client& observer, const std::string& table) const {
    EBLA_ASSIGN(std::vector<int> led, LedBy(observer, table, victim_));
    if (!led.empty()) return led;
    EBLA_TRY(observer.TransferTablet(table, Key(0, "seed"), victim_));
    EBLA_ASSIGN(led, LedBy(observer, table, victim_));
    if (led.empty()) return Error(Code::kInternal, victim_ + " leads nothing of " + table + " that it was handed");
    return led;
  }

  // Writes everywhere the records that are read later; then the minority's client has called each tablet.
  Status Seed(const Client& observer) {
    EBLA_ASSIGN(tablets_, HaveLead(observer, kTable));
    EBLA_ASSIGN(merged_tablets_, HaveLead(observer, kMerged));
    for (const auto& [table, tablets] :
         {std::pair(&minority_->table, &tablets_), std::pair(&minority_->merged, &merged_tablets_)})
      for (const int tablet : *tablets)
        for (const char* name : {"seed", "contested"})
          if (const auto put = table->Put(Key(tablet, name), "0", {.ack = Ack::kAll, .deadline = 30s}); !put)
            return put.error();
    for (const int tablet : merged_tablets_)  // so that the majority's client knows the way
      if (const auto read = majority_->merged.Get(Key(tablet, "seed"), {.deadline = 30s}); !read) return read.error();
    return Status::Ok();
  }

  Status Isolate() {
    for (const int tablet : tablets_) contested_.emplace_back().tablet = tablet;
    std::deque<Answers> answers(tablets_.size() + 2 * merged_tablets_.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < tablets_.size(); ++i) {
      threads.emplace_back([&, i] { RaiseContested(contested_[i]); });
      threads.emplace_back([&, i] { WorkInMinority(contested_[i], answers[i]); });
    }
    for (size_t i = 0; i < merged_tablets_.size(); ++i) {
      const size_t place = tablets_.size() + 2 * i;
      threads.emplace_back([&, i, place] { WriteMerged(*minority_, "minority", merged_tablets_[i], answers[place]); });
      threads.emplace_back(
          [&, i, place] { WriteMerged(*majority_, "majority", merged_tablets_[i], answers[place + 1]); });
    }
    const Status done = CutAndHeal();
    stop_ = true;
    for (std::thread& thread : threads) thread.join();
    EBLA_TRY(Status(done));
    Conclude(answers);
    return Status::Ok();
  }

  Status CutAndHeal() {
    // First both sides are served by the same primary.
    const auto deadline = WallClock::now() + kMinorityPatience;
    for (; strong_ < kStrongBefore; std::this_thread::sleep_for(1ms))
      if (WallClock::now() >= deadline) return Error(Code::kUnavailable, "STRONG reads are not served");
    Names others = AllMachines();
    std::erase_if(others, [&](const std::string& name) { return name == victim_ || name == kMinorityClients; });
    begin_ = WallClock::now();
    EBLA_TRY(namespaces_.CutBoth({victim_, kMinorityClients}, others));
    cut_ = WallClock::now();
    run_.Tell("isolated " + victim_ + " with its clients");
    std::this_thread::sleep_until(cut_.load() + options_.length);
    stop_ = true;  // before the ways are open again
    EBLA_TRY(namespaces_.HealAll());
    run_.Tell("healed");
    return Status::Ok();
  }

  void RaiseContested(Contested& key) {
    while (!stop_) {
      const int64_t number = ++key.attempted;
      const auto put = majority_->table.Put(Key(key.tablet, "contested"), std::to_string(number),
                                            {.ack = Ack::kMajority, .deadline = 30s});
      if (!put) continue;  // judged by when it was answered
      key.acknowledged = number;
      key.answered.push_back(WallClock::now());
      std::this_thread::sleep_for(5ms);
    }
  }

  // EVENTUAL reads and PRIMARY writes go on; STRONG reads end within a lease, and show nothing stale until then.
  void WorkInMinority(const Contested& key, Answers& answers) {
    const Table& table = minority_->table;
    for (int number = 0; !stop_; ++number) {
      const auto seen = table.Get(Key(key.tablet, "seed"), {.read = Read::Eventual(), .deadline = kMinorityPatience});
      if (seen)
        ++answers.eventual;
      else
        answers.faults.push_back("EVENTUAL read on the minority's side: " + seen.error().ToString());
      const std::string name = "i" + std::to_string(number);
      const auto put = table.Put(Key(key.tablet, name), name, {.ack = Ack::kPrimary, .deadline = kMinorityPatience});
      if (put)
        answers.puts.push_back(Key(key.tablet, name));
      else
        answers.faults.push_back("PRIMARY write on the minority's side: " + put.error().ToString());
      ReadContested(key, table, answers);
    }
  }

  void ReadContested(const Contested& key, const Table& table, Answers& answers) {
    const int64_t least = key.acknowledged;
    const auto asked = WallClock::now();
    const auto read = table.Get(Key(key.tablet, "contested"), {.read = Read::Strong(), .deadline = kStrongPatience});
    if (!read) {
      ++strong_refused_;
      return;
    }
    ++strong_;
    int64_t number = -1;
    std::from_chars(read->value.data(), read->value.data() + read->value.size(), number);
    if (number < least || number > key.attempted)
      answers.faults.push_back("a STRONG read on the minority's side shows " + read->value + ", but " +
                               std::to_string(least) + " was acknowledged before it");
    // An answer after the cut may belong to a request from during the cut.
    if (!stop_ && asked - kLease > cut_.load())
      answers.faults.push_back("a STRONG read on the minority's side was answered after a lease");
  }

  // Writes at ANY are taken on every side, and on the minority's side those at PRIMARY too; one key is written by both.
  void WriteMerged(const Side& side, const std::string& who, int tablet, Answers& answers) {
    for (int number = 0; !stop_; ++number) {
      const bool primary = &side == &*minority_ && number % 2 == 0;
      for (const std::string& name : {who + std::to_string(number), std::string("contested")}) {
        const auto put = side.merged.Put(Key(tablet, name), who + std::to_string(number),
                                         {.ack = primary ? Ack::kPrimary : Ack::kAny, .deadline = kMinorityPatience});
        if (!put)
          answers.faults.push_back("write on the side of the " + who + ": " + put.error().ToString());
        else if (name != "contested")
          answers.merged.push_back(Key(tablet, name));
      }
      std::this_thread::sleep_for(10ms);
    }
  }

  void Conclude(const std::deque<Answers>& sides) {
    for (const Answers& answers : sides) {
      for (const std::string& fault : answers.faults) run_.Fault(fault);
      eventual_ += answers.eventual;
      puts_.insert(puts_.end(), answers.puts.begin(), answers.puts.end());
      merged_.insert(merged_.end(), answers.merged.begin(), answers.merged.end());
    }
    for (const Contested& key : contested_) {
      auto before = begin_;
      for (const auto answered : key.answered) {
        if (answered <= begin_) continue;
        longest_ = std::max(longest_, std::chrono::duration_cast<milliseconds>(answered - before));
        before = answered;
      }
      if (before == begin_) run_.Fault("the majority's side did not serve at all");
    }
    if (longest_ > options_.worst_max) run_.Fault("the majority's side did not serve in time");
    if (eventual_ == 0 || puts_.empty() || strong_refused_ == 0 || merged_.empty())
      run_.Fault("too little was done on the minority's side");
  }

  // No PRIMARY write of the minority vanished: a missing one is a conflict record, or was written in a table where it
  // is delivered again. In that table every write of either side is there in the end, and all replicas agree.
  Status Verify(const Client& observer) {
    EBLA_ASSIGN(const Table table, observer.OpenTable(kTable));
    EBLA_ASSIGN(const Table merged, observer.OpenTable(kMerged));
    std::set<std::string> rolled_back;
    for (const std::string& key : puts_) {
      const auto read = table.Get(key, {.read = Read::Strong(), .deadline = 30s});
      if (!read && read.error().code() != Code::kNotFound) return read.error();
      if (!read) rolled_back.insert(key);
    }
    rolled_back_ = rolled_back.size();
    if (rolled_back.empty()) run_.Fault("no PRIMARY write was rolled back: had the other side another primary?");
    const auto deadline = WallClock::now() + kMergeTimeMax;
    EBLA_TRY(FindUnresolved(observer, std::move(rolled_back), deadline));
    for (const std::string& key : merged_) EBLA_TRY(AwaitMerged(merged, key, deadline));
    for (const int tablet : merged_tablets_)
      EBLA_TRY(AwaitAgreement(observer, merged, Key(tablet, "contested"), deadline));
    return Status::Ok();
  }

  Status FindUnresolved(const Client& observer, std::set<std::string> rolled_back, WallClock::time_point deadline) {
    for (;; std::this_thread::sleep_for(50ms)) {
      EBLA_ASSIGN(const UnresolvedWrites unresolved, observer.ListUnresolved(kTable));
      for (const UnresolvedWrite& write : unresolved.writes)
        for (const UnresolvedEffect& effect : write.effects) kept_ += rolled_back.erase(effect.key);
      if (rolled_back.empty()) return Status::Ok();
      if (WallClock::now() >= deadline)
        return Error(Code::kInternal, std::to_string(rolled_back.size()) +
                                          " rolled-back PRIMARY writes are no conflict records, " +
                                          *rolled_back.begin() + " for one");
    }
  }

  static Status AwaitMerged(const Table& table, const std::string& key, WallClock::time_point deadline) {
    for (;; std::this_thread::sleep_for(50ms)) {
      const auto read = table.Get(key, {.read = Read::Strong(), .deadline = 30s});
      if (read) return Status::Ok();
      if (read.error().code() != Code::kNotFound) return read.error();
      if (WallClock::now() >= deadline) return Error(Code::kInternal, key + " was acknowledged, and never delivered");
    }
  }

  // Every replica has what a STRONG read shows.
  static Status AwaitAgreement(const Client& client, const Table& table, const std::string& key,
                               WallClock::time_point deadline) {
    for (;; std::this_thread::sleep_for(50ms)) {
      EBLA_ASSIGN(const Record now, table.Get(key, {.read = Read::Strong(), .deadline = 30s}));
      EBLA_ASSIGN(const std::vector<ReplicaRecord> replicas, ReadEveryReplica(client, kMerged, key));
      const auto agrees = [&](const ReplicaRecord& replica) {
        return replica.record && replica.record->value == now.value && replica.record->version == now.version;
      };
      const auto other = std::ranges::find_if_not(replicas, agrees);
      if (replicas.size() == kReplicas && other == replicas.end()) return Status::Ok();
      if (WallClock::now() >= deadline)
        return Error(Code::kInternal, "of " + std::to_string(replicas.size()) + " replicas " +
                                          (other == replicas.end() ? "none" : other->server) + " differs in " + key);
    }
  }

  ScenarioRun& run_;
  NetworkNamespaces& namespaces_;
  const IsolatedPrimaryOptions& options_;
  ServerName victim_;
  std::optional<Side> majority_;
  std::optional<Side> minority_;
  std::vector<int> tablets_;  // that the victim leads
  std::vector<int> merged_tablets_;
  std::deque<Contested> contested_;
  WallClock::time_point begin_;
  std::atomic<WallClock::time_point> cut_{WallClock::time_point::max()};
  std::atomic<bool> stop_{false};
  std::vector<std::string> puts_;
  std::vector<std::string> merged_;
  milliseconds longest_{0};
  int64_t eventual_ = 0;
  std::atomic<int64_t> strong_{0};  // answered on the minority's side
  std::atomic<int64_t> strong_refused_{0};
  size_t rolled_back_ = 0;
  size_t kept_ = 0;
};

ScenarioReport Run(const IsolatedPrimaryOptions& options) {
  auto namespaces = NetworkNamespaces::Make(AllMachines());
  if (!namespaces) return NotBegun(namespaces.error());
  testing::TestClusterOptions cluster;
  cluster.launch_context = [&](const std::string& name) { return (*namespaces)->LaunchContextOf(name); };
  auto begun =
      ScenarioRun::Begin(std::move(cluster), {.seed = options.seed}, options.say, namespaces->get(), kMajorityClients);
  if (!begun) return NotBegun(begun.error());
  ScenarioRun& scenario = **begun;
  Isolation isolation(scenario, **namespaces, options);
  if (const Status status = isolation.Run(); !status.ok()) scenario.Fault(status.ToString());
  scenario.Judge();
  return scenario.Finish(isolation.ToString(), kOperationsPerCut);
}

}  // namespace

ScenarioReport IsolatedPrimary(const IsolatedPrimaryOptions& options) {
  return OnThreadOfItsOwn([&] { return Run(options); });
}

}  // namespace ebla::chaos
