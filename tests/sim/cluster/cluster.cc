#include "tests/sim/cluster/cluster.h"

#include <glog/logging.h>

#include <utility>

#include "master/balancer/planner/view.h"
namespace ebla::sim {
namespace {

constexpr Duration kSlowRead = std::chrono::milliseconds(5);
constexpr Duration kCheckpoint = std::chrono::milliseconds(10);  // takes less
// Less than a lease, so that a primary can lead where flushes are slow.
constexpr Duration kSlowFlushLeast = std::chrono::milliseconds(20), kSlowFlushMost = std::chrono::milliseconds(400);

// Short sessions: servers are back soon after a crash, for clients that still retry what it cut off.
coordination::SimCoordination::Options CoordinationOptions() {
  coordination::SimCoordination::Options options;
  options.session_timeout = std::chrono::seconds(2);
  return options;
}

}  // namespace

// ---- processes -----------------------------------------------------------------------------------------------------

testing::SimExecutor& Process::NewExecutor() {
  executors_.push_back(std::make_unique<testing::SimExecutor>(scheduler_, time_of_day_ms_, rate_));
  return *executors_.back();
}

void Process::Pause() {
  for (const auto& executor : executors_) executor->Pause();
}

void Process::Resume() {
  for (const auto& executor : executors_) executor->Resume();
}

void Process::Halt() {
  for (const auto& executor : executors_) executor->Halt();
}

// ---- a master ------------------------------------------------------------------------------------------------------

SimMaster::SimMaster(std::string name, rpc::Endpoint endpoint, Process process,
                     coordination::SimCoordination& coordination, Network& network)
    : process_(std::move(process)), executor_(process_.NewExecutor()) {
  node_ = network.Join(name, endpoint, &dispatcher_, executor_);
  coordinator_ = coordination.NewClient(executor_);
  master::MasterOptions options;
  options.name = std::move(name);
  options.version = "simulated";
  options.replace_after = std::chrono::seconds(6);  // faults last that long, too
  // A run is short, and has few tablets: primaries are spread at once, and by ones.
  options.plan_every = std::chrono::seconds(1);
  options.planner.balance.sustained = std::chrono::seconds(2);
  options.planner.balance.cool_down = std::chrono::seconds(3);
  options.planner.balance.cool_down_max = std::chrono::seconds(3);
  options.planner.balance.margins[static_cast<size_t>(master::Dimension::kPrimaries)] = {.fraction = 0.1, .floor = 0.5};
  master_ = std::make_unique<master::Master>(options, executor_, *coordinator_, master::ConnectOver(*node_, executor_));
  dispatcher_.Register(master_->service());
  executor_.Post([this, endpoint] { master_->Start(endpoint); });
}

SimMaster::~SimMaster() {
  node_->Leave();
  process_.Halt();
  master_.reset();
  coordinator_.reset();
}

// ---- a tablet server -----------------------------------------------------------------------------------------------

SimServer::SimServer(std::string name, rpc::Endpoint endpoint, Process process, ServerDisk& disk, Ports ports)
    : process_(std::move(process)), loop_(process_.NewExecutor()), control_(process_.NewExecutor()) {
  testing::SimExecutor& shard_a = process_.NewExecutor();
  testing::SimExecutor& shard_b = process_.NewExecutor();
  testing::SimExecutor& background = process_.NewExecutor();
  disk_thread_ = &process_.NewExecutor();
  node_ = ports.network.Join(name, endpoint, &dispatcher_, loop_);
  others_ = {&shard_a, &shard_b, &background, disk_thread_};
  const auto on_read = [this, &scheduler = ports.scheduler](std::string_view key) { OnRead(scheduler, key); };
  const auto on_forgotten = [this, &scheduler = ports.scheduler](TabletId tablet) { OnForgotten(scheduler, tablet); };
  const StoreFault fault = ports.shape.store_fault;
  if (fault == StoreFault::kAckBeforeFlush) disk.disk.log_disk().Lie();
  store_ = std::make_unique<tabletserver::SimulatedStore>(
      disk.disk, *disk_thread_,
      tabletserver::SimulatedStore::Options{
          .memory = &in_memory_,
          .watch = std::make_unique<ServerWatch>(ServerWatch::Hooks{std::move(ports.kept), on_read, on_forgotten},
                                                 ports.state, name),
          .records = [fault](tabletserver::SimulatedDisk& records) {
            return std::make_unique<FaultyRecords>(fault, records);
          }});
  coordinator_ = ports.coordination.NewClient(control_);

  tabletserver::TabletServerOptions options;
  options.identity = {disk.uuid, name, disk.cluster_id, Incarnation{++disk.starts}};
  options.identity.machine_crashed = std::exchange(disk.machine_crashed, false);
  options.shard.dedup_window.window_ms = ports.shape.window_ms;
  options.shard.dedup_window.bytes_max = ports.shape.window_bytes;
  options.shard.log_retention.entries_max = ports.shape.log_entries_retained_max;
  if (ports.shape.slow_truncations) options.shard.truncation_slice = Duration(0);
  options.shard.copy.chunk_records = ports.shape.copy_chunk_records;
  options.copy_bytes_per_second = [&shape = ports.shape] { return shape.copy_bytes_per_second; };
  options.build_version = "simulated";
  options.rack = ports.rack;
  options.checkpoint.period = std::chrono::seconds(5);
  options.purge_and_size_tasks.between_passes = std::chrono::seconds(2);
  options.join_cluster = [&disk](const std::string& cluster_id) {
    disk.cluster_id = cluster_id;
    return Status::Ok();
  };
  options.on_refused = [this, &log = ports.log, name](const Status& why) {
    log.Add(name, "refused: " + why.message());
    refused_ = why;
  };
  server_ = std::make_unique<tabletserver::TabletServer>(
      tabletserver::TabletServerPorts{
          {&loop_}, {&shard_a, &shard_b}, {}, background, control_, **store_, *coordinator_, *node_},
      std::move(options));
  const Status recovered = server_->Recover();
  CHECK(recovered.ok()) << name << ": " << recovered;
  dispatcher_.Register(server_->tablet_service());
  dispatcher_.Register(server_->control_service());
  dispatcher_.Register(server_->replication_service());
  server_->Start(endpoint, {endpoint.host, static_cast<uint16_t>(endpoint.port + 1)});
}

SimServer::~SimServer() {
  node_->Leave();
  process_.Halt();
  server_.reset();
  coordinator_.reset();
  store_.reset();
}

void SimServer::OnRead(testing::SimScheduler& scheduler, std::string_view key) {
  if (slow_key_.empty() || key != slow_key_ || !loop_.running()) return;
  slow_key_.clear();
  scheduler.RunOnly(others_, kSlowRead);
}

void SimServer::OnForgotten(testing::SimScheduler& scheduler, TabletId tablet) {
  if (!forgotten_.second || tablet != forgotten_.first) return;
  (*store_)->Checkpoint(*disk_thread_, [taken = std::exchange(forgotten_.second, {})](const auto& result) {
    if (result.has_value()) taken();
  });
  scheduler.RunOnly({disk_thread_}, kCheckpoint);
}

void SimServer::Stop() {
  stopping_ = true;
  server_->Stop([this] { stopped_ = true; });
}

Status SimServer::fatal() const { return refused_.ok() ? (*store_)->health().status : refused_; }

// ---- the cluster ---------------------------------------------------------------------------------------------------

Cluster::Cluster(testing::SimScheduler& scheduler, EventLog& log, Shape shape)
    : scheduler_(scheduler),
      log_(log),
      shape_(shape),
      coordination_(scheduler, CoordinationOptions()),
      network_(scheduler) {
  masters_.resize(static_cast<size_t>(shape.masters));
  servers_.resize(static_cast<size_t>(shape.servers));
  for (int i = 0; i < shape.servers; ++i) {
    disks_.push_back(std::make_unique<ServerDisk>(scheduler.Random()));
    disks_.back()->uuid = "uuid-" + std::to_string(i + 1);
    disks_.back()->disk.SetLatency(std::chrono::microseconds(50), std::chrono::milliseconds(3));
    disks_.back()->disk.SetSlowFlushes(shape.slow_flush_one_of, kSlowFlushLeast, kSlowFlushMost);
  }
  if (shape.memory_loss) state_.LetHistoriesPart();
  for (int i = 0; i < shape.masters; ++i) StartMaster(i);
  for (int i = 0; i < shape.servers; ++i) StartServer(i);
}

Cluster::~Cluster() {
  masters_.clear();
  servers_.clear();
}

Process Cluster::NewProcess() {
  // Machines whose clocks disagree by up to two seconds and run up to 0.02% fast or slow.
  const auto offset = static_cast<int64_t>(scheduler_.Random(2 * kClockErrorMsMax)) - kClockErrorMsMax;
  const double rate = 1.0 + (static_cast<double>(scheduler_.Random(4'001)) - 2'000) * 1e-7;
  return Process(scheduler_, kStartOfTime + offset, rate);
}

std::vector<rpc::Endpoint> Cluster::master_endpoints() const {
  std::vector<rpc::Endpoint> endpoints;
  for (int i = 0; i < masters(); ++i) endpoints.push_back({MasterName(i), 7400});
  return endpoints;
}

std::vector<std::string> Cluster::MasterNames() const {
  std::vector<std::string> names;
  for (int i = 0; i < masters(); ++i) names.push_back(MasterName(i));
  return names;
}

void Cluster::StartMaster(int index) {
  const std::string name = MasterName(index);
  log_.Add(name, "starts");
  masters_[static_cast<size_t>(index)] =
      std::make_unique<SimMaster>(name, rpc::Endpoint{name, 7400}, NewProcess(), coordination_, network_);
}

void Cluster::KillMaster(int index) {
  log_.Add(MasterName(index), "is killed");
  masters_[static_cast<size_t>(index)].reset();
}

void Cluster::StartServer(int index) {
  if (spared_.erase(index) > 0) return;  // it is there
  const std::string name = ServerName(index);
  log_.Add(name, "starts, number " + std::to_string(disk(index).starts + 1));
  servers_[static_cast<size_t>(index)] = std::make_unique<SimServer>(
      name, rpc::Endpoint{name, 7410}, NewProcess(), disk(index),
      SimServer::Ports{scheduler_, coordination_, network_, log_, state_,
                       "rack-" + std::to_string(index % shape_.racks + 1), shape_,
                       [this, name](TabletId tablet, TableId table, const tabletserver::LogEntry& entry) {
                         kept_.push_back({name, tablet, table, entry, scheduler_.Now()});
                       }});
}

void Cluster::KillServer(int index, tabletserver::SimulatedDisk::CrashKind kind) {
  const bool may_die = !shape_.memory_majority || !may_die_ || server(index) == nullptr || may_die_(index);
  if ((shape_.memory && !shape_.memory_loss && !Unsure().empty()) || !may_die) {
    log_.Add(ServerName(index), "is spared: what it has in memory may be nowhere else");
    spared_.insert(index);
    return;
  }
  const bool machine =
      kind == tabletserver::SimulatedDisk::CrashKind::kMachine && (!shape_.interval || Unsure().empty());
  if (!machine) kind = tabletserver::SimulatedDisk::CrashKind::kProcess;
  const auto loss = machine && lies_ && server(index) != nullptr ? lies_(index) : std::nullopt;
  log_.Add(ServerName(index), machine ? "loses power" : "is killed");
  if (on_death_ && server(index) != nullptr) on_death_(index);
  servers_[static_cast<size_t>(index)].reset();
  disk_failures_.End(ServerName(index), scheduler_.Now());
  state_.Dies(ServerName(index));
  std::erase_if(incomplete_, [index](const auto& item) { return item.first == index; });
  disk(index).disk.Crash(kind);
  disk(index).machine_crashed = machine;
  if (loss) LoseEnd(index, *loss);
}

void Cluster::LoseEnd(int index, Loss loss) {
  if (!disk(index).disk.LoseEnd(loss)) return;
  const std::string name = ServerName(index);
  log_.Add(name, loss == Loss::kAll     ? "has a disk that is as it was a moment before"
                 : loss == Loss::kOlder ? "has a disk that returns an older copy"
                                        : "has a disk that lost the log's end");
  ++lies_told_;
  liars_.insert(index);
  for (UnresolvedEntry& kept : kept_) kept.may_be_lost = kept.may_be_lost || kept.server == name;
}

std::string Cluster::Unsure() {
  if (catalog_ != nullptr && !liars_.empty()) catalog_->Look();
  for (int i = 0; i < servers(); ++i) {
    const std::string name = ServerName(i);
    if (server(i) == nullptr || !server(i)->registered()) return name;
    const auto directory = server(i)->host().directory().snapshot();
    for (const auto& handle : directory->All()) {
      const auto view = handle->view();
      if (view != nullptr && view->may_have_lost_writes)
        return name + "'s replica of tablet " + std::to_string(view->tablet.value);
    }
    if (catalog_ == nullptr || !liars_.contains(i)) continue;
    for (const auto& [path, tablet] : catalog_->tablets()) {
      const bool votes = !tablet.creating && std::ranges::find(tablet.voters, name) != tablet.voters.end();
      if (votes && directory->Find(tablet.table, tablet.id) == nullptr) return name + " without " + path;
    }
  }
  return "";
}

Epochs EpochsOf(const tabletserver::TabletView& view, const std::string& key) {
  Epochs epochs;
  if (view.former) {
    for (const auto& piece : *view.former) {
      if (!piece.range.Contains(key)) continue;
      for (const auto& start : piece.epoch_starts) epochs.starts.push_back({start.epoch, start.first});
    }
  }
  for (const auto& start : view.epoch_starts) epochs.starts.push_back({start.epoch, start.first});
  return epochs;
}

void Cluster::Look() {
  for (int i = 0; i < servers(); ++i) {
    if (server(i) == nullptr) continue;
    LookAtStore(i);
    for (const auto& handle : server(i)->host().directory().snapshot()->All()) {
      const auto view = handle->view();
      if (view != nullptr && !view->failure.empty() && server(i)->store().health().status.ok()) {
        state_.Fails(view->tablet, ServerName(i), view->failure);
      }
      const bool sound = !liars_.contains(i) && shape_.store_fault == StoreFault::kNone;
      if (view != nullptr && view->lost && sound)
        state_.Fails(view->tablet, ServerName(i), "it calls itself lost, and its disk has lost nothing");
      if (view == nullptr || !view->failure.empty()) continue;
      if (view->incomplete) incomplete_.emplace(i, view->tablet);
      if (!view->incomplete && incomplete_.erase({i, view->tablet}) > 0) Check(i, *view);
      if (view->role != tabletserver::RoleKind::kPrimary) continue;
      state_.Leads(view->tablet, view->epoch, ServerName(i),
                   !view->frozen && view->barrier_applied && server(i)->Now() < view->lease_until);
    }
  }
  state_.EndLook();
}

// A store that is dead has a disk that was made to fail.
void Cluster::LookAtStore(int index) {
  const Status status = server(index)->store().health().status;
  const auto its = [index](const ebla::ServerName& failed) { return failed == ServerName(index); };
  if (!status.ok() && !disk_failures_.Excuses(status.message(), scheduler_.Now(), its))
    state_.StoreFails(ServerName(index), status.ToString());
}

void Cluster::Check(int index, const tabletserver::TabletView& view) {
  Version newest;
  tabletserver::SnapshotPosition position{view.tablet, {}};
  const Status read = server(index)->store().Scan(
      view.table, {view.range},
      [&newest](std::string_view, const tabletserver::StoredRecord& record) {
        if (record.version.lsn > newest.lsn) newest = record.version;
        return true;
      },
      &position);
  if (read.ok() && view.role != tabletserver::RoleKind::kAbsent)
    state_.Completes(view.tablet, position.applied, newest, ServerName(index));
}

void Cluster::Describe(TableId table) {
  for (int i = 0; i < servers(); ++i) {
    if (server(i) == nullptr) continue;
    for (const auto& handle : server(i)->host().directory().snapshot()->All()) {
      const auto view = handle->view();
      if (view == nullptr || handle->table != table) continue;
      const bool leads = view->role == tabletserver::RoleKind::kPrimary;
      std::string text = "tablet " + std::to_string(handle->tablet.value) + (leads ? " leads" : " follows") +
                         " epoch " + std::to_string(view->epoch.value) + ", promised " +
                         std::to_string(view->promised.value) + ", applied " + view->applied.ToString() + " of " +
                         view->last_appended.ToString();
      if (view->incomplete) text += ", incomplete";
      if (view->writes_stalled) text += ", stalled";
      if (leads && !view->barrier_applied) text += ", no Barrier";
      if (!view->failure.empty()) text += ", failed: " + view->failure;
      for (const tabletserver::PeerProgress& peer : view->peers) {
        text += "; " + peer.peer + (peer.voter ? " votes, has " : " learns, has ") +
                std::to_string(peer.flushed.value) + (peer.incomplete ? " or nothing" : "") +
                (peer.copying ? ", is copied" : "");
      }
      log_.Add(ServerName(i), text);
    }
  }
}

void Cluster::CompareRecords() {
  for (int i = 0; i < servers(); ++i) {
    if (server(i) == nullptr) continue;
    for (const auto& handle : server(i)->host().directory().snapshot()->All()) {
      const auto view = handle->view();
      if (view == nullptr || view->role == tabletserver::RoleKind::kAbsent || view->incomplete) continue;
      uint64_t records = 0;
      tabletserver::SnapshotPosition position{view->tablet, {}};
      const Status read = server(i)->store().Scan(
          view->table, {view->range},
          [&records](std::string_view key, const tabletserver::StoredRecord& record) {
            records = records * 31 + DigestOf(key, record.value, record.version, record.expires_at);
            return true;
          },
          &position);
      if (read.ok() && position.applied == view->applied.lsn)
        state_.Holds(view->tablet, view->applied, ServerName(i), records);
    }
  }
}

void Cluster::EndServer(int index) {
  log_.Add(ServerName(index), "has ended");
  if (on_death_ && server(index) != nullptr) on_death_(index);
  servers_[static_cast<size_t>(index)].reset();
  disk_failures_.End(ServerName(index), scheduler_.Now());
  state_.Dies(ServerName(index));
  disk(index).disk.Crash(tabletserver::SimulatedDisk::CrashKind::kProcess);
}

}  // namespace ebla::sim
