#include "master/testing/fake_server.h"

#include <algorithm>

#include "common/base/number_limits.h"
#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "common/rpc/idl_convert.h"
#include "master/catalog/table_rules.h"
#include "master/testing/fake_server_thrift.h"

namespace ebla::master::testing {
namespace {

// The merged tablet may still have to be made of this replica.
bool IsStillToMerge(coordination::SimCoordination& coordination, const FakeServer::Replica& replica) {
  if (!replica.freeze) return false;
  const auto node =
      coordination.tree().Get(coordination::layout::TabletPath(TabletId{static_cast<uint64_t>(replica.freeze->into)}));
  return node && coordination::DecodeNode<idl::TabletNode>(node->data)->__isset.merged;
}

// Another replica has part of its place.
bool Overlaps(const std::map<int64_t, FakeServer::Replica>& replicas, const idl::ConfigureTablet& order) {
  const KeyRange range = rpc::FromIdl(order.range);
  return std::ranges::any_of(replicas, [&](const auto& item) {
    return item.second.table == order.schema.tableId && rpc::FromIdl(item.second.range).Overlaps(range);
  });
}

// Work of a memory tablet's primary before it leads, if no other replica has the records.
void MendMemory(EpochLedger& ledger, FakeServer::Replica& replica, const idl::ConfigureTablet& order) {
  if (order.anew || order.soleLog) ledger.LossAccepted(order.tabletId);
  if (order.anew && replica.incomplete) {
    replica.incomplete = replica.forgetful = false;
    replica.range = order.range;
  }
  std::string end = replica.logged.empty() ? replica.range.endKey : replica.logged.back().split.key;
  for (const idl::LostSplit& lost : order.lostSplits) {
    FakeServer::Replica::Split split;
    split.split.childId = lost.childId;
    split.split.key = lost.key;
    split.split.position = replica.last = Position(order.epoch, replica.last.lsn + 1);
    split.split.voters = order.voters;
    split.child = replica.range;
    split.child.startKey = lost.key;
    split.child.endKey = std::exchange(end, lost.key);
    replica.logged.push_back(std::move(split));
  }
}

}  // namespace

void EpochLedger::Led(int64_t tablet, int64_t epoch, const std::string& who, const idl::LogPosition& last, bool born) {
  const std::string which = "tablet " + std::to_string(tablet) + " epoch " + std::to_string(epoch);
  auto [found, fresh] = leaders_.try_emplace({tablet, epoch}, who);
  if (!fresh && found->second != who) Violated(which + " has primaries " + found->second + " and " + who);
  const auto into = merged_.find(tablet);
  if (into != merged_.end() && Order(acknowledged_[into->second]) > Order(merged_begin_[into->second]))
    Violated(which + " has primary " + who + " after it was merged");
  idl::LogPosition& acknowledged = acknowledged_[tablet];
  if (born) acknowledged = {};  // no client was told of it
  if (Order(last) < Order(acknowledged)) {
    Violated(which + " has primary " + who + " from " + std::to_string(last.epoch) + "." + std::to_string(last.lsn) +
             ", short of the acknowledged " + std::to_string(acknowledged.epoch) + "." +
             std::to_string(acknowledged.lsn));
  }
}

void EpochLedger::VoterMerged(int64_t tablet, const idl::Merged& merged) {
  const auto before = merged_.find(merged.left.tabletId);
  const bool given_up =
      before != merged_.end() && Order(acknowledged_[before->second]) <= Order(merged_begin_[before->second]);
  if (before == merged_.end() || (before->second != tablet && given_up)) {
    for (const idl::MergedTablet* part : {&merged.left, &merged.right}) {
      merged_[part->tabletId] = tablet;
      const idl::LogPosition& acknowledged = acknowledged_[part->tabletId];
      if (Order(acknowledged) <= Order(part->freeze)) continue;
      Violated("tablet " + std::to_string(part->tabletId) + " is merged as it was at " +
               std::to_string(part->freeze.epoch) + "." + std::to_string(part->freeze.lsn) +
               ", short of the acknowledged " + std::to_string(acknowledged.epoch) + "." +
               std::to_string(acknowledged.lsn));
    }
    acknowledged_[tablet] = merged_begin_[tablet] = merged.position;
  }
  if (merged_[merged.left.tabletId] != tablet || merged_[merged.right.tabletId] != tablet) {
    Violated("tablet " + std::to_string(tablet) + " is made of what was merged into another");
  }
}

void EpochLedger::Acknowledged(int64_t tablet, const idl::LogPosition& position) {
  idl::LogPosition& acknowledged = acknowledged_[tablet];
  if (Order(acknowledged) < Order(position)) acknowledged = position;
}

FakeServer::FakeServer(ebla::testing::SimScheduler& scheduler, coordination::SimCoordination& coordination,
                       EpochLedger& ledger, std::string name, uint16_t port, FakePeers peers, SendHeartbeat heartbeat)
    : scheduler_(scheduler),
      coordination_(coordination),
      ledger_(ledger),
      name_(std::move(name)),
      port_(port),
      peers_(std::move(peers)),
      heartbeat_(std::move(heartbeat)) {}

FakeServer::~FakeServer() { Stop(); }

void FakeServer::Start() {
  ++incarnation_;
  executor_ = std::make_unique<ebla::testing::SimExecutor>(scheduler_);
  coordinator_ = coordination_.NewClient(*executor_);
  coordination::ServerIdentity identity;
  identity.name = name_;
  identity.uuid = "uuid-" + name_;
  identity.cluster_id = cluster_id_;
  identity.incarnation = Incarnation{static_cast<uint64_t>(incarnation_)};
  identity.endpoint = {"10.0.0.1", port_};
  identity.rack = rack;
  identity.feature_level = feature_level;
  identity.http = {"10.0.0.1", static_cast<uint16_t>(port_ + 1)};
  registration_ = std::make_unique<coordination::ServerRegistration>(
      *coordinator_, *executor_, identity, coordination::ServerRegistration::Options{},
      [this](const coordination::RegistrationState& state) {
        if (!state.cluster_id.empty()) cluster_id_ = state.cluster_id;
      });
  BeatAndAgain();
  Tick();
}

void FakeServer::Stop() {
  if (!executor_) return;
  registration_.reset();
  coordinator_.reset();
  executor_.reset();
  for (auto& [id, replica] : replicas_) {
    Replica durable;
    durable.range = replica.range;
    durable.table = replica.table;
    durable.splits = replica.splits;
    durable.logged = replica.logged;
    durable.freeze = replica.freeze;
    durable.merged = replica.merged;
    durable.promised = replica.promised;
    durable.led = replica.led;
    durable.incomplete = replica.incomplete;
    durable.failed = replica.failed;
    durable.failure = replica.failure;
    durable.last = replica.last;
    durable.schema_version = replica.schema_version;
    durable.schema = replica.schema;
    durable.forgetful = replica.forgetful;
    durable.lost = replica.lost;
    if (IsInMemory(replica.schema)) {
      durable.incomplete = durable.forgetful = true;
      durable.splits.clear();
      durable.logged.clear();
      durable.freeze.reset();
      durable.merged.reset();
      durable.last = {};
    }
    replica = std::move(durable);
  }
}

bool FakeServer::Leads(int64_t tablet, int64_t epoch) const {
  auto found = replicas_.find(tablet);
  return running() && found != replicas_.end() && found->second.leading == epoch;
}

// ---- replication ----------------------------------------------------------------------------------------------------

void FakeServer::Tick() {
  executor_->After(kTick, [this] { Tick(); });
  bool suspicion = false;
  for (auto& [id, replica] : replicas_) {
    if (replica.leading) {
      Replicate(id, replica);
      continue;
    }
    const bool suspects = replica.epoch > 0 && replica.primary != name_ && executor_->Now() - replica.heard > kSilence;
    suspicion = suspicion || (suspects && !replica.suspects);
    replica.suspects = suspects;
  }
  if (suspicion) Beat();  // the master is not kept waiting for it
}

void FakeServer::Replicate(int64_t id, Replica& replica) {
  if (!replica.freeze) replica.last = Position(replica.leading, replica.last.lsn + 1);
  size_t level = 1, at_barrier = 1;
  for (const auto* names : {&replica.voters, &replica.learners}) {
    for (const std::string& name : *names) {
      FakeServer* other = name == name_ ? nullptr : peers_.find(name);
      if (!other || mute || other->mute || peers_.cut(name_, name)) continue;
      const Received received = other->Receive(id, replica.leading, name_, replica.last);
      if (received.promised > replica.leading) replica.refused_for = std::max(replica.refused_for, received.promised);
      if (!received.known || received.promised > replica.leading) continue;
      other->CatchUp(id, replica, /*copied=*/received.incomplete);
      Peer& peer = replica.peers[name];
      peer.heard = true;
      peer.incomplete = received.incomplete;
      if (!received.stored) continue;
      peer.flushed = replica.last.lsn;
      if (names != &replica.voters) continue;
      ++level;
      if (peer.flushed >= replica.barrier) ++at_barrier;
    }
  }
  if (at_barrier > replica.voters.size() / 2) replica.barrier_committed = true;
  if (level > replica.voters.size() / 2) ledger_.Acknowledged(id, replica.last);
}

FakeServer::Received FakeServer::Receive(int64_t id, int64_t epoch, const std::string& primary,
                                         const idl::LogPosition& last) {
  Received received;
  auto found = replicas_.find(id);
  received.known = found != replicas_.end();
  received.promised = received.known ? found->second.promised : promises_[id];
  if (!received.known || received.promised > epoch) return received;
  Replica& replica = found->second;
  if (replica.failed) return received;
  if (replica.leading == epoch) ledger_.Violated("two primaries of one epoch");
  replica.promised = replica.epoch = epoch;
  replica.leading = 0;
  replica.primary = primary;
  replica.heard = executor_->Now();
  if (replica.incomplete) {
    if (replica.copying_since == MonotonicTime()) replica.copying_since = executor_->Now();
    if (executor_->Now() - replica.copying_since >= kCopyTime) replica.incomplete = replica.forgetful = false;
  }
  received.incomplete = replica.incomplete || replica.lost;
  received.stored = !received.incomplete;
  if (!replica.incomplete) replica.last = last;
  return received;
}

// A follower applies what its primary has; a copy brings it whole.
void FakeServer::CatchUp(int64_t id, const Replica& primary, bool copied) {
  if (copied) {
    replicas_[id].range = primary.range;
    replicas_[id].splits = primary.splits;
    replicas_[id].logged.clear();
  }
  Replica& mine = replicas_[id];
  mine.freeze = primary.freeze;
  for (size_t i = mine.splits.size() + mine.logged.size(); i < primary.splits.size(); ++i)
    mine.logged.push_back(primary.splits[i]);
  if (!hold_splits) ApplySplits(id, primary.schema);
}

// ---- the master's view ----------------------------------------------------------------------------------------------

void FakeServer::BeatAndAgain() {
  executor_->After(std::chrono::seconds(1), [this] { BeatAndAgain(); });
  Beat();
}

void FakeServer::Beat() {
  if (silent || registration_->state().kind != coordination::RegistrationState::Kind::kRegistered) return;
  idl::HeartbeatRequest request;
  request.clusterId = cluster_id_;
  request.server = name_;
  request.incarnation = incarnation_;
  request.featureLevel = feature_level;
  for (const auto& [id, replica] : replicas_) request.tablets.push_back(LoadOf(id, replica));
  request.tables.assign(tables_.begin(), tables_.end());
  request.seenTerm = term_;
  request.described = true;
  request.writesRefused = disk_full;
  request.__isset.disk = true;
  request.disk.timeOfDayMs = executor_->TimeOfDayMs() + clock_ahead_ms;
  for (const auto& [id, replica] : replicas_) {
    if (replica.schema.tableId > 0) request.schemas.push_back(replica.schema);
  }
  heartbeat_(request);
}

idl::TabletLoad FakeServer::LoadOf(int64_t id, const Replica& replica) const {
  idl::TabletLoad load;
  load.tabletId = id;
  load.epoch = replica.epoch;
  load.leading = replica.leading != 0;
  load.sizeBytes = 1'000;
  load.records = 10;
  load.readsPerSecond = 2;
  load.tabletTimeMs = load.leading ? 1'700'000'000'000 + id : 0;
  load.schemaVersion = replica.schema_version;
  load.lastLsn = load.appliedLsn = replica.last.lsn;
  load.lastEpoch = replica.last.epoch;
  load.promisedEpoch = replica.promised;
  load.barrierCommitted = load.leading && replica.barrier_committed;
  load.barrierApplied = load.barrierCommitted;
  if (!replica.splits.empty()) load.__set_lastSplit(replica.splits.back().split);
  if (replica.freeze) load.__set_frozenInto(replica.freeze->into);
  if (replica.merged && replica.epoch <= replica.merged->position.epoch) load.__set_merged(*replica.merged);
  load.refusedForEpoch = load.leading ? replica.refused_for : 0;
  load.releasedEpoch = replica.released;
  load.releasedTo = replica.released_to;
  load.incomplete = replica.incomplete;
  load.forgetful = replica.forgetful || replica.lost;
  load.failed = replica.failed;
  load.damaged = replica.damaged || replica.lost;
  load.lost = replica.lost;
  load.primarySilent = replica.suspects;
  load.primary = replica.primary;
  idl::ReplicaDetail detail;
  detail.tableId = replica.table;
  detail.range = replica.range;
  load.__set_detail(detail);
  if (measure) measure(load, replica);
  if (!load.leading) return load;
  for (const auto* names : {&replica.voters, &replica.learners}) {
    for (const std::string& name : *names) {
      if (name == name_) continue;
      const auto peer = replica.peers.find(name);
      idl::ReplicaProgress progress;
      progress.server = name;
      progress.voter = names == &replica.voters;
      progress.incomplete = peer == replica.peers.end() || peer->second.incomplete;
      progress.flushedLsn = peer == replica.peers.end() ? 0 : peer->second.flushed;
      progress.silentMs = peer == replica.peers.end() ? -1 : 0;
      if (const auto had = vouched.find(name); had != vouched.end()) progress.acknowledgedLsn = had->second.lsn;
      load.peers.push_back(progress);
    }
  }
  return load;
}

// ---- orders ---------------------------------------------------------------------------------------------------------

idl::Status FakeServer::Check(const idl::ControlHeader& header) {
  if (header.clusterId != cluster_id_) return MakeStatus(idl::Code::INVALID_ARGUMENT, "another cluster's");
  if (header.toServer != name_ || header.toIncarnation != incarnation_) {
    return MakeStatus(idl::Code::COME_AGAIN, "not the one that was meant");
  }
  if (header.masterTerm < term_) return MakeStatus(idl::Code::STALE_EPOCH, "a later term gives orders");
  term_ = header.masterTerm;
  masters_time_of_day_ms = header.timeOfDayMs;
  return {};
}

idl::ConfigureResult FakeServer::ConfigureOne(const idl::ConfigureTablet& order) {
  idl::ConfigureResult result;
  result.tabletId = order.tabletId;
  if (auto refusal = refuse_configure.find(order.tabletId); refusal != refuse_configure.end()) {
    result.status = MakeStatus(refusal->second, "told to refuse");
    return result;
  }
  auto found = replicas_.find(order.tabletId);
  Replica* replica = found == replicas_.end() ? nullptr : &found->second;
  result.promisedEpoch = replica ? replica->promised : promises_[order.tabletId];
  if (replica && replica->failed) {
    result.status = MakeStatus(idl::Code::INTERNAL, "it has failed");
  } else if (order.epoch < result.promisedEpoch) {
    result.status = MakeStatus(idl::Code::STALE_EPOCH, "promised more");
  } else if (!replica && tombstones_.contains(order.tabletId) && order.epoch <= tombstones_[order.tabletId]) {
    result.status = MakeStatus(idl::Code::STALE_EPOCH, "dropped");
  } else if (!replica && order.__isset.merged) {
    result.status = MergeReplicas(order);
    found = replicas_.find(order.tabletId);
    replica = found == replicas_.end() ? nullptr : &found->second;
  }
  if (result.status.code != idl::Code::OK) return result;
  if (order.primary == name_) {
    result.status = MayLead(replica, order);
  } else if (replica && replica->leading == order.epoch) {
    result.status = MakeStatus(idl::Code::INVALID_ARGUMENT, "this replica leads it");
  }
  if (result.status.code != idl::Code::OK) return result;
  if (!replica && IsInMemory(order.schema) && Overlaps(replicas_, order)) {
    result.status = MakeStatus(idl::Code::COME_AGAIN, "another replica has its place");
    return result;
  }
  if (!replica) {
    replica = &replicas_[order.tabletId];
    replica->promised = promises_[order.tabletId];
    replica->range = order.range;
    replica->table = order.schema.tableId;
    replica->incomplete = !order.born;
    tables_.insert(order.schema.tableId);
  }
  if (order.schema.schemaVersion > replica->schema.schemaVersion) replica->schema = order.schema;
  replica->schema_version = std::max(replica->schema_version, order.schema.schemaVersion);
  if (replica->leading == order.epoch) return result;
  replica->promised = replica->epoch = order.epoch;
  replica->primary = order.primary;
  replica->leading = 0;
  replica->suspects = false;
  replica->heard = executor_->Now();
  if (order.primary == name_) Lead(*replica, order);
  return result;
}

idl::Status FakeServer::MayLead(const Replica* replica, const idl::ConfigureTablet& order) const {
  if (!replica) {
    return order.born ? idl::Status() : MakeStatus(idl::Code::UNAVAILABLE, "no such replica");
  }
  if (replica->leading == order.epoch) return {};
  if (replica->led >= order.epoch) return MakeStatus(idl::Code::STALE_EPOCH, "led that epoch in an earlier life");
  if (replica->incomplete && !(order.anew && order.fenced && replica->forgetful))
    return MakeStatus(idl::Code::UNAVAILABLE, "incomplete");
  if (replica->lost && !order.lossAccepted) return MakeStatus(idl::Code::CONDITION_FAILED, "it lost a part of its log");
  if (!order.fenced && !order.transfer) {
    if (!replica->leading) return MakeStatus(idl::Code::STALE_EPOCH, "only who leads may change the membership");
    if (!replica->barrier_committed) return MakeStatus(idl::Code::STALE_EPOCH, "the Barrier is not committed");
  }
  if (order.__isset.presumed && Order(order.presumed) > Order(replica->last)) {
    return MakeStatus(idl::Code::CONDITION_FAILED, "the log is shorter");
  }
  return {};
}

void FakeServer::Lead(Replica& replica, const idl::ConfigureTablet& order) {
  MendMemory(ledger_, replica, order);
  ledger_.Led(order.tabletId, order.epoch, name_ + "#" + std::to_string(incarnation_), replica.last, order.born);
  const auto node =
      coordination_.tree().Get(coordination::layout::TabletPath(TabletId{static_cast<uint64_t>(order.tabletId)}));
  const bool creating =
      node && coordination::DecodeNode<idl::TabletNode>(node->data)->info.state == idl::TabletState::CREATING;
  if (order.born && node && !creating) ledger_.Violated("born is said of one that serves");
  received_tablet_times[order.tabletId] = order.tabletTimeMs;
  received_times_of_day[order.tabletId] = order.timeOfDayMs;
  if (std::exchange(replica.lost, false)) ledger_.LossAccepted(order.tabletId);
  replica.led = replica.leading = order.epoch;
  replica.voters = order.voters;
  replica.learners = order.learners;
  replica.peers.clear();
  replica.freeze.reset();
  replica.barrier = replica.last.lsn + 1;
  replica.barrier_committed = order.voters.size() == 1;
  replica.refused_for = 0;
  replica.last = Position(order.epoch, replica.barrier);
  ApplySplits(order.tabletId, replica.schema);
}

void FakeServer::configure(std::function<void(const idl::ConfigureReply&)> cob, const idl::ConfigureRequest& request) {
  cob(ForEachOrder<idl::ConfigureReply>(
      request, [this](const idl::ConfigureTablet& order, const Replica*, idl::ConfigureResult& result) {
        result = ConfigureOne(order);
      }));
}

void FakeServer::fence(std::function<void(const idl::FenceReply&)> cob, const idl::FenceRequest& request) {
  Duration silence{0};
  const auto obey = [&](const idl::FenceTablet& order, Replica* replica, idl::FenceResult& result) {
    result.known = replica != nullptr;
    int64_t& promised = replica ? replica->promised : promises_[order.tabletId];
    if (replica && replica->failed) {
      result.status = MakeStatus(replica->failure, "it has failed");
    } else if (order.epoch < promised || (replica && order.epoch <= replica->led)) {
      result.status = MakeStatus(idl::Code::STALE_EPOCH, "promised more");
    } else if (limits::IsLeap(Epoch{static_cast<uint64_t>(promised)}, Epoch{static_cast<uint64_t>(order.epoch)}) &&
               !(order.__isset.leapFrom && order.leapFrom == promised)) {
      result.status = MakeStatus(idl::Code::INVALID_ARGUMENT, "further than any master comes");
    } else {
      promised = fenced[order.tabletId] = order.epoch;
      // A tombstone's epoch is its promise.
      if (const auto dropped = tombstones_.find(order.tabletId); !replica && dropped != tombstones_.end())
        dropped->second = order.epoch;
      if (replica) {
        // The lease that it has granted its primary must expire first.
        if (!replica->leading && replica->epoch > 0) {
          silence = std::max(silence, replica->heard + kLease - executor_->Now());
        }
        replica->leading = 0;
        if (order.__isset.had && !replica->incomplete && rpc::FromIdl(replica->last) < rpc::FromIdl(order.had))
          replica->lost = true;
        result.lastAppended = replica->last;
        result.incomplete = replica->incomplete;
        result.forgetful = replica->forgetful || replica->lost;
        result.lost = replica->lost;
        result.vouched = vouched;
        if (IsInMemory(replica->schema) && !replica->incomplete)
          result.__set_endKey(replica->logged.empty() ? replica->range.endKey : replica->logged.back().split.key);
      }
    }
    result.promisedEpoch = promised;
    result.timeOfDayMs = executor_->TimeOfDayMs() + clock_ahead_ms;
  };
  const auto reply = ForEachOrder<idl::FenceReply>(request, obey);
  executor_->After(std::max(Duration{0}, silence), [cob, reply] { cob(reply); });
}

void FakeServer::drop(std::function<void(const idl::DropReply&)> cob, const idl::DropRequest& request) {
  cob(ForEachOrder<idl::DropReply>(
      request, [this](const idl::DropTablet& order, const Replica* replica, idl::ConfigureResult& result) {
        drop_splits[order.tabletId] = order.splits;
        const int64_t promised = replica ? replica->promised : promises_[order.tabletId];
        if (replica && ledger_.Merged(order.tabletId) && IsStillToMerge(coordination_, *replica)) {
          ledger_.Violated(name_ + " drops tablet " + std::to_string(order.tabletId) + ", which it has yet to merge");
        }
        if (order.epoch < promised) {
          result.status = MakeStatus(idl::Code::STALE_EPOCH, "promised more");
          result.promisedEpoch = promised;
        } else {
          replicas_.erase(order.tabletId);
          tombstones_[order.tabletId] = std::max(tombstones_[order.tabletId], order.epoch);
        }
      }));
}

void FakeServer::transfer(std::function<void(const idl::TransferReply&)> cob, const idl::TransferRequest& request) {
  cob(ForEachOrder<idl::TransferReply>(
      request, [this](const idl::TransferTablet& order, Replica* replica, idl::FenceResult& result) {
        result.known = replica != nullptr;
        received_patience[order.tabletId].push_back(order.patienceMs);
        FakeServer* target = peers_.find(order.target);
        if (!replica || (replica->leading != order.epoch && replica->released != order.epoch)) {
          result.status = MakeStatus(idl::Code::STALE_EPOCH, "it is not primary in that epoch");
        } else if (replica->leading) {
          const bool reached = target && !mute && !target->mute && !peers_.cut(name_, order.target);
          if (!reached || !target->Receive(order.tabletId, replica->leading, name_, replica->last).stored) {
            result.status = MakeStatus(idl::Code::UNAVAILABLE, "the target does not come level");
          } else {
            replica->leading = 0;
            replica->released = order.epoch;
            replica->released_to = order.target;
          }
        }
        if (replica) {
          result.lastAppended = replica->last;
          result.promisedEpoch = replica->promised;
        }
      }));
}

void FakeServer::alter(std::function<void(const idl::AlterReply&)> cob, const idl::AlterRequest& request) {
  idl::AlterReply reply;
  reply.status = Check(request.header);
  if (reply.status.code == idl::Code::OK) {
    for (auto& [id, replica] : replicas_) {
      if (replica.table == request.schema.tableId) {
        if (request.schema.schemaVersion > replica.schema.schemaVersion) replica.schema = request.schema;
        replica.schema_version = std::max(replica.schema_version, request.schema.schemaVersion);
      }
    }
  }
  cob(reply);
}

void FakeServer::dropTableData(std::function<void(const idl::DropTableReply&)> cob,
                               const idl::DropTableRequest& request) {
  idl::DropTableReply reply;
  reply.status = Check(request.header);
  if (reply.status.code == idl::Code::OK) {
    const bool used =
        std::ranges::any_of(replicas_, [&](const auto& item) { return item.second.table == request.tableId; });
    if (used) {
      reply.status = MakeStatus(idl::Code::COME_AGAIN, "replicas are left");
    } else {
      tables_.erase(request.tableId);
    }
  }
  cob(reply);
}

void FakeUpkeep::scrub(std::function<void(const idl::ScrubReply&)> cob, const idl::ScrubRequest& request) {
  idl::ScrubReply reply;
  reply.status = Check(request.header);
  if (reply.status.code == idl::Code::OK && ++scrubs > 1)
    reply.status = MakeStatus(idl::Code::CONDITION_FAILED, "a pass is under way");
  cob(reply);
}

void FakeServer::compactTableData(std::function<void(const idl::CompactReply&)> cob,
                                  const idl::CompactRequest& request) {
  idl::CompactReply reply;
  reply.status = Check(request.header);
  reply.ageMs = -1;
  if (reply.status.code == idl::Code::OK) {
    if (request.start) compacted[request.tableId] = scheduler_.Now();
    if (const auto found = compacted.find(request.tableId); found != compacted.end()) {
      reply.ageMs = std::chrono::duration_cast<std::chrono::milliseconds>(scheduler_.Now() - found->second).count();
      reply.bytesBefore = int64_t{2} << 20;
      reply.bytesAfter = int64_t{1} << 20;
      reply.__set_outcome({});
    }
  }
  cob(reply);
}

void FakeUpkeep::acceptClock(std::function<void(const idl::AcceptClockReply&)> cob,
                             const idl::AcceptClockRequest& request) {
  idl::AcceptClockReply reply;
  reply.status = Check(request.header);
  if (reply.status.code == idl::Code::OK) ++clocks_accepted;
  cob(reply);
}

}  // namespace ebla::master::testing
