#include "tabletserver/server/tabletserver_host.h"

#include <glog/logging.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "common/base/lineage.h"
#include "common/base/mutex.h"
#include "common/coordination/node_codec.h"
#include "common/rpc/idl_convert.h"
#include "tabletserver/service/translate.h"
#include "tabletserver/shard/shard.h"
#include "tabletserver/tablet/lineage_replay.h"
#include "tabletserver/tablet/memory_replicas.h"

namespace ebla::tabletserver {
namespace {

template <class To, class From>
std::vector<To*> Pointers(const std::vector<std::unique_ptr<From>>& owned) {
  std::vector<To*> pointers;
  for (const auto& one : owned) pointers.push_back(one.get());
  return pointers;
}

using Shards = std::vector<std::unique_ptr<Shard>>;

// One part of each shard.
template <class Part>
std::vector<Part*> PartsOf(const Shards& shards, Part& (Shard::*part)()) {
  std::vector<Part*> parts;
  for (const auto& shard : shards) parts.push_back(&(shard.get()->*part)());
  return parts;
}

std::vector<ReadWaits*> ReadsOf(const Shards& shards) {
  std::vector<ReadWaits*> reads;
  for (const auto& shard : shards) reads.push_back(&shard->reads());
  return reads;
}

std::vector<std::unique_ptr<LoopMailbox>> MakeMailboxes(const std::vector<Executor*>& loops) {
  std::vector<std::unique_ptr<LoopMailbox>> mailboxes;
  for (Executor* loop : loops) {
    // Not bounded here: there is one reply for each request, and those are bounded.
    mailboxes.push_back(
        std::make_unique<LoopMailbox>(*loop, LoopMailbox::Bounds{SIZE_MAX, SIZE_MAX}, [](std::vector<Task> tasks) {
          for (Task& task : tasks) task();
        }));
  }
  return mailboxes;
}

Shards MakeShards(const TabletServerPorts& ports, const TabletServerOptions& options, TabletDirectory& directory,
                  ShardCounters& counters, const PeerBook& peers, const std::function<std::string()>& cluster_id,
                  const std::function<PartLender&(TabletId)>& part_lender_of, CopyThrottle& copy_throttle,
                  Refusals& refusals, PeerMemory& peer_memory, DayClock& day_clock,
                  const std::vector<std::unique_ptr<LoopMailbox>>& mailboxes) {
  Shards shards;
  for (size_t i = 0; i < ports.shards.size(); ++i) {
    ShardOptions mine = options.shard;
    mine.self = options.identity.name;
    mine.index = i;
    mine.meter_slot = ports.loops.size() + i;
    mine.incarnation = options.identity.incarnation;
    mine.machine_crashed = options.identity.machine_crashed;
    rpc::Connector& connector = ports.shard_connectors.empty() ? ports.connector : *ports.shard_connectors[i];
    shards.push_back(std::make_unique<Shard>(
        std::move(mine), ShardPorts{*ports.shards[i], ports.shard_turns.empty() ? nullptr : ports.shard_turns[i],
                                    ports.background, ports.OrBackground(ports.housekeeping), ports.store, directory,
                                    counters, Pointers<LoopMailbox>(mailboxes), DecodeSchema, connector, peers,
                                    cluster_id, part_lender_of, copy_throttle, refusals, peer_memory, day_clock}));
  }
  return shards;
}

std::vector<std::unique_ptr<ReadPath>> MakePaths(const TabletServerPorts& ports, const TabletDirectory& directory,
                                                 const Shards& shards, ReaderPool& readers,
                                                 const std::vector<std::unique_ptr<LoopMailbox>>& mailboxes) {
  std::vector<std::unique_ptr<ReadPath>> paths;
  for (size_t i = 0; i < ports.loops.size(); ++i) {
    paths.push_back(std::make_unique<ReadPath>(
        ReadPath::Ports{*ports.loops[i], i, *mailboxes[i], ports.store, directory, ReadsOf(shards), readers}));
  }
  return paths;
}

Checkpointer::Options WithHook(Checkpointer::Options options, std::function<void()> on_finished) {
  options.on_finished = std::move(on_finished);
  return options;
}

ReplicaComparer::Ports ComparerPorts(const ServerName& self, TabletStore& store, const TabletDirectory& directory,
                                     ReplicaAsker& asker) {
  return {
      self,
      store,
      directory,
      [&asker](TableId table, TabletId tablet, const KeyRange& range) { return asker.Voters(table, tablet, range); },
      [&asker](const ReplicaAsker::Holder& holder, TableId table, TabletId tablet, const std::string& from) {
        return asker.Ask(holder, table, tablet, from);
      },
      [&asker](Duration duration) { return asker.Pause(duration); }};
}

Scrubber::Options WithComparison(Scrubber::Options options, ReplicaComparer& comparer) {
  options.compare = [&comparer](const TabletStore::ScrubPace& pace) { return comparer.CompareAll(pace); };
  return options;
}

}  // namespace

TabletServer::TabletServer(TabletServerPorts ports, TabletServerOptions options)
    : ports_(std::move(ports)),
      options_(std::move(options)),
      own_clock_(ports_.clock != nullptr ? nullptr : std::make_unique<ClockGuard>(ports_.control, options_.clock)),
      clock_(ports_.clock != nullptr ? *ports_.clock : *own_clock_),
      copy_throttle_(options_.copy_bytes_per_second),
      mailboxes_(MakeMailboxes(ports_.loops)),
      shards_(MakeShards(
          ports_, options_, directory_, shard_counters_, peers_, [this] { return cluster_id(); },
          [this](TabletId tablet) -> PartLender& {
            return shards_[ShardOfLineage(tablet, shards_.size())]->part_lender();
          },
          copy_throttle_, refusals_, peer_memory_, clock_, mailboxes_)),
      readers_(ports_.readers, options_.reads_waiting_max),
      paths_(MakePaths(ports_, directory_, shards_, readers_, mailboxes_)),
      checkpointer_(ports_.control, ports_.store, PartsOf(shards_, &Shard::truncator),
                    WithHook(options_.checkpoint, [this] { RaiseLifeMark(); })),
      purge_and_size_tasks_(ports_.background, ports_.store, directory_, ReadsOf(shards_),
                            options_.purge_and_size_tasks),
      evictor_(ports_.background, ports_.store, directory_, peer_memory_, ReadsOf(shards_), options_.evictor),
      hint_delivery_(options_.hint_delivery, ports_.store,
                     DeliveryRoute::Ports{delivery(), directory_, Pointers<Shard>(shards_), peers_, ports_.connector}),
      hinted_writes_(options_.identity.name, options_.identity.incarnation, options_.hinted_writes,
                     HintedWrites::Ports{delivery(), ports_.store, Pointers<LoopMailbox>(mailboxes_), clock_,
                                         [this] { hint_delivery_.Wake(); }}),
      compactor_(ports_.OrBackground(ports_.housekeeping),
                 {.compact = [this](TableId table, Duration limit) { return ports_.store.Compact(table, limit); },
                  .file_bytes = [this](TableId table) { return ports_.store.FileBytes(table); }}),
      asker_(ports_.control, ports_.connector, peers_),
      comparer_(ComparerPorts(options_.identity.name, ports_.store, directory_, asker_), options_.compare),
      scrubber_(ports_.scrubber, ports_.store, WithComparison(options_.scrub, comparer_)),
      snapshots_(ports_.snapshots, ports_.store, directory_),
      report_(HeartbeatReport::Ports{ports_.control, ports_.store, directory_, comparer_,
                                     ports_.scrubber == nullptr ? nullptr : &scrubber_, clock_},
              options_),
      tablet_service_(std::make_shared<TabletService>(TabletService::Ports{
          Pointers<ReadPath>(paths_), Pointers<Shard>(shards_), serving_, *options_.features,
          options_.shard.functions.get(), stats_, options_.slow_operation, hinted_writes_, hint_delivery_,
          ChecksumHandler(ports_.readers.empty() ? ports_.background : *ports_.readers.back(), ports_.store,
                          directory_),
          snapshots_,
          LogFeedHandler(ports_.readers.empty() ? ports_.background : *ports_.readers.back(), ports_.store,
                         directory_)})),
      control_service_(std::make_shared<ControlService>(ControlService::Ports{
          options_.identity.name, options_.identity.incarnation, [this] { return cluster_id(); }, term_, ports_.store,
          directory_, ports_.background, PartsOf(shards_, &Shard::orders), peers_, compactor_, scrubber_, refusals_,
          clock_, [this](int64_t masters_day_ms, const std::string& boot) { clock_.Compare(masters_day_ms, boot); },
          [this] {
            clock_.Accept();
            return options_.note_clock();
          }})),
      replication_service_(std::make_shared<ReplicationService>(ReplicationService::Ports{
          options_.identity.name, options_.identity.incarnation, [this] { return cluster_id(); },
          PartsOf(shards_, &Shard::peers), PartsOf(shards_, &Shard::copy_target), ports_.store, ports_.background,
          refusals_})),
      cluster_id_(options_.identity.cluster_id),
      registration_status_(Code::kUnavailable, "the coordinator (ZooKeeper) has not answered so far: does it run?") {
  CHECK(!ports_.loops.empty() && !ports_.shards.empty());
}

TabletServer::~TabletServer() = default;

std::string TabletServer::cluster_id() const {
  MutexLock lock(mutex_);
  return cluster_id_;
}

Status TabletServer::Recover() {
  EBLA_ASSIGN(std::vector<RecoveredReplica> replicas, ports_.store.Recover());
  for (const RecoveredReplica& replica : replicas) {
    if (replica.state.present()) EBLA_TRY(PlaceTable(ports_.store, replica.state.schema));
  }
  const auto decode = [](const std::string& encoded) -> Result<TabletSchema> {
    EBLA_ASSIGN(DecodedSchema schema, DecodeSchema(encoded));
    return std::move(schema.tablet);
  };
  const auto in_memory = [&decode](const std::string& encoded) -> Result<bool> {
    EBLA_ASSIGN(const TabletSchema schema, decode(encoded));
    return schema.in_memory;
  };
  EBLA_ASSIGN(const std::vector<TabletId> changed, ForgetMemory(replicas, in_memory));
  const std::set<TabletId> to_be_stored(changed.begin(), changed.end());
  for (const RecoveredReplica& replica : replicas) {
    if (to_be_stored.contains(replica.tablet)) EBLA_TRY(ports_.store.PutReplicaState(replica.tablet, replica.state));
  }
  LostReplicas& lost = ports_.store.lost_replicas();
  if (lost.loss()) EBLA_TRY(lost.Mark(replicas));
  EBLA_TRY(ReplayLineages(ports_.store, decode, options_.shard.dedup_window, replicas));
  if (lost.loss()) EBLA_TRY(lost.Settle(replicas));
  const auto present = std::ranges::count_if(replicas, [](const auto& replica) { return replica.state.present(); });
  for (RecoveredReplica& replica : replicas) {
    const size_t shard = ShardOfLineage(replica.tablet, shards_.size());
    EBLA_TRY(shards_[shard]->Recover(std::move(replica)));
  }
  EBLA_TRY(hinted_writes_.Recover());
  LOG(INFO) << "recovered " << present << " replicas and " << std::ssize(replicas) - present
            << " promises and tombstones";
  return Status::Ok();
}

void TabletServer::Start(const rpc::Endpoint& endpoint, const rpc::Endpoint& http) {
  report_.Begin();
  for (const auto& shard : shards_) shard->Start();
  ports_.background.Post([this] {
    purge_and_size_tasks_.Start();
    evictor_.Start();
  });
  scrubber_.Start();
  delivery().Post([this] { hint_delivery_.Start(); });
  ports_.control.Post([this, endpoint, http] {
    checkpointer_.Start();
    if (ports_.store.lost_replicas().loss()) {  // the next start finds the loss no more
      checkpointer_.CheckpointNow([](const Status& status) {
        LOG_IF(WARNING, !status.ok()) << "the next start finds the loss of the log again: " << status;
      });
    }
    coordination::ServerIdentity identity;
    identity.name = options_.identity.name;
    identity.uuid = options_.identity.uuid;
    identity.cluster_id = options_.identity.cluster_id;
    identity.incarnation = options_.identity.incarnation;
    identity.life_mark = options_.identity.life_mark;
    identity.endpoint = endpoint;
    identity.http = http;
    identity.rack = options_.rack;
    identity.lock_mark = options_.identity.lock_mark;
    identity.feature_level = options_.features->own();
    identity.wants_next_id = ports_.store.lost_replicas().forgot_below() == TabletId{UINT64_MAX};
    registration_ = std::make_unique<coordination::ServerRegistration>(
        ports_.coordinator, ports_.control, std::move(identity), options_.registration,
        [this](const coordination::RegistrationState& state) { OnRegistration(state); });
  });
}

// The directory first, because a crash between the two leaves it ahead of its node, which is harmless.
void TabletServer::RaiseLifeMark() {
  if (!options_.raise_life_mark) return;
  ports_.background.Post([this] {
    const Result<uint64_t> mark = options_.raise_life_mark();
    if (!mark) {
      LOG(WARNING) << "the data directory's life mark stays as it is until the next checkpoint: " << mark.error();
      return;
    }
    ports_.control.Post([this, mark = *mark] {
      if (registration_ != nullptr) registration_->RaiseLifeMark(mark);
    });
  });
}

void TabletServer::OnRegistration(const coordination::RegistrationState& state) {
  using Kind = coordination::RegistrationState::Kind;
  {
    MutexLock lock(mutex_);
    registration_status_ = state.status;
    if (!state.cluster_id.empty()) cluster_id_ = state.cluster_id;
  }
  if (state.kind == Kind::kWaiting) {
    LOG(INFO) << "not registered: " << state.status.message();
    return;
  }
  Status joined = state.status;
  if (state.kind == Kind::kRegistered) joined = options_.join_cluster(state.cluster_id);
  if (!joined.ok()) {
    LOG(ERROR) << "this server cannot join the cluster: " << joined;
    serving_.store(false, std::memory_order_release);
    options_.on_refused(joined);
    return;
  }
  options_.features->Learn(state.cluster_level);
  if (state.next_id) next_id_ = *state.next_id;
  LOG(INFO) << "registered as " << options_.identity.name << ", start " << options_.identity.incarnation
            << ", in cluster " << state.cluster_id;
  serving_.store(true, std::memory_order_release);
  if (heartbeater_ == nullptr) {
    heartbeater_ = std::make_unique<Heartbeater>(
        ports_.coordinator, ports_.connector, ports_.control, term_,
        [this](idl::HeartbeatRequest& request) {
          request.clusterId = cluster_id();
          report_.Fill(request);
        },
        [this](const idl::HeartbeatReply& reply) { LearnFrom(reply); },
        [this](const rpc::Endpoint& master) { peers_.LearnMaster(master); }, options_.master);
    report_.Watch([this] { heartbeater_->Hurry(); });
  } else {
    heartbeater_->Hurry();
  }
}

// Which tablets were never here. A coordinator that was restored from an older state names ids that were drawn before.
// So the master has to agree, and it does not while a report is beyond the catalog. The master's own number may be an
// older one, of a master that has been replaced.
void TabletServer::LearnNextId(const idl::HeartbeatReply& reply) {
  if (!next_id_ || reply.nextId <= 0) return;
  LostReplicas& lost = ports_.store.lost_replicas();
  const TabletId next{std::max(std::exchange(next_id_, std::nullopt)->value, static_cast<uint64_t>(reply.nextId))};
  if (next >= lost.forgot_below()) return;
  lost.LowerForgotBelow(next);
  ports_.background.Post([&lost] {
    const Status noted = lost.NoteForgotBelow();
    LOG_IF(WARNING, !noted.ok()) << "the next start asks again which tablets may have been here: " << noted;
  });
}

void TabletServer::LearnFrom(const idl::HeartbeatReply& reply) {
  options_.features->Learn(reply.clusterLevel);
  LearnNextId(reply);
  clock_.Compare(reply.timeOfDayMs, reply.boot);
  report_.CoverPeaks(reply.__isset.peaksMs ? std::chrono::milliseconds(reply.peaksMs) : LoadPeaks::kCovered);
  for (const auto& [name, address] : reply.servers) {
    if (const auto endpoint = rpc::FromIdl(address.endpoint); endpoint.has_value()) {
      peers_.Learn(name, {*endpoint, Incarnation{static_cast<uint64_t>(address.incarnation)}});
    }
  }
}

Status TabletServer::Ready() const {
  const TabletStore::Health health = ports_.store.health();
  if (!health.status.ok()) return Error(health.status.code(), "the store has failed: " + health.status.message());
  MutexLock lock(mutex_);
  if (!registration_status_.ok()) return registration_status_;
  return Status::Ok();
}

void TabletServer::Stop(std::move_only_function<void()> done) {
  snapshots_.Stop();
  ports_.control.Post([this, done = std::move(done)]() mutable {
    heartbeater_.reset();
    report_.StopWatch();
    auto drain = [this, done = std::move(done)]() mutable {
      DrainShards(0, [this, done = std::move(done)]() mutable {
        checkpointer_.CheckpointNow([done = std::move(done)](const Status& status) mutable {
          if (!status.ok()) LOG(ERROR) << "the last checkpoint failed: " << status;
          done();
        });
      });
    };
    if (registration_ == nullptr) return drain();
    // ServerRegistration takes a copyable function.
    auto shared = std::make_shared<decltype(drain)>(std::move(drain));
    registration_->Withdraw([shared] { (*shared)(); });
  });
}

void TabletServer::DrainShards(size_t next, std::move_only_function<void()> done) {
  if (next == shards_.size()) return done();
  shards_[next]->Drain([this, next, done = std::move(done)]() mutable {
    ports_.control.Post([this, next, done = std::move(done)]() mutable { DrainShards(next + 1, std::move(done)); });
  });
}

}  // namespace ebla::tabletserver
