#include "tests/sim/runner/run.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "common/testing/sim_executor.h"
#include "tabletserver/storage/tablet_store.h"
#include "tests/sim/checker/levels.h"
#include "tests/sim/checker/linearizability.h"
#include "tests/sim/clients/merger.h"
#include "tests/sim/clients/raw_client.h"
#include "tests/sim/clients/replica_count.h"
#include "tests/sim/clients/split_retry_client.h"
#include "tests/sim/clients/splitter.h"
#include "tests/sim/clients/stale_client.h"
#include "tests/sim/clients/table_maker.h"
#include "tests/sim/clients/workload.h"
#include "tests/sim/cluster/catalog_watch.h"
#include "tests/sim/cluster/cluster.h"
#include "tests/sim/nemesis/nemesis.h"
#include "tests/sim/nemesis/nemesis_actions.h"
#include "tests/sim/runner/lww_replicas.h"
#include "tests/sim/runner/memory_watch.h"

namespace ebla::sim {
namespace {

constexpr int64_t kCopyOfLargeLeast = 128'000;  // bytes a second

// More than the clients need, and less than a crowd (split_retry_client.cc).
constexpr size_t kWindowBytes = 48 << 10;

using std::chrono::milliseconds;
using std::chrono::seconds;

// The longest that an operation may take while the coordinator is away.
constexpr Duration kWaitMax = seconds(2);

class Run {
 public:
  explicit Run(const RunOptions& options)
      : options_(options),
        scheduler_(options.seed),
        log_(scheduler_),
        shape_(DrawShape()),
        cluster_(scheduler_, log_, shape_),
        catalog_(cluster_.coordination(), log_),
        memory_(cluster_, catalog_, workload_.groups, options.merges),
        lww_replicas_(cluster_, catalog_, workload_),
        watcher_(scheduler_) {
    cluster_.SetCatalog(catalog_);
    cluster_.SetMayDie([this](int index) {
      catalog_.Look();
      return memory_.MayDie(index);
    });
    cluster_.OnDeath([this](int index) {
      catalog_.Look();
      memory_.Dies(index);
    });
    log_.SetSink(options.sink);
    report_.seed = options.seed;
    Watch();
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
    clients_[index]->Work(index < static_cast<size_t>(workload_.readers));
  }

