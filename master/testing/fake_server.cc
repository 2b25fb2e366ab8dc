#include "master/testing/fake_server.h"

#include <algorithm>

namespace ebla::master::testing {
namespace {

idl::Status MakeStatus(idl::Code::type code, std::string message) {
  idl::Status status;
  status.code = code;
  status.message = std::move(message);
  return status;
}

idl::LogPosition Position(int64_t epoch, int64_t lsn) {
  idl::LogPosition position;
  position.epoch = epoch;
  position.lsn = lsn;
  return position;
}

}  // namespace

void EpochLedger::Led(int64_t tablet, int64_t epoch, const std::string& who) {
  auto [found, fresh] = leaders_.try_emplace({tablet, epoch}, who);
  if (!fresh && found->second != who) {
    violations_.push_back("tablet " + std::to_string(tablet) + " epoch " + std::to_string(epoch) + " led by " +
                          found->second + " and by " + who);
  }
}

FakeServer::FakeServer(ebla::testing::SimScheduler& scheduler, coordination::SimCoordination& coordination,
                       EpochLedger& ledger, std::string name, uint16_t port, SendHeartbeat heartbeat)
    : scheduler_(scheduler),
      coordination_(coordination),
      ledger_(ledger),
      name_(std::move(name)),
      port_(port),
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
  identity.http = {"10.0.0.1", static_cast<uint16_t>(port_ + 1)};
  registration_ = std::make_unique<coordination::ServerRegistration>(
      *coordinator_, *executor_, identity, coordination::ServerRegistration::Options{},
      [this](const coordination::RegistrationState& state) {
        if (!state.cluster_id.empty()) cluster_id_ = state.cluster_id;
      });
  Beat();
}

void FakeServer::Stop() {
  if (!executor_) return;
  registration_.reset();
  coordinator_.reset();
  executor_.reset();
  for (auto& [id, replica] : replicas_) replica.leading = 0;
}

bool FakeServer::Leads(int64_t tablet, int64_t epoch) const {
  auto found = replicas_.find(tablet);
  return running() && found != replicas_.end() && found->second.leading == epoch;
}

void FakeServer::Beat() {
  executor_->After(std::chrono::seconds(1), [this] { Beat(); });
  if (registration_->state().kind != coordination::RegistrationState::Kind::kRegistered) return;
  idl::HeartbeatRequest request;
  request.clusterId = cluster_id_;
  request.server = name_;
  request.incarnation = incarnation_;
  for (const auto& [id, replica] : replicas_) {
    idl::TabletLoad load;
    load.tabletId = id;
    load.epoch = replica.leading ? replica.leading : replica.led;
    load.leading = replica.leading != 0;
    load.sizeBytes = 1'000;
    load.records = 10;
    load.readsPerSecond = 2;
    load.tabletTimeMs = load.leading ? 1'700'000'000'000 + id : 0;
    load.schemaVersion = replica.schema_version;
    request.tablets.push_back(load);
  }
  request.tables.assign(tables_.begin(), tables_.end());
  heartbeat_(request);
}

idl::Status FakeServer::Check(const idl::ControlHeader& header) {
  if (header.clusterId != cluster_id_) return MakeStatus(idl::Code::INVALID_ARGUMENT, "another cluster's");
  if (header.toServer != name_ || header.toIncarnation != incarnation_) {
    return MakeStatus(idl::Code::COME_AGAIN, "not the one that was meant");
  }
  if (header.masterTerm < term_) return MakeStatus(idl::Code::STALE_EPOCH, "a later term gives orders");
  term_ = header.masterTerm;
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
  if (found == replicas_.end()) {
    if (tombstones_.contains(order.tabletId) && order.epoch <= tombstones_[order.tabletId]) {
      result.status = MakeStatus(idl::Code::STALE_EPOCH, "dropped");
      result.promisedEpoch = tombstones_[order.tabletId];
      return result;
    }
    if (!order.born) {
      result.status = MakeStatus(idl::Code::NOT_FOUND, "no such replica");
      return result;
    }
    found = replicas_.emplace(order.tabletId, Replica{}).first;
    found->second.promised = promises_[order.tabletId];
    found->second.range = order.range;
    found->second.table = order.schema.tableId;
    tables_.insert(order.schema.tableId);
  }
  Replica& replica = found->second;
  result.promisedEpoch = replica.promised;
  if (order.epoch < replica.promised) {
    result.status = MakeStatus(idl::Code::STALE_EPOCH, "promised more");
  } else if (order.primary != name_) {
    replica.promised = order.epoch;
    replica.leading = 0;
  } else if (replica.leading != order.epoch) {
    if (replica.led >= order.epoch || !order.fenced) {
      result.status = MakeStatus(idl::Code::CONDITION_FAILED, "led that epoch in an earlier life");
    } else if (order.__isset.presumed && std::pair(order.presumed.epoch, order.presumed.lsn) >
                                             std::pair(replica.last.epoch, replica.last.lsn)) {
      result.status = MakeStatus(idl::Code::CONDITION_FAILED, "the log is shorter");
    } else {
      replica.promised = replica.led = replica.leading = order.epoch;
      replica.last = Position(order.epoch, replica.last.lsn + 1);  // the Barrier
      ledger_.Led(order.tabletId, order.epoch, name_ + "#" + std::to_string(incarnation_));
    }
  }
  if (result.status.code == idl::Code::OK) {
    replica.schema_version = std::max(replica.schema_version, order.schema.schemaVersion);
  }
  return result;
}

