#include "master/leader/leader_term.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/coordination/layout.h"
#include "master/catalog/table_rules.h"
#include "master/procedures/clear_table.h"
#include "master/procedures/create_table.h"
#include "master/procedures/drop_orphans.h"
#include "master/procedures/drop_table.h"
#include "master/procedures/push_schema.h"
#include "master/procedures/split_tablet.h"
#include "master/procedures/transfer_tablet.h"

namespace ebla::master {
namespace {

constexpr Duration kTryAgainDelay = std::chrono::milliseconds(50);
// A server that has just joined is known to this master by then.
constexpr Duration kJoinPatience = std::chrono::seconds(1);

}  // namespace

LeaderTerm::LeaderTerm(Ports ports, coordination::Leading term, LoadedCatalog loaded, std::function<void()> on_deposed)
    : ports_(std::move(ports)),
      leading_(term),
      cluster_id_(std::move(loaded.cluster_id)),
      catalog_(ports_.coordinator, ports_.executor, term, std::move(loaded.image), std::move(on_deposed)),
      servers_(ports_.coordinator, ports_.executor, [this](const ServerName& server) { OnServerChange(server); }),
      known_servers_(std::move(loaded.servers)),
      tablet_server_client_(ports_.executor, servers_, ports_.connect, cluster_id_, term.term),
      context_{ports_.options, ports_.executor, catalog_, servers_, tablet_server_client_, stale_catalog_},
      reconciler_(context_, [this](const std::vector<TabletId>& tablets) { OnTabletsChanged(tablets); }),
      config_resender_(context_),
      replication_manager_(context_, reconciler_, [this] { return !SafeMode(); }),
      runner_(ports_.executor),
      balance_driver_(context_, reconciler_, ports_.coordinator, term, MakeActionExecutor()) {}

LeaderTerm::~LeaderTerm() {
  std::map<uint64_t, Request> cut = std::move(requests_);
  requests_.clear();
  for (auto& [id, request] : cut) {
    request.done(request.decided
                     ? Error(Code::kUnknownOutcome, "this master leads no longer; the next one goes on with it")
                     : Error(Code::kNotPrimary, "this master leads no longer"));
  }
}

void LeaderTerm::Start(Done done) {
  servers_.Start(std::move(known_servers_), if_alive_([this, done = std::move(done)](Status status) mutable {
                   started_ = true;
                   for (const auto& [name, table] : image().tables()) {
                     if (table.node.state == idl::TableState::CREATING) StartCreate(name);
                     if (table.node.state == idl::TableState::DROPPING) StartDrop(name);
                   }
                   for (const auto& [child, tablet] : image().splits()) StartSplit(tablet);
                   for (const auto& [into, tablets] : image().merges()) {
                     if (const auto two = NeighboursOf(image(), tablets)) StartMerge(*two, {}, Duration{0});
                   }
                   for (const TabletId tablet : image().unfinished_merges()) StartFinishMerge(tablet);
                   for (const auto& [name, server] : servers_.all()) reconciler_.ConsiderServer(name);
                   replication_manager_.Start();
                   balance_driver_.Start();
                   done(std::move(status));
                 }));
}

void LeaderTerm::Create(std::string table, idl::TableOptions options, std::vector<std::string> split_points,
                        Duration patience, Done done) {
  const size_t replicas = options.__isset.replicas ? static_cast<size_t>(std::max(options.replicas, 1)) : 1;
  Result<idl::TableOptions> complete = CompleteOptions(std::move(options), ports_.options.replicas_default);
  if (!complete) return done(std::move(complete.error()));
  if (Status status = CheckSplitPoints(split_points, *complete); !status.ok()) return done(std::move(status));
  Request request;
  request.done = std::move(done);
  request.replicas = replicas;
  request.subject = {.kind = "create", .tablet = {}, .table = table, .server = {}};
  request.decide = [table, options = std::move(*complete), points = std::move(split_points)](const Image& image) {
    return BeginTable(image, table, options, points);
  };
  request.procedure = CreateTableName(table);
  request.start = [this, table] { StartCreate(table); };
  Submit(std::move(request), patience);
}

void LeaderTerm::Alter(std::string table, idl::TableOptions options, Duration patience, Done done) {
  if (options.__isset.replicas) {
    const auto replicas = static_cast<size_t>(std::max(options.replicas, 1));
    if (Status status = CheckKnown(replicas); !status.ok()) return done(std::move(status));
  }
  Request request;
  request.done = std::move(done);
  request.decide = [table, options = std::move(options)](const Image& image) {
    return AlterTable(image, table, options);
  };
  request.procedure = PushSchemaName(table);
  request.start = [this, table] { StartPush(table); };
  Submit(std::move(request), patience);
}

void LeaderTerm::Drop(std::string table, Duration patience, Done done) {
  Request request;
  request.done = std::move(done);
  request.decide = [table](const Image& image) { return MarkDropping(image, table); };
  request.procedure = DropTableName(table);
  request.start = [this, table] { StartDrop(table); };
  Submit(std::move(request), patience);
}

void LeaderTerm::Transfer(TabletId tablet, const ServerName& to, Duration patience, Done done) {
  if (Status status = CheckTransfer(image(), tablet, to); !status.ok()) return done(std::move(status));
  balance_driver_.Hold(tablet, ports_.executor.Now() + ports_.options.transfer_hold);
  SubmitTransfer(tablet, to, patience, std::move(done));
}

void LeaderTerm::SubmitTransfer(TabletId tablet, const ServerName& to, Duration patience, Done done) {
  if (Status status = CheckTransfer(image(), tablet, to); !status.ok()) return done(std::move(status));
  const std::string name = TransferTabletName(tablet, to);
  runner_.Start(name,
                std::make_unique<TransferTablet>(context_, reconciler_, tablet, to, ports_.executor.Now() + patience));
  runner_.Await(name, patience, std::move(done));
}

void LeaderTerm::Split(TabletId tablet, std::string key, RequestOrigin origin, Duration patience, Done done) {
  if (!ports_.options.splits) {
    return done(Error(Code::kConditionFailed, "tablets are not split here: the masters run with --splits=false"));
  }
  const TabletEntry* entry = image().Tablet(tablet);
  const bool was = entry && image().LivingTable(*entry) && SplitOffAt(image(), entry->table(), key) == tablet;
  if (was) return done({});
  if (Status status = CheckSplit(image(), tablet, key); !status.ok()) return done(std::move(status));
  Request request;
  request.done = std::move(done);
  request.subject = {.kind = "split", .tablet = tablet, .table = {}, .server = {}};
  origin.since_ms = ports_.executor.TimeOfDayMs();
  request.decide = [this, tablet, key = std::move(key),
                    origin = std::move(origin)](const Image& image) -> Result<Change> {
    EBLA_TRY(MayDraw());
    return BeginSplit(image, reconciler_, tablet, key, origin);
  };
  request.procedure = SplitTabletName(tablet);
  request.start = [this, tablet] { StartSplit(tablet); };
  Submit(std::move(request), patience);
}

void LeaderTerm::StartSplit(TabletId tablet) {
  runner_.Start(SplitTabletName(tablet), std::make_unique<SplitTablet>(context_, reconciler_, tablet));
}

void LeaderTerm::Merge(const Neighbours& two, Duration patience, Done done) {
  if (Status status = CheckMerge(image(), two); !status.ok()) return done(std::move(status));
  const MonotonicTime until = ports_.executor.Now() + ports_.options.transfer_hold;
  for (const TabletId tablet : {two.left, two.right}) balance_driver_.Hold(tablet, until);
  SubmitMerge(two, {idl::AskedBy::OPERATOR, ""}, patience, std::move(done));
}

void LeaderTerm::SubmitMerge(const Neighbours& two, RequestOrigin origin, Duration patience, Done done) {
  if (!ports_.options.merges) {
    return done(Error(Code::kConditionFailed, "tablets are not merged here: the masters run with --merges=false"));
  }
  if (Status status = CheckMerge(image(), two); !status.ok()) return done(std::move(status));
  origin.since_ms = ports_.executor.TimeOfDayMs();
  const Duration begin_within = patience * 3 / 4;
  StartMerge(two, std::move(origin), begin_within);
  // What could not be begun is refused in time, and not at the next try after that.
  ports_.executor.After(begin_within, if_alive_([this, two] { runner_.Poke(MergeTabletsName(two)); }));
  runner_.Await(MergeTabletsName(two), patience, std::move(done));
}

void LeaderTerm::StartMerge(const Neighbours& two, RequestOrigin origin, Duration begin_within) {
  if (!runner_.Running(MergeTabletsName(two))) cancelled_merges_.erase(two.left);
  const MergeCallbacks callbacks = {.may_draw = [this] { return MayDraw(); },
                                    .on_decided =
                                        [this](TabletId tablet) {
                                          balance_driver_.NoteMerged(tablet);
                                          StartFinishMerge(tablet);
                                        },
                                    .cancelled = [this, left = two.left] { return cancelled_merges_.contains(left); },
                                    .origin = std::move(origin)};
  runner_.Start(MergeTabletsName(two), std::make_unique<MergeTablets>(context_, reconciler_, two, callbacks,
                                                                      ports_.executor.Now() + begin_within));
}

void LeaderTerm::StartFinishMerge(TabletId tablet) {
  reconciler_.ForgetGone();
  runner_.Start(FinishMergeName(tablet), std::make_unique<FinishMerge>(context_, tablet));
}

void LeaderTerm::Recover(TabletId tablet, const ServerName& server, Duration patience, Done done) {
  const std::string name = RecoverTabletName(tablet);
  if (runner_.Running(name) && recovering_[tablet] != server) {
    const ServerName& other = recovering_[tablet];
    return done(Error(Code::kConditionFailed, "the tablet is being recovered already, from " +
                                                  (other.empty() ? "the longest log" : other) + ": await that"));
  }
  recovering_[tablet] = server;
  runner_.Start(
      name, std::make_unique<RecoverTablet>(context_, reconciler_, tablet, server, ports_.executor.Now() + patience));
  runner_.Await(name, patience, std::move(done));
}

void LeaderTerm::Adopt(std::vector<ServerName> without, Duration patience, Done done) {
  // The last reports may hold nothing unknown any more, and those of servers that were given up count no longer.
  auto on_adopted = [this, without] {
    ports_.executor.Post(if_alive_([this, without] {
      for (const ServerName& name : without) stale_catalog_.Forget(name);
      std::vector<ServerName> names;
      for (const auto& [name, server] : servers_.all()) names.push_back(name);
      for (const ServerName& name : names) CheckReport(name);
    }));
  };
  runner_.Start(kAdoptName, std::make_unique<AdoptCluster>(context_, std::move(without),
                                                           ports_.executor.Now() + patience, std::move(on_adopted)));
  runner_.Await(kAdoptName, patience, std::move(done));
}

std::optional<std::string> LeaderTerm::SafeMode() const {
  if (auto stale = stale_catalog_.Why()) return stale;
  const size_t known = servers_.known_count();
  const size_t live = servers_.live_count();
  if (static_cast<double>(live) >= static_cast<double>(known) * ports_.options.safe_mode_below) return std::nullopt;
  return "of " + std::to_string(known) + " known servers only " + std::to_string(live) + " live";
}

bool LeaderTerm::Crowded(Done& done) const {
  if (requests_.size() < ports_.options.waiting_requests_max) return false;
  done(Error(Code::kOverloaded, "too many requests wait for this master; try again in a second"));
  return true;
}

void LeaderTerm::Submit(Request request, Duration patience) {
  if (Crowded(request.done)) return;
  request.began = ports_.executor.Now();
  request.deadline = request.began + patience;
  const uint64_t id = next_request_++;
  requests_[id] = std::move(request);
  Try(id);
}

void LeaderTerm::Try(uint64_t id) {
  auto found = requests_.find(id);
  if (found == requests_.end()) return;
  Request& request = found->second;
  if (Status wait = request.replicas > 0 ? MayCreate(request.replicas) : Status::Ok(); !wait.ok()) {
    // What can be refused is refused at once.
    if (Result<Change> change = request.decide(image()); !change) return Answer(id, std::move(change.error()));
    if (ports_.executor.Now() - request.began >= kJoinPatience) {
      if (Status refusal = CheckKnown(request.replicas); !refusal.ok()) return Answer(id, std::move(refusal));
    }
    return TryLater(id, std::move(wait));
  }
  request.decided = true;
  catalog_.Commit(
      [this, replicas = request.replicas, decide = request.decide](const Image& image) -> Result<Change> {
        if (replicas > 0) EBLA_TRY(MayCreate(replicas));  // again: other changes may have gone first
        return decide(image);
      },
      if_alive_([this, id](Status status) { OnDecided(id, std::move(status)); }));
}

void LeaderTerm::TryLater(uint64_t id, Status why) {
  Request& request = requests_.at(id);
  if (ports_.executor.Now() >= request.deadline) return Answer(id, std::move(why));
  request.waits_for = std::move(why);
  ports_.executor.After(kTryAgainDelay, if_alive_([this, id] { Try(id); }));
}

void LeaderTerm::OnDecided(uint64_t id, Status status) {
  auto found = requests_.find(id);
  if (found == requests_.end()) return;
  Request& request = found->second;
  if (status.code() == Code::kUnavailable || status.code() == Code::kConditionFailed) {
    request.decided = false;
    return TryLater(id, Error(Code::kUnavailable, status.message()));
  }
  if (!status.ok()) return Answer(id, std::move(status));
  request.start();
  const Duration left = std::max(Duration{0}, request.deadline - ports_.executor.Now());
  runner_.Await(request.procedure, left, if_alive_([this, id](Status outcome) { Answer(id, std::move(outcome)); }));
}

void LeaderTerm::Answer(uint64_t id, Status status) {
  auto request = requests_.extract(id);
  if (!request.empty()) request.mapped().done(std::move(status));
}

void LeaderTerm::StartCreate(const std::string& table) {
  runner_.Start(CreateTableName(table), std::make_unique<CreateTable>(context_, table, [this](TabletId tablet) {
                  reconciler_.Consider(tablet);
                }));
}

void LeaderTerm::StartDrop(const std::string& table) {
  runner_.Start(DropTableName(table),
                std::make_unique<DropTable>(context_, table, [this](TableId id, const std::set<ServerName>& servers) {
                  reconciler_.ForgetGone();
                  for (const ServerName& server : servers) {
                    runner_.Start(ClearTableName(server, id), std::make_unique<ClearTable>(context_, server, id));
                  }
                }));
  runner_.Poke(CreateTableName(table));  // ends a creation that was under way
}

void LeaderTerm::StartPush(const std::string& table) {
  if (runner_.Running(PushSchemaName(table))) {
    runner_.Poke(PushSchemaName(table));
  } else {
    runner_.Start(PushSchemaName(table), std::make_unique<PushSchema>(context_, table));
  }
}

size_t LeaderTerm::UsableServers() const {
  return static_cast<size_t>(std::ranges::count_if(
      servers_.all(), [&](const auto& item) { return servers_.ForPlanner(item.first, item.second).usable(); }));
}

// A number of replicas that is asked for is not to be had with fewer servers than that in all.
Status LeaderTerm::CheckKnown(size_t replicas) const {
  const size_t known = servers_.known_count();
  if (known == 0 || replicas <= known || replicas > kReplicasMax) return {};
  return Error(Code::kInvalidArgument,
               std::to_string(replicas) + " replicas need as many tablet servers, and the cluster " + "has " +
                   std::to_string(known) + ": start more of them, or ask for at most " + std::to_string(known));
}

Status LeaderTerm::AllReported() const {
  for (const auto& [name, server] : servers_.all()) {
    if (!server.live || server.CurrentReport()) continue;
    return Error(Code::kUnavailable, "server " + name + " lives, and has not reported yet what it holds");
  }
  return {};
}

Status LeaderTerm::MayCreate(size_t replicas) const {
  const size_t usable = UsableServers();
  if (usable == 0) return PlaceNewTablets(ViewCluster(image(), servers_), 1, 1).error();
  if (usable < replicas) {
    return Error(Code::kUnavailable, std::to_string(replicas) + " replicas need as many tablet servers that live and " +
                                         "have room; of " + std::to_string(servers_.known_count()) + " there are " +
                                         std::to_string(usable) + ": start the others, or ask for at most " +
                                         std::to_string(usable) + " and raise it later");
  }
  return MayDraw();
}

Status LeaderTerm::MayDraw() const {
  EBLA_TRY(AllReported());
  for (const auto& [name, server] : servers_.all()) {
    // The last report of one that does not live counts, too: it will be back.
    const auto id = server.report ? UndrawnId(image(), *server.report) : std::nullopt;
    if (!id) continue;
    return Error(
        Code::kUnavailable,
        "server " + name + " holds id " + std::to_string(*id) + ", and the catalog has drawn none from " +
            std::to_string(image().next_id()) + " on: was the coordinator (ZooKeeper) restored from an older " +
            "state? What is new would be given the ids of what is old, so nothing is made: put the coordinator's " +
            "newest state back, or see what can be taken from the servers: ebla cluster adopt");
  }
  return Status::Ok();
}

void LeaderTerm::OnServerChange(const ServerName& server) {
  if (!started_) return;
  reconciler_.ConsiderServer(server);
  if (!servers_.IsLive(server)) return;
  CheckReport(server);
  for (const auto& [name, table] : image().tables()) {
    if (table.node.state == idl::TableState::CREATING) runner_.Poke(CreateTableName(name));
  }
}

void LeaderTerm::OnTabletsChanged(const std::vector<TabletId>& tablets) {
  std::set<TableId> tables;
  for (const TabletId id : tablets) {
    runner_.PokeAll(MovesOfTablet(id));
    if (const TabletEntry* tablet = image().Tablet(id)) tables.insert(tablet->table());
  }
  for (const TableId id : tables) {
    const TableEntry* table = image().Table(id);
    if (table && table->node.state == idl::TableState::CREATING) runner_.Poke(CreateTableName(table->node.schema.name));
  }
  replication_manager_.Changed(tablets);
}

Status LeaderTerm::Heartbeat(idl::HeartbeatRequest heartbeat) {
  if (heartbeat.clusterId != cluster_id_) {
    return Error(Code::kInvalidArgument, "server " + heartbeat.server + " belongs to cluster " + heartbeat.clusterId +
                                             ", this is cluster " + cluster_id_);
  }
  const ServerName server = heartbeat.server;
  if (static_cast<uint64_t>(std::max<int64_t>(0, heartbeat.seenTerm)) > term()) {
    LOG_EVERY_N(WARNING, 10) << "server " << server << " has heard of term " << heartbeat.seenTerm << ", this one is "
                             << term() << ": was the coordinator restored from an older state?";
    ports_.raise_term(static_cast<uint64_t>(heartbeat.seenTerm));
  }
  EBLA_TRY(servers_.Record(std::move(heartbeat)));
  CheckReport(server);
  return {};
}

// What the server leads or was to lead, and what it follows in vain.
void LeaderTerm::ConsiderReported(const ServerName& name, const Report& report) {
  for (const TabletId tablet : image().LedBy(name)) reconciler_.Consider(tablet);
  for (const idl::TabletLoad& load : report.body.tablets) {
    if (load.primarySilent) reconciler_.Consider(TabletId{static_cast<uint64_t>(load.tabletId)});
  }
}

void LeaderTerm::CheckReport(const ServerName& name) {
  const Server* server = servers_.Find(name);
  const Report* report = server ? server->CurrentReport() : nullptr;
  if (!started_ || !report) return;
  stale_catalog_.Update(image(), name, *report);
  if (const auto stale = stale_catalog_.Why()) {
    LOG_EVERY_N(ERROR, 60) << "nothing is repaired or dropped: " << *stale;
  }
  ConsiderReported(name, *report);
  replication_manager_.Reported(name);
  config_resender_.Consider(name);
  const Orphans orphans = FindOrphans(image(), name, *report);
  if (!orphans.empty() && !stale_catalog_.Why()) {
    const auto outgrow = [this](TabletId tablet, Epoch promised) { reconciler_.Outgrow(tablet, promised); };
    runner_.Start(DropOrphansName(name), std::make_unique<DropOrphans>(context_, name, outgrow));
  }
  if (orphans.unknown_ids > 0) {
    LOG_EVERY_N(ERROR, 60) << "server " << name << " reports " << orphans.unknown_ids
                           << " tablets with ids that the catalog never drew: was the coordinator restored from an "
                           << "older state? They are left alone";
    unknown_ids_ = std::max(unknown_ids_, orphans.unknown_ids);
  }
  for (const idl::TabletLoad& load : report->body.tablets) {
    const TabletEntry* tablet = image().Tablet(TabletId{static_cast<uint64_t>(load.tabletId)});
    if (tablet && tablet->splitting()) runner_.Poke(SplitTabletName(tablet->id()));
    if (tablet && tablet->merge_unfinished()) runner_.Poke(FinishMergeName(tablet->id()));
    // Frozen for a merge that the catalog, restored from an older state, has forgotten: a later epoch ends it.
    const bool frozen = load.__isset.frozenInto && load.leading && tablet && load.epoch == tablet->node.info.epoch;
    if (frozen && !tablet->merging() && !stale_catalog_.Why()) reconciler_.NextEpochOf(tablet->id());
    const TabletId into = image().MergedInto(TabletId{static_cast<uint64_t>(load.tabletId)});
    if (into) runner_.Poke(FinishMergeName(into));
    const TableEntry* table = tablet ? image().Table(tablet->table()) : nullptr;
    if (!table || load.schemaVersion == 0 || load.schemaVersion >= table->node.schema.schemaVersion) continue;
    if (!runner_.Running(PushSchemaName(table->node.schema.name))) StartPush(table->node.schema.name);
  }
}

}  // namespace ebla::master