  Shape DrawShape() {
    Shape shape;
    // with three, no server is replaced
    shape.servers = 3 + static_cast<int>(std::min<uint64_t>(2, scheduler_.Random(4)));
    shape.racks = 1 + static_cast<int>(scheduler_.Random(3));
    shape.store_fault = options_.bug.store_fault;
    replicas_ = scheduler_.Random(5) == 0 ? 1 : 3;
    if (std::ranges::any_of(options_.faults, IsDirected)) replicas_ = 3;
    workload_.large = scheduler_.Random(4) == 0;
    shape.interval = replicas_ > 1 && scheduler_.Random(5) == 0;
    shape.memory = options_.memory || options_.memory_loss;
    shape.memory_loss = options_.memory_loss;
    if (shape.memory) shape.interval = false;
    shape.memory_majority = options_.memory_loss && scheduler_.Random(2) == 0;
    if (options_.memory || shape.memory_majority) replicas_ = 3;
    if (scheduler_.Random(2) == 0) shape.window_ms = 6'000;
    constexpr std::array<uint64_t, 3> kKept = {4, 40, 1'000'000};
    shape.log_entries_retained_max = kKept[scheduler_.Random(kKept.size())];
    shape.slow_truncations = shape.log_entries_retained_max == kKept[0];
    if (scheduler_.Random(2) == 0) {  // copies take their time
      shape.copy_chunk_records = 1 + scheduler_.Random(3);
      shape.copy_bytes_per_second = (workload_.large ? kCopyOfLargeLeast : 8'000) << scheduler_.Random(6);
    }
    constexpr std::array<uint64_t, 3> kSlowFlushOneOf = {0, 200, 30};
    shape.slow_flush_one_of = kSlowFlushOneOf[scheduler_.Random(kSlowFlushOneOf.size())];
    workload_.lww_groups = scheduler_.Random(2) == 0 ? 4 : 0;
    if (options_.splits) shape.window_bytes = kWindowBytes;
    return shape;
  }
  void Watch() {
    if (splitter_ != nullptr && tables_ != nullptr) splitter_->Offer(tables_->latest());
    if (wants_splits_ && nemesis_ != nullptr && SplitScenariosBegun()) {
      wants_splits_ = false;
      splitter_->Start(kTable);
    }
    catalog_.Look();
    JudgeCover();
    cluster_.Look();
    if (shape_.memory_loss) memory_.Look();
    watcher_.After(milliseconds(5), [this] { Watch(); });
  }

  void JudgeCover();
  bool Begin();
  bool MakeTable(const char* name, int first_group, int end, CreateTableOptions options, TableId& id);
  void Break();
  void Converge();
  void AwaitDeliveries();
  void Judge();
  void JudgeAnew();
  void JudgeWaits();
  std::map<int, GroupTruth> Truth();
  void JudgeTables();
  void Summarize();
  bool SplitScenariosBegun() const;

  const RunOptions options_;
  testing::SimScheduler scheduler_;
  EventLog log_;
  int replicas_ = 1;
  WorkloadOptions workload_;
  const Shape shape_;
  Cluster cluster_;
  CatalogWatch catalog_;
  MemoryWatch memory_;
  LwwReplicas lww_replicas_;
  testing::SimExecutor watcher_;
  RunRecord record_;
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::vector<std::string> names_;
  std::vector<int> lives_;
  std::unique_ptr<RawClient> raw_;
  std::unique_ptr<StaleClient> stale_;
  std::unique_ptr<SplitRetryClient> split_retry_client_;  // where tablets are split
  // Declared before admin_, because its end calls their callbacks of requests under way.
  std::unique_ptr<TableMaker> tables_;
  std::unique_ptr<ReplicaCount> replica_count_;
  std::unique_ptr<Splitter> splitter_;
  std::unique_ptr<Merger> merger_;
  std::unique_ptr<SimClient> admin_;
  bool uncovered_ = false;  // and said
  std::unique_ptr<Nemesis> nemesis_;
  bool wants_splits_ = false;  // once the split scenarios have begun: they need something to split
  size_t states_ = 0;
  Duration longest_wait_{0};  // of a client, where it is judged
  uint64_t rolled_back_ = 0;
  uint64_t groups_kept_ = 0;  // of a table in memory: judged
  TableId table_;
  TableId lww_table_;
  RunReport report_;
};

// At every moment: a merge or a split changes two znodes at once.
void Run::JudgeCover() {
  for (const TableId table : {table_, lww_table_}) {
    if (uncovered_ || !table) continue;
    const std::string why = catalog_.Uncovered(table);
    uncovered_ = !why.empty();
    if (uncovered_) Problem("the catalog of table " + std::to_string(table.value) + ": " + why);
  }
}

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
  CreateTableOptions options;
  options.table.replicas = replicas_;
  if (shape_.interval) options.table.durability = TableDurability::kInterval;
  if (shape_.memory) options.table.memory = true;
  if (!MakeTable(kTable, 0, workload_.groups, options, table_)) return false;
  if (shape_.memory) memory_.Watch(table_);
  if (workload_.lww_groups > 0) {
    options.table.memory.reset();
    options.table.durability = TableDurability::kSync;  // what one machine alone has taken is to last
    options.table.last_write_wins = true;
    if (!MakeTable(kLwwTable, workload_.groups, workload_.all_groups(), options, lww_table_)) return false;
    lww_replicas_.Watch(lww_table_);
  }
  clients_.resize(static_cast<size_t>(workload_.clients));
  names_.resize(clients_.size());
  lives_.resize(clients_.size());
  for (size_t i = 0; i < clients_.size(); ++i) StartClient(i);
  raw_ = std::make_unique<RawClient>("raw", cluster_.NewProcess(), cluster_, record_, workload_);
  // A tablet that restarts empty has no dedup window, so it would execute a retry of an earlier write again.
  if (!shape_.memory_loss) raw_->Work(table_);
  stale_ = std::make_unique<StaleClient>("stale", cluster_.NewProcess(), cluster_, record_);
  if (options_.splits)
    split_retry_client_ = std::make_unique<SplitRetryClient>("late", cluster_.NewProcess(), cluster_, record_);
  return true;
}

bool Run::MakeTable(const char* name, int first_group, int end, CreateTableOptions options, TableId& id) {
  for (int group = first_group + kGroupsPerTablet; group < end; group += kGroupsPerTablet) {
    options.split_points.push_back(GroupPrefix(group));
  }
  std::optional<Status> made;
  admin_->admin().CreateTable(name, options,
                              client::OnceCallback<Result<TableInfo>>([&id, &made](Result<TableInfo> table) {
                                if (table.has_value()) id = table->id;
                                made = table.has_value() ? Status() : table.error();
                              }));
  if (!Until([&] { return made.has_value(); }, options_.patience) || !made->ok()) {
    Problem("table " + std::string(name) + " was not made: " + (made ? made->ToString() : "no answer"));
    return false;
  }
  log_.Add("admin", "table " + std::string(name) + " serves");
  return true;
}

bool Run::SplitScenariosBegun() const {
  return std::ranges::all_of(nemesis_->enabled(),
                             [this](Fault fault) { return !IsOfSplits(fault) || nemesis_->injected(fault) > 0; });
}

void Run::Break() {
  NemesisHooks hooks;
  hooks.clients = [this] { return names_; };
  hooks.kill_client = [this] {
    const size_t index = scheduler_.Random(clients_.size());
    log_.Add(names_[index], "is killed");
    clients_[index].reset();
    StartClient(index);
  };
  hooks.catalog = [this]() -> const CatalogWatch& { return catalog_; };
  hooks.catalog_now = [this]() -> const CatalogWatch& {
    catalog_.Look();
    return catalog_;
  };
  replica_count_ = std::make_unique<ReplicaCount>(*admin_, watcher_, kTable);
  hooks.resize = [this](int replicas) { replica_count_->Set(replicas); };
  tables_ = std::make_unique<TableMaker>(*admin_, log_, replicas_);
  // If copies crawl, a copy with such a value outlasts the run's patience.
  const bool large_fits = shape_.copy_bytes_per_second >= kCopyOfLargeLeast / 8;
  NemesisActions(
      {*admin_, *tables_, *stale_, split_retry_client_.get(), cluster_, catalog_, table_, workload_.groups, large_fits})
      .AddTo(hooks);
  hooks.merge = [this](TabletId tablet) { return merger_ != nullptr && merger_->Merge(tablet); };
  nemesis_ = std::make_unique<Nemesis>(
      cluster_,
      options_.faults.empty() ? DrawFaults(scheduler_, {.splits = options_.splits,
                                                        .merges = options_.merges,
                                                        .several = replicas_ > 1,
                                                        .interval = shape_.interval,
                                                        .memory = options_.memory || shape_.memory_majority})
                              : options_.faults,
      std::move(hooks));
  tables_->Start();
  const auto spared = [this](const std::string& key) {
    return std::ranges::any_of(catalog_.tablets(), [&](const auto& item) {
      const CatalogWatch::Tablet& tablet = item.second;
      const bool within = tablet.first_key <= key && (tablet.end_key.empty() || key < tablet.end_key);
      return tablet.table == table_ && within && nemesis_->StaysWhole(tablet.id);
    });
  };
  splitter_ = std::make_unique<Splitter>(*admin_, log_, record_, workload_.groups, spared);
  wants_splits_ = options_.splits;
  merger_ = std::make_unique<Merger>(*admin_, log_, catalog_);
  if (options_.merges) {
    std::map<TableId, std::string> tables = {{table_, kTable}};
    if (lww_table_) tables.emplace(lww_table_, kLwwTable);
    merger_->Start(std::move(tables));
  }
  nemesis_->Start();
  const auto all_injected = [this] {
    return std::ranges::all_of(nemesis_->enabled(), [this](Fault fault) { return nemesis_->injected(fault) > 0; });
  };
  scheduler_.RunFor(options_.faults_for);
  Until(all_injected, options_.patience);
  for (const Fault fault : nemesis_->enabled()) {
    if (nemesis_->injected(fault) == 0) {
      Problem(std::string(kProvedNothing) + "fault " + std::string(FaultName(fault)) + " never happened");
    }
  }
}

void Run::Converge() {
  nemesis_->Heal();
  scheduler_.RunFor(seconds(3));
  Until([&] { return record_.answered >= options_.answered_min; }, options_.patience);
  tables_->Finish();
  splitter_->Finish();
  merger_->Finish();
  raw_->Finish();
  for (const auto& client : clients_) client->Finish();
  const auto at_rest = [this] {
    return tables_->idle() && splitter_->idle() && merger_->idle() && raw_->idle() &&
           std::ranges::all_of(clients_, [](const auto& client) { return client->idle(); });
  };
  if (!Until(at_rest, options_.patience)) Problem("clients did not come to rest after everything was healed");
  for (int i = 0; i < cluster_.servers(); ++i) {
    const Status fatal = cluster_.server(i)->fatal();
    if (!fatal.ok()) Problem(Cluster::ServerName(i) + " serves no more: " + fatal.ToString());
  }
  if (!Until([this] { return cluster_.Unsure().empty(); }, options_.patience))
    Problem("though nothing more is written, a replica is not sure to have what it acknowledged: " + cluster_.Unsure());
  if (workload_.lww_groups > 0) AwaitDeliveries();
  std::optional<Status> read;
  const auto reader = NewClient("reader");
  reader->ReadAll([&read](Status status) { read = std::move(status); });
  if (!Until([&] { return read.has_value(); }, options_.patience) || !read->ok()) {
    cluster_.Describe(table_);
    Problem("the healed cluster does not answer: " + (read ? read->ToString() : "no answer"));
  }
  JudgeTables();
}

// Before the last reads, because records go on expiring. Deliveries and equal replicas at one moment, because a replica
// that catches up may roll back writes, which are then still to be delivered.
void Run::AwaitDeliveries() {
  std::string missing;
  const auto settled = [&] {
    missing = lww_replicas_.AllDelivered() ? lww_replicas_.Compare() : "not all writes are delivered";
    return missing.empty();
  };
  if (!Until(settled, options_.patience))
    Problem("a last_write_wins table is not settled after all was healed: " + missing);
}

void Run::JudgeTables() {
  // Procedures may still be finishing. A table that never serves whole was left half made.
  const MonotonicTime end = scheduler_.Now() + options_.patience;
  std::string half;
  do {
    auto listed = std::make_shared<std::optional<Result<std::vector<TableInfo>>>>();
    admin_->admin().ListTables(client::OnceCallback<Result<std::vector<TableInfo>>>(
        [listed](Result<std::vector<TableInfo>> tables) { *listed = std::move(tables); }));
    Until([&] { return listed->has_value(); }, seconds(30));
    half = listed->has_value() && (*listed)->has_value() ? "" : "no list of tables";
    if (half.empty()) {
      for (const TableInfo& table : ***listed) {
        if (table.tablets != table.tablets_serving) half = "table " + table.name + " does not serve whole";
      }
    }
    if (half.empty()) half = LeftOfMerged(catalog_, cluster_);
    scheduler_.RunFor(seconds(1));
  } while (!half.empty() && scheduler_.Now() < end);
  if (!half.empty()) Problem(half);
}

// By group: the rolled-back writes that servers store, and the epochs of the replica that has applied most. It need not
// be the primary, because a transfer may be under way.
std::map<int, GroupTruth> Run::Truth() {
  std::map<int, GroupTruth> truth;
  std::map<int, LwwTruth> lww = lww_replicas_.Truths(record_.history);
  std::map<int, Version> last;  // applied
  for (int group = 0; group < workload_.all_groups(); ++group) {
    // A disk that lied may have been the only one that had a write.
    truth[group].may_forget = cluster_.lies() > 0 || ((shape_.interval || shape_.memory) && !workload_.IsLww(group));
    if (workload_.IsLww(group)) truth[group].lww = lww[group];
  }
  for (const UnresolvedEntry& kept : cluster_.kept()) {
    if (kept.table != lww_table_ || !kept.tablet) continue;
    for (const auto& effect : kept.entry.effects) truth[GroupOf(effect.key)].kept.insert(kept.entry.version);
  }
  for (int i = 0; i < cluster_.servers(); ++i) {
    tabletserver::TabletStore& store = cluster_.server(i)->store();
    for (const TableId table : store.Tables()) {
      const auto entries = store.unresolved().List(table, {}, SIZE_MAX, SIZE_MAX);
      if (!entries.has_value()) {
        Problem(Cluster::ServerName(i) + " cannot list what was rolled back: " + entries.error().ToString());
        continue;
      }
      rolled_back_ += entries->size();
      for (const tabletserver::UnresolvedLogEntry& kept : *entries) {
        for (const auto& effect : kept.entry.effects) truth[GroupOf(effect.key)].kept.insert(kept.entry.version);
      }
    }
    for (const auto& handle : cluster_.server(i)->host().directory().snapshot()->All()) {
      const auto view = handle->view();
      if (view == nullptr || view->incomplete || !view->failure.empty()) continue;
      for (int group = 0; group < workload_.all_groups(); ++group) {
        if (handle->table != (workload_.IsLww(group) ? lww_table_ : table_)) continue;
        if (!view->range.Contains(GroupPrefix(group)) || view->applied <= last[group]) continue;
        last[group] = view->applied;
        truth[group].epochs = EpochsOf(*view, GroupPrefix(group));
      }
    }
  }
  return truth;
}

// A tablet may restart empty only if no server has its data any more.
void Run::JudgeAnew() {
  const size_t anew = cluster_.state().anew().size();
  if (anew > 0 && (!shape_.memory_loss || shape_.memory_majority)) {
    Problem("tablet " + std::to_string(cluster_.state().anew().begin()->first.value) + " has begun anew");
  }
  for (const std::string& problem : memory_.problems()) Problem(problem);
}

// Clients must not notice an outage of the coordinator alone, at a step of a planned change.
void Run::JudgeWaits() {
  if (options_.faults != std::vector{Fault::kOutageInChange}) return;
  const std::vector<MonotonicTime>& moments = record_.history.moments;
  for (const Operation& operation : record_.history.operations) {
    const bool of_clients = operation.client.starts_with('c');  // others keep to their old routes
    if (!of_clients || operation.returned == kNever) continue;
    const Duration wait = moments[operation.returned] - moments[operation.invoked];
    longest_wait_ = std::max(longest_wait_, wait);
    if (wait > kWaitMax) {
      Problem(operation.ToString() + " took " + std::to_string(std::chrono::duration_cast<milliseconds>(wait).count()) +
              " ms, though only the coordinator was away");
    }
  }
}

void Run::Judge() {
  JudgeWaits();
  cluster_.CompareRecords();
  std::set<TabletId> living;
  for (const auto& [path, tablet] : catalog_.tablets()) living.insert(tablet.id);
  for (std::string& problem : cluster_.state().Problems(catalog_.recreated(), living)) Problem(std::move(problem));
  for (const std::string& problem : catalog_.problems()) Problem(problem);
  for (std::string& problem : WrongInMerges(catalog_, cluster_.state())) Problem(std::move(problem));
  JudgeAnew();
  std::map<int, GroupTruth> truth = Truth();
  for (int group = 0; group < workload_.all_groups(); ++group) {
    const bool judged = workload_.IsLww(group) || !shape_.memory_loss || !memory_.MayHaveLost(group);
    if (!judged) continue;
    if (shape_.memory && !workload_.IsLww(group)) ++groups_kept_;
    LevelVerdict levels = JudgeLevels(record_.history, group, truth[group]);
    for (std::string& problem : levels.problems) Problem(std::move(problem));
    const Verdict verdict = CheckLinearizable(std::move(levels.search));
    states_ += verdict.states;
    if (verdict.kind == Verdict::Kind::kWrong) Problem("group " + std::to_string(group) + ": " + verdict.why);
    if (verdict.kind == Verdict::Kind::kUndecided) {
      Problem("group " + std::to_string(group) + std::string(kUndecided) + ": " + verdict.why);
    }
  }
  if (record_.answered < options_.answered_min) {
    Problem(std::string(kProvedNothing) + std::to_string(record_.answered) + " operations answered, " +
            std::to_string(options_.answered_min) + " wanted");
  }
}

void Run::Summarize() {
  std::map<std::string, uint64_t>& kinds = report_.kinds;
  for (const char* kind : {"read strong",   "read session",      "read bounded",   "read eventual",
                           "multi get",     "scan page",         "write majority", "write all",
                           "write primary", "write any",         "any put",        "any delete",
                           "any batch",     "write refused",     "batch",          "put",
                           "delete",        "increment",         "check",          "lost write told",
                           "put with ttl",  "session handed on", "raw write",      "raw again",
                           "raw finished",  "raw another",       "raw impossible", "stale read",
                           "stale write"}) {
    kinds[kind] = 0;
  }
  for (const auto& [kind, count] : record_.kinds) kinds[kind] = count;
  uint64_t faults = 0;
  for (size_t i = 0; i < kFaultCount; ++i) {
    if (IsOfSplits(static_cast<Fault>(i)) && !options_.splits) continue;
    if (IsByItself(static_cast<Fault>(i)) && options_.faults.empty()) continue;
    const auto count = nemesis_ == nullptr ? 0 : static_cast<uint64_t>(nemesis_->injected(static_cast<Fault>(i)));
    if (!IsOfMerges(static_cast<Fault>(i)) || options_.merges)
      kinds["fault " + std::string(FaultName(static_cast<Fault>(i)))] = count;
    faults += count;
  }
  kinds["operations"] = record_.answered;
  kinds["faults"] = faults;
  kinds["failovers"] = catalog_.counts().failovers;
  kinds["transfers"] = catalog_.counts().transfers;
  kinds["led again"] = catalog_.counts().same_again;
  kinds["membership changes"] = catalog_.counts().memberships;
  kinds["rolled-back writes"] = rolled_back_;
  kinds["disks that lied"] = cluster_.lies();
  if (options_.splits) {
    for (const char* kind : {"late again", "late session"}) kinds[kind] = record_.kinds[kind];
  }
  if (options_.splits) kinds["splits"] = splitter_ == nullptr ? 0 : static_cast<uint64_t>(splitter_->made());
  if (options_.merges) {
    kinds["merges"] = catalog_.counts().merges;
    kinds["merges told"] = merger_ == nullptr ? 0 : static_cast<uint64_t>(merger_->made());
  }
  if (shape_.memory_loss) kinds["begun anew"] = cluster_.state().anew().size();
  if (shape_.memory) kinds["groups in memory judged"] = groups_kept_;
  kinds["tables made"] = tables_ == nullptr ? 0 : static_cast<uint64_t>(tables_->made());
  const auto figure = [&](const char* kind, const char* name) {
    return std::to_string(kinds[kind]) + " " + name + ", ";
  };
  report_.summary =
      std::to_string(shape_.servers) + " servers, " + std::to_string(replicas_) +
      (shape_.memory     ? " replicas in memory, "
       : shape_.interval ? " replicas at intervals, "
                         : " replicas, ") +
      figure("operations", "answered") + std::to_string(record_.unknown) + " unknown, " +
      std::to_string(record_.not_executed) + " not executed, " + figure("faults", "faults") +
      figure("failovers", "failovers") + figure("membership changes", "membership changes") +
      (longest_wait_ == Duration(0)
           ? ""
           : "longest wait " + std::to_string(std::chrono::duration_cast<milliseconds>(longest_wait_).count()) +
                 " ms, ") +
      figure("rolled-back writes", "rolled back") + std::to_string(cluster_.network().counters().calls) + " calls, " +
      std::to_string(states_) + " states";
  report_.digest = log_.digest();
  report_.log = log_.lines();
}

}  // namespace

bool FoundFault(const RunReport& report) {
  return std::ranges::any_of(report.problems, [](const std::string& problem) {
    return !problem.starts_with(kProvedNothing) && !problem.contains(kUndecided);
  });
}

RunReport RunOnce(const RunOptions& options) {
  Plant(options.bug.rule);
  RunReport report = Run(options).Go();
  Plant(PlantedBug::none);
  return report;
}

}  // namespace ebla::sim