void FakeServer::configure(std::function<void(const idl::ConfigureReply&)> cob, const idl::ConfigureRequest& request) {
  idl::ConfigureReply reply;
  reply.status = Check(request.header);
  if (reply.status.code == idl::Code::OK) {
    for (const idl::ConfigureTablet& order : request.tablets) reply.results.push_back(ConfigureOne(order));
  }
  cob(reply);
}

void FakeServer::fence(std::function<void(const idl::FenceReply&)> cob, const idl::FenceRequest& request) {
  idl::FenceReply reply;
  reply.status = Check(request.header);
  for (const idl::FenceTablet& order : request.tablets) {
    if (reply.status.code != idl::Code::OK) break;
    idl::FenceResult result;
    result.tabletId = order.tabletId;
    auto found = replicas_.find(order.tabletId);
    result.known = found != replicas_.end();
    int64_t& promised = result.known ? found->second.promised : promises_[order.tabletId];
    if (order.epoch < promised) {
      result.status = MakeStatus(idl::Code::STALE_EPOCH, "promised more");
    } else {
      promised = order.epoch;
      if (result.known) {
        found->second.leading = 0;
        result.lastAppended = found->second.last;
      }
    }
    result.promisedEpoch = promised;
    reply.results.push_back(result);
  }
  cob(reply);
}

void FakeServer::drop(std::function<void(const idl::DropReply&)> cob, const idl::DropRequest& request) {
  idl::DropReply reply;
  reply.status = Check(request.header);
  for (const idl::DropTablet& order : request.tablets) {
    if (reply.status.code != idl::Code::OK) break;
    idl::ConfigureResult result;
    result.tabletId = order.tabletId;
    auto found = replicas_.find(order.tabletId);
    const int64_t promised = found == replicas_.end() ? promises_[order.tabletId] : found->second.promised;
    if (order.epoch < promised) {
      result.status = MakeStatus(idl::Code::STALE_EPOCH, "promised more");
      result.promisedEpoch = promised;
    } else {
      replicas_.erase(order.tabletId);
      tombstones_[order.tabletId] = std::max(tombstones_[order.tabletId], order.epoch);
    }
    reply.results.push_back(result);
  }
  cob(reply);
}

void FakeServer::transfer(std::function<void(const idl::TransferReply&)> cob, const idl::TransferRequest& request) {
  idl::TransferReply reply;
  reply.status = Check(request.header);
  for (const idl::TransferTablet& order : request.tablets) {
    if (reply.status.code != idl::Code::OK) break;
    idl::FenceResult result;
    result.tabletId = order.tabletId;
    auto found = replicas_.find(order.tabletId);
    result.known = found != replicas_.end();
    if (!result.known || found->second.leading != order.epoch) {
      result.status = MakeStatus(idl::Code::STALE_EPOCH, "it does not lead that epoch");
    } else {
      found->second.leading = 0;
      result.lastAppended = found->second.last;
      result.promisedEpoch = found->second.promised;
    }
    reply.results.push_back(result);
  }
  cob(reply);
}

void FakeServer::alter(std::function<void(const idl::AlterReply&)> cob, const idl::AlterRequest& request) {
  idl::AlterReply reply;
  reply.status = Check(request.header);
  if (reply.status.code == idl::Code::OK) {
    for (auto& [id, replica] : replicas_) {
      if (replica.table == request.schema.tableId) {
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
    const bool used = std::ranges::any_of(
        replicas_, [&](const auto& item) { return item.second.table == request.tableId; });
    if (used) {
      reply.status = MakeStatus(idl::Code::COME_AGAIN, "replicas are left");
    } else {
      tables_.erase(request.tableId);
    }
  }
  cob(reply);
}

}  // namespace ebla::master::testing
